import math

import numpy as np
import pytest
import torch

from semisupcon.augment.distortion import BitCrush, Distortion
from semisupcon.errors import UserError

RATE = 22050


def ramp(count=1):
    return torch.linspace(-1, 1, 4001).expand(count, 1, -1)


@pytest.mark.parametrize("drive", [0.0, 9.0, 15.0])
@pytest.mark.parametrize("strength", [0.5, 1.0, 2.5])
def test_the_curve_is_a_hyperbolic_tangent_and_strength_scales_its_drive(drive, strength):
    out = Distortion((drive, drive)).effect(ramp().clone(), RATE, strength)
    expected = np.tanh(10 ** (drive * strength / 20) * ramp().double().numpy())
    np.testing.assert_allclose(out.numpy(), expected, atol=2e-6)
    torch.testing.assert_close(out, -out.flip(-1))  # odd, on an odd ramp
    assert out.abs().max() <= 1


def test_a_tone_gets_odd_harmonics_of_the_known_level():
    """tanh x = x - x^3/3 + ..., so that a sine of amplitude a gets a third harmonic of a^3 / 12."""
    tone = 0.1 * torch.sin(2 * math.pi * 441 * torch.arange(RATE) / RATE)[None, None]
    drive = 6.0
    spectrum = torch.fft.rfft(Distortion((drive, drive), p=1.0)(tone.double().float(), RATE).double())[0, 0].abs()
    level = spectrum[441 * torch.arange(1, 6)] / (RATE / 2)
    inside = 0.1 * 10 ** (drive / 20)
    assert level[2].item() == pytest.approx(inside**3 / 12, rel=0.06)  # the fifth power takes some of it
    assert level[[1, 3]].max() < 1e-6
    assert level[4].item() == pytest.approx(inside**5 * 2 / 15 / 16, rel=0.1)


def test_drives_fill_their_range():
    torch.manual_seed(0)
    soft = torch.full((2000, 1, 2), 1e-4)  # where tanh is a straight line
    decibels = 20 * (Distortion(p=1.0)(soft, RATE)[:, 0, 0] / 1e-4).log10()
    assert decibels.min().item() == pytest.approx(3, abs=0.1)
    assert decibels.max().item() == pytest.approx(15, abs=0.1)
    assert decibels.mean().item() == pytest.approx(9, abs=0.3)


@pytest.mark.parametrize("bits", [2.0, 3.0, 4.0, 4.7, 6.0, 8.0])
def test_so_many_bits_so_many_levels(bits):
    out = BitCrush((bits, bits), p=1.0)(ramp(), RATE)
    levels = out.unique()
    assert 2**bits - 2 <= len(levels) + 1e-9
    assert len(levels) <= 2**bits
    steps = levels.diff()
    torch.testing.assert_close(steps, torch.full_like(steps, 2 / (len(levels) - 1)))
    assert levels.min() == -1
    assert levels.max() == 1
    assert (levels == 0).any()
    assert (out - ramp()).abs().max() <= steps[0] / 2 + 1e-6
    assert (out.diff() >= 0).all()


def test_what_is_above_full_scale_is_clipped():
    loud = BitCrush(p=1.0)(3 * ramp(50), RATE)
    assert loud.abs().max() == 1


@pytest.mark.parametrize(("strength", "levels"), [(0.5, 31), (1.0, 15), (2.0, 7), (2.5, 5)])
def test_strength_multiplies_the_step(strength, levels):
    assert len(BitCrush((4.0, 4.0)).effect(ramp().clone(), RATE, strength).unique()) == levels
    assert len(BitCrush((2.0, 2.0)).effect(ramp().clone(), RATE, 2.5).unique()) == 3


def test_bits_are_drawn_for_each_example():
    torch.manual_seed(0)
    counts = torch.tensor([len(row.unique()) for row in BitCrush(p=1.0)(ramp(400), RATE)])
    assert counts.min() == 7
    assert 55 <= counts.max() <= 63
    assert (counts <= 15).float().mean().item() == pytest.approx(math.log2(17 / 8) / 3, abs=0.07)


@pytest.mark.parametrize("kind", [Distortion, BitCrush])
@pytest.mark.parametrize("rate", [8000, 48000])
@pytest.mark.parametrize("strength", [0.01, 1.0, 2.5])
def test_nothing_but_numbers_up_to_full_scale(kind, rate, strength):
    square = torch.sign(torch.sin(torch.arange(3000) / 7))
    audio = torch.stack([torch.zeros(3000), torch.eye(3000)[1500], square])[:, None]
    for samples in (3000, 1):
        out = kind().effect(audio[..., -samples:].clone(), rate, strength)
        assert out.isfinite().all()
        assert out.abs().max() <= 1
        assert not out[0].any()


def test_bounds_that_make_no_sense():
    with pytest.raises(UserError, match=r"Distortion: drive .* not \(-3.0, 9.0\)"):
        Distortion((-3.0, 9.0))
    with pytest.raises(UserError, match=r"BitCrush: bits .* not \(1.0, 4.0\)"):
        BitCrush((1.0, 4.0))
