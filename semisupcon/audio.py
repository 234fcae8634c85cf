"""Reading audio: any file libsndfile knows, any rate, any number of channels, in; mono int16 at one rate, out."""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import soxr

from semisupcon import formats
from semisupcon.errors import BadAudio
from semisupcon.recording import FULL_SCALE, Info, Int16, Recording, opened, to_int16

__all__ = [
    "FULL_SCALE",
    "SUFFIXES",
    "Decoded",
    "Info",
    "Int16",
    "Note",
    "Recording",
    "decode",
    "info",
    "opened",
    "read",
]

SUFFIXES = frozenset(
    {
        ".wav",
        ".wave",
        ".flac",
        ".ogg",
        ".oga",
        ".opus",
        ".mp3",
        ".aiff",
        ".aif",
        ".aifc",
        ".au",
        ".snd",
        ".w64",
        ".rf64",
        ".caf",
    }
)

_CLIPPED = 1e-3  # share of samples
_MP3_FRAME = 1152
_ESTIMATE = 0.01  # by which share the estimated length of an mp3 without a Xing header may be off without a note
_MOST = 2**28  # samples set aside on a header's word alone, hours; memory is taken up only where it is written


class Note(enum.IntFlag):
    """What is unusual about a file that gives audio.

    CUT: it ends, or can no longer be decoded, before its header says; what comes before is used.
    SILENT: all samples of the mono sum are 0.
    CLIPPED: one sample in a thousand, or more, is at full scale with the two before it in its channel.
    LENGTH: its header holds no true length, as in a variable-rate mp3 without a Xing header; the true one was found.
    """

    CUT = 1
    SILENT = 2
    CLIPPED = 4
    LENGTH = 8


@dataclass(frozen=True)
class Decoded:
    """A whole file.

    Args:
        samples: (n,) int16, mono, at the rate asked for.
        info: of the source; ``frames`` = how many can be decoded.
        notes: what is unusual about it.
    """

    samples: Int16
    info: Info
    notes: Note


def info(path: str | Path) -> Info:
    """The header of an audio file.

    Raises:
        BadAudio: the file is missing, empty, one sample long, or no audio that libsndfile can open.
    """
    with opened(path) as recording:
        return recording.info


def read(path: str | Path, sample_rate: int, start: int = 0, length: int | None = None) -> Int16:
    """Samples ``start`` to ``start + length`` of a file, as mono int16 at ``sample_rate``: see ``Recording.read``."""
    with opened(path) as recording:
        return recording.read(sample_rate, start, length)


def decode(path: str | Path, sample_rate: int) -> Decoded:
    """A whole file, as mono int16 at ``sample_rate`` (Hz), block by block: the memory it takes is that of the result.

    A file that cannot be decoded to its end gives what comes before the break. The samples equal those of ``read``,
    to one step of int16; where the header says less than there is, they are more.

    Raises:
        BadAudio: nothing can be decoded, or one sample, or a sample anywhere is NaN or infinite.
    """
    with opened(path) as recording:
        promised, decoded = recording.info.frames, _decode(recording, sample_rate)
        estimated = recording.container == "MP3" and not formats.has_length(path)
    if estimated and decoded.info.frames >= promised:  # libsndfile stops at its estimate, and there may be more
        with opened(path, endless=True) as recording:
            decoded = _decode(recording, sample_rate)
    if not len(decoded.samples):
        raise BadAudio(path, f"is too short: {decoded.info.frames} samples at {decoded.info.rate:,} Hz")
    if not estimated:
        return decoded
    off = abs(decoded.info.frames - promised)
    untrue = off > max(4 * _MP3_FRAME, _ESTIMATE * decoded.info.frames)
    return replace(decoded, notes=decoded.notes & ~Note.CUT | (Note.LENGTH if untrue else Note(0)))


def _decode(recording: Recording, sample_rate: int) -> Decoded:
    promised = recording.info
    result = _Samples(promised.samples(sample_rate))
    same = promised.rate == sample_rate
    stream = None if same else soxr.ResampleStream(promised.rate, sample_rate, 1, dtype="float32", quality="HQ")
    frames, clipped = 0, 0
    for block, mono in recording.blocks():
        frames += len(block)
        clipped += _clipped(block)
        result.append(to_int16(mono if stream is None else stream.resample_chunk(mono)))
    if not frames:
        raise BadAudio(recording.path, f"cannot be decoded ({recording.broken or 'no samples come out'})")
    if stream is not None:
        result.append(to_int16(stream.resample_chunk(np.zeros(0, np.float32), last=True)))
    samples = result.cut()
    # Some encoders count the Xing header itself as a frame of an mp3, and no encoder's delay is certain.
    missing = promised.frames - frames - (2 * _MP3_FRAME if recording.container == "MP3" else 0)
    notes = Note(0)
    if missing > 0 or recording.broken or formats.cut_off(recording.path, recording.source):
        notes |= Note.CUT
    if not samples.any():
        notes |= Note.SILENT
    if clipped >= _CLIPPED * frames * promised.channels:
        notes |= Note.CLIPPED
    if recording.counted:
        notes |= Note.LENGTH
    return Decoded(samples, replace(promised, frames=frames), notes)


def _clipped(frames: npt.NDArray[Any]) -> int:
    """How many samples of (n, channels) frames are at full scale, as are the two before them in their channel."""
    top = FULL_SCALE - 1 if frames.dtype == np.int16 else 1 - 1 / FULL_SCALE
    if frames.max() < top and frames.min() > -top:
        return 0
    full = (frames >= top) | (frames <= -top)
    return int(np.count_nonzero(full[2:] & full[1:-1] & full[:-2]))


class _Samples:
    """Samples that come in blocks, in one array set aside before: one that grows is copied, and takes twice its size.

    Args:
        promised: how many there will be, as far as is known.
    """

    def __init__(self, promised: int) -> None:
        self._array = np.empty(min(promised, _MOST), np.int16)
        self._length = 0

    def append(self, block: Int16) -> None:
        end = self._length + len(block)
        if end > len(self._array):
            self._array.resize(end + end // 4, refcheck=False)
        self._array[self._length : end] = block
        self._length = end

    def cut(self) -> Int16:
        """All of them."""
        self._array.resize(self._length, refcheck=False)
        return self._array
