"""Numbers and their draws: kept to the last bit, averaged over runs and seeds, compared in pairs."""

from dataclasses import replace

import numpy as np
import pytest

from semisupcon.downstream.intervals import Sampled, bootstrap
from semisupcon.evaluation.entries import About, Entry, Estimate, Result, estimates
from semisupcon.evaluation.measuring import measured
from semisupcon.table import Task

ABOUT = About("ssl", 0, "keys", "probe", "linear", metric="accuracy")
TASK = Task("three", "multiclass", ("a", "b", "c"))


def _entry(value=0.5, draws=(0.4, 0.6), **about):
    return Entry(replace(ABOUT, **about), Sampled(value, np.array(draws, np.float64)))


def test_what_is_written_is_read_to_the_last_bit(tmp_path):
    rng = np.random.default_rng(0)
    found = [_entry(rng.random(), rng.random(50)), _entry(np.nan, [np.nan] * 3, seed=1), _entry(1 / 3, [], share=0.01)]
    result = Result(found, {"map": rng.random((4, 2)), "names": np.array(["ä", "b"])}, {"chosen": [1e-5], "k": None})
    result.save(tmp_path / "deep" / "a.npz", "print")
    again = Result.load(tmp_path / "deep" / "a.npz", "print")
    assert [each.about for each in again.entries] == [each.about for each in found]
    for mine, theirs in zip(again.entries, found, strict=True):
        np.testing.assert_array_equal(mine.sampled.value, theirs.sampled.value)
        np.testing.assert_array_equal(mine.sampled.draws, theirs.sampled.draws)
    np.testing.assert_array_equal(again.arrays["map"], result.arrays["map"])
    assert again.arrays["names"].tolist() == ["ä", "b"]
    assert again.notes == {"chosen": [1e-5], "k": None}
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["a.npz"]


@pytest.mark.parametrize("spoil", [b"", b"PK\x03\x04", None])
def test_what_came_of_something_else_or_is_broken_is_not_read(tmp_path, spoil):
    file = tmp_path / "a.npz"
    Result([_entry()]).save(file, "print")
    if spoil is not None:
        file.write_bytes(spoil)
    assert Result.load(file, "print" if spoil is not None else "another") is None
    assert Result.load(tmp_path / "none.npz", "print") is None


def test_no_entries_at_all(tmp_path):
    Result(notes={"a": 1}).save(tmp_path / "a.npz", "print")
    assert list(Result.load(tmp_path / "a.npz", "print").entries) == []


def test_runs_subsets_and_seeds_are_averaged_and_nothing_else():
    found = [
        _entry(0.2, [0.1, 0.3]),
        _entry(0.4, [0.3, 0.5], run=1),
        _entry(0.6, [0.5, 0.7], seed=2, draw=1),
        _entry(0.9, [0.8, 1.0], share=0.1),
        _entry(0.8, [0.8, 0.8], subject="smsl"),
    ]
    means = estimates(found)
    assert len(means) == 3
    mean = means[ABOUT]
    assert mean.value == pytest.approx(0.4)
    np.testing.assert_allclose(mean.draws, [0.3, 0.5])
    assert mean.deviation == pytest.approx(np.std([0.2, 0.4, 0.6], ddof=1))
    assert np.isnan(means[replace(ABOUT, share=0.1)].deviation)


def test_a_difference_is_paired():
    """Two classifiers that are wrong on the same hard clips: the difference is sure, though each one's level is not."""
    rng = np.random.default_rng(0)
    truth = rng.integers(3, size=200)
    right = rng.random(200) < 0.5
    one = np.eye(3)[np.where(right, truth, (truth + 1) % 3)]
    better = one.copy()
    better[np.flatnonzero(~right)[:20]] = np.eye(3)[truth[np.flatnonzero(~right)[:20]]]
    groups = [""] * 200
    found = (measured(TASK, scores, np.eye(3)[truth], groups, 500)["accuracy"] for scores in (one, better))
    a, b = (Estimate.of([Entry(ABOUT, each, "clips")]) for each in found)
    apart = (b - a).interval
    assert apart.value == pytest.approx(0.1)
    assert 0.05 < apart.low < apart.high < 0.15
    assert b.interval.low < a.interval.high  # which the levels alone would not tell
    # Plain numpy: the same difference drawn clip by clip has the same spread.
    hits = (better.argmax(1) == truth).astype(float) - (one.argmax(1) == truth)
    plain = [hits[rng.integers(200, size=200)].mean() for _ in range(2000)]
    np.testing.assert_allclose([apart.low, apart.high], np.quantile(plain, [0.025, 0.975]), atol=0.01)


def test_intervals_are_those_of_the_bootstrap():
    rng = np.random.default_rng(1)
    labels = np.eye(3)[rng.integers(3, size=60)]
    scores = rng.random((60, 3))
    groups = [f"g{number % 13}" for number in range(60)]
    found = measured(TASK, scores, labels, groups, 300)
    wanted = bootstrap(TASK, scores, labels, groups, draws=300)
    assert {name: each.interval() for name, each in found.items()} == wanted


def test_one_clip_has_a_value_and_no_interval():
    found = Entry(ABOUT, measured(TASK, [[1, 0, 0]], [[1, 0, 0]], [""], 100)["accuracy"], "clip")
    estimate = Estimate.of([found, found])
    assert estimate.value == 1
    assert np.isnan(estimate.interval.low)
    assert np.isnan((estimate - estimate).interval.low)
