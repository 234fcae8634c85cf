"""A fitted probe, which turns embeddings into scores, and what all probes begin with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from semisupcon.downstream.heads import feature_statistics, target_statistics
from semisupcon.errors import UserError
from semisupcon.evaluation.clips import EmbeddedClips, Floats32
from semisupcon.table import Kind, Task

Values = npt.NDArray[Any]

# Numbers of one block of a hidden layer or of standardised embeddings: what is held of a split at once.
BLOCK = 1 << 22


@dataclass(frozen=True, eq=False)
class Readout:
    """A linear layer, or several with rectifiers between them, on standardised embeddings.

    Computed in the precision of its weights, float64 of a linear probe and float32 of an MLP.

    Args:
        kind: of the task; scores are logits, or targets in their own units for ``regression``.
        mean: (D,) taken from an embedding.
        scale: (D,) that the rest is divided by.
        layers: (in, out) weight and (out,) bias of each layer.
        target_mean: (K,) added to what the last layer gives, 0 but for regression.
        target_scale: (K,) that it is multiplied by before that, 1 but for regression.
        decay: weight of ½ ‖W‖² in what was minimised.
        lr: learning rate; 0 = solved, not trained.
        epochs: after how many epochs the weights were taken; 0 = solved, not trained.
        losses: validation loss after each epoch that was trained.
    """

    kind: Kind
    mean: Values
    scale: Values
    layers: tuple[tuple[Values, Values], ...]
    target_mean: Values
    target_scale: Values
    decay: float
    lr: float = 0.0
    epochs: int = 0
    losses: tuple[float, ...] = ()

    def scores(self, segment: Floats32) -> Floats32:
        """(S, D) embeddings -> (S, K) logits, or predictions in the units of the targets; a block of rows at a time."""
        rows = max(1, BLOCK // max(len(bias) for _, bias in (*self.layers, (None, self.mean))))
        parts = [self._scores(segment[start : start + rows]) for start in range(0, len(segment), rows)]
        return np.concatenate(parts) if parts else np.zeros((0, len(self.target_mean)), np.float32)

    def _scores(self, segment: Floats32) -> Floats32:
        layer = (segment - self.mean) / self.scale
        for number, (weight, bias) in enumerate(self.layers):
            layer = (np.maximum(layer, 0) if number else layer) @ weight + bias
        return np.asarray(layer * self.target_scale + self.target_mean, np.float32)


def labelled(task: Task, clips: EmbeddedClips) -> EmbeddedClips:
    """The training clips that have a label.

    Raises:
        UserError: there is none; or embeddings are not finite.
    """
    known = ~np.isnan(clips.labels).all(axis=1)
    if not known.any():
        raise UserError(
            f"{task.name}: none of the {len(clips):,} training clips has a known label, so no probe can be fitted. "
            f"Has the training split labels?"
        )
    finite = np.asarray(np.isfinite(clips.segment).all(axis=1))
    if not finite.all():
        clip = clips.names[clips.clip[np.flatnonzero(~finite)[0]]]
        raise UserError(
            f"{task.name}: {(~finite).sum():,} of {len(finite):,} embeddings of training segments are NaN or infinite, "
            f"the first of {clip}. Has the encoder diverged? Take an earlier checkpoint."
        )
    return clips if known.all() else clips.take(np.flatnonzero(known))


def statistics(task: Task, clips: EmbeddedClips) -> tuple[Floats32, Floats32, Floats32, Floats32]:
    """What a probe standardises by, as :class:`semisupcon.downstream.heads.Head` does.

    Returns:
        (D,) mean and (D,) scale of the training segments; (K,) mean and (K,) scale of the targets of the training
        clips, 0 and 1 but for regression.
    """
    mean, scale = feature_statistics(torch.from_numpy(clips.segment))
    targets = target_statistics(torch.from_numpy(clips.labels))
    if task.kind != "regression":
        targets = torch.zeros(len(task.classes)), torch.ones(len(task.classes))
    return mean.numpy(), scale.numpy(), targets[0].numpy(), targets[1].numpy()
