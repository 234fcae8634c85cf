"""How far a metric would move with another test set of the same kind: percentile bootstrap intervals.

A draw takes as many units as there are, with replacement (Efron & Tibshirani 1993, ch. 13). A unit is a clip or, where
the corpus knows them, a group (artist, player, song): clips of one artist are alike, so that drawing clips would
promise more than they tell. A draw is a weight for each clip, how often it was taken, and every metric takes weights:
nothing is sorted or copied again for a draw.

What an interval does not say: it varies the test clips alone, not the training run, its seed or its split. Two runs
whose intervals overlap may still differ clearly on the same clips.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from semisupcon.downstream.metrics import Measure, measure, validate
from semisupcon.downstream.weighted import Floats, Indices
from semisupcon.table import Task

# With fewer groups than about this, intervals over groups come out too narrow (Cameron, Gelbach & Miller 2008,
# "Bootstrap-based improvements for inference with clustered errors", find it for 5 to 30).
FEW = 20

# Weights held at once, in numbers of 8 bytes: about what stays in a core's cache.
BLOCK = 1 << 19


class Interval(NamedTuple):
    """A metric and the bounds that ``level`` of its draws lie between; NaN bounds = no interval."""

    value: float
    low: float
    high: float


def units(groups: Sequence[str] | npt.NDArray[np.generic] | None, clips: int) -> Indices:
    """(N,) which unit, 0 to U − 1, a clip is drawn with: its group's, or its own where the group is empty text.

    Raises:
        ValueError: the number of groups is not the number of clips.
    """
    if groups is None:
        return np.arange(clips)
    if len(groups) != clips:
        raise ValueError(f"{len(groups)} groups for {clips} clips: each clip needs one, empty text where unknown")
    names = [(str(group), -1) if str(group) else ("", row) for row, group in enumerate(groups)]
    number = {name: index for index, name in enumerate(sorted(set(names)))}
    return np.array([number[name] for name in names], dtype=np.int64)


def draw(unit: Indices, draws: int = 1000, seed: int = 0) -> Iterator[Floats]:
    """Blocks (N, R) of clip weights, R adding up to ``draws``: how often each clip is in each draw.

    All clips of a unit have the same weight, and the units of a draw add up to U. The draws are a function of
    ``seed``, of the number of units and of nothing else.

    Args:
        unit: (N,) unit of each clip, from :func:`units`.
        draws: how many.
        seed: of the generator.
    """
    generator = np.random.default_rng(seed)
    count = int(unit.max()) + 1
    for start in range(0, draws, step := max(1, BLOCK // len(unit))):
        block = min(step, draws - start)
        taken = generator.integers(count, size=(block, count)) * block + np.arange(block)[:, None]
        yield np.bincount(taken.ravel(), minlength=count * block).reshape(count, block).astype(np.float64)[unit]


def bootstrap(
    task: Task,
    scores: npt.ArrayLike,
    labels: npt.ArrayLike,
    groups: Sequence[str] | npt.NDArray[np.generic] | None = None,
    draws: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> dict[str, Interval]:
    """Every metric of the task (counts left out) with its percentile bootstrap interval, the same for the same seed.

    In a draw, a class without positives (or clips) is left out of that draw's mean, as in the metric itself; a draw
    in which the metric is undefined altogether is left out. Bounds are NaN where there is nothing to judge spread by:
    a metric that is NaN, a single unit, or more than half of the draws undefined. They equal the value where no draw
    changes it (a perfect score).

    Be careful with
    - few groups: under about 20 the interval is too narrow, and with two to five of them next to meaningless, however
      many clips they hold. More clips of the same artists do not help;
    - rare classes: a draw repeats clips, which favours average precision and drops rare classes from means, so the
      draws may lie to one side of the value; with very few clips a class, even all of them.

    Args:
        task: decides the metrics.
        scores: (N, K), as for :func:`semisupcon.downstream.metrics.evaluate`.
        labels: (N, K), NaN = unknown; clips without a known label are not drawn.
        groups: (N,) text; clips of a group are drawn together, empty text is a group of its own. None: draw clips.
        draws: number of draws; 1000 settle the bounds to about a twentieth of the interval's width.
        level: share of the draws between the bounds.
        seed: of the draws.

    Raises:
        ValueError: see :func:`semisupcon.downstream.metrics.validate`; groups of another length; draws < 1; a level
            outside (0, 1).
    """
    if draws < 1 or not 0 < level < 1:
        raise ValueError(f"draws={draws} and level={level}: at least one draw is needed, and a level between 0 and 1")
    scores, labels, kept = validate(task, scores, labels)
    unit = np.unique(units(groups, len(kept))[kept], return_inverse=True)[1]
    return drawn(measure(task, scores, labels), unit, draws, level, seed)


def drawn(metrics: Measure, unit: Indices, draws: int, level: float, seed: int) -> dict[str, Interval]:
    """Every metric with its interval, see :func:`bootstrap`.

    Args:
        metrics: (N, R) weights -> (R,) of each metric.
        unit: (N,) what each row is drawn with, from 0 without a gap.
        draws: how many.
        level: share of the draws between the bounds.
        seed: of the draws.
    """
    return {name: found.interval(level) for name, found in sampled(metrics, unit, draws, seed).items()}


class Sampled(NamedTuple):
    """A metric and what it would be on other test sets.

    Args:
        value: on the test set as it is.
        draws: (R,) one for each bootstrap draw, NaN where it is undefined; empty where there is a single unit. Draws
            of two systems on the same clips belong together, so that their difference is that of a paired bootstrap.
    """

    value: float
    draws: Floats

    def interval(self, level: float = 0.95) -> Interval:
        """The value with its percentile interval; NaN bounds where there is nothing to judge spread by."""
        known = self.draws[~np.isnan(self.draws)]
        low, high = np.nan, np.nan
        if not np.isnan(self.value) and len(known) and 2 * len(known) >= len(self.draws):
            low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
        return Interval(self.value, float(low), float(high))


def sampled(metrics: Measure, unit: Indices, draws: int = 1000, seed: int = 0) -> dict[str, Sampled]:
    """Every metric with its draws, see :func:`bootstrap`.

    Args:
        metrics: (N, R) weights -> (R,) of each metric.
        unit: (N,) what each row is drawn with, from 0 without a gap.
        draws: how many.
        seed: of the draws.
    """
    values = metrics(np.ones((len(unit), 1)))
    blocks = [metrics(weights) for weights in draw(unit, draws, seed)] if unit.max() > 0 else []
    nothing = np.zeros(0)
    return {
        name: Sampled(float(value[0]), np.concatenate([nothing, *(block[name] for block in blocks)]))
        for name, value in values.items()
    }
