"""Retrieval against scikit-learn query by query and plain loops, with ties; what intervals are made from it."""

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score

from semisupcon.downstream.intervals import draw, drawn, units
from semisupcon.evaluation import cosine
from semisupcon.evaluation.clips import EmbeddedClips
from semisupcon.evaluation.retrieval import by_label, by_track
from semisupcon.table import Task

CLASSES = Task("classes", "multiclass", tuple("abcd"))
TAGS = Task("tags", "multilabel", tuple("abcd"))
NAMES = ["recall_at_1", "recall_at_5", "recall_at_10", "map"]
DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU"))]

# Means over what there is, in the loops here, are now and then means of nothing.
pytestmark = pytest.mark.filterwarnings("ignore:Mean of empty slice", "ignore:All-NaN slice")


def clips(labels, segment, clip=None, groups=None):
    labels = np.asarray(labels, np.float32)
    clip = np.arange(len(labels)) if clip is None else clip
    names = np.array([str(row) for row in range(len(labels))], dtype=str)
    groups = np.array([""] * len(labels), dtype=str) if groups is None else groups
    return EmbeddedClips(np.asarray(segment, np.float32), clip, labels, names, groups)


def made(kind, count=60, ties=True, seed=0):
    """Clips of several segments, some clips alike to the last bit, with labels of which some are unknown."""
    rng = np.random.default_rng(seed)
    clip = np.sort(np.r_[np.arange(count), rng.integers(count, size=count)])
    if kind == "classes":
        labels = np.eye(4)[np.r_[3, rng.integers(3, size=count - 1)]]  # one of the last class
        labels[rng.random(count) < 0.1] = np.nan
    else:
        labels = (rng.random((count, 4)) < [0.5, 0.2, 0.1, 0]).astype(float)
        labels[1, 3] = 1
        labels[rng.random(labels.shape) < 0.15] = np.nan
    # Whole numbers of few values in two dimensions: many of the angles are equal.
    segment = rng.integers(-1, 3, size=(len(clip), 2)) if ties else rng.normal(size=(len(clip), 5))
    if ties:
        segment = segment[np.searchsorted(clip, clip)]  # all of a clip
    return clips(labels, segment, clip, np.array([f"artist {row // 3}" for row in range(count)], dtype=str))


def cosines(rows):
    rows = rows.astype(float)
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    rows = rows / np.where(length > 0, length, 1)
    return np.round(rows @ rows.T, 9)


def figures(similar, relevant):
    """Of one query: recall at 1, 5, 10, the irrelevant ones first among equals; average precision. None = no query."""
    if not relevant.any():
        return None
    ranking = sorted(zip(-similar, relevant, strict=True))  # False before True
    recall = [any(alike for _, alike in ranking[:k]) for k in (1, 5, 10)]
    return [*recall, average_precision_score(relevant, similar)]


def label_loop(task, data):
    """(M, K, 4) of each clip's query for each of its classes, NaN = none; and how many are left out."""
    similar = cosines(data.means())
    values, left_out = np.full((len(data), len(task.classes), 4), np.nan), 0
    for m, k in np.argwhere(data.labels == 1):
        others = [c for c in range(len(data)) if c != m and not np.isnan(data.labels[c, k])]
        found = figures(similar[m, others], data.labels[others, k] == 1)
        left_out += found is None
        if found is not None:
            values[m, k] = found
    return values, left_out


def track_loop(data):
    """(S, 4) of each segment, NaN = no other one of its clip."""
    similar = cosines(data.segment)
    values = np.full((len(data.segment), 4), np.nan)
    for s in range(len(values)):
        others = np.flatnonzero(np.arange(len(values)) != s)
        found = figures(similar[s, others], data.clip[others] == data.clip[s])
        values[s] = np.nan if found is None else found
    return values


