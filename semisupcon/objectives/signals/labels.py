"""Signals from classes and tags: what two clips share."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from semisupcon.objectives.signals.base import Signal
from semisupcon.table import Task


class SharedLabels(Signal):
    """1 where two clips share at least ``threshold`` labels, else 0 (SemiSupCon, Guinot et al. 2024, section 3).

    Args:
        threshold: how many labels must be shared; 1 is right for classes.
    """

    kinds = frozenset({"multiclass", "multilabel", "key"})

    def __init__(self, threshold: int = 1) -> None:
        if threshold < 1:
            raise ValueError(f"threshold must be at least 1, not {threshold}: any two clips share 0 labels")
        self.threshold = threshold

    def __call__(self, anchors: Tensor, candidates: Tensor) -> Tensor:
        """(A, K), (C, K) -> (A, C)."""
        counts = _Counts(anchors, candidates)
        return (counts.shared >= self.threshold).float().masked_fill_(~counts.judged, torch.nan)


class LabelOverlap(Signal):
    """The share of labels that two clips have in common; a pair where neither has any is not judged.

    Args:
        kind: ``dice``, twice the shared labels over the sum of both counts (the paper's "weighted" targets), or
            ``jaccard``, the shared labels over the labels that either has.
        rarity: each label counts by how rare it is among the training clips, log((n + 1) / (n_k + 1)) (the inverse
            document frequency, Spärck Jones 1972, smoothed), so that a shared rare tag says more than a common one.
    """

    kinds = frozenset({"multiclass", "multilabel", "key"})

    def __init__(self, kind: Literal["dice", "jaccard"] = "dice", rarity: bool = False) -> None:
        if kind not in ("dice", "jaccard"):
            raise ValueError(f"kind must be dice or jaccard, not {kind}")
        self.kind, self.rarity = kind, rarity
        self.weight: Tensor | None = None
        """(K,) of the labels, once fitted; None = all count alike."""

    @property
    def needs_fit(self) -> bool:
        """Only for rarities."""
        return self.rarity

    def fit(self, labels: Tensor, task: Task) -> None:
        """The rarity of each label among those clips that it is known of."""
        if self.rarity:
            known, found = (~labels.isnan()).sum(dim=0), labels.nan_to_num(0.0).sum(dim=0)
            self.weight = ((known + 1) / (found + 1)).log()

    def __call__(self, anchors: Tensor, candidates: Tensor) -> Tensor:
        """(A, K), (C, K) -> (A, C)."""
        if self.rarity and self.weight is None:
            raise RuntimeError("LabelOverlap(rarity=True) was not given the training labels: call fit first")
        if self.weight is not None and self.weight.device != anchors.device:
            self.weight = self.weight.to(anchors.device)
        counts = _Counts(anchors, candidates, self.weight)
        both = counts.anchor + counts.candidate
        overlap = 2 * counts.shared / both if self.kind == "dice" else counts.shared / (both - counts.shared)
        return torch.where(counts.judged & (both > 0), overlap, torch.nan)


class _Counts:
    """How many labels the two clips of each pair have, together and alone, among those known of both."""

    def __init__(self, anchors: Tensor, candidates: Tensor, weight: Tensor | None = None) -> None:
        self._known_a, self._known_c = ~anchors.isnan(), ~candidates.isnan()
        self._a, self._c = anchors.nan_to_num(0.0), candidates.nan_to_num(0.0)
        # Each product below has one weighted factor: the labels where there is but one kind of them.
        self._weighted = self._a if weight is None else self._a * weight
        self._weighted_c = self._c if weight is None else self._c * weight

    @property
    def judged(self) -> Tensor:
        """(A, C) bool, whether any label is known of both."""
        a, c = self._known_a.any(dim=1), self._known_c.any(dim=1)
        # Mostly of each clip all labels are known or none, which needs no product. A GPU has it before it has looked.
        if a.device.type == "cpu" and (self._known_a == a[:, None]).all() and (self._known_c == c[:, None]).all():
            return a[:, None] & c[None, :]
        return self._known_a.float() @ self._known_c.float().T > 0

    @property
    def shared(self) -> Tensor:
        """(A, C), labels of both."""
        return self._weighted @ self._c.T

    @property
    def anchor(self) -> Tensor:
        """(A, C), labels of the anchor."""
        return self._weighted @ self._known_c.float().T

    @property
    def candidate(self) -> Tensor:
        """(A, C), labels of the candidate."""
        return self._known_a.float() @ self._weighted_c.T
