"""Signals from numbers: the nearer two clips' targets, the more alike they are."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from semisupcon.errors import UserError
from semisupcon.objectives.signals.base import Signal
from semisupcon.table import Task


class RegressionKernel(Signal):
    """A kernel of the distance between the targets of two clips, which is 1 where they are equal.

    Gaussian: exp(-1/2 Σ_k (d_k / h_k)²), Laplacian: exp(-Σ_k |d_k| / h_k), with d_k the difference of target k and h_k
    its bandwidth, summed over the targets known of both clips. A Gaussian of labels as the weight of positives is
    the y-aware InfoNCE of Dufumier et al. 2021 (arXiv 2106.08808).

    Args:
        kind: ``gaussian`` or ``laplacian``.
        bandwidth: in units of the targets, one for all or one for each. None = from the training labels, by Scott's
            rule (1992): a target's standard deviation times n^(-1 / (K + 4)).
    """

    kinds = frozenset({"regression"})

    def __init__(
        self, kind: Literal["gaussian", "laplacian"] = "gaussian", bandwidth: float | list[float] | None = None
    ) -> None:
        if kind not in ("gaussian", "laplacian"):
            raise ValueError(f"kind must be gaussian or laplacian, not {kind}")
        given = [bandwidth] if isinstance(bandwidth, int | float) else bandwidth
        if given is not None and not (given and all(0 < each < float("inf") for each in given)):
            raise ValueError(f"a bandwidth is a number above 0 in units of the targets, not {bandwidth}")
        self.kind, self.given = kind, given
        self.bandwidth: Tensor | None = None if given is None else torch.tensor(given)
        """(K,) or (1,), None until it is known."""

    def fit(self, labels: Tensor, task: Task) -> None:
        """Scott's rule, where no bandwidth was given."""
        targets = labels.shape[1]
        if self.given is not None:
            if len(self.given) not in (1, targets):
                raise UserError(
                    f"--model.signal: RegressionKernel has {len(self.given)} bandwidths, and {task.name} has {targets} "
                    f"targets ({', '.join(task.classes)}). Give one for each, or one for all."
                )
            return
        known = ~labels.isnan()
        count = known.sum(dim=0)
        mean = labels.nan_to_num(0.0).sum(dim=0) / count.clamp_min(1)
        spread = ((labels - mean).square().nan_to_num(0.0).sum(dim=0) / (count - 1).clamp_min(1)).sqrt()
        if not (spread > 0).all():
            column = int((spread > 0).logical_not().int().argmax())
            found = "have the same" if count[column] > 1 else f"but {int(count[column])} are without their"
            raise UserError(
                f"--model.signal: all labelled training clips of {task.name} {found} {task.classes[column]}, so no "
                "bandwidth can be taken from them. Give RegressionKernel a bandwidth, or use more labels."
            )
        self.bandwidth = spread * count ** (-1 / (targets + 4))

    def __call__(self, anchors: Tensor, candidates: Tensor) -> Tensor:
        """(A, K), (C, K) -> (A, C)."""
        if self.bandwidth is None:
            raise RuntimeError("RegressionKernel has no bandwidth: give one, or call fit with the training labels")
        if self.bandwidth.device != anchors.device:
            self.bandwidth = self.bandwidth.to(anchors.device)
        total = anchors.new_zeros(len(anchors), len(candidates))
        judged = torch.zeros_like(total, dtype=torch.bool)
        # Target by target, of which there are few: a product of matrices would lose what near numbers differ by.
        for a, c in zip((anchors / self.bandwidth).T, (candidates / self.bandwidth).T, strict=True):
            apart = a[:, None] - c[None, :]
            judged |= ~apart.isnan()
            total += (apart.square() / 2 if self.kind == "gaussian" else apart.abs()).nan_to_num(0.0)
        return torch.exp(-total).masked_fill_(~judged, torch.nan)
