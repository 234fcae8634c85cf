"""Retrieval: are a clip's nearest neighbours clips of its class, and a segment's nearest those of its own track?

Conventions
-----------
The candidates of a query are all others of the split, ranked by the cosine. Two figures tell how good a ranking is:

- ``recall_at_<k>``: 1 where at least one relevant candidate is among the first k, else 0 (Recall@K as in Oh Song,
  Xiang, Jegelka & Savarese, CVPR 2016). Of candidates that are equally similar the irrelevant ones are put first, so
  that neither the order of the clips nor luck can help: a collapsed embedding, to which all are alike, finds nothing.
- ``map``: the mean of average precision over the whole ranking: the mean, over the relevant candidates, of the share of
  relevant ones among all that are at least as similar. Ties are one step of the ranking, as in scikit-learn's
  ``average_precision_score``.

A query without a relevant candidate has neither, and is left out and counted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from semisupcon.downstream.weighted import Floats, mean_defined, ratio
from semisupcon.evaluation.clips import EmbeddedClips
from semisupcon.evaluation.cosine import STEPS, chunk, directions, similarities
from semisupcon.table import Task

KS = (1, 5, 10)

NONE = -2 * STEPS
"""In place of a similarity: no candidate. Below all that are."""


@dataclass(frozen=True)
class Retrieval:
    """How well queries of M clips find what is relevant.

    Args:
        values: of each metric (M, Q): of a clip's queries for each of Q tags; one column where there are no tags; NaN =
            the clip has no such query, or that one is left out.
        queries: how many have a relevant candidate.
        left_out: how many have none.
    """

    values: Mapping[str, Floats]
    queries: int
    left_out: int

    def measure(self, weights: Floats) -> dict[str, Floats]:
        """(M, R) how often each clip counts as a query -> (R,) of each metric, as a ``Measure`` for intervals.

        The mean over the queries of a tag and then over the tags that have any in a draw; without tags the mean over
        the queries. The rankings stay: which clips can be found is not drawn again, since a clip that is drawn twice
        would find itself.
        """
        found = {}
        for name, values in self.values.items():
            there = ~np.isnan(values)
            each = ratio(np.where(there, values, 0).T @ weights, there.T.astype(np.float64) @ weights)  # (Q, R)
            found[name] = mean_defined(each)
        return found


def by_label(task: Task, clips: EmbeddedClips, ks: Sequence[int] = KS, device: str | torch.device = "cpu") -> Retrieval:
    """Find, by the mean embedding of a clip, other clips of its class, or of its tags.

    Of tags, a clip is a query for each one that it has; candidates are the other clips whose label is known for that
    tag. The mean over the queries of a tag is taken first and then the mean over tags, as in PR-AUC.

    Args:
        task: what the labels are.
        clips: of one split; those without a known label are neither queries nor candidates.
        ks: of ``recall_at_<k>``.
        device: where cosines are computed and ranked, a part of the queries at a time.

    Raises:
        ValueError: the task is regression; an embedding is NaN or infinite.
    """
    if task.kind == "regression":
        raise ValueError(f"{task.name}: clips with targets of a regression are not alike or unlike")
    rows = directions(clips.means(), device)
    values = np.full((1 + len(ks), len(clips), 1 if task.exclusive else len(task.classes)), np.nan)
    left_out = 0
    for k, label in enumerate(clips.labels.T):
        same, others = np.flatnonzero(label == 1), np.flatnonzero(label == 0)
        if len(same) < 2:
            left_out += len(same)
            continue
        queries, candidates = rows[torch.from_numpy(same)], rows[torch.from_numpy(np.r_[same, others])]
        step = chunk(len(candidates))
        for start in range(0, len(same), step):
            found = similarities(queries[start : start + step], candidates)
            itself = torch.arange(len(found), device=found.device)
            found[itself, start + itself] = NONE
            column = 0 if task.exclusive else k  # a clip of one class is one query
            values[:, same[start : start + step], column] = _quality(found, found[:, : len(same)], ks)
    return _retrieval(values, ks, int((~np.isnan(values[0])).sum()), left_out)


def by_track(clips: EmbeddedClips, ks: Sequence[int] = KS, device: str | torch.device = "cpu") -> Retrieval:
    """Find, by a segment, the other segments of its clip among all segments of the split.

    The mean over the queries of a clip is taken first, so that long tracks do not outweigh short ones.

    Args:
        clips: of one split; one with a single segment gives a candidate and no query.
        ks: of ``recall_at_<k>``.
        device: where cosines are computed and ranked, a part of the queries at a time.

    Raises:
        ValueError: an embedding is NaN or infinite.
    """
    rows = directions(clips.segment, device)
    values = np.full((1 + len(ks), len(rows)), np.nan)
    own, first = clips.counts[clips.clip], clips.first[clips.clip]  # (S,) of the clip that each segment is of
    queries = np.flatnonzero(own > 1)
    step = chunk(len(rows))
    for start in range(0, len(queries), step):
        which = queries[start : start + step]
        asking = torch.from_numpy(which).to(rows.device)
        found = similarities(rows[asking], rows)
        found[torch.arange(len(which), device=found.device), asking] = NONE
        offsets = np.arange(own[which].max())
        places = torch.from_numpy(np.minimum(first[which, None] + offsets, len(rows) - 1))
        beyond = torch.from_numpy(offsets >= own[which, None])  # the end of the clip, where others have more segments
        relevant = found.gather(1, places.to(found.device)).masked_fill(beyond.to(found.device), NONE)
        values[:, which] = _quality(found, relevant, ks)
    means = clips.average(values.T).T  # (1 + len(ks), M)
    return _retrieval(means[:, :, None], ks, len(queries), len(rows) - len(queries))


def _quality(similar: Tensor, relevant: Tensor, ks: Sequence[int]) -> Floats:
    """Similarities (B, C) of all candidates, (B, J) of the relevant -> (1 + len(ks), B), recall at each k and AP."""
    real = relevant != NONE
    among_relevant, among_all = _at_least(relevant, relevant), _at_least(similar, relevant)
    precision = torch.where(real, among_relevant / among_all.double(), 0.0)
    average = precision.sum(dim=1) / real.sum(dim=1)
    # Irrelevant ones at least as similar as the most similar relevant one: those are before it.
    before = (among_all - among_relevant).masked_fill(~real, similar.shape[1]).amin(dim=1)
    recall = [(before < k).double() for k in ks]
    return torch.stack([*recall, average]).cpu().numpy()


def _at_least(values: Tensor, bounds: Tensor) -> Tensor:
    """(B, C), (B, J) -> (B, J) how many of a row's values are at least as high as each of its bounds."""
    # On the CPU numpy sorts whole numbers ten times as fast as torch does: a fraction of the product's own time.
    ordered = torch.from_numpy(np.sort(values.numpy(), axis=1)) if values.device.type == "cpu" else values.sort().values
    return values.shape[1] - torch.searchsorted(ordered, bounds.contiguous())


def _retrieval(values: Floats, ks: Sequence[int], queries: int, left_out: int) -> Retrieval:
    names = [*(f"recall_at_{k}" for k in ks), "map"]
    return Retrieval(dict(zip(names, values, strict=True)), queries, left_out)
