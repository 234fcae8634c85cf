import math

import numpy as np
import pytest
import scipy.signal
import torch
from torch_audiomentations import ApplyImpulseResponse
from torchaudio.functional import fftconvolve

from benchmarks.clock import held
from semisupcon.augment.reverb import EARLY, LOUDEST, Reverb
from semisupcon.errors import UserError

RATE = 22050
QUIET = (-40.0, -40.0)  # early reflections, out of the way of what is measured


def responses(transform, count=1, samples=2 * RATE, rate=RATE, strength=1.0):
    """(count, samples) of what an impulse at the beginning becomes."""
    torch.manual_seed(0)
    return transform.effect(torch.eye(1, samples).repeat(count, 1, 1), rate, strength).squeeze(1).double()


def decay_time(response, rate, hertz=None, octaves=1.0):
    """T20 of Schroeder's backward integral, after ISO 3382: from -5 to -25 dB, times 3; in a band or over all."""
    tail = response.clone().numpy()
    tail[0] = 0
    if hertz is not None:
        edges = [hertz / 2 ** (octaves / 2), hertz * 2 ** (octaves / 2)]
        tail = scipy.signal.sosfilt(scipy.signal.butter(3, edges, "bandpass", fs=rate, output="sos"), tail)
    energy = np.cumsum(tail[::-1] ** 2)[::-1]
    level = 10 * np.log10(energy / energy[0] + 1e-12)
    heard = (level < -5) & (level > -25)
    slope, _ = np.polyfit(np.flatnonzero(heard) / rate, level[heard], 1)
    return -60 / slope


@pytest.mark.parametrize("rate", [8000, 16000, 22050, 48000])
@pytest.mark.parametrize("seconds", [0.2, 0.6, 1.5, 4.0])
def test_in_the_octave_of_500_hz_it_falls_by_60_db_in_the_time_asked_for(rate, seconds):
    rooms = responses(Reverb((seconds, seconds)), 32, math.ceil((seconds + 0.1) * rate), rate)
    times = np.array([decay_time(room, rate, 500) for room in rooms])
    assert times.mean() == pytest.approx(seconds, rel=0.05)
    # Noise of 350 Hz and so many seconds is not more certain than that.
    assert times.std() / seconds < 1.6 / math.sqrt(350 * seconds)


@pytest.mark.parametrize("rate", [8000, 22050, 48000])
@pytest.mark.parametrize("seconds", [0.2, 0.5, 1.5])
def test_undamped_every_room_falls_over_all_frequencies_by_60_db_in_the_time_asked_for(rate, seconds):
    rooms = responses(Reverb((seconds, seconds), damping=(1e7, 1e7)), 16, math.ceil((seconds + 0.1) * rate), rate)
    assert [decay_time(room, rate) for room in rooms] == pytest.approx([seconds] * 16, rel=0.1)


@pytest.mark.parametrize("hertz", [1000, 3000, 6000])
def test_high_frequencies_decay_faster(hertz):
    rooms = responses(Reverb((1.5, 1.5), damping=(3000.0, 3000.0), early=QUIET), 48)
    times = [decay_time(room, RATE, hertz, octaves=1 / 6) for room in rooms]
    assert np.mean(times) == pytest.approx(1.5 / (1 + (hertz / 3000) ** 2), rel=0.05)


def test_decay_times_are_even_on_a_logarithmic_scale():
    transform = Reverb(damping=(1e7, 1e7))
    times = np.log([decay_time(row, 4000) for row in responses(transform, 200, 8000, rate=4000)])
    assert np.exp([times.min(), times.max()]) == pytest.approx([0.2, 1.5], rel=0.12)
    assert np.histogram(times, bins=np.linspace(math.log(0.2), math.log(1.5), 5))[0] == pytest.approx([50] * 4, abs=22)


def test_the_range_named_for_sox_is_that_of_its_combs():
    delay = np.mean([1116, 1188, 1277, 1356, 1422, 1491, 1557, 1617]) / 44100
    for reverberance, seconds in ((0, 0.18), (50, 1.7), (100, 10.7)):
        feedback = 1 - 0.7 * (0.02 / 0.7) ** (reverberance / 100)
        assert 3 * delay / -math.log10(feedback) == pytest.approx(seconds, rel=0.02)


@pytest.mark.parametrize("rate", [8000, 48000])
@pytest.mark.parametrize("wait", [0.0, 0.01, 0.1])
def test_the_first_reflection_comes_after_the_pre_delay(rate, wait):
    first = max(1, round(wait * rate))
    for room in responses(Reverb(pre_delay=(wait, wait), early=(10.0, 10.0)), 10, rate, rate):
        assert room[0].item() == pytest.approx(1, abs=1e-6)
        assert not (room[1:first].abs() > 1e-6).any()
        assert room[first].abs() > 5 * room[first + 1 : first + 200].abs().median()


