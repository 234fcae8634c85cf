"""Bootstrap intervals against a plain loop that resamples the rows of the very same draws."""

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, average_precision_score, f1_score, r2_score, roc_auc_score

from semisupcon.downstream import intervals
from semisupcon.downstream.intervals import bootstrap, draw, units
from semisupcon.downstream.metrics import mirex_table
from semisupcon.table import TEXT, Task

TONICS = ("C", "Db", "D", "Eb", "E", "F", "Gb", "G", "Ab", "A", "Bb", "B")
KEYS = tuple(f"{tonic} {mode}" for mode in ("major", "minor") for tonic in TONICS)
DRAWS = 60


def make(kind, clips, seed=0):
    rng = np.random.default_rng(seed)
    if kind == "regression":
        labels = rng.normal(size=(clips, 2))
        return Task("made", kind, ("arousal", "valence")), labels + rng.normal(size=labels.shape), labels
    names = KEYS if kind == "key" else tuple("abcde")
    labels = np.eye(len(names))[rng.integers(len(names), size=clips)]
    if kind == "multilabel":
        labels = (rng.random((clips, 5)) < [0.5, 0.3, 0.1, 1.5 / clips, 0]).astype(float)  # rare, never
        labels[rng.random(labels.shape) < 0.1] = np.nan
    return Task("made", kind, names), np.round(np.nan_to_num(labels) + rng.normal(0, 0.7, labels.shape), 1), labels


def of_rows(task, scores, labels):
    """The metrics of plain rows by scikit-learn, without weights."""
    truth, guess = labels.argmax(1), scores.argmax(1)
    if task.kind == "multiclass":
        f1 = f1_score(truth, guess, labels=np.unique(truth), average="macro", zero_division=0)
        return {"accuracy": accuracy_score(truth, guess), "macro_f1": f1}
    if task.kind == "key":
        return {"accuracy": accuracy_score(truth, guess), "mirex": mirex_table(KEYS)[truth, guess].mean()}
    columns = []
    for label, score in zip(labels.T, scores.T, strict=True):
        known = ~np.isnan(label)
        if len(np.unique(label[known])) > 1:
            columns.append((label[known], score[known]))
    if task.kind == "multilabel":
        roc = [roc_auc_score(*column) for column in columns]
        return {"roc_auc": np.mean(roc), "pr_auc": np.mean([average_precision_score(*c) for c in columns])}
    each = [r2_score(*column) for column in columns]
    return {"r2_arousal": each[0], "r2_valence": each[1], "r2": np.mean(each)}


@pytest.mark.parametrize("grouped", [False, True])
@pytest.mark.parametrize("kind", ["multiclass", "key", "multilabel", "regression"])
def test_equals_resampling_the_rows(kind, grouped):
    task, scores, labels = make(kind, 80)
    groups = [f"artist {row // 3}" if row < 60 else "" for row in range(80)] if grouped else None
    weights = np.concatenate(list(draw(units(groups, 80), DRAWS, seed=5)), axis=1).astype(int)
    loop = [of_rows(task, scores[rows], labels[rows]) for rows in (np.repeat(np.arange(80), w) for w in weights.T)]
    found = bootstrap(task, scores, labels, groups, DRAWS, level=0.9, seed=5)
    assert set(found) == set(loop[0])
    for name, value in of_rows(task, scores, labels).items():
        low, high = np.percentile([each[name] for each in loop], [5, 95])
        assert found[name] == pytest.approx((value, low, high), abs=1e-12)
        assert found[name].low < found[name].high


def test_a_draw_takes_whole_groups_with_replacement():
    unit = units(np.array(["x", "", "y", "x", "", "y"], dtype=TEXT), 6)
    assert unit[0] == unit[3]
    assert unit[2] == unit[5]
    assert len({unit[0], unit[1], unit[2], unit[4]}) == 4  # empty text is nobody's group
    weights = np.concatenate(list(draw(unit, 300)), axis=1)
    assert weights.shape == (6, 300)
    assert (weights[0] == weights[3]).all()
    assert (weights[[0, 1, 2, 4]].sum(axis=0) == 4).all()
    assert weights.mean() == pytest.approx(1, abs=0.1)
    assert (weights == 0).any(axis=0).mean() > 0.8


