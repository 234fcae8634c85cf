import math

import numpy as np
import pytest
import scipy.signal
import torch

from semisupcon.augment.chorus import Chorus, read
from semisupcon.errors import UserError

RATE = 22050


def fixed(rate=5.0, depth=0.001, centre=0.01, mix=0.5):
    return Chorus((rate, rate), (depth, depth), (centre, centre), (mix, mix), p=1.0)


def apply(transform, audio, rate=RATE, strength=1.0):
    torch.manual_seed(0)
    return transform.effect(audio.clone(), rate, strength)


def voice_delay(transform, count=1, samples=RATE, rate=RATE, strength=1.0, mix=None):
    """(count, samples) of the delay in seconds: a ramp that is read late is lower by slope times delay."""
    ramp = torch.arange(1, samples + 1).expand(count, 1, -1) / samples
    voice = (apply(transform, ramp, rate, strength) - ramp).squeeze(1).double()
    mix = mix or transform.mix[0]
    delay = (ramp.squeeze(1).double() - voice / mix) * samples / rate
    return delay[:, round(0.05 * rate) :].numpy()  # until then the voice has not begun


def swings(delay, rate=RATE):
    """Centre, depth and rate of each row, by least squares from where a spectrum has its peak."""
    found = []
    for row in delay:
        time = np.arange(len(row)) / rate
        hertz = np.fft.rfftfreq(8 * len(row), 1 / rate)
        guess = hertz[np.abs(np.fft.rfft((row - row.mean()) * np.hanning(len(row)), 8 * len(row))).argmax()]
        fits = []
        for speed in np.linspace(guess - 0.2, guess + 0.2, 41):
            waves = np.stack([np.ones_like(time), np.sin(2 * np.pi * speed * time), np.cos(2 * np.pi * speed * time)])
            parts, rest, *_ = np.linalg.lstsq(waves.T, row, rcond=None)
            fits.append((rest.item(), parts[0], math.hypot(*parts[1:]), speed, math.atan2(parts[2], parts[1])))
        found.append(min(fits)[1:])
    return np.array(found)


def plain(audio, rate, speed, depth, centre, mix, phase):
    """The equation, sample by sample, with Catmull-Rom's polynomial between four samples."""

    def heard(sample):
        return audio[sample] if 0 <= sample < len(audio) else 0.0

    out = np.empty(len(audio))
    for t in range(len(audio)):
        late = rate * (centre + depth * math.sin(2 * math.pi * speed * t / rate + phase))
        at = t - late
        k = math.floor(at)
        f = at - k
        a, b, c, d = heard(k - 1), heard(k), heard(k + 1), heard(k + 2)
        cubic = b + 0.5 * f * (c - a + f * (2 * a - 5 * b + 4 * c - d + f * (3 * (b - c) + d - a)))
        out[t] = audio[t] + mix * cubic
    return out


@pytest.mark.parametrize("rate", [8000, 22050, 48000])
def test_it_is_the_equation_sample_by_sample(rate):
    speed, depth, centre = 7.0, 0.0008, 0.009
    transform = fixed(speed, depth, centre, 0.6)
    row = voice_delay(transform, rate=rate, samples=rate)[0]
    time = (np.arange(len(row)) + round(0.05 * rate)) / rate
    waves = np.stack([np.sin(2 * np.pi * speed * time), np.cos(2 * np.pi * speed * time)])
    parts = np.linalg.lstsq(waves.T, row - centre, rcond=None)[0]
    assert math.hypot(*parts) == pytest.approx(depth, rel=0.01)
    audio = torch.randn(1, 1, rate, generator=torch.Generator().manual_seed(1))
    out = apply(transform, audio, rate)[0, 0, :5000]
    expected = plain(
        audio[0, 0, :5000].double().numpy(), rate, speed, depth, centre, 0.6, math.atan2(parts[1], parts[0])
    )
    np.testing.assert_allclose(out.numpy(), expected, atol=1e-3)  # the phase is measured


