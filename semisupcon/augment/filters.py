"""Butterworth filters of order 4 without phase, for each example with edges of its own.

Applied in the frequency domain with the magnitude that ``scipy.signal.butter(4, ..., fs=rate)`` has: -3 dB at the
stated cut-off, 24 dB an octave beyond it. (Those of torch-audiomentations are at -6 dB there.)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import ClassVar, cast

import torch
from torch import Tensor

from semisupcon.augment.base import OneOf, Transform, uniform
from semisupcon.augment.spectrum import fast_length, frequencies, workspace
from semisupcon.errors import UserError

Bounds = tuple[float, float]

LOWEST = 1.0  # Hz, of an edge
HIGHEST = 0.49  # of the sample rate
PADDING = 0.1  # s of zeros, so that what rings out at one end does not come in at the other
EXTREMES = (1e-6, 1e4)  # warped kHz, in place of 0 and of the infinity that half the sample rate is warped to


class Filter(Transform):
    """A filter given by the ``steepness`` of its band; ``stops`` says whether the band is taken away or left."""

    takes = 3.2  # for each sample of the transform
    stops: ClassVar[bool] = False

    def working(self, samples: int, sample_rate: int, strength: float, device: torch.device) -> float:
        """As of ``Transform``: that of the Fourier transforms of the padded sound."""
        return (self.takes + workspace(device)) * padded(samples, sample_rate) / samples

    def steepness(self, axis: Tensor, sample_rate: int, count: int, strength: float) -> Tensor:
        """(2, F) of ``warped_axis`` -> (count, F): 1 at an edge, less within the band, to the eighth power."""
        raise NotImplementedError(f"{type(self).__name__} has no steepness")

    def magnitude(self, length: int, sample_rate: int, count: int, strength: float, device: torch.device) -> Tensor:
        """(count, F) of the bins of ``torch.fft.rfft`` for ``length`` samples."""
        power = self.steepness(warped_axis(length, sample_rate, device), sample_rate, count, strength)
        if self.stops:
            power.reciprocal_()
        # |H|^2 = 1 / (1 + ratio^8) is the Butterworth magnitude of order 4. Overflow to infinity is right: |H| = 0.
        return power.add_(1).rsqrt_()

    def effect(self, audio: Tensor, sample_rate: int, strength: float) -> Tensor:
        """(n, 1, T) -> (n, 1, T)."""
        length = padded(audio.shape[-1], sample_rate)
        return filtered(audio, self.magnitude(length, sample_rate, len(audio), strength, audio.device), length)


class Edge(Filter):
    """A low or high pass; its cut-offs are above 0 Hz and in order, or there is a ``UserError``."""

    def __init__(self, cutoff: Bounds, p: float) -> None:
        super().__init__(p)
        if not 0 < cutoff[0] <= cutoff[1]:
            raise UserError(f"{type(self).__name__}: cut-offs go from a low to a high one above 0 Hz, not {cutoff}")
        self.cutoff = cutoff

    def steepness(self, axis: Tensor, sample_rate: int, count: int, strength: float) -> Tensor:
        """(2, F) -> (count, F): (f / cutoff)^8."""
        cutoff = mel_uniform(count, self.cutoff, axis.device)
        cutoff = edge(cutoff * strength if self.stops else cutoff / strength, sample_rate)
        return (axis[0] * cutoff.reciprocal_()).square_().square_().square_()


class LowPass(Edge):
    """Takes away what is above the cut-off. Strength divides the cut-off: no strength, no filter.

    Args:
        cutoff: bounds in Hz, drawn evenly on the mel scale.
        p: the probability that an example is changed.
    """

    def __init__(self, cutoff: Bounds = (150.0, 7500.0), p: float = 0.3) -> None:
        super().__init__(cutoff, p)


class HighPass(Edge):
    """Takes away what is below the cut-off. Strength multiplies the cut-off: no strength, no filter.

    Args:
        cutoff: bounds in Hz, drawn evenly on the mel scale.
        p: the probability that an example is changed.
    """

    stops: ClassVar[bool] = True

    def __init__(self, cutoff: Bounds = (200.0, 2400.0), p: float = 0.3) -> None:
        super().__init__(cutoff, p)


class Band(Filter):
    """A band-pass or band-stop filter.

    Args:
        center: bounds in Hz, drawn evenly on the mel scale.
        bandwidth: bounds of the width over the centre; the edges are at ``center * (1 -+ bandwidth / 2)``.
        p: the probability that an example is changed.

    Raises:
        UserError: the bounds are not in order, the centre is below ``LOWEST``, or the band has no width.
    """

    WIDEST: ClassVar[float] = 1.99  # of a band that is taken away, so that something is left

    def __init__(self, center: Bounds = (200.0, 4000.0), bandwidth: Bounds = (0.5, 1.99), p: float = 0.3) -> None:
        super().__init__(p)
        if not (LOWEST <= center[0] <= center[1] and 0 < bandwidth[0] <= bandwidth[1]):
            raise UserError(f"{type(self).__name__}: centres from 1 Hz, widths above 0, not {center} and {bandwidth}")
        self.center = center
        self.bandwidth = bandwidth

    def steepness(self, axis: Tensor, sample_rate: int, count: int, strength: float) -> Tensor:
        """(2, F) -> (count, F): ((f^2 - low high) / (f (high - low)))^8."""
        width = uniform(count, self.bandwidth, axis.device)
        width = (width * strength).clamp(max=self.WIDEST) if self.stops else width / strength
        low, high = band(mel_uniform(count, self.center, axis.device), width, sample_rate)
        scale = (high - low).reciprocal_()
        return (axis[0] * scale).addcmul_(axis[1], low * high * scale, value=-1).square_().square_().square_()


class BandPass(Band):
    """Leaves a band. Strength divides its width: no strength, no filter. The arguments are those of ``Band``."""


class BandStop(Band):
    """Takes a band away. Strength multiplies its width, up to 1.99 centres. The arguments are those of ``Band``."""

    stops: ClassVar[bool] = True


class Filtering(OneOf):
    """One of several filters, each as likely: a band-pass, band-stop, high-pass or low-pass with the paper's ranges.

    All examples are filtered together, which costs half of what ``OneOf`` would.

    Args:
        p: the probability that an example gets one of them.
        filters: to choose from, instead of these four.
    """

    def __init__(self, p: float = 0.3, filters: Sequence[Filter] | None = None) -> None:
        super().__init__([BandPass(), BandStop(), HighPass(), LowPass()] if filters is None else filters, p)

    def working(self, samples: int, sample_rate: int, strength: float, device: torch.device) -> float:
        """As of ``Transform``: that of a filter, and the magnitudes of one kind beside those of all."""
        return (Filter.takes + 0.6 + workspace(device)) * padded(samples, sample_rate) / samples

    def effect(self, audio: Tensor, sample_rate: int, strength: float) -> Tensor:
        """(n, 1, T) -> (n, 1, T)."""
        length = padded(audio.shape[-1], sample_rate)
        drawn = torch.randint(len(self.transforms), (len(audio),))  # on the host, as in OneOf
        magnitude = audio.new_empty(len(audio), length // 2 + 1)
        for number, kind in enumerate(cast(list[Filter], self.transforms)):  # a ModuleList forgets what it holds
            rows = (drawn == number).nonzero().squeeze(1)
            some = kind.magnitude(length, sample_rate, len(rows), strength, audio.device)
            magnitude.index_copy_(0, rows.to(audio.device, non_blocking=True), some)
        return filtered(audio, magnitude, length)


def padded(samples: int, sample_rate: int) -> int:
    """Samples of the transform."""
    return fast_length(samples + math.ceil(PADDING * sample_rate))


def filtered(audio: Tensor, magnitude: Tensor, length: int) -> Tensor:
    """(n, 1, T), (n, F) -> (n, 1, T)."""
    spectrum = torch.fft.rfft(audio, n=length).mul_(magnitude[:, None])  # (n, 1, F)
    return torch.fft.irfft(spectrum, n=length)[..., : audio.shape[-1]]


@lru_cache(maxsize=8)
def warped_axis(length: int, sample_rate: int, device: torch.device) -> Tensor:
    """(2, F), warped frequencies of the bins of ``torch.fft.rfft``, and one over each. Not to be written to."""
    # Beyond half the sample rate, where rounding may put the last bin, the tangent is negative.
    # On the host, in double precision, which not every device has.
    hertz = frequencies(length, sample_rate, torch.device("cpu")).double()
    axis = warped(hertz, sample_rate).abs_().clamp_(*EXTREMES)
    return torch.stack([axis, axis.reciprocal()]).float().to(device)


def warped(hertz: Tensor, sample_rate: int) -> Tensor:
    """The frequency, in kHz, of the analogue filter that the bilinear transform puts at ``hertz``."""
    return torch.tan(torch.pi * hertz / sample_rate) * (sample_rate / (1000 * torch.pi))


def edge(hertz: Tensor, sample_rate: int) -> Tensor:
    """A cut-off, warped, moved to where a filter can have it: (n, 1) -> (n, 1)."""
    return warped(hertz.clamp(LOWEST, HIGHEST * sample_rate), sample_rate)


def band(center: Tensor, width: Tensor, sample_rate: int) -> tuple[Tensor, Tensor]:
    """Both edges, warped; the lower one leaves the upper one some room: (n, 1), (n, 1) -> (n, 1), (n, 1)."""
    low = (center * (1 - width / 2)).clamp(max=(HIGHEST - 0.01) * sample_rate)
    return edge(low, sample_rate), edge(center * (1 + width / 2), sample_rate)


def mel_uniform(count: int, bounds: tuple[float, float], device: torch.device) -> Tensor:
    """(count, 1) Hz, drawn evenly on the mel scale (O'Shaughnessy 1987: 2595 log10(1 + f / 700))."""
    low, high = (math.log1p(hertz / 700) for hertz in bounds)
    return 700 * torch.expm1(uniform(count, (low, high), device))
