"""Zero-shot classification: which class's prototype is a clip most like, without training anything."""

from __future__ import annotations

import numpy as np

from semisupcon.evaluation.clips import EmbeddedClips, Floats32
from semisupcon.evaluation.cosine import directions
from semisupcon.table import Task


def applies(task: Task) -> bool:
    """Whether a task has classes that a prototype can stand for: all do but regression."""
    return task.kind != "regression"


def prototype_scores(task: Task, train: EmbeddedClips, test: EmbeddedClips) -> Floats32:
    """The cosine of each test clip to the prototype of each class (or tag).

    A prototype is the mean of the training clips known to have the class, as in Snell, Swersky & Zemel (NeurIPS 2017,
    eq. 1). What differs from there: nothing is trained for it, in episodes or otherwise; a clip counts by the direction
    of its mean embedding alone, and is compared by the cosine, not by squared Euclidean distance; a clip with several
    tags is part of the prototype of each.

    Args:
        task: what the labels are.
        train: clips to take prototypes from, maybe few.
        test: clips to score.

    Returns:
        (M, K) float32 in [−1, 1], M of ``test``. A class without a training clip has −1, and no other score is as low:
        it is never chosen where another class has a clip, and as a tag it is a constant.

    Raises:
        ValueError: the task is regression; an embedding is NaN or infinite.
    """
    if not applies(task):
        raise ValueError(f"{task.name}: the targets of a regression have no prototypes")
    members = (train.labels == 1).astype(np.float64)  # (N, K), unknown = not a member
    prototypes = directions(members.T @ directions(train.means()).numpy())  # of a sum as of a mean
    scores = directions(test.means()) @ prototypes.T
    lowest = np.nextafter(np.float32(-1), np.float32(0))
    clipped = np.clip(scores.numpy().astype(np.float32), lowest, 1)
    return np.asarray(np.where(members.any(axis=0), clipped, -1), np.float32)
