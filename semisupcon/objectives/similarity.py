"""Similarities between projected embeddings: modules, since some of them learn."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from semisupcon.errors import UserError


class Cosine(nn.Module):
    """Cosine of the angle between two embeddings, over a temperature: logits in [−1/τ, 1/τ].

    Args:
        temperature: τ; 0.1 in SemiSupCon (Guinot et al. 2024), 0.5 in CLMR (Spijkervet & Burgoyne 2021).
    """

    def __init__(self, temperature: float = 0.1) -> None:
        super().__init__()
        if not temperature > 0:
            raise ValueError(f"temperature must be above 0, not {temperature}")
        self.temperature = temperature

    def forward(self, anchors: Tensor, candidates: Tensor) -> Tensor:
        """(A, P), (C, P) -> (A, C) float32, one matrix product, outside autocast."""
        with torch.autocast(anchors.device.type, enabled=False):
            a = functional.normalize(anchors.float(), dim=1)
            c = functional.normalize(candidates.float(), dim=1)
            return (a / self.temperature) @ c.T


class Bilinear(nn.Module):
    """a^T W c with a learned W, and no temperature (Saeed, Grangier & Zeghidour, ICASSP 2021, eq. 1).

    W begins with independent entries of variance 1 / P, so that, of projections that are spread over (-1, 1), logits
    begin at the size of one projection's length.

    Args:
        dim: P, the size of the projections.
    """

    def __init__(self, dim: int = 512) -> None:
        super().__init__()
        if dim < 1:
            raise ValueError(f"dim is the size of the projections, at least 1, not {dim}")
        self.weight = nn.Parameter(torch.randn(dim, dim) * dim**-0.5)

    def forward(self, anchors: Tensor, candidates: Tensor) -> Tensor:
        """(A, P), (C, P) -> (A, C) float32, outside autocast: two matrix products, no (A, C, P).

        Raises:
            UserError: the projections have another size than ``dim``.
        """
        if anchors.shape[1] != len(self.weight):
            raise UserError(
                f"--model.similarity: Bilinear(dim={len(self.weight)}) compares projections of that size, and the "
                f"projection gives {anchors.shape[1]}. Make --model.similarity.dim and --model.projection.out the same."
            )
        with torch.autocast(anchors.device.type, enabled=False):
            return (anchors.float() @ self.weight.float()) @ candidates.float().T
