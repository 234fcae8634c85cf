"""Where segments start."""

import numpy as np
import pytest

from semisupcon.inference.cut import segment_starts, windows
from semisupcon.loading import segments


@pytest.mark.parametrize("length", [1, 7, 100])
def test_one_after_another_they_are_those_of_evaluation(length):
    for samples in range(1, 350):
        assert (segment_starts(samples, length, length) == segments.segment_starts(samples, length)).all()
        sound = np.arange(1, samples + 1, dtype=np.int16)
        ours = windows(sound, length)[segment_starts(samples, length, length)]
        assert (ours == segments.segments(sound, length)).all()


@pytest.mark.parametrize(
    ("samples", "hop", "starts"),
    [
        (10, 5, [0]),
        (3, 5, [0]),
        (11, 5, [0, 1]),
        (20, 5, [0, 5, 10]),
        (21, 5, [0, 5, 10, 11]),
        (24, 5, [0, 5, 10, 14]),
        (30, 20, [0, 20]),
        (29, 20, [0, 19]),
        (12, 1, [0, 1, 2]),
    ],
)
def test_with_a_hop_the_last_one_ends_with_the_track_too(samples, hop, starts):
    assert segment_starts(samples, 10, hop).tolist() == starts


def test_nothing_is_left_out_unless_the_hop_is_longer():
    rng = np.random.default_rng(0)
    for _ in range(200):
        samples, length = rng.integers(1, 500), rng.integers(1, 60)
        starts = segment_starts(samples, length, rng.integers(1, length + 1))
        covered = np.zeros(max(samples, length), bool)
        for start in starts:
            covered[start : start + length] = True
        assert covered.all()
        assert starts[0] == 0
        assert (np.diff(starts) > 0).all()
        assert starts[-1] == max(0, samples - length)
