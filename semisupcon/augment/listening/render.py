"""What there is to hear and to see: every augmentation at every severity, and chains drawn several times."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import soundfile
import torch
from torch import Tensor

from semisupcon.augment.base import Transform
from semisupcon.augment.chain import Chain
from semisupcon.augment.listening import plots
from semisupcon.augment.listening.describe import Description, called, describe, sentences
from semisupcon.augment.presets import PRESETS
from semisupcon.augment.registry import TRANSFORMS

# A single draw may be one that does next to nothing, such as a shift by a tenth of a semitone.
CANDIDATES = 9


@dataclass(frozen=True)
class Sound:
    """One player with its spectrogram.

    Args:
        label: what stands above it.
        notes: what stands below it.
        flac: the sound as a file.
        picture: its spectrogram.
        seconds: its length.
    """

    label: str
    notes: tuple[str, ...]
    flac: bytes
    picture: plots.Image
    seconds: float


@dataclass(frozen=True)
class Entry:
    """An augmentation or a preset.

    Args:
        about: what it says of itself.
        rows: of sounds; severities beside each other, or draws beside and severities below each other.
    """

    about: Description
    rows: Sequence[Sequence[Sound]]


@dataclass
class Studio:
    """What all sounds of a page have in common.

    Args:
        original: (1, T) float32.
        sample_rate: Hz.
        severities: to be rendered.
        seed: decides all draws.
        draws: how often a preset is drawn.
    """

    original: Tensor
    sample_rate: int
    severities: Sequence[float] = (1.0, 2.0, 4.0)
    seed: int = 0
    draws: int = 3
    _decibels: Tensor = field(init=False)
    _top: float = field(init=False)

    def __post_init__(self) -> None:
        self._decibels = plots.spectrogram(self.original, self.sample_rate)
        self._top = float(self._decibels.max())

    def untouched(self) -> Sound:
        """The original."""
        return self._sound(self.original, "original", ())

    def render(self, name: str) -> Entry:
        """The augmentation or preset of that name."""
        return self.preset(name) if name in PRESETS else self.transform(TRANSFORMS[name]())

    def transform(self, transform: Transform) -> Entry:
        """One augmentation with certainty, the same draw at each severity so that nothing but that differs.

        The draw is the middle one of ``CANDIDATES``, by how much it changes the spectrogram at the highest severity.
        """
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            drawn = {severity: self._drawn(transform, severity) for severity in self.severities}
        picked = self._middle(drawn[max(self.severities)])
        sounds = []
        for severity, audio in drawn.items():
            p = f"p = {transform.chance(severity / 2):.2g}"
            sounds.append(self._sound(audio[picked : picked + 1], f"severity {severity:g}", (p,)))
        return Entry(describe(transform), [sounds])

    def preset(self, name: str) -> Entry:
        """A preset, for each severity several draws, with the probabilities that an example has which goes through."""
        made = PRESETS[name].make()
        words = sentences(PRESETS[name].make.__doc__ or "")
        about = Description(
            name, " ".join(words), p=PRESETS[name].p, members=tuple(map(describe, made)), source=PRESETS[name].source
        )
        rows = [
            [self._draw(Chain([name], severity), draw) for draw in range(self.draws)]
            for severity in (self.severities if made else ())
        ]
        return Entry(about, rows)

    def _drawn(self, transform: Transform, severity: float) -> Tensor:
        """(CANDIDATES, T), all changed."""
        audio = self.original.repeat(CANDIDATES, 1)
        if severity == 0:
            return audio
        torch.manual_seed(self.seed)
        return transform.effect(audio[:, None], self.sample_rate, severity / 2)[:, 0]

    def _middle(self, drawn: Tensor) -> int:
        """Which of (n, T) is neither much nor little changed."""
        floor = self._top - plots.RANGE
        changed = plots.spectrogram(drawn, self.sample_rate).clamp(min=floor) - self._decibels.clamp(min=floor)
        return int(changed.abs().mean((1, 2)).argsort(stable=True)[len(drawn) // 2])

    def _draw(self, chain: Chain, draw: int) -> Sound:
        """One draw, step by step, so that it can be said what has been done to it."""
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            torch.manual_seed(self.seed + draw)
            audio = self.original[None].clone()  # (1, 1, T)
            among = torch.tensor([True])
            done = []
            for transform in chain:
                before = audio.clone()
                transform.change_(audio, self.sample_rate, chain.strength, among)
                if not torch.equal(before, audio):
                    done.append(called(transform))
        notes = (", ".join(done) or "left as it is",)
        return self._sound(audio[0], f"severity {chain.severity:g}, draw {draw + 1}", notes)

    def _sound(self, audio: Tensor, label: str, notes: tuple[str, ...]) -> Sound:
        """A player for (1, T)."""
        samples = audio[0].numpy()
        picture = plots.image(plots.spectrogram(audio, self.sample_rate)[0], self._top)
        level = _decibels(samples) - _decibels(self.original[0].numpy())
        if math.isfinite(level) and abs(level) >= 0.1:
            notes = (*notes, f"level {signed(level)} dB")
        peak = float(np.abs(samples).max(initial=0))
        if peak > 1:
            notes = (*notes, f"{signed(-20 * math.log10(peak))} dB for playing")
        flac = io.BytesIO()
        # Without loss: an mp3 would be a quarter of it, and take away what some augmentations add.
        soundfile.write(
            flac, samples / max(1.0, peak), self.sample_rate, format="FLAC", subtype="PCM_16", compression_level=1.0
        )
        return Sound(label, notes, flac.getvalue(), picture, len(samples) / self.sample_rate)


def signed(decibels: float) -> str:
    """With its sign, as it is printed, and one digit."""
    return f"{decibels:+.1f}".replace("-", "\N{MINUS SIGN}")


def _decibels(samples: Any) -> float:
    """Of the RMS."""
    power = float(np.mean(np.square(samples, dtype=np.float64)))
    return 10 * math.log10(power) if power > 0 else -math.inf
