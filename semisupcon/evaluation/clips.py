"""The clips of one split, embedded: what every evaluation here begins with."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

Floats32 = npt.NDArray[np.float32]
Indices = npt.NDArray[np.int64]


@dataclass(frozen=True)
class EmbeddedClips:
    """M clips of one split with the embeddings of all their segments.

    Args:
        segment: (S, D) float32, clip after clip.
        clip: (S,) int64, 0 to M − 1 ascending, which clip a segment is of; every clip has at least one.
        labels: (M, K) float32, NaN = unknown.
        names: (M,) the clips' paths inside their corpus.
        groups: (M,) what intervals are drawn over (artist, player), empty text = unknown.
    """

    segment: Floats32
    clip: Indices
    labels: Floats32
    names: npt.NDArray[Any]
    groups: npt.NDArray[Any]

    def __post_init__(self) -> None:
        clips = len(self.labels)
        if not len(self.names) == len(self.groups) == clips or len(self.segment) != len(self.clip):
            raise ValueError(
                f"columns of unequal length: labels {clips}, names {len(self.names)}, groups {len(self.groups)}, "
                f"segments {len(self.segment)} of clips {len(self.clip)}"
            )
        steps = np.diff(np.r_[-1, self.clip, clips])
        if ((steps[:-1] < 0) | (steps[:-1] > 1)).any() or (len(self.clip) and steps[0] != 1) or steps[-1] != 1:
            raise ValueError("clips are numbered from 0 without a gap, in ascending order, and each has a segment")

    def __len__(self) -> int:
        return len(self.labels)

    @cached_property
    def first(self) -> Indices:
        """(M,) the first segment of each clip."""
        return np.searchsorted(self.clip, np.arange(len(self)))

    @cached_property
    def counts(self) -> Indices:
        """(M,) how many segments each clip has."""
        return np.diff(np.r_[self.first, len(self.clip)])

    def average(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """(S, ...) of the segments -> (M, ...), the mean of each clip."""
        if not len(self):
            return values[:0]
        sums = np.add.reduceat(values, self.first, axis=0)
        return np.asarray(sums / self.counts.reshape(-1, *[1] * (values.ndim - 1)).astype(values.dtype))

    def means(self) -> Floats32:
        """(M, D) the mean embedding of each clip."""
        return np.asarray(self.average(self.segment), np.float32)

    def take(self, which: Indices) -> EmbeddedClips:
        """Some of the clips, by their numbers, in that order."""
        counts = self.counts[which]
        inside = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        rows = np.repeat(self.first[which], counts) + inside
        clip = np.repeat(np.arange(len(which)), counts)
        return EmbeddedClips(self.segment[rows], clip, self.labels[which], self.names[which], self.groups[which])

    def without_overlap(self) -> EmbeddedClips:
        """Without the last segment of clips of several: it ends where the clip ends, and overlaps the one before."""
        last = np.r_[self.clip[1:] != self.clip[:-1], True][: len(self.clip)]
        kept = ~last | (self.counts[self.clip] == 1)
        return EmbeddedClips(self.segment[kept], self.clip[kept], self.labels, self.names, self.groups)

    @cached_property
    def fingerprint(self) -> str:
        """Of which clips these are, in which order and groups: numbers of equal ones may be compared draw by draw."""
        return fingerprint(self.names, self.groups)

    def with_labels(self, labels: Floats32) -> EmbeddedClips:
        """The same clips with other labels."""
        return EmbeddedClips(self.segment, self.clip, labels, self.names, self.groups)

    def with_segments(self, segment: Floats32) -> EmbeddedClips:
        """The same clips with other embeddings, such as projections, of their segments: (S, anything)."""
        return EmbeddedClips(segment, self.clip, self.labels, self.names, self.groups)


def fingerprint(names: Sequence[Any] | npt.NDArray[Any], groups: Sequence[Any] | npt.NDArray[Any]) -> str:
    """Of the names and groups of some clips, in their order."""
    text = "\n".join(f"{name}\t{group}" for name, group in zip(names, groups, strict=True))
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()[:16]
