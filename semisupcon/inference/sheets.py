"""The two tables that come of a run, to be read row by row: memory does not grow with them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from semisupcon.inference.cut import segment_starts
from semisupcon.inference.journal import SEGMENTS, TRACKS, Journal, Row
from semisupcon.plain import csv_text

ROWS = 1024
"""Rows that are in memory at once, and in a row group of Parquet."""

Columns = dict[str, str]


@dataclass(frozen=True)
class Sheet:
    """A table of N rows: some plain columns, and an embedding.

    Args:
        columns: NumPy's type of each plain column by its name; ``U`` for text.
        entries: gives their values, row after row, each time it is called.
        vectors: the file of the embeddings, (N, D) float32.
        rows: N.
        dim: D.
        about: what they are of, as JSON.
    """

    columns: Columns
    entries: Callable[[], Iterator[tuple[Any, ...]]]
    vectors: Path
    rows: int
    dim: int
    about: str

    def chunks(self) -> Iterator[tuple[list[tuple[Any, ...]], npt.NDArray[np.float32]]]:
        """The plain columns of ``ROWS`` rows, a tuple each, and the embeddings, (n, D)."""
        entries = self.entries()
        with self.vectors.open("rb") as file:
            while chunk := list(islice(entries, ROWS)):
                flat = np.fromfile(file, np.float32, len(chunk) * self.dim)
                yield chunk, flat.reshape(len(chunk), self.dim)


def tracks(journal: Journal) -> Sheet:
    """One row a track: path, seconds, segments (how many), embedding (the mean of its segments)."""
    plan = journal.plan

    def entries() -> Iterator[tuple[Any, ...]]:
        return ((row.path, row.samples / plan.sample_rate, row.segments) for row in _good(journal))

    columns = {"path": "U", "seconds": "f8", "segments": "i8"}
    return Sheet(columns, entries, journal.folder / TRACKS, journal.tracks, plan.dim, plan.about())


def segments(journal: Journal) -> Sheet:
    """One row a segment: path, start (s), embedding."""
    plan = journal.plan

    def entries() -> Iterator[tuple[Any, ...]]:
        for row in _good(journal):
            starts = segment_starts(row.samples, plan.length_samples, plan.hop_samples)
            yield from ((row.path, start / plan.sample_rate) for start in starts.tolist())

    columns = {"path": "U", "start": "f8"}
    return Sheet(columns, entries, journal.folder / SEGMENTS, journal.segments, plan.dim, plan.about())


def write_bad(journal: Journal, path: Path) -> None:
    """The files that gave no audio, with the reason, as CSV."""
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(csv_text([("path", "reason")]))
        for row in journal.rows():
            if row.bad:
                file.write(csv_text([(row.path, row.bad)]))


def _good(journal: Journal) -> Iterator[Row]:
    return (row for row in journal.rows() if not row.bad)
