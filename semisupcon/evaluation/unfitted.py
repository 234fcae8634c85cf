"""What an embedding is good for without anything trained: prototypes, neighbours, retrieval, and its shape."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from semisupcon.downstream.intervals import units
from semisupcon.evaluation.cases import Case, Ready
from semisupcon.evaluation.clips import EmbeddedClips, Floats32
from semisupcon.evaluation.entries import Entry, Result, entries
from semisupcon.evaluation.maps import project
from semisupcon.evaluation.measuring import measured, over
from semisupcon.evaluation.neighbours import KS, choose_k, neighbour_scores
from semisupcon.evaluation.options import Options
from semisupcon.evaluation.prototypes import prototype_scores
from semisupcon.evaluation.retrieval import Retrieval, by_label, by_track
from semisupcon.evaluation.shape import shape
from semisupcon.evaluation.trained import about, subsets

AT_ONCE = 8192

USUAL_K = 20
"""Neighbours where there are no labelled validation clips to choose by."""


def spaces(ready: Ready) -> list[str]:
    """Where similarity can be asked for: of the embeddings, and of what the projection head makes of them."""
    return ["embedding"] if ready.head is None else ["embedding", "projection"]


def head_digest(ready: Ready) -> str:
    """What a projection depends on beside the embedding; empty where there is no head."""
    if ready.head is None:
        return ""
    digest = hashlib.sha256(type(ready.head).__qualname__.encode())
    for name, value in ready.head.state_dict().items():
        digest.update(name.encode() + value.numpy().tobytes())
    return digest.hexdigest()


def within(ready: Ready, clips: EmbeddedClips, space: str) -> EmbeddedClips:
    """The clips in a space: each segment's embedding, or its projection."""
    head = ready.head if space == "projection" else None
    return clips if head is None else clips.with_segments(_through(head, clips.segment))


@torch.no_grad()
def _through(head: torch.nn.Module, segment: Floats32) -> Floats32:
    head.eval()
    parts = [head(part) for part in torch.from_numpy(segment).split(AT_ONCE)]
    return torch.cat(parts).numpy()


def zero_shot(ready: Ready, case: Case, options: Options) -> Result:
    """Class prototypes of some of the training clips, in both spaces."""
    found: list[Entry] = []
    for space in spaces(ready):
        train, test = (within(ready, ready.clips(case, split), space) for split in ("train", "test"))
        for share, draw, which in subsets(case, train, options.zero_shot_shares, options):
            scores = prototype_scores(case.task, train.take(which), test)
            here = replace(about(ready, case, "zero_shot", "prototypes"), space=space, share=share, draw=draw)
            found += entries(
                here, measured(case.task, scores, test.labels, test.groups, options.draws), test.fingerprint
            )
    return Result(found)


def neighbours(ready: Ready, case: Case, options: Options) -> Result:
    """k-nearest-neighbour classification, k by validation, in both spaces."""
    found: list[Entry] = []
    chosen: dict[str, int] = {}
    task, device = case.task, case.how.device
    for space in spaces(ready):
        train, val, test = (within(ready, ready.clips(case, split), space) for split in ("train", "val", "test"))
        known = not np.isnan(val.labels).all()  # of no clips, too
        k = choose_k(task, train, val, KS, device) if known else min(USUAL_K, len(train))
        scores = neighbour_scores(task, train, test, [k], device)[0]
        here = replace(about(ready, case, "neighbours", "knn"), space=space)
        found += entries(here, measured(task, scores, test.labels, test.groups, options.draws), test.fingerprint)
        chosen[space] = k
    return Result(found, notes={"k": chosen})


def retrieval(ready: Ready, case: Case, options: Options) -> Result:
    """Test clips alike by label, and segments of the same track, in both spaces."""
    found: list[Entry] = []
    notes: dict[str, object] = {}
    for space in spaces(ready):
        test = within(ready, ready.clips(case, "test"), space)
        for method, asked in _retrievals(case, test):
            here = replace(about(ready, case, "retrieval", method), space=space, protocol="clip")
            measure = over(asked.measure, units(test.groups, len(test)), options.draws)
            found += entries(here, measure, test.fingerprint)
            notes[method] = {"queries": asked.queries, "left_out": asked.left_out}
    return Result(found, notes=notes)


def _retrievals(case: Case, test: EmbeddedClips) -> Iterator[tuple[str, Retrieval]]:
    if case.task.kind != "regression":
        yield "by_label", by_label(case.task, test, device=case.how.device)
    yield "by_track", by_track(test.without_overlap(), device=case.how.device)


def shape_of(ready: Ready, cases: Sequence[Case], options: Options) -> Result:
    """Diagnostics of the embeddings of a corpus's test clips, of all tasks together, and their maps."""
    test, labels = _together(ready, cases)
    found = shape(test.without_overlap(), options.seed)
    maps = project(test.means(), options.seed)
    arrays: dict[str, Any] = {"spectrum": found.spectrum, "pca": maps.pca, "explained": np.array(maps.explained)}
    if maps.tsne is not None:
        arrays["tsne"] = maps.tsne
    arrays["names"] = np.array([str(name) for name in test.names[maps.rows]], dtype=np.str_)
    arrays |= {f"labels {task}": values[maps.rows] for task, values in labels.items()}
    numbers = ("alignment", "uniformity", "effective_rank", "dims", "dead", "mean_cosine", "warnings")
    about = {"subject": ready.subject.name, "run": ready.subject.run, "tasks": [case.name for case in cases]}
    return Result(arrays=arrays, notes={**about, **{name: getattr(found, name) for name in numbers}})


def _together(ready: Ready, cases: Sequence[Case]) -> tuple[EmbeddedClips, dict[str, Floats32]]:
    """The test clips of several tasks, each once and without labels; and their labels, NaN in tasks they are not of."""
    number: dict[str, int] = {}
    parts = []
    for case in cases:
        test = ready.clips(case, "test")
        parts.append(test.take(np.array([i for i, name in enumerate(test.names) if str(name) not in number], np.int64)))
        number |= {str(name): len(number) + place for place, name in enumerate(parts[-1].names)}
    ends = np.cumsum([0, *map(len, parts)])
    joined = EmbeddedClips(
        np.concatenate([part.segment for part in parts]),
        np.concatenate([part.clip + first for part, first in zip(parts, ends[:-1], strict=True)]),
        np.zeros((len(number), 0), np.float32),
        np.concatenate([part.names for part in parts]),
        np.concatenate([part.groups for part in parts]),
    )
    labels = {}
    for case in cases:
        test = ready.clips(case, "test")
        labels[case.name] = np.full((len(number), test.labels.shape[1]), np.nan, np.float32)
        labels[case.name][[number[str(name)] for name in test.names]] = test.labels
    return joined, labels
