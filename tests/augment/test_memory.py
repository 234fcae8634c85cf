"""At most six times the batch is held at once, whatever the length of its clips, their number and the severity."""

import pytest
import torch

from benchmarks.clock import held
from semisupcon.augment import PRESETS, TRANSFORMS, Chain, OneOf

SIZES = [(16, 4000, 8000), (8, 6000, 48000)]
MORE = [(32, 4000, 8000), (8, 20000, 48000), (4, 59049, 22050), (4, 8000, 16000), (64, 1000, 22050)]
GREEDY = ["semisupcon", "pitch_shift", "timestretch", "chorus", "reverb", "filtering", "add_colored_noise", "delay"]


def batches(call, audio):
    """What a call holds in multiples of the batch, the batch itself not counted."""
    call()  # what is kept for the next time is made
    torch.manual_seed(0)
    return held(call, audio.device) / audio.nbytes


def noise(count, samples):
    return torch.randn(count, 1, samples, generator=torch.Generator().manual_seed(0)) * 0.2


def most(item, count, samples, rate, severity):
    """Batches that a chain of one item holds which all examples go through."""
    chain, audio = Chain([item], severity, p=1.0), noise(count, samples)
    for each in chain:
        each.p = 1.0
    return 1 + batches(lambda: chain(audio, rate), audio)


@pytest.mark.parametrize(("count", "samples", "rate"), SIZES)
@pytest.mark.parametrize("severity", [2, 5])
@pytest.mark.parametrize("name", GREEDY)
def test_what_takes_most(name, count, samples, rate, severity):
    assert most(name, count, samples, rate, severity) <= 6


@pytest.mark.parametrize("severity", [2, 5])
def test_one_of_several(severity):
    assert most(OneOf([TRANSFORMS["pitch_shift"](), TRANSFORMS["chorus"]()], p=1.0), *SIZES[0], severity) <= 6


@pytest.mark.slow
@pytest.mark.parametrize(("count", "samples", "rate"), MORE)
@pytest.mark.parametrize("severity", [2, 5])
def test_every_transform_and_every_preset(count, samples, rate, severity):
    found = {name: most(name, count, samples, rate, severity) for name in [*TRANSFORMS, *PRESETS] if name != "mp3"}
    assert {name: value for name, value in found.items() if value > 6} == {}


@pytest.mark.parametrize(("count", "samples", "rate"), SIZES)
@pytest.mark.parametrize("strength", [1.0, 2.5])
@pytest.mark.parametrize("name", [name for name in TRANSFORMS if name not in ("mp3", "reverb")])  # which see to it
def test_an_effect_holds_what_it_says(name, count, samples, rate, strength):
    transform, audio = TRANSFORMS[name](), noise(count, samples)
    found = batches(lambda: transform.effect(audio, rate, strength), audio)
    said = transform.working(samples, rate, strength, audio.device)
    assert 0.6 * said - 0.5 < found <= said + 0.05


def test_on_a_gpu_more_is_counted():
    host, device = torch.device("cpu"), torch.device("cuda")
    for name in ("filtering", "low_pass", "add_colored_noise", "pitch_shift", "timestretch"):
        transform = TRANSFORMS[name]()
        assert transform.working(59049, 22050, 1.0, device) > 0.9 + transform.working(59049, 22050, 1.0, host)
