import math

import numpy as np
import pytest
import scipy.signal
import scipy.stats
import torch

from semisupcon.augment.noise import ColoredNoise, WhiteNoise
from semisupcon.errors import UserError

RATE = 22050


def tone(count, samples=22050):
    return (
        0.5 * torch.sin(torch.arange(samples) * 0.2).expand(count, 1, -1) * torch.linspace(0.1, 1, count)[:, None, None]
    )


def ratio(transform, count, strength=1.0, samples=22050):
    """(N,) dB, measured, of the examples that got noise."""
    torch.manual_seed(0)
    audio = tone(count, samples)
    noise = transform(audio, 22050, strength) - audio
    got = noise.flatten(1).any(dim=1)
    return (20 * (audio.norm(dim=-1) / noise.norm(dim=-1)).log10()).squeeze(1)[got]


@pytest.mark.parametrize("snr", [3.0, 30.0])
@pytest.mark.parametrize("decay", [-2.0, 0.0, 2.0, None])
def test_signal_to_noise_ratio_is_exact_for_each_example(snr, decay):
    snr = (snr, snr)
    transform = WhiteNoise(snr, p=1.0) if decay is None else ColoredNoise(snr, (decay, decay), p=1.0)
    assert (ratio(transform, 16) - snr[0]).abs().max() < 0.05


def test_white_noise_is_as_soft_as_clmr_has_it():
    measured = ratio(WhiteNoise(p=1.0), 500, samples=3000)
    assert measured.min().item() == pytest.approx(46, abs=0.2)
    assert measured.max().item() == pytest.approx(60, abs=0.2)
    assert measured.mean().item() == pytest.approx(53, abs=0.5)
    assert len(ratio(WhiteNoise(), 5000, samples=8)) == pytest.approx(50, abs=25)


@pytest.mark.parametrize("strength", [0.5, 1.0, 2.5])
def test_strength_scales_the_amplitude_of_the_noise(strength):
    measured = ratio(ColoredNoise(p=1.0), 1000, strength, samples=3000)
    white = ratio(WhiteNoise((20.0, 20.0), p=1.0), 20, strength, samples=3000)
    assert (white - 20 + 20 * math.log10(strength)).abs().max() < 0.05
    shift = -20 * math.log10(strength)
    assert measured.min().item() == pytest.approx(3 + shift, abs=0.5)
    assert measured.max().item() == pytest.approx(30 + shift, abs=0.5)
    assert measured.mean().item() == pytest.approx(16.5 + shift, abs=1)


@pytest.mark.parametrize("decay", [-2.0, -1.0, 0.0, 1.0, 2.0])
@pytest.mark.parametrize("rate", [8000, 22050])
def test_power_falls_as_frequency_to_the_decay(decay, rate):
    torch.manual_seed(0)
    audio = tone(8, 59049)
    added = ColoredNoise(decay=(decay, decay), p=1.0)(audio, rate) - audio
    hertz, power = scipy.signal.welch(
        added[:, 0].numpy() / added[:, 0].std(dim=1, keepdim=True).numpy(), rate, nperseg=4096
    )
    heard = (hertz > 60) & (hertz < 0.45 * rate)
    slope, _ = np.polyfit(np.log10(hertz[heard]), 10 * np.log10(power.mean(axis=0)[heard]), 1)
    assert slope == pytest.approx(-10 * decay, abs=0.4)  # dB a decade


def noise(transform, count, samples=59049):
    """(count, samples) of unit deviation."""
    torch.manual_seed(0)
    audio = torch.ones(count, 1, samples)
    added = (transform(audio, RATE) - audio).squeeze(1).double()
    return added / added.std(dim=1, keepdim=True)


def test_white_noise_is_white():
    power = scipy.signal.welch(noise(WhiteNoise((0.0, 0.0), p=1.0), 8).numpy(), RATE, nperseg=256)[1].mean(axis=0)
    assert np.abs(10 * np.log10(power[2:-1] / power[2:-1].mean())).max() < 0.5  # welch takes the mean away


@pytest.mark.parametrize("decay", [-2.0, 0.0, 1.0, 2.0, None])
def test_noise_is_gaussian(decay):
    """Samples far enough apart to be nearly independent, from many examples."""
    snr = (0.0, 0.0)
    transform = WhiteNoise(snr, p=1.0) if decay is None else ColoredNoise(snr, (decay, decay), p=1.0)
    apart = noise(transform, 100)[:, 500::1500].flatten().numpy()
    assert scipy.stats.kstest(apart, "norm").pvalue > 0.01
    assert scipy.stats.kurtosis(apart) == pytest.approx(0, abs=0.25)
    assert scipy.stats.skew(apart) == pytest.approx(0, abs=0.12)


def test_the_decay_is_even_over_its_range():
    torch.manual_seed(0)
    audio = tone(300, 8192)
    added = (ColoredNoise(snr=(0.0, 0.0), p=1.0)(audio, RATE) - audio).squeeze(1)
    spectrum = torch.fft.rfft(added).abs().square()[:, 16:3900].log10()
    hertz = torch.arange(16, 3900).log10()
    hertz = hertz - hertz.mean()
    decay = -(spectrum @ hertz) / hertz.square().sum()
    assert decay.min().item() == pytest.approx(-2, abs=0.3)
    assert decay.max().item() == pytest.approx(2, abs=0.3)
    assert decay.mean().item() == pytest.approx(0, abs=0.2)


@pytest.mark.parametrize("kind", [ColoredNoise, WhiteNoise])
def test_examples_get_noise_of_their_own(kind):
    added = noise(kind(snr=(0.0, 0.0), p=1.0), 4)
    assert torch.corrcoef(added).fill_diagonal_(0).abs().max() < 0.1
    again = noise(kind(snr=(0.0, 0.0), p=1.0), 5)
    assert not torch.equal(again[0], again[4])


def test_coloured_noise_has_no_offset():
    torch.manual_seed(0)
    audio = torch.ones(4, 1, 61440)  # as long as the transform, so that the mean is the zeroth bin
    added = ColoredNoise(decay=(0.0, 0.0), p=1.0)(audio, RATE) - audio
    assert added.mean(dim=-1).abs().max() < 1e-5


def test_noise_is_as_likely_above_as_below_from_the_first_sample_on():
    first = noise(ColoredNoise(snr=(0.0, 0.0), p=1.0), 500, samples=4096)[:, :8]
    assert first.mean(dim=0).abs().max() < 4 / math.sqrt(500)
    assert first.std(dim=0).numpy() == pytest.approx(1, abs=0.2)


@pytest.mark.parametrize("kind", [ColoredNoise, WhiteNoise])
@pytest.mark.parametrize("rate", [8000, 22050, 48000])
@pytest.mark.parametrize("strength", [0.01, 1.0, 2.5])
def test_silence_gets_no_noise_and_all_else_gets_numbers(kind, rate, strength):
    square = torch.sign(torch.sin(torch.arange(3000) / 7))
    audio = torch.stack([torch.zeros(3000), torch.eye(3000)[1500], square])[:, None]
    for samples in (3000, 17, 2, 1):
        out = kind().effect(audio[..., -samples:].clone(), rate, strength)
        assert out.isfinite().all()
        assert out.abs().max() < 10
        assert not out[0].any()


def test_bounds_that_make_no_sense():
    with pytest.raises(UserError, match=r"WhiteNoise: snr goes from low to high, not \(60.0, 46.0\)"):
        WhiteNoise((60.0, 46.0))
    with pytest.raises(UserError, match="ColoredNoise: decay goes from low to high"):
        ColoredNoise(decay=(2.0, -2.0))
