"""What stands on the embedding downstream, and the loss of each kind of task."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from semisupcon.table import Task

HeadKind = Literal["linear", "mlp"]


def feature_statistics(embedding: Tensor) -> tuple[Tensor, Tensor]:
    """(D,) mean and (D,) scale of (N, D) embeddings, N > 0, for standardising them."""
    # A dimension that hardly varies is centred but not blown up.
    spread = embedding.std(dim=0, correction=0)
    return embedding.mean(dim=0), torch.where(spread > 1e-5 * spread.max().clamp_min(1e-12), spread, 1.0)


def target_statistics(labels: Tensor) -> tuple[Tensor, Tensor]:
    """(K,) mean and (K,) scale of the known among (M, K) targets, NaN = unknown; 0 and 1 where none is."""
    known = ~labels.isnan()
    count = known.sum(dim=0).clamp_min(1)
    mean = labels.nan_to_num(0.0).sum(dim=0) / count
    spread = (((labels - mean) ** 2).nan_to_num(0.0).sum(dim=0) / count).sqrt()
    return mean, torch.where(spread > 1e-12, spread, 1.0)


class Head(nn.Module):
    """Embedding in, K scores out: standardisation by fixed statistics, then a linear layer or an MLP.

    Scores are logits for classes and tags; for regression they are the targets in their own units.

    Args:
        dim: D.
        task: decides K and the loss.
        kind: ``linear``, or ``mlp`` with one hidden layer (the 512-512-C head of SemiSupCon's probes).
        hidden: width of the hidden layer.
        dropout: before the last layer.
    """

    mean: Tensor
    scale: Tensor
    target_mean: Tensor
    target_scale: Tensor

    def __init__(self, dim: int, task: Task, kind: HeadKind = "linear", hidden: int = 512, dropout: float = 0.0):
        super().__init__()
        self.task = task
        classes = len(task.classes)
        hidden_layers = [nn.Linear(dim, hidden), nn.ReLU()] if kind == "mlp" else []
        self.layers = nn.Sequential(
            *hidden_layers, nn.Dropout(dropout), nn.Linear(hidden if kind == "mlp" else dim, classes)
        )
        self.register_buffer("mean", torch.zeros(dim))
        self.register_buffer("scale", torch.ones(dim))
        self.register_buffer("target_mean", torch.zeros(classes))
        self.register_buffer("target_scale", torch.ones(classes))

    def fit_statistics(self, embedding: Tensor | None, labels: Tensor) -> None:
        """Take the standardisation from the training set: (N, D) embeddings, (M, K) labels with NaN = unknown."""
        if embedding is not None and len(embedding):
            mean, scale = feature_statistics(embedding)
            self.mean.copy_(mean)
            self.scale.copy_(scale)
        if self.task.kind == "regression":
            mean, scale = target_statistics(labels)
            self.target_mean.copy_(mean)
            self.target_scale.copy_(scale)

    def forward(self, embedding: Tensor) -> Tensor:
        """(N, D) -> (N, K)."""
        return self.layers((embedding - self.mean) / self.scale) * self.target_scale + self.target_mean

    def training_loss(self, embedding: Tensor, labels: Tensor) -> Tensor:
        """What is minimised: the ``loss`` of the scores of (N, D) embeddings."""
        return self.loss(self(embedding), labels)

    def loss(self, scores: Tensor, labels: Tensor) -> Tensor:
        """Mean loss over known labels: cross-entropy for classes, binary for tags, squared standardised error.

        Args:
            scores: (N, K), of ``forward``.
            labels: (N, K), NaN = unknown; rows of classes are known as a whole.
        """
        if self.task.exclusive:
            return functional.cross_entropy(scores, labels.argmax(dim=1))
        known = ~labels.isnan()
        wanted = torch.where(known, labels, 0.0)
        if self.task.kind == "multilabel":
            each = functional.binary_cross_entropy_with_logits(scores, wanted, reduction="none")
        else:
            each = torch.where(known, (scores - wanted) / self.target_scale, 0.0) ** 2
        return (each * known).sum() / known.sum().clamp_min(1)
