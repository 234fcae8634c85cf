"""Audio in memory, as a file with these samples would be."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import soxr

from semisupcon.audio import FULL_SCALE, Int16
from semisupcon.errors import UserError
from semisupcon.recording import to_int16


def as_int16(samples: npt.NDArray[Any], rate: int, sample_rate: int) -> Int16:
    """Int16 at ``sample_rate`` (Hz), as ``audio.decode`` gives it.

    Args:
        samples: (n,) mono, int16 or float in [-1, 1].
        rate: theirs, in Hz.
        sample_rate: of the result, in Hz.

    Raises:
        UserError: the samples are none, too few, not mono, not finite, or of another kind.
    """
    found = np.asarray(samples)
    if found.ndim != 1 or not len(found):
        raise UserError(f"samples of one channel are needed, of shape (n,); these are of shape {found.shape}.")
    if found.dtype != np.int16 and not np.issubdtype(found.dtype, np.floating):
        raise UserError(f"samples are int16, or float in [-1, 1]; these are {found.dtype}.")
    if not rate > 0:
        raise UserError(f"rate={rate}: the sample rate of the samples in Hz is meant, such as 44100.")
    if not np.isfinite(found).all():
        raise UserError("some of the samples are NaN or infinite.")
    if found.dtype != np.int16:
        found = found.astype(np.float32) * np.float32(FULL_SCALE)
    if rate != sample_rate:
        found = soxr.resample(found.astype(np.float32), rate, sample_rate, quality="HQ")
    if not len(found):
        raise UserError(f"{len(samples)} samples at {rate:,} Hz are none at {sample_rate:,} Hz.")
    return to_int16(found)
