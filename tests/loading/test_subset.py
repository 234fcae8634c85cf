"""Which labels a share p_s of them means."""

from itertools import pairwise

import numpy as np
import pytest

from semisupcon.loading.subset import label_order, labelled_share
from semisupcon.table import Table, Task

CLASSES = Task("classes", "multiclass", tuple("abcdefgh"))
TAGS = Task("tags", "multilabel", tuple("abcdefghij"))
MOOD = Task("mood", "regression", ("arousal", "valence"))


def _table(labels):
    rows = len(labels)
    return Table.build("/", [f"{row}.wav" for row in range(rows)], ["train"] * rows, labels)


def _classes(rows=1000, seed=0):
    """Classes of unequal size, the smallest about a fiftieth of the largest."""
    weights = 0.6 ** np.arange(8)
    return _table(np.eye(8)[np.random.default_rng(seed).choice(8, rows, p=weights / weights.sum())])


def _tags(rows=2000):
    """Tags that half down to a thirtieth of the clips have, some clips none, some unjudged."""
    rng = np.random.default_rng(0)
    labels = (rng.random((rows, 10)) < np.geomspace(0.5, 1 / 30, 10)).astype(float)
    labels[rng.random(rows) < 0.1] = np.nan
    return _table(labels)


@pytest.mark.parametrize(("table", "task"), [(_classes(), CLASSES), (_tags(), TAGS)], ids=["classes", "tags"])
def test_subsets_nest_and_are_as_large_as_the_share_says(table, task):
    labelled = int(table.labelled.sum())
    shares = (0.001, 0.01, 0.05, 0.1, 0.5, 0.999, 1)
    chosen = [labelled_share(table, task, share) for share in shares]
    for share, rows in zip(shares, chosen, strict=True):
        assert len(rows) == int(np.ceil(np.round(share * labelled, 6)))
        assert (np.diff(rows) > 0).all()
        assert table.labelled[rows].all()
    for small, large in pairwise(chosen):
        assert set(small) < set(large)
    assert set(chosen[-1]) == set(np.flatnonzero(table.labelled))


def test_the_share_of_a_round_number_is_not_off_by_a_float_error():
    assert len(labelled_share(_classes(100), CLASSES, 0.07)) == 7  # 0.07 * 100 is a little more than 7


def test_some_share_is_at_least_one_label_and_none_is_none():
    assert len(labelled_share(_classes(), CLASSES, 1e-6)) == 1
    assert len(labelled_share(_classes(), CLASSES, 0)) == 0


@pytest.mark.parametrize("share", [0.05, 0.1, 0.33, 0.5])
@pytest.mark.parametrize("seed", range(5))
def test_every_class_has_its_share_to_about_one_clip(share, seed):
    table = _classes(seed=seed)
    rows = labelled_share(table, CLASSES, share, seed)
    there, chosen = table.labels.sum(axis=0), table.labels[rows].sum(axis=0)
    assert np.abs(chosen - share * there).max() <= 1.5
    random = table.labels[np.random.default_rng(seed).choice(1000, len(rows), replace=False)].sum(axis=0)
    assert np.abs(chosen - share * there).sum() < np.abs(random - share * there).sum()


def test_tags_keep_their_frequency():
    table = _tags()
    rows = labelled_share(table, TAGS, 0.1)
    everywhere, chosen = np.nanmean(table.labels, axis=0), np.nanmean(table.labels[rows], axis=0)
    assert np.abs(chosen - everywhere).max() < 0.06
    assert np.abs(chosen[-4:] - everywhere[-4:]).max() < 0.015  # the rarest decide
    without = (table.labels == 0).all(axis=1)
    assert without[rows].sum() == pytest.approx(0.1 * without.sum(), abs=2)


def test_regression_keeps_the_corners_of_its_plane():
    labels = np.random.default_rng(0).normal(size=(1000, 2)) * [1, 30]
    labels[:, 1] += 20 * labels[:, 0]
    table = _table(labels)
    rows = labelled_share(table, MOOD, 0.1)
    corner = (labels > np.median(labels, axis=0)) @ [1, 2]
    np.testing.assert_allclose(np.bincount(corner[rows]), 0.1 * np.bincount(corner), atol=1.5)


def test_seed_and_task_decide_and_no_global_generator():
    table = _classes()

    def order(number, task=CLASSES, seed=0):
        np.random.seed(number)
        return label_order(table, task, seed).tolist()

    assert order(0) == order(1)
    assert order(0) != order(0, seed=1)
    assert order(0) != order(0, Task("others", "multiclass", CLASSES.classes))
