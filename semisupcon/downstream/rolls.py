"""Piano rolls and notes: from notes to what sounds at a moment, and back from frames to notes.

Conventions
-----------
A roll is (L, I, 128): whether instrument i sounds note n at the moment of frame l; instruments are in the order of
``Notes.programs``. A note sounds from its start up to, and without, its end, so one that lies between two moments is
in no frame. On the way back a frame stands for the hop about its moment.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from semisupcon.plain import csv_text
from semisupcon.table import NOTE

PITCHES = 128  # MIDI notes

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

_SAME = 1e-7  # seconds; a start this close behind a moment is on it (7 * 0.01 = 0.07 + 1e-17), a sample is 2e-5
_RATE = 44100  # Hz; what MusicNet's label files count time in
_COLUMNS = ("start_time", "end_time", "instrument", "note", "start_beat", "end_beat", "note_value")


def roll(played: npt.NDArray[np.void], programs: Sequence[int], moments: Floats) -> Bools:
    """Which notes sound at each moment: a piano roll for each instrument.

    Args:
        played: (M,) of type ``NOTE``.
        programs: (I,) ascending; every program that is played is among them.
        moments: (L,) seconds into the recording, ascending.

    Returns:
        (L, I, 128).
    """
    first = np.searchsorted(moments, played["start"] - _SAME)
    length = np.maximum(0, np.searchsorted(moments, played["end"] - _SAME) - first)
    note = np.repeat(np.arange(len(played)), length)  # one entry for each frame of each note
    frame = first[note] + np.arange(len(note)) - np.repeat(np.cumsum(length) - length, length)
    sounding = np.zeros((len(moments), len(programs), PITCHES), np.bool_)
    sounding[frame, np.searchsorted(programs, played["program"])[note], played["note"][note]] = True
    return sounding


def base_rates(recordings: Sequence[tuple[npt.NDArray[np.void], float]], programs: Sequence[int]) -> Floats:
    """The share of time that each note of each instrument sounds, (I, 128).

    Args:
        recordings: the notes of each, and its length in seconds. A note that two players of an instrument hold at
            once counts twice, which is rare.
        programs: (I,) ascending.
    """
    seconds = np.zeros((len(programs), PITCHES))
    for played, length in recordings:
        held = np.clip(played["end"], 0, length) - np.clip(played["start"], 0, length)
        np.add.at(seconds, (np.searchsorted(programs, played["program"]), played["note"]), held)
    return np.minimum(1.0, seconds / max(sum(length for _, length in recordings), 1e-9))


class NoteTaker:
    """Notes from the frames of one recording, given a piece at a time, so that a recording may be of any length.

    Args:
        programs: (I,) ascending.
        hop: seconds from a frame to the next.
        first: seconds into the recording of the moment of frame 0.
    """

    def __init__(self, programs: Sequence[int], hop: float, first: float) -> None:
        self.programs, self.hop, self.first = np.asarray(programs), hop, first
        self.frames = 0
        self._sounding = np.zeros(len(programs) * PITCHES, np.bool_)
        self._began = np.zeros(len(programs) * PITCHES, np.int64)
        self._found: list[npt.NDArray[np.void]] = []

    def hear(self, sounding: Bools) -> None:
        """Take the next frames, (L, I, 128)."""
        rows = np.concatenate([self._sounding[None], sounding.reshape(len(sounding), len(self._began))])
        frame, output = np.nonzero(rows[1:] != rows[:-1])  # by frame, so that a start comes before its end
        starts = rows[1:][frame, output]
        # Of one output starts and ends alternate: sorted by output, each end is behind its start, or is the first.
        order = np.lexsort((frame, output))
        frame, output, starts = frame[order] + self.frames, output[order], starts[order]
        ends = np.flatnonzero(~starts)
        before = np.maximum(ends - 1, 0)
        follows = (ends > 0) & starts[before] & (output[before] == output[ends])
        began = np.where(follows, frame[before], self._began[output[ends]])
        self._add(began, frame[ends], output[ends])
        self._began[output[starts]] = frame[starts]  # of several the last one counts, which is the one that may be open
        self._sounding = rows[-1]
        self.frames += len(sounding)

    def notes(self) -> npt.NDArray[np.void]:
        """(M,) of type ``NOTE``, by their start; what still sounds ends with the last frame."""
        (still,) = np.nonzero(self._sounding)
        self._add(self._began[still], np.full(len(still), self.frames), still)
        self._sounding = np.zeros_like(self._sounding)
        found = np.concatenate([np.empty(0, NOTE), *self._found])
        return found[np.lexsort((found["note"], found["program"], found["end"], found["start"]))]

    def _add(self, began: npt.NDArray[np.int64], ended: npt.NDArray[np.int64], output: npt.NDArray[np.int64]) -> None:
        found = np.empty(len(output), NOTE)
        found["start"] = np.maximum(0.0, self.first + (began - 0.5) * self.hop)
        found["end"] = self.first + (ended - 0.5) * self.hop
        found["program"], found["note"] = self.programs[output // PITCHES], output % PITCHES
        self._found.append(found)


def labels_text(played: npt.NDArray[np.void]) -> str:
    """Notes as a label file of MusicNet: times in samples at 44.1 kHz; the columns in beats are left empty."""
    starts, ends = (np.rint(played[name] * _RATE).astype(np.int64).tolist() for name in ("start", "end"))
    rows = zip(starts, ends, played["program"].tolist(), played["note"].tolist(), strict=True)
    return csv_text([_COLUMNS, *((*row, "", "", "") for row in rows)])
