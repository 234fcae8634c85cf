import pytest
import torch

from semisupcon.augment import Gain, PolarityInversion, Reverse


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


@pytest.mark.parametrize("kind", [PolarityInversion, Reverse])
@pytest.mark.parametrize(
    ("p", "strength", "expected"),
    [(0.6, 0.5, 0.3), (0.6, 1.0, 0.6), (0.6, 2.5, 0.6), (0.3, 1.5, 0.45), (0.3, 2.5, 0.5), (1.0, 2.5, 1.0)],
)
def test_views_still_differ_by_what_has_no_parameters_at_any_strength(kind, p, strength, expected):
    torch.manual_seed(0)
    audio = torch.tensor([1.0, 2.0]).expand(4000, 1, 2)
    out = kind(p)(audio, 22050, strength)
    assert (out != audio).any(-1).float().mean().item() == pytest.approx(expected, abs=0.03)


def test_polarity_turns_the_wave_upside_down():
    audio = torch.randn(3, 1, 100)
    assert torch.equal(PolarityInversion(p=1.0)(audio, 22050), -audio)
