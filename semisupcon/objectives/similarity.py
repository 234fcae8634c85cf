"""Similarities between projected embeddings: modules, since some of them learn."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


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
