import math

import pytest
import torch
import torchaudio

from semisupcon.augment.stretch import TimeStretch
from semisupcon.errors import UserError

RATE = 22050
SAMPLES = 44100
RATES = [0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.3]


def tone(hertz, samples=SAMPLES, rate=RATE):
    return torch.sin(2 * math.pi * hertz * torch.arange(samples, dtype=torch.float64) / rate).float()


def stretched(audio, rate, sample_rate=RATE):
    return TimeStretch((rate, rate), p=1.0)(audio[None, None], sample_rate)[0, 0]


def peak(sound, rate=RATE):
    """The frequency of the highest peak, by a parabola through its logarithm."""
    level = (
        torch.fft.rfft(sound.double() * torch.hann_window(len(sound), dtype=torch.float64), 8 * len(sound)).abs().log()
    )
    k = int(level.argmax())
    a, b, c = level[k - 1 : k + 2].tolist()
    return (k + (a - c) / (a - 2 * b + c) / 2) * rate / (8 * len(sound))


def heard(sound):
    """The part of a sound before the zeros at its end, without its edges."""
    return sound[2000 : int(sound.nonzero()[-1]) - 2000]


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("hertz", [110.0, 440.0, 4000.0])
def test_a_tone_keeps_its_pitch_and_its_level(rate, hertz):
    middle = heard(stretched(tone(hertz), rate))
    assert abs(1200 * math.log2(peak(middle) / hertz)) < 1
    assert 20 * math.log10(middle.double().square().mean().sqrt() * math.sqrt(2)) == pytest.approx(0, abs=0.2)


def clicks(every=4410, samples=SAMPLES):
    clip = torch.zeros(samples)
    clip[every::every] = 1
    return clip


def centres(sound, places):
    """Where in samples the energy is centred within 20 ms of each of the places."""
    half = int(0.02 * RATE)
    found = []
    for place in places:
        energy = sound[round(place) - half : round(place) + half + 1].double().square()
        found.append(round(place) + float((energy * torch.arange(-half, half + 1)).sum() / energy.sum()))
    return torch.tensor(found)


@pytest.mark.parametrize("rate", RATES)
def test_clicks_come_after_their_time_over_the_rate(rate):
    places = [4410 * k / rate for k in range(1, 10) if 4410 * k / rate < SAMPLES - 2000]
    sound = stretched(clicks(), rate)
    found = centres(sound, places)
    spacing = (found[-1] - found[0]) / (len(found) - 1)
    assert 4410 / spacing == pytest.approx(rate, rel=0.01)
    assert (found - torch.tensor(places)).abs().max() < 0.0125 * RATE
    half = int(0.0125 * RATE)
    near = sum(sound[round(place) - half : round(place) + half + 1].double().square().sum() for place in places)
    until = round(places[-1]) + 2000
    assert near / sound[:until].double().square().sum() > 0.95


def test_faster_leaves_zeros_and_slower_cuts_the_end_off():
    fast = stretched(tone(440), 1.25)
    assert fast[: int(SAMPLES / 1.25) - 100].abs().max() > 0.9
    assert (fast[int(SAMPLES / 1.25) + 1024 :] == 0).all()
    slow = stretched(tone(440), 0.8)
    assert slow[-1000:].abs().max() > 0.9


def test_a_rate_of_one_gives_the_audio_back():
    torch.manual_seed(0)
    audio = torch.randn(10000)
    torch.testing.assert_close(stretched(audio, 1.0), audio, atol=1e-4, rtol=0)


@pytest.mark.parametrize("rate", [0.75, 1.3])
def test_it_agrees_with_the_phase_vocoder_of_torchaudio(rate):
    audio = (tone(330) + tone(1500)) / 2
    window = torch.hann_window(1024)
    theirs = torchaudio.functional.phase_vocoder(
        torch.stft(audio, 1024, 256, window=window, return_complex=True),
        rate,
        torch.linspace(0, math.pi * 256, 513)[:, None],
    )
    theirs = heard(torch.istft(theirs, 1024, 256, window=window)[:SAMPLES])
    ours = heard(stretched(audio, rate))[: len(theirs)]
    theirs = theirs[: len(ours)]
    for low, high in ((200, 500), (1200, 1800)):
        found = [peak(band(sound, low, high)) for sound in (ours, theirs)]
        assert abs(1200 * math.log2(found[0] / found[1])) < 3


