"""Reading audio: any file libsndfile knows, any rate, any number of channels, in; mono int16 at one rate, out."""

from __future__ import annotations

import contextlib
import math
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

from semisupcon.errors import BadAudio

Int16 = npt.NDArray[np.int16]

SUFFIXES = frozenset({".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aiff", ".aif", ".au", ".w64", ".caf"})

FULL_SCALE = 32768  # int16 full scale: 1.0 as float
_CONTEXT = 512  # samples at the lower rate read on both sides of a crop, so that the resampling filter sees no edge

# An mp3 frame may keep its bits in the frames before it (the bit reservoir, 511 bytes back), so that the first
# frames after a seek decode to noise. In the smallest frames that encoders write, 511 bytes are 12 frames of 1,152.
_MP3_LEAD = 12 * 1152
_VORBIS_LEAD = 8192  # the longest block of Vorbis
_OGG_PAGE = 65_307  # bytes of the longest page, RFC 3533


@dataclass(frozen=True)
class Info:
    """What a file's header says: ``frames`` per channel at ``rate`` Hz. Broken mp3 files over-report."""

    frames: int
    rate: int
    channels: int

    def samples(self, sample_rate: int) -> int:
        """Length after resampling to ``sample_rate`` (Hz), in samples."""
        return math.floor(self.frames / (self.rate / sample_rate) + 0.5)  # soxr's own formula, rounding errors and all


def info(path: str | Path) -> Info:
    """The header of an audio file.

    Raises:
        BadAudio: the file is missing, empty, or no audio that libsndfile can open.
    """
    with _opened(path) as file:
        return Info(file.frames, file.samplerate, file.channels)


def read(path: str | Path, sample_rate: int, start: int = 0, length: int | None = None) -> Int16:
    """Samples ``start`` to ``start + length`` of a file, as mono int16 at ``sample_rate``.

    A crop equals the same stretch of the whole file resampled at once: it is read with enough context on both
    sides. Past the end of the file fewer samples come back; nothing is padded here.

    Args:
        path: the audio file.
        sample_rate: of the result, in Hz.
        start: first sample, counted at ``sample_rate``.
        length: number of samples at ``sample_rate``; None = to the end.

    Returns:
        (n,) int16, n <= length.

    Raises:
        BadAudio: nothing can be decoded, or what is decoded is not finite.
    """
    with _opened(path) as file:
        rate = file.samplerate
        if rate == sample_rate:
            mono = _mono(_frames(file, start, length))
            return _to_int16(mono)
        # Source and target grids meet every `down` source and `up` target samples; a crop starts where they meet.
        divisor = math.gcd(rate, sample_rate)
        down, up = rate // divisor, sample_rate // divisor
        context = math.ceil(_CONTEXT / min(up, down))
        block = max(0, start // up - context)
        count = (
            None if length is None else math.ceil((start + length - block * up) * rate / sample_rate) + context * down
        )
        mono = _mono(_frames(file, block * down, count))
    if not len(mono):
        return np.zeros(0, np.int16)
    resampled = soxr.resample(mono.astype(np.float32), rate, sample_rate, quality="HQ")
    offset = start - block * up
    return _to_int16(resampled[offset : None if length is None else offset + length])


def _to_int16(samples: npt.NDArray[np.generic]) -> Int16:
    """Int16 as it is; float32 that counts in int16 steps, rounded and clipped."""
    if samples.dtype == np.int16:
        return np.asarray(samples, np.int16)
    return np.clip(np.rint(samples), -FULL_SCALE, FULL_SCALE - 1).astype(np.int16)


def _mono(frames: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
    """(n, channels) -> (n,), the mean of the channels."""
    return frames[:, 0] if frames.shape[1] == 1 else frames.mean(axis=1, dtype=np.float32)


def _frames(file: soundfile.SoundFile, start: int, count: int | None) -> npt.NDArray[np.generic]:
    """(n, channels) source frames in int16 steps: int16 from 16-bit files, else float32."""
    if start >= file.frames > 0:
        return np.zeros((0, file.channels), np.int16)
    # libsndfile does not scale when it reads a float file as integers, so only 16-bit files are read as int16.
    exact = file.subtype == "PCM_16"
    with _quiet(file.format == "MP3"):
        origin = _origin(file, start)
        if origin:
            file.seek(origin)
        wanted = -1 if count is None else start - origin + count
        frames = file.read(wanted, dtype="int16" if exact else "float32", always_2d=True)[start - origin :]
    if exact:
        return frames
    if not np.isfinite(frames).all():
        raise BadAudio(file.name, "holds NaN or infinite samples")
    return frames * np.float32(FULL_SCALE)


def _origin(file: soundfile.SoundFile, start: int) -> int:
    """The frame to seek to and decode from, so that what is decoded is right from frame ``start`` on."""
    if file.format == "MP3":
        return max(0, start - _MP3_LEAD)
    if file.subtype == "VORBIS":
        # libsndfile takes the last page for full, and a seek into it is off by what its last block was cut by.
        return min(start, max(0, _last_page(file.name) - _VORBIS_LEAD))
    return start


def _last_page(path: str) -> int:
    """The frame that the last page of an Ogg file begins with; 0 if there is one page, or none can be made out."""
    with Path(path).open("rb") as file:
        file.seek(max(0, os.fstat(file.fileno()).st_size - 2 * _OGG_PAGE))
        tail = file.read()
    # RFC 3533, section 6: "OggS", version 0, flags, then the frame that the page ends with; -1 if no packet ends.
    pages = (int.from_bytes(at[1], "little", signed=True) for at in re.finditer(rb"OggS\0.(.{8})", tail, re.DOTALL))
    ends = [end for end in pages if end >= 0]
    return ends[-2] if len(ends) > 1 else 0


@contextlib.contextmanager
def _opened(path: str | Path) -> Iterator[soundfile.SoundFile]:
    try:
        with _quiet(str(path).lower().endswith(".mp3")):
            file = soundfile.SoundFile(os.fspath(path))
    except (soundfile.SoundFileError, OSError, TypeError) as error:
        raise BadAudio(path, _why(Path(path), error)) from None
    with file:
        try:
            if file.frames == 0:
                raise BadAudio(path, "holds no samples")
            yield file
        except soundfile.SoundFileError as error:
            raise BadAudio(path, f"cannot be decoded ({_reason(error)})") from None


def _why(path: Path, error: Exception) -> str:
    try:
        size = path.stat().st_size
    except OSError as missing:
        return f"cannot be read ({missing.strerror})"
    return "is empty (0 bytes)" if size == 0 else f"is not audio that libsndfile can open ({_reason(error)})"


def _reason(error: Exception) -> str:
    return str(error).rsplit(": ", 1)[-1].strip().rstrip(".")


@contextlib.contextmanager
def _quiet(wanted: bool) -> Iterator[None]:
    """Keep libmpg123's notes, which it writes straight to file descriptor 2, off the terminal."""
    if not wanted:
        yield
        return
    kept, sink = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(sink, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(sink)
