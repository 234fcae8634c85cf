"""Noise of any colour."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.linalg import vector_norm

from semisupcon.augment.base import Transform, uniform
from semisupcon.augment.spectrum import fast_length, frequencies, workspace
from semisupcon.errors import UserError

# The power of the noise is flat below: brown noise would otherwise spend itself where nobody hears it.
AUDIBLE = 20.0  # Hz

TINY = 1e-20  # a clip of one sample has no noise but its offset, which is taken away


class Noise(Transform):
    """Adds what ``noise`` gives, at an exact signal-to-noise ratio.

    The ratio is that of the example's RMS to the RMS of the noise it gets; silence gets none. Strength scales the
    amplitude of the noise, so the bounds move by -20 log10(strength) dB. The sum may leave [-1, 1].

    Args:
        snr: bounds of the signal-to-noise ratio in dB.
        p: the probability that an example is changed.

    Raises:
        UserError: the bounds are not in order.
    """

    def __init__(self, snr: tuple[float, float], p: float) -> None:
        super().__init__(p)
        if not snr[0] <= snr[1]:
            raise UserError(f"{type(self).__name__}: snr goes from low to high, not {snr}")
        self.snr = snr

    def noise(self, count: int, samples: int, sample_rate: int, device: torch.device) -> Tensor:
        """(count, 1, samples) at any level."""
        raise NotImplementedError(f"{type(self).__name__} has no noise")

    def effect(self, audio: Tensor, sample_rate: int, strength: float) -> Tensor:
        """(n, 1, T) -> (n, 1, T)."""
        count, _, samples = audio.shape
        noise = self.noise(count, samples, sample_rate, audio.device)
        snr = uniform(count, self.snr, audio.device) - 20 * math.log10(strength)
        # The ratio of both RMS, (n, 1).
        loudness = vector_norm(audio, dim=-1) / vector_norm(noise, dim=-1).clamp(min=TINY)
        return audio.addcmul_(noise, (loudness * 10 ** (-snr / 20))[..., None])


class WhiteNoise(Noise):
    """Adds white Gaussian noise, by default as soft and as rarely as CLMR (Spijkervet & Burgoyne, ISMIR 2021) does.

    Signal-to-noise ratio, silence and strength are as for ``Noise``.

    Args:
        snr: bounds of the signal-to-noise ratio in dB.
        p: the probability that an example is changed.
    """

    takes = 1.0

    def __init__(self, snr: tuple[float, float] = (46.0, 60.0), p: float = 0.01) -> None:
        super().__init__(snr, p)

    def noise(self, count: int, samples: int, sample_rate: int, device: torch.device) -> Tensor:
        """(count, 1, samples)."""
        return torch.randn(count, 1, samples, device=device)


class ColoredNoise(Noise):
    """Adds Gaussian noise whose power falls as f^-decay: 0 is white, 1 pink, 2 brown, -1 blue, -2 violet.

    Signal-to-noise ratio, silence and strength are as for ``Noise``.

    Args:
        snr: bounds of the signal-to-noise ratio in dB.
        decay: bounds of the exponent of the power spectrum, -3 dB an octave for each unit.
        p: the probability that an example is changed.

    Raises:
        UserError: bounds are not in order.
    """

    takes = 3.2  # for each sample of the transform

    def __init__(
        self, snr: tuple[float, float] = (3.0, 30.0), decay: tuple[float, float] = (-2.0, 2.0), p: float = 0.6
    ) -> None:
        super().__init__(snr, p)
        if not decay[0] <= decay[1]:
            raise UserError(f"ColoredNoise: decay goes from low to high, not {decay}")
        self.decay = decay

    def working(self, samples: int, sample_rate: int, strength: float, device: torch.device) -> float:
        """As of ``Transform``: that of the Fourier transform."""
        return (self.takes + workspace(device)) * fast_length(samples) / samples

    def noise(self, count: int, samples: int, sample_rate: int, device: torch.device) -> Tensor:
        """(count, 1, samples): a white spectrum, shaped, and transformed back."""
        length = fast_length(samples)
        hertz = frequencies(length, sample_rate, device)  # (F,)
        # Amplitude is the root of power, hence half of the exponent.
        colour = (uniform(count, self.decay, device) * hertz.clamp(min=AUDIBLE).div_(AUDIBLE).log_().mul_(-0.5)).exp_()
        colour[:, 0] = 0  # no offset
        spectrum = torch.view_as_complex(white(count, 2 * len(hertz), device).view(count, -1, 2)).mul_(colour)
        return torch.fft.irfft(spectrum, n=length)[:, None, :samples]


def white(count: int, values: int, device: torch.device) -> Tensor:
    """(count, values) independent numbers of no mean, drawn from 256 levels: eight for each 64-bit random number.

    As the parts of a spectrum they make Gaussian noise, because each of its samples is a sum of all of them; drawing
    Gaussian ones takes four times as long.
    """
    words = torch.empty(count, -(-values // 8), dtype=torch.int64, device=device).random_(-(2**63), None)
    return words.view(torch.int8)[:, :values].float().add_(0.5)
