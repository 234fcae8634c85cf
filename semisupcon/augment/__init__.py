"""Augmentations: batched tensors (N, 1, T) on the training device, each example on its own."""

from semisupcon.augment.base import OneOf, Transform
from semisupcon.augment.chain import Chain
from semisupcon.augment.chorus import Chorus
from semisupcon.augment.compression import Compression
from semisupcon.augment.delay import Delay
from semisupcon.augment.distortion import BitCrush, Distortion
from semisupcon.augment.filters import BandPass, BandStop, Filtering, HighPass, LowPass
from semisupcon.augment.levels import Gain, PolarityInversion
from semisupcon.augment.mp3 import Mp3
from semisupcon.augment.noise import ColoredNoise, WhiteNoise
from semisupcon.augment.order import Reverse, Splice
from semisupcon.augment.pitch import PitchShift
from semisupcon.augment.presets import PRESETS
from semisupcon.augment.registry import TRANSFORMS
from semisupcon.augment.reverb import Reverb
from semisupcon.augment.stretch import TimeStretch

__all__ = [
    "PRESETS",
    "TRANSFORMS",
    "BandPass",
    "BandStop",
    "BitCrush",
    "Chain",
    "Chorus",
    "ColoredNoise",
    "Compression",
    "Delay",
    "Distortion",
    "Filtering",
    "Gain",
    "HighPass",
    "LowPass",
    "Mp3",
    "OneOf",
    "PitchShift",
    "PolarityInversion",
    "Reverb",
    "Reverse",
    "Splice",
    "TimeStretch",
    "Transform",
    "WhiteNoise",
]
