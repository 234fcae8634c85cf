"""MLP probes trained together, against the plain loop that each of them stands for."""

import numpy as np
import pytest
import torch
from torch import nn

from semisupcon.downstream.heads import Head
from semisupcon.downstream.probe import _RandomSegments
from semisupcon.errors import UserError
from semisupcon.evaluation import models
from semisupcon.evaluation.clips import EmbeddedClips
from semisupcon.evaluation.mlp import MARBLE_GRID, Point, _Order, fit_mlp
from semisupcon.table import Task

GENRE = Task("genre", "multiclass", ("a", "b", "c"))
TAGS = Task("tags", "multilabel", ("a", "b", "c"))
MOOD = Task("mood", "regression", ("arousal", "valence"))
TASKS = pytest.mark.parametrize("task", [GENRE, TAGS, MOOD], ids=lambda task: task.kind)
GRID = (Point(0.0, 1e-3), Point(1e-2, 1e-3), Point(0.0, 1e-2))
SMALL = {"hidden": 16, "batch_size": 8}


def _clips(task, count, seed=0, noise=1.0):
    """Clips of 1 to 3 segments of 5 numbers, which tell something of their labels; some labels are unknown."""
    rng = np.random.default_rng(seed)
    clip = np.repeat(np.arange(count), rng.integers(1, 4, count))
    classes = len(task.classes)
    if task.kind == "multiclass":
        labels = np.eye(classes)[rng.integers(classes, size=count)]
    else:
        labels = rng.standard_normal((count, classes)) if task.kind == "regression" else rng.random((count, classes))
        labels = labels * (1, 30) + 100 if task.kind == "regression" else np.round(labels)
        labels[rng.random(labels.shape) < 0.2] = np.nan
        labels[:, 0] = np.where(np.isnan(labels).all(axis=1), 1, labels[:, 0])
    signal = np.nan_to_num(labels)[clip] @ np.random.default_rng(9).standard_normal((classes, 5))
    embedding = 3 * signal + noise * rng.standard_normal((len(clip), 5)) + 7
    names = np.array([f"{number}.wav" for number in range(count)])
    return EmbeddedClips(embedding.astype(np.float32), clip, labels.astype(np.float32), names, names)


class _Given(nn.Module):
    """Stands for dropout: multiplies by what it is given."""

    def forward(self, units):
        return units * self.kept if self.training else units


def _loop(task, train, val, point, seed, epochs, dropout):
    """One model, one batch after the other, with torch's own layers and optimizer."""
    torch.manual_seed(seed)
    head = Head(5, task, "mlp", hidden=16)
    head.layers[2] = _Given()
    labels = torch.from_numpy(train.labels)
    head.fit_statistics(torch.from_numpy(train.segment), labels)
    optimizer = torch.optim.Adam(head.parameters(), lr=point.lr, weight_decay=point.decay)
    segments = _RandomSegments(torch.from_numpy(train.segment), torch.from_numpy(train.clip), labels, 8, seed)
    losses = []
    for epoch in range(epochs):
        segments.epoch = epoch
        order = _Order(train, seed, epoch)
        head.train()
        for embedding, wanted in segments:
            head.layers[2].kept = torch.from_numpy(order.kept(len(wanted), 16, dropout)) if dropout else 1.0
            optimizer.zero_grad()
            head.training_loss(embedding, wanted).backward()
            optimizer.step()
        head.eval()
        with torch.no_grad():
            losses.append(float(head.training_loss(torch.from_numpy(val.means()), torch.from_numpy(val.labels))))
    return head, losses


@TASKS
@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_each_model_is_the_plain_loop_with_adam(task, dropout):
    train, val = _clips(task, 37), _clips(task, 12, seed=1)
    found = fit_mlp(task, train, val, GRID, [3, 4], max_epochs=6, patience=99, dropout=dropout, **SMALL)
    last = fit_mlp(task, train, val.take(np.arange(0)), GRID, [3, 4], max_epochs=6, dropout=dropout, **SMALL)
    assert [len(readouts) for readouts in found] == [2, 2, 2]
    for readouts, lasts, point in zip(found, last, GRID, strict=True):
        for readout, end, seed in zip(readouts, lasts, (3, 4), strict=True):
            head, losses = _loop(task, train, val, point, seed, 6, dropout)
            assert (readout.decay, readout.lr, readout.kind) == (*point, task.kind)
            np.testing.assert_allclose(readout.losses, losses, rtol=2e-4)
            assert readout.epochs == 1 + np.argmin(losses)
            assert (end.epochs, end.losses) == (6, ())
            for (weight, bias), layer in zip(end.layers, (head.layers[0], head.layers[3]), strict=True):
                np.testing.assert_allclose(weight.T, layer.weight.detach(), atol=2e-4)
                np.testing.assert_allclose(bias, layer.bias.detach(), atol=2e-4)
            with torch.no_grad():
                wanted = head(torch.from_numpy(val.segment))
            np.testing.assert_allclose(end.scores(val.segment), wanted, rtol=2e-3, atol=2e-3)


