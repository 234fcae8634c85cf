import math

import numpy as np
import pytest
import scipy.signal
import torch

from semisupcon.augment import BandPass, BandStop, Filtering, HighPass, LowPass
from semisupcon.augment.base import replace_
from semisupcon.errors import UserError

SAMPLES = 32768


def response(transform, rate, strength=1.0, count=1):
    """Hz and (count, F) dB, measured with an impulse in the middle of the clip."""
    torch.manual_seed(0)
    impulse = torch.zeros(count, 1, SAMPLES)
    impulse[..., SAMPLES // 2] = 1
    replace_(transform, impulse, torch.ones(count, dtype=torch.bool), rate, strength)
    magnitude = np.abs(np.fft.rfft(impulse.squeeze(1).double().numpy()))
    return np.fft.rfftfreq(SAMPLES, 1 / rate), 20 * np.log10(magnitude + 1e-9)


def low_pass(low, high):
    return LowPass((high, high))


def high_pass(low, high):
    return HighPass((low, low))


def band_pass(low, high):
    return BandPass(((low + high) / 2,) * 2, (2 * (high - low) / (high + low),) * 2)


def band_stop(low, high):
    return BandStop(((low + high) / 2,) * 2, (2 * (high - low) / (high + low),) * 2)


KINDS = [(low_pass, "lowpass"), (high_pass, "highpass"), (band_pass, "bandpass"), (band_stop, "bandstop")]


@pytest.mark.parametrize(("make", "kind"), KINDS)
@pytest.mark.parametrize(
    ("rate", "low", "high"),
    [
        (8000, 300, 3500),
        (11025, 500, 1000),
        (16000, 60, 2000),
        (22050, 400, 2500),
        (44100, 200, 9000),
        (48000, 800, 5000),
    ],
)
def test_magnitude_is_that_of_the_butterworth_filter(make, kind, rate, low, high):
    edges = {"lowpass": high, "highpass": low}.get(kind, (low, high))
    hertz, measured = response(make(low, high), rate)
    oracle = scipy.signal.butter(4, edges, kind, fs=rate, output="sos")
    expected = 20 * np.log10(np.abs(scipy.signal.sosfreqz(oracle, hertz, fs=rate)[1]) + 1e-9)
    heard = expected > -40
    assert heard.sum() > 200
    assert np.abs(measured - expected[None])[:, heard].max() < 0.1
    assert measured[:, ~heard].max() < -39


@pytest.mark.parametrize(("make", "kind"), KINDS)
@pytest.mark.parametrize("rate", [8000, 16000, 22050, 48000])
@pytest.mark.parametrize(("low", "high"), [(400, 2500), (1000, 3000)])
def test_minus_three_decibels_at_the_cutoff(make, kind, rate, low, high):
    hertz, measured = response(make(low, high), rate)
    crossings = hertz[:-1][np.diff(measured[0] > 20 * np.log10(math.sqrt(0.5))) != 0]
    edges = {"lowpass": [high], "highpass": [low]}.get(kind, [low, high])
    assert crossings == pytest.approx(edges, rel=0.02)


@pytest.mark.parametrize("rate", [22050, 48000])
@pytest.mark.parametrize(
    ("make", "low", "high", "loud", "soft"),
    [
        (low_pass, 0, 400, 800, 1600),
        (high_pass, 1600, 0, 800, 400),
        (band_pass, 25, 400, 800, 1600),
        (band_pass, 100, 1600, 50, 25),
    ],
)
def test_twenty_four_decibels_an_octave(make, low, high, loud, soft, rate):
    hertz, measured = response(make(low, high), rate)
    falls = np.interp(loud, hertz, measured[0]) - np.interp(soft, hertz, measured[0])
    assert falls == pytest.approx(24, abs=1.1)  # steeper by the bilinear transform, and where an edge is not far


@pytest.mark.parametrize("rate", [8000, 22050, 48000])
@pytest.mark.parametrize(("one", "other"), [(low_pass, high_pass), (band_pass, band_stop)])
def test_what_one_takes_away_the_other_leaves(one, other, rate):
    edges = (500, 500) if one is low_pass else (500, 900)
    powers = [10 ** (response(make(*edges), rate)[1] / 10) for make in (one, other)]
    np.testing.assert_allclose(powers[0] + powers[1], 1, atol=1e-4)


@pytest.mark.parametrize(
    "rate", [8000, 8050, 11025, 16000, 22050, 32000, 44100, 48000]
)  # 8050: the last bin is above 4025
@pytest.mark.parametrize("samples", [59049, 32000, 4097])
def test_the_ends_of_the_spectrum(rate, samples):
    """A constant, and what changes sign with each sample: away from both ends of the clip they go, or stay."""
    fast = torch.ones(1, 1, samples)
    fast[..., 1::2] = -1
    inside = slice(samples // 4, 3 * samples // 4)
    for make, bottom, top in ((low_pass, 1, 0), (high_pass, 0, 1), (band_pass, 0, 0), (band_stop, 1, 1)):
        transform = make(900, 1100)
        for audio, left in ((torch.ones_like(fast), bottom), (fast, top)):
            out = transform.effect(audio.clone(), rate, 1.0)[..., inside]
            assert (out - left * audio[..., inside]).abs().max() < 2e-3


def test_the_phase_stays():
    """A tone in the pass band comes out where it was, and an impulse response is symmetric."""
    tone = torch.sin(2 * math.pi * 440 * torch.arange(22050) / 22050)[None, None]
    out = LowPass((5000.0, 5000.0), p=1.0)(tone, 22050)
    torch.testing.assert_close(out[..., 2000:-2000], tone[..., 2000:-2000], atol=1e-3, rtol=0)


@pytest.mark.parametrize(("make", "kind"), KINDS)
@pytest.mark.parametrize("samples", [61440, 61440 - 2205])  # of a fast length alone, or with its padding: none to spare
def test_nothing_rings_from_one_end_into_the_other(make, kind, samples):
    clip = torch.zeros(1, 1, samples)
    clip[..., 0] = 1
    transform = make(200, 7500)
    transform.p = 1.0
    out = transform(clip, 22050)
    assert out[..., 10000:].abs().max() < 1e-4
    assert out[..., :200].abs().max() > 0.01


def edges(kind, decibels, hertz):
    """(count,) the outermost crossing of -3 dB of a low or high pass."""
    passes = decibels > 20 * np.log10(math.sqrt(0.5))
    return np.array([hertz[row].max() if kind == "low" else hertz[row].min() for row in passes])


@pytest.mark.parametrize("strength", [0.5, 1.0, 2.5])
def test_cutoffs_fill_their_range_and_strength_moves_them(strength):
    hertz, low = response(LowPass((150, 4000)), 22050, strength, count=60)
    cut = edges("low", low, hertz) * strength
    assert cut.min() == pytest.approx(150, rel=0.3)
    assert cut.max() == pytest.approx(4000, rel=0.1)
    assert np.median(cut) == pytest.approx(1304, rel=0.3)  # halfway between on the mel scale
    hertz, high = response(HighPass(), 22050, strength, count=60)
    cut = edges("high", high, hertz) / strength
    assert cut.min() == pytest.approx(200, rel=0.3)
    assert cut.max() == pytest.approx(2400, rel=0.1)
    assert np.median(cut) == pytest.approx(970, rel=0.3)


def test_strength_narrows_a_band_pass_and_widens_a_band_stop():
    def width(kind, strength):
        hertz, decibels = response(kind((1000, 1000), (0.6, 0.6)), 22050, strength)
        inside = hertz[(decibels[0] > -3.01) == (kind is BandPass)]
        return inside.max() - inside.min()

    assert width(BandPass, 1.0) == pytest.approx(600, rel=0.02)
    assert width(BandPass, 2.0) == pytest.approx(300, rel=0.02)
    assert width(BandStop, 1.0) == pytest.approx(600, rel=0.02)
    assert width(BandStop, 2.0) == pytest.approx(1200, rel=0.02)
    assert width(BandStop, 2.5) == pytest.approx(1500, rel=0.02)
    hertz, decibels = response(BandStop((1000, 1000), (1.9, 1.9)), 22050, 2.5)
    assert hertz[decibels[0] < -3.01].max() == pytest.approx(1995, rel=0.02)  # never the whole spectrum


def between(transform, rate, low, high):
    """Least and greatest dB between two frequencies."""
    hertz, decibels = response(transform, rate)
    heard = decibels[0][(hertz >= low) & (hertz <= high)]
    return heard.min(), heard.max()


def test_edges_beyond_what_a_filter_can_have_are_moved_inside():
    assert between(LowPass((7500, 7500)), 8000, 0, 3500)[0] > -1
    assert between(HighPass((30000, 30000)), 8000, 0, 3000)[1] < -40
    # Fraction 1.99 around 4000 Hz ends at 7980 Hz, above half of 8000; around 200 Hz, or wider, it begins below 1 Hz.
    assert between(BandPass((4000, 4000), (1.99, 1.99)), 8000, 60, 3500)[0] > -1
    assert between(BandPass((200, 200), (3.0, 3.0)), 8000, 5, 350)[0] > -1
    assert between(BandStop((200, 200), (1.99, 1.99)), 8000, 5, 200)[1] < -20
    # A band that lies above everything keeps a width.
    assert between(BandPass((6000, 6000), (0.1, 0.1)), 8000, 3860, 3900)[0] > -3


def test_filtering_uses_all_four():
    hertz, decibels = response(Filtering(), 22050, count=200)
    bottom = decibels[:, hertz < 1].max(axis=1) > -3
    top = decibels[:, hertz > 11000].max(axis=1) > -3
    counts = [(bottom & ~top).sum(), (top & ~bottom).sum(), (top & bottom).sum(), (~top & ~bottom).sum()]
    assert all(30 < count < 70 for count in counts)


@pytest.mark.parametrize(("make", "_"), KINDS)
def test_filtering_filters_as_each_does_alone(make, _):
    torch.manual_seed(0)
    audio = torch.randn(6, 1, 5000)
    alone = make(500, 1500)
    out = Filtering(filters=[alone, alone, alone]).effect(audio.clone(), 8000, 2.0)
    torch.testing.assert_close(out, alone.effect(audio.clone(), 8000, 2.0))


def test_examples_keep_their_own_edges_under_filtering():
    hertz, decibels = response(Filtering(filters=[LowPass((500, 500)), HighPass((3000, 3000))]), 22050, count=50)
    at = [np.abs(hertz - edge).argmin() for edge in (500, 3000)]
    halves = np.isclose(decibels[:, at], 20 * np.log10(math.sqrt(0.5)), atol=0.1)
    assert (halves.sum(axis=1) == 1).all()
    assert 15 < halves[:, 0].sum() < 35


@pytest.mark.parametrize(
    "make",
    [
        lambda: LowPass((0.0, 100.0)),
        lambda: HighPass((300.0, 200.0)),
        lambda: BandPass((0.5, 100.0)),
        lambda: BandStop(bandwidth=(0.0, 1.0)),
    ],
)
def test_bounds_that_make_no_sense(make):
    with pytest.raises(UserError, match=r"(LowPass|HighPass|BandPass|BandStop): .* not \("):
        make()


@pytest.mark.parametrize("make", [LowPass, HighPass, BandPass, BandStop, Filtering])
@pytest.mark.parametrize("rate", [8000, 22050, 48000])
@pytest.mark.parametrize("strength", [0.01, 1.0, 2.5])
def test_nothing_but_numbers(make, rate, strength):
    torch.manual_seed(0)
    square = torch.sign(torch.sin(torch.arange(3000) / 7))
    audio = torch.stack([torch.zeros(3000), torch.eye(3000)[1500], square]).repeat(8, 1)[:, None]
    for samples in (3000, 17, 1):
        out = make().effect(audio[..., -samples:].clone(), rate, strength)
        assert out.shape == (24, 1, samples)
        assert out.isfinite().all()
        assert not out[::3].any()
        assert out.abs().max() < 4
