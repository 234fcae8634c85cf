import math

import numpy as np
import pytest
import scipy.signal
import torch

from semisupcon.augment import ColoredNoise


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
@pytest.mark.parametrize("decay", [-2.0, 0.0, 2.0])
def test_signal_to_noise_ratio_is_exact_for_each_example(snr, decay):
    measured = ratio(ColoredNoise((snr, snr), (decay, decay), p=1.0), 16)
    assert (measured - snr).abs().max() < 0.05


@pytest.mark.parametrize("strength", [0.5, 1.0, 2.5])
def test_strength_scales_the_amplitude_of_the_noise(strength):
    measured = ratio(ColoredNoise(p=1.0), 1000, strength, samples=3000)
    shift = -20 * math.log10(strength)
    assert measured.min().item() == pytest.approx(3 + shift, abs=0.5)
    assert measured.max().item() == pytest.approx(30 + shift, abs=0.5)
    assert measured.mean().item() == pytest.approx(16.5 + shift, abs=1)


@pytest.mark.parametrize("decay", [-2.0, -1.0, 0.0, 1.0, 2.0])
@pytest.mark.parametrize("rate", [8000, 22050])
def test_power_falls_as_frequency_to_the_decay(decay, rate):
    torch.manual_seed(0)
    audio = tone(8, 59049)
    noise = ColoredNoise(decay=(decay, decay), p=1.0)(audio, rate) - audio
    hertz, power = scipy.signal.welch(
        noise[:, 0].numpy() / noise[:, 0].std(dim=1, keepdim=True).numpy(), rate, nperseg=4096
    )
    heard = (hertz > 60) & (hertz < 0.45 * rate)
    slope, _ = np.polyfit(np.log10(hertz[heard]), 10 * np.log10(power.mean(axis=0)[heard]), 1)
    assert slope == pytest.approx(-10 * decay, abs=0.4)  # dB a decade


def test_the_decay_is_even_over_its_range():
    torch.manual_seed(0)
    audio = tone(300, 8192)
    noise = (ColoredNoise(snr=(0.0, 0.0), p=1.0)(audio, 22050) - audio).squeeze(1)
    spectrum = torch.fft.rfft(noise).abs().square()[:, 16:3900].log10()
    hertz = torch.arange(16, 3900).log10()
    hertz = hertz - hertz.mean()
    decay = -(spectrum @ hertz) / hertz.square().sum()
    assert decay.min().item() == pytest.approx(-2, abs=0.3)
    assert decay.max().item() == pytest.approx(2, abs=0.3)
    assert decay.mean().item() == pytest.approx(0, abs=0.2)


def test_noise_has_no_offset_and_differs_between_examples():
    torch.manual_seed(0)
    audio = torch.ones(4, 1, 61440)  # as long as the transform, so that the mean is the zeroth bin
    noise = (ColoredNoise(decay=(0.0, 0.0), p=1.0)(audio, 22050) - audio).squeeze(1)
    assert noise.mean(dim=1).abs().max() < 1e-5
    assert torch.corrcoef(noise).fill_diagonal_(0).abs().max() < 0.02


def test_silence_gets_no_noise():
    assert not ColoredNoise(p=1.0)(torch.zeros(4, 1, 4000), 22050).any()