@TASKS
def test_a_model_learns_the_same_alone_and_among_others(task):
    train, val = _clips(task, 40, noise=4), _clips(task, 15, seed=1, noise=4)
    options = {"max_epochs": 20, "patience": 2, "dropout": 0.2, **SMALL}
    among = fit_mlp(task, train, val, GRID, [0, 5], **options)
    again = fit_mlp(task, train, val, GRID, [0, 5], **options)
    stops = {len(readout.losses) for readouts in among for readout in readouts}
    assert len(stops) > 1  # they leave one after the other
    for number, point in enumerate(GRID):
        for column, seed in enumerate((0, 5)):
            [[alone]] = fit_mlp(task, train, val, [point], [seed], **options)
            one, same = among[number][column], again[number][column]
            assert one.losses == same.losses
            assert np.array_equal(one.layers[0][0], same.layers[0][0])
            assert one.epochs == alone.epochs
            np.testing.assert_allclose(alone.losses, one.losses, rtol=1e-4)
            for mine, other in zip(one.layers, alone.layers, strict=True):
                np.testing.assert_allclose(mine[0], other[0], atol=1e-4)
    assert not np.allclose(among[0][0].layers[0][0], among[0][1].layers[0][0])


@TASKS
def test_the_best_epoch_is_kept_and_patience_ends_the_training(task, monkeypatch):
    train, val = _clips(task, 40, noise=5), _clips(task, 15, seed=1, noise=5)
    monkeypatch.setattr(models, "BLOCK", 16 * 6 * 4)  # validated four clips at a time
    found = fit_mlp(task, train, val, GRID, [0, 1], max_epochs=30, patience=4, **SMALL)
    for readout in (readout for readouts in found for readout in readouts):
        best = int(np.argmin(readout.losses))
        assert readout.epochs == best + 1
        assert len(readout.losses) == min(best + 1 + 4, 30)
        head = Head(5, task)
        head.fit_statistics(None, torch.from_numpy(train.labels))
        loss = head.loss(torch.from_numpy(readout.scores(val.means())), torch.from_numpy(val.labels))
        assert float(loss) == pytest.approx(readout.losses[best], rel=1e-4)


@TASKS
@pytest.mark.parametrize("validated", [True, False])
def test_a_model_that_diverges_is_given_up_and_disturbs_nobody(task, validated):
    train, val = _clips(task, 30), _clips(task, 10 if validated else 0, seed=1)
    options = {"max_epochs": 5, **SMALL}
    wild = Point(0.0, 1e30)
    found = fit_mlp(task, train, val, [GRID[0], wild, GRID[1]], [0, 1], **options)
    calm = fit_mlp(task, train, val, [GRID[0], GRID[1]], [0, 1], **options)
    assert all(np.isnan(readout.scores(train.segment)).all() for readout in found[1])
    for one, two in zip((*found[0], *found[2]), (*calm[0], *calm[1]), strict=True):
        np.testing.assert_allclose(one.scores(train.segment), two.scores(train.segment), rtol=1e-4, atol=1e-4)


def test_one_weight_that_is_not_finite_gives_up_the_whole_model():
    both = models.Models(GRID[:1], [0, 1], (5, 4, 3), torch.device("cpu"))
    both.weights[0][1, 2, 3] = np.inf
    both.finish()
    assert all(np.isfinite(weight).all() for layer in both.layers(0) for weight in layer)
    assert all(np.isnan(weight).all() for layer in both.layers(1) for weight in layer)


def test_validation_clips_without_labels_are_none():
    train, val = _clips(TAGS, 20), _clips(TAGS, 6, seed=1)
    nothing = val.with_labels(np.full_like(val.labels, np.nan))
    for empty in (nothing, val.take(np.arange(0))):
        [[readout]] = fit_mlp(TAGS, train, empty, GRID[:1], [0], max_epochs=3, **SMALL)
        assert (readout.epochs, readout.losses) == (3, ())
    some = val.labels.copy()
    some[2:] = np.nan
    [[part]] = fit_mlp(TAGS, train, val.with_labels(some), GRID[:1], [0], max_epochs=3, **SMALL)
    [[two]] = fit_mlp(TAGS, train, val.take(np.arange(2)), GRID[:1], [0], max_epochs=3, **SMALL)
    assert part.losses == two.losses


def test_training_clips_without_labels_are_left_out_and_none_is_refused():
    train = _clips(GENRE, 20)
    labels = train.labels.copy()
    labels[::3] = np.nan
    known = train.take(np.flatnonzero(~np.isnan(labels[:, 0])))
    [[one]] = fit_mlp(GENRE, train.with_labels(labels), train, GRID[:1], [0], max_epochs=2, **SMALL)
    [[two]] = fit_mlp(GENRE, known, train, GRID[:1], [0], max_epochs=2, **SMALL)
    assert one.losses == two.losses
    with pytest.raises(UserError, match="none of the 20 training clips"):
        fit_mlp(GENRE, train.with_labels(np.full_like(labels, np.nan)), train, GRID, [0])
    assert fit_mlp(GENRE, train, train, GRID, []) == [[], [], []]
    assert fit_mlp(GENRE, train, train, [], [0]) == []


def test_one_clip_can_be_learnt_and_the_constrained_track_is_one_call():
    one = _clips(GENRE, 1)
    found = fit_mlp(GENRE, one, one, MARBLE_GRID, [0], hidden=512, dropout=0.2, batch_size=64, max_epochs=30)
    assert [readouts[0].lr for readouts in found] == [5e-5, 1e-4, 5e-4, 1e-3, 5e-3, 1e-2]
    scores = found[-1][0].scores(one.segment)
    assert (scores.argmax(axis=1) == one.labels[0].argmax()).all()


def test_dropout_leaves_out_its_share_and_keeps_the_mean():
    order = _Order(_clips(GENRE, 50), 0, 0)
    kept = order.kept(64, 512, 0.2)
    assert kept.dtype == np.float32
    assert set(np.unique(kept)) == {np.float32(0), np.float32(1.25)}
    assert kept.mean() == pytest.approx(1, abs=0.01)
