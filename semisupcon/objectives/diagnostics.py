"""Numbers that say what shape an embedding has, beside the loss."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def alignment(embedding: Tensor, file: Tensor) -> Tensor:
    """Mean squared distance of views of one file on the unit sphere, 0 = identical (Wang & Isola 2020, eq. 4).

    Args:
        embedding: (N, P), normalised here.
        file: (N,) which file a view belongs to.

    Returns:
        scalar in [0, 4]; 0 where no file has two views.
    """
    products = _products(embedding)
    same = file[:, None] == file[None, :]
    same.fill_diagonal_(False)
    squared = (2 - 2 * products).clamp_min(0)  # |a − b|² = 2 − 2 a·b on the unit sphere
    return (squared * same).sum() / same.sum().clamp_min(1)


def uniformity(embedding: Tensor) -> Tensor:
    """Log of the mean Gaussian potential of all pairs on the unit sphere, t = 2 (Wang & Isola 2020, eq. 5).

    Args:
        embedding: (N, P), normalised here, N >= 2.

    Returns:
        scalar; 0 = all in one point, about −4 = spread over the sphere.
    """
    products = _products(embedding)
    pairs = torch.ones_like(products, dtype=torch.bool).triu(diagonal=1)
    return (-2 * (2 - 2 * products)[pairs].clamp_min(0)).exp().mean().log()


def effective_rank(embedding: Tensor) -> Tensor:
    """Exp of the entropy of the normalised singular values of the centred embeddings (Roy & Vetterli 2007).

    Args:
        embedding: (N, D).

    Returns:
        scalar between 1 (a line; also all equal) and min(N − 1, D).
    """
    x = embedding.float()
    values = torch.linalg.svdvals(x - x.mean(dim=0))
    share = values / values.sum().clamp_min(torch.finfo(torch.float32).tiny)
    return torch.special.entr(share).sum().exp()


def _products(embedding: Tensor) -> Tensor:
    """(N, P) -> (N, N) cosines, in float32 whatever the autocast: their distances from 1 are what is asked for."""
    with torch.autocast(embedding.device.type, enabled=False):
        x = functional.normalize(embedding.float(), dim=1)
        return x @ x.T
