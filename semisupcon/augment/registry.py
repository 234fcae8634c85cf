"""The augmentations that have a name on the command line."""

from __future__ import annotations

from collections.abc import Callable

from semisupcon.augment.base import Transform
from semisupcon.augment.delay import Delay
from semisupcon.augment.filters import Filtering
from semisupcon.augment.levels import Gain, PolarityInversion
from semisupcon.augment.noise import ColoredNoise
from semisupcon.errors import UserError, did_you_mean

# Name -> class. Made without arguments each is as in Guinot et al., ISMIR 2024, at severity 2.
TRANSFORMS: dict[str, Callable[[], Transform]] = {
    "gain": Gain,
    "polarity_inversion": PolarityInversion,
    "add_colored_noise": ColoredNoise,
    "filtering": Filtering,
    "delay": Delay,
}


def named(name: str) -> Transform:
    """The augmentation of that name, with the ranges of the paper.

    Raises:
        UserError: there is none; the message lists the names and says the nearest.
    """
    if name not in TRANSFORMS:
        hint = did_you_mean(name, TRANSFORMS)
        raise UserError(
            f"--data.aug_list: no such augmentation as {name!r}.{hint}\nThe augmentations are: {', '.join(TRANSFORMS)}."
        )
    return TRANSFORMS[name]()
