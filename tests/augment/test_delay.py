import numpy as np
import pytest
import torch

from semisupcon.augment import Delay
from semisupcon.errors import UserError

RATE = 8000
HALF = (0.5, 0.5)


def impulse(count, samples=RATE):
    clip = torch.zeros(count, 1, samples)
    clip[..., 10] = 1
    return clip


def echoes(transform, count=1, strength=1.0, samples=RATE, rate=RATE):
    """For each example the samples that are not silent, and their values."""
    torch.manual_seed(0)
    out = transform(impulse(count, samples), rate, strength).squeeze(1)
    return [(row.nonzero().squeeze(1) - 10, row[row != 0]) for row in out]


@pytest.mark.parametrize("rate", [8000, 22050, 48000])
def test_the_first_echo_comes_after_the_delay_and_the_dry_sound_stays(rate):
    [(when, level)] = echoes(Delay((0.3, 0.3), gain=(0.4, 0.4), p=1.0), samples=rate, rate=rate)
    assert when.tolist() == [0, round(0.3 * rate)]
    assert level.tolist() == pytest.approx([1.0, 0.4])


def test_further_echoes_fall_by_the_feedback():
    [(when, level)] = echoes(Delay((0.2, 0.2), gain=(0.8, 0.8), feedback=HALF, echoes=3, p=1.0))
    assert when.tolist() == [0, 1600, 3200, 4800]
    assert level.tolist() == pytest.approx([1.0, 0.8, 0.4, 0.2])


def test_it_is_the_sum_of_shifted_copies():
    torch.manual_seed(0)
    audio = torch.randn(1, 1, 5000)
    out = Delay((0.1, 0.1), gain=HALF, feedback=(0.3, 0.3), echoes=9, p=1.0)(audio, RATE)
    expected = audio.clone()
    for k in range(1, 7):  # the seventh would begin after the end
        expected[..., 800 * k :] += 0.5 * 0.3 ** (k - 1) * audio[..., : -800 * k]
    torch.testing.assert_close(out, expected)


def test_each_example_is_convolved_with_its_own_echoes():
    transform = Delay(echoes=3, p=1.0)
    audio = torch.randn(6, 1, RATE, generator=torch.Generator().manual_seed(1))
    torch.manual_seed(0)
    responses = transform(torch.eye(1, RATE).expand(6, 1, -1), RATE).squeeze(1)
    torch.manual_seed(0)
    out = transform(audio, RATE).squeeze(1)
    for heard, dry, response in zip(out, audio.squeeze(1), responses, strict=True):
        expected = np.convolve(dry.double().numpy(), response.double().numpy())[:RATE]
        np.testing.assert_allclose(heard.numpy(), expected, atol=1e-5)
    assert len({tuple(response.nonzero().squeeze(1).tolist()) for response in responses}) == 6


def test_delays_are_drawn_from_all_of_the_range():
    delays = torch.stack([when[1] for when, _ in echoes(Delay(p=1.0), 500)]) / RATE
    assert 0.1 <= delays.min() < 0.11
    assert 0.49 < delays.max() <= 0.5
    assert (delays * 10).long().bincount()[1:5].tolist() == pytest.approx([125] * 4, abs=35)
    assert len(delays.unique()) > 300


def test_gain_and_feedback_are_drawn_from_all_of_their_ranges():
    heard = [level for _, level in echoes(Delay(echoes=2, feedback=(0.2, 0.6), p=1.0), 500, samples=8100)]
    levels = torch.stack([level for level in heard if len(level) == 3])
    for drawn, low, high in ((levels[:, 1], 0.3, 0.7), (levels[:, 2] / levels[:, 1], 0.2, 0.6)):
        assert low - 1e-6 <= drawn.min() < low + 0.01
        assert high - 0.01 < drawn.max() <= high + 1e-6
        assert drawn.mean().item() == pytest.approx((low + high) / 2, abs=0.03)
    assert abs(np.corrcoef(levels[:, 1], levels[:, 2] / levels[:, 1])[0, 1]) < 0.15


def test_delays_in_steps():
    transform = Delay((0.2, 0.5), gain=HALF, step=0.05, p=1.0)
    delays = torch.stack([when[1] for when, _ in echoes(transform, 700)])
    assert delays.unique().tolist() == [1600, 2000, 2400, 2800, 3200, 3600, 4000]
    assert delays.bincount()[1600::400].tolist() == pytest.approx([100] * 7, abs=35)


def test_a_step_that_does_not_fit_stays_below_the_upper_bound():
    delays = {when[1].item() for when, _ in echoes(Delay((0.2, 0.39), step=0.1, p=1.0), 50)}
    assert delays == {1600, 2400}


@pytest.mark.parametrize(("strength", "low", "high"), [(0.5, 0.15, 0.35), (1.0, 0.3, 0.7), (2.5, 0.75, 1.0)])
def test_strength_scales_the_gain_up_to_one(strength, low, high):
    heard = torch.stack([level for _, level in echoes(Delay(p=1.0), 300, strength) if len(level) > 1])
    assert heard[:, 0].eq(1).all()
    assert heard[:, 1].min().item() == pytest.approx(low, abs=0.02)
    assert heard[:, 1].max().item() == pytest.approx(high, abs=0.02)


def test_an_echo_after_the_end_is_cut_off():
    [(when, _)] = echoes(Delay((0.4, 0.5), echoes=4, p=1.0), samples=1000)
    assert when.tolist() == [0]


@pytest.mark.parametrize("rate", [8000, 48000])
def test_anything_comes_out_as_numbers_and_silence_as_silence(rate):
    square = torch.sign(torch.sin(torch.arange(3000) / 7))
    audio = torch.stack([torch.zeros(3000), torch.eye(3000)[1500], square])[:, None]
    for samples in (3000, 2, 1):
        out = Delay((1e-5, 0.02), echoes=5).effect(audio[..., -samples:].clone(), rate, 2.5)
        assert out.isfinite().all()
        assert out.abs().max() <= 6
        assert not out[0].any()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"delay": (0.0, 0.5)}, "delays above 0 s"),
        ({"delay": (0.5, 0.2)}, "from low to high"),
        ({"echoes": 0}, "at least one echo"),
        ({"step": -0.1}, "no step below 0 s"),
        ({"gain": (0.5, 1.1)}, "within 0 to 1"),
        ({"feedback": (0.5, 0.4)}, "gain and feedback go from low to high"),
    ],
)
def test_bounds_that_make_no_sense(arguments, message):
    with pytest.raises(UserError, match=message):
        Delay(**arguments)
