"""The MLP probe: one hidden layer, trained for all points of a grid and all seeds at once.

Every model is trained as :class:`semisupcon.downstream.probe.Probe` trains its head: an epoch shows one random segment
of every training clip, in batches of clips, and is judged by the loss of the validation clips' mean embeddings. Each
has its own early stopping, and keeps the weights of its best epoch. What a model learns follows from its data, its
point and its seed; that others are trained beside it makes no difference but for rounding.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from semisupcon.evaluation.clips import EmbeddedClips, Indices
from semisupcon.evaluation.models import Models
from semisupcon.evaluation.readout import Readout, labelled, statistics
from semisupcon.table import Task
from semisupcon.threads import one_thread

SMALL = 8192
"""Models times D up to which one thread is nearly as fast as two, and much faster where others want the cores."""


class Point(NamedTuple):
    """One point of a grid: weight decay (added to the gradient, as Adam's L2 is) and learning rate."""

    decay: float = 0.0
    lr: float = 1e-3


# The learning rates of MARBLE's constrained track (Yuan et al. 2023), with 512 hidden units, dropout .2, batches of 64.
MARBLE_GRID = tuple(Point(lr=lr) for lr in (5e-5, 1e-4, 5e-4, 1e-3, 5e-3, 1e-2))


def fit_mlp(
    task: Task,
    train: EmbeddedClips,
    val: EmbeddedClips,
    grid: Sequence[Point],
    seeds: Sequence[int],
    device: torch.device | str = "cpu",
    hidden: int = 512,
    dropout: float = 0.0,
    batch_size: int = 64,
    max_epochs: int = 200,
    patience: int = 10,
) -> list[list[Readout]]:
    """A readout for each point of the grid and each seed, ``[point][seed]``.

    A model whose loss or weights become infinite or NaN is given up: its weights, and so its scores, are NaN.

    Args:
        task: decides the loss.
        train: training clips; those without any known label are left out.
        val: validation clips; without a labelled one, all train for ``max_epochs`` and keep the last weights.
        grid: weight decays and learning rates.
        seeds: of initial weights, order of the clips, choice of the segments, and dropout.
        device: where it is trained, in float32; ``mps`` is replaced by the CPU.
        hidden: units of the hidden layer.
        dropout: share of the hidden units left out.
        batch_size: clips of a step.
        max_epochs: at most.
        patience: how many epochs without a lower validation loss end the training.

    Raises:
        UserError: no training clip has a label; embeddings are not finite.
    """
    train = labelled(task, train)
    device = torch.device("cpu" if torch.device(device).type == "mps" else device)
    mean, scale, target_mean, target_scale = statistics(task, train)

    def standard(clips: EmbeddedClips, embedding: np.ndarray) -> tuple[Tensor, Tensor]:
        """(N, D) standardised embeddings, and the (M, K) labels that the loss is taken of."""
        x, y = (embedding - mean) / scale, (clips.labels - target_mean) / target_scale
        return torch.from_numpy(x).to(device), torch.from_numpy(y).to(device)

    segment, labels = standard(train, train.segment)
    val = val.take(np.flatnonzero(~np.isnan(val.labels).all(axis=1)))
    judged = standard(val, val.means()) if len(val) else None
    models = Models(grid, seeds, (segment.shape[1], hidden, labels.shape[1]), device)
    with one_thread(len(grid) * len(seeds) * segment.shape[1] < SMALL):
        for epoch in range(max_epochs):
            if not len(models):
                break
            orders = [_Order(train, seed, epoch) for seed in seeds]
            for start in range(0, len(train), batch_size):
                some = slice(start, start + batch_size)
                x = torch.stack([segment[order.segment[some]] for order in orders])  # (seeds, B, D)
                y = torch.stack([labels[order.clip[some]] for order in orders])  # (seeds, B, K)
                kept = np.stack([order.kept(y.shape[1], hidden, dropout) for order in orders]) if dropout else None
                models.step(task, x, y, None if kept is None else torch.from_numpy(kept).to(device))
            models.judge(None if judged is None else models.validate(task, *judged), patience)
    if judged is None:
        models.finish()

    def readout(point: Point, model: int) -> Readout:
        history = int(models.best_epoch[model]), tuple(models.losses[model])
        return Readout(task.kind, mean, scale, models.layers(model), target_mean, target_scale, *point, *history)

    count = len(seeds)
    return [[readout(point, number * count + seed) for seed in range(count)] for number, point in enumerate(grid)]


class _Order:
    """The clips and their segments in the order of one epoch, as ``downstream.probe`` draws them, and its dropout."""

    def __init__(self, clips: EmbeddedClips, seed: int, epoch: int) -> None:
        self.rng = np.random.default_rng([seed, epoch])
        self.clip: Indices = self.rng.permutation(len(clips))
        chosen = clips.first + (self.rng.random(len(clips)) * clips.counts).astype(np.int64)
        self.segment: Indices = chosen[self.clip]

    def kept(self, clips: int, hidden: int, dropout: float) -> np.ndarray:
        """(B, hidden) what hidden units are multiplied by: 0 for a share of them, and more than 1 for the rest."""
        return (self.rng.random((clips, hidden), dtype=np.float32) >= dropout) / np.float32(1 - dropout)
