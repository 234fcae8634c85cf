"""Writing a sound as wav, flac, ogg or mp3, the same bytes each time."""

from __future__ import annotations

import io
import zlib
from pathlib import Path

import numpy as np
import soundfile
import soxr

from semisupcon.datasets.synth.timbre import RATE, Wave

_SUBTYPES = {"wav": "PCM_16", "flac": "PCM_16", "ogg": "VORBIS", "mp3": "MPEG_LAYER_III"}
_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def write(path: Path, sound: Wave, rate: int, serial: int) -> None:
    """Write a sound, resampled to ``rate`` (Hz), in the format that the suffix names.

    Args:
        path: of the file.
        sound: (n, channels) at ``RATE``, in [-1, 1].
        rate: of the file.
        serial: number of the stream in an ogg file; libsndfile would take one from the clock.
    """
    if rate != RATE:
        sound = soxr.resample(sound, RATE, rate, quality="HQ")
    suffix = path.suffix[1:]
    buffer = io.BytesIO()
    soundfile.write(buffer, np.clip(sound, -0.999, 0.999), rate, format=suffix.upper(), subtype=_SUBTYPES[suffix])
    data = buffer.getvalue()
    path.write_bytes(_renumber(data, serial) if suffix == "ogg" else data)


def _renumber(data: bytes, serial: int) -> bytes:
    """An ogg stream with another serial number, and the checksums that follow from it (RFC 3533, section 6)."""
    pages, start = bytearray(data), 0
    while start < len(pages):
        segments = pages[start + 26]
        body = start + 27 + segments
        end = body + sum(pages[start + 27 : body])
        pages[start + 14 : start + 18] = serial.to_bytes(4, "little")
        pages[start + 22 : start + 26] = bytes(4)
        pages[start + 22 : start + 26] = _checksum(bytes(pages[start:end])).to_bytes(4, "little")
        start = end
    return bytes(pages)


def _checksum(page: bytes) -> int:
    """Ogg's CRC: zlib's polynomial with the bits the other way round, from 0 and without the final inversion."""
    mirrored = zlib.crc32(page.translate(_REVERSED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int(f"{mirrored:032b}"[::-1], 2)
