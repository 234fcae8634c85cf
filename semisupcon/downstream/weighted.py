"""The sums behind the metrics, each as a function of how often every clip counts.

Conventions
-----------
A weight is a whole number: how often a clip stands in a bootstrap draw. R draws are done at once, so weights are
(N, R), and all that is returned has a column for each draw. The plain metric is the one with a weight of one for
every clip. What does not depend on the weights (sorting, who was right) is done once, before the first draw.

What is undefined is NaN: a ranking without positives or without negatives, R² of a constant target.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Indices = npt.NDArray[np.int64]

# Sums of squares smaller than this share of their terms are rounding, not variance.
ROUNDING = 1e-12


def ratio(above: Floats, below: Floats) -> Floats:
    """``above / below``, and NaN (silently) where ``below`` is 0."""
    return np.divide(above, below, out=np.full(np.broadcast(above, below).shape, np.nan), where=below != 0)


def mean_defined(values: Floats) -> Floats:
    """(K, R) -> (R,): mean over the classes that are not NaN in a draw; NaN where all are."""
    defined = ~np.isnan(values)
    return ratio(np.where(defined, values, 0).sum(axis=0), defined.sum(axis=0).astype(np.float64))


def _summing(into: Indices, rows: Indices, shape: tuple[int, int]) -> Any:
    """A sparse 0/1 matrix: times (N, R) weights, it sums the weights of ``rows`` into the lines ``into``.

    Ten times as fast as gathering the rows in order and adding them up with ``np.add.reduceat``.
    """
    return csr_array((np.ones(len(rows)), (into, rows)), shape=shape)


def counting(guess: Indices, truth: Indices, classes: int) -> Callable[[Floats], tuple[Floats, Floats, Floats]]:
    """For exclusive classes: (N, R) weights -> hits, support and guesses of each class, (K, R) each.

    Args:
        guess: (N,) the predicted class.
        truth: (N,) the true class.
        classes: K.
    """
    rows, shape = np.arange(len(truth)), (classes, len(truth))
    right = guess == truth
    hits = _summing(truth[right], rows[right], shape)
    support, guesses = _summing(truth, rows, shape), _summing(guess, rows, shape)
    return lambda weights: (hits @ weights, support @ weights, guesses @ weights)


def ranking(score: Floats, label: Floats) -> Callable[[Floats], tuple[Floats, Floats]]:
    """For one tag: (N, R) weights -> area under the ROC curve and average precision, (R,) each.

    ROC-AUC is the share of (positive, negative) pairs in the right order, a tie counting one half; average precision
    is Σ (recall_j − recall_{j−1}) · precision_j over the distinct scores. Both treat ties as scikit-learn's
    ``roc_auc_score`` and ``average_precision_score`` with ``sample_weight`` do. Both are NaN in a draw without
    positives or without negatives.

    Args:
        score: (N,) any scale: only the order matters.
        label: (N,) 0, 1, or NaN = unknown, left out.
    """
    rows = np.flatnonzero(~np.isnan(label))
    rows = rows[np.argsort(-score[rows], kind="stable")]
    positive = label[rows] == 1
    # Clips of equal score are one block. Both metrics change only at blocks with positives, so all that lies
    # between two of those is summed as one: segments 0, 2, ... are such gaps (maybe empty), 1, 3, ... the blocks.
    block = np.cumsum(np.r_[0, score[rows][1:] != score[rows][:-1]])[: len(rows)]
    with_positives = np.bincount(block, positive) > 0
    earlier: Indices = np.cumsum(with_positives) - with_positives
    blocks = int(with_positives.sum())
    segments = _summing((2 * earlier + with_positives)[block], rows, (2 * blocks + 1, len(score)))
    positives = _summing(earlier[block[positive]], rows[positive], (blocks, len(score)))

    def areas(weights: Floats) -> tuple[Floats, Floats]:
        clips = np.cumsum(segments @ weights, axis=0)  # (2J + 1, R) clips from the top to the end of each segment
        inside, before, upto = positives @ weights, clips[0:-1:2], clips[1::2]  # (J, R)
        found = np.cumsum(inside, axis=0)
        all_positives = inside.sum(axis=0)
        all_negatives = clips[-1] - all_positives
        tied = upto - before - inside
        below = (clips[-1] - upto) - (all_positives - found)  # negatives with a lower score
        undefined = (all_positives == 0) | (all_negatives == 0)
        roc = ratio((inside * (below + tied / 2)).sum(axis=0), all_positives * all_negatives)
        precision = np.divide(found, upto, out=np.zeros_like(found), where=upto > 0)  # upto = 0 has inside = 0
        average = ratio((inside * precision).sum(axis=0), all_positives)
        return np.where(undefined, np.nan, roc), np.where(undefined, np.nan, average)

    return areas


def rankings(scores: Floats, labels: Floats) -> Callable[[Floats], tuple[Floats, Floats]]:
    """:func:`ranking` of every column of (N, K): (N, R) weights -> (K, R) ROC-AUC and (K, R) average precision."""
    columns = [ranking(scores[:, k], labels[:, k]) for k in range(scores.shape[1])]

    def areas(weights: Floats) -> tuple[Floats, Floats]:
        both = np.array([column(weights) for column in columns])  # (K, 2, R)
        return both[:, 0], both[:, 1]

    return areas


def determination(scores: Floats, labels: Floats) -> Callable[[Floats], Floats]:
    """For targets: (N, R) weights -> (K, R) R² = 1 − Σ w (y − ŷ)² / Σ w (y − ȳ)², ȳ the mean of the draw.

    NaN where the target is constant among the clips of a draw (scikit-learn says 0 or 1 there, which would be
    counted as a result).

    Args:
        scores: (N, K) predictions.
        labels: (N, K) targets, NaN = unknown, left out.
    """
    known = ~np.isnan(labels)
    y = np.where(known, labels, 0.0)
    # Σ (y − ȳ)² is taken as Σ y² − (Σ y)² / n: exact enough only about a centre close to ȳ.
    y = np.where(known, y - ratio(y.sum(axis=0), known.sum(axis=0).astype(np.float64)), 0.0)
    error = np.where(known, labels - scores, 0.0)
    terms = np.concatenate([known, y, y**2, error**2], axis=1).T  # (4K, N)

    def r2(weights: Floats) -> Floats:
        count, first, second, squared_error = np.split(terms @ weights, 4)
        spread = second - np.nan_to_num(ratio(first**2, count))
        spread = np.where(spread <= ROUNDING * second, 0.0, spread)
        return np.asarray(1 - ratio(squared_error, spread))

    return r2
