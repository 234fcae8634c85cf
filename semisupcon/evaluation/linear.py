"""The linear probe, solved to its optimum rather than trained: no seed, no learning rate, no epochs.

Every clip counts alike, however long: a segment's weight is 1 / (clips · segments of its clip). Minimised is the
weighted mean loss + decay/2 ‖W‖², the bias being free:

- multiclass, key: softmax cross-entropy;
- tags: an independent logistic regression for each, over the clips whose label for it is known;
- regression: the squared error in units of the target's deviation, each target over its known values: ridge regression.

That is scikit-learn's ``LogisticRegression(C=1 / (n · decay))`` and ``Ridge(alpha=n · decay / 2)`` of n segments with
``sample_weight`` n times as above.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from semisupcon.errors import UserError
from semisupcon.evaluation.clips import EmbeddedClips
from semisupcon.evaluation.logistic import logistic
from semisupcon.evaluation.readout import Readout, Values, labelled, statistics
from semisupcon.evaluation.rows import Rows
from semisupcon.table import Task
from semisupcon.threads import one_thread

SMALL = 10**9
"""Multiplications of a pass over the training segments up to which one thread is as fast as several, or much faster."""


def fit_linear(
    task: Task, train: EmbeddedClips, decays: Sequence[float], device: torch.device | str = "cpu"
) -> list[Readout]:
    """A linear readout for each decay, in the order given.

    Args:
        task: decides the loss.
        train: training clips; those without any known label are left out.
        decays: weights of ½ ‖W‖², greater than 0.
        device: where it is solved, in float64; ``mps`` has none and is replaced by the CPU.

    Raises:
        UserError: a decay is not greater than 0; no training clip has a label; embeddings are not finite.
    """
    if wrong := [decay for decay in decays if not 0 < decay < np.inf]:
        raise UserError(
            f"{task.name}: a weight decay of {wrong[0]:g} was asked for; a linear probe needs one greater than 0, "
            f"or it has no optimum on clips that it can tell apart without error."
        )
    train = labelled(task, train)
    with one_thread(train.segment.size * len(task.classes) < SMALL):
        device = torch.device("cpu" if torch.device(device).type == "mps" else device)
        mean, scale, target_mean, target_scale = (each.astype(np.float64) for each in statistics(task, train))
        rows = Rows(train, mean, scale, device)
        known = ~np.isnan(train.labels)
        if known.all() or task.exclusive:
            known = known[:, :1]  # the same for all classes
        weight = (known / (np.maximum(known.sum(axis=0), 1) * train.counts[:, None])).T  # (K or 1, M)
        labels = ((train.labels.astype(np.float64) - target_mean) / target_scale).T
        y, w = (torch.from_numpy(np.ascontiguousarray(each)).to(device) for each in (labels, weight))
        ridge = task.kind == "regression"
        found = _ridge(rows, y, w, decays) if ridge else logistic(rows, y, w, task.exclusive, decays)
    return [
        Readout(task.kind, mean, scale, (layer,), target_mean, target_scale, decay)
        for layer, decay in zip(found, decays, strict=True)
    ]


def _ridge(rows: Rows, labels: Tensor, weight: Tensor, decays: Sequence[float]) -> list[tuple[Values, Values]]:
    """(D, K) weights and (K,) biases for each decay: (Σ w x̃ x̃ᵀ + decay/2) W = Σ w x̃ ỹ, with x̃, ỹ about their means.

    Args:
        rows: the training segments.
        labels: (K, M) standardised targets, NaN = unknown.
        weight: (K, M) or (1, M), how much each segment of a clip counts; they add up to 1, or to 0 without labels.
        decays: greater than 0.
    """
    weight = weight.expand_as(labels)
    result = [torch.zeros(len(labels), rows.width, dtype=torch.float64, device=labels.device) for _ in decays]
    masks, which = torch.unique(weight > 0, dim=0, return_inverse=True)
    for number in range(len(masks)):  # targets that are known for the same clips have the same matrix
        some = torch.nonzero(which == number)[:, 0]
        moments = rows.moments(weight[some[0]])
        mean = moments[-1, :-1]
        spread, axes = torch.linalg.eigh(moments[:-1, :-1] - torch.outer(mean, mean))
        pull = rows.totals(labels[some].nan_to_num(0.0) * weight[some])
        slope = (pull[:, :-1] - pull[:, -1:] * mean) @ axes
        for decay, into in zip(decays, result, strict=True):
            found = slope / (spread.clamp_min(0) + decay / 2) @ axes.T
            into[some] = torch.cat([found, pull[:, -1:] - (found @ mean)[:, None]], dim=1)
    return [rows.layer(each) for each in result]
