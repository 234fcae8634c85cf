import pytest
import torch

from semisupcon.augment import Gain, PolarityInversion


def decibels(transform, strength=1.0, count=2000):
    torch.manual_seed(0)
    return 20 * transform(torch.ones(count, 1, 2), 22050, strength)[:, 0, 0].log10()


def test_gain_is_as_many_decibels_as_it_says():
    assert decibels(Gain((-6.0, -6.0), p=1.0), count=1).item() == pytest.approx(-6.0, abs=1e-4)


def test_gain_is_even_over_its_range():
    gain = decibels(Gain(p=1.0))
    assert gain.min().item() == pytest.approx(-15, abs=0.2)
    assert gain.max().item() == pytest.approx(5, abs=0.2)
    assert gain.quantile(0.25).item() == pytest.approx(-10, abs=0.7)
    assert gain.median().item() == pytest.approx(-5, abs=0.7)


@pytest.mark.parametrize("strength", [0.5, 2.5])
def test_strength_multiplies_both_bounds(strength):
    gain = decibels(Gain(p=1.0), strength)[:].masked_select(decibels(Gain(p=1.0), strength) != 0)
    assert gain.min().item() == pytest.approx(-15 * strength, abs=0.4)
    assert gain.max().item() == pytest.approx(5 * strength, abs=0.4)


def test_gain_does_not_clip():
    assert Gain((6.0, 6.0), p=1.0)(torch.ones(1, 1, 4), 22050).max().item() == pytest.approx(1.9953, abs=1e-3)


def test_polarity_turns_the_wave_upside_down():
    audio = torch.randn(3, 1, 100)
    assert torch.equal(PolarityInversion(p=1.0)(audio, 22050), -audio)
