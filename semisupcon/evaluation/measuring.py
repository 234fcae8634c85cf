"""Scores of test clips as metrics with their bootstrap draws."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from semisupcon.downstream.intervals import Sampled, sampled, units
from semisupcon.downstream.metrics import Measure, measure, validate
from semisupcon.table import Task

Groups = Sequence[str] | npt.NDArray[Any]


def measured(
    task: Task, scores: npt.ArrayLike, labels: npt.ArrayLike, groups: Groups, draws: int
) -> dict[str, Sampled]:
    """Every metric of the task with its draws over groups, the same draws for the same groups.

    Args:
        task: decides the metrics.
        scores: (N, K).
        labels: (N, K), NaN = unknown.
        groups: (N,) text; empty text is a group of its own.
        draws: how many.

    Raises:
        ValueError: see :func:`semisupcon.downstream.metrics.validate`.
    """
    found, wanted, kept = validate(task, scores, labels)
    return over(measure(task, found, wanted), units(groups, len(kept))[kept], draws)


def over(metrics: Measure, unit: npt.NDArray[np.int64], draws: int) -> dict[str, Sampled]:
    """Metrics with their draws over units, of which numbers may be missing."""
    return sampled(metrics, np.unique(unit, return_inverse=True)[1], draws)
