import math

import numpy as np
import pytest
import torch

from semisupcon.augment.compression import Compression
from semisupcon.errors import UserError

RATE = 22050


def tone(decibels, rate=RATE, seconds=1.0, hertz=1000.0):
    """(N, 1, T) sines with peaks of so many dB."""
    wave = torch.sin(2 * math.pi * hertz * torch.arange(round(seconds * rate)) / rate)
    return wave * 10 ** (torch.as_tensor(decibels, dtype=torch.float32)[:, None, None] / 20)


def fixed(threshold=-30.0, ratio=5.0, attack=0.005, release=0.1):
    return Compression((threshold,) * 2, (ratio,) * 2, (attack,) * 2, (release,) * 2, p=1.0)


def reference(audio, rate, threshold, ratio, attack, release):
    """Gain in dB, sample by sample, of Giannoulis et al.: gain computer, decoupled peak detector in the log domain."""
    rises, falls = math.exp(-1 / (attack * rate)), math.exp(-1 / (release * rate))
    held = smooth = 0.0
    gain = np.empty(len(audio))
    for n, sample in enumerate(audio):
        level = 20 * math.log10(max(abs(float(sample)), 1e-9))
        above = level - (threshold + (level - threshold) / ratio) if level > threshold else 0.0
        held = max(above, falls * held)
        smooth = rises * smooth + (1 - rises) * held
        gain[n] = -smooth
    return gain


def gains(audio, out):
    """dB of the last quarter."""
    last = audio.shape[-1] * 3 // 4
    return 20 * (out[..., last:].norm(dim=-1) / audio[..., last:].norm(dim=-1)).log10().squeeze(1)


@pytest.mark.parametrize("rate", [8000, 22050, 48000])
@pytest.mark.parametrize("ratio", [2.0, 5.0, 20.0])
@pytest.mark.parametrize("threshold", [-40.0, -20.0])
def test_the_steady_curve_has_the_ratio_above_the_threshold_and_is_straight_below(rate, ratio, threshold):
    levels = torch.linspace(threshold - 20, 0, 25)
    audio = tone(levels, rate)
    gain = gains(audio, fixed(threshold, ratio)(audio, rate)).numpy()
    below, above = (levels < threshold).numpy(), (levels > threshold + 2).numpy()
    assert np.abs(gain[below]).max() < 0.05
    slope, _ = np.polyfit(levels[above], levels[above] + gain[above], 1)
    assert slope == pytest.approx(1 / ratio, rel=0.05)
    expected = (threshold - levels.numpy()[above]) * (1 - 1 / ratio)
    assert np.abs(gain[above] - expected).max() < 0.6  # ripple of the detector, between peaks that blocks see


@pytest.mark.parametrize(("attack", "release"), [(0.002, 0.05), (0.01, 0.1), (0.02, 0.2)])
@pytest.mark.parametrize("hertz", [300.0, 1000.0])
def test_it_follows_the_reference(attack, release, hertz):
    loud = torch.cat([torch.full((2000,), 0.01), torch.ones(10000), torch.full((15000,), 0.1), torch.ones(5000)])
    audio = tone([0.0], seconds=32000 / RATE, hertz=hertz) * loud
    out = fixed(-30, 5, attack, release)(audio, RATE)
    expected = reference(audio.flatten().numpy(), RATE, -30, 5, attack, release)
    heard = audio.flatten().abs().numpy() > 1e-3
    measured = 20 * np.log10((out / audio).flatten().numpy()[heard])
    error = measured - expected[heard]
    assert np.abs(np.median(error)) < 0.3
    # A block's level is known from its start, and its gain reached from the block before: up to two blocks early.
    assert np.quantile(np.abs(error), 0.95) < 1
    steady = np.flatnonzero(heard[:12000])[-3000:]
    assert np.abs(error[: len(np.flatnonzero(heard[:12000]))][-3000:]).max() < 0.6
    assert len(steady) == 3000


def step(low, high, rate=RATE):
    """A level, 0.5 s of a higher one, and the lower one again: what has no peaks between them but a constant."""
    half = rate // 2
    levels = torch.cat([torch.full((half,), low), torch.full((half,), high), torch.full((2 * half,), low)])
    return 10 ** (levels / 20)[None, None]