def plain(retrieval, clips):
    return {name: value[0] for name, value in retrieval.measure(np.ones((clips, 1))).items()}


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("at_once", [1, 300, cosine.AT_ONCE])
@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("kind", ["classes", "tags"])
def test_clips_alike_by_label_against_scikit_learn(kind, ties, at_once, device, monkeypatch):
    monkeypatch.setattr(cosine, "AT_ONCE", at_once)
    task, data = (CLASSES if kind == "classes" else TAGS), made(kind, ties=ties)
    loop, left_out = label_loop(task, data)
    found = by_label(task, data, device=device)
    per_query = np.nanmax(loop, axis=1, keepdims=True) if task.exclusive else loop
    assert list(found.values) == NAMES
    for column, name in enumerate(NAMES):
        np.testing.assert_allclose(found.values[name], per_query[:, :, column], atol=1e-12)
    assert (found.queries, found.left_out) == (int((~np.isnan(loop[:, :, 0])).sum()), left_out)
    assert left_out >= 1
    columns = per_query.reshape(len(data), -1, 4)
    wanted = np.nanmean(np.nanmean(columns, axis=0), axis=0)
    assert list(plain(found, len(data)).values()) == pytest.approx(list(wanted), abs=1e-12)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("at_once", [1, 500, cosine.AT_ONCE])
@pytest.mark.parametrize("ties", [False, True])
def test_segments_of_a_track_against_scikit_learn(ties, at_once, device, monkeypatch):
    monkeypatch.setattr(cosine, "AT_ONCE", at_once)
    data = made("classes", 40, ties)
    loop = track_loop(data)
    found = by_track(data, device=device)
    of_tracks = np.array([loop[data.clip == m].mean(axis=0) for m in range(40)])
    for column, name in enumerate(NAMES):
        np.testing.assert_allclose(found.values[name][:, 0], of_tracks[:, column], atol=1e-12)
    lonely = int((data.counts == 1).sum())
    assert (found.left_out, found.queries) == (lonely, len(data.segment) - lonely)
    assert lonely > 3
    assert list(plain(found, 40).values()) == pytest.approx(list(np.nanmean(of_tracks, axis=0)), abs=1e-12)


def test_long_tracks_do_not_outweigh_short_ones():
    """Ten segments that find each other, and a track of two that are further from each other than from the rest."""
    data = clips(np.eye(4)[[0, 1]], [[1, 0]] * 10 + [[5, 1], [5, -1]], np.r_[[0] * 10, [1] * 2])
    found = plain(by_track(data), 2)
    assert found == pytest.approx(
        {"recall_at_1": 0.5, "recall_at_5": 0.5, "recall_at_10": 0.5, "map": (1 + 1 / 11) / 2}
    )


def test_a_collapsed_embedding_finds_nothing_first_and_is_at_chance():
    labels = np.eye(4)[[0] * 5 + [1] * 15]
    data = clips(labels, np.ones((20, 3)))
    found = plain(by_label(CLASSES, data), 20)
    assert (found["recall_at_1"], found["recall_at_5"]) == (0, pytest.approx(0))
    assert found["recall_at_10"] == 0.75  # 5 irrelevant ones are before the relevant ones of the larger class
    assert found["map"] == pytest.approx((5 * 4 / 19 + 15 * 14 / 19) / 20)
    order = np.random.default_rng(0).permutation(20)
    assert plain(by_label(CLASSES, clips(labels[order], np.ones((20, 3)))), 20) == pytest.approx(found)


def test_all_of_one_class_cannot_be_missed():
    data = clips(np.eye(4)[[2] * 6], np.random.default_rng(0).normal(size=(6, 3)))
    found = by_label(CLASSES, data)
    assert plain(found, 6) == dict.fromkeys(NAMES, 1)
    assert (found.queries, found.left_out) == (6, 0)


@pytest.mark.parametrize("task", [CLASSES, TAGS], ids=lambda task: task.name)
def test_one_clip_has_nothing_to_find(task):
    data = clips(np.eye(4)[[1]], [[1, 2], [2, 1]], np.array([0, 0]))
    alone = by_label(task, data)
    assert (alone.queries, alone.left_out) == (0, 1)
    assert all(np.isnan(value) for value in plain(alone, 1).values())
    assert plain(by_track(data), 1) == dict.fromkeys(NAMES, 1)
    lonely = by_track(data.with_segments(np.ones((2, 2))).take(np.array([], dtype=int)))
    assert (lonely.queries, lonely.left_out) == (0, 0)


