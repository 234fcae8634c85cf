import pytest
import torch

from semisupcon.augment import TRANSFORMS, Chain, Gain, PolarityInversion, Transform
from semisupcon.errors import UserError

PAPER = ["gain", "polarity_inversion", "add_colored_noise", "filtering", "pitch_shift", "delay"]


class Append(Transform):
    """Writes its digit behind those that were there, which shows order and choice."""

    def __init__(self, digit, p=1.0):
        super().__init__(p)
        self.digit = digit

    def effect(self, audio, sample_rate, strength):
        self.strength = strength
        return audio * 10 + self.digit


def digits(chain, count=2000, seed=0):
    torch.manual_seed(seed)
    return chain(torch.zeros(count, 1, 2), 22050)[:, 0, 0]


def noise(count=64, samples=4000):
    return torch.randn(count, 1, samples, generator=torch.Generator().manual_seed(0)) * 0.2


def test_order_is_as_given():
    assert digits(Chain([Append(1), Append(2), Append(3)], p=1.0)).eq(123).all()
    assert digits(Chain([Append(3), Append(1)], p=1.0)).eq(31).all()


def test_names_are_transforms_in_their_order():
    chain = Chain(["delay", PolarityInversion(p=0.1), "gain"])
    assert [type(t).__name__ for t in chain.transforms] == ["Delay", "PolarityInversion", "Gain"]
    assert [t.p for t in chain.transforms] == [0.6, 0.1, 0.4]


def test_the_papers_probabilities():
    assert [TRANSFORMS[name]().p for name in PAPER] == [0.4, 0.6, 0.6, 0.3, 0.6, 0.6]


@pytest.mark.parametrize(
    ("severity", "through", "each"), [(1.0, 0.4, 0.25), (2.0, 0.8, 0.5), (3.0, 1.0, 0.75), (5.0, 1.0, 1.0)]
)
def test_severity_scales_both_probabilities(severity, through, each):
    # The first augmentation marks who goes through. It has p = 1, and 1 * strength at severity 1 is a half.
    mark = Append(7, p=1.0)
    out = digits(Chain([mark, Append(1, p=0.5)], severity, p=0.8), 8000)
    assert mark.strength == severity / 2
    marked = min(1.0, severity / 2)
    rate = {number: (out == number).float().mean().item() for number in (0, 1, 7, 71)}
    assert rate[71] == pytest.approx(through * marked * each, abs=0.02)
    assert rate[7] == pytest.approx(through * marked * (1 - each), abs=0.02)
    assert rate[1] == pytest.approx(through * (1 - marked) * each, abs=0.02)


def test_the_augmentations_are_drawn_independently_of_each_other():
    out = digits(Chain([Append(1, p=0.5), Append(2, p=0.5)], p=1.0), 8000)
    for number in (0, 1, 2, 12):
        assert (out == number).float().mean().item() == pytest.approx(0.25, abs=0.02)


def test_severity_reaches_the_ranges():
    torch.manual_seed(0)
    loud = 20 * Chain([Gain(p=1.0)], severity=5, p=1.0)(torch.ones(500, 1, 2), 22050)[:, 0, 0].log10()
    assert loud.min() < -36
    assert loud.max() > 12


def test_severity_zero_and_an_empty_list_are_the_identity():
    audio = noise()
    assert torch.equal(Chain(PAPER, severity=0)(audio, 22050), audio)
    assert torch.equal(Chain([])(audio, 22050), audio)


def test_examples_that_do_not_go_through_stay_bit_by_bit_and_so_does_the_callers_tensor():
    audio = noise(400, 2000)
    before = audio.clone()
    torch.manual_seed(0)
    out = Chain(PAPER)(audio, 22050)
    assert torch.equal(audio, before)
    same = (out.view(torch.int32) == audio.view(torch.int32)).flatten(1).all(dim=1)
    # .2 stay out, and of the others each of the six passes by with 1 - p.
    expected = 0.2 + 0.8 * 0.6 * 0.4 * 0.4 * 0.7 * 0.4 * 0.4
    assert same.float().mean().item() == pytest.approx(expected, abs=0.06)


def test_the_seed_decides_everything():
    chain, audio, outs = Chain(PAPER), noise(), []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        outs.append(chain(audio, 22050))
    assert torch.equal(outs[0], outs[1])
    assert not torch.equal(outs[0], outs[2])


def test_two_views_of_one_clip_differ():
    torch.manual_seed(0)
    clips = noise(32)
    views = Chain(PAPER)(clips.repeat_interleave(2, dim=0), 22050).view(32, 2, -1)
    assert (views[:, 0] != views[:, 1]).any(dim=1).sum() > 24


@pytest.mark.parametrize("severity", [0.5, 2, 5])
@pytest.mark.parametrize("rate", [8000, 48000])
def test_nothing_but_numbers_comes_out(severity, rate):
    audio = torch.zeros(60, 1, 4000)
    audio[20:40, 0, 100] = 1
    audio[40:] = torch.sign(torch.sin(torch.arange(4000) / 9))
    torch.manual_seed(0)
    out = Chain(PAPER, severity)(audio, rate)
    assert out.isfinite().all()
    assert not out[:20].any()


def test_an_unknown_name_is_told_the_nearest():
    with pytest.raises(
        UserError, match=r"(?s)--data.aug_list.*'polarity'.*mean polarity_inversion.*add_colored_noise, fi"
    ):
        Chain(["gain", "polarity"])
    with pytest.raises(UserError, match=r"it takes a list, \[gain\]"):
        Chain("gain")


@pytest.mark.parametrize("severity", [-1, 5.1, float("nan")])
def test_severity_outside_its_scale_is_refused(severity):
    with pytest.raises(UserError, match=r"--data.aug_severity=.*0 \(off\) to 5"):
        Chain(["gain"], severity)
    with pytest.raises(UserError, match="p is a probability"):
        Chain(["gain"], p=severity)