def test_the_dry_sound_is_kept_and_the_voice_comes_late():
    clip = torch.zeros(1, 1, RATE)
    clip[..., 100] = 1
    out = apply(fixed(depth=0.0001, centre=0.01), clip)[0, 0]
    assert out[100] == 1
    voice = (out - clip[0, 0]).numpy()
    late = (np.abs(voice) @ np.arange(RATE)) / np.abs(voice).sum() - 100
    assert late / RATE == pytest.approx(0.01, abs=0.00015)
    assert voice.sum() == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize(("speed", "depth"), [(2.5, 0.001), (5.0, 0.0005), (10.0, 0.0002)])
def test_a_tone_swings_in_pitch_at_the_rate_and_by_the_depth(speed, depth):
    hertz = 1000
    tone = torch.sin(2 * math.pi * hertz * torch.arange(3 * RATE).double() / RATE).float()[None, None]
    voice = (apply(fixed(speed, depth), tone) - tone)[0, 0].double().numpy()
    pitch = np.diff(np.unwrap(np.angle(scipy.signal.hilbert(voice)))) * RATE / (2 * np.pi)
    pitch = scipy.signal.sosfiltfilt(scipy.signal.butter(2, 50, fs=RATE, output="sos"), pitch)[RATE // 2 : -RATE // 2]
    [[centre, swing, rate, _]] = swings(pitch[None])
    assert rate == pytest.approx(speed, abs=0.03)
    assert centre == pytest.approx(hertz, rel=1e-3)
    assert swing == pytest.approx(2 * math.pi * speed * depth * hertz, rel=0.03)


def test_rate_depth_and_centre_are_drawn_from_all_of_their_ranges():
    transform = Chorus(mix=(0.5, 0.5), p=1.0)
    found = swings(voice_delay(transform, 100, 6000, 3000), 3000)
    for drawn, (low, high), log in zip(
        found.T, (transform.centre, transform.depth, transform.rate), (False, True, True), strict=False
    ):
        assert low * 0.98 < drawn.min() < low * 1.15
        assert high * 0.88 < drawn.max() < high * 1.02
        middle = math.sqrt(low * high) if log else (low + high) / 2
        assert np.mean(drawn < middle) == pytest.approx(0.5, abs=0.15)
    assert np.abs(np.corrcoef(found.T) - np.eye(4)).max() < 0.3
    assert np.histogram(found[:, 3], bins=4, range=(-np.pi, np.pi))[0] == pytest.approx([25] * 4, abs=13)


@pytest.mark.parametrize(("strength", "low", "high"), [(0.5, 0.15, 0.35), (1.0, 0.3, 0.7), (2.5, 0.75, 1.0)])
def test_strength_scales_the_mix_up_to_one(strength, low, high):
    constant = torch.ones(300, 1, 2000)
    mix = (apply(Chorus(p=1.0), constant, 8000, strength) - 1)[:, 0, 1000:]
    assert (mix - mix[:, :1]).abs().max() < 1e-5
    assert mix.min().item() == pytest.approx(low, abs=0.01)
    assert mix.max().item() == pytest.approx(high, abs=0.01)


@pytest.mark.parametrize(("strength", "depth"), [(0.5, 0.0005), (1.0, 0.001), (2.5, 0.0025), (20.0, 0.01)])
def test_strength_scales_the_depth_up_to_the_centre(strength, depth):
    delay = voice_delay(fixed(), 1, strength=strength, mix=min(1.0, 0.5 * strength))
    assert swings(delay)[0, 1] == pytest.approx(depth, rel=0.01)


@pytest.mark.parametrize("share", [0.01, 0.05, 0.1])
def test_a_tone_is_read_between_samples_within_its_error(share):
    """What is lost falls with the fourth power of the frequency; with straight lines it does with the second."""
    turn = 2 * math.pi * share
    samples = torch.arange(20000).double()
    tone, quarter = torch.sin(turn * samples), torch.cos(turn * samples)
    transform = fixed(5.0, 0.001, 0.01, 1.0)
    voice = (apply(transform, tone.float()[None, None]).double() - tone)[0, 0, 2000:]
    other = (apply(transform, quarter.float()[None, None]).double() - quarter)[0, 0, 2000:]
    # sin^2 + cos^2 of the delayed phase is 1 where nothing is lost or added.
    error = (voice.square() + other.square() - 1).square().mean().sqrt().item()
    assert error < 60 * share**4 + 1e-6


def test_examples_have_voices_of_their_own_and_do_not_hear_each_other():
    alone = torch.zeros(4, 1, 9000)
    alone[2] = torch.randn(9000, generator=torch.Generator().manual_seed(1))
    together = torch.randn(4, 1, 9000, generator=torch.Generator().manual_seed(2))
    together[2] = alone[2]
    some, every = apply(Chorus(), alone), apply(Chorus(), together)
    assert torch.equal(some[2], every[2])
    assert not some[[0, 1, 3]].any()
    same = apply(Chorus(), alone[2:3].expand(4, 1, -1)).squeeze(1)
    assert len(same.unique(dim=0)) == 4


@pytest.mark.parametrize("rate", [8000, 22050, 48000])
@pytest.mark.parametrize("strength", [0.01, 1.0, 2.5])
def test_anything_comes_out_as_numbers_and_silence_as_silence(rate, strength):
    square = torch.sign(torch.sin(torch.arange(3000) / 7))
    audio = torch.stack([torch.zeros(3000), torch.eye(3000)[1500], square])[:, None]
    for samples in (3000, 257, 256, 2, 1):
        for transform in (Chorus(), fixed(200.0, 0.1, 1e-6, 1.0), fixed(0.01, 1.0, 1.0, 1.0)):
            out = apply(transform, audio[..., -samples:], rate, strength)
            assert out.shape == (3, 1, samples)
            assert out.isfinite().all()
            assert out.abs().max() <= 2.26  # cubics overshoot by up to a quarter
            assert not out[0].any()


@pytest.mark.parametrize("late", [0.0, 1.0, 99.25, 100.0])
@pytest.mark.parametrize("length", [500, 512])
def test_delays_from_none_to_the_longest_are_read(late, length):
    line = torch.arange(1.0, 501).repeat(2, 1)
    line[1] *= -1
    out = read(line, torch.full((2, length), late), 100)[:, :500]
    torch.testing.assert_close(out[:, 102:-1], (line - late * line[:, :1])[:, 102:-1], atol=1e-3, rtol=0)
    assert not out[:, : max(0, int(late) - 1)].any()  # the cubic reaches one sample further
    if late == int(late):
        assert torch.equal(out, torch.nn.functional.pad(line, (int(late), 0))[:, :500])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"rate": (0.0, 5.0)}, "rate in Hz, depth and centre in s go from a low to a high one above 0"),
        ({"rate": (5.0, 2.0)}, "rate"),
        ({"depth": (0.0, 0.001)}, "depth"),
        ({"centre": (0.0, 0.001)}, "centre"),
        ({"mix": (0.5, 1.1)}, "mix goes from low to high within 0 to 1"),
    ],
)
def test_bounds_that_make_no_sense(arguments, message):
    with pytest.raises(UserError, match=message):
        Chorus(**arguments)


def test_late_in_a_long_clip_it_still_swings_smoothly():
    """After ten thousand periods float32 would have lost the phase by some thousandths, other ones in each block."""
    samples, rate, speed, depth = 1 << 20, 8000, 77.7, 0.001
    torch.manual_seed(0)
    delay = fixed(speed, depth, 0.01)._delay(1, samples, rate, 1.0, torch.device("cpu"))[0, -1000:].double() / rate
    phase = 2 * math.pi * speed * torch.arange(1000).double() / rate
    waves = torch.stack([phase.sin(), phase.cos(), torch.ones(1000)], 1)
    fit = waves @ torch.linalg.lstsq(waves, delay[:, None]).solution
    assert (delay - fit[:, 0]).abs().max() < 2e-4 * depth
