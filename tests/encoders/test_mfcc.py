import math

import pytest
import torch

from semisupcon.encoders import MFCC


def tone(hertz, rate=22050, seconds=1.0):
    return torch.sin(2 * math.pi * hertz * torch.arange(int(rate * seconds)) / rate)[None, None]


def test_dim_is_means_then_deviations_and_nothing_is_learned():
    encoder = MFCC(n_mfcc=13)
    assert encoder.dim == 26
    assert not list(encoder.parameters())
    noise = torch.randn(1, 1, 22050, generator=torch.Generator().manual_seed(0))
    steady, gated = encoder(noise), encoder(torch.cat([noise, 0.01 * noise], dim=-1))
    assert steady.shape == (1, 26)
    # Coefficient 0 is the sum of 64 bands over 8: a step of 40 dB moves it by 160 each way of its mean.
    assert gated[0, 13] == pytest.approx(160, rel=0.02)
    assert steady[0, 13] < 10


def test_against_the_definition_by_hand():
    """Mean and deviation of the cosine transform of the mel bands in dB (Davis & Mermelstein 1980)."""
    audio = torch.randn(1, 1, 8192, generator=torch.Generator().manual_seed(0))
    encoder = MFCC(n_mfcc=5, n_mels=32)
    spectrum = torch.stft(audio[0], 2048, 512, window=torch.hann_window(2048), return_complex=True).abs() ** 2
    mel = encoder.coefficients.MelSpectrogram.mel_scale.fb.T @ spectrum[0]
    level = 10 * torch.log10(mel)
    band, order = torch.arange(32), torch.arange(5)[:, None]
    cosine = torch.cos(math.pi / 32 * (band + 0.5) * order) * math.sqrt(2 / 32)
    cosine[0] /= math.sqrt(2)
    by_hand = cosine @ level
    expected = torch.cat([by_hand.mean(dim=1), by_hand.std(dim=1, correction=0)])
    torch.testing.assert_close(encoder(audio)[0], expected, rtol=1e-3, atol=1e-2)


@pytest.mark.parametrize("rate", [8000, 48000])
def test_silence_impulse_and_one_frame_are_finite(rate):
    encoder = MFCC(rate)
    audio = torch.zeros(2, 1, encoder.receptive_field)
    audio[1, 0, 100] = 1
    assert encoder(audio).isfinite().all()


def test_a_quiet_clip_is_not_clamped_by_a_loud_one_beside_it():
    encoder = MFCC()
    quiet = tone(440) * 1e-4
    torch.testing.assert_close(encoder(torch.cat([quiet, 1e3 * tone(440)]))[:1], encoder(quiet), rtol=1e-4, atol=1e-2)


def test_the_pitch_of_a_tone_and_its_loudness_show():
    encoder = MFCC()
    low, high, loud = encoder(tone(200)), encoder(tone(3000)), encoder(tone(200) * 0.1)
    assert (low - high)[:, 1:20].norm() > 10 * (low - loud)[:, 1:20].norm()  # loudness is in coefficient 0
    assert (low - loud)[0, 0] == pytest.approx(20 * math.sqrt(64), rel=0.02)  # 20 dB in each of 64 bands
