"""Reverberation."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import groupby

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
ROW = 8  # pieces that share a factor of their decay
SHARE = 0.45  # of the batch, in samples, that is transformed at a time
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
    amplitude of the reverberation, up to 6 dB above the direct sound.

    The reverberance r = 0..100 of sox, in CLMR, sets the feedback g = 1 - 0.7 * (0.02 / 0.7)^(r / 100) of combs with
    delays d, 31 ms on average in its largest room, whose decay time is 3 d / -log10(g): 0.18 s for 0, 1.7 s for 50,
    10.7 s for 100, nearly even on a logarithmic scale. All of it is ``rt60=(0.18, 10.7)``, at 1.5 times the cost.

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

    takes = 0.0  # it sees itself to what it holds at once, at most three times the examples

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
        if len(audio):
            self.effect_(audio, torch.arange(len(audio)), sample_rate, strength)
        return audio

    def effect_(self, audio: Tensor, rows: Tensor, sample_rate: int, strength: float) -> None:
        """As that of ``Transform``, but rooms of about the same size are taken together, and no copy is made before."""
        samples = audio.shape[-1]
        sounds = audio.squeeze(1)
        for some, rt60, length in self._alike(len(rows), samples, sample_rate):
            here = rows[some].to(audio.device, non_blocking=True)
            both = audio.new_empty(2, len(some), length)  # sounds and responses
            torch.index_select(sounds, 0, here, out=both[0, :, :samples])
            both[0, :, samples:] = 0
            self._respond(both[1].zero_(), rt60, samples, sample_rate, strength)
            spectra = torch.fft.rfft(both)  # at once, because the tables of so long a transform take their time
            del both  # its memory is needed
            product = spectra[0].mul_(spectra[1])
            sounds.index_copy_(0, here, torch.fft.irfft(product, n=length)[:, :samples])

    def _alike(self, count: int, samples: int, sample_rate: int) -> Iterator[tuple[Tensor, Tensor, int]]:
        """Draw decay times, and give which examples (m,) have similar ones, those (m,) in s, and samples to transform.

        Small rooms need short transforms. All of it is on the host: a GPU would have to be waited for.
        """
        rt60, order = log_uniform(count, self.rt60, torch.device("cpu")).squeeze(1).sort()
        lengths = [fast_length(samples + self._wait(sample_rate) + size) for size in heard(rt60, samples, sample_rate)]
        first = 0
        for length, same in groupby(lengths):
            size = len(list(same))
            at_once = max(1, int(SHARE * count * samples / length))
            for part in torch.arange(first, first + size).split(at_once):
                yield order[part], rt60[part], length
            first += size

    def _respond(self, out: Tensor, rt60: Tensor, samples: int, sample_rate: int, strength: float) -> None:
        """Write the responses, the direct sound with them, to ``out`` (m, L), which is of zeros.

        Args:
            out: where to.
            rt60: (m,) s, ascending, on the host.
            samples: of the sound; more of a response is not heard.
            sample_rate: Hz.
            strength: of the reverberation.
        """
        count, device = len(out), out.device
        size = heard(rt60[-1:], samples, sample_rate)[0]
        rate = DECAY / sample_rate / rt60.to(device, non_blocking=True)[:, None]  # (m, 1) nepers a sample
        response = self._tail(rate, size, sample_rate)
        # The early reflections fall like the tail, and take either side of 0.
        within = (SOON / rate).clamp_(max=min(size, EARLY * sample_rate))
        when = torch.rand(count, REFLECTIONS, device=device).mul_(within).long().clamp_(max=size - 1)
        when[:, 0] = 0
        early = torch.rand(count, REFLECTIONS, device=device).add_(0.5).mul_(torch.exp(-rate * when))
        early *= torch.randint(2, early.shape, device=device) * 2 - 1
        early *= decibels(count, self.early, device) * norm(response) / norm(early)
        for place, amplitude in zip(when.split(1, 1), early.split(1, 1), strict=True):
            response.scatter_add_(1, place, amplitude)  # one by one: where two meet, a GPU adds in any order
        response *= (decibels(count, self.wet, device) * strength).clamp_(max=LOUDEST) / norm(response)
        wait = (uniform(count, self.pre_delay, device) * sample_rate).round_().long().clamp_(min=1).squeeze(1)
        longest = self._wait(sample_rate)
        response = F.pad(response, (0, longest))
        out[:, : size + longest] = delayed(response, wait, longest)
        out[:, 0] = 1

    def _wait(self, sample_rate: int) -> int:
        """The longest pre-delay in samples, rounded up."""
        return max(1, math.ceil(self.pre_delay[1] * sample_rate))

    def _tail(self, rate: Tensor, samples: int, sample_rate: int) -> Tensor:
        """(m, samples) of noise that falls by ``rate`` (m, 1) nepers a sample at low frequencies, faster at high ones.

        Pieces of noise with random spectra overlap by a quarter, where the squares of their windows add up to one.
        Low frequencies decay within a piece, too; what high ones decay faster is that of its middle.
        """
        count, device = len(rate), rate.device
        size = 2 ** round(math.log2(FRAME * sample_rate))
        fade = size // 4
        hop = size - fade
        rows = -(-(samples + fade) // (hop * ROW))
        hertz = frequencies(size, sample_rate, device).repeat_interleave(2)  # (2 F,): real and imaginary parts
        excess = rate * (hertz / log_uniform(count, self.damping, device)).square_()  # (m, 2 F)
        step = hop * (rate + excess)[:, None]  # (m, 1, 2 F) nepers a piece
        noise = white(count, rows * ROW * len(hertz), device).view(count, rows, ROW, -1)
        # Piece number ROW * r + k by two factors, which have few different values.
        noise *= (-ROW * step * torch.arange(rows, device=device)[:, None]).exp_()[:, :, None]
        first = excess[:, None] * (size // 2 - fade)
        noise *= (-step * torch.arange(ROW, device=device)[:, None] - first).exp_()[:, None]
        pieces = torch.fft.irfft(torch.view_as_complex(noise.view(count, rows * ROW, -1, 2)), n=size)  # (m, M, size)
        quarter = (torch.arange(fade, device=device) + 0.5) * (math.pi / 2 / fade)
        pieces[:, 1:, :fade] *= torch.sin(quarter)
        pieces[:, :-1, hop:] *= (torch.cos(quarter) * torch.exp(-rate * hop))[:, None]
        pieces[:, 1:, :fade] += pieces[:, :-1, hop:]
        pieces[:, :, :hop] *= torch.exp(-rate * torch.arange(hop, device=device))[:, None]
        # Without the overlap before the first piece, as sound sets in at once.
        return pieces[:, :, :hop].flatten(1)[:, fade : fade + samples]


def heard(rt60: Tensor, samples: int, sample_rate: int) -> list[int]:
    """Samples of the responses to render for decay times (n,) in s on the host: down to -60 dB or to the end."""
    return (rt60 * sample_rate).ceil_().long().clamp_(min=1, max=samples).tolist()


def decibels(count: int, bounds: tuple[float, float], device: torch.device) -> Tensor:
    """(count, 1) amplitudes, each drawn evenly in dB between the bounds."""
    return 10 ** (uniform(count, bounds, device) / 20)


def norm(rows: Tensor) -> Tensor:
    """(n, L) -> (n, 1), never 0."""
    return vector_norm(rows, dim=1, keepdim=True).clamp_(min=TINY)
