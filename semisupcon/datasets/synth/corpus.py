"""The corpus on disk: made once, whole or not at all, in a cache folder that several processes may share."""

from __future__ import annotations

import contextlib
import csv
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from tqdm import tqdm

from semisupcon.cache import cache_folder
from semisupcon.datasets.synth.plan import Clip, Params, plan
from semisupcon.errors import UserError

VERSION = 2  # raise it with every change of what the synthesiser makes; it is part of the folder's name
INDEX = "index.csv"
COLUMNS = ("path", "split", "player", "instrument", "kind", "pitch", "key", "chord", "arousal", "valence", "tags")


def folder_of(params: Params) -> Path:
    """The folder of the corpus that ``params`` describe, whether it is there or not."""
    digest = hashlib.sha256(f"{VERSION} {json.dumps(asdict(params), sort_keys=True)}".encode()).hexdigest()
    return cache_folder() / f"synth-{digest[:12]}"


def ensure(params: Params | None = None, workers: int | None = None) -> Path:
    """The folder of a corpus, made on first use.

    It is made in a temporary folder and renamed when complete, so a folder of the final name is never a half
    corpus. Of several processes that start at once, one makes it and the others wait; what a killed one has left
    is removed by the next.

    Args:
        params: of the corpus; None = the one that the tasks use.
        workers: processes that make it; None = one for each core. The files do not depend on it.

    Raises:
        UserError: the cache folder cannot be written.
    """
    params = params or Params()
    final = folder_of(params)
    if complete(final):
        return final
    try:
        final.parent.mkdir(parents=True, exist_ok=True)
        with _alone(final.with_name(f".{final.name}.lock")) as locked:
            if complete(final):  # made by another process while this one waited
                return final
            if locked:
                _discard([final, *final.parent.glob(f".{final.name}.tmp-*")])
            _build(params, final, workers)
    except OSError as error:
        raise UserError(
            f"synth: cannot make the embedded corpus in {final.parent} ({error.strerror or error}). "
            "It takes 200 MB. Make room there, or name another folder in the environment variable SEMISUPCON_CACHE."
        ) from error
    return final


def complete(folder: Path) -> bool:
    """Whether every file that the folder's index names is there and not empty."""
    try:
        sizes = {entry.name: entry.stat().st_size for entry in os.scandir(folder / "audio")}
        rows = read_index(folder)
    except (OSError, KeyError):
        return False
    return all(sizes.get(Path(row["path"]).name, 0) for row in rows)


def read_index(folder: Path) -> list[dict[str, str]]:
    """One dictionary a file, with the keys ``COLUMNS``; an unknown label is empty text.

    Raises:
        OSError: there is no index.
        KeyError: there is another kind of file by that name.
    """
    with (folder / INDEX).open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        if tuple(reader.fieldnames or ()) != COLUMNS:
            raise KeyError(f"{INDEX} has the columns {reader.fieldnames}, not {COLUMNS}")
        return list(reader)


def _build(params: Params, final: Path, workers: int | None) -> None:
    """Make the corpus beside ``final``, then give it its name."""
    clips = plan(params)
    with tempfile.TemporaryDirectory(
        prefix=f".{final.name}.tmp-", dir=final.parent, ignore_cleanup_errors=True
    ) as made:
        folder = Path(made) / "corpus"
        (folder / "audio").mkdir(parents=True)
        _write_index(folder / INDEX, clips)
        _make_files(folder, params, len(clips), workers or _cores())
        try:
            folder.rename(final)
        except OSError:
            if not complete(final):  # else another process was first, where locks do not work
                raise


def _make_files(folder: Path, params: Params, total: int, workers: int) -> None:
    """Let worker processes make the audio files; they tell of each by one byte in a common pipe."""
    workers = max(1, min(workers, total // 16))
    command = [sys.executable, "-m", "semisupcon.datasets.synth.worker", str(folder), json.dumps(asdict(params))]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with (
        tempfile.TemporaryFile("w+", dir=folder.parent) as errors,
        tqdm(total=total, desc="making the embedded corpus", unit="file", mininterval=0.5) as bar,
    ):
        reading, writing = os.pipe()
        processes = [
            subprocess.Popen([*command, str(share), str(workers)], stdout=writing, stderr=errors, env=environment)
            for share in range(workers)
        ]
        os.close(writing)  # the pipe ends when the last worker does
        try:
            with os.fdopen(reading, "rb", buffering=0) as done:
                while count := len(done.read(4096)):
                    bar.update(count)
            failed = sum(process.wait() != 0 for process in processes)
        finally:
            for process in processes:
                process.kill()
                process.wait()
        if failed:
            errors.seek(0)
            lines = errors.read().strip().splitlines()
            raise OSError(lines[-1] if lines else "a worker process was killed")


def _discard(folders: list[Path]) -> None:
    """Remove folders whole: first moved away, so that nobody reads half of one, nor an orphaned worker fills it."""
    for folder in folders:
        if folder.exists():
            with tempfile.TemporaryDirectory(
                prefix=".synth-old-", dir=folder.parent, ignore_cleanup_errors=True
            ) as grave:
                folder.rename(Path(grave) / "corpus")


def _write_index(path: Path, clips: list[Clip]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for clip in clips:
            mood = ("", "") if clip.mood is None else tuple(f"{value:.4f}" for value in clip.mood)
            writer.writerow(
                (clip.path, clip.split, clip.group, clip.instrument, clip.kind, clip.pitch, clip.key, clip.chord, *mood,
                 " ".join(clip.tags))
            )  # fmt: skip


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[bool]:
    """Hold a lock that ends with the process; False where the system or the file system knows none."""
    try:
        import fcntl
    except ImportError:
        yield False
        return
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            locked = True
        except OSError:
            locked = False
        yield locked


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
