"""One note of one player: additive synthesis with an envelope for each partial, FM, breath and strike noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Wave = npt.NDArray[np.float32]

RATE = 22_050  # Hz; everything is synthesised here, so that what a file holds does not depend on its own rate
_TOP = 9_500.0  # Hz, no partial above
_A4 = 69


@dataclass(frozen=True)
class Timbre:
    """How one player sounds.

    Args:
        ratios: frequencies of the partials over the fundamental.
        jitter: dB, each partial's own deviation, the player's signature; as long as ``ratios``.
        tilt: dB per octave above the fundamental.
        even: dB on the even partials (a closed pipe has hardly any).
        comb: where a string is plucked, or the duty of a pulse: partial k is weighted |sin(pi k comb)|; 0 = not.
        peaks: resonances of the body or the vocal tract as (Hz, dB, width in octaves).
        stretch: inharmonicity B of a stiff string, f_k = k f_0 sqrt(1 + B k^2).
        attack: seconds.
        decay: seconds until the fundamental has fallen by 1/e; 0 = sustained.
        damping: how much faster partial k decays, relative to the fundamental, per partial.
        release: seconds after the end of a note.
        bloom: how much later and weaker the high partials come in a soft attack.
        breath: dB of noise under the whole note, relative to the tone.
        strike: dB of noise in the first 15 ms, relative to the tone.
        index: FM index at the onset; 0 = additive.
        ratio: FM modulator frequency over the carrier's.
        index_decay: seconds until the FM index has fallen by 1/e.
        vibrato: Hz and cents of the player's vibrato.
        tremolo: Hz of the player's tremolo.
    """

    ratios: tuple[float, ...]
    jitter: tuple[float, ...]
    tilt: float
    even: float
    comb: float
    peaks: tuple[tuple[float, float, float], ...]
    stretch: float
    attack: float
    decay: float
    damping: float
    release: float
    bloom: float
    breath: float
    strike: float
    index: float
    ratio: float
    index_decay: float
    vibrato: tuple[float, float]
    tremolo: float


def hertz(midi: float) -> float:
    """The frequency of a MIDI pitch, in Hz; A4 = 69 = 440 Hz."""
    return float(440.0 * 2.0 ** ((midi - _A4) / 12))


def note(timbre: Timbre, midi: int, seconds: float, effort: float, vibrato: bool, rng: np.random.Generator) -> Wave:
    """One note with its release.

    Args:
        timbre: the player.
        midi: pitch.
        seconds: until the release begins.
        effort: 0 (soft and dull) to 1 (hard and bright).
        vibrato: whether the player uses it here.
        rng: phases and noise.

    Returns:
        (n,) samples at ``RATE``, RMS about 0.1.
    """
    pitch = hertz(midi)
    length = max(64, round((seconds + 2.5 * timbre.release) * RATE))
    time = np.arange(length, dtype=np.float32) / np.float32(RATE)
    phase = _phase(timbre, pitch, time, vibrato, rng)
    envelope = _envelope(timbre, time, seconds)
    tone = (
        _fm(timbre, pitch, phase, time, effort) if timbre.index else _additive(timbre, pitch, phase, time, effort, rng)
    )
    tone *= envelope
    tone *= np.float32(0.1) / (np.sqrt(np.mean(tone[: max(64, round(0.3 * RATE))] ** 2)) + np.float32(1e-6))
    return tone + _noises(timbre, pitch, time, envelope, rng)


def _phase(
    timbre: Timbre, pitch: float, time: Wave, vibrato: bool, rng: np.random.Generator
) -> npt.NDArray[np.float64]:
    """(n,) the fundamental's phase in cycles, unwrapped."""
    start = rng.random()
    if not vibrato:
        return start + time.astype(np.float64) * pitch
    rate, cents = timbre.vibrato
    ramp = np.minimum(1.0, time / 0.25)  # vibrato sets in after the attack
    bend = cents / 1200 * ramp * np.sin(2 * np.pi * (rate * time + rng.random()))
    return start + np.cumsum(pitch * np.exp2(bend), dtype=np.float64) / RATE


