"""Views of all ranks, with gradients, and sums over ranks."""

from __future__ import annotations

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.nn.functional import all_gather

from semisupcon.objectives.targets import Views


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


def identify(views: int, device: torch.device) -> Tensor:
    """(N,) numbers for this rank's views that no other view has on any rank."""
    return torch.arange(views, device=device) + (dist.get_rank() << 32 if distributed() else 0)


def gather(views: Views) -> Views:
    """The views of all ranks in rank order; the gradient of the embeddings flows back to the rank they came from.

    Ranks may hold different numbers of views (a broken file is missing from its batch): short ones are padded for
    the exchange and cut again after it.
    """
    if not distributed():
        return views
    count = torch.tensor([len(views)], device=views.file.device)
    counts = [torch.zeros_like(count) for _ in range(world_size())]
    dist.all_gather(counts, count)
    sizes = [int(size) for size in counts]

    def everyones(values: Tensor) -> Tensor:
        padded = torch.cat([values, values.new_zeros(max(sizes) - len(values), *values.shape[1:])])
        if values.requires_grad:
            parts = all_gather(padded)
        else:
            parts = [torch.empty_like(padded) for _ in sizes]
            dist.all_gather(parts, padded.contiguous())
        return torch.cat([part[:size] for part, size in zip(parts, sizes, strict=True)])

    return Views(
        embedding=everyones(views.embedding),
        labels=everyones(views.labels),
        labelled=everyones(views.labelled.to(torch.uint8)).bool(),
        file=everyones(views.file),
        identity=everyones(views.identity),
    )