def test_pre_delays_are_drawn_from_all_of_the_range():
    rooms = responses(Reverb((0.2, 0.3), wet=(0.0, 0.0)), 300, 4000, 8000)[:, 1:]
    waits = (1 + (rooms.abs() > 1e-3).int().argmax(dim=1)) / 8000
    assert waits.min().item() == pytest.approx(0.002, abs=1e-3)
    assert waits.max().item() == pytest.approx(0.03, abs=1e-3)
    assert waits.mean().item() == pytest.approx(0.016, abs=0.002)


def test_early_reflections_have_their_share_and_their_time():
    loud, soft = (responses(Reverb((1.0, 1.0), pre_delay=(0.0, 0.0), early=(db, db)), 20) for db in (20.0, -20.0))
    early, all_of_it = loud[:, 1 : 1 + math.ceil(EARLY * RATE)], loud[:, 1:]
    assert (early.square().sum(1) / all_of_it.square().sum(1)).min() > 0.985
    # The tail is the same at another level, so that its difference leaves the reflections.
    scale = (loud[:, 3000:] * soft[:, 3000:]).sum(1) / soft[:, 3000:].square().sum(1)
    reflections = (loud - scale[:, None] * soft)[:, 1:]
    assert (reflections.abs() > 0.02).sum(1).tolist() == pytest.approx([8] * 20, abs=1)
    assert (reflections < -0.02).sum().item() == pytest.approx(80, abs=30)


@pytest.mark.parametrize("db", [-30.0, -6.0, 0.0])
@pytest.mark.parametrize("strength", [0.5, 1.0, 2.5])
def test_the_level_is_exact_and_strength_scales_it_up_to_a_bound(db, strength):
    for row in responses(Reverb((0.2, 0.5), wet=(db, db)), 4, strength=strength):
        expected = min(LOUDEST, strength * 10 ** (db / 20))
        assert row[1:].norm().item() == pytest.approx(expected, rel=1e-3)


def test_levels_are_drawn_from_all_of_the_range():
    level = 20 * responses(Reverb((0.2, 0.3)), 300, 4000, 8000)[:, 1:].norm(dim=1).log10()
    assert level.min().item() == pytest.approx(-12, abs=0.5)
    assert level.max().item() == pytest.approx(0, abs=0.5)
    assert level.mean().item() == pytest.approx(-6, abs=0.6)


def drawn_alike(transform, *clips):
    for clip in clips:
        torch.manual_seed(0)
        yield transform.effect(clip.clone(), RATE, 1.0)


@pytest.mark.parametrize("samples", [40000, 59049, 3000])
def test_it_is_the_convolution_with_its_own_response(samples):
    audio = torch.randn(3, 1, samples, generator=torch.Generator().manual_seed(1))
    response, out = drawn_alike(Reverb(), torch.eye(1, samples).repeat(3, 1, 1), audio)
    torch.testing.assert_close(out, fftconvolve(audio, response)[..., :samples], atol=2e-5, rtol=1e-4)
    expected = scipy.signal.fftconvolve(audio.double().numpy(), response.double().numpy(), axes=-1)[..., :samples]
    np.testing.assert_allclose(out.numpy(), expected, atol=2e-5)
    short = np.convolve(audio[1, 0, :2000].double(), response[1, 0, :2000].double())[:2000]
    np.testing.assert_allclose(out[1, 0, :2000], short, atol=2e-5)


def test_torch_audiomentations_makes_the_same_of_the_same_response(tmp_path):
    audio = torch.randn(1, 1, 20000, generator=torch.Generator().manual_seed(1))
    response, out = drawn_alike(Reverb((0.3, 0.3)), torch.eye(1, 20000)[None], audio)
    (tmp_path / "room.wav").touch()
    theirs = ApplyImpulseResponse(tmp_path, p=1.0, sample_rate=RATE, output_type="tensor")
    theirs.audio = lambda path: response[0]  # in place of its reader of files
    torch.testing.assert_close(out, theirs(audio), atol=2e-5, rtol=1e-4)


def test_it_is_linear():
    one, other = torch.randn(2, 2, 1, 30000, generator=torch.Generator().manual_seed(1))
    a, b, both = drawn_alike(Reverb(), one, other, 2 * one - 3 * other)
    torch.testing.assert_close(both, 2 * a - 3 * b, atol=1e-4, rtol=1e-4)


def test_the_dry_sound_stays_in_its_place():
    audio = torch.randn(4, 1, 30000, generator=torch.Generator().manual_seed(1))
    (out,) = drawn_alike(Reverb(pre_delay=(0.1, 0.2)), audio)
    torch.testing.assert_close(out[..., :2205], audio[..., :2205], atol=1e-5, rtol=0)
    assert (out - audio)[..., 4410:].abs().min(dim=0).values.max() > 0.01


