"""A readout against the formula it stands for."""

import numpy as np
import pytest

from semisupcon.evaluation import readout
from semisupcon.evaluation.readout import Readout


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_scores_are_the_layers_on_standardised_embeddings_a_block_at_a_time(rng, dtype, monkeypatch):
    mean, scale, wide, narrow, target_mean, target_scale = (
        rng.uniform(0.5, 2, shape).astype(dtype) for shape in (5, 5, (5, 7), (7, 2), 2, 2)
    )
    biases = rng.standard_normal(7).astype(dtype), rng.standard_normal(2).astype(dtype)
    layers = ((wide, biases[0]), (narrow, biases[1]))
    segment = rng.standard_normal((23, 5)).astype(np.float32)
    found = Readout("regression", mean, scale, layers, target_mean, target_scale, 0.1)
    for row, scores in zip(segment, found.scores(segment), strict=True):
        units = [max(0.0, sum((row - mean) / scale * wide[:, j]) + biases[0][j]) for j in range(7)]
        wanted = [sum(units * narrow[:, k]) + biases[1][k] for k in range(2)] * target_scale + target_mean
        np.testing.assert_allclose(scores, wanted, rtol=1e-4, atol=1e-4)
    whole = found.scores(segment)
    monkeypatch.setattr(readout, "BLOCK", 7 * 4)
    np.testing.assert_allclose(found.scores(segment), whole, rtol=1e-5)
    assert whole.dtype == np.float32
    assert found.scores(segment[:0]).shape == (0, 2)
