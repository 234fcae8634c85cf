"""Higher or lower in the same time."""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch import Tensor

from semisupcon.augment.base import Transform, uniform
from semisupcon.augment.vocoder import LEAD, at_once, hop_length, stretch, working
from semisupcon.errors import UserError

LIMIT = 24.0  # semitones either way
FINER = 2  # read from twice as many samples, so that the mirror images a cubic spline leaves are faint
POINT = 20  # bits behind the point of a place between two samples


class PitchShift(Transform):
    """Raises or lowers the pitch, and keeps the tempo and the length.

    The sound is drawn out by a phase vocoder and read as much faster, or the other way round. What would come to lie
    above half the sample rate is taken away. The spectral envelope moves with the pitch. The peaks of the waveform
    change, so that the sound may leave [-1, 1]. Strength scales the semitones, up to two octaves.

    Args:
        semitones: bounds, drawn evenly, not only whole ones; below 0 is lower.
        p: the probability that an example is changed.

    Raises:
        UserError: bounds that are not in order, or beyond two octaves.
    """

    alters: ClassVar[tuple[str, ...]] = ("pitch", "key")

    def __init__(self, semitones: tuple[float, float] = (-4.0, 4.0), p: float = 0.6) -> None:
        super().__init__(p)
        if not -LIMIT <= semitones[0] <= semitones[1] <= LIMIT:
            raise UserError(f"PitchShift: semitones are within -{LIMIT:.0f} and {LIMIT:.0f}, in order, not {semitones}")
        self.semitones = semitones

    def working(self, samples: int, sample_rate: int, strength: float, device: torch.device) -> float:
        """As of ``Transform``: of the vocoder, beside which what is read at a time is little."""
        longest = self._longest(samples, strength)
        return working(samples, longest, hop_length(sample_rate), device, FINER) / samples

    def effect(self, audio: Tensor, sample_rate: int, strength: float) -> Tensor:
        """(n, 1, T) -> (n, 1, T)."""
        count, _, samples = audio.shape
        semitones = (strength * uniform(count, self.semitones, audio.device)).clamp_(-LIMIT, LIMIT)
        ratio = 2 ** (semitones / 12)  # (n, 1)
        longest = self._longest(samples, strength)
        hop = hop_length(sample_rate)
        longer = stretch(audio.squeeze(1), ratio, longest, hop, _gain(ratio, 2 * hop), FINER)
        many = 2 * hop * at_once(longest, hop, audio.device)
        return _read(longer, FINER * LEAD * hop, FINER * ratio, samples, many)[:, None]

    def _longest(self, samples: int, strength: float) -> int:
        """Samples that the highest pitch is read from."""
        return math.ceil(samples * 2 ** (max(-LIMIT, min(LIMIT, strength * self.semitones[1])) / 12))


def _gain(ratio: Tensor, top: int) -> Tensor:
    """(n, top + 1) complex: makes of samples the coefficients of their spline, and silence of what has no place above.

    ``top`` is the number of the bin at half the sample rate.
    """
    number = torch.arange(top + 1, device=ratio.device)
    # The samples of the cubic B-spline are 1/6, 2/3 and 1/6.
    gain = 1 / (2 / 3 + torch.cos(math.pi / (FINER * top) * number) / 3)
    gain[-1] /= 2  # alone at the top, it has become a pair
    return (gain * (number * ratio <= top)).to(torch.complex64)


def _read(spline: Tensor, start: int, step: Tensor, samples: int, many: int) -> Tensor:
    """(n, samples): sample m is the cubic spline of the coefficients (n, L) at ``start + m * step``, ``step`` (n, 1).

    So ``many`` at a time: what they take stays in a processor's cache, and is less than what the vocoder took.

    See Unser, "Splines: a perfect fit for signal and image processing", IEEE Signal Process. Mag. 16(6), 1999.
    """
    out = spline.new_empty(len(spline), samples)
    # With a fixed point: late in a long clip, a float would have too few bits for the fraction.
    step = (step * (1 << POINT)).round_().long()
    for first in range(0, samples, many):
        place = torch.arange(first, min(samples, first + many), device=spline.device) * step
        index = place >> POINT
        t = place.bitwise_and_((1 << POINT) - 1).float().mul_(2.0**-POINT)
        a, b, c, d = (spline[:, start + offset :].gather(1, index) for offset in (-1, 0, 1, 2))
        # b + (a - 2b + c) / 6 + t / 2 ((c - a) + t ((a - 2b + c) + t (d - 3c + 3b - a) / 3))
        cubic = (b - c).add_(d, alpha=1 / 3).sub_(a, alpha=1 / 3)
        linear = c - a
        square = a.add_(c).sub_(b, alpha=2)
        linear.addcmul_(cubic.mul_(t).add_(square), t)
        out[:, first : first + many] = b.addcmul_(linear, t, value=0.5).add_(square, alpha=1 / 6)
    return out
