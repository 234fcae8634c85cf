"""What processes that train together tell each other."""

from __future__ import annotations

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.nn.functional import all_gather


def distributed() -> bool:
    """Whether more than one process trains together."""
    return dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1


def world_size() -> int:
    """Number of processes that train together."""
    return dist.get_world_size() if distributed() else 1


def sum_over_ranks(values: Tensor) -> Tensor:
    """The element-wise sum of every rank's ``values``, without gradient."""
    total = values.detach().clone()
    if distributed():
        dist.all_reduce(total)
    return total


def rows_of_ranks(values: Tensor) -> list[int]:
    """How many rows of such values each rank holds."""
    count = torch.tensor([len(values)], device=values.device)
    counts = [torch.zeros_like(count) for _ in range(world_size())]
    dist.all_gather(counts, count)
    return [int(size) for size in counts]


def gather_rows(values: Tensor, sizes: list[int] | None = None) -> Tensor:
    """The rows of all ranks in rank order; a gradient flows back to the rank that its row came from.

    Ranks may hold different numbers of rows (a broken file is missing from its batch): short ones are padded for
    the exchange and cut again after it.

    Args:
        values: (n, ...) of this rank.
        sizes: ``rows_of_ranks``, where it is known already.
    """
    if not distributed():
        return values
    sizes = rows_of_ranks(values) if sizes is None else sizes
    padded = torch.cat([values, values.new_zeros(max(sizes) - len(values), *values.shape[1:])])
    if values.requires_grad:
        parts = all_gather(padded)
    else:
        parts = [torch.empty_like(padded) for _ in sizes]
        dist.all_gather(parts, padded.contiguous())
    return torch.cat([part[:size] for part, size in zip(parts, sizes, strict=True)])
