"""Signals and the target contrastive matrix, pair by pair."""

import math

import pytest
import torch

from semisupcon.objectives.signals import LabelOverlap, SharedLabels
from semisupcon.objectives.targets import Pairing, Views, target_matrix

NAN = math.nan
TAGS = torch.tensor([[1, 1, 0, 0], [1, 0, 1, 0], [0, 0, 0, 1], [0, 0, 0, 0.0]])


def views(file, labels=None, labelled=None):
    n = len(file)
    return Views(
        embedding=torch.zeros(n, 2),
        labels=torch.full((n, 1), NAN) if labels is None else torch.tensor(labels, dtype=torch.float32),
        labelled=torch.zeros(n, dtype=torch.bool) if labelled is None else torch.tensor(labelled),
        file=torch.tensor(file),
        identity=torch.arange(n),
    )


@pytest.mark.parametrize("threshold", [1, 2])
def test_shared_labels_counts_what_both_have(threshold):
    judged = SharedLabels(threshold)(TAGS, TAGS)
    for a in range(4):
        for c in range(4):
            assert judged[a, c] == float(int((TAGS[a] * TAGS[c]).sum()) >= threshold)


def test_overlap_equals_its_definition():
    dice, jaccard = LabelOverlap("dice")(TAGS, TAGS), LabelOverlap("jaccard")(TAGS, TAGS)
    for a in range(4):
        for c in range(4):
            x, y = set(TAGS[a].nonzero().flatten().tolist()), set(TAGS[c].nonzero().flatten().tolist())
            if not x and not y:
                assert dice[a, c].isnan()
                assert jaccard[a, c].isnan()
                continue
            assert dice[a, c].item() == pytest.approx(2 * len(x & y) / (len(x) + len(y)))
            assert jaccard[a, c].item() == pytest.approx(len(x & y) / len(x | y))


def test_only_labels_known_of_both_clips_count():
    a = torch.tensor([[1, NAN, 1.0], [NAN, NAN, NAN]])
    c = torch.tensor([[1, 1, 0.0], [NAN, 1, NAN]])
    shared, dice = SharedLabels()(a, c), LabelOverlap()(a, c)
    assert shared[0, 0] == 1
    assert dice[0, 0].item() == pytest.approx(2 * 1 / (2 + 1))  # the second label is unknown of the anchor
    assert shared[0, 1].isnan()  # no label is known of both
    assert shared[1].isnan().all()


def test_a_threshold_below_one_is_refused():
    with pytest.raises(ValueError, match="at least 1"):
        SharedLabels(0)


def test_without_labels_only_views_of_one_file_are_positives():
    v = views([0, 0, 1, 1])
    targets, keep = target_matrix(v, v, SharedLabels())
    assert targets.tolist() == [[0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1], [0, 0, 1, 0]]
    assert keep.tolist() == (~torch.eye(4, dtype=torch.bool)).tolist()


def test_semi_supervised_targets():
    """Clips 0 and 1 share a class; clip 2 has another; clip 3 is unlabelled though its label would match."""
    labels = [[1, 0], [1, 0], [0, 1], [1, 0]]
    v = views([0, 1, 2, 3], labels, [True, True, True, False])
    targets, keep = target_matrix(v, v, SharedLabels())
    assert targets.tolist() == [[0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]
    assert keep.sum() == 12


def test_a_file_in_both_pools_is_never_its_own_negative():
    v = views([5, 5], [[1.0], [NAN]], [True, False])
    for unknown in ("negative", "ignore"):
        targets, keep = target_matrix(v, v, SharedLabels(), unknown)
        assert targets.tolist() == [[0, 1], [1, 0]]
        assert keep.tolist() == [[False, True], [True, False]]


def test_ignore_leaves_unknown_pairs_out_of_the_denominator_but_not_two_unlabelled_clips():
    v = views([0, 1, 2], [[1.0], [NAN], [NAN]], [True, False, False])
    _, keep = target_matrix(v, v, SharedLabels(), "ignore")
    assert keep.tolist() == [[False, False, False], [False, False, True], [False, True, False]]


def test_pairing_of_first_against_second_view():
    v = views([0, 0, 1, 1])
    anchors, candidates = Pairing([0], [1]).select(v, 2)
    assert anchors.identity.tolist() == [0, 2]
    assert candidates.identity.tolist() == [1, 3]
    targets, keep = target_matrix(anchors, candidates, SharedLabels())
    assert targets.tolist() == [[1, 0], [0, 1]]
    assert keep.all()


def test_pairing_of_some_views_keeps_clips_together():
    v = views([0, 0, 0, 1, 1, 1])
    anchors, candidates = Pairing([2, 0], None).select(v, 3)
    assert anchors.identity.tolist() == [0, 2, 3, 5]
    assert candidates is v


@pytest.mark.parametrize("wrong", [[], [-1]])
def test_pairing_of_no_views(wrong):
    with pytest.raises(ValueError, match="candidates are numbers of views, counted from 0"):
        Pairing([0], wrong)
