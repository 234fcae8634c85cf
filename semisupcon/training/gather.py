"""Views of all ranks, with gradients."""

from __future__ import annotations

import torch
import torch.distributed as dist
from torch import Tensor

from semisupcon.objectives.targets import Views
from semisupcon.running.ranks import distributed, gather_rows, rows_of_ranks


def identify(views: int, device: torch.device) -> Tensor:
    """(N,) numbers for this rank's views that no other view has on any rank."""
    return torch.arange(views, device=device) + (dist.get_rank() << 32 if distributed() else 0)


def gather(views: Views) -> Views:
    """The views of all ranks in rank order; the gradient of the embeddings flows back to the rank they came from."""
    if not distributed():
        return views
    sizes = rows_of_ranks(views.file)
    return Views(
        embedding=gather_rows(views.embedding, sizes),
        labels=gather_rows(views.labels, sizes),
        labelled=gather_rows(views.labelled.to(torch.uint8), sizes).bool(),
        file=gather_rows(views.file, sizes),
        identity=gather_rows(views.identity, sizes),
    )
