"""Which labels a share p_s of them means: seeded by name, nested, stratified."""

from __future__ import annotations

import hashlib
import math

import numpy as np
import numpy.typing as npt

from semisupcon.table import Table, Task


def label_order(table: Table, task: Task, seed: int = 0) -> npt.NDArray[np.int64]:
    """An order of the labelled rows of which every beginning is stratified, so that subsets of any size nest.

    Each row belongs to one stratum: its class; its rarest tag (a row without any tag to a stratum of its own); for
    regression the sign pattern of its targets about their medians. Within a stratum of n rows the i-th of a random
    order is due at (i + u)/n, with one random u for each stratum; sorting by that spreads every stratum evenly.

    Args:
        table: rows of one split.
        task: what the labels are.
        seed: apart from the global seed; with the task's name it decides the order.

    Returns:
        row numbers of the labelled rows.
    """
    named = int.from_bytes(hashlib.sha256(task.name.encode()).digest()[:8], "little")
    rng = np.random.default_rng([seed, named])
    labelled = np.flatnonzero(table.labelled)
    strata = _strata(table.labels[labelled], task)
    due = np.empty(len(labelled))
    for stratum in np.unique(strata):
        members = np.flatnonzero(strata == stratum)
        due[rng.permutation(members)] = (np.arange(len(members)) + rng.random()) / len(members)
    return labelled[np.argsort(due, kind="stable")]


def labelled_share(table: Table, task: Task, share: float, seed: int = 0) -> npt.NDArray[np.int64]:
    """The row numbers, ascending, of the share p_s of the labelled rows; at least one where p_s > 0.

    Args:
        table: rows of one split.
        task: what the labels are.
        share: p_s in [0, 1].
        seed: see ``label_order``.
    """
    order = label_order(table, task, seed)
    count = math.ceil(share * len(order) - 1e-9) if share else 0
    return np.sort(order[:count])


def _strata(labels: npt.NDArray[np.float32], task: Task) -> npt.NDArray[np.int64]:
    if task.kind == "regression":
        above = labels > np.nanmedian(labels, axis=0)
        return (above * (1 << np.arange(labels.shape[1]))).sum(axis=1)
    present = labels > 0
    commonness = np.where(present, present.sum(axis=0), np.inf)
    return np.where(present.any(axis=1), commonness.argmin(axis=1), labels.shape[1]).astype(np.int64)
