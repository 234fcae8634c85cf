"""Faster or slower at the same pitch."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from semisupcon.augment.base import Transform, uniform
from semisupcon.augment.vocoder import LEAD, hop_length, stretch, working
from semisupcon.errors import UserError

SLOWEST, FASTEST = 0.25, 4.0


class TimeStretch(Transform):
    """Plays faster or slower, and keeps the pitch: what is at time t moves to t / rate.

    The clip keeps its length: where it is played faster, zeros follow; where slower, the end is cut off. The peaks of
    the waveform change, so that the sound may leave [-1, 1]. Strength scales how far the rate is from 1, and the rate
    stays between 0.25 and 4.

    Args:
        rate: bounds, drawn evenly; 2 is twice as fast.
        p: the probability that an example is changed.

    Raises:
        UserError: bounds that are not in order, or not between 0.25 and 4.
    """

    alters: ClassVar[tuple[str, ...]] = ("tempo", "time")

    def __init__(self, rate: tuple[float, float] = (0.7, 1.3), p: float = 0.5) -> None:
        super().__init__(p)
        if not SLOWEST <= rate[0] <= rate[1] <= FASTEST:
            raise UserError(f"TimeStretch: the rate is within {SLOWEST} and {FASTEST}, in order, not {rate}")
        self.rate = rate

    def working(self, samples: int, sample_rate: int, strength: float, device: torch.device) -> float:
        """As of ``Transform``: of the vocoder."""
        return working(samples, samples, hop_length(sample_rate), device) / samples

    def effect(self, audio: Tensor, sample_rate: int, strength: float) -> Tensor:
        """(n, 1, T) -> (n, 1, T)."""
        count, _, samples = audio.shape
        rate = (1 + strength * (uniform(count, self.rate, audio.device) - 1)).clamp_(SLOWEST, FASTEST)
        hop = hop_length(sample_rate)
        return stretch(audio.squeeze(1), 1 / rate, samples, hop)[:, None, LEAD * hop :][..., :samples]
