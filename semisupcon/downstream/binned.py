"""Scores of billions of note-frames as histograms, and what a transcription is measured by, from those alone.

Conventions
-----------
An entry is one note of one instrument in one frame; the figures are *micro*: over all entries alike. ``note_`` figures
are irrespective of the instrument: the score of a note is its highest over the instruments, and it is true where any
plays it (what :mod:`mir_eval.multipitch` calls frame-level multi-pitch estimation, there with a tolerance in Hz).

- ``precision`` is NaN where nothing is predicted, ``recall`` where nothing sounds, ``f1`` = 2 TP / (sounding +
  predicted) and ``accuracy`` = TP / (TP + FP + FN) (Bay, Ehmann & Downie, ISMIR 2009) where both are nothing.
- ``ap`` is average precision, Σ (recall_j − recall_{j−1}) · precision_j over distinct scores, as scikit-learn's
  ``average_precision_score``; NaN where nothing sounds.

Scores are logits, sorted into ``BINS`` bins of 1/128 between −16 and 16, the ends taking what lies beyond; scores in
one bin count as equal. So thresholds are exact at the edges of bins, and average precision is off by what precision
changes within 0.8 % of the odds: below 0.001 on real scores. A histogram of counts is (2, BINS): the entries that are
false, then those that are true; histograms of recordings add up.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from semisupcon.downstream.weighted import Floats, ratio

BINS = 4096
_LOWEST, _A_UNIT = -16.0, 128  # logits; bins in one

HALF = BINS // 2
"""The bin that begins at a probability of one half."""

Counts = npt.NDArray[np.generic]


def bins(scores: Tensor) -> Tensor:
    """The bin of each logit, int64 of the same shape; a score is at or above threshold b if its bin is b or more.

    NaN is in the lowest one.
    """
    places = (scores.float().nan_to_num(_LOWEST) * _A_UNIT).floor() - _LOWEST * _A_UNIT  # exact: powers of two
    return places.clamp(0, BINS - 1).long()


def probability(threshold: int) -> float:
    """The lowest probability in a bin."""
    return float(1 / (1 + np.exp(-(_LOWEST + threshold / _A_UNIT))))


def tally(places: Tensor, truth: Tensor) -> Tensor:
    """Histograms of some frames.

    Args:
        places: (L, I, N) bins of the scores of N notes of I instruments.
        truth: (L, I, N) bool.

    Returns:
        (I + 1, 2, BINS) int64: of each instrument; the last of notes irrespective of the instrument.
    """
    instruments = places.shape[1]
    everything = torch.cat([places, places.amax(dim=1, keepdim=True)], dim=1)
    true = torch.cat([truth, truth.any(dim=1, keepdim=True)], dim=1)
    line = torch.arange(instruments + 1, device=places.device)[:, None] * 2 + true.long()
    counts = torch.bincount((line * BINS + everything).flatten(), minlength=(instruments + 1) * 2 * BINS)
    return counts.view(instruments + 1, 2, BINS)


def constant(scores: Tensor, sounding: Tensor, any_sounding: Tensor, frames: int) -> Tensor:
    """What ``tally`` gives where every frame has the same scores.

    Args:
        scores: (I, N) logits.
        sounding: (I, N) in how many of the frames each sounds.
        any_sounding: (N,) in how many any instrument sounds the note.
        frames: their number.
    """
    place = bins(torch.cat([scores, scores.amax(dim=0, keepdim=True)]))
    true = torch.cat([sounding, any_sounding[None]]).long()
    counts = torch.zeros(len(place), 2, BINS, dtype=torch.int64)
    counts[:, 0].scatter_add_(1, place, frames - true)
    counts[:, 1].scatter_add_(1, place, true)
    return counts


def _from_above(counts: Counts) -> tuple[Floats, Floats]:
    """(..., 2, BINS) -> true entries and all entries at or above each bin, (..., BINS)."""
    above = np.cumsum(np.asarray(counts, np.float64)[..., ::-1], axis=-1)[..., ::-1]
    return above[..., 1, :], above[..., 0, :] + above[..., 1, :]


def average_precision(counts: Counts) -> Floats:
    """(..., 2, BINS) -> (...)."""
    hits, guesses = _from_above(counts)
    precision = np.nan_to_num(ratio(hits, guesses))
    true = np.asarray(counts, np.float64)[..., 1, :]
    return ratio((true * precision).sum(axis=-1), true.sum(axis=-1))


def at(counts: Counts, threshold: int) -> dict[str, Floats]:
    """precision, recall, f1 and accuracy, (...) each, of (..., 2, BINS) at a threshold."""
    above = np.asarray(counts, np.float64)[..., threshold:].sum(axis=-1)
    hits, guesses = above[..., 1], above[..., 0] + above[..., 1]
    sounding = np.asarray(counts, np.float64)[..., 1, :].sum(axis=-1)
    return {
        "f1": ratio(2 * hits, sounding + guesses),
        "precision": ratio(hits, guesses),
        "recall": ratio(hits, sounding),
        "accuracy": ratio(hits, sounding + guesses - hits),
    }


def best_threshold(counts: Counts) -> int:
    """The threshold of the highest F1 over (2, BINS), the highest of equals; one half where nothing sounds."""
    hits, guesses = _from_above(counts)
    if not hits[0]:
        return HALF
    f1 = 2 * hits / (hits[0] + guesses)
    return int(BINS - 1 - f1[::-1].argmax())


def measure(counts: Counts, threshold: int, note_threshold: int) -> dict[str, Floats]:
    """All figures, (...) each, of (..., I + 1, 2, BINS) that ``tally`` gave, summed over whatever is to be one."""
    whole = np.asarray(counts, np.float64)
    found: dict[str, Floats] = {}
    for prefix, part, cut in (
        ("", whole[..., :-1, :, :].sum(-3), threshold),
        ("note_", whole[..., -1, :, :], note_threshold),
    ):
        values = {"ap": average_precision(part), **at(part, cut)}
        found |= {f"{prefix}{name}": value for name, value in values.items()}
    return found