def test_examples_have_rooms_of_their_own_and_do_not_hear_each_other():
    rooms = responses(Reverb((1.0, 1.0), pre_delay=(0.0, 0.0)), 4)[:, 1:]
    assert torch.corrcoef(rooms).fill_diagonal_(0).abs().max() < 0.1
    alone = torch.zeros(4, 1, 30000)
    alone[2] = torch.randn(30000, generator=torch.Generator().manual_seed(1))
    together = torch.randn(4, 1, 30000, generator=torch.Generator().manual_seed(2))
    together[2] = alone[2]
    some, every = drawn_alike(Reverb(), alone, together)
    torch.testing.assert_close(some[2], every[2], atol=1e-5, rtol=1e-4)
    assert not some[[0, 1, 3]].any()


@pytest.mark.parametrize("seconds", [0.2, 1e6])
def test_the_tail_is_noise_without_seams(seconds):
    """As loud where its pieces overlap as elsewhere, but for the decay, and like itself at no distance."""
    room = Reverb((seconds, seconds), damping=(1e9, 1e9), pre_delay=(0.0, 0.0), early=QUIET)
    rooms = responses(room, 400, 4000) * 10 ** (3 / seconds * torch.arange(4000) / RATE)
    rooms = rooms[:, 400:]  # behind the early reflections of the smaller room
    power = rooms.square().mean(0)
    blurred = power.unfold(0, 16, 16).mean(1) / power.mean()
    assert blurred.numpy() == pytest.approx(1, abs=7 * math.sqrt(2 / (400 * 16)))
    spectrum = torch.fft.rfft(rooms, n=2 * rooms.shape[1]).abs().square().mean(0)
    alike = torch.fft.irfft(spectrum)[: rooms.shape[1] // 2]
    assert (alike[1:] / alike[0]).abs().max() < 7 / math.sqrt(400 * rooms.shape[1] / 2)


def test_the_size_of_a_room_does_not_depend_on_the_place_in_the_batch():
    rooms = responses(Reverb((0.05, 0.5), damping=(1e7, 1e7)), 300, 4000, rate=4000)
    times = np.log([decay_time(room, 4000) for room in rooms])
    assert abs(np.corrcoef(times, np.arange(300))[0, 1]) < 0.2


def test_some_examples_get_a_room_and_the_others_stay_bit_by_bit():
    audio = torch.randn(9, 1, 20000, generator=torch.Generator().manual_seed(1))
    rows, out = torch.tensor([1, 2, 5, 8]), audio.clone()
    torch.manual_seed(0)
    Reverb((0.05, 1.0)).effect_(out, rows, RATE, 1.0)
    (expected,) = drawn_alike(Reverb((0.05, 1.0)), audio[rows])
    assert torch.equal(out[rows], expected)
    rest = torch.tensor([0, 3, 4, 6, 7])
    assert torch.equal(out[rest], audio[rest])


@pytest.mark.parametrize("bounds", [(0.2, 1.5), (1.5, 1.5), (0.18, 10.7), (10.0, 10.0)])
def test_memory_is_bounded_whatever_the_rooms(bounds):
    transform, audio = Reverb(bounds), torch.zeros(32, 1, 30000)
    assert held(lambda: transform.effect(audio, RATE, 1.0), audio.device) / audio.nbytes < 3


def test_small_rooms_take_short_transforms(monkeypatch):
    lengths, transform = [], torch.fft.irfft

    def note(spectrum, n):
        lengths.append(n)
        return transform(spectrum, n=n)

    monkeypatch.setattr(torch.fft, "irfft", note)
    Reverb().effect(torch.zeros(64, 1, 59049), RATE, 1.0)
    assert {n for n in lengths if n > 59049} == {65536, 73728, 81920, 98304}


@pytest.mark.parametrize("rate", [8000, 22050, 48000])
@pytest.mark.parametrize("strength", [0.01, 1.0, 2.5])
def test_anything_comes_out_as_numbers_and_silence_as_silence(rate, strength):
    square = torch.sign(torch.sin(torch.arange(6000) / 7))
    audio = torch.stack([torch.zeros(6000), torch.eye(6000)[3000], square, torch.ones(6000)])[:, None]
    for samples in (6000, 1000, 17, 2, 1):
        for transform in (Reverb(), Reverb((0.001, 20.0), damping=(1.0, 1e5), pre_delay=(0.0, 1.0), wet=(6.0, 6.0))):
            out = transform.effect(audio[..., -samples:].clone(), rate, strength)
            assert out.shape == (4, 1, samples)
            assert out.isfinite().all()
            assert out.abs().max() < 50
            assert not out[0].any()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"rt60": (0.0, 1.0)}, "rt60 in s and damping in Hz go from a low to a high one above 0"),
        ({"rt60": (1.0, 0.5)}, "rt60"),
        ({"damping": (0.0, 1000.0)}, "damping in Hz"),
        ({"pre_delay": (-0.1, 0.1)}, "pre_delay from 0 s on"),
        ({"early": (0.0, -3.0)}, "early and wet go from low to high"),
        ({"wet": (0.0, 7.0)}, "wet up to 6 dB"),
    ],
)
def test_bounds_that_make_no_sense(arguments, message):
    with pytest.raises(UserError, match=message):
        Reverb(**arguments)
