import pytest
import torch

from semisupcon.augment import Delay
from semisupcon.errors import UserError

RATE = 8000


def impulse(count, samples=RATE):
    clip = torch.zeros(count, 1, samples)
    clip[..., 10] = 1
    return clip


def echoes(transform, count=1, strength=1.0, samples=RATE):
    """For each example the samples that are not silent, and their values."""
    torch.manual_seed(0)
    out = transform(impulse(count, samples), RATE, strength).squeeze(1)
    return [(row.nonzero().squeeze(1) - 10, row[row != 0]) for row in out]


def test_the_first_echo_comes_after_the_delay_and_the_dry_sound_stays():
    [(when, level)] = echoes(Delay((0.3, 0.3), gain=0.4, p=1.0))
    assert when.tolist() == [0, 2400]
    assert level.tolist() == pytest.approx([1.0, 0.4])


def test_further_echoes_fall_by_the_feedback():
    [(when, level)] = echoes(Delay((0.2, 0.2), gain=0.8, feedback=0.5, echoes=3, p=1.0))
    assert when.tolist() == [0, 1600, 3200, 4800]
    assert level.tolist() == pytest.approx([1.0, 0.8, 0.4, 0.2])


def test_it_is_the_sum_of_shifted_copies():
    torch.manual_seed(0)
    audio = torch.randn(1, 1, 5000)
    out = Delay((0.1, 0.1), gain=0.5, feedback=0.3, echoes=9, p=1.0)(audio, RATE)
    expected = audio.clone()
    for k in range(1, 7):  # the seventh would begin after the end
        expected[..., 800 * k :] += 0.5 * 0.3 ** (k - 1) * audio[..., : -800 * k]
    torch.testing.assert_close(out, expected)


def test_delays_are_drawn_from_all_of_the_range():
    delays = torch.stack([when[1] for when, _ in echoes(Delay(p=1.0), 500)]) / RATE
    assert 0.1 <= delays.min() < 0.11
    assert 0.49 < delays.max() <= 0.5
    assert (delays * 10).long().bincount()[1:5].tolist() == pytest.approx([125] * 4, abs=35)
    assert len(delays.unique()) > 300


@pytest.mark.parametrize(("strength", "gain"), [(0.5, 0.25), (1.0, 0.5), (2.5, 1.0)])
def test_strength_scales_the_gain_up_to_one(strength, gain):
    heard = [level for _, level in echoes(Delay(p=1.0), 30, strength) if len(level) > 1]
    assert heard
    assert all(level.tolist() == pytest.approx([1.0, gain]) for level in heard)


def test_an_echo_after_the_end_is_cut_off():
    [(when, _)] = echoes(Delay((0.4, 0.5), echoes=4, p=1.0), samples=1000)
    assert when.tolist() == [0]


def test_no_delay_at_all_is_refused():
    with pytest.raises(UserError, match="delay above 0 s"):
        Delay((0.0, 0.5))
