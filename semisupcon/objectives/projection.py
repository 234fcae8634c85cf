"""Projection heads: what stands between the embedding that is kept and the space where the loss is computed."""

from __future__ import annotations

from torch import Tensor, nn


class MLP(nn.Sequential):
    """D -> hidden -> P with a ReLU between (SimCLR's head; 512 -> 512 -> 128 without bias in SemiSupCon).

    Args:
        dim: D, the encoder's embedding dimension; filled in by the module that owns the head.
        hidden: width of the hidden layer.
        out: P, dimension of the projection.
        bias: whether the two layers have biases.
    """

    def __init__(self, dim: int, hidden: int = 512, out: int = 128, bias: bool = False) -> None:
        super().__init__(nn.Linear(dim, hidden, bias=bias), nn.ReLU(), nn.Linear(hidden, out, bias=bias))

    def forward(self, embedding: Tensor) -> Tensor:
        """(N, D) -> (N, P)."""
        return super().forward(embedding)


class LinearTanh(nn.Sequential):
    """D -> P, a linear layer, layer normalisation and tanh (Saeed, Grangier & Zeghidour, ICASSP 2021, section 2).

    Args:
        dim: D, the encoder's embedding dimension; filled in by the module that owns the head.
        out: P, dimension of the projection.
    """

    def __init__(self, dim: int, out: int = 512) -> None:
        super().__init__(nn.Linear(dim, out), nn.LayerNorm(out), nn.Tanh())

    def forward(self, embedding: Tensor) -> Tensor:
        """(N, D) -> (N, P) in (-1, 1)."""
        return super().forward(embedding)
