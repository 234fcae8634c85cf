"""What a guess is worth that knows how often each class occurs in the training set, and nothing of the clip."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.special import digamma
from scipy.stats import binom

from semisupcon.downstream.metrics import COUNTS, evaluate, mirex_table
from semisupcon.downstream.weighted import Floats, mean_defined
from semisupcon.table import Task


def chance(task: Task, train_labels: npt.ArrayLike, test_labels: npt.ArrayLike) -> dict[str, float]:
    """The expected metrics of guessing, under the names of :func:`semisupcon.downstream.metrics.evaluate`.

    - multiclass, key: every test clip gets a class drawn by the frequencies among the training clips. Accuracy, MIREX
      score and macro F1 are exact expectations over these draws.
    - multilabel: the clips stand in a random order. ROC-AUC is then one half, and average precision a little more than
      the share of positives, see :func:`_average_precision`; both meant over the tags with positives and negatives.
    - regression: 0, which is R² of predicting the mean of the test set; that of the training set scores a little less.

    NaN where the metric itself is undefined.

    Args:
        task: says which metrics.
        train_labels: (M, K), NaN = unknown.
        test_labels: (N, K), NaN = unknown.

    Raises:
        ValueError: no training clip, or no test clip, has a known label.
    """
    train, test = (_known(task, labels, split) for labels, split in ((train_labels, "training"), (test_labels, "test")))
    if task.exclusive:
        guess, support = train.mean(axis=0), test.sum(axis=0)
        result = {"accuracy": float(guess @ support / len(test))}
        if task.kind == "key":
            return {**result, "mirex": float(support @ mirex_table(task.classes) @ guess / len(test))}
        return {**result, "macro_f1": _macro_f1(guess, support)}
    known = ~np.isnan(test)
    if task.kind == "multilabel":
        positives, clips = (each.sum(axis=0).astype(np.float64) for each in (test == 1, known))
        defined = (positives > 0) & (positives < clips)
        average = np.where(defined, _average_precision(positives, np.maximum(clips, 2)), np.nan)
        return {"roc_auc": _mean(np.where(defined, 0.5, np.nan)), "pr_auc": _mean(average)}
    varies = [len(np.unique(test[known[:, k], k])) > 1 for k in range(len(task.classes))]
    each = np.where(varies, 0.0, np.nan)
    return {**{f"r2_{name}": float(each[k]) for k, name in enumerate(task.classes)}, "r2": _mean(each)}


def constant(task: Task, train_labels: npt.ArrayLike, test_labels: npt.ArrayLike) -> dict[str, float]:
    """The metrics of always giving the answer that fits the training clips best: what a probe of nothing learns.

    Of unequal classes that is more than :func:`chance`. For exclusive classes the most frequent one, for keys and their
    MIREX score the key that scores best; for tags and targets it is nothing else than chance.
    """
    if not task.exclusive:
        return chance(task, train_labels, test_labels)
    train, test = (_known(task, labels, split) for labels, split in ((train_labels, "training"), (test_labels, "test")))
    share = train.mean(axis=0)

    def always(guess: int) -> dict[str, float]:
        return evaluate(task, np.eye(len(task.classes))[[guess] * len(test)], test)

    found = always(int(share.argmax()))
    if task.kind == "key":
        found["mirex"] = always(int((share @ mirex_table(task.classes)).argmax()))["mirex"]
    return {name: value for name, value in found.items() if name not in COUNTS}


def _known(task: Task, labels: npt.ArrayLike, split: str) -> Floats:
    """The clips with a known label."""
    found = np.asarray(labels, np.float64)
    found = found[~np.isnan(found).all(axis=1)]
    if not len(found):
        raise ValueError(f"{task.name}: no {split} clip has a known label, so there is nothing to guess by or at")
    return found


def _mean(values: Floats) -> float:
    return float(mean_defined(values[:, None])[0])


def _average_precision(positives: Floats, clips: Floats) -> Floats:
    """E AP of a random order of n clips, m of them positive (Bestgen 2015, "Exact expected average precision of the
    random baseline for system evaluation").

    A positive at rank i has (m − 1)(i − 1) / (n − 1) others above it, so that E AP = Σ_i [1 + (m − 1)(i − 1) / (n − 1)]
    / (n i) = H_n / n + (m − 1) / (n − 1) · (1 − H_n / n), with H_n = Σ_i 1 / i.

    Args:
        positives: (K,) m.
        clips: (K,) n, at least 2.
    """
    first = (digamma(clips + 1) + np.euler_gamma) / clips  # H_n / n
    return np.asarray(first + (positives - 1) / (clips - 1) * (1 - first))


def _macro_f1(guess: Floats, support: Floats) -> float:
    """E F1 of each class that occurs, in the mean.

    F1 = 2 h / (n + g) with n clips of the class, g guesses of it and h hits. Over all N clips g is binomial, and of g
    guesses g n / N are expected to hit, wherever they fall: E F1 = Σ_g P(g) · 2 (g n / N) / (n + g).

    Args:
        guess: (K,) probability that a clip is taken for the class.
        support: (K,) test clips of the class.
    """
    clips = int(support.sum())
    guesses = np.arange(clips + 1)
    each = [
        (binom.pmf(guesses, clips, probability) * 2 * guesses * count / clips / (count + guesses)).sum()
        if count
        else np.nan
        for probability, count in zip(guess, support, strict=True)
    ]
    return _mean(np.array(each))
