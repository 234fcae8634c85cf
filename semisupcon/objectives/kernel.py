"""The one loss: cross-entropy between what a row of similarities says and what it should say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint


@dataclass(frozen=True)
class Rows:
    """What the kernel knows of each anchor.

    Args:
        loss: (A,) float32, 0 where ``counted`` is False.
        counted: (A,) bool, whether the anchor has a positive at all; only those enter a mean.
        positives: (A,) int64, how many candidates have a target above 0.
        candidates: (A,) int64, how many stand in the denominator.
    """

    loss: Tensor
    counted: Tensor
    positives: Tensor
    candidates: Tensor


def rows(logits: Tensor, targets: Tensor, keep: Tensor) -> Rows:
    """Loss of each anchor: − Σ_c (t_ac / Σ_c t_ac) · log softmax_{c in keep}(logits)_ac.

    With targets of 0 and 1 this is SupCon "out" (Khosla et al. 2020, eq. 2), with a single 1 in each row NT-Xent
    (Chen et al. 2020, eq. 1). Since the weights of a row sum to one, it is logsumexp minus the weighted mean logit,
    which needs no (A, C) matrix of log-probabilities, no exp and no epsilon. Computed in float32 whatever the input.

    Args:
        logits: (A, C) similarity of anchor a to candidate c.
        targets: (A, C) >= 0, how alike they should be. Counted only where ``keep``.
        keep: (A, C) bool, which candidates stand in the denominator.

    Returns:
        Rows of A.
    """
    with torch.autocast(logits.device.type, enabled=False):
        logits = logits.float()
        targets = targets.float().masked_fill(~keep, 0)
        total = targets.sum(dim=1)
        counted = total > 0
        # The least float and not -inf, of which a row that keeps nobody would make a NaN gradient; exp makes it 0 too.
        denominator = torch.logsumexp(logits.masked_fill(~keep, torch.finfo(torch.float32).min), dim=1)
        attraction = (targets * logits).sum(dim=1) / total.clamp_min(torch.finfo(torch.float32).tiny)
        loss = torch.where(counted, denominator - attraction, 0.0)
    return Rows(loss, counted, (targets > 0).sum(dim=1), keep.sum(dim=1))


def rows_in_chunks(
    anchors: int,
    logits: Callable[[slice], Tensor],
    targets: Callable[[slice], tuple[Tensor, Tensor]],
    chunk: int = 512,
) -> Rows:
    """The same as ``rows``, ``chunk`` anchors at a time, so that no (A, C) matrix exists as a whole.

    What a chunk computes is computed again on the way back (gradient checkpointing); memory grows with chunk × C.

    Args:
        anchors: A.
        logits: the rows of the similarity matrix that a slice of the anchors has, (a, C).
        targets: the same rows of targets and keep, two (a, C).
        chunk: anchors at a time.
    """

    def some(part: slice) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        with torch.no_grad():
            wanted, keep = targets(part)
        found = rows(logits(part), wanted, keep)
        return found.loss, found.counted, found.positives, found.candidates

    parts = [slice(start, min(start + chunk, anchors)) for start in range(0, max(anchors, 1), chunk)]
    if len(parts) == 1:
        return Rows(*some(parts[0]))
    # preserve_rng_state=False: nothing in a chunk is random, and saving the generator on every chunk is not free.
    found = [checkpoint(some, part, use_reentrant=False, preserve_rng_state=False) for part in parts]
    return Rows(*(torch.cat(column) for column in zip(*found, strict=True)))


def mean(found: Rows, which: Tensor | None = None) -> Tensor:
    """Mean loss over the counted anchors (of ``which``, an (A,) mask); 0 with a gradient of 0 where there are none."""
    counted = found.counted if which is None else found.counted & which
    return (found.loss * counted).sum() / counted.sum().clamp_min(1)
