"""Nearest neighbours against scikit-learn and a loop; ties, unknown labels, few clips."""

import numpy as np
import pytest
import torch
from sklearn.metrics.pairwise import cosine_similarity
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor

from semisupcon.downstream.metrics import evaluate
from semisupcon.evaluation import cosine, neighbours
from semisupcon.evaluation.clips import EmbeddedClips
from semisupcon.evaluation.neighbours import choose_k, clipped, neighbour_scores
from semisupcon.table import Task

CLASSES = Task("classes", "multiclass", tuple("abcd"))
TAGS = Task("tags", "multilabel", tuple("abcd"))
MOOD = Task("mood", "regression", ("arousal", "valence"))
DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU"))]


def clips(labels, segment, clip=None):
    labels = np.asarray(labels, np.float32)
    clip = np.arange(len(labels)) if clip is None else clip
    names = np.array([str(row) for row in range(len(labels))], dtype=str)
    return EmbeddedClips(np.asarray(segment, np.float32), clip, labels, names, np.array([""] * len(labels), dtype=str))


def votes(distances):
    """What scikit-learn hands over is the cosine distance 1 − s."""
    return np.exp(-distances / 0.07)


@pytest.fixture
def data():
    """Training clips and queries of several segments each, whose embeddings say something of three columns."""
    rng = np.random.default_rng(0)

    def make(count):
        clip = np.sort(np.r_[np.arange(count), rng.integers(count, size=2 * count)])
        hidden = rng.normal(size=(count, 3))
        segment = hidden[clip] @ basis + 0.7 * rng.normal(size=(len(clip), 9))
        return hidden, segment, clip

    basis = rng.normal(size=(3, 9))
    return make(120), make(31)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("at_once", [1, 1000, cosine.AT_ONCE])
def test_classes_as_scikit_learn_votes(data, monkeypatch, device, at_once):
    monkeypatch.setattr(cosine, "AT_ONCE", at_once)
    (hidden, segment, clip), (asked, other, of) = data
    truth = hidden.argmax(axis=1)
    train, queries = clips(np.eye(4)[truth], segment, clip), clips(np.eye(4)[asked.argmax(axis=1)], other, of)
    ks = (1, 4, 50, 120)
    found = neighbour_scores(CLASSES, train, queries, ks, device)
    assert (found.shape, found.dtype) == ((4, 31, 4), np.float32)
    assert (found[:, :, 3] == 0).all()  # a class that no clip has
    for k, scores in zip(ks, found, strict=True):
        judge = KNeighborsClassifier(k, metric="cosine", weights=votes).fit(train.means(), truth)
        np.testing.assert_allclose(scores[:, :3], judge.predict_proba(queries.means()), atol=2e-6)


def test_targets_as_scikit_learn_weighs_them(data):
    (hidden, segment, clip), (asked, other, of) = data
    train, queries = clips(30 * hidden[:, :2], segment, clip), clips(asked[:, :2], other, of)
    for k, scores in zip((2, 17), neighbour_scores(MOOD, train, queries, (2, 17)), strict=True):
        judge = KNeighborsRegressor(k, metric="cosine", weights=votes).fit(train.means(), train.labels)
        np.testing.assert_allclose(scores, judge.predict(queries.means()), atol=1e-3)


@pytest.mark.parametrize("task", [TAGS, MOOD], ids=lambda task: task.name)
def test_unknown_labels_against_a_loop(data, task):
    (hidden, segment, clip), (_, other, of) = data
    columns = len(task.classes)
    labels = np.c_[hidden > 0.5, hidden[:, :1] > 1] if task is TAGS else hidden[:, :2]
    labels = np.where(np.random.default_rng(1).random(labels.shape) < 0.6, np.nan, labels)
    train, queries = clips(labels, segment, clip), clips(np.zeros((31, columns)), other, of)
    similar = cosine_similarity(queries.means().astype(float), train.means().astype(float))
    known = [m for m in range(120) if not np.isnan(labels[m]).all()]
    ks, wanted = (1, 3, 40), np.empty((3, 31, columns))
    for i, k in enumerate(ks):
        for q in range(31):
            nearest = sorted(known, key=lambda m, q=q: -similar[q, m])[:k]
            for c in range(columns):
                knowing = [m for m in nearest if not np.isnan(labels[m, c])]
                weights = [np.exp((similar[q, m] - 1) / 0.07) for m in knowing]
                wanted[i, q, c] = (
                    np.average(labels[knowing, c], weights=weights) if knowing else np.nanmean(labels[:, c])
                )
    assert np.isnan(labels[known]).any()
    np.testing.assert_allclose(neighbour_scores(task, train, queries, ks), wanted, atol=1e-6)


@pytest.mark.parametrize("device", DEVICES)
def test_of_equally_similar_clips_the_first_are_nearer(device):
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(5, 33))
    which = rng.integers(5, size=203)
    segment = rows[which] * rng.integers(1, 4, size=(203, 1))  # longer or shorter, the angle is the same
    train, queries = clips(np.arange(203)[:, None], segment), clips(np.zeros((5, 1)), rows)
    found = neighbour_scores(Task("place", "regression", ("place",)), train, queries, (1, 2, 10), device)
    for row in range(5):
        same = np.flatnonzero(which == row)
        np.testing.assert_allclose(found[:, row, 0], [same[:k].mean() for k in (1, 2, 10)], rtol=1e-6)


