"""Which files a corpus has: everything decided and labelled before a sample is made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from semisupcon.datasets.keys import TONICS
from semisupcon.datasets.synth.instruments import INSTRUMENTS
from semisupcon.datasets.synth.score import GATES, LOWEST, OCTAVES
from semisupcon.table import SPLITS, Split

Kind = Literal["note", "chord", "phrase", "progression"]

NAMES = TONICS
TAGS = (
    "note", "chord", "phrase", "progression", "major", "minor", "low", "high", "fast", "slow", "staccato", "legato",
    "vibrato", "tremolo", "crescendo", "diminuendo", "bright", "dark", "reverb", "noisy",
)  # fmt: skip

# A player's files in this order, so that every player, and hence every split, has the same mixture.
_KINDS: tuple[Kind, ...] = ("note", "phrase", "progression", "chord", "note", "phrase", "progression", "note")
_SECONDS: dict[Kind, tuple[float, float]] = {
    "note": (1.5, 3.6), "chord": (2.0, 4.0), "phrase": (2.8, 5.2), "progression": (2.8, 5.2),
}  # fmt: skip
_SHORT = (0.4, 0.8)  # seconds: less than a crop of 19,683 samples at 22,050 Hz, which is 0.893 s
_FAST, _SLOW = 140.0, 85.0  # beats per minute
_LOW, _HIGH = 55, 64  # MIDI pitch: a fifth of the clips below, a fifth from there on
_PLAN, PLAYER, CLIP = 0, 1, 2  # streams of random numbers; each draws from [seed, stream, ...]


@dataclass(frozen=True)
class Params:
    """What determines a corpus.

    Args:
        seed: of everything that is drawn.
        players: of each instrument, in train, val and test.
        files: of each player.
        variety: how far the players of an instrument differ, 0 to 1: what makes the task hard. At .35 the probes
            of the demo are right on .73 of the test clips from MFCC statistics, on .54 from a random SampleCNN.
    """

    seed: int = 0
    players: tuple[int, int, int] = (7, 2, 4)
    files: int = 8
    variety: float = 0.35


@dataclass(frozen=True)
class Clip:
    """What one file holds. Nothing about the file itself hangs on split, instrument or player.

    Args:
        number: of the clip, seeds its randomness.
        path: under the corpus, says nothing about the contents.
        instrument: name; ``player`` is counted within the instrument.
        kind: what is played, on the pitch or tonic ``midi`` in ``mode``.
        seconds: length of the file.
        bpm: beats per minute of phrases and progressions.
        dynamics: 0 (soft) to 1 (loud).
        tone: dB per octave that the whole sound is tilted by.
        swell: dB that the level changes by from the beginning to the end.
        snr: dB of music over background noise.
        decay: seconds until the reverberation has fallen by 60 dB; 0 = dry.
        rate: sample rate of the file in Hz.
    """

    number: int
    path: str
    split: Split
    instrument: str
    player: int
    kind: Kind
    midi: int
    mode: str
    seconds: float
    bpm: float
    articulation: str
    vibrato: bool
    tremolo: bool
    dynamics: float
    tone: float
    swell: float
    snr: float
    decay: float
    suffix: str
    rate: int
    channels: int
    mood_noise: tuple[float, float]

    @property
    def group(self) -> str:
        """The player, unique in the corpus."""
        return f"{self.instrument}-{self.player:02d}"

    @property
    def middle(self) -> int:
        """About the mean pitch: of a note itself, of all else a fourth above the tonic."""
        return self.midi if self.kind == "note" else self.midi + 5

    @property
    def pitch(self) -> str:
        """The pitch class of a single note, else empty."""
        return NAMES[self.midi % 12] if self.kind == "note" else ""

    @property
    def key(self) -> str:
        """The key of a phrase or progression, else empty."""
        return f"{NAMES[self.midi % 12]} {self.mode}" if self.kind in ("phrase", "progression") else ""

    @property
    def chord(self) -> str:
        """Root and mode of a single sustained chord, else empty."""
        return f"{NAMES[self.midi % 12]} {self.mode}" if self.kind == "chord" else ""

    @property
    def tags(self) -> tuple[str, ...]:
        """Those of ``TAGS`` that hold."""
        moving, voiced = self.kind in ("phrase", "progression"), self.kind != "note"
        true = {
            self.kind,
            self.mode if voiced else "",
            "low" if self.middle < _LOW else "high" if self.middle >= _HIGH else "",
            ("fast" if self.bpm >= _FAST else "slow" if self.bpm <= _SLOW else "") if moving else "",
            self.articulation if moving else "",
            "vibrato" if self.vibrato else "",
            "tremolo" if self.tremolo else "",
            "crescendo" if self.swell > 0 else "diminuendo" if self.swell < 0 else "",
            "bright" if self.tone > 0 else "dark" if self.tone < 0 else "",
            "reverb" if self.decay else "",
            "noisy" if self.snr < 25 else "",
        }
        return tuple(tag for tag in TAGS if tag in true)

    @property
    def mood(self) -> tuple[float, float] | None:
        """Arousal and valence in [-1, 1] of a phrase or progression, else None.

        The signs are those found in music psychology (Eerola & Vuoskoski 2013): tempo, dynamics and brightness
        raise arousal; the major mode, and to a lesser degree tempo, brightness and register, raise valence.
        """
        if not self.key:
            return None
        tempo, tone = (self.bpm - 120) / 60, self.tone / 2.5
        register = (self.middle - 58.5) / 6
        short = {"staccato": 1.0, "plain": 0.0, "legato": -1.0}[self.articulation]
        arousal = 0.45 * tempo + 0.25 * (2 * self.dynamics - 1) + 0.2 * tone + 0.1 * short + self.mood_noise[0]
        valence = (0.25 if self.mode == "major" else -0.25) + 0.25 * tempo + 0.25 * tone + 0.25 * register
        return float(np.clip(arousal, -1, 1)), float(np.clip(valence + self.mood_noise[1], -1, 1))


def plan(params: Params) -> list[Clip]:
    """The clips of a corpus, in the order of their paths."""
    rng = np.random.default_rng([params.seed, _PLAN])
    splits = [split for split, count in zip(SPLITS, params.players, strict=True) for _ in range(count)]
    slots = [
        (split, instrument, player, _KINDS[place % len(_KINDS)])
        for instrument in INSTRUMENTS
        for player, split in enumerate(splits)
        for place in range(params.files)
    ]
    slots = [slots[index] for index in rng.permutation(len(slots))]  # paths tell nothing of the contents
    dealt: dict[tuple[str, Kind], int] = {}
    clips = []
    for number, (split, instrument, player, kind) in enumerate(slots):
        # Dealt in turn: pitch classes and keys are as even as they can be in each split, and free of all else.
        turn = dealt[split, kind] = dealt.get((split, kind), -1) + 1
        clips.append(_clip(params.seed, number, split, instrument, player, kind, turn))
    return clips


def _clip(seed: int, number: int, split: Split, instrument: str, player: int, kind: Kind, turn: int) -> Clip:
    """One clip; ``turn`` decides pitch class and mode, all else is drawn."""
    rng = np.random.default_rng([seed, CLIP, number])
    short = kind == "note" and rng.random() < 0.14
    suffix = str(rng.choice(("wav", "flac", "ogg", "mp3"), p=(0.26, 0.38, 0.2, 0.16)))
    return Clip(
        number=number,
        path=f"audio/{number:05d}.{suffix}",
        split=split,
        instrument=instrument,
        player=player,
        kind=kind,
        midi=LOWEST + turn % 12 + 12 * int(rng.integers(OCTAVES if kind == "note" else 1)),
        mode=("major", "minor")[turn // 12 % 2],
        seconds=float(rng.uniform(*(_SHORT if short else _SECONDS[kind]))),
        bpm=float(rng.uniform(60, 180)),
        articulation=str(rng.choice(list(GATES))),
        vibrato=bool(rng.random() < 0.3) and not short,
        tremolo=bool(rng.random() < 0.15) and not short,
        dynamics=float(rng.random()),
        tone=float(rng.choice((-1, 0, 1), p=(0.22, 0.56, 0.22)) * rng.uniform(1, 2.5)),
        swell=float(rng.choice((-24, 0, 24), p=(0.15, 0.7, 0.15))) * (not short),
        snr=float(rng.uniform(12, 22) if rng.random() < 0.2 else rng.uniform(32, 50)),
        decay=float(rng.uniform(0.8, 2.2)) if rng.random() < 0.35 else 0.0,
        suffix=suffix,
        rate=int(rng.choice((22_050, 44_100, 48_000), p=(0.5, 0.3, 0.2))),
        channels=int(rng.choice((1, 2), p=(0.75, 0.25))),
        mood_noise=(float(rng.normal(0, 0.06)), float(rng.normal(0, 0.06))),
    )
