"""Soft clipping, and too few bits."""

from __future__ import annotations

import math

from torch import Tensor

from semisupcon.augment.base import Transform, uniform
from semisupcon.errors import UserError


class Distortion(Transform):
    """Clips softly: y = tanh(g x) with the drive g drawn evenly in dB. Strength multiplies both bounds of it.

    Soft sounds get louder by the drive, loud ones get odd harmonics. The output stays in [-1, 1].

    Args:
        drive: bounds in dB.
        p: the probability that an example is changed.

    Raises:
        UserError: the bounds are below 0 dB or not in order.
    """

    takes = 0.0

    def __init__(self, drive: tuple[float, float] = (3.0, 15.0), p: float = 0.5) -> None:
        super().__init__(p)
        if not 0 <= drive[0] <= drive[1]:
            raise UserError(f"Distortion: drive goes from a low to a high one of at least 0 dB, not {drive}")
        self.drive = drive

    def effect(self, audio: Tensor, sample_rate: int, strength: float) -> Tensor:
        """(n, 1, T) -> (n, 1, T)."""
        decibels = strength * uniform(len(audio), self.drive, audio.device)  # (n, 1)
        return audio.mul_(10 ** (decibels / 20)[..., None]).tanh_()


class BitCrush(Transform):
    """Rounds to at most 2^bits evenly spaced levels, among them -1, 0 and 1. The output stays in [-1, 1].

    Silence therefore stays silent, and no sample of [-1, 1] moves by more than half a step. Strength multiplies the
    step: bits fall by log2(strength), down to the three levels that are left at least.

    Args:
        bits: bounds, not necessarily whole.
        p: the probability that an example is changed.

    Raises:
        UserError: there are fewer than 2 bits, or the bounds are not in order.
    """

    takes = 0.0

    def __init__(self, bits: tuple[float, float] = (3.0, 6.0), p: float = 0.5) -> None:
        super().__init__(p)
        if not 2 <= bits[0] <= bits[1]:
            raise UserError(f"BitCrush: bits go from a low to a high number of at least 2, not {bits}")
        self.bits = bits

    def effect(self, audio: Tensor, sample_rate: int, strength: float) -> Tensor:
        """(n, 1, T) -> (n, 1, T)."""
        bits = uniform(len(audio), self.bits, audio.device) - math.log2(strength)
        # Levels above 0; with as many below and with 0 itself they are an odd number, hence one less than 2^bits.
        positive = ((2**bits - 1) / 2).floor_().clamp_(min=1)[..., None]
        return audio.clamp_(-1, 1).mul_(positive).round_().div_(positive)
