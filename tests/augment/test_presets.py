"""The published chains, number by number."""

import pytest
import torch

from semisupcon.augment import PRESETS, Chain
from semisupcon.errors import UserError


def kinds(chain):
    return [type(item).__name__ for item in chain]


def test_semisupcon():
    """Guinot et al., ISMIR 2024: p .8 for the chain, and ranges at severity 2."""
    chain = Chain(["semisupcon"])
    assert kinds(chain) == ["Gain", "PolarityInversion", "ColoredNoise", "Filtering", "PitchShift", "Delay"]
    assert (chain.p, chain.severity) == (0.8, 2)
    assert [item.p for item in chain] == [0.4, 0.6, 0.6, 0.3, 0.6, 0.6]
    gain, _, noise, filtering, pitch, delay = chain
    assert gain.gain == (-15, 5)
    assert (noise.snr, noise.decay) == ((3, 30), (-2, 2))
    band, stop, high, low = filtering.transforms
    assert (band.center, band.bandwidth) == (stop.center, stop.bandwidth) == ((200, 4000), (0.5, 1.99))
    assert (high.cutoff, low.cutoff) == ((200, 2400), (150, 7500))
    assert pitch.semitones == (-4, 4)
    assert delay.delay == (0.1, 0.5)


def test_clmr():
    """Spijkervet & Burgoyne, ISMIR 2021, appendix: every clip goes through."""
    chain = Chain(["clmr"])
    assert chain.p == 1
    assert kinds(chain) == ["PolarityInversion", "WhiteNoise", "Gain", "Filtering", "Delay", "PitchShift", "Reverb"]
    assert [item.p for item in chain] == [0.8, 0.01, 0.3, 0.8, 0.3, 0.6, 0.6]
    _, _, gain, passes, delay, pitch, reverb = chain
    assert gain.gain == (-20, -1)
    assert [item.cutoff for item in passes.transforms] == [(200, 1200), (2200, 4000)]
    assert (delay.delay, delay.step, delay.gain) == ((0.2, 0.5), 0.05, (0.5, 0.5))
    assert pitch.semitones == (-7, 7)
    assert reverb.rt60 == (0.18, 10.7)


def test_cola_and_multi_format():
    assert kinds(Chain(["cola"])) == []
    chain = Chain(["multi_format"])
    assert chain.p == 1
    assert kinds(chain) == ["WhiteNoise", "Gain", "Filtering", "PitchShift"]
    _, gain, _, pitch = chain
    assert (gain.gain, pitch.semitones) == ((-6, 0), (-5, 5))


def test_a_preset_stands_in_a_list_like_a_name():
    chain = Chain(["mp3", "clmr", "gain"])
    assert kinds(chain)[::8] == ["Mp3", "Gain"]
    assert chain.p == 0.8
    assert Chain(["clmr"], p=0.3).p == 0.3


def test_each_chain_has_transforms_of_its_own():
    one, other = Chain(["clmr"]), Chain(["clmr"])
    assert not {id(item) for item in one} & {id(item) for item in other}


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("rate", [8000, 16000, 22050, 44100, 48000])
def test_every_preset_runs_at_every_rate(name, rate):
    audio = torch.randn(12, 1, rate // 2, generator=torch.Generator().manual_seed(0)) * 0.1
    audio[:2] = 0
    torch.manual_seed(0)
    assert Chain([name], severity=4)(audio, rate).isfinite().all()
    assert PRESETS[name].source


def test_unknown_names_are_told_of_presets_too():
    with pytest.raises(UserError, match=r"(?s)'clrm'.*clmr.*The presets are: semisupcon, clmr"):
        Chain(["clrm"])
