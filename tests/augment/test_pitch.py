import math
from fractions import Fraction

import numpy as np
import pytest
import torch
import torch_pitch_shift  # the effect behind torch_audiomentations.PitchShift

from semisupcon.augment import vocoder
from semisupcon.augment.pitch import PitchShift
from semisupcon.errors import UserError

RATE = 22050
SAMPLES = 32768
STEPS = torch.arange(-7.0, 8.0)


def tone(hertz, samples=SAMPLES, rate=RATE):
    return torch.sin(2 * math.pi * hertz * torch.arange(samples, dtype=torch.float64) / rate + 1).float()


def shifted(audio, semitones, rate=RATE):
    """(T,) or (n, T) -> (n, T), each row by semitones of its own."""
    drawn = torch.as_tensor(semitones)[:, None]
    transform = PitchShift((float(drawn.min()), float(drawn.max())))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("semisupcon.augment.pitch.uniform", lambda *_: drawn)
        return transform.effect(audio.expand(len(drawn), -1)[:, None].clone(), rate, 1.0).squeeze(1)


def spectrum(sound, rate=RATE):
    """Hz and magnitudes of the middle of a sound, 16 times finer than its length."""
    middle = sound[len(sound) // 8 : -len(sound) // 8].double().numpy()
    magnitude = np.abs(np.fft.rfft(middle * np.blackman(len(middle)), 16 * len(middle)))
    return np.fft.rfftfreq(16 * len(middle), 1 / rate), magnitude


def peak(sound, near, rate=RATE):
    """The frequency of the highest peak within a tenth of ``near``, by a parabola through its logarithm."""
    hertz, magnitude = spectrum(sound, rate)
    level = np.log(np.where(np.abs(hertz / near - 1) < 0.1, magnitude, 0) + 1e-12)
    k = level.argmax()
    a, b, c = level[k - 1 : k + 2]
    return hertz[k] + (a - c) / (a - 2 * b + c) / 2 * hertz[1]


def cents(found, expected):
    return 1200 * math.log2(found / expected)


def ratio(semitones):
    return 2 ** (float(semitones) / 12)


def envelope(sound):
    """The amplitude of a tone, without what is near either end."""
    analytic = torch.fft.fft(sound.double())
    analytic[len(sound) // 2 :] = 0
    return (2 * torch.fft.ifft(analytic).abs())[4000:-4000]


def click(samples=SAMPLES):
    clip = torch.zeros(samples)
    clip[samples // 2] = 1
    return clip


@pytest.mark.parametrize("hertz", [110.0, 220.5, 440.0, 987.8, 2000.0, 4000.0])
def test_pitch_is_within_5_cents_and_a_tone_keeps_its_level(hertz):
    for step, sound in zip(STEPS, shifted(tone(hertz), STEPS), strict=True):
        expected = hertz * ratio(step)
        assert abs(cents(peak(sound, expected), expected)) < 1
        level = 20 * envelope(sound).log10()
        assert level.abs().max() < 0.5  # dB: neither louder nor softer, nor fluttering


def test_every_note_of_a_chord_and_its_overtones_are_where_they_should_be():
    partials = [note * k for note in (261.6, 329.6, 392.0) for k in (1, 2, 3)]
    for step, sound in zip(STEPS, shifted(sum(map(tone, partials)) / 9, STEPS), strict=True):
        for hertz in partials:
            if min(abs(hertz - other) for other in partials if other != hertz) > 60:  # heard as a tone of its own
                assert abs(cents(peak(sound, hertz * ratio(step)), hertz * ratio(step))) < 5


def test_semitones_between_whole_ones():
    steps = torch.tensor([-3.37, 0.05, 1.61])
    for step, sound in zip(steps, shifted(tone(700), steps), strict=True):
        assert abs(cents(peak(sound, 700 * ratio(step)), 700 * ratio(step))) < 1


def test_what_would_lie_above_half_the_sample_rate_is_silent_and_mirror_images_are_faint():
    steps = torch.tensor([4.0, 7.0, 12.0])
    for sound in shifted(tone(10500), steps):
        assert sound[4000:-4000].square().mean().sqrt() < 0.01 * math.sqrt(0.5)
    for hertz in (2000.0, 5000.0, 8000.0):
        for step, sound in zip(STEPS, shifted(tone(hertz), STEPS), strict=True):
            if hertz * ratio(step) < 10500:
                at, magnitude = spectrum(sound)
                others = magnitude[np.abs(at - hertz * ratio(step)) > 30]
                assert others.max() < 0.01 * magnitude.max()


def test_a_click_keeps_its_place_and_its_sharpness():
    energy = shifted(click(), STEPS).double().square()
    half = int(0.0125 * RATE)
    near = energy[:, SAMPLES // 2 - half : SAMPLES // 2 + half + 1].sum(1)
    assert (near / energy.sum(1)).min() > 0.95


def test_a_sound_begins_when_it_did():
    late = tone(440) * (torch.arange(SAMPLES) >= SAMPLES // 2)
    for sound in shifted(late, STEPS):
        begins = (sound.abs() > 0.3).nonzero()[0]
        assert abs(begins - SAMPLES // 2) < 0.0125 * RATE


@pytest.mark.parametrize(("low", "octaves"), [(100, 3), (300, 3), (1000, 2)])
def test_gliding_tones_do_not_break_up(low, octaves):
    glide = low * 2 ** (octaves * torch.arange(SAMPLES, dtype=torch.float64) / SAMPLES)
    for sound in shifted(torch.sin(2 * torch.pi * torch.cumsum(glide, 0) / RATE).float(), STEPS):
        level = 20 * envelope(sound).log10()
        assert level.min() > -1.5
        assert level.max() < 1


def test_no_semitones_give_the_audio_back():
    torch.manual_seed(0)
    audio = torch.randn(3, 1, 20000) * 0.3
    out = PitchShift((0.0, 0.0), p=1.0)(audio, RATE)
    torch.testing.assert_close(out, audio, atol=1e-4, rtol=0)


@pytest.mark.parametrize("fraction", [Fraction(3, 4), Fraction(5, 4)])
def test_it_agrees_with_torch_pitch_shift(fraction):
    audio = (tone(300) + tone(1100)) / 2
    theirs = torch_pitch_shift.pitch_shift(audio[None, None], fraction, RATE)[0, 0]
    ours = shifted(audio, [12 * math.log2(fraction)])[0]
    for hertz in (300, 1100):
        assert abs(cents(peak(ours, hertz * fraction), peak(theirs, hertz * fraction))) < 5


def test_a_click_is_kept_beside_tones_and_the_tones_beside_a_click():
    tones = (tone(330) + tone(1245)) / 10
    for step, sound in zip(STEPS, shifted(tones + click() + torch.roll(click(), 6000), STEPS), strict=True):
        assert abs(cents(peak(sound, 330 * ratio(step)), 330 * ratio(step))) < 5
        upper = torch.fft.rfft(sound.double())
        upper[: round(2600 / RATE * SAMPLES)] = 0  # above both tones, where the clicks are alone
        energy = torch.fft.irfft(upper, n=SAMPLES)[3000:-3000].square()
        for place in (SAMPLES // 2 - 3000, SAMPLES // 2 + 3000):
            around = energy[place - 2500 : place + 2500].sum()
            assert energy[place - int(0.0125 * RATE) : place + int(0.0125 * RATE) + 1].sum() > 0.95 * around


def test_each_example_is_shifted_by_semitones_of_its_own_whatever_it_is_beside():
    torch.manual_seed(0)
    audio = torch.randn(4, 5000)
    steps = torch.tensor([-7.0, 0.5, 3.0, 11.0])
    for row, step, sound in zip(audio, steps, shifted(audio, steps), strict=True):
        torch.testing.assert_close(shifted(row, [step])[0], sound, atol=1e-5, rtol=0)


def test_semitones_fill_their_range_and_strength_scales_them():
    for strength in (0.5, 1.0, 2.0):
        torch.manual_seed(0)
        sounds = PitchShift(p=1.0).effect(tone(500, 8192).expand(40, 1, -1).clone(), RATE, strength).squeeze(1)
        found = torch.tensor([cents(at(sound), 500) / 100 for sound in sounds]) / strength
        assert found.abs().max() < 4.1
        assert found.min() < -3.4
        assert found.max() > 3.4
        assert len(found.round(decimals=2).unique()) > 30
    [sound] = PitchShift((20.0, 20.0), p=1.0).effect(tone(500).clone()[None, None], RATE, 2.5).squeeze(1)
    assert abs(cents(at(sound), 2000)) < 1  # two octaves and no further


def at(sound):
    hertz, magnitude = spectrum(sound)
    return hertz[magnitude.argmax()]


@pytest.mark.parametrize("rate", [8000, 16000, 22050, 44100, 48000])
def test_at_any_sample_rate(rate):
    samples = int(1.2 * rate)
    for step, sound in zip([-7, 7], shifted(tone(440, samples, rate), [-7.0, 7.0], rate), strict=True):
        assert abs(cents(peak(sound, 440 * ratio(step), rate), 440 * ratio(step))) < 2
    energy = shifted(click(samples), [-7.0, 7.0], rate).double().square()
    near = energy[:, samples // 2 - int(0.0125 * rate) : samples // 2 + int(0.0125 * rate) + 1].sum(1)
    assert (near / energy.sum(1)).min() > 0.95


@pytest.mark.parametrize("samples", [1, 2, 3, 100, 1023, 4097])
@pytest.mark.parametrize("rate", [8000, 48000])
def test_of_any_length_the_length_stays_and_every_number_is_finite(samples, rate):
    torch.manual_seed(0)
    impulse = torch.zeros(samples)
    impulse[0] = 1
    square = torch.where(torch.arange(samples) // 20 % 2 == 0, 1.0, -1.0)
    audio = torch.stack([torch.zeros(samples), impulse, square, 1e-7 * square])[:, None]
    for strength in (0.1, 1.0, 2.5):
        out = PitchShift((-12.0, 12.0), p=1.0)(audio, rate, strength)
        assert out.shape == audio.shape
        assert out.isfinite().all()
        assert (out[0] == 0).all()
        assert out.abs().max() < 4


def test_what_comes_after_silence_is_heard():
    audio = torch.cat([torch.zeros(SAMPLES // 2), 1e-4 * tone(440)[SAMPLES // 2 :]])
    for sound in shifted(audio, [-4.0, 4.0]):
        assert sound[-8000:-4000].abs().max() == pytest.approx(1e-4, rel=0.1)


@pytest.mark.parametrize("semitones", [(4.0, -4.0), (-25.0, 0.0), (0.0, 30.0)])
def test_bounds_that_make_no_sense_are_refused(semitones):
    with pytest.raises(UserError, match="semitones"):
        PitchShift(semitones)


def test_it_says_what_it_alters():
    assert PitchShift.alters == ("pitch", "key")


@pytest.mark.parametrize("frames", [1, 5, 16, 1000])
def test_how_many_frames_are_taken_at_a_time_makes_no_difference(frames, monkeypatch):
    audio, outs = torch.randn(3, 1, 20000, generator=torch.Generator().manual_seed(0)) * 0.1, []
    for many in (vocoder.ON_CPU, frames):
        monkeypatch.setattr(vocoder, "ON_CPU", many)
        torch.manual_seed(0)
        outs.append(PitchShift().effect(audio.clone(), 22050, 1.0))
    torch.testing.assert_close(*outs, rtol=0, atol=1e-4)


def test_a_gpu_takes_more_at_a_time():
    host, device = (vocoder.at_once(59049, 256, torch.device(kind)) for kind in ("cpu", "cuda"))
    assert device >= 2 * host
