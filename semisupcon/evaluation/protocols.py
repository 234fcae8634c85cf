"""How the scores of segments become the scores of what is tested, and which of several readouts is tested.

Three protocols stand side by side in a report, see ``SENTENCES``. They differ for tracks of several segments only,
and a linear probe gives the mean embedding the mean of its segments' logits. ``logit`` is the way of MARBLE: its
probes average a file's segments before the softmax or sigmoid.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import expit, softmax

from semisupcon.downstream.metrics import evaluate
from semisupcon.evaluation.clips import EmbeddedClips, Floats32
from semisupcon.evaluation.readout import Readout
from semisupcon.table import Kind, Task

Floats = npt.NDArray[np.float64]

PROTOCOLS = ("embedding", "score", "segment")
MARBLE = "logit"

SENTENCES: dict[str, str] = {
    "embedding": "a clip is scored by the mean embedding of its segments",
    "score": "a clip's score is the mean of its segments' probabilities (of their predictions, for regression)",
    "segment": "every segment is scored on its own with its clip's labels; intervals are drawn over groups or clips",
    "logit": "as MARBLE tests: a clip's score is the mean of its segments' logits (of their predictions, for "
    "regression)",
}

# The least probability that is told from 0, so that its logarithm is finite.
LEAST = 1e-300


class Scored(NamedTuple):
    """N rows to be measured, clips or segments.

    Args:
        scores: (N, K) logits, or predictions in the units of the targets.
        labels: (N, K) NaN = unknown.
        groups: (N,) what intervals are drawn over; empty text = the row itself.
        names: (N,) the clips' paths.
    """

    scores: Floats
    labels: Floats32
    groups: npt.NDArray[Any]
    names: npt.NDArray[Any]


def scored(readout: Readout, clips: EmbeddedClips, protocol: str) -> Scored:
    """Scores, labels, groups and names under a protocol.

    ``score`` gives mean probabilities as logits again: their softmax, or sigmoid, is the mean. For segments a group
    that is not known is the clip, by its name, so that the segments of a clip are drawn together.

    Raises:
        ValueError: there is no such protocol.
    """
    if protocol not in SENTENCES:
        raise ValueError(f"no protocol is called {protocol!r}; there are {', '.join(SENTENCES)}")
    if protocol == "embedding":
        return Scored(readout.scores(clips.means()).astype(np.float64), clips.labels, clips.groups, clips.names)
    each = readout.scores(clips.segment).astype(np.float64)
    if protocol == "segment":
        groups = np.where(clips.groups == "", clips.names, clips.groups)
        return Scored(each, clips.labels[clips.clip], groups[clips.clip], clips.names[clips.clip])
    mean = clips.average(each) if protocol == "logit" else _mean_probability(readout.kind, each, clips)
    return Scored(mean, clips.labels, clips.groups, clips.names)


def _mean_probability(kind: Kind, logits: Floats, clips: EmbeddedClips) -> Floats:
    """(S, K) -> (M, K): the logits of the mean probability; the mean prediction for regression.

    As log-odds and not as probabilities, of which many would be exactly 1 and tie in a ranking.
    """
    if kind == "regression":
        return clips.average(logits)
    if kind == "multilabel":
        yes, no = (np.maximum(clips.average(expit(sign * logits)), LEAST) for sign in (1, -1))
        return np.asarray(np.log(yes) - np.log(no))
    return np.asarray(np.log(np.maximum(clips.average(softmax(logits, axis=1)), LEAST)))


def choose(task: Task, readouts: Sequence[Readout], val: EmbeddedClips, protocol: str) -> int:
    """Which of some readouts has the highest main metric on the validation clips, under the protocol of the test.

    Of equals the one with the strongest decay wins, and of those the earliest; also where the metric is undefined. A
    readout that diverged never wins, unless all did. Without a labelled validation clip it is the one in the middle
    of the grid from the strongest decay to the weakest, of two the stronger.

    Args:
        task: whose ``metric`` decides.
        readouts: at least one.
        val: validation clips.
        protocol: of ``PROTOCOLS``, or ``MARBLE``.
    """
    order = sorted(range(len(readouts)), key=lambda number: (-readouts[number].decay, number))
    if np.isnan(val.labels).all():
        return order[(len(order) - 1) // 2]

    def worth(number: int) -> tuple[int, float]:
        scores, labels, _, _ = scored(readouts[number], val, protocol)
        if not np.isfinite(scores).all():
            return 0, 0.0
        value = evaluate(task, scores, labels)[task.metric]
        return (1, 0.0) if np.isnan(value) else (2, value)

    return max(order, key=worth)  # the first of equals
