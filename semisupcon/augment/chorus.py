"""More voices than one."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from semisupcon.augment.base import Transform, uniform
from semisupcon.augment.compression import log_uniform
from semisupcon.errors import UserError

BLOCK = 256  # samples over which the modulation is computed from one sine and cosine
PERIOD = 1 << 36  # parts of a period of the modulation that its phase is counted in
MARGIN = 3  # samples read beyond the longest delay


class Chorus(Transform):
    """Adds the sound with a delay that swings: y(t) = x(t) + mix * x(t - d(t)), d = centre + depth * sin(2 pi rate t).

    As in Dattorro, "Effect design, part 2" (JAES 45(10), 1997), without feedback. The swing begins anywhere in its
    period. Between samples the sound is interpolated by cubics (Catmull-Rom, whose error at a tenth of the sample rate
    is -49 dB; that of straight lines is -29 dB). The dry sound stays as it is, so the sum may leave [-1, 1]. Strength
    scales the mix, up to 1, and the depth, up to the centre.

    The added voice is out of tune by up to 2 pi rate depth: 1.4 %, 24 cents, in the middle of the ranges.

    Args:
        rate: bounds in Hz, drawn evenly on a logarithmic scale; an octave to either side of the usual 5 Hz.
        depth: bounds in seconds of the swing to either side, drawn likewise.
        centre: bounds in seconds of the delay.
        mix: bounds of the amplitude of the added voice, at most 1.
        p: the probability that an example is changed.

    Raises:
        UserError: bounds are not in order, not above 0, or a mix is above 1.
    """

    takes = 8.1

    def __init__(
        self,
        rate: tuple[float, float] = (2.5, 10.0),
        depth: tuple[float, float] = (0.0002, 0.001),
        centre: tuple[float, float] = (0.007, 0.02),
        mix: tuple[float, float] = (0.3, 0.7),
        p: float = 0.5,
    ) -> None:
        super().__init__(p)
        if not (0 < rate[0] <= rate[1] and 0 < depth[0] <= depth[1] and 0 < centre[0] <= centre[1]):
            raise UserError(
                "Chorus: rate in Hz, depth and centre in s go from a low to a high one above 0, "
                f"not {rate}, {depth} and {centre}"
            )
        if not 0 <= mix[0] <= mix[1] <= 1:
            raise UserError(f"Chorus: mix goes from low to high within 0 to 1, not {mix}")
        self.rate = rate
        self.depth = depth
        self.centre = centre
        self.mix = mix

    def working(self, samples: int, sample_rate: int, strength: float, device: torch.device) -> float:
        """As of ``Transform``: what is read begins before the sound by the longest delay, and ends after a block."""
        return self.takes * (samples + BLOCK) / samples + 3 * self._longest(sample_rate, strength) / samples

    def effect(self, audio: Tensor, sample_rate: int, strength: float) -> Tensor:
        """(n, 1, T) -> (n, 1, T)."""
        count, _, samples = audio.shape
        delay = self._delay(count, samples, sample_rate, strength, audio.device)
        voice = read(audio.squeeze(1), delay, self._longest(sample_rate, strength))
        mix = uniform(count, self.mix, audio.device).mul_(strength).clamp_(max=1)
        return audio.addcmul_(voice[:, None, :samples], mix[..., None])

    def _longest(self, sample_rate: int, strength: float) -> int:
        """Samples, rounded up."""
        return math.ceil((self.centre[1] + min(self.centre[1], self.depth[1] * strength)) * sample_rate)

    def _delay(self, count: int, samples: int, sample_rate: int, strength: float, device: torch.device) -> Tensor:
        """(count, samples or, up to a whole ``BLOCK``, more) in samples."""
        centre = uniform(count, self.centre, device)
        depth = torch.minimum(log_uniform(count, self.depth, device).mul_(strength), centre) * sample_rate
        # sin(a + b) from the sines of a, where a block begins, and b, within it: no sine for each sample.
        speed = (log_uniform(count, self.rate, device) * (PERIOD / sample_rate)).round_().long()
        start = radians(torch.arange(0, samples, BLOCK, device=device) * speed)
        start += uniform(count, (0.0, 2 * math.pi), device)  # (n, K)
        within = radians(torch.arange(BLOCK, device=device) * speed)  # (n, BLOCK)
        middle = (centre * sample_rate)[..., None]
        delay = torch.addcmul(middle, (depth * start.sin())[..., None], within.cos()[:, None])
        return delay.addcmul_((depth * start.cos())[..., None], within.sin()[:, None]).flatten(1)


def radians(phase: Tensor) -> Tensor:
    """Within a period, of whole ``PERIOD``-ths of it in int64: float32 would forget the phase after many periods."""
    return (phase & (PERIOD - 1)).float() * (2 * math.pi / PERIOD)


def read(audio: Tensor, delay: Tensor, longest: int) -> Tensor:
    """What sounded ``delay`` (n, L) samples ago, of 0 up to ``longest``: (n, T), (n, L) with L >= T -> (n, L).

    Zeros before the beginning and after the end. ``delay`` is written to.
    """
    samples, length = audio.shape[1], delay.shape[1]
    before, after = longest + MARGIN, length - samples + 1
    source = F.pad(audio, (before, after)).flatten()
    curvature = (source[2:] + source[:-2]).sub_(source[1:-1], alpha=2)  # second differences
    index = positions(delay, before, before + samples + after)
    fraction = delay.frac_()

    def between(values: Tensor, newer: int) -> Tensor:
        """Along the straight line from the newer to the older of two neighbours."""
        new, old = (values[offset:].index_select(0, index).view_as(fraction) for offset in (newer, newer - 1))
        return new.lerp_(old, fraction)

    # Catmull-Rom is the line, less f (1 - f) / 2 times as straight a line between the curvatures at both ends.
    line = between(source, 2)
    return line.addcmul_(between(curvature, 1), fraction.square().sub_(fraction), value=0.5)


def positions(delay: Tensor, before: int, width: int) -> Tensor:
    """Where to find the sample two before the delayed one: (n, L) -> (n * L,) indices of rows of ``width``, end to end.

    The sound begins in each row after ``before`` samples. In int32 until it must be int64, which is half of the time.
    """
    count, length = delay.shape
    begin = torch.arange(before - 2, before - 2 + count * width, width, dtype=torch.int32, device=delay.device)
    here = begin[:, None] + torch.arange(length, dtype=torch.int32, device=delay.device)
    return here.sub_(delay.int()).flatten().long()