@pytest.mark.parametrize("rate", [8000, 22050, 48000])
@pytest.mark.parametrize("attack", [0.005, 0.02])
@pytest.mark.parametrize("release", [0.05, 0.2])
def test_attack_and_release_take_the_time_they_say(rate, attack, release):
    audio = step(-60.0, -10.0, rate)
    out = fixed(-30, 5, attack, release)(audio, rate)
    reduction = -20 * (out / audio).log10().flatten()
    assert reduction[: rate // 2 - rate // 100].abs().max() < 1e-3
    assert reduction[rate - 100].item() == pytest.approx(16, abs=0.05)
    after = torch.arange(1, len(reduction) + 1) / rate
    rise = after[rate // 2 :][reduction[rate // 2 :] > 16 * (1 - math.exp(-1))][0] - 0.5
    assert rise.item() == pytest.approx(attack, abs=0.0025)
    # The release is exponential: a straight line of the logarithm, once the attack's share has gone.
    falling = slice(rate + round(0.1 * rate), rate + round(0.3 * rate))
    slope = np.polyfit(after[falling].numpy(), reduction[falling].log().numpy(), 1)[0]
    assert -1 / slope == pytest.approx(release, rel=0.05)


def test_the_gain_is_never_above_one_and_smooth():
    torch.manual_seed(0)
    audio = torch.randn(16, 1, 30000).clamp(-1, 1) * torch.rand(16, 1, 30000)
    out = Compression(p=1.0)(audio, RATE)
    gain = out / audio
    assert gain.max() <= 1 + 1e-6
    assert gain.min() > 0
    assert gain.diff().abs().max() < 0.05


@pytest.mark.parametrize("strength", [0.5, 1.0, 2.5])
def test_strength_is_an_exponent_of_the_ratio(strength):
    audio = tone([-10.0])
    gain = gains(audio, fixed(ratio=4.0).effect(audio.clone(), RATE, strength)).item()
    assert gain == pytest.approx(-20 * (1 - 4**-strength), abs=0.5)


def test_each_example_has_a_curve_of_its_own():
    torch.manual_seed(0)
    count = 400
    audio = tone([0.0], seconds=0.3).expand(count, 1, -1)
    gain = -gains(audio, Compression((-30.0, -30.0), (2.5, 10.0), p=1.0)(audio, RATE)) / 30
    ratio = 1 / (1 - gain)
    assert ratio.min().item() == pytest.approx(2.5, rel=0.05)
    assert ratio.max().item() == pytest.approx(10, rel=0.15)
    assert ratio.median().item() == pytest.approx(5, rel=0.1)
    threshold = gains(audio, Compression((-40.0, -20.0), (2.0, 2.0), p=1.0)(audio, RATE)) * 2
    assert threshold.min().item() == pytest.approx(-40, abs=0.7)
    assert threshold.max().item() == pytest.approx(-20, abs=0.7)
    assert threshold.mean().item() == pytest.approx(-30, abs=0.7)


@pytest.mark.parametrize("rate", [8000, 22050, 48000])
@pytest.mark.parametrize("strength", [0.01, 1.0, 2.5])
def test_silence_an_impulse_full_scale_and_any_length(rate, strength):
    square = torch.sign(torch.sin(torch.arange(5000) / 7))
    impulse = torch.zeros(5000)
    impulse[2500] = 1
    audio = torch.stack([torch.zeros(5000), impulse, square, torch.full((5000,), 1e-30)])[:, None]
    for samples in (5000, 4999, 33, 17, 2, 1):
        out = Compression().effect(audio[..., -samples:].clone(), rate, strength)
        assert out.shape == (4, 1, samples)
        assert out.isfinite().all()
        assert out.abs().max() <= 1
        assert not out[0].any()
        assert torch.equal(out[3], audio[3][..., -samples:])  # far below the threshold nothing happens


def test_bounds_that_make_no_sense():
    with pytest.raises(UserError, match=r"ratios from 1"):
        Compression(ratio=(0.5, 4.0))
    with pytest.raises(UserError, match=r"times above 0 s"):
        Compression(attack=(0.0, 0.01))


def test_its_gain_is_not_rounded_where_products_of_matrices_are():
    audio, outs = torch.randn(4, 1, 9000, generator=torch.Generator().manual_seed(0)) * 0.3, []
    for half in (False, True):
        torch.manual_seed(0)
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            outs.append(Compression().effect(audio.clone(), RATE, 1.0))
    assert torch.equal(*outs)