def test_draws_depend_on_the_seed_and_not_on_the_size_of_blocks(monkeypatch):
    unit = units(None, 50)
    whole = np.concatenate(list(draw(unit, 100, seed=1)), axis=1)
    monkeypatch.setattr(intervals, "BLOCK", 50 * 7)
    blocks = list(draw(unit, 100, seed=1))
    assert len(blocks) == 15
    assert (np.concatenate(blocks, axis=1) == whole).all()
    task, scores, labels = make("multilabel", 50)
    first = bootstrap(task, scores, labels, draws=DRAWS, seed=1)
    assert first == bootstrap(task, scores, labels, draws=DRAWS, seed=1)
    assert first != bootstrap(task, scores, labels, draws=DRAWS, seed=2)


def test_names_of_groups_and_numbers_of_groups_that_are_left_out_do_not_matter():
    task, scores, labels = make("multiclass", 60)
    groups = [f"singer {row % 12:02d}" for row in range(60)]
    expected = bootstrap(task, scores, labels, groups, DRAWS)
    unlabelled = np.full((5, labels.shape[1]), np.nan)
    more = bootstrap(
        task, np.r_[scores, scores[:5]], np.r_[labels, unlabelled], [*groups, *"abcde"], DRAWS
    )  # clips without labels bring no groups into the draws
    assert more == expected


@pytest.mark.parametrize("kind", ["multiclass", "multilabel", "regression"])
def test_copies_of_a_clip_do_not_narrow_the_interval_over_groups(kind):
    task, scores, labels = make(kind, 60)
    scores, labels, groups = (np.repeat(x, 9, axis=0) for x in (scores, labels, np.arange(60).astype(str)))
    over_clips = bootstrap(task, scores, labels, draws=300)
    over_groups = bootstrap(task, scores, labels, groups, draws=300)
    for name, clips in over_clips.items():
        assert over_groups[name].value == clips.value
        # 9 copies: 3 times as wide, but for chance
        assert over_groups[name].high - over_groups[name].low > 2 * (clips.high - clips.low)


def test_ninety_five_percent_intervals_hold_the_true_accuracy_about_as_often():
    task, rng, held = Task("coin", "multiclass", ("a", "b")), np.random.default_rng(0), 0
    labels = np.eye(2)[np.zeros(150, int)]
    for _ in range(200):
        right = rng.random((150, 1)) < 0.7
        found = bootstrap(task, np.where(right, [1, 0], [0, 1]), labels, draws=200)["accuracy"]
        held += found.low <= 0.7 <= found.high
    assert 0.89 <= held / 200 <= 0.99


def test_without_anything_to_judge_spread_by_there_is_no_interval():
    task, scores, labels = make("multiclass", 40)
    one_group = bootstrap(task, scores, labels, ["x"] * 40)["accuracy"]
    one_clip = bootstrap(task, scores[:1], labels[:1])["accuracy"]
    assert one_group.value == accuracy_score(labels.argmax(1), scores.argmax(1))
    assert np.isnan([one_group.low, one_group.high, one_clip.low, one_clip.high]).all()

    tags = Task("tags", "multilabel", ("never", "unknown"))
    nothing = bootstrap(tags, np.zeros((9, 2)), np.tile([0, np.nan], (9, 1)), draws=20)
    assert np.isnan(list(nothing["pr_auc"])).all()
    perfect = bootstrap(task, labels, labels, draws=50)["macro_f1"]
    assert tuple(perfect) == (1, 1, 1)


def test_undefined_draws_are_left_out_unless_they_are_most():
    tags, labels = Task("tags", "multilabel", ("rare", "never")), np.zeros((30, 2))
    labels[:, 0] = np.nan
    labels[:2, 0] = 1, 0  # both are in about 40 % of the draws
    scores = np.random.default_rng(0).random((30, 2))
    few = bootstrap(tags, scores, labels, draws=500)["roc_auc"]
    assert few.value in (0, 1)
    assert np.isnan([few.low, few.high]).all()
    labels[2:6, 0] = 0  # with five negatives, more than 60 % of the draws have a ranking
    assert not np.isnan(list(bootstrap(tags, scores, labels, draws=500)["roc_auc"])).any()


def test_errors_say_what_was_found():
    task, scores, labels = make("multiclass", 10)
    with pytest.raises(ValueError, match="3 groups for 10 clips"):
        bootstrap(task, scores, labels, ["a", "b", "c"])
    with pytest.raises(ValueError, match="draws=0"):
        bootstrap(task, scores, labels, draws=0)
    with pytest.raises(ValueError, match="level=95"):
        bootstrap(task, scores, labels, level=95)
