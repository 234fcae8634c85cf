"""What is played: a note, a chord, a phrase or a progression, as notes on a time line."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

SCALES = {"major": (0, 2, 4, 5, 7, 9, 11), "minor": (0, 2, 3, 5, 7, 8, 11)}  # the harmonic minor
LOWEST, OCTAVES = 48, 2  # every instrument plays C3 to B4

# Degrees of chord roots; each contains the tonic and the dominant and closes on the tonic.
_PROGRESSIONS = ((0, 3, 4, 0), (0, 5, 3, 4), (0, 4, 5, 3), (0, 1, 4, 0))
# Degrees that open a phrase: the tonic triad first, so that the key can be heard.
_OPENINGS = ((0, 2, 4), (4, 2, 0), (0, 4, 2), (0, 1, 2), (4, 0, 2))
GATES = {"staccato": 0.35, "plain": 0.8, "legato": 1.05}


class Event(NamedTuple):
    """One note: start and length in seconds, MIDI pitch, and an accent in [-1, 1]."""

    start: float
    seconds: float
    midi: int
    accent: float


def fold(midi: int) -> int:
    """A pitch brought into the common register by an octave, as a player would."""
    return midi + 12 if midi < LOWEST else midi - 12 if midi >= LOWEST + 12 * OCTAVES else midi


def single(midi: int, seconds: float) -> list[Event]:
    """One note that lasts."""
    return [Event(0.0, seconds, midi, 0.0)]


def chord(midi: int, mode: str, seconds: float) -> list[Event]:
    """A sustained triad on its root in close position."""
    return [Event(0.0, seconds, fold(midi + SCALES[mode][degree]), 0.0) for degree in (0, 2, 4)]


def phrase(
    midi: int, mode: str, seconds: float, beat: float, articulation: str, rng: np.random.Generator
) -> list[Event]:
    """A melody about the tonic ``midi``: it opens on the tonic triad, moves by step and closes on the tonic."""
    degrees = list(_OPENINGS[rng.integers(len(_OPENINGS))])
    lengths = [beat] * len(degrees)
    while sum(lengths) + 2 * beat < seconds:
        step = int(rng.choice((-2, -1, 1, 2), p=(0.15, 0.35, 0.35, 0.15)))
        degrees.append(int(np.clip(degrees[-1] + step, -3, 7)))
        lengths.append(beat * float(rng.choice((0.5, 1.0), p=(0.4, 0.6))))
    degrees.append(0)
    lengths.append(max(beat, seconds - sum(lengths)))
    starts = np.concatenate(([0.0], np.cumsum(lengths)[:-1]))
    return [
        Event(float(start), length * GATES[articulation], fold(_pitch(midi, mode, degree)), float(rng.uniform(-1, 1)))
        for start, length, degree in zip(starts, lengths, degrees, strict=True)
    ]


def progression(
    midi: int, mode: str, seconds: float, beat: float, articulation: str, rng: np.random.Generator
) -> list[Event]:
    """Triads in a key, one to a beat, that close on the tonic."""
    roots = _PROGRESSIONS[rng.integers(len(_PROGRESSIONS))]
    count = max(4, round(seconds / beat))
    events = []
    for place in range(count):
        root = 0 if place == count - 1 else roots[place % len(roots)]
        length = max(beat, seconds - beat * place) if place == count - 1 else beat
        accent = float(rng.uniform(-1, 1))
        for degree in (root, root + 2, root + 4):
            pitch = fold(_pitch(midi, mode, degree))
            events.append(Event(place * beat, length * GATES[articulation], pitch, accent))
    return events


def _pitch(tonic: int, mode: str, degree: int) -> int:
    """The MIDI pitch of a scale degree, 0 = tonic, 7 = the octave."""
    return tonic + 12 * (degree // 7) + SCALES[mode][degree % 7]
