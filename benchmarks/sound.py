"""Audio to measure with: made, not read, and the same every time."""

from __future__ import annotations

import torch
from torch import Tensor

RATE = 22_050  # Hz
PIECES = 16  # different ones; after that they come again, shifted and at another level


def music(count: int, samples: int, rate: int = RATE) -> Tensor:
    """(count, 1, samples) float32 in [-1, 1]: notes of a scale with six harmonics that die away, and some noise."""
    generator = torch.Generator().manual_seed(0)
    pieces = torch.stack([_piece(samples, rate, generator) for _ in range(min(count, PIECES))])
    rows = torch.arange(count)
    audio = torch.empty(count, 1, samples)
    for row in rows.tolist():
        times = row // PIECES
        audio[row, 0] = pieces[row % PIECES].roll(times * rate // 7) * (0.9**times)
    return audio


def _piece(samples: int, rate: int, generator: torch.Generator) -> Tensor:
    """(samples,), eight notes, each from its onset to the end."""
    out = 0.003 * torch.randn(samples, generator=generator)
    scale = torch.tensor([0, 2, 4, 5, 7, 9, 11])
    for note in range(8):
        start = note * samples // 8
        seconds = torch.arange(samples - start) / rate
        key = 48 + scale[torch.randint(7, (), generator=generator)] + 12 * torch.randint(3, (), generator=generator)
        hertz = 440 * 2 ** ((float(key) - 69) / 12)
        fade = torch.exp(-seconds * float(2 + 6 * torch.rand((), generator=generator)))
        for harmonic in range(1, 7):
            if harmonic * hertz < rate / 2:
                out[start:] += fade**harmonic * torch.sin(2 * torch.pi * harmonic * hertz * seconds) / harmonic
    return 0.5 * out / out.abs().max()
