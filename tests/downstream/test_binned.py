"""Figures from histograms against scikit-learn and mir_eval, on scores of the same entries."""

import warnings

import mir_eval
import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score, f1_score, precision_recall_fscore_support

from semisupcon.downstream import binned


@pytest.fixture(scope="module")
def entries():
    """(L, I, N) logits that tell something of what sounds, as they do in practice, and what does."""
    generator = torch.Generator().manual_seed(0)
    truth = torch.rand(400, 3, 40, generator=generator) < 0.02
    scores = -5 + 2.5 * torch.randn(400, 3, 40, generator=generator) + 4.0 * truth
    return scores, truth


def _counts(scores, truth):
    return binned.tally(binned.bins(scores), truth).numpy()


def test_average_precision_is_scikit_learns_up_to_the_width_of_a_bin(entries):
    scores, truth = entries
    counts = _counts(*entries)
    found = binned.measure(counts, binned.HALF, binned.HALF)
    assert found["ap"] == pytest.approx(average_precision_score(truth.flatten(), scores.flatten()), abs=1e-3)
    wanted = average_precision_score(truth.any(dim=1).flatten(), scores.amax(dim=1).flatten())
    assert found["note_ap"] == pytest.approx(wanted, abs=1e-3)
    each = binned.average_precision(counts[:-1])
    for place in range(3):
        wanted = average_precision_score(truth[:, place].flatten(), scores[:, place].flatten())
        assert each[place] == pytest.approx(wanted, abs=2e-3)


def test_of_scores_that_are_edges_of_bins_it_is_exact(entries):
    scores, truth = entries
    scores = (scores.clamp(-15, 15) * 128).floor() / 128
    wanted = average_precision_score(truth.flatten(), scores.flatten())
    assert binned.measure(_counts(scores, truth), 0, 0)["ap"] == pytest.approx(wanted, abs=1e-12)


@pytest.mark.parametrize("threshold", [0, 1500, 2048, 2100, 4095])
def test_precision_recall_and_f1_are_scikit_learns(entries, threshold):
    scores, truth = entries
    counts = _counts(*entries)
    logit = -16 + threshold / 128
    guess = (scores >= logit) if threshold else torch.ones_like(truth)  # the lowest bin takes all that lies below
    found = binned.measure(counts, threshold, threshold)
    for prefix, wanted, predicted in (
        ("", truth, guess),
        ("note_", truth.any(dim=1), guess.any(dim=1)),
    ):
        precision, recall, f1, _ = precision_recall_fscore_support(
            wanted.flatten(), predicted.flatten(), average="binary", zero_division=np.nan
        )
        np.testing.assert_allclose(found[f"{prefix}precision"], precision)
        np.testing.assert_allclose(found[f"{prefix}recall"], recall)
        np.testing.assert_allclose(found[f"{prefix}f1"], f1 if predicted.any() else 0.0)
    assert binned.probability(threshold) == pytest.approx(1 / (1 + np.exp(-logit)))


def test_irrespective_of_the_instrument_the_figures_are_mir_evals(entries):
    scores, truth = entries
    found = binned.measure(_counts(*entries), binned.HALF, binned.HALF)
    hertz = 440 * 2 ** ((np.arange(40) - 20) / 12)
    time = np.arange(len(truth)) * 0.01
    reference = [hertz[row] for row in truth.any(dim=1).numpy()]
    estimate = [hertz[row] for row in (scores >= 0).any(dim=1).numpy()]
    wanted = mir_eval.multipitch.evaluate(time, reference, time, estimate)
    for ours, theirs in (("precision", "Precision"), ("recall", "Recall"), ("accuracy", "Accuracy")):
        assert found[f"note_{ours}"] == pytest.approx(wanted[theirs], abs=1e-12)


def test_the_threshold_is_that_of_the_highest_f1(entries):
    scores, truth = entries
    counts = _counts(*entries)[:-1].sum(axis=0)
    best = binned.best_threshold(counts)
    edges = [-16 + place / 128 for place in range(1200, 3000)]
    f1 = [f1_score(truth.flatten(), (scores >= edge).flatten()) for edge in edges[::80]]
    assert binned.at(counts, best)["f1"] == pytest.approx(max(f1), abs=0.01)
    assert binned.at(counts, best)["f1"] >= max(f1)


def test_what_has_nothing_to_be_computed_from_is_nan_and_no_warning_is_given():
    scores, nothing = torch.full((4, 2, 3), -8.0), torch.zeros(4, 2, 3, dtype=torch.bool)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        silent = binned.measure(_counts(scores, nothing), binned.HALF, binned.HALF)
        assert all(np.isnan(value) for value in silent.values())
        assert binned.best_threshold(_counts(scores, nothing)[0]) == binned.HALF
        invented = binned.measure(_counts(-scores, nothing), binned.HALF, binned.HALF)
        assert (invented["precision"], invented["f1"], invented["accuracy"]) == (0, 0, 0)
        assert np.isnan(invented["recall"])
        missed = binned.measure(_counts(scores, ~nothing), binned.HALF, binned.HALF)
        assert (missed["recall"], missed["f1"], missed["note_recall"]) == (0, 0, 0)
        assert np.isnan(missed["precision"])
        assert missed["ap"] == 1  # all that is there is true
        empty = binned.tally(torch.zeros(0, 2, 3, dtype=torch.int64), torch.zeros(0, 2, 3, dtype=torch.bool))
        assert empty.shape == (3, 2, binned.BINS)
        assert not empty.any()


def test_scores_beyond_the_bins_stay_in_order_with_those_within():
    places = binned.bins(torch.tensor([-1e9, -16.0, -1e-9, 0.0, 15.999, 1e9]))
    assert places.tolist() == [0, 0, 2047, 2048, 4095, 4095]
    assert binned.HALF == 2048


def test_constant_scores_have_the_histogram_of_their_frames(entries):
    _, truth = entries
    base = torch.linspace(-7, -1, 120).view(3, 40)
    wanted = binned.tally(binned.bins(base.expand(400, 3, 40)), truth)
    found = binned.constant(base, truth.sum(dim=0), truth.any(dim=1).sum(dim=0), len(truth))
    torch.testing.assert_close(found, wanted)
