"""torch-audiomentations 0.12 with the ranges of ours, to measure beside it. Nothing else needs it."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import soundfile
import torch
from torch import Tensor

from semisupcon.augment import Transform

Effect = Callable[[Tensor], Tensor]

# Our name -> their class, and which bounds of ours are which of theirs (min_... and max_...).
EQUIVALENT: dict[str, tuple[str, dict[str, str]]] = {
    "gain": ("Gain", {"gain": "gain_in_db"}),
    "polarity_inversion": ("PolarityInversion", {}),
    "add_colored_noise": ("AddColoredNoise", {"snr": "snr_in_db", "decay": "f_decay"}),
    "pitch_shift": ("PitchShift", {"semitones": "transpose_semitones"}),
    "low_pass": ("LowPassFilter", {"cutoff": "cutoff_freq"}),
    "high_pass": ("HighPassFilter", {"cutoff": "cutoff_freq"}),
    "band_pass": ("BandPassFilter", {"center": "center_frequency", "bandwidth": "bandwidth_fraction"}),
    "band_stop": ("BandStopFilter", {"center": "center_frequency", "bandwidth": "bandwidth_fraction"}),
    "reverse": ("TimeInversion", {}),
    "splice": ("SpliceOut", {}),
    "reverb": ("ApplyImpulseResponse", {}),
}
FILTERS = ("band_pass", "band_stop", "high_pass", "low_pass")
ROOMS = (0.2, 1.5)  # s that a synthetic impulse response takes to fall by 60 dB


class Theirs:
    """Their transforms by our names, each example on its own (``per_example``).

    Args:
        ours: name -> our transform, whose ranges are taken over.
        rate: Hz.

    Raises:
        ImportError: the library is not there.
    """

    def __init__(self, ours: dict[str, Transform], rate: int) -> None:
        import torch_audiomentations

        warnings.filterwarnings("ignore", module="torch_audiomentations")
        self.library: Any = torch_audiomentations
        self.ours, self.rate = ours, rate

    def effect(self, name: str, p: float) -> Effect | None:
        """(N, 1, T) -> (N, 1, T); None where they have nothing of the kind."""
        module = self.module(name, p)
        return None if module is None else lambda audio: module(samples=audio, sample_rate=self.rate).samples

    def chain(self, names: list[str]) -> Effect:
        """Several in a row, each with the p of ours; the whole with p = 1, see ``augment``."""
        modules = [self.module(name, self.ours[name].p) for name in names]
        chain = self.library.Compose(modules, p=1.0, output_type="dict")
        return lambda audio: chain(samples=audio, sample_rate=self.rate).samples

    def module(self, name: str, p: float) -> Any:
        """What does the same as ours of that name, or None."""
        if (
            name == "filtering"
        ):  # theirs draws one kind of filter for the batch, and then each example whether it gets it
            return self.library.OneOf([self.module(each, p) for each in FILTERS], p=1.0, output_type="dict")
        if name not in EQUIVALENT:
            return None
        kind, bounds = EQUIVALENT[name]
        settings: dict[str, Any] = {"mode": "per_example", "p": p, "sample_rate": self.rate, "output_type": "dict"}
        for ours, theirs in bounds.items():
            settings[f"min_{theirs}"], settings[f"max_{theirs}"] = getattr(self.ours[name], ours)
        if name == "splice":  # a fixed number of cuts, from 0 s to the widest
            cuts, width = self.ours[name].cuts, self.ours[name].width
            settings |= {"num_time_intervals": sum(cuts) // 2, "max_width": 1e3 * width[1]}
        make = getattr(self.library, kind)
        return make(**settings) if name != "reverb" else self._reverb(make, settings)

    def _reverb(self, make: Callable[..., Any], settings: dict[str, Any]) -> Any:
        """With impulse responses in memory, noise that dies away: it would read a file for every example else."""
        with tempfile.TemporaryDirectory() as folder:
            soundfile.write(Path(folder) / "room.wav", [0.0], self.rate)  # it wants to see that there is one
            module = make(folder, **settings)
        generator = torch.Generator().manual_seed(0)
        module.ir_paths = []
        for decay in torch.linspace(*ROOMS, 8).tolist():
            seconds = torch.arange(int(decay * self.rate)) / self.rate
            noise = torch.randn(len(seconds), generator=generator) * 10 ** (-3 * seconds / decay)
            module.ir_paths.append({"samples": noise[None], "sample_rate": self.rate})
        return module
