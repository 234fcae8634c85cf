"""The real codec: what it keeps, what it takes, and where it runs."""

import numpy as np
import pytest
import torch
from scipy import signal

from semisupcon.augment import Chain, Gain, Mp3
from semisupcon.augment.mp3 import RATES
from semisupcon.errors import UserError

RATE = 22050


def music(rate=RATE, samples=30000, count=1):
    """Decaying tones, and noise all the way up."""
    when = torch.arange(samples) / rate
    tones = sum(torch.sin(2 * torch.pi * f * when) * torch.exp(-3 * when) for f in (220, 554, 1320))
    noise = torch.randn(count, 1, samples, generator=torch.Generator().manual_seed(0))
    return 0.2 * tones + 0.02 * noise


def coded(audio, quality=9.0, rate=RATE, strength=1.0):
    torch.manual_seed(0)
    return Mp3((quality, quality), p=1.0)(audio, rate, strength)


@pytest.mark.parametrize("rate", [*RATES, 10000, 20000, 96000])
def test_sound_comes_back_in_its_place_and_length(rate):
    audio = music(rate)
    out = coded(audio, rate=rate)
    assert out.shape == audio.shape
    assert out.dtype == torch.float32
    before, after = audio.flatten().numpy(), out.flatten().numpy()
    lag = np.argmax(signal.correlate(after, before)) - (len(before) - 1)
    assert lag == 0
    error = np.square(after - before).mean() / np.square(before).mean()
    assert 1e-6 < error < 0.1  # it loses something, and not the music


def test_less_quality_loses_more_and_strength_is_less_quality():
    audio = music()
    losses = [(coded(audio, quality) - audio).square().mean().item() for quality in (0.0, 4.0, 7.0, 9.0)]
    assert losses == sorted(losses)
    assert losses[3] > 2 * losses[0]
    assert torch.equal(coded(audio, 3.0, strength=2.0), coded(audio, 6.0))
    assert torch.equal(coded(audio, 8.0, strength=2.5), coded(audio, 9.0))


def test_what_is_louder_than_full_scale_is_not_clipped():
    torch.testing.assert_close(coded(10 * music()), 10 * coded(10 * music() / (10 * music()).abs().max()) * (
        music().abs().max()), rtol=1e-4, atol=1e-4)  # fmt: skip


@pytest.mark.parametrize("samples", [1, 2, 100, 1151, 1152, 5000])
def test_short_clips(samples):
    for audio in (torch.zeros(2, 1, samples), torch.ones(2, 1, samples), music(samples=samples)):
        out = coded(audio)
        assert out.shape == audio.shape
        assert out.isfinite().all()


def test_silence_stays_silent():
    assert not coded(torch.zeros(1, 1, 5000)).any()


def test_quality_has_bounds():
    with pytest.raises(UserError, match=r"Mp3: quality goes from 0 \(best\) to 9 \(worst\)"):
        Mp3((7.0, 10.0))


def test_what_cannot_run_on_a_gpu_is_split_off_the_head_of_a_chain():
    head, rest = Chain(["mp3", "gain", "mp3", "delay"], severity=3, p=0.7).split()
    assert [type(item).__name__ for item in head] == ["Mp3"]
    assert [type(item).__name__ for item in rest] == ["Gain", "Mp3", "Delay"]
    assert (head.severity, head.p, rest.severity, rest.p) == (3, 0.7, 3, 0.7)


def test_the_parts_are_the_whole():
    """Given the same examples to go through, and where nothing else is drawn."""
    chain = Chain([Mp3((5.0, 5.0), p=1.0), Gain((-6.0, -6.0), p=1.0)], p=0.5)
    audio = music(count=20, samples=4000)
    torch.manual_seed(3)
    whole = chain(audio, RATE)
    head, rest = chain.split()
    torch.manual_seed(3)
    among = chain.among(20)
    torch.testing.assert_close(rest(head(audio, RATE, among), RATE, among), whole)
    assert 4 < among.sum() < 16
    assert torch.equal(whole[~among], audio[~among])


@pytest.mark.parametrize(
    ("aug_list", "about", "said"),
    [
        (["pitch_shift"], "pitch", "PitchShift changes the pitch"),
        (["pitch_shift"], "key", "PitchShift changes the key"),
        (["timestretch"], "tempo", "TimeStretch changes the tempo"),
        (["semisupcon"], "pitch", "PitchShift changes the pitch"),
        (["pitch_shift", "timestretch"], "", None),
        (["gain", "timestretch"], "pitch", None),
        (["gain", "mp3"], "", "Mp3 has no GPU version"),
        (["mp3", "gain"], "", None),
    ],
)
def test_what_is_doubtful_is_said(aug_list, about, said):
    objections = Chain(aug_list).objections({about} - {""})
    assert len(objections) == (said is not None)
    assert said is None or objections[0].startswith(said)
    assert not Chain(aug_list, severity=0).objections({about})
