"""Butterworth filters of order 4 without phase, for each example with edges of its own.

Applied in the frequency domain with the magnitude that ``scipy.signal.butter(4, ..., fs=rate)`` has: -3 dB at the
stated cut-off. (Those of torch-audiomentations are at -6 dB there.)
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from semisupcon.augment.base import OneOf, Transform, uniform
from semisupcon.augment.spectrum import fast_length, frequencies

LOWEST = 1.0  # Hz, of an edge
HIGHEST = 0.49  # of the sample rate
PADDING = 0.1  # s of zeros, so that what rings out at one end does not come in at the other


class Filter(Transform):
    """A filter given by its ``ratio``."""

    def ratio(self, frequency: Tensor, count: int, sample_rate: int, strength: float) -> Tensor:
        """(F,) warped frequencies -> (count, F): 1 in absolute value at a cut-off, less where sound may pass."""
        raise NotImplementedError(f"{type(self).__name__} has no ratio")

    def effect(self, audio: Tensor, sample_rate: int, strength: float) -> Tensor:
        """(n, 1, T) -> (n, 1, T)."""
        count, _, samples = audio.shape
        length = fast_length(samples + math.ceil(PADDING * sample_rate))
        frequency = warped(frequencies(length, sample_rate, audio.device), sample_rate)
        ratio = self.ratio(frequency, count, sample_rate, strength)
        # |H|^2 = 1 / (1 + ratio^8) is the Butterworth magnitude of order 4. Overflow to infinity is right: |H| = 0.
        magnitude = ratio.square_().square_().square_().add_(1).rsqrt_()
        spectrum = torch.fft.rfft(audio, n=length)  # (n, 1, F)
        # Of real numbers: a complex product would first make a complex copy of the magnitude.
        torch.view_as_real(spectrum).mul_(magnitude[:, None, :, None])
        return torch.fft.irfft(spectrum, n=length)[..., :samples]


class LowPass(Filter):
    """Takes away what is above the cut-off. Strength divides the cut-off: no strength, no filter.

    Args:
        cutoff: bounds in Hz, drawn evenly on the mel scale.
        p: the probability that an example is changed.
    """

    def __init__(self, cutoff: tuple[float, float] = (150.0, 7500.0), p: float = 0.3) -> None:
        super().__init__(p)
        self.cutoff = cutoff

    def ratio(self, frequency: Tensor, count: int, sample_rate: int, strength: float) -> Tensor:
        """(F,) -> (count, F)."""
        return frequency / edge(mel_uniform(count, self.cutoff, frequency.device) / strength, sample_rate)


class HighPass(Filter):
    """Takes away what is below the cut-off. Strength multiplies the cut-off: no strength, no filter.

    Args:
        cutoff: bounds in Hz, drawn evenly on the mel scale.
        p: the probability that an example is changed.
    """

    def __init__(self, cutoff: tuple[float, float] = (200.0, 2400.0), p: float = 0.3) -> None:
        super().__init__(p)
        self.cutoff = cutoff

    def ratio(self, frequency: Tensor, count: int, sample_rate: int, strength: float) -> Tensor:
        """(F,) -> (count, F)."""
        return edge(mel_uniform(count, self.cutoff, frequency.device) * strength, sample_rate) / frequency


class BandPass(Filter):
    """Leaves a band. Strength divides its width: no strength, no filter.

    Args:
        center: bounds in Hz, drawn evenly on the mel scale.
        bandwidth: bounds of the width over the centre; the edges are at ``center * (1 -+ bandwidth / 2)``.
        p: the probability that an example is changed.
    """

    def __init__(
        self,
        center: tuple[float, float] = (200.0, 4000.0),
        bandwidth: tuple[float, float] = (0.5, 1.99),
        p: float = 0.3,
    ) -> None:
        super().__init__(p)
        self.center = center
        self.bandwidth = bandwidth

    def ratio(self, frequency: Tensor, count: int, sample_rate: int, strength: float) -> Tensor:
        """(F,) -> (count, F)."""
        width = uniform(count, self.bandwidth, frequency.device) / strength
        low, high = band(mel_uniform(count, self.center, frequency.device), width, sample_rate)
        return (frequency.square() - low * high) / ((high - low) * frequency)


class BandStop(Filter):
    """Takes a band away. Strength multiplies its width, up to ``WIDEST``, so that something is left.

    Args:
        center: bounds in Hz, drawn evenly on the mel scale.
        bandwidth: bounds of the width over the centre; the edges are at ``center * (1 -+ bandwidth / 2)``.
        p: the probability that an example is changed.
    """

    WIDEST = 1.99

    def __init__(
        self,
        center: tuple[float, float] = (200.0, 4000.0),
        bandwidth: tuple[float, float] = (0.5, 1.99),
        p: float = 0.3,
    ) -> None:
        super().__init__(p)
        self.center = center
        self.bandwidth = bandwidth

    def ratio(self, frequency: Tensor, count: int, sample_rate: int, strength: float) -> Tensor:
        """(F,) -> (count, F)."""
        width = (uniform(count, self.bandwidth, frequency.device) * strength).clamp(max=self.WIDEST)
        low, high = band(mel_uniform(count, self.center, frequency.device), width, sample_rate)
        return (high - low) * frequency / (frequency.square() - low * high)


class Filtering(OneOf):
    """A band-pass, band-stop, high-pass or low-pass filter, each as likely, with the ranges of the paper.

    Args:
        p: the probability that an example gets one of them.
    """

    def __init__(self, p: float = 0.3) -> None:
        super().__init__([BandPass(), BandStop(), HighPass(), LowPass()], p)


def warped(hertz: Tensor, sample_rate: int) -> Tensor:
    """The frequency of the analogue filter that the bilinear transform puts at ``hertz``, but for a constant factor."""
    return torch.tan(torch.pi * hertz / sample_rate)


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
