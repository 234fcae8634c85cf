import math

import numpy as np
import pytest
import torch
import torch_audiomentations

from semisupcon.augment.order import Reverse, Splice
from semisupcon.errors import UserError

RATE = 8000


def test_reverse_is_the_same_backwards():
    audio = torch.randn(5, 1, 1001)
    out = Reverse(p=1.0)(audio, RATE)
    theirs = torch_audiomentations.TimeInversion(p=1.0, mode="per_example", output_type="tensor")(audio, RATE)
    assert torch.equal(out, theirs)
    assert torch.equal(out[..., 0], audio[..., -1])
    assert torch.equal(Reverse(p=1.0)(out, RATE), audio)


def test_reverse_is_drawn_for_each_example():
    torch.manual_seed(0)
    audio = torch.arange(10.0).expand(1000, 1, -1)
    assert (Reverse()(audio, RATE)[:, 0, 0] == 9).float().mean().item() == pytest.approx(0.5, abs=0.05)


def count_up(count=1, samples=3 * RATE):
    """Each sample says where it is, from 1: float32 holds these whole numbers exactly."""
    return torch.arange(1, samples + 1, dtype=torch.float32).expand(count, 1, -1)


def cuts(out, fade):
    """How much of a spliced ramp is kept, and for each cut its place in the output and the samples taken out there."""
    kept = int((out > 0).sum())
    offset = (out[:kept] - torch.arange(1, kept + 1)).double().numpy()
    assert (np.diff(offset) >= -0.01).all()  # the order is kept
    joints, place = [], 0  # and where the last fade was over
    for start in np.flatnonzero(np.diff(offset)) + 1:
        if start > place:
            place = start + math.ceil(fade)
            joints.append((int(start), round(offset[place] - offset[start - 1])))
    return kept, joints


@pytest.mark.parametrize("rate", [8000, 22050])
@pytest.mark.parametrize("samples", [3 * 8000, 3 * 8000 - 17])
def test_splice_takes_out_what_it_says(rate, samples):
    torch.manual_seed(0)
    width, fade, number = 0.03, 0.005, 6
    transform = Splice((number, number), (width, width), (fade, fade), p=1.0)
    for row in transform(count_up(20, samples), rate).squeeze(1):
        kept, joints = cuts(row, fade * rate)
        assert [taken for _, taken in joints] == [round(width * rate)] * number
        assert kept == samples - number * round(width * rate)
        assert row[0] == 1
        assert row[kept - 1] == samples
        assert not row[kept:].any()


def test_nothing_of_what_is_kept_changes_outside_the_cross_fades():
    torch.manual_seed(0)
    fade = 0.004 * RATE
    transform = Splice(fade=(0.004, 0.004), p=1.0)
    audio = torch.randn(30, 1, 3 * RATE)
    torch.manual_seed(1)
    ramps = transform(count_up(30), RATE).squeeze(1)
    torch.manual_seed(1)
    spliced = transform(audio, RATE).squeeze(1)
    for ramp, out, row in zip(ramps, spliced, audio.squeeze(1), strict=True):
        kept, joints = cuts(ramp, fade)
        source = ramp[:kept].long() - 1
        fading = torch.zeros(kept, dtype=torch.bool)
        for place, taken in joints:
            at = slice(place, place + math.ceil(fade))
            fading[at] = True
            # A straight line from what came before the cut to what comes after it.
            before = int(source[place - 1]) + 1
            old, new = (row[begin : begin + math.ceil(fade)] for begin in (before, before + taken))
            weight = ((torch.arange(len(old)) + 0.5) / fade).clamp(max=1)
            torch.testing.assert_close(out[at], old + (new - old) * weight)
        assert torch.equal(out[:kept][~fading], row[source[~fading]])
        assert not out[kept:].any()
        assert len(joints) >= 4


