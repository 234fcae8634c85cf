"""Augmentations: batched tensors (N, 1, T) on the training device, each example on its own."""

from semisupcon.augment.base import OneOf, Transform
from semisupcon.augment.chain import Chain
from semisupcon.augment.delay import Delay
from semisupcon.augment.filters import BandPass, BandStop, Filtering, HighPass, LowPass
from semisupcon.augment.levels import Gain, PolarityInversion
from semisupcon.augment.noise import ColoredNoise
from semisupcon.augment.registry import TRANSFORMS

__all__ = [
    "TRANSFORMS",
    "BandPass",
    "BandStop",
    "Chain",
    "ColoredNoise",
    "Delay",
    "Filtering",
    "Gain",
    "HighPass",
    "LowPass",
    "OneOf",
    "PolarityInversion",
    "Transform",
]
