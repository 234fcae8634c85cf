"""Segments of many tracks in full batches, and what comes of a batch back to its tracks."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from semisupcon.audio import Int16
from semisupcon.errors import BadAudio
from semisupcon.inference.cut import segment_starts, windows

Floats32 = npt.NDArray[np.float32]


class Pending:
    """A track on its way.

    Args:
        samples: its length.
        starts: (S,) samples, of its segments.
    """

    def __init__(self, samples: int, starts: npt.NDArray[np.int64]) -> None:
        self.samples, self.starts = samples, starts
        self._parts: list[Floats32] = []
        self._left = len(starts)

    @property
    def done(self) -> bool:
        """Whether all of its segments are embedded."""
        return not self._left

    def add(self, part: Floats32) -> None:
        """Take the embeddings of its next segments."""
        self._parts.append(part)
        self._left -= len(part)

    def segments(self) -> Floats32:
        """(S, D), of a track that is done."""
        return np.concatenate(self._parts)


class Batch(NamedTuple):
    """Segments for the encoder.

    Args:
        audio: (n, T) int16, overwritten by the next batch.
        skip: rows at the beginning that belong to nobody.
        owners: whose the rows behind them are, and how many of each.
    """

    audio: Int16
    skip: int
    owners: list[tuple[Pending, int]]

    def settle(self, embedded: Floats32) -> None:
        """Give the tracks their rows of (n, D)."""
        at = self.skip
        for track, count in self.owners:
            track.add(embedded[at : at + count])
            at += count


def batches(
    tracks: Iterable[Int16 | BadAudio],
    waiting: deque[Pending | BadAudio],
    size: int,
    length: int,
    hop: int,
    before: int = 0,
) -> Iterator[Batch]:
    """All segments of tracks in batches, all of them full but the last one.

    Args:
        tracks: (n,) samples of each, or why there are none.
        waiting: every track is added to it before its first batch comes.
        size: segments in a batch.
        length: T.
        hop: samples from one segment to the next.
        before: segments that went before. The first batch is filled up with silence for those in it.
    """
    audio = np.zeros((size, length), np.int16)
    at = skip = before % size
    owners: list[tuple[Pending, int]] = []
    for samples in tracks:
        if isinstance(samples, BadAudio):
            waiting.append(samples)
            continue
        track = Pending(len(samples), segment_starts(len(samples), length, hop))
        waiting.append(track)
        cut, left = windows(samples, length), track.starts
        while len(left):
            now, left = left[: size - at], left[size - at :]
            audio[at : at + len(now)] = cut[now]
            owners.append((track, len(now)))
            at += len(now)
            if at == size:
                yield Batch(audio, skip, owners)
                at, skip, owners = 0, 0, []
    if owners:
        yield Batch(audio[:at], skip, owners)
