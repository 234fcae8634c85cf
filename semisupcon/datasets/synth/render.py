"""From a clip of the plan to samples: notes summed, then tone, room, background noise, level and channels."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numpy import fft

from semisupcon.datasets.synth import score
from semisupcon.datasets.synth.instruments import INSTRUMENTS, player
from semisupcon.datasets.synth.plan import CLIP, PLAYER, Clip, Params
from semisupcon.datasets.synth.timbre import RATE, Timbre, Wave, note

_QUIET, _LOUD = -29.0, -24.0  # dB full scale, RMS of the softest and the loudest clip
_CEILING = 0.9  # full scale; peaks above are bent, never cut


def render(clip: Clip, params: Params) -> Wave:
    """The sound of a clip.

    Returns:
        (n, channels) at ``RATE``, within [-1, 1]; the mean of the channels has the RMS that ``clip.dynamics`` says.
    """
    rng = np.random.default_rng([params.seed, CLIP, clip.number, 1])
    timbre = player(
        clip.instrument,
        params.variety,
        np.random.default_rng([params.seed, PLAYER, list(INSTRUMENTS).index(clip.instrument), clip.player]),
    )
    music = _perform(clip, timbre, rng)
    places = _places(clip, music, rng)
    mono = np.sqrt(np.mean(places.mean(axis=1) ** 2)) + 1e-9
    target = 10 ** ((_QUIET + (_LOUD - _QUIET) * clip.dynamics) / 20)
    return _limit(places * np.float32(target / mono))


def events(clip: Clip, rng: np.random.Generator) -> list[score.Event]:
    """The notes of a clip, on a time line that begins with the first."""
    if clip.kind == "note":
        return score.single(clip.midi, clip.seconds)
    if clip.kind == "chord":
        return score.chord(clip.midi, clip.mode, clip.seconds)
    make = score.phrase if clip.kind == "phrase" else score.progression
    return make(clip.midi, clip.mode, clip.seconds, 60 / clip.bpm, clip.articulation, rng)


def _perform(clip: Clip, timbre: Timbre, rng: np.random.Generator) -> Wave:
    """(n,) the notes, dry."""
    length = round(clip.seconds * RATE)
    music = np.zeros(length, np.float32)
    lead = rng.uniform(0, min(0.12, 0.1 * clip.seconds))
    for event in events(clip, rng):
        start = round((lead + event.start) * RATE)
        if start >= length:
            continue
        effort = float(np.clip(clip.dynamics + 0.2 * event.accent, 0, 1))
        seconds = min(event.seconds, (length - start) / RATE - 2.5 * timbre.release)
        sound = note(timbre, event.midi, max(0.03, seconds), effort, clip.vibrato, rng)[: length - start]
        music[start : start + len(sound)] += sound * np.float32(10 ** (2 * event.accent / 20))
    time = np.arange(length, dtype=np.float32) / np.float32(RATE)
    if clip.tremolo:
        music *= 1 - np.float32(0.35) * (1 + np.sin(np.float32(2 * np.pi * timbre.tremolo) * time))
    if clip.swell:
        music *= np.power(np.float32(10), np.float32(clip.swell / 20) * (time / time[-1]))
    return music


def _places(clip: Clip, music: Wave, rng: np.random.Generator) -> Wave:
    """(n, channels) the music tilted, in its room, over its noise."""
    length = len(music)
    size = _fast(length + round(clip.decay * RATE))
    spectrum = fft.rfft(music, size) * _tilt(size, clip.tone)
    noise_tilt = rng.uniform(-6, 0)  # dB per octave, white to brown
    wet = rng.uniform(0.4, 0.8)
    pan = rng.uniform(-0.3, 0.3) if clip.channels == 2 else 0.0
    channels = []
    for side in (-1, 1)[: clip.channels]:
        sound = spectrum
        if clip.decay:
            sound = sound * (1 + wet * fft.rfft(_tail(clip.decay, rng), size))
        music_here = fft.irfft(sound, size)[:length] * np.float32(1 + side * pan)
        hiss = fft.irfft(fft.rfft(rng.standard_normal(length, np.float32), size) * _tilt(size, noise_tilt), size)[
            :length
        ]
        level = np.sqrt(np.mean(music_here**2) / np.mean(hiss**2)) * 10 ** (-clip.snr / 20)
        channels.append(music_here + hiss * np.float32(level))
    return np.stack(channels, axis=1).astype(np.float32)


def _tilt(size: int, slope: float) -> npt.NDArray[np.float32]:
    """(size // 2 + 1,) a gain of ``slope`` dB per octave, 0 dB at 700 Hz, level below 60 Hz."""
    hertz = np.maximum(fft.rfftfreq(size, 1 / RATE), 60.0) / 700.0
    return np.power(hertz, slope / 20 / np.log10(2)).astype(np.float32)


def _fast(length: int) -> int:
    """A length that the FFT likes, at least ``length`` and at most an eighth more."""
    whole = 2 ** max(0, length.bit_length() - 4)
    return -(-length // whole) * whole if length > 16 else 16


def _tail(decay: float, rng: np.random.Generator) -> Wave:
    """(m,) reverberation: noise of unit energy that falls by 60 dB in ``decay`` seconds."""
    length = round(decay * RATE)
    fall = np.exp(np.arange(length, dtype=np.float32) * np.float32(-6.908 / length))
    tail = rng.standard_normal(length, np.float32) * fall
    return tail / np.sqrt(np.sum(tail**2))


def _limit(sound: Wave) -> Wave:
    """Peaks beyond the ceiling bent smoothly under full scale."""
    over = np.abs(sound) > _CEILING
    if over.any():
        room = np.float32(0.99 - _CEILING)
        bent = _CEILING + room * np.tanh((np.abs(sound[over]) - _CEILING) / room)
        sound[over] = np.copysign(bent, sound[over])
    return sound
