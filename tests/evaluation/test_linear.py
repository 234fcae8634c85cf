"""The linear probe against scikit-learn, and what it makes of clips that say little."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge

from semisupcon.errors import UserError
from semisupcon.evaluation import rows
from semisupcon.evaluation.clips import EmbeddedClips
from semisupcon.evaluation.linear import fit_linear
from semisupcon.table import Task

GENRE = Task("genre", "multiclass", ("a", "b", "c", "d"))
KEY = Task("key", "key", tuple(f"k{number}" for number in range(24)))
TAGS = Task("tags", "multilabel", ("a", "b", "c"))
MOOD = Task("mood", "regression", ("arousal", "valence"))
DECAYS = (1e-3, 1.0, 1e-2, 1e-4)


def _clips(labels, dim=6, seed=0, segments=5):
    """Clips of 1 to ``segments`` segments whose embeddings depend on their labels, on scales from 0.01 to 10."""
    rng = np.random.default_rng(seed)
    labels = np.asarray(labels, np.float32)
    counts = rng.integers(1, segments + 1, len(labels))
    clip = np.repeat(np.arange(len(labels)), counts)
    embedding = rng.standard_normal((len(clip), dim)) + np.nan_to_num(labels)[clip] @ rng.standard_normal(
        (labels.shape[1], dim)
    )
    embedding = embedding @ rng.standard_normal((dim, dim)) * np.logspace(-2, 1, dim) + rng.standard_normal(dim)
    names = np.array([f"{number}.wav" for number in range(len(labels))])
    return EmbeddedClips(embedding.astype(np.float32), clip, labels, names, names)


def _one_of(classes, count, seed=0):
    chosen = np.random.default_rng(seed).integers(classes, size=count)
    return np.eye(classes)[np.r_[np.arange(classes), chosen][:count]]


def _tags(count, seed=0):
    rng = np.random.default_rng(seed)
    labels = (rng.random((count, 3)) < (0.1, 0.4, 0.7)).astype(float)
    labels[rng.random((count, 3)) < 0.3] = np.nan
    labels[:, 1] = np.where(np.isnan(labels).all(axis=1), 0, labels[:, 1])
    return labels


def _standard(clips):
    x = clips.segment.astype(np.float64)
    return (x - x.mean(axis=0)) / x.std(axis=0)


def _close(found, wanted, tolerance=1e-4):
    assert np.linalg.norm(found - wanted) <= tolerance * np.linalg.norm(wanted)


@pytest.mark.parametrize(("task", "dim"), [(GENRE, 6), (KEY, 12), (GENRE, 700)], ids=["multiclass", "key", "D > S"])
def test_classes_are_the_softmax_regression_of_scikit_learn(task, dim):
    clips = _clips(_one_of(len(task.classes), 120), dim)
    x, y, weight = _standard(clips), clips.labels[clips.clip].argmax(axis=1), 1 / (120 * clips.counts[clips.clip])
    for decay, readout in zip(DECAYS, fit_linear(task, clips, DECAYS), strict=True):
        assert readout.decay == decay
        solver = "lbfgs" if dim > 100 else "newton-cholesky"
        oracle = LogisticRegression(C=1 / (len(x) * decay), solver=solver, tol=1e-10, max_iter=20_000)
        oracle.fit(x, y, sample_weight=weight * len(x))
        [(weights, bias)] = readout.layers
        _close(weights, oracle.coef_.T)
        _close(bias - bias.mean(), oracle.intercept_ - oracle.intercept_.mean(), 5e-4 if dim > 100 else 1e-4)
        scores = readout.scores(clips.segment)
        assert scores.dtype == np.float32
        wanted = oracle.decision_function(x)
        _close(scores - scores.mean(axis=1, keepdims=True), wanted - wanted.mean(axis=1, keepdims=True), 2e-4)


def test_each_tag_is_a_logistic_regression_over_the_clips_that_know_it():
    clips = _clips(_tags(150))
    x = _standard(clips)
    for decay, readout in zip(DECAYS, fit_linear(TAGS, clips, DECAYS), strict=True):
        for k in range(3):
            known = ~np.isnan(clips.labels[:, k])
            rows = known[clips.clip]
            weight = 1 / (known.sum() * clips.counts[clips.clip][rows])
            oracle = LogisticRegression(C=1 / (rows.sum() * decay), solver="newton-cholesky", tol=1e-10)
            oracle.fit(x[rows], clips.labels[clips.clip, k][rows], sample_weight=weight * rows.sum())
            _close(readout.layers[0][0][:, k], oracle.coef_[0])
            assert readout.layers[0][1][k] == pytest.approx(oracle.intercept_[0], rel=1e-4)


@pytest.mark.parametrize("dim", [6, 700])
def test_each_target_is_a_ridge_regression_over_its_known_values(dim):
    labels = np.random.default_rng(0).standard_normal((120, 2)) * (1, 50) + (0, 1000)
    labels[::3, 0], labels[1::6, 1] = np.nan, np.nan
    clips = _clips(labels, dim)
    x = _standard(clips)
    for decay, readout in zip(DECAYS, fit_linear(MOOD, clips, DECAYS), strict=True):
        predicted = readout.scores(clips.segment)
        for k in range(2):
            known = ~np.isnan(labels[:, k])
            mean, spread = labels[known, k].mean(), labels[known, k].std()
            rows = known[clips.clip]
            weight = 1 / (known.sum() * clips.counts[clips.clip][rows])
            oracle = Ridge(alpha=rows.sum() * decay / 2, solver="svd")
            target = (clips.labels[clips.clip, k][rows] - mean) / spread
            oracle.fit(x[rows], target, sample_weight=weight * rows.sum())
            _close(readout.layers[0][0][:, k], oracle.coef_)
            _close(predicted[:, k], oracle.predict(x) * spread + mean, 2e-5)


@pytest.mark.parametrize(
    ("task", "labels"),
    [(GENRE, _one_of(4, 90)), (TAGS, _tags(90)), (MOOD, _tags(90)[:, :2])],
    ids=["classes", "tags", "targets"],
)
def test_a_decay_does_not_depend_on_the_others_nor_a_split_on_its_blocks(task, labels, monkeypatch):
    clips = _clips(labels)
    together = fit_linear(task, clips, DECAYS, "mps")  # has no float64: the CPU does it
    again = fit_linear(task, clips, DECAYS)
    monkeypatch.setattr(rows, "BLOCK", 7 * 20)
    for number, decay in enumerate(DECAYS):
        [alone] = fit_linear(task, clips, [decay])
        for one, two, three in zip(together[number].layers[0], again[number].layers[0], alone.layers[0], strict=True):
            assert np.array_equal(one, two)
            _close(three, one, 2e-4)


def test_a_class_without_clips_is_improbable_and_not_impossible():
    labels = _one_of(4, 60)
    labels = labels[labels[:, 2] == 0]
    clips = _clips(labels)
    for readout in fit_linear(GENRE, clips, DECAYS):
        scores = readout.scores(clips.segment)
        assert np.isfinite(scores).all()
        p = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
        assert ((p[:, 2] > 0) & (p[:, 2] < 1e-4)).all()
        [(weights, _)] = readout.layers
        oracle = LogisticRegression(C=1 / (len(clips.clip) * readout.decay), tol=1e-9, max_iter=20_000)
        weight = len(clips.clip) / (len(labels) * clips.counts[clips.clip])
        oracle.fit(_standard(clips), labels[clips.clip].argmax(axis=1), sample_weight=weight)
        assert np.linalg.norm(weights[:, 2]) < 1e-3 * np.linalg.norm(weights)  # it takes no part
        _close(weights[:, [0, 1, 3]], oracle.coef_.T, 1e-3)


def test_tags_that_never_or_always_or_nowhere_are_known():
    labels = _tags(60)
    labels[:, 0], labels[:, 1] = np.nan, 0
    labels[10:, 2] = 1
    labels[:10, 2] = np.nan
    clips = _clips(labels)
    readouts = fit_linear(TAGS, clips, DECAYS)
    for readout in readouts:
        scores = readout.scores(clips.segment)
        assert (scores[:, 0] == 0).all()  # nothing known: one half
        assert ((scores[:, 1] < -10) & (scores[:, 1] > -25)).all()
        assert ((scores[:, 2] > 10) & (scores[:, 2] < 25)).all()


@pytest.mark.parametrize("task", [GENRE, KEY, TAGS, MOOD], ids=lambda task: task.kind)
def test_one_clip_and_constant_features_do_no_harm(task):
    labels = _one_of(len(task.classes), 1)
    one = _clips(labels, segments=1)
    several = _clips(np.repeat(_one_of(len(task.classes), 5), 2, axis=0))
    alike = several.with_segments(np.full_like(several.segment, 1e6))
    half = several.segment.copy()
    half[:, ::2] = -3e3
    for clips in (one, alike, several.with_segments(half)):
        for readout in fit_linear(task, clips, DECAYS):
            assert np.isfinite(readout.scores(several.segment)).all()
            scores = readout.scores(clips.segment)
            if clips is one:
                answer = scores if task.kind == "regression" else scores > 0
                assert np.array_equal(answer.argmax(axis=1), labels.argmax(axis=1))
            if clips is alike:
                np.testing.assert_allclose(scores, scores[:1].repeat(len(scores), axis=0), rtol=1e-5, atol=1e-6)


def test_features_that_do_not_vary_are_not_asked():
    labels = _one_of(4, 80)
    clips = _clips(labels)
    wider = clips.with_segments(np.concatenate([clips.segment, np.full((len(clips.clip), 2), 7.5, np.float32)], axis=1))
    for plain, wide in zip(fit_linear(GENRE, clips, DECAYS), fit_linear(GENRE, wider, DECAYS), strict=True):
        _close(wide.layers[0][0][:6], plain.layers[0][0])
        assert np.abs(wide.layers[0][0][6:]).max() < 1e-9


@pytest.mark.parametrize("task", [GENRE, TAGS, MOOD], ids=lambda task: task.kind)
def test_clips_without_labels_are_left_out(task):
    labels = _one_of(len(task.classes), 40)
    labels[::4] = np.nan
    clips = _clips(labels)
    known = clips.take(np.flatnonzero(~np.isnan(labels).all(axis=1)))
    for one, two in zip(fit_linear(task, clips, DECAYS), fit_linear(task, known, DECAYS), strict=True):
        assert all(np.array_equal(*pair) for pair in zip(one.layers[0], two.layers[0], strict=True))


def test_what_cannot_be_solved_is_refused():
    clips = _clips(_one_of(4, 20))
    for wrong in (0.0, -1.0, np.inf, np.nan):
        with pytest.raises(UserError, match="weight decay"):
            fit_linear(GENRE, clips, [0.1, wrong])
    with pytest.raises(UserError, match="none of the 20 training clips"):
        fit_linear(GENRE, clips.with_labels(np.full_like(clips.labels, np.nan)), [0.1])
    broken = clips.segment.copy()
    broken[-1] = np.nan
    with pytest.raises(UserError, match=r"1 of \d+ embeddings.*19.wav"):
        fit_linear(GENRE, clips.with_segments(broken), [0.1])
