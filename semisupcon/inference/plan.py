"""What a run of embedding does, as far as its output depends on it: kept beside unfinished work, and in the output."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from semisupcon import __version__
from semisupcon.inference.embedder import Embedder
from semisupcon.inference.inputs import Found

_FREE = "checkpoint"  # the same content under another name is the same checkpoint
_SHOWN = 12  # digits of a hash
_HASHES = {
    "checkpoint_sha256": "content of the checkpoint",
    "names_sha256": "names of the files",
    "files_sha256": "the files (where they lie, their sizes, when they were changed)",
}


@dataclass(frozen=True)
class Plan:
    """What is embedded, and how.

    Args:
        version: of this package.
        checkpoint: as it was given.
        checkpoint_sha256: of its bytes.
        encoder: its class.
        dim: D.
        sample_rate: Hz.
        length: seconds of a segment.
        hop: seconds from one to the next.
        batch_size: segments in a batch; together with the device it decides the last bits.
        device: its kind.
        segments: whether those are written too.
        files: how many.
        names_sha256: of what they are called.
        files_sha256: of where they lie, how large they are, and when they were changed. Not in the output, whose
            bytes do not depend on it.
    """

    version: str
    checkpoint: str
    checkpoint_sha256: str
    encoder: str
    dim: int
    sample_rate: int
    length: float
    hop: float
    batch_size: int
    device: str
    segments: bool
    files: int
    names_sha256: str
    files_sha256: str

    @classmethod
    def of(cls, embedder: Embedder, checkpoint: str, segments: bool, found: Sequence[Found]) -> Plan:
        """The plan for some files."""
        names, files = hashlib.sha256(), hashlib.sha256()
        for each in found:
            names.update(f"{each.name}\0".encode())
            files.update(_state(each.path))
        with Path(checkpoint).expanduser().open("rb") as file:
            content = hashlib.file_digest(file, "sha256")
        rate = embedder.sample_rate
        return cls(
            version=__version__,
            checkpoint=checkpoint,
            checkpoint_sha256=content.hexdigest(),
            encoder=embedder.encoder.spec["class_path"],
            dim=embedder.dim,
            sample_rate=rate,
            length=embedder.length / rate,
            hop=embedder.hop / rate,
            batch_size=embedder.batch_size,
            device=embedder.device.type,
            segments=segments,
            files=len(found),
            names_sha256=names.hexdigest(),
            files_sha256=files.hexdigest(),
        )

    @property
    def hop_samples(self) -> int:
        """The hop in samples."""
        return round(self.hop * self.sample_rate)

    @property
    def length_samples(self) -> int:
        """T, the length of a segment in samples."""
        return round(self.length * self.sample_rate)

    def text(self) -> str:
        """As indented JSON."""
        return json.dumps(asdict(self), indent=2) + "\n"

    def about(self) -> str:
        """What stands in the output, as ``text``."""
        return (
            json.dumps({name: value for name, value in asdict(self).items() if name != "files_sha256"}, indent=2) + "\n"
        )

    def differences(self, there: Mapping[str, Any]) -> list[str]:
        """In what another plan differs, as its JSON says it: a line each, such as ``hop: 2.7 then, 1.35 now``."""
        now = asdict(self)
        names = [name for name in {**there, **now} if name != _FREE and there.get(name) != now.get(name)]
        return [_line(name, there.get(name), now.get(name)) for name in names]


def _state(path: str) -> bytes:
    """Bytes that change when another file takes the place of this one."""
    full = os.fsencode(os.path.abspath(path))  # noqa: PTH100 (no Path object for each of 100,000 files)
    try:
        status = os.stat(path)  # noqa: PTH116
    except (OSError, ValueError):  # missing, or a name with a null byte
        return full + b"\0\0"
    return full + f"\0{status.st_size} {status.st_mtime_ns}\0".encode()


def _line(name: str, there: object, now: object) -> str:
    if name in _HASHES:
        there, now = str(there)[:_SHOWN], str(now)[:_SHOWN]
    return f"{_HASHES.get(name, name)}: {there} then, {now} now"
