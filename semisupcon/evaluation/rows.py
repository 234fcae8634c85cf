"""The segments that a linear probe is solved on: standardised, in float64, a block of rows at a time."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from semisupcon.evaluation.clips import EmbeddedClips
from semisupcon.evaluation.readout import Values

# Numbers of one block, 128 MB in float64. What fits into one is standardised once, not in every pass.
BLOCK = 1 << 24


class Rows:
    """All segments of some clips, in blocks ``(x (n, r + 1) float64, clip (n,) int64)``; the last column of x is one.

    With fewer segments than dimensions, x is in the space that the segments span: a ridge leaves no weight outside of
    it, so that r = S numbers a segment tell as much as D.

    Args:
        clips: whose segments.
        mean: (D,) subtracted.
        scale: (D,) divided by.
        device: where the blocks are.
    """

    def __init__(self, clips: EmbeddedClips, mean: Values, scale: Values, device: torch.device) -> None:
        self.segment = torch.from_numpy(clips.segment).to(device)
        self.clip = torch.from_numpy(clips.clip).to(device)
        self.mean, self.scale = (torch.from_numpy(each).to(device, torch.float64) for each in (mean, scale))
        count, dim = self.segment.shape
        self.step = max(1, BLOCK // (dim + 1))
        self.basis: Tensor | None = None  # (D + 1, r + 1)
        self.kept: Tensor | None = None
        if dim > count:
            every = self._block(0, count)
            self.basis = torch.block_diag(torch.linalg.qr(every[:, :-1].T).Q, every.new_ones(1, 1))
            self.kept = every @ self.basis
        elif count <= self.step:
            self.kept = self._block(0, count)
        self.width = min(dim, count) + 1

    def _block(self, start: int, stop: int) -> Tensor:
        x = (self.segment[start:stop].double() - self.mean) / self.scale
        return torch.cat([x, x.new_ones(len(x), 1)], dim=1)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        if self.kept is not None:
            yield self.kept, self.clip
            return
        for start in range(0, len(self.clip), self.step):
            stop = start + self.step
            yield self._block(start, stop), self.clip[start:stop]

    def layer(self, weight: Tensor) -> tuple[Values, Values]:
        """(K, r + 1) weights of x -> the (D, K) weights and (K,) biases of standardised embeddings."""
        weight = weight if self.basis is None else weight @ self.basis.T
        return weight[:, :-1].T.cpu().numpy(), weight[:, -1].cpu().numpy()

    def moments(self, weight: Tensor) -> Tensor:
        """(M,) weight of each clip's segments -> (r + 1, r + 1) Σ w x xᵀ."""
        total = torch.zeros(self.width, self.width, dtype=torch.float64, device=weight.device)
        for x, clip in self:
            total += (x * weight[clip, None]).T @ x
        return total

    def totals(self, values: Tensor) -> Tensor:
        """(K, M) values of the clips -> (K, r + 1) Σ value · x over all segments."""
        total = values.new_zeros(len(values), self.width)
        for x, clip in self:
            total += values[:, clip] @ x
        return total
