"""What is embedded so far: a folder beside the output that survives being killed, and from which the output is made."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, NamedTuple

import numpy as np

from semisupcon.errors import BadAudio, UserError
from semisupcon.inference.embedder import TrackEmbedding
from semisupcon.inference.plan import Plan

TRACKS, SEGMENTS = "tracks.float32", "segments.float32"

REPLACES = "replaces"
"""A file that is there where an output that is there already may be replaced."""

_ABOUT, _ABOUT_PART, _ROWS, _LOCK = "about.json", "about.json.part", "rows.jsonl", "lock"
_FLUSH_SECONDS = 2.0  # as much work as a crash may cost


class Row(NamedTuple):
    """What came of one file.

    Args:
        path: what it is called.
        samples: its length; 0 where it is bad.
        segments: how many it has.
        bad: why it gives no audio.
    """

    path: str
    samples: int
    segments: int
    bad: str = ""


class Journal:
    """Rows in the order of the files, and their embeddings as plain float32, to append to; one process at a time.

    Embeddings reach the disk before the rows speak of them; what a crash left at the ends of the files is cut off.

    Args:
        folder: made where it is missing.
        plan: what is done; what is there must have been made by the same.
        fresh: forget what is there.
        names: what the files are called, in order; rows that say otherwise are cut off. None = not known.
        again: tells of a bad file, by its number and its row, whether it gives audio by now; it is done again then,
            with all behind it.

    Attributes:
        files: how many rows there are, those of bad files among them.
        bad: how many of them are bad.
        samples: of all tracks.
        segments: of all tracks.
        replaces: whether an output that is there may be replaced, now or when this work began.

    Raises:
        UserError: another process is at it, or what is there was made with other options.
    """

    def __init__(
        self,
        folder: Path,
        plan: Plan,
        fresh: bool = False,
        names: Sequence[str] | None = None,
        again: Callable[[int, Row], bool] = lambda number, row: False,
    ) -> None:
        self.folder, self.plan = folder, plan
        self._names, self._again = names, again
        self._bytes = dict.fromkeys((TRACKS, SEGMENTS) if plan.segments else (TRACKS,), 4 * plan.dim)
        self.files = self.bad = self.samples = self.segments = 0
        self._open: dict[str, IO[bytes]] = {}
        self._held: IO[bytes] | None = None
        self._pending: list[bytes] = []
        self._flushed_at = time.monotonic()
        folder.mkdir(parents=True, exist_ok=True)
        try:
            self._lock()
            self._begin(fresh)
        except BaseException:
            self._close()
            raise

    @property
    def tracks(self) -> int:
        """How many files gave audio."""
        return self.files - self.bad

    def append(self, path: str, result: TrackEmbedding | BadAudio) -> None:
        """Add what came of the next file."""
        if isinstance(result, BadAudio):
            row = Row(path, 0, 0, result.reason)
        else:
            row = Row(path, round(result.seconds * self.plan.sample_rate), len(result.segments))
            self._open[TRACKS].write(result.mean.data)
            if SEGMENTS in self._open:
                self._open[SEGMENTS].write(np.ascontiguousarray(result.segments).data)
        self._count(row)
        self._pending.append(json.dumps(row, ensure_ascii=True).encode() + b"\n")
        if time.monotonic() - self._flushed_at > _FLUSH_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Bring everything to the disk."""
        for name in self._bytes:
            self._open[name].flush()
            os.fsync(self._open[name].fileno())
        pending, self._pending = self._pending, []  # before: Ctrl-C may come behind any line, and no row comes twice
        self._open[_ROWS].write(b"".join(pending))
        self._open[_ROWS].flush()
        self._flushed_at = time.monotonic()

    def rows(self) -> Iterator[Row]:
        """All rows that are on the disk."""
        with (self.folder / _ROWS).open("rb") as file:
            for line in file:
                yield Row(*json.loads(line))

    def remove(self) -> None:
        """Forget everything; the output is where it belongs."""
        shutil.rmtree(self.folder)

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self._pending:
                self.flush()
        finally:
            self._close()

    def _begin(self, fresh: bool) -> None:
        about = self.folder / _ABOUT
        others = [path for path in self.folder.iterdir() if path.name not in (_LOCK, _ABOUT, _ABOUT_PART)]
        there = about.exists()
        if others and not there:
            raise UserError(f"{self.folder}: is no unfinished work of this command ({others[0].name} is in it).")
        wrong = self.plan.differences(_read(about)) if there and not fresh else []
        if wrong:
            raise UserError(
                f"{self.folder}: unfinished work of other options or files lies there:\n"
                + "\n".join(f"  {line}" for line in wrong)
                + "\nGo on with it by the options and the files of then, or forget it and begin anew: --overwrite=true."
            )
        if fresh or not there:
            for path in others:
                path.unlink()
            part = self.folder / _ABOUT_PART
            part.write_text(self.plan.text(), encoding="utf-8")
            part.replace(about)
            if fresh:
                (self.folder / REPLACES).touch()
        self.replaces = (self.folder / REPLACES).exists()
        for path in self.folder.glob("*.int16"):  # long tracks that were on their way to the encoder
            path.unlink()
        for name in (*self._bytes, _ROWS):
            (self.folder / name).touch()
            self._open[name] = (self.folder / name).open("r+b")
        self._cut()

    def _cut(self) -> None:
        """Count the rows that are whole, and cut off what is behind them."""
        sizes = {name: self._open[name].seek(0, os.SEEK_END) for name in self._bytes}
        end = 0
        self._open[_ROWS].seek(0)
        for line in self._open[_ROWS]:
            try:
                row = Row(*json.loads(line))
            except (ValueError, TypeError):
                break
            tracks, segments = self.tracks + (not row.bad), self.segments + row.segments
            held = {TRACKS: tracks, SEGMENTS: segments}
            if not line.endswith(b"\n") or any(held[name] * each > sizes[name] for name, each in self._bytes.items()):
                break
            if self._names is not None and self._names[self.files : self.files + 1] != [row.path]:
                break
            if row.bad and self._again(self.files, row):
                break
            self._count(row)
            end += len(line)
        ends = {TRACKS: self.tracks, SEGMENTS: self.segments}
        for name, file in self._open.items():
            file.truncate(end if name == _ROWS else ends[name] * self._bytes[name])
            file.seek(0, os.SEEK_END)

    def _count(self, row: Row) -> None:
        self.files += 1
        self.bad += bool(row.bad)
        self.samples += row.samples
        self.segments += row.segments

    def _lock(self) -> None:
        self._held = (self.folder / _LOCK).open("wb")
        try:
            fcntl.flock(self._held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(
                f"{self.folder}: another process is writing this output right now. Wait for it, or stop it first."
            ) from None

    def _close(self) -> None:
        for file in (*self._open.values(), self._held):
            with contextlib.suppress(OSError):  # it says again what it said before
                if file is not None:
                    file.close()
        self._open.clear()


def _read(about: Path) -> dict[str, Any]:
    """What it says; nothing where it cannot be read."""
    with contextlib.suppress(ValueError):
        found = json.loads(about.read_text(encoding="utf-8"))
        return found if isinstance(found, dict) else {}
    return {}
