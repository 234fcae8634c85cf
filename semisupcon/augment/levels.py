"""Louder, softer, upside down."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from semisupcon.augment.base import Transform, uniform
from semisupcon.errors import UserError


class Gain(Transform):
    """Amplifies by a gain drawn evenly in dB. Strength multiplies both bounds; nothing is clipped.

    Args:
        gain: bounds in dB.
        p: the probability that an example is changed.

    Raises:
        UserError: the bounds are not in order.
    """

    takes = 0.0

    def __init__(self, gain: tuple[float, float] = (-15.0, 5.0), p: float = 0.4) -> None:
        super().__init__(p)
        if not gain[0] <= gain[1]:
            raise UserError(f"Gain: gain goes from low to high, not {gain}")
        self.gain = gain

    def effect(self, audio: Tensor, sample_rate: int, strength: float) -> Tensor:
        """(n, 1, T) -> (n, 1, T)."""
        decibels = strength * uniform(len(audio), self.gain, audio.device)  # (n, 1)
        return audio.mul_(10 ** (decibels / 20)[..., None])


class PolarityInversion(Transform):
    """Turns the waveform upside down, which nobody hears. Strength scales the probability only, and a lower one up to
    1/2: where all views were inverted, none would differ by it.

    Args:
        p: the probability that an example is changed.
    """

    takes = 0.0
    likeliest: ClassVar[float] = 0.5

    def __init__(self, p: float = 0.6) -> None:
        super().__init__(p)

    def effect(self, audio: Tensor, sample_rate: int, strength: float) -> Tensor:
        """(n, 1, T) -> (n, 1, T)."""
        return audio.neg_()