def test_a_tag_with_a_single_clip_is_left_out_of_the_mean():
    labels = np.array([[1, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]])
    found = by_label(TAGS, clips(labels, [[1, 0], [1, 0.1], [0, 1], [-1, 0]]))
    assert plain(found, 4) == dict.fromkeys(NAMES, 1)
    assert (found.queries, found.left_out) == (2, 1)


def test_a_clip_unknown_for_a_tag_is_no_candidate_for_it():
    labels = np.array([[1, 0, 0, 0], [np.nan, 1, 0, 0], [1, 1, 0, 0], [0, 0, 0, 0]])
    segment = [[1, 0], [1, 0.01], [1, 0.1], [0, 1]]  # the second is nearest to the first
    found = by_label(TAGS, clips(labels, segment))
    assert found.values["recall_at_1"][0, 0] == 1
    assert np.isnan(found.values["recall_at_1"][1, 0])
    known = by_label(TAGS, clips(np.nan_to_num(labels), segment))
    assert known.values["recall_at_1"][0, 0] == 0


@pytest.mark.parametrize("what", ["classes", "tags", "tracks"])
def test_intervals_are_those_of_queries_drawn_one_by_one(what):
    data = made("tags" if what == "tags" else "classes", 45, ties=False)
    if what == "tracks":
        found, loop = by_track(data), track_loop(data)
        each = np.array([loop[data.clip == m].mean(axis=0) for m in range(45)])[:, None]
    else:
        task = TAGS if what == "tags" else CLASSES
        found, (each, _) = by_label(task, data), label_loop(task, data)
        each = np.nanmax(each, axis=1, keepdims=True) if task.exclusive else each
    unit = units(data.groups, 45)
    weights = np.concatenate(list(draw(unit, 40, seed=2)), axis=1).astype(int)
    taken = [np.repeat(np.arange(45), w) for w in weights.T]
    by_hand = np.array([np.nanmean(np.nanmean(each[rows], axis=0), axis=0) for rows in taken])
    intervals = drawn(found.measure, unit, 40, level=0.9, seed=2)
    for column, name in enumerate(NAMES):
        low, high = np.quantile(by_hand[:, column], [0.05, 0.95])
        value = np.nanmean(np.nanmean(each, axis=0), axis=0)[column]
        assert intervals[name] == pytest.approx((value, low, high), abs=1e-12)
    assert intervals["map"].low < intervals["map"].high


def test_a_tag_without_queries_in_a_draw_is_left_out_of_it():
    labels = np.array([[1, 0, 0, 0], [1, 0, 0, 0], [0, 1, 0, 0], [0, 1, 0, 0]])
    found = by_label(TAGS, clips(labels, [[1, 0], [1, 0.1], [-1, 1], [1, 0.05]]))
    weights = np.array([[1, 1, 0, 0], [0, 0, 1, 1], [1, 1, 1, 1], [0, 0, 0, 0], [1, 0, 0, 3]], float).T
    assert found.measure(weights)["recall_at_1"].tolist()[:3] == [0, 0.0, 0]
    each = np.nanmean(found.values["map"], axis=0)
    both = found.values["map"]
    wanted = [each[0], each[1], each[:2].mean(), np.nan, (both[0, 0] + both[3, 1]) / 2]
    np.testing.assert_allclose(found.measure(weights)["map"], wanted, atol=1e-12)


def test_two_calls_are_equal_and_other_ranks_can_be_asked_for():
    data = made("tags", ties=False)
    one, other = by_label(TAGS, data, (2, 59)), by_label(TAGS, data, (2, 59))
    assert list(one.values) == ["recall_at_2", "recall_at_59", "map"]
    assert all(np.array_equal(one.values[name], other.values[name], equal_nan=True) for name in one.values)
    recall = one.values["recall_at_59"]
    assert set(recall[~np.isnan(recall)]) == {1}


def test_targets_are_not_alike_or_unlike():
    data = clips(np.ones((3, 1)), np.ones((3, 2)))
    with pytest.raises(ValueError, match="mood: clips with targets of a regression"):
        by_label(Task("mood", "regression", ("arousal",)), data)