def drawn(transform, strength=1.0, count=300, samples=3 * RATE):
    torch.manual_seed(0)
    fade = transform.fade[1] * RATE
    return [cuts(row, fade) for row in transform.effect(count_up(count, samples).clone(), RATE, strength).squeeze(1)]


def test_number_width_and_place_are_drawn_for_each_cut():
    found = drawn(Splice((2, 5), (0.02, 0.1), p=1.0))
    number = torch.tensor([len(joints) for _, joints in found])
    assert number.bincount()[2:].tolist() == pytest.approx([75] * 4, abs=30)
    widths = torch.tensor([taken for _, joints in found for _, taken in joints]) / RATE
    assert widths.min().item() == pytest.approx(0.02, abs=0.001)
    assert widths.max().item() == pytest.approx(0.1, abs=0.001)
    assert widths.mean().item() == pytest.approx(0.06, abs=0.003)
    places = torch.tensor([place / kept for kept, joints in found for place, _ in joints])
    assert (places * 4).long().bincount().tolist() == pytest.approx([len(places) / 4] * 4, rel=0.2)


def test_fades_are_drawn_for_each_clip():
    found = Splice((1, 1), (0.1, 0.1), (0.002, 0.01)).effect(count_up(200).clone(), RATE, 1.0).squeeze(1)
    # Steps of the ramp that are not 1, up to the zeros that fill 800 samples.
    fades = ((found.diff() - 1).abs() > 0.01)[:, :23199].sum(dim=1) / RATE
    assert fades.min().item() == pytest.approx(0.002, abs=0.0004)
    assert fades.max().item() == pytest.approx(0.01, abs=0.0004)
    assert fades.mean().item() == pytest.approx(0.006, abs=0.0007)


@pytest.mark.parametrize("strength", [0.5, 2.0])
def test_strength_multiplies_the_widths(strength):
    for kept, joints in drawn(Splice((3, 3), (0.04, 0.04), p=1.0), strength, count=20):
        assert [taken for _, taken in joints] == [round(0.04 * strength * RATE)] * 3
        assert kept == 3 * RATE - 3 * round(0.04 * strength * RATE)


def test_half_of_the_clip_stays():
    for kept, joints in drawn(Splice((12, 12), (0.5, 0.5), p=1.0), 2.5, count=20):
        assert kept / (3 * RATE) == pytest.approx(0.5, abs=0.001)
        assert len(joints) == 12


@pytest.mark.parametrize("rate", [8000, 22050, 48000])
@pytest.mark.parametrize("strength", [0.05, 1.0, 2.5])
def test_any_length_and_full_scale(rate, strength):
    torch.manual_seed(0)
    for samples in (1, 2, 17, 80, 559, 639, 640, 641, 1000, 2881, 3841, 5000, 20011):
        square = torch.sign(torch.sin(torch.arange(samples) / 7)).expand(40, 1, -1)
        out = Splice().effect(square.clone(), rate, strength)
        assert out.shape == square.shape
        assert out.isfinite().all()
        assert out.abs().max() <= 1
        ramp = Splice().effect(count_up(40, samples).clone(), rate, strength).squeeze(1)
        kept = (ramp > 0).sum(dim=1)
        assert (kept >= samples // 2).all()
        # What is left begins and ends as the clip does, in rising order, and the rest is zeros.
        assert (ramp[:, 0] == 1).all()
        assert (ramp.gather(1, kept[:, None] - 1) == samples).all()
        rises = torch.arange(samples - 1) < kept[:, None] - 1
        assert (ramp.diff() > 0)[rises].all()
        assert not Splice(p=1.0)(torch.zeros(3, 1, samples), rate).any()


def test_bounds_that_make_no_sense():
    for arguments in ({"cuts": (0, 3)}, {"width": (0.2, 0.1)}, {"fade": (0.0, 0.01)}):
        with pytest.raises(UserError, match="Splice: it takes at least one cut"):
            Splice(**arguments)
