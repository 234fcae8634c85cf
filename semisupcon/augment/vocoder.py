"""A phase vocoder: sound drawn out or pressed together at the pitch it has.

With the phase locking of Laroche & Dolson, "Improved phase vocoder time-scale modification of audio", IEEE Trans.
Speech Audio Process. 7(3), 1999, and the pairs of frames of Puckette, "Phase-locked vocoder", WASPAA 1995: the spectrum
X that belongs at an output frame, and B, one hop before it in the source. How far a phase has to turn from one output
frame to the next is then how far it turns from B to X, and nothing needs to be unwrapped:

    Y_i = X_i R_i,    R_i = R_(i-1) U_i,    U_i = X_(i-1) B_i* / |X_(i-1) B_i|.

R rotates the source. The bins around a peak take over its rotation, so that they turn together: tones do not flutter.
And where most of the spectrum sets in at once, the R of what does begins again at 1, so that an attack is as sharp as
it was, and in its place.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from semisupcon.augment.spectrum import fast_length

HOP = 0.0116  # s, about: 256 samples at 22,050 Hz
OVERLAP = 4  # hops to a window
LEAD = 3  # hops: the result begins so long before the audio does
# Frames at a time. What 8 take stays in a processor's cache; a GPU is given fewer and larger pieces of work. More than
# 16 leave memory for fewer clips at a time, and the steps from frame to frame are launched for each lot of clips.
ON_CPU, ON_GPU = 8, 16
FOR_A_HOP, FOR_A_FINER_HOP = 25, 4  # numbers of float32 that a frame takes at once, for each sample of its hop
SPARSE = 4  # one bin of so many is asked whether most of them set in
SILENT = 1e-24  # |X B|^2 of a tone 1e-8 of full scale is more


def hop_length(sample_rate: int) -> int:
    """Samples from one frame to the next; a window is ``OVERLAP`` of them."""
    return fast_length(round(HOP * sample_rate))


def count_frames(samples: int, hop: int) -> int:
    """Frames that so many samples of the result are made of."""
    return math.ceil(samples / hop) + 3


def at_once(samples: int, hop: int, device: torch.device) -> int:
    """Frames that are worked on at a time; of few a quarter, as they would take many times what a short clip does."""
    return min(ON_CPU if device.type == "cpu" else ON_GPU, -(-count_frames(samples, hop) // 4))


def working(samples: int, longest: int, hop: int, device: torch.device, finer: int = 1) -> float:
    """Numbers of float32 that ``stretch`` holds at once for a clip of so many samples, and as many as ``longest`` made.

    Those are the clip between two windows of silence, the result, what goes from one frame to the next (12 for each
    sample of a hop), and of the frames at a time spectra, powers and indices.
    """
    source, result = samples + 2 * OVERLAP * hop, finer * (longest + 7 * hop)
    return source + result + 12 * hop + (FOR_A_HOP + FOR_A_FINER_HOP * finer) * at_once(longest, hop, device) * hop


def stretch(audio: Tensor, ratio: Tensor, samples: int, hop: int, gain: Tensor | None = None, finer: int = 1) -> Tensor:
    """What sounds at time t sounds at ``ratio * t``, with its pitch and level. A ratio of 1 gives the audio back.

    Args:
        audio: (n, T); silence comes before and after it.
        ratio: (n, 1), of the durations after and before.
        samples: how many of the result are wanted.
        hop: samples from one frame to the next; see ``hop_length``.
        gain: (n, 2 * hop + 1) complex, of the bins from 0 Hz to half the sample rate; none leaves them alone.
        finer: the result has this many samples for each sample of the audio.

    Returns:
        (n, more than finer * (LEAD * hop + samples + hop)), of which the first is at time -LEAD * hop.
    """
    length = OVERLAP * hop
    frames = count_frames(samples, hop)
    begins = starts(ratio, frames, hop, audio.shape[1])
    pieces = F.pad(audio, (length, length)).flatten().unfold(0, length, 1)
    window = torch.hann_window(length, device=audio.device)
    fade = torch.hann_window(finer * length, device=audio.device).mul_(finer / 1.5)  # Hann^2 adds up to 1.5
    result = audio.new_zeros(len(audio), frames + OVERLAP - 1, finer * hop)
    rotation = torch.ones(len(audio), length // 2 + 1, dtype=torch.complex64, device=audio.device)
    before = torch.zeros_like(rotation)
    many = at_once(samples, hop, audio.device)
    spectrum = rotation.new_zeros(many, len(audio), finer * length // 2 + 1)  # finer samples: silent bins above
    for first in range(0, frames, many):
        early, here = analyse(pieces, begins[first : first + many], window)
        turned = rotate(early, here, before, rotation)
        before, rotation = here[-1].clone(), turned[-1].clone()  # as views they would keep all of the frames
        heard = torch.mul(here, turned, out=spectrum[: len(here), :, : here.shape[2]])
        if gain is not None:
            heard.mul_(gain)
        del early, here, turned  # their memory is needed
        overlap_add_(result[:, first:], spectrum[: len(heard)], fade)
    return result.flatten(1)


def starts(ratio: Tensor, frames: int, hop: int, samples: int) -> Tensor:
    """(frames, 2, n) where the windows begin in the padded clips laid end to end: those of B, and those of X."""
    length = OVERLAP * hop
    # Output frame i is centred at (i - 1) * hop, its source at 1 / ratio of that, and the padding hides the window.
    centre = torch.arange(-1, frames - 1, device=ratio.device)[:, None] * hop / ratio.T
    here = centre.round_().long().add_(length // 2)
    clips = torch.arange(len(ratio), device=ratio.device) * (samples + 2 * length)
    return torch.stack((here - hop, here), 1).clamp_(0, samples + length).add_(clips)


def analyse(pieces: Tensor, begins: Tensor, window: Tensor) -> tuple[Tensor, Tensor]:
    """B and X, each (A, n, F), of the windows that begin at (A, 2, n)."""
    source = pieces.index_select(0, begins.flatten()).view(*begins.shape, len(window))
    early, here = torch.fft.rfft(source.mul_(window)).unbind(1)
    return early, here


def rotate(early: Tensor, here: Tensor, before: Tensor, rotation: Tensor) -> Tensor:
    """R of some frames, (A, n, F) complex, in place of B.

    Args:
        early: B of the frames; written to.
        here: X of the frames.
        before: (n, F) X of the frame before them.
        rotation: (n, F) R of the frame before them.
    """
    was, loudness = power(early), power(here)
    turn = with_before(early.conj_physical_(), here, before, early)
    size = with_before(was, loudness, power(before), torch.empty_like(was))
    scale = (size + SILENT).rsqrt_().mul_(lasting(was, loudness))
    # |U| is 1, but 0 where a sound sets in or where there is none: there R is 1.
    start = torch.addcmul(scale.new_ones(()), scale.square(), size, value=-1).to(turn.dtype)
    turn.mul_(scale)
    del was, size, scale  # their memory is needed
    for new, step, leader in zip(start, turn, peak(loudness), strict=True):
        rotation = torch.gather(torch.addcmul(new, rotation, step), 1, leader, out=step)
    return turn


def with_before(early: Tensor, here: Tensor, before: Tensor, out: Tensor) -> Tensor:
    """(A, n, F), the product of each frame of ``early`` and the frame before it of ``here``, written to ``out``."""
    torch.mul(early[0], before, out=out[0])
    torch.mul(early[1:], here[:-1], out=out[1:])
    return out


def power(spectrum: Tensor) -> Tensor:
    """|X|^2."""
    return (spectrum.real * spectrum.real).addcmul_(spectrum.imag, spectrum.imag)


def lasting(early: Tensor, here: Tensor) -> Tensor:
    """(A, n, F) |B|^2, which is written to, and |X|^2 -> (A, n, F): 0 where a sound sets in, else 1.

    It is where a bin is 6 dB louder than one hop before, if most of the bins are; otherwise a tone glides. What is
    60 dB below the peak does not count: beside a low tone, that much comes and goes with the tone's phase.
    """
    limit = early.mul_(4).add_(here.amax(-1, keepdim=True), alpha=1e-6)
    louder = here[..., ::SPARSE] > limit[..., ::SPARSE]
    most = louder.sum(-1, keepdim=True) * 2 > louder.shape[-1]
    return limit.add_(torch.where(most, 0.0, math.inf)).ge_(here)


def peak(power: Tensor) -> Tensor:
    """(..., F) -> (..., F) the number of the bin at which one arrives by four steps to the loudest neighbour."""
    bins = power.shape[-1]
    low = (1 << bins.bit_length()) - 1
    # As integers, positive floats are in the same order; the last bits of each make room for its number.
    number = torch.arange(bins, dtype=torch.int32, device=power.device)
    ranked = F.pad(power.view(torch.int32).bitwise_and_(~low).bitwise_or_(number), (1, 1))
    leader = torch.maximum(torch.maximum(ranked[..., :-2], ranked[..., 1:-1]), ranked[..., 2:]).bitwise_and_(low)
    del ranked  # its memory is needed
    leader = leader.long()  # one step; from there to the leader's leader are two, and four
    leader = leader.gather(-1, leader)
    return leader.gather(-1, leader)


def overlap_add_(result: Tensor, spectrum: Tensor, fade: Tensor) -> None:
    """Adds the frames (A, n, F), faded in and out, to the hops (n, at least A + OVERLAP - 1, hop) of the result."""
    sound = torch.fft.irfft(spectrum, n=len(fade)).transpose(0, 1)  # (n, A, OVERLAP * hop)
    for part, (piece, weight) in enumerate(zip(sound.chunk(OVERLAP, 2), fade.chunk(OVERLAP), strict=True)):
        result[:, part : part + len(spectrum)].addcmul_(piece, weight)
