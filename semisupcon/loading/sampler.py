"""Which clips a batch holds: a pure function of (seed, step), so that any rank, worker or resumed run agrees."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from torch.utils.data import Sampler

Indices = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Draws:
    """The clips of one batch on one rank, b of them.

    Args:
        step: which batch of the whole training this is, counted from 0 over all epochs.
        file: (b,) int64 rows of the file table.
        draw: (b,) int64, how often the file had been drawn before.
        labelled: (b,) bool, from which pool.
    """

    step: int
    file: Indices
    draw: Indices
    labelled: npt.NDArray[np.bool_]


class MixedBatchSampler(Sampler[Draws]):
    """Endless, reproducible batches with a share of labelled clips, in epochs.

    Each pool is an endless stream of permutations: every file once before any file again. Of the first k batches
    of all ranks together exactly floor(k · B · ranks · share + ½) clips are labelled, so that the share is kept
    on average even where it is no whole number a batch. An epoch is as many batches as the pool that needs most
    takes to be seen once; the other pool goes on from where it was.

    Args:
        labelled: (n,) file rows of the labelled pool.
        unlabelled: (m,) file rows of the unlabelled pool.
        batch_size: B, clips a batch on each rank.
        share: b_s in [0, 1], the share of labelled clips in a batch.
        seed: decides the order, apart from any global generator.
        rank: this process.
        world_size: number of processes; together they draw what one process with batches of B · world_size draws.
    """

    def __init__(
        self,
        labelled: Indices,
        unlabelled: Indices,
        batch_size: int,
        share: float,
        seed: int = 0,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        if not 0 <= share <= 1:
            raise ValueError(f"share must be in [0, 1], not {share}")
        if (share > 0 and not len(labelled)) or (share < 1 and not len(unlabelled)):
            raise ValueError(f"share {share} of {len(labelled)} labelled and {len(unlabelled)} unlabelled files")
        self.pools = (np.asarray(labelled, np.int64), np.asarray(unlabelled, np.int64))
        self.batch_size = batch_size
        self.share = Fraction(str(share))  # exact, so that no float error builds up over millions of batches
        self.seed = seed
        self.rank, self.world_size = rank, world_size
        self.position = 0
        """The next step to be drawn. Whoever consumes the batches sets it; running through an epoch does too."""
        # A file in both pools has even draws as a labelled clip and odd ones as an unlabelled: never one crop twice.
        self._stride = 2 if len(np.intersect1d(*self.pools)) else 1

    def __len__(self) -> int:
        """Batches in an epoch."""
        clips = self.batch_size * self.world_size
        needed = [
            math.ceil(len(pool) / (clips * share))
            for pool, share in zip(self.pools, (self.share, 1 - self.share), strict=True)
            if share
        ]
        return max(1, *needed)

    def __iter__(self) -> Iterator[Draws]:
        """The batches from ``position`` to the end of its epoch."""
        start = self.position
        end = (start // len(self) + 1) * len(self)
        for step in range(start, end):
            yield self.draws(step)
        self.position = end

    def draws(self, step: int) -> Draws:
        """The clips of batch ``step`` on this rank."""
        clips = self.batch_size * self.world_size
        before, after = self._labelled_until(step), self._labelled_until(step + 1)
        streams = [
            self._stream(0, before, after),
            self._stream(1, step * clips - before, (step + 1) * clips - after),
        ]
        file, draw = (np.concatenate(column)[self.rank :: self.world_size] for column in zip(*streams, strict=True))
        labelled = (np.arange(clips) < after - before)[self.rank :: self.world_size]
        return Draws(step, file, draw, labelled)

    def _labelled_until(self, step: int) -> int:
        """How many labelled clips the first ``step`` batches of all ranks hold."""
        return math.floor(step * self.batch_size * self.world_size * self.share + Fraction(1, 2))

    def _stream(self, pool: int, start: int, stop: int) -> tuple[Indices, Indices]:
        """Elements ``start`` to ``stop`` of a pool's endless stream: files and draw counts."""
        if start == stop:
            return np.zeros(0, np.int64), np.zeros(0, np.int64)
        passes, places = np.divmod(np.arange(start, stop), len(self.pools[pool]))
        file = np.empty(stop - start, np.int64)
        for number in np.unique(passes):
            here = passes == number
            file[here] = self.pools[pool][self._order(pool, int(number))[places[here]]]
        return file, passes * self._stride + (pool if self._stride == 2 else 0)

    def _order(self, pool: int, number: int) -> Indices:
        return _permutation(self.seed, pool, number, len(self.pools[pool]))


@lru_cache(maxsize=8)
def _permutation(seed: int, pool: int, number: int, size: int) -> Indices:
    return np.random.default_rng([seed, pool, number]).permutation(size)


class SequentialBatchSampler(Sampler[Draws]):
    """Every clip once, in a fixed shuffled order, the last batch as small as it comes; for validation.

    Every rank yields the same number of batches, the last one empty where a rank has run out of clips: a rank that
    stopped earlier would leave the others waiting for it in their exchange.

    Args:
        files: (n,) file rows.
        labelled: (n,) bool, whether each is used with its labels.
        batch_size: B.
        rank: this process.
        world_size: number of processes; each takes every world_size-th clip.
    """

    def __init__(
        self,
        files: Indices,
        labelled: npt.NDArray[np.bool_],
        batch_size: int,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        order = np.random.default_rng(0).permutation(len(files))[rank::world_size]
        self.files, self.labelled = np.asarray(files, np.int64)[order], np.asarray(labelled)[order]
        self.batch_size = batch_size
        self.batches = math.ceil(math.ceil(len(files) / world_size) / batch_size)

    def __len__(self) -> int:
        return self.batches

    def __iter__(self) -> Iterator[Draws]:
        for step in range(len(self)):
            part = slice(step * self.batch_size, (step + 1) * self.batch_size)
            files = self.files[part]
            yield Draws(step, files, np.zeros(len(files), np.int64), self.labelled[part])
