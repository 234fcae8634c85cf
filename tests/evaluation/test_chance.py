"""What guessing is worth, against many guesses."""

import math
from itertools import permutations

import numpy as np
import pytest

from semisupcon.datasets.keys import KEYS
from semisupcon.downstream.metrics import COUNTS, evaluate
from semisupcon.evaluation.chance import chance
from semisupcon.table import Task

GENRE = Task("genre", "multiclass", ("a", "b", "c", "d"))
KEY = Task("key", "key", tuple(KEYS))
TAGS = Task("tags", "multilabel", ("a", "b", "c", "d"))
TAG = Task("tag", "multilabel", ("a",))
MOOD = Task("mood", "regression", ("arousal", "valence", "dull"))
NAN = np.nan


def _one_of(classes, count, seed, frequent=3.0):
    """Classes of unequal frequency."""
    rng = np.random.default_rng(seed)
    share = rng.random(classes) ** frequent
    return np.eye(classes)[rng.choice(classes, size=count, p=share / share.sum())]


@pytest.mark.parametrize(("task", "clips"), [(GENRE, 7), (GENRE, 60), (KEY, 30)])
def test_guesses_by_the_training_frequencies_score_as_expected(task, clips):
    count = len(task.classes)
    train, test = _one_of(count, 50, seed=1), _one_of(count, clips, seed=2, frequent=1.0)
    expected = chance(task, train, test)
    rng = np.random.default_rng(0)
    draws = [evaluate(task, np.eye(count)[rng.choice(train.argmax(axis=1), clips)], test) for _ in range(3000)]
    assert set(expected) == set(draws[0]) - set(COUNTS)
    for name, value in expected.items():
        found = np.array([draw[name] for draw in draws])
        assert value == pytest.approx(found.mean(), abs=4 * found.std() / math.sqrt(len(found)))


def test_a_class_that_training_lacks_is_never_guessed_and_counts():
    train = np.eye(4)[[0, 0, 0, 1]]
    test = np.eye(4)[[0, 2]]
    found = chance(GENRE, train, test)
    assert found["accuracy"] == pytest.approx(0.75 / 2)
    # Class 0: guessed for neither, for one or for both of the clips; class 2 is there and never guessed.
    first = 0.75 * 0.25 * (2 / 2) + 0.25 * 0.75 * 0 + 0.75 * 0.75 * (2 / 3)
    assert found["macro_f1"] == pytest.approx((first + 0) / 2)


def test_tags_are_ranked_by_one_half_and_as_precise_as_a_random_order():
    rng = np.random.default_rng(0)
    test = (rng.random((80, 4)) < (0.1, 0.5, 0.8, 0.3)).astype(float)
    test[rng.random(test.shape) < 0.2] = NAN
    test[:, 3] = 0  # no positives: not counted
    found = chance(TAGS, test, test)
    assert set(found) == {"roc_auc", "pr_auc"}
    assert found["roc_auc"] == 0.5
    random = [evaluate(TAGS, rng.random((80, 4)), test) for _ in range(500)]
    assert np.mean([draw["roc_auc"] for draw in random]) == pytest.approx(0.5, abs=0.01)
    assert np.mean([draw["pr_auc"] for draw in random]) == pytest.approx(found["pr_auc"], abs=0.006)


def test_a_random_orders_average_precision_over_all_orders_there_are():
    label = np.array([1, 0, 1, 0, 0], float)
    each = [
        evaluate(TAG, np.array(order, float)[:, None], label[:, None])["pr_auc"] for order in permutations(range(5))
    ]
    assert chance(TAG, label[:, None], label[:, None])["pr_auc"] == pytest.approx(np.mean(each))


def test_the_mean_explains_nothing():
    test = np.array([[1.0, 2.0, 5.0], [2.0, NAN, 5.0], [6.0, 3.0, 5.0]])
    found = chance(MOOD, test, test)
    measured = evaluate(MOOD, np.nanmean(test, axis=0)[None].repeat(3, axis=0), test)
    assert found == pytest.approx({name: measured[name] for name in found}, nan_ok=True)
    assert found["r2"] == 0
    assert math.isnan(found["r2_dull"])


def test_what_is_undefined_is_nan_and_unlabelled_clips_do_not_count():
    nothing = chance(TAGS, np.ones((2, 4)), np.ones((3, 4)))
    assert all(math.isnan(value) for value in nothing.values())
    train, test = _one_of(4, 20, seed=1), _one_of(4, 9, seed=2)
    unknown = np.full((5, 4), NAN)
    assert chance(GENRE, np.r_[unknown, train], np.r_[test, unknown]) == chance(GENRE, train, test)
    with pytest.raises(ValueError, match="genre: no training clip"):
        chance(GENRE, unknown, test)
    with pytest.raises(ValueError, match="genre: no test clip"):
        chance(GENRE, train, unknown)
