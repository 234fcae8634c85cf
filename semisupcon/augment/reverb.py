"""Reverberation."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.linalg import vector_norm
from torch.nn import functional as F

from semisupcon.augment.base import Transform, uniform
from semisupcon.augment.compression import log_uniform
from semisupcon.augment.delay import delayed
from semisupcon.augment.noise import white
from semisupcon.augment.spectrum import fast_length, frequencies
from semisupcon.errors import UserError

DECAY = 3 * math.log(10)  # nepers: an amplitude that has fallen by 60 dB
FRAME = 0.012  # s, about the length of the pieces that the tail is made of
REFLECTIONS = 8  # early ones, the first right after the pre-delay, the others within
EARLY = 0.05  # s after it, or, in a small room, while the tail falls by
SOON = 0.1 * DECAY  # nepers, 6 dB
LOUDEST = 2.0  # amplitude of the reverberation against the direct sound, 6 dB
TINY = 1e-20  # a response of one sample may be zero


class Reverb(Transform):
    """Adds the sound of a room: the dry sound convolved with a response, drawn for each example.

    After the pre-delay the response has a few early reflections, and a tail of Gaussian noise that decays
    exponentially (Moorer, Computer Music Journal 3(2), 1979), the faster the higher its frequency (Jot, Cerveau &
    Warusfel, AES 103, 1997). The time in which it falls by 60 dB, as Schroeder's backward integration measures it
    (JASA 37, 1965), is at the frequency f

        RT60(f) = rt60 / (1 + (f / damping)^2),

    hence ``rt60`` itself in the bands up to 500 Hz, and less over all of the spectrum. The dry sound stays in its place
    and as it is, so the sum may leave [-1, 1]; what would sound on after the end is cut off. Strength scales the
    amplitude of the reverberation, up to ``LOUDEST``.

    The reverberance r = 0..100 of sox, in CLMR, sets the feedback g = 1 - 0.7 * (0.02 / 0.7)^(r / 100) of combs with
    delays d, 31 ms on average in its largest room, whose decay time is 3 d / -log10(g): 0.18 s for 0, 1.7 s for 50,
    10.7 s for 100, nearly even on a logarithmic scale. All of it is ``rt60=(0.18, 10.7)``, which costs a third more.

    Args:
        rt60: bounds in seconds, drawn evenly on a logarithmic scale.
        damping: bounds of the frequency in Hz where the decay takes half as long, drawn likewise.
        pre_delay: bounds in seconds of the time from the direct sound to the first reflection.
        early: bounds in dB of the energy of the early reflections against that of the tail.
        wet: bounds in dB of the energy of the response against that of the direct sound, at most 6.
        p: the probability that an example is changed.

    Raises:
        UserError: bounds are not in order, times or frequencies not above 0, or ``wet`` is above 6 dB.
    """

    working = 6.3

    def __init__(
        self,
        rt60: tuple[float, float] = (0.2, 1.5),
        damping: tuple[float, float] = (3000.0, 10000.0),
        pre_delay: tuple[float, float] = (0.002, 0.03),
        early: tuple[float, float] = (-10.0, -3.0),
        wet: tuple[float, float] = (-12.0, 0.0),
        p: float = 0.5,
    ) -> None:
        super().__init__(p)
        if not (0 < rt60[0] <= rt60[1] and 0 < damping[0] <= damping[1] and 0 <= pre_delay[0] <= pre_delay[1]):
            raise UserError(
                "Reverb: rt60 in s and damping in Hz go from a low to a high one above 0, and pre_delay from 0 s on, "
                f"not {rt60}, {damping} and {pre_delay}"
            )
        if not (early[0] <= early[1] and wet[0] <= wet[1] <= 6):
            raise UserError(f"Reverb: early and wet go from low to high, wet up to 6 dB, not {early} and {wet}")
        self.rt60 = rt60
        self.damping = damping
        self.pre_delay = pre_delay
        self.early = early
        self.wet = wet

    def effect(self, audio: Tensor, sample_rate: int, strength: float) -> Tensor:
        """(n, 1, T) -> (n, 1, T)."""
        samples = audio.shape[-1]
        response = self._response(len(audio), samples, sample_rate, strength, audio.device)
        length = fast_length(samples + response.shape[1] - 1)
        spectrum = torch.fft.rfft(response, n=length)[:, None]
        del response  # its memory is needed
        spectrum *= torch.fft.rfft(audio, n=length)
        return audio.add_(torch.fft.irfft(spectrum, n=length)[..., :samples])

    def _response(self, count: int, samples: int, sample_rate: int, strength: float, device: torch.device) -> Tensor:
        """(count, at most samples), without the direct sound, which would be a first sample of 1."""
        rate = DECAY / sample_rate / log_uniform(count, self.rt60, device)  # (n, 1) nepers a sample
        response = self._tail(rate, min(samples, math.ceil(self.rt60[1] * sample_rate)), sample_rate)
        length = response.shape[1]
        # The early reflections fall like the tail, and take either side of 0.
        within = (SOON / rate).clamp_(max=min(length, EARLY * sample_rate))
        when = torch.rand(count, REFLECTIONS, device=device).mul_(within).long().clamp_(max=length - 1)
        when[:, 0] = 0
        early = torch.rand(count, REFLECTIONS, device=device).add_(0.5).mul_(torch.exp(-rate * when))
        early *= torch.randint(2, early.shape, device=device) * 2 - 1
        early *= decibels(count, self.early, device) * norm(response) / norm(early)
        response.scatter_add_(1, when, early)
        response *= (decibels(count, self.wet, device) * strength).clamp_(max=LOUDEST) / norm(response)
        wait = (uniform(count, self.pre_delay, device) * sample_rate).round_().long().clamp_(min=1).squeeze(1)
        longest = max(1, math.ceil(self.pre_delay[1] * sample_rate))
        return delayed(F.pad(response, (0, min(longest, samples - length))), wait, longest)

    def _tail(self, rate: Tensor, samples: int, sample_rate: int) -> Tensor:
        """(n, samples) of noise that falls by ``rate`` (n, 1) nepers a sample at low frequencies, faster at high ones.

        Pieces of noise with random spectra, each as loud as the decay has it in the middle of the piece, overlap by
        half; the squares of their windows add up to one.
        """
        count, device = len(rate), rate.device
        size = 2 ** round(math.log2(FRAME * sample_rate))
        hop = size // 2
        pieces = -(-samples // hop) + 1
        hertz = frequencies(size, sample_rate, device)  # (F,)
        step = rate * hop * (1 + (hertz / log_uniform(count, self.damping, device)).square_())  # (n, F)
        gain = (torch.arange(pieces, device=device)[:, None] * -step[:, None]).exp_()  # (n, M, F)
        noise = white(count, 2 * gain[0].numel(), device).view(*gain.shape, 2)
        noise = torch.fft.irfft(torch.view_as_complex(noise).mul_(gain), n=size)  # (n, M, size)
        noise *= torch.sin((torch.arange(size, device=device) + 0.5) * (math.pi / size))
        # The first piece begins half before the tail does: its rise is left out, as sound sets in at once.
        return (noise[:, :-1, hop:] + noise[:, 1:, :hop]).flatten(1)[:, :samples]


def decibels(count: int, bounds: tuple[float, float], device: torch.device) -> Tensor:
    """(count, 1) amplitudes, each drawn evenly in dB between the bounds."""
    return 10 ** (uniform(count, bounds, device) / 20)


def norm(rows: Tensor) -> Tensor:
    """(n, L) -> (n, 1), never 0."""
    return vector_norm(rows, dim=1, keepdim=True).clamp_(min=TINY)
