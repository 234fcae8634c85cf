"""Embeddings kept on disk, each file's once: whichever task, split or share of labels asks for them.

An encoder has a folder; what is added at a time is a shard of two files, ``*.npy`` with the segments of its files one
after another and ``*.index.npz`` with what they are of. The index comes last and by renaming, so that a shard is whole
or not there: a run that is killed has kept what it had, and runs at the same time do not disturb each other.
"""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import uuid
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

log = logging.getLogger(__name__)

Floats32 = npt.NDArray[np.float32]

BYTES = 5 * 10**9
"""What all encoders together may keep; beyond it those used least recently go, never the one that is used."""


def identity(path: str) -> str:
    """What a file is known by: its path, size and time of change; empty where there is none."""
    try:
        found = Path(path).stat()
    except OSError:
        return ""
    return hashlib.sha256(f"{path} {found.st_size} {found.st_mtime_ns}".encode(errors="surrogateescape")).hexdigest()[
        :32
    ]


class Kept:
    """The embeddings of one encoder.

    Args:
        folder: its own, named by all that decides an embedding but the file.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._held: dict[str, tuple[Floats32, int, int]] = {}
        self._read: set[Path] = set()

    def find(self, identities: Sequence[str]) -> dict[str, Floats32]:
        """The (S, D) segments of those files that are there."""
        self._look()
        found = {}
        for each in identities:
            if each in self._held:
                segment, first, count = self._held[each]
                found[each] = segment[first : first + count]
        return found

    def add(self, segments: Mapping[str, Floats32]) -> None:
        """Keep the segments of some files as a shard."""
        named = {each: segment for each, segment in segments.items() if each}
        if not named:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        stem = self.folder / uuid.uuid4().hex
        part = stem.with_suffix(".part")
        with part.open("wb") as file:
            np.save(file, np.concatenate(list(named.values())))
        part.replace(stem.with_suffix(".npy"))
        with part.open("wb") as file:
            np.savez(file, files=np.array(list(named)), counts=np.array([len(each) for each in named.values()]))
        part.replace(stem.with_suffix(".index.npz"))

    def _look(self) -> None:
        """Read the shards that have come since."""
        for index in sorted(set(self.folder.glob("*.index.npz")) - self._read):
            self._read.add(index)
            data = index.with_name(index.name.removesuffix(".index.npz") + ".npy")
            try:
                with np.load(index, allow_pickle=False) as held:
                    files, counts = held["files"].tolist(), held["counts"]
                segment = np.load(data, mmap_mode="r", allow_pickle=False)
                if len(segment) != counts.sum() or len(files) != len(counts):
                    raise ValueError("the index does not fit")
            except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
                log.warning(f"{data}: unreadable, made again")
                index.unlink(missing_ok=True)
                continue
            first = np.cumsum(counts) - counts
            self._held |= {
                name: (segment, int(start), int(count)) for name, start, count in zip(files, first, counts, strict=True)
            }
        if self.folder.is_dir():
            os.utime(self.folder)  # what is used stays


def trim(folder: Path, used: Path) -> None:
    """Remove the encoders used least recently until the cache is within bounds.

    Args:
        folder: of the embeddings of all encoders.
        used: the encoder's that stays in any case.
    """
    held = []
    for each in folder.iterdir():
        try:
            size = sum(file.stat().st_size for file in each.iterdir()) if each.is_dir() else each.stat().st_size
            held.append((each.stat().st_mtime_ns, size, each))
        except (FileNotFoundError, NotADirectoryError):  # another run has removed it
            continue
    total = sum(size for _, size, _ in held)
    for _, size, each in sorted(held):
        if total <= BYTES:
            return
        if each != used:
            shutil.rmtree(each, ignore_errors=True) if each.is_dir() else each.unlink(missing_ok=True)
            total -= size
