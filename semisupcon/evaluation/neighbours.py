"""k-nearest-neighbour classification: what the training clips around a clip say, without training anything.

Ties
----
Of training clips that are equally similar to a query (see :mod:`semisupcon.evaluation.cosine`) those that come first
among the training clips are nearer. The similarity, a whole number, and the place among the training clips are put into
one whole number, and no two of these are equal: ``topk`` has nothing to choose, on whatever device.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch

from semisupcon.downstream.metrics import evaluate
from semisupcon.evaluation.clips import EmbeddedClips, Floats32
from semisupcon.evaluation.cosine import STEPS, chunk, directions, similarities
from semisupcon.table import Task

KS = (1, 5, 10, 20, 50, 100)
"""Numbers of neighbours to choose from."""

TEMPERATURE = 0.07
"""τ of the votes."""

Floats = npt.NDArray[np.float64]


def clipped(ks: Sequence[int], clips: int) -> tuple[int, ...]:
    """Numbers of neighbours that so many training clips allow, each once, in their order."""
    return tuple(dict.fromkeys(min(k, clips) for k in ks))


def neighbour_scores(
    task: Task,
    train: EmbeddedClips,
    queries: EmbeddedClips,
    ks: Sequence[int] = KS,
    device: str | torch.device = "cpu",
) -> Floats32:
    """The share of the neighbours' votes that each class has, for several numbers of neighbours at once.

    The k training clips of the highest cosine between mean embeddings vote with exp((s − 1)/τ), s the cosine, τ = .07
    (Wu, Xiong, Yu & Lin, CVPR 2018, section 3.4; the constant changes no share). For a tag those alone vote whose label
    is known for it; for regression the score is the mean of the targets, weighted by the votes. Where none of the k
    neighbours knows, the score is the mean over all training clips that do; where none does, 0.

    Args:
        task: what the labels are.
        train: clips that vote; those without any known label are left out.
        queries: clips to score.
        ks: numbers of neighbours, each at least 1; one above the number of clips that vote means all of them.
        device: where cosines are computed, a part of the queries at a time; the votes are counted on the CPU.

    Returns:
        (len(ks), M, K) float32.

    Raises:
        ValueError: no training clip has a known label; a k below 1; an embedding is NaN or infinite.
    """
    known = np.flatnonzero(~np.isnan(train.labels).all(axis=1))
    if not len(known):
        raise ValueError(f"{task.name}: none of the {len(train)} training clips has a known label, so none can vote")
    if not ks or min(ks) < 1:
        raise ValueError(f"ks={tuple(ks)}: at least one number of neighbours is needed, each at least 1")
    most = min(max(ks), len(known))
    labels = train.labels[known].astype(np.float64)
    candidates, asking = directions(train.means()[known], device), directions(queries.means(), device)
    otherwise = _means(labels)
    scores = np.empty((len(ks), len(queries), labels.shape[1]), np.float32)
    place = torch.arange(len(known) - 1, -1, -1, device=candidates.device)
    step = min(chunk(len(known)), chunk(most * labels.shape[1]))
    for start in range(0, len(queries), step):
        part = slice(start, start + step)
        keys = similarities(asking[part], candidates).long().mul_(len(known)).add_(place)  # later clips are lower
        nearest = torch.topk(keys, most, dim=1).values.cpu().numpy()
        similarity, row = np.divmod(nearest, len(known))
        scores[:, part] = _shares(similarity / STEPS, labels[len(known) - 1 - row], otherwise, ks)
    return scores


def _shares(similarity: Floats, labels: Floats, otherwise: Floats, ks: Sequence[int]) -> Floats:
    """Cosines (B, N) and labels (B, N, K) of the nearest on -> (len(ks), B, K); ``otherwise`` (K,) without a vote."""
    votes = np.exp((similarity - 1) / TEMPERATURE)
    known = ~np.isnan(labels)
    labels = np.where(known, labels, 0.0)
    found = []
    for k in ks:
        cast = np.einsum("bn,bnk->bk", votes[:, :k], known[:, :k])
        summed = np.einsum("bn,bnk->bk", votes[:, :k], labels[:, :k])
        found.append(np.where(cast > 0, summed / np.where(cast > 0, cast, 1), otherwise))
    return np.stack(found)


def _means(labels: Floats) -> Floats:
    """(N, K) -> (K,), the mean of what is known of each column; 0 where nothing is."""
    known = ~np.isnan(labels)
    return np.asarray(np.where(known, labels, 0).sum(axis=0) / np.maximum(1, known.sum(axis=0)))


def choose_k(
    task: Task,
    train: EmbeddedClips,
    val: EmbeddedClips,
    ks: Sequence[int] = KS,
    device: str | torch.device = "cpu",
) -> int:
    """The number of neighbours with the highest main metric on validation clips; the first of equals.

    Args:
        task: its ``metric`` decides.
        train: clips that vote.
        val: clips to choose on.
        ks: numbers to choose from, lowered to the number of training clips with a known label where they are above it.
        device: where cosines are computed.

    Raises:
        ValueError: as :func:`neighbour_scores`, and as :func:`semisupcon.downstream.metrics.evaluate` for ``val``.
    """
    ks = clipped(ks, int((~np.isnan(train.labels)).any(axis=1).sum()))
    values = [evaluate(task, each, val.labels)[task.metric] for each in neighbour_scores(task, train, val, ks, device)]
    return ks[int(np.argmax(values))]  # labels that make a metric NaN make it NaN for all
