"""Cosines of the angles between embeddings, as whole numbers that come out the same on every device."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

STEPS = 1 << 30
"""Steps from a cosine of 0 to one of 1."""

AT_ONCE = 1 << 23
"""Cosines held at a time, on any device: 64 MB of them."""


def directions(rows: npt.NDArray[np.floating], device: str | torch.device = "cpu") -> Tensor:
    """(N, D) -> (N, D) float64 of length 1; a row of zeros stays one, and its cosine to anything is 0.

    Args:
        rows: embeddings, or projections.
        device: where they are to be compared; the CPU in place of one that has no float64.

    Raises:
        ValueError: an embedding is NaN or infinite.
    """
    if not np.isfinite(rows).all():
        bad = np.flatnonzero(~np.isfinite(rows).all(axis=1))
        raise ValueError(
            f"{len(bad)} of {len(rows)} embeddings are NaN or infinite, the first in row {bad[0]}. The model diverged, "
            "or got audio that is not finite"
        )
    device = torch.device(device)
    found = torch.from_numpy(np.asarray(rows, np.float64)).to("cpu" if device.type == "mps" else device)
    length = torch.linalg.vector_norm(found, dim=1, keepdim=True)
    return found / torch.where(length > 0, length, 1.0)


def similarities(queries: Tensor, candidates: Tensor) -> Tensor:
    """Cosines in steps of 2^-30: (A, D), (C, D) -> (A, C) int32 from −``STEPS`` to ``STEPS``.

    Float64 errs by about 1e-15, and by other amounts on other devices, in other chunks and even for equal candidates;
    a step is a million times that. So equal embeddings are equally similar, everywhere, but for one in about a million
    that lies on the border of two steps. (Float32 would be 1e-7 off, or 1e-3 where TensorFloat-32 is allowed.)
    """
    found = (queries @ candidates.T).mul_(STEPS).round_()
    return found.to(torch.int32)


def chunk(candidates: int) -> int:
    """How many queries to compare to so many candidates at a time."""
    return max(1, AT_ONCE // max(1, candidates))
