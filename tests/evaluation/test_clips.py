"""Embedded clips: means and subsets as plain loops have them, and nonsense refused."""

import numpy as np
import pytest

from semisupcon.evaluation.clips import EmbeddedClips


@pytest.fixture
def clips():
    rng = np.random.default_rng(0)
    counts = [3, 1, 2, 5]
    return EmbeddedClips(
        rng.standard_normal((11, 4)).astype(np.float32),
        np.repeat(np.arange(4), counts),
        np.eye(4, dtype=np.float32),
        np.array(["a", "b", "c", "d"], dtype=object),
        np.array(["x", "x", "", "y"], dtype=object),
    )


def test_means_are_those_of_a_loop(clips):
    wanted = [clips.segment[clips.clip == row].mean(axis=0) for row in range(4)]
    np.testing.assert_allclose(clips.means(), wanted, rtol=1e-6)
    assert clips.means().dtype == np.float32
    assert (clips.first.tolist(), clips.counts.tolist()) == ([0, 3, 4, 6], [3, 1, 2, 5])


def test_some_clips_in_any_order_keep_their_segments(clips):
    some = clips.take(np.array([3, 0]))
    assert some.clip.tolist() == [0] * 5 + [1] * 3
    np.testing.assert_array_equal(some.segment, np.concatenate([clips.segment[6:], clips.segment[:3]]))
    assert (some.names.tolist(), some.groups.tolist()) == (["d", "a"], ["y", "x"])
    np.testing.assert_array_equal(some.labels, np.eye(4)[[3, 0]])
    assert len(clips.take(np.array([], np.int64))) == 0


def test_no_clips_have_no_means(clips):
    none = clips.take(np.array([], np.int64))
    assert none.means().shape == (0, 4)


@pytest.mark.parametrize("clip", [[0, 0, 2, 2], [1, 1, 2, 2], [0, 1, 0, 1], [0, 0, 0, 1], [0, 1, 2, 3]], ids=str)
def test_clips_without_segments_or_out_of_order_are_refused(clip):
    labels = np.zeros((3, 1), np.float32)
    names = np.array(["a", "b", "c"], dtype=object)
    with pytest.raises(ValueError, match="without a gap"):
        EmbeddedClips(np.zeros((4, 2), np.float32), np.array(clip), labels, names, names)


def test_columns_of_unequal_length_are_refused():
    names = np.array(["a"], dtype=object)
    with pytest.raises(ValueError, match="unequal length"):
        EmbeddedClips(np.zeros((2, 2), np.float32), np.array([0]), np.zeros((1, 1), np.float32), names, names)
