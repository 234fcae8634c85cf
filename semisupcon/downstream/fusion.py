"""Late fusion: a head for each of several encoders, whose scores are averaged."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid

from semisupcon.downstream.heads import Head
from semisupcon.encoders.base import Encoder
from semisupcon.encoders.concat import Concat
from semisupcon.errors import UserError
from semisupcon.table import Task

Fusion = Literal["concat", "late"]


def head_for(encoder: Encoder, task: Task, fusion: Fusion = "concat", **options: Any) -> Head | LateFusion:
    """A head on an encoder's embedding, or with ``late`` fusion one on the part of each encoder of a ``Concat``.

    Args:
        encoder: says D, and the parts.
        task: decides K and the loss.
        fusion: ``concat`` or ``late``.
        options: of ``Head``.

    Raises:
        UserError: late fusion of an encoder that has no parts.
    """
    if fusion == "concat":
        return Head(encoder.dim, task, **options)
    return LateFusion(parts_of(encoder), task, **options)


def parts_of(encoder: Encoder) -> list[int]:
    """D of each encoder of a ``Concat``.

    Raises:
        UserError: the encoder is no ``Concat``.
    """
    if isinstance(encoder, Concat):
        return encoder.parts
    raise UserError(
        f"--model.fusion=late: averages the scores of several encoders, and {type(encoder).__name__} is a single one. "
        "Give several checkpoints (--model.checkpoint=[A,B]) or --model.encoder=Concat, or leave fusion out."
    )


class LateFusion(nn.Module):
    """A head on each part of the embedding, trained by a loss of its own; the score is the average of theirs.

    What is averaged are probabilities for classes and tags, given back as logits, and predictions for regression.

    Args:
        parts: D of each part; they follow each other in the embedding.
        task: decides K and the loss.
        options: of each ``Head``.
    """

    def __init__(self, parts: Sequence[int], task: Task, **options: Any) -> None:
        super().__init__()
        self.parts = list(parts)
        self.task = task
        self.heads: Any = nn.ModuleList(Head(dim, task, **options) for dim in parts)

    def fit_statistics(self, embedding: Tensor | None, labels: Tensor) -> None:
        """Take the standardisation of each head from the training set, see ``Head``."""
        slices = [None] * len(self.parts) if embedding is None else embedding.split(self.parts, dim=-1)
        for head, part in zip(self.heads, slices, strict=True):
            head.fit_statistics(part, labels)

    def each(self, embedding: Tensor) -> Tensor:
        """The scores of every head: (N, D) -> (heads, N, K)."""
        slices = embedding.split(self.parts, dim=-1)
        return torch.stack([head(part) for head, part in zip(self.heads, slices, strict=True)])

    def forward(self, embedding: Tensor) -> Tensor:
        """(N, D) -> (N, K): log of the mean probability of a class, logit of that of a tag, mean prediction."""
        scores = self.each(embedding)
        if self.task.kind == "regression":
            return scores.mean(dim=0)
        if self.task.exclusive:
            return scores.log_softmax(dim=-1).logsumexp(dim=0) - math.log(len(self.heads))
        # The logit of p is log p - log(1 - p), and the mean of 1 - p is one minus that of p; log(heads) cancels.
        return logsigmoid(scores).logsumexp(dim=0) - logsigmoid(-scores).logsumexp(dim=0)

    def training_loss(self, embedding: Tensor, labels: Tensor) -> Tensor:
        """The sum of the heads' own losses, so that none leans on another: (N, D) embeddings, (N, K) labels."""
        losses = [head.loss(scores, labels) for head, scores in zip(self.heads, self.each(embedding), strict=True)]
        return torch.stack(losses).sum()

    def loss(self, scores: Tensor, labels: Tensor) -> Tensor:
        """The loss of averaged scores, as ``Head.loss``."""
        found: Tensor = self.heads[0].loss(scores, labels)
        return found
