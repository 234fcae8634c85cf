"""A track as segments that may overlap; without overlap these are the segments of ``loading.segments``."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from semisupcon.audio import Int16

LONGEST = 3600.0
"""Seconds; what is longer than this is no length of a segment."""


def segment_starts(samples: int, length: int, hop: int) -> npt.NDArray[np.int64]:
    """Where the segments of a track start: every ``hop`` samples, the last one ending where the track ends.

    Args:
        samples: length of the track, at least 1.
        length: T, of a segment.
        hop: samples from one to the next; T = one after another.

    Returns:
        (S,) int64, S = 1 + ⌈(samples − T) / hop⌉, at least 1: a track shorter than T is one segment.
    """
    last = max(0, samples - length)
    return np.minimum(np.arange(1 + math.ceil(last / hop)) * hop, last)


def windows(samples: Int16, length: int) -> Int16:
    """Every stretch of T samples of a track, as a view, (n - T + 1, T); a shorter one padded with zeros at its end.

    Args:
        samples: (n,) of the whole track, n >= 1.
        length: T.
    """
    if len(samples) < length:
        samples = np.pad(samples, (0, length - len(samples)))
    return np.lib.stride_tricks.sliding_window_view(samples, length)