def band(sound, low, high):
    spectrum = torch.fft.rfft(sound)
    hertz = torch.fft.rfftfreq(len(sound), 1 / RATE)
    return torch.fft.irfft(spectrum * ((hertz > low) & (hertz < high)), n=len(sound))


def rates(transform, strength, count=60):
    """(count,) measured by two clicks, 0.1 and 0.5 s after the start."""
    torch.manual_seed(0)
    audio = torch.zeros(count, 1, 3 * RATE)
    audio[..., [2205, 11025]] = 1
    sound = transform.effect(audio, RATE, strength).squeeze(1).abs()
    loud = sound > 0.05 * sound.amax(1, keepdim=True)
    last = loud.shape[1] - 1 - loud.flip(1).long().argmax(1)
    return 8820 / (last - loud.long().argmax(1))


@pytest.mark.parametrize("strength", [0.5, 1.0, 2.0])
def test_rates_fill_their_range_and_strength_scales_how_far_they_are_from_one(strength):
    rate = 1 + (rates(TimeStretch(), strength) - 1) / strength
    assert rate.min() == pytest.approx(0.7, abs=0.05)
    assert rate.max() == pytest.approx(1.3, abs=0.05)
    assert rate.mean() == pytest.approx(1.0, abs=0.08)
    assert len(rate.unique()) > 40


def test_rates_have_bounds_however_strong():
    torch.manual_seed(0)
    sound = TimeStretch((0.5, 3.0)).effect(tone(300, 20000).repeat(20, 1, 1), RATE, 2.5).squeeze(1)
    last = torch.stack([row.nonzero()[-1, 0] for row in sound])
    assert last.min() / RATE == pytest.approx(20000 / RATE / 4, abs=0.03)


def test_each_example_has_a_rate_of_its_own_and_an_effect_of_its_own():
    torch.manual_seed(0)
    audio = torch.randn(3, 1, 6000)
    given = torch.tensor([[0.7], [1.05], [1.3]])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("semisupcon.augment.stretch.uniform", lambda *_: given)
        together = TimeStretch().effect(audio.clone(), RATE, 1.0)
    for row, rate, sound in zip(audio, given, together, strict=True):
        torch.testing.assert_close(stretched(row[0], float(rate)), sound[0], atol=1e-5, rtol=0)


@pytest.mark.parametrize("rate", [8000, 16000, 44100, 48000])
def test_at_any_sample_rate(rate):
    sound = heard(stretched(tone(440, 2 * rate, rate), 1.2, rate))
    assert abs(1200 * math.log2(peak(sound, rate) / 440)) < 1
    assert (len(sound) + 4000) / rate == pytest.approx(2 / 1.2, abs=0.05)


@pytest.mark.parametrize("samples", [1, 2, 100, 1023, 5000])
@pytest.mark.parametrize("rate", [8000, 48000])
def test_of_any_length_the_length_stays_and_every_number_is_finite(samples, rate):
    torch.manual_seed(0)
    impulse = torch.zeros(samples)
    impulse[-1] = 1
    square = torch.where(torch.arange(samples) // 20 % 2 == 0, 1.0, -1.0)
    audio = torch.stack([torch.zeros(samples), impulse, square])[:, None]
    for strength in (0.1, 1.0, 2.5):
        out = TimeStretch((0.5, 2.0), p=1.0)(audio, rate, strength)
        assert out.shape == audio.shape
        assert out.isfinite().all()
        assert (out[0] == 0).all()
        assert out.abs().max() < 4


@pytest.mark.parametrize("rate", [(1.3, 0.7), (0.0, 1.0), (1.0, 5.0)])
def test_bounds_that_make_no_sense_are_refused(rate):
    with pytest.raises(UserError, match="rate"):
        TimeStretch(rate)


def test_it_says_what_it_alters():
    assert TimeStretch.alters == ("tempo", "time")
