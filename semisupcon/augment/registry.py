"""The augmentations that have a name on the command line."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from semisupcon.augment.base import Transform
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
from semisupcon.augment.presets import PRESETS, USUAL
from semisupcon.augment.reverb import Reverb
from semisupcon.augment.stretch import TimeStretch
from semisupcon.errors import UserError, did_you_mean

# Name -> class. Made without arguments each is as in Guinot et al., ISMIR 2024, at severity 2, where it is named there.
TRANSFORMS: dict[str, Callable[[], Transform]] = {
    "gain": Gain,
    "polarity_inversion": PolarityInversion,
    "add_colored_noise": ColoredNoise,
    "filtering": Filtering,
    "pitch_shift": PitchShift,
    "delay": Delay,
    "timestretch": TimeStretch,
    "splice": Splice,
    "reverb": Reverb,
    "chorus": Chorus,
    "distortion": Distortion,
    "compression": Compression,
    "reverse": Reverse,
    "bitcrush": BitCrush,
    "mp3": Mp3,
    "add_white_noise": WhiteNoise,
    "low_pass": LowPass,
    "high_pass": HighPass,
    "band_pass": BandPass,
    "band_stop": BandStop,
}


def named(aug_list: Sequence[str | Transform]) -> tuple[list[Transform], float]:
    """The augmentations of a list, presets unfolded; and the probability that an example goes through at all.

    Raises:
        UserError: there is no such name; the message lists the names and says the nearest.
    """
    found: list[Transform] = []
    for item in aug_list:
        if isinstance(item, Transform):
            found.append(item)
        elif item in PRESETS:
            found += PRESETS[item].make()
        elif item in TRANSFORMS:
            found.append(TRANSFORMS[item]())
        else:
            raise UserError(
                f"--data.aug_list: no such augmentation as {item!r}.{did_you_mean(item, [*TRANSFORMS, *PRESETS])}\n"
                f"The augmentations are: {', '.join(TRANSFORMS)}.\nThe presets are: {', '.join(PRESETS)}."
            )
    alone = aug_list[0] if len(aug_list) == 1 else None
    return found, PRESETS[alone].p if isinstance(alone, str) and alone in PRESETS else USUAL
