"""The numbers of an embedding's shape against loops over pairs, closed forms, and what they warn of."""

from itertools import combinations

import numpy as np
import pytest
import torch

from semisupcon.errors import UserError
from semisupcon.evaluation.clips import EmbeddedClips
from semisupcon.evaluation.shape import shape
from semisupcon.objectives import diagnostics


def clips(segment, counts=None):
    segment = np.asarray(segment, np.float32)
    counts = [1] * len(segment) if counts is None else counts
    names = np.array([f"{number}.wav" for number in range(len(counts))], dtype=np.str_)
    clip = np.repeat(np.arange(len(counts)), counts)
    return EmbeddedClips(segment, clip, np.zeros((len(counts), 1), np.float32), names, names)


def random(counts=(3, 1, 2, 5, 1, 2), dims=6, seed=0):
    return clips(np.random.default_rng(seed).normal(0.4, 1, (sum(counts), dims)), counts)


def test_every_number_equals_a_loop_over_pairs():
    given = random()
    found = shape(given)
    unit = given.segment.astype(float)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    of = [unit[given.clip == number] for number in range(len(given))]

    aligned = [np.mean([((a - b) ** 2).sum() for a, b in combinations(each, 2)]) for each in of if len(each) > 1]
    assert found.alignment == pytest.approx(np.mean(aligned), rel=1e-5)
    potential = [np.exp(-2 * ((a - b) ** 2).sum()) for a, b in combinations(unit, 2)]
    assert found.uniformity == pytest.approx(np.log(np.mean(potential)), rel=1e-5)
    cosines = [np.mean([a @ b for a in one for b in other]) for one, other in combinations(of, 2)]
    assert found.mean_cosine == pytest.approx(np.mean(cosines), rel=1e-5)
    values = np.linalg.svd(given.segment.astype(float) - given.segment.mean(0), compute_uv=False)
    share = values / values.sum()
    np.testing.assert_allclose(found.spectrum, share, rtol=1e-5)
    assert found.effective_rank == pytest.approx(np.exp(-(share * np.log(share)).sum()), rel=1e-5)
    assert (found.dims, found.dead, found.warnings) == (6, 0, ())


def test_they_are_the_numbers_that_training_logs():
    given = random((4,) * 8)
    found, segment = shape(given), torch.from_numpy(given.segment)

    assert found.alignment == pytest.approx(diagnostics.alignment(segment, torch.from_numpy(given.clip)).item())
    assert found.uniformity == pytest.approx(diagnostics.uniformity(segment).item())
    assert found.effective_rank == pytest.approx(diagnostics.effective_rank(segment).item())


def test_every_clip_counts_alike_in_alignment_and_cosine():
    # One clip of two segments at a right angle; another of many that are all the same.
    given = clips([[1, 0], [0, 1], *[[0, -1]] * 10], [2, 10])
    found = shape(given)

    assert found.alignment == pytest.approx((2 + 0) / 2)
    assert found.mean_cosine == pytest.approx((0 - 1) / 2)


@pytest.mark.filterwarnings("error")
def test_a_simplex_of_unit_vectors():
    found = shape(clips(3 * np.eye(8)))  # lengths play no part in what is asked on the sphere

    assert np.isnan(found.alignment)
    assert found.uniformity == pytest.approx(-2 * 2)
    assert found.mean_cosine == pytest.approx(0, abs=1e-7)
    assert found.effective_rank == pytest.approx(7, rel=1e-4)
    np.testing.assert_allclose(found.spectrum, [1 / 7] * 7 + [0], atol=1e-6)
    assert found.warnings == ()


def test_all_in_one_point_is_a_collapse():
    found = shape(clips(np.full((20, 4), 0.3), [2] * 10))

    assert (found.alignment, found.uniformity, found.mean_cosine) == pytest.approx((0, 0, 1), abs=1e-6)
    assert (found.effective_rank, found.dead, found.spectrum.sum()) == (1, 4, 0)
    assert len(found.warnings) == 1
    assert "all 4 dimensions" in found.warnings[0]


def test_nearly_one_direction_is_a_collapse_that_says_the_number():
    rng = np.random.default_rng(0)
    found = shape(clips(1 + 0.01 * rng.normal(size=(50, 8))))

    (warning,) = found.warnings
    assert "nearly the same" in warning
    assert f"{found.mean_cosine:.5f}" in warning
    assert shape(clips(1 + 0.1 * rng.normal(size=(50, 8)))).warnings == ()


def test_a_line_is_a_dimensional_collapse():
    line = np.random.default_rng(0).normal(size=(60, 1)) * [1, -2, 0.5, 1]
    found = shape(clips(line))

    assert found.effective_rank == pytest.approx(1, abs=1e-3)
    assert found.dead == 0
    assert any("effective rank of 1.0 where it could be 4" in each for each in found.warnings)


def test_few_of_many_dimensions_are_a_dimensional_collapse():
    rng = np.random.default_rng(0)
    low = rng.normal(size=(300, 4)) @ rng.normal(size=(4, 200))
    (warning,) = shape(clips(low)).warnings

    assert warning.startswith("dimensional collapse")
    assert shape(clips(rng.normal(size=(300, 200)))).warnings == ()


def test_dead_dimensions_are_counted():
    segment = np.random.default_rng(0).normal(size=(100, 6))
    segment[:, 1] = 0.1  # whose mean would be rounded in float32
    segment[:, 4] *= 1e-7
    segment[:, 5] *= 1e-3
    found = shape(clips(segment))

    assert found.dead == 2
    assert found.warnings == ("dimensional collapse: 2 of 6 dimensions are the same in every segment",)


@pytest.mark.filterwarnings("error")
def test_one_clip_has_no_other_and_one_segment_no_pair():
    several = shape(clips(np.eye(3), [3]))
    assert several.alignment == pytest.approx(2)
    assert several.uniformity == pytest.approx(-4)
    assert np.isnan(several.mean_cosine)

    for given in (clips([[1.0, 2.0]]), clips(np.zeros((0, 2)))):
        found = shape(given)
        assert np.isnan([found.alignment, found.uniformity, found.mean_cosine]).all()
        assert (found.effective_rank, found.dead, found.warnings) == (1, 0, ())
        np.testing.assert_array_equal(found.spectrum, [0, 0])


def test_of_many_segments_a_seeded_sample_is_taken_where_pairs_would_be_too_many():
    given = random((5,) * 40)
    found = shape(given, seed=3, most=50)
    rows = np.sort(np.random.default_rng(3).choice(200, 50, replace=False))
    sample, whole = shape(clips(given.segment[rows])), shape(given)

    assert (found.uniformity, found.effective_rank) == (sample.uniformity, sample.effective_rank)
    np.testing.assert_array_equal(found.spectrum, sample.spectrum)
    assert (found.alignment, found.mean_cosine) == (whole.alignment, whole.mean_cosine)
    assert shape(given, seed=3, most=50).uniformity == found.uniformity
    assert shape(given, seed=4, most=50).uniformity != found.uniformity


def test_embeddings_that_are_not_finite_are_refused_with_the_clip():
    given = random()
    given.segment[given.clip == 3] = np.inf
    with pytest.raises(UserError, match=r"1 of 6 clips hold NaN or infinity, the first of 3\.wav"):
        shape(given)
