"""Supervision signals: from the labels of two sets of clips to how alike each pair should be."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, Literal

import torch
from torch import Tensor


class Signal(ABC):
    """How alike two clips are, according to their labels.

    A subclass is a few lines: it gets the labels of A anchors and C candidates and returns an (A, C) matrix in
    [0, 1], NaN where the labels do not allow a judgement. It is given in a config by ``class_path``.
    """

    kinds: ClassVar[frozenset[str]] = frozenset({"multiclass", "multilabel", "regression", "key"})
    """The kinds of task (see ``semisupcon.table.Task``) that the signal makes sense for."""

    @abstractmethod
    def __call__(self, anchors: Tensor, candidates: Tensor) -> Tensor:
        """(A, K), (C, K) labels, float32 with NaN = unknown -> (A, C) in [0, 1] or NaN."""


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
    """

    kinds = frozenset({"multiclass", "multilabel", "key"})

    def __init__(self, kind: Literal["dice", "jaccard"] = "dice") -> None:
        if kind not in ("dice", "jaccard"):
            raise ValueError(f"kind must be dice or jaccard, not {kind}")
        self.kind = kind

    def __call__(self, anchors: Tensor, candidates: Tensor) -> Tensor:
        """(A, K), (C, K) -> (A, C)."""
        counts = _Counts(anchors, candidates)
        both = counts.anchor + counts.candidate
        overlap = 2 * counts.shared / both if self.kind == "dice" else counts.shared / (both - counts.shared)
        return torch.where(counts.judged & (both > 0), overlap, torch.nan)


class _Counts:
    """How many labels the two clips of each pair have, together and alone, among those known of both."""

    def __init__(self, anchors: Tensor, candidates: Tensor) -> None:
        self._known_a, self._known_c = ~anchors.isnan(), ~candidates.isnan()
        self._a, self._c = anchors.nan_to_num(0.0), candidates.nan_to_num(0.0)

    @property
    def judged(self) -> Tensor:
        """(A, C) bool, whether any label is known of both."""
        a, c = self._known_a.any(dim=1), self._known_c.any(dim=1)
        if (self._known_a == a[:, None]).all() and (self._known_c == c[:, None]).all():
            return a[:, None] & c[None, :]  # of each clip all labels are known or none, as is usual: no product needed
        return self._known_a.float() @ self._known_c.float().T > 0

    @property
    def shared(self) -> Tensor:
        """(A, C), labels of both."""
        return self._a @ self._c.T

    @property
    def anchor(self) -> Tensor:
        """(A, C), labels of the anchor."""
        return self._a @ self._known_c.float().T

    @property
    def candidate(self) -> Tensor:
        """(A, C), labels of the candidate."""
        return self._known_a.float() @ self._c.T
