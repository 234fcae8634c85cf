"""What a head's scores and losses are, against plain formulas."""

import math

import numpy as np
import pytest
import torch
from torch.nn import functional

from semisupcon.downstream.heads import Head
from semisupcon.table import Task

NAN = math.nan
GENRE = Task("genre", "multiclass", ("a", "b", "c"))
KEY = Task("key", "key", tuple(f"k{number}" for number in range(24)))
TAGS = Task("tags", "multilabel", ("a", "b", "c"))
MOOD = Task("mood", "regression", ("arousal", "valence"))


def _sigmoid(x):
    return 1 / (1 + math.exp(-x))


@pytest.mark.parametrize("task", [GENRE, KEY])
def test_classes_are_scored_by_cross_entropy(task):
    count = len(task.classes)
    scores = torch.randn(5, count)
    classes = [2, 0, 1, 1, count - 1]
    loss = Head(4, task).loss(scores, torch.eye(count)[classes])
    each = [
        -math.log(math.exp(row[k]) / sum(map(math.exp, row))) for row, k in zip(scores.tolist(), classes, strict=True)
    ]
    assert float(loss) == pytest.approx(sum(each) / 5, rel=1e-5)


def test_tags_are_scored_by_binary_cross_entropy_over_what_is_known():
    scores = torch.randn(3, 3)
    labels = torch.tensor([[1, 0, NAN], [NAN, NAN, NAN], [0, 1, 1]])
    each = [
        -math.log(_sigmoid(s) if label else 1 - _sigmoid(s))
        for s, label in zip(scores.flatten().tolist(), labels.flatten().tolist(), strict=True)
        if not math.isnan(label)
    ]
    assert len(each) == 5
    assert float(Head(4, TAGS).loss(scores, labels)) == pytest.approx(sum(each) / 5, rel=1e-5)


def test_targets_are_scored_by_the_squared_error_in_their_own_spread():
    head = Head(4, MOOD)
    labels = torch.tensor([[0.0, 100.0], [2.0, NAN], [4.0, 300.0]])
    head.fit_statistics(None, labels)
    scores = torch.tensor([[1.0, 150.0], [2.0, 7.0], [7.0, 300.0]])
    spread = (math.sqrt(8 / 3), 100.0)
    each = [(1 / spread[0]) ** 2, 0, (3 / spread[0]) ** 2, (50 / spread[1]) ** 2, 0]
    assert float(head.loss(scores, labels)) == pytest.approx(sum(each) / 5, rel=1e-5)


@pytest.mark.parametrize("task", [TAGS, MOOD])
def test_unknown_labels_pull_at_nothing(task):
    head = Head(4, task)
    labels = torch.full((2, len(task.classes)), NAN)
    labels[0, 0] = 1
    scores = torch.randn(2, len(task.classes), requires_grad=True)
    head.loss(scores, labels).backward()
    assert torch.isfinite(scores.grad).all()
    assert (scores.grad != 0).nonzero().tolist() == [[0, 0]]
    nothing = head.loss(scores.detach(), torch.full_like(labels, NAN))
    assert float(nothing) == 0


def test_predictions_of_targets_are_in_their_own_units():
    head = Head(2, MOOD)
    labels = torch.tensor([[1000.0, -0.01], [1010.0, 0.01], [1020.0, NAN]])
    head.fit_statistics(None, labels)
    with torch.no_grad():
        head.layers[-1].weight.zero_()
        head.layers[-1].bias.zero_()
    torch.testing.assert_close(head(torch.randn(4, 2)), torch.tensor([[1010.0, 0.0]]).expand(4, 2))
    with torch.no_grad():
        head.layers[-1].bias.fill_(1)  # one standard deviation up
    torch.testing.assert_close(head(torch.zeros(1, 2)), torch.tensor([[1010 + math.sqrt(200 / 3), 0.01]]))


def test_embeddings_are_standardised_by_the_training_set():
    embedding = torch.randn(200, 3) * torch.tensor([1e-3, 1.0, 50.0]) + torch.tensor([5.0, -1.0, 0.0])
    embedding[:, 0] = 5 + 1e-6 * torch.randn(200)  # hardly varies: centred, but its noise is not blown up
    head = Head(3, GENRE)
    head.fit_statistics(embedding, torch.zeros(0, 3))
    seen = []
    head.layers.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    head(embedding)
    np.testing.assert_allclose(seen[0].mean(dim=0), 0, atol=1e-4)
    np.testing.assert_allclose(seen[0][:, 1:].std(dim=0, correction=0), 1, rtol=1e-4)
    assert seen[0][:, 0].abs().max() < 1e-3


def test_a_constant_target_and_one_clip_do_not_divide_by_zero():
    head = Head(2, MOOD)
    head.fit_statistics(torch.ones(1, 2), torch.tensor([[3.0, NAN]]))
    scores = head(torch.ones(2, 2))
    assert torch.isfinite(scores).all()
    assert torch.isfinite(head.loss(scores, torch.tensor([[3.0, 1.0], [4.0, NAN]])))


def test_statistics_are_in_the_state_and_are_not_trained():
    head = Head(2, MOOD)
    head.fit_statistics(torch.randn(9, 2), torch.randn(9, 2))
    again = Head(2, MOOD)
    again.load_state_dict(head.state_dict())
    embedding = torch.randn(4, 2)
    assert torch.equal(again(embedding), head(embedding))
    assert {name for name, _ in head.named_parameters()} == {"layers.1.weight", "layers.1.bias"}


def test_a_linear_head_is_linear_and_an_mlp_has_one_hidden_layer():
    task = Task("many", "multiclass", tuple(map(str, range(7))))
    assert [tuple(p.shape) for p in Head(5, task).parameters()] == [(7, 5), (7,)]
    shapes = [tuple(p.shape) for p in Head(5, task, "mlp", hidden=16).parameters()]
    assert shapes == [(16, 5), (16,), (7, 16), (7,)]
    head = Head(5, task)
    x, y = torch.randn(2, 1, 5)
    torch.testing.assert_close(head(x + y) + head(torch.zeros(1, 5)), head(x) + head(y))
    loss = functional.cross_entropy(head(x), torch.tensor([3]))
    torch.testing.assert_close(head.loss(head(x), torch.eye(7)[[3]]), loss)


@pytest.mark.parametrize("task", [GENRE, TAGS, MOOD])
def test_what_is_minimised_is_the_loss_of_the_scores(task):
    head, embedding = Head(4, task), torch.randn(5, 4)
    labels = torch.eye(3)[[0, 1, 2, 0, 1]][:, : len(task.classes)]
    assert torch.equal(head.training_loss(embedding, labels), head.loss(head(embedding), labels))
