"""Cosines as whole numbers: of the right size, equal for equal embeddings, and refused where there are none."""

import numpy as np
import pytest
import torch
from sklearn.metrics.pairwise import cosine_similarity

from semisupcon.evaluation.cosine import AT_ONCE, STEPS, chunk, directions, similarities


def test_they_are_scikit_learns_cosines_in_steps():
    rng = np.random.default_rng(0)
    a, c = rng.normal(size=(20, 7)), 1e-30 * rng.normal(size=(30, 7)).astype(np.float32)
    found = similarities(directions(a), directions(c))
    assert found.dtype == torch.int32
    wanted = cosine_similarity(a, 1e30 * c.astype(np.float64))  # which takes rows as small as that for zeros
    np.testing.assert_allclose(found.numpy() / STEPS, wanted, atol=1e-9)


def test_the_ends_of_the_scale_and_a_row_of_zeros():
    rows = directions(np.array([[3.0, 4.0], [-6.0, -8.0], [0.0, 0.0]], np.float32))
    assert similarities(rows, rows).tolist() == [[STEPS, -STEPS, 0], [-STEPS, STEPS, 0], [0, 0, 0]]


def test_equal_embeddings_are_equally_similar_wherever_they_stand():
    """Products of float32, and of float64 too, differ in their last bits by the place in the matrix."""
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(50, 33)).astype(np.float32)[rng.integers(50, size=997)]
    order = rng.permutation(997)
    one = similarities(directions(rows[:101]), directions(rows)).numpy()
    other = np.concatenate([similarities(row[None], directions(rows[order])) for row in directions(rows[:101])])
    assert np.array_equal(one[:, order], other)


def test_a_diverged_model_is_named():
    rows = np.zeros((4, 2), np.float32)
    rows[2, 1], rows[3, 0] = np.nan, np.inf
    with pytest.raises(ValueError, match="2 of 4 embeddings are NaN or infinite, the first in row 2"):
        directions(rows)


def test_a_chunk_is_bounded_and_never_empty():
    assert chunk(50_000) * 50_000 <= AT_ONCE
    assert (chunk(0), chunk(2 * AT_ONCE)) == (AT_ONCE, 1)