def test_a_collapsed_embedding_gives_the_first_clips(data):
    (hidden, segment, clip), _ = data
    train = clips(np.eye(4)[hidden.argmax(axis=1)], np.ones_like(segment), clip)
    found = neighbour_scores(CLASSES, train, train, (7,))
    np.testing.assert_allclose(found[0], np.tile(train.labels[:7].mean(axis=0), (120, 1)), atol=1e-6)


def test_more_neighbours_than_clips_are_all_of_them(data):
    (hidden, segment, clip), _ = data
    train = clips(np.eye(4)[hidden.argmax(axis=1)], segment, clip)
    few = train.take(np.arange(3))
    found = neighbour_scores(CLASSES, few, train, (1, 3, 100))
    assert np.array_equal(found[1], found[2])
    assert not np.array_equal(found[0], found[1])
    one = neighbour_scores(CLASSES, train.take(np.arange(1)), train, (5,))
    assert np.array_equal(one[0], np.repeat(train.labels[:1], 120, axis=0))
    assert neighbour_scores(CLASSES, train, train.take(np.arange(0)), (1,)).shape == (1, 0, 4)


def test_clips_without_a_known_label_are_no_neighbours(data):
    (hidden, segment, clip), _ = data
    labels = np.eye(4)[hidden.argmax(axis=1)]
    known = np.arange(1, 120, 2)
    unlabelled = labels.copy()
    unlabelled[::2] = np.nan
    train = clips(labels, segment, clip)
    found = neighbour_scores(CLASSES, clips(unlabelled, segment, clip), train, (5,))
    assert np.array_equal(found, neighbour_scores(CLASSES, train.take(known), train, (5,)))
    with pytest.raises(ValueError, match="none of the 120 training clips has a known label"):
        neighbour_scores(CLASSES, clips(np.full_like(labels, np.nan), segment, clip), train)


def test_a_tag_that_nobody_judged_is_a_constant(data):
    (hidden, segment, clip), _ = data
    labels = np.c_[hidden > 0, np.full(120, np.nan)]
    found = neighbour_scores(TAGS, clips(labels, segment, clip), clips(labels, segment, clip), (3,))
    assert (found[:, :, 3] == 0).all()


def test_two_calls_are_equal_to_the_last_bit(data):
    (hidden, segment, clip), (asked, other, of) = data
    train, queries = clips(hidden > 0.5, segment, clip), clips(asked > 0.5, other, of)
    task = Task("tags", "multilabel", tuple("abc"))
    assert np.array_equal(*(neighbour_scores(task, train, queries) for _ in range(2)))


@pytest.mark.parametrize("task", [CLASSES, TAGS, MOOD], ids=lambda task: task.name)
def test_the_best_number_of_neighbours_on_validation_is_chosen(data, task):
    (hidden, segment, clip), (asked, other, of) = data
    make = {
        "classes": lambda x: np.eye(4)[x.argmax(axis=1)],
        "tags": lambda x: np.c_[x, x[:, :1]] > 0.5,
        "mood": lambda x: x[:, :2],
    }[task.name]
    train, val = clips(make(hidden), segment, clip), clips(make(asked), other, of)
    ks = (1, 5, 10, 20, 100)
    values = [evaluate(task, neighbour_scores(task, train, val, (k,))[0], val.labels)[task.metric] for k in ks]
    assert values[0] != max(values)
    assert choose_k(task, train, val, ks) == ks[int(np.argmax(values))]


def test_of_equally_good_numbers_the_first_is_chosen():
    train = clips(np.eye(4)[[0, 0, 0, 1, 1, 1]], [[1, 0]] * 3 + [[0, 1]] * 3)
    assert choose_k(CLASSES, train, train, (2, 3, 1)) == 2
    assert (
        choose_k(TAGS, train, clips(np.ones((2, 4)), [[1, 0], [0, 1]]), (4, 3)) == 4
    )  # PR-AUC without a negative: NaN


def test_numbers_are_lowered_to_the_clips_that_vote():
    assert clipped((1, 5, 10, 20), 7) == (1, 5, 7)
    assert clipped((1, 5), 1) == (1,)
    train = clips([[1, 0, 0, 0], [0, 1, 0, 0], [np.nan] * 4], [[1, 0], [0, 1], [1, 1]])
    assert choose_k(CLASSES, train, train, (100, 50)) == 2


@pytest.mark.parametrize("ks", [(), (0,), (3, -1)])
def test_a_number_below_one_is_refused(ks):
    train = clips(np.eye(4), np.eye(4))
    with pytest.raises(ValueError, match="at least one number of neighbours"):
        neighbour_scores(CLASSES, train, train, ks)


def test_the_defaults_are_those_of_the_paper():
    assert (neighbours.TEMPERATURE, neighbours.KS) == (0.07, (1, 5, 10, 20, 50, 100))