def _envelope(timbre: Timbre, time: Wave, seconds: float) -> Wave:
    """(n,) attack and release, common to all partials."""
    rise = np.minimum(np.float32(1), time / np.float32(timbre.attack))
    fall = np.exp(-np.maximum(np.float32(0), time - np.float32(seconds)) / np.float32(timbre.release / 2))
    return (0.5 - 0.5 * np.cos(np.pi * rise)).astype(np.float32) * fall


def partials(timbre: Timbre, pitch: float, effort: float) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Frequency ratios (K,) and amplitudes (K,) of a note's partials below the top of the band."""
    order = np.arange(1, len(timbre.ratios) + 1)
    ratios = np.array(timbre.ratios) * np.sqrt(1 + timbre.stretch * order**2)
    octaves = np.log2(np.maximum(ratios, 0.5))
    level = np.array(timbre.jitter) + (timbre.tilt + 2.5 * (effort - 0.5)) * octaves
    level += np.where(order % 2 == 0, timbre.even, 0.0)
    for centre, gain, width in timbre.peaks:
        level += gain * np.exp(-0.5 * (np.log2(ratios * pitch / centre) / width) ** 2)
    amplitude = 10 ** (level / 20)
    if timbre.comb:
        amplitude *= np.abs(np.sin(np.pi * order * timbre.comb)) + 0.02
    inside = ratios * pitch < _TOP
    return ratios[inside], amplitude[inside]


def _additive(
    timbre: Timbre,
    pitch: float,
    phase: npt.NDArray[np.float64],
    time: Wave,
    effort: float,
    rng: np.random.Generator,
) -> Wave:
    """(n,) the sum of the partials, each with its own decay and its own onset."""
    tone = np.zeros(len(time), np.float32)
    offsets = rng.random(len(timbre.ratios))
    ratios, amplitudes = partials(timbre, pitch, effort)
    loudest = amplitudes.max()
    for ratio, amplitude, offset in zip(ratios, amplitudes, offsets, strict=False):
        if amplitude < 2e-3 * loudest:  # inaudible, and costs as much as the others
            continue
        cycles = ratio * phase + offset
        cycles -= np.floor(cycles)  # wrapped in double precision: float32 would add phase noise
        partial = np.sin(cycles.astype(np.float32) * np.float32(2 * np.pi))
        if timbre.decay:
            partial *= np.exp(time * np.float32(-(1 + timbre.damping * (ratio - 1)) / timbre.decay))
        if timbre.bloom:
            partial *= 1 - np.exp(time * np.float32(-1 / (timbre.bloom * max(ratio, 1.0) * (1.3 - effort))))
        partial *= np.float32(amplitude)
        tone += partial
    return tone


def _fm(timbre: Timbre, pitch: float, phase: npt.NDArray[np.float64], time: Wave, effort: float) -> Wave:
    """(n,) one carrier and one modulator (Chowning 1973), with the index falling after the onset."""
    room = (_TOP / pitch - 1) / timbre.ratio - 1  # Carson's rule: the index whose sidebands stay below the top
    index = min(timbre.index * (0.5 + effort), max(0.2, room))
    fade = np.float32(index) * np.exp(time * np.float32(-1 / timbre.index_decay))
    wrapped = (timbre.ratio * phase) % 1.0
    cycles = phase % 1.0 + fade * np.sin(2 * np.pi * wrapped) / (2 * np.pi)
    tone = np.sin((cycles * 2 * np.pi).astype(np.float32))
    if timbre.decay:
        tone *= np.exp(time * np.float32(-1 / timbre.decay))
    return tone


def _noises(timbre: Timbre, pitch: float, time: Wave, envelope: Wave, rng: np.random.Generator) -> Wave:
    """(n,) breath under the note and the noise of the strike, both brighter than the tone."""
    white = rng.standard_normal(len(time), np.float32)
    white[1:] -= np.float32(0.5) * white[:-1]
    breath = envelope * np.float32(0.1 * 10 ** (timbre.breath / 20))
    if timbre.decay:
        breath = breath * np.exp(time * np.float32(-1 / timbre.decay))
    strike = np.exp(time / np.float32(-0.015)) * np.float32(0.1 * 10 ** (timbre.strike / 20))
    return white * (breath + strike)
