"""The augmentations of published systems, by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from semisupcon.augment.base import Transform
from semisupcon.augment.delay import Delay
from semisupcon.augment.filters import Filtering, HighPass, LowPass
from semisupcon.augment.levels import Gain, PolarityInversion
from semisupcon.augment.noise import ColoredNoise, WhiteNoise
from semisupcon.augment.pitch import PitchShift
from semisupcon.augment.reverb import Reverb

USUAL = 0.8  # the probability of a chain that is no preset, which is SemiSupCon's


@dataclass(frozen=True)
class Preset:
    """A list of augmentations under one name.

    Args:
        make: gives the transforms, in their order.
        p: the probability that an example goes through them at all.
        source: where they were published.
    """

    make: Callable[[], list[Transform]]
    p: float
    source: str


def semisupcon() -> list[Transform]:
    """The paper's chain at severity 2."""
    return [Gain(), PolarityInversion(), ColoredNoise(), Filtering(), PitchShift(), Delay()]


def clmr() -> list[Transform]:
    """The released code's order and ranges; its reverberance 0..100 of sox as times of decay, see ``Reverb``."""
    return [
        PolarityInversion(p=0.8),
        WhiteNoise(p=0.01),
        Gain((-20.0, -1.0), p=0.3),
        Filtering(0.8, [HighPass((200.0, 1200.0)), LowPass((2200.0, 4000.0))]),
        Delay((0.2, 0.5), gain=(0.5, 0.5), step=0.05, p=0.3),
        PitchShift((-7.0, 7.0), p=0.6),
        Reverb(rt60=(0.18, 10.7), p=0.6),
    ]


def multi_format() -> list[Transform]:
    """The waveform part; its report says which, and not how often."""
    return [WhiteNoise(p=0.5), Gain((-6.0, 0.0), p=0.5), Filtering(p=0.5), PitchShift((-5.0, 5.0), p=0.5)]


def cola() -> list[Transform]:
    """Nothing: two crops of a clip are its views. Masks of the later PyTorch version are in the log-mel front end."""
    return []


PRESETS: dict[str, Preset] = {
    "semisupcon": Preset(semisupcon, USUAL, "Guinot, Quinton & Fazekas, ISMIR 2024"),
    "clmr": Preset(clmr, 1.0, "Spijkervet & Burgoyne, ISMIR 2021"),
    "cola": Preset(cola, 1.0, "Saeed, Grangier & Zeghidour, ICASSP 2021"),
    "multi_format": Preset(multi_format, 1.0, "contrastive learning of waveforms and mel spectrograms, course report"),
}
