"""Lengths and frequencies of the Fourier transforms."""

from __future__ import annotations

import torch
from torch import Tensor


def fast_length(samples: int) -> int:
    """The least m * 2^k >= samples with m one of 1, 3, 5, 9, 15.

    Many factors of two matter more than few samples: 59,049 = 3^10 takes two to four times as long as 15 * 2^12.
    """
    return min(m << max(0, (-(-samples // m) - 1).bit_length()) for m in (1, 3, 5, 9, 15))


def frequencies(length: int, sample_rate: int, device: torch.device) -> Tensor:
    """(length // 2 + 1,) Hz of the bins of ``torch.fft.rfft``."""
    return torch.fft.rfftfreq(length, d=1 / sample_rate, device=device)


def workspace(device: torch.device) -> float:
    """What a real Fourier transform takes beside what goes in and comes out, for each of its samples.

    On a GPU the library has a workspace of its own, and the inverse works on a copy of the spectrum.
    """
    return 2.0 if device.type == "cuda" else 0.0
