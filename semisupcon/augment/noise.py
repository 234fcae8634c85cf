"""Noise of any colour."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.linalg import vector_norm

from semisupcon.augment.base import Transform, uniform
from semisupcon.augment.spectrum import fast_length, frequencies

# The power of the noise is flat below: brown noise would otherwise spend itself where nobody hears it.
AUDIBLE = 20.0  # Hz

TINY = 1e-20  # a clip of one sample has no noise but its offset, which is taken away


class ColoredNoise(Transform):
    """Adds Gaussian noise whose power falls as f^-decay: 0 is white, 1 pink, 2 brown, -1 blue, -2 violet.

    The signal-to-noise ratio is exact: of the example's RMS to the RMS of the noise it gets. Silence gets none.
    Strength scales the amplitude of the noise, so the bounds of the ratio move by -20 log10(strength) dB.

    Args:
        snr: bounds of the signal-to-noise ratio in dB.
        decay: bounds of the exponent of the power spectrum, -3 dB an octave for each unit.
        p: the probability that an example is changed.
    """

    def __init__(
        self, snr: tuple[float, float] = (3.0, 30.0), decay: tuple[float, float] = (-2.0, 2.0), p: float = 0.6
    ) -> None:
        super().__init__(p)
        self.snr = snr
        self.decay = decay

    def effect(self, audio: Tensor, sample_rate: int, strength: float) -> Tensor:
        """(n, 1, T) -> (n, 1, T)."""
        count, _, samples = audio.shape
        noise = self._noise(count, samples, sample_rate, audio.device)[:, None]
        snr = uniform(count, self.snr, audio.device) - 20 * math.log10(strength)
        # The ratio of both RMS, (n, 1).
        loudness = vector_norm(audio, dim=-1) / vector_norm(noise, dim=-1).clamp(min=TINY)
        return audio.addcmul_(noise, (loudness * 10 ** (-snr / 20))[..., None])

    def _noise(self, count: int, samples: int, sample_rate: int, device: torch.device) -> Tensor:
        """(count, samples) at any level: a spectrum of Gaussian numbers, shaped, and transformed back."""
        length = fast_length(samples)
        hertz = frequencies(length, sample_rate, device)  # (F,)
        decay = uniform(count, self.decay, device)
        # Amplitude is the root of power, hence half of the exponent.
        colour = torch.exp(-decay / 2 * (hertz.clamp(min=AUDIBLE) / AUDIBLE).log())  # (count, F)
        colour[:, 0] = 0  # no offset
        spectrum = torch.randn(count, len(hertz), 2, device=device).mul_(colour[..., None])  # real and imaginary parts
        return torch.fft.irfft(torch.view_as_complex(spectrum), n=length)[:, :samples]
