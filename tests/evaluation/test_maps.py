"""Embeddings in the plane: the right axes, the same for the same seed, and whatever few or strange points there are."""

import numpy as np
import pytest

from semisupcon.evaluation.maps import project


def random(clips=40, dims=6, seed=0):
    return np.random.default_rng(seed).normal(size=(clips, dims)).astype(np.float32)


def test_pca_is_the_singular_vectors_of_the_centred_directions():
    x = random() * [3, 1, 1, 0.5, 0.5, 0.2]
    found = project(x.astype(np.float32), 0)
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    left, values, _ = np.linalg.svd(unit - unit.mean(0), full_matrices=False)

    for axis in (0, 1):
        ours, theirs = found.pca[:, axis], left[:, axis] * values[axis]
        np.testing.assert_allclose(ours * np.sign(ours @ theirs), theirs, atol=1e-5)
    np.testing.assert_allclose(found.explained, values[:2] ** 2 / (values**2).sum(), rtol=1e-5)


def test_how_long_an_embedding_is_plays_no_part():
    x = random()
    longer = x * np.linspace(0.1, 10, len(x), dtype=np.float32)[:, None]

    np.testing.assert_allclose(project(longer, 0).pca, project(x, 0).pca, atol=1e-5)


def test_the_axes_point_the_same_way_in_whatever_order_the_clips_come():
    x = random()
    order = np.random.default_rng(1).permutation(len(x))

    np.testing.assert_allclose(project(x[order], 0).pca, project(x, 0).pca[order], atol=1e-5)


def test_two_calls_give_equal_bits_and_the_seed_decides_the_sample():
    x = random(120)
    one, same, other = project(x, 0, most=80), project(x.copy(), 0, most=80), project(x, 1, most=80)

    np.testing.assert_array_equal(one.pca, same.pca)
    np.testing.assert_array_equal(one.tsne, same.tsne)
    np.testing.assert_array_equal(one.rows, same.rows)
    assert not np.array_equal(one.rows, other.rows)


def test_a_sample_is_of_the_same_clips_for_every_encoder():
    x, other = random(100), random(100, dims=3, seed=5)
    found = project(x, 7, most=30)

    assert len(found.rows) == len(found.pca) == len(found.tsne) == 30
    assert (np.diff(found.rows) > 0).all()
    np.testing.assert_array_equal(project(other, 7, most=30).rows, found.rows)
    np.testing.assert_allclose(found.pca, project(x[found.rows], 7).pca, atol=1e-6)
    np.testing.assert_array_equal(project(x, 7, most=100).rows, np.arange(100))


def test_tsne_keeps_neighbours_together():
    rng = np.random.default_rng(0)
    group = np.repeat([0, 1, 2], 20)
    x = (5 * np.eye(3, 30)[group] + 0.3 * rng.normal(size=(60, 30))).astype(np.float32)
    places = project(x, 0).tsne
    distance = np.linalg.norm(places[:, None] - places[None], axis=2) + np.diag([np.inf] * 60)

    assert (group[distance.argmin(axis=1)] == group).all()


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("dims", [1, 2, 7])
@pytest.mark.parametrize("clips", [1, 2, 4, 5, 9])
def test_few_clips_and_few_dimensions(clips, dims):
    found = project(random(clips, dims), 0)

    assert found.pca.shape == (clips, 2)
    assert np.isfinite(found.pca).all()
    assert 0 <= sum(found.explained) <= 1 + 1e-6
    if clips < 5:
        assert found.tsne is None
    else:
        assert found.tsne.shape == (clips, 2)
        assert np.isfinite(found.tsne).all()


@pytest.mark.parametrize("value", [0.0, 0.3])
def test_clips_that_are_all_the_same_lie_in_one_point(value):
    found = project(np.full((20, 5), value, np.float32), 0)

    assert found.tsne is None
    assert found.explained == (0, 0)
    np.testing.assert_array_equal(found.pca, np.zeros((20, 2)))


def test_what_is_no_embedding_is_refused():
    for wrong in (np.zeros((0, 4), np.float32), np.zeros(4, np.float32)):
        with pytest.raises(ValueError, match="N, D"):
            project(wrong, 0)
