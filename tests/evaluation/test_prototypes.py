"""Class prototypes against a loop over classes, and where there is nothing to make one of."""

import numpy as np
import pytest
from sklearn.metrics.pairwise import cosine_similarity
from sklearn.preprocessing import normalize

from semisupcon.downstream.metrics import evaluate
from semisupcon.evaluation.clips import EmbeddedClips
from semisupcon.evaluation.prototypes import applies, prototype_scores
from semisupcon.table import Task

CLASSES = Task("classes", "multiclass", tuple("abcd"))
TAGS = Task("tags", "multilabel", tuple("abcd"))
MOOD = Task("mood", "regression", ("arousal",))


def clips(labels, seed=0, dim=6, segment=None):
    labels = np.asarray(labels, np.float32)
    rng = np.random.default_rng(seed)
    clip = np.repeat(np.arange(len(labels)), rng.integers(1, 4, size=len(labels)))
    if segment is None:
        segment = rng.normal(size=(len(clip), dim)) * np.exp(rng.normal(size=(len(clip), 1)))
    else:
        clip = np.arange(len(labels))
    names = np.array([f"{seed}-{row}" for row in range(len(labels))])
    return EmbeddedClips(np.asarray(segment, np.float32), clip, labels, names, np.array([""] * len(labels)))


def tags(count, seed):
    rng = np.random.default_rng(seed)
    labels = (rng.random((count, 4)) < 0.3).astype(float)
    labels[rng.random(labels.shape) < 0.2] = np.nan
    return labels


@pytest.mark.parametrize("kind", ["classes", "tags"])
def test_equals_a_loop_over_classes(kind):
    rng = np.random.default_rng(1)
    task = CLASSES if kind == "classes" else TAGS
    labels = np.eye(4)[rng.integers(4, size=30)] if kind == "classes" else tags(30, 0)
    train, test = clips(labels, 0), clips(labels[:9], 1)
    means = [train.segment[train.clip == m].mean(axis=0) for m in range(30)]
    wanted = np.empty((9, 4))
    for k in range(4):
        prototype = np.mean([normalize(means[m][None])[0] for m in range(30) if labels[m, k] == 1], axis=0)
        for m in range(9):
            wanted[m, k] = cosine_similarity(test.segment[test.clip == m].mean(axis=0)[None], prototype[None])[0, 0]
    found = prototype_scores(task, train, test)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, wanted, atol=1e-6)
    assert np.array_equal(found, prototype_scores(task, train, test))


def test_loud_clips_and_long_clips_count_as_any_other():
    train = clips(np.eye(2)[[0, 0, 1]], segment=[[1, 0], [0, 1000], [-1, -1]])
    found = prototype_scores(Task("two", "multiclass", ("a", "b")), train, clips(np.eye(2)[[0]], segment=[[5, 5]]))
    np.testing.assert_allclose(found, [[1, -1]], atol=1e-6)


def test_a_class_without_a_clip_is_never_chosen_and_a_constant_as_a_tag():
    labels = np.eye(4)[[1, 1, 3, 3]]
    segment = [[1, 0], [1, 0], [1, 0], [1, 0]]
    opposite = clips(np.eye(4)[[1, 3]], segment=[[-1, 0], [1, 0]])
    found = prototype_scores(CLASSES, clips(labels, segment=segment), opposite)
    assert (found[:, [0, 2]] == -1).all()
    assert found[0].argmax() == 1  # −1 as well, as far as a float32 can tell
    assert found.min(axis=1).tolist() == [-1, -1]
    unknown = np.where(labels == 1, 1, np.nan)
    assert np.array_equal(prototype_scores(TAGS, clips(unknown, segment=segment), opposite), found)
    assert evaluate(TAGS, found, opposite.labels)["pr_auc"] > 0


def test_without_any_clip_all_is_minus_one():
    test = clips(np.eye(4), 1)
    assert (prototype_scores(CLASSES, clips(np.eye(4)).take(np.arange(0)), test) == -1).all()
    assert prototype_scores(CLASSES, test, test.take(np.arange(0))).shape == (0, 4)


def test_directions_that_cancel_out_have_no_side():
    train = clips(np.eye(2)[[0, 0, 1]], segment=[[2, 1], [-2, -1], [1, 0]])
    found = prototype_scores(Task("two", "multiclass", ("a", "b")), train, clips(np.eye(2)[[0]], segment=[[0, 3]]))
    assert found.tolist() == [[0, 0]]


def test_regression_has_no_prototypes():
    assert [applies(task) for task in (CLASSES, TAGS, MOOD)] == [True, True, False]
    with pytest.raises(ValueError, match="mood: the targets of a regression have no prototypes"):
        prototype_scores(MOOD, clips([[0.5]]), clips([[0.5]]))
