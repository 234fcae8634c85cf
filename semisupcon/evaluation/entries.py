"""What was measured: numbers with their bootstrap draws, what each is of, and files of them."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from semisupcon.downstream.intervals import Interval, Sampled
from semisupcon.plain import plain


@dataclass(frozen=True)
class About:
    """What a number is of.

    Args:
        subject: the method.
        run: which run of it.
        task: name.
        part: of the evaluation: probe, control, few, zero_shot, neighbours, retrieval, robustness, finetune.
        method: linear, mlp, marble, prototypes, knn, by_label, by_track, finetune.
        protocol: how clips become rows that are scored: embedding, score, segment, clip.
        space: embedding or projection.
        share: of the training labels.
        draw: which subset of that size.
        seed: of what is trained.
        corruption: of the test clips; empty = none.
        severity: of the corruption.
        metric: its name.
    """

    subject: str
    run: int
    task: str
    part: str
    method: str
    protocol: str = "embedding"
    space: str = "embedding"
    share: float = 1.0
    draw: int = 0
    seed: int = 0
    corruption: str = ""
    severity: float = 0.0
    metric: str = ""


NAMES = tuple(each.name for each in fields(About))


@dataclass(frozen=True)
class Entry:
    """A number.

    Args:
        about: what it is of.
        sampled: its value and draws.
        clips: which test clips it was measured on, ``EmbeddedClips.fingerprint``.
    """

    about: About
    sampled: Sampled
    clips: str = ""


def entries(about: About, found: Mapping[str, Sampled], clips: str) -> list[Entry]:
    """One entry for each metric."""
    return [Entry(replace(about, metric=name), sampled, clips) for name, sampled in found.items()]


@dataclass(frozen=True)
class Result:
    """What one step of an evaluation gave.

    Args:
        entries: the numbers.
        arrays: whatever else is to be kept, such as a map's points, by name.
        notes: plain values to be said in the report.
    """

    entries: Sequence[Entry] = ()
    arrays: Mapping[str, npt.NDArray[Any]] = field(default_factory=dict)
    notes: Mapping[str, Any] = field(default_factory=dict)

    def save(self, path: Path, fingerprint: str) -> None:
        """Write it, all at once.

        Args:
            path: an npz file; its folder is made.
            fingerprint: of all that decides it.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        about = [[getattr(each.about, name) for name in NAMES] for each in self.entries]
        text = json.dumps(
            plain(
                {
                    "fingerprint": fingerprint,
                    "about": about,
                    "clips": [each.clips for each in self.entries],
                    "notes": self.notes,
                }
            )
        )
        held = {
            "text": np.array(text),
            "values": np.array([each.sampled.value for each in self.entries], np.float64),
            "lengths": np.array([len(each.sampled.draws) for each in self.entries], np.int64),
            "draws": np.concatenate([np.zeros(0), *(each.sampled.draws for each in self.entries)]),
        }
        part = path.with_suffix(f".{os.getpid()}.part")
        with part.open("wb") as file:
            np.savez(file, **held, **{f"array {name}": value for name, value in self.arrays.items()})  # type: ignore[arg-type]
        part.replace(path)

    @classmethod
    def load(cls, path: Path, fingerprint: str) -> Result | None:
        """Read one; None where it is not there, is broken, or came of something else."""
        try:
            with np.load(path, allow_pickle=False) as held:
                text = json.loads(str(held["text"]))
                if text["fingerprint"] != fingerprint:
                    return None
                values, lengths = held["values"], held["lengths"]
                draws = np.split(held["draws"], np.cumsum(lengths)[:-1]) if len(lengths) else []
                found = [
                    Entry(About(**dict(zip(NAMES, about, strict=True))), Sampled(float(value), drawn), clips)
                    for about, value, drawn, clips in zip(text["about"], values, draws, text["clips"], strict=True)
                ]
                arrays = {name[len("array ") :]: held[name] for name in held.files if name.startswith("array ")}
                return cls(found, arrays, text["notes"])
        except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile):
            return None


@dataclass(frozen=True)
class Estimate:
    """A mean over runs, subsets and seeds, with what it would be on other test sets.

    Args:
        value: the mean.
        draws: (R,) of the mean, one for each bootstrap draw of the test clips; empty = no interval.
        each: the value of every run, subset and seed.
        clips: which test clips; empty where they differ.
        expected: how many values there were to be; fewer are there where some failed.
    """

    value: float
    draws: npt.NDArray[np.float64]
    each: tuple[float, ...]
    clips: str = ""
    expected: int = 0

    @classmethod
    def of(cls, found: Sequence[Entry]) -> Estimate:
        """The mean of several; without an interval where they are of different test clips."""
        values = tuple(one.sampled.value for one in found)
        clips = {one.clips for one in found}
        if len(clips) > 1 or len({len(one.sampled.draws) for one in found}) > 1:
            return cls(float(np.mean(values)), np.zeros(0), values)
        return cls(float(np.mean(values)), np.mean([one.sampled.draws for one in found], axis=0), values, clips.pop())

    @property
    def interval(self) -> Interval:
        """The mean with its 95 % interval."""
        return Sampled(self.value, self.draws).interval()

    @property
    def deviation(self) -> float:
        """The standard deviation over runs, subsets and seeds; NaN of one."""
        return float(np.std(self.each, ddof=1)) if len(self.each) > 1 else float("nan")

    def __sub__(self, other: Estimate) -> Estimate:
        """The difference on the same draws, which is paired: clips that are hard are hard for both.

        Of other test clips draws do not belong together, and there is no interval.
        """
        alike = len(self.each) == len(other.each)
        each = tuple(a - b for a, b in zip(self.each, other.each, strict=True)) if alike else ()
        same = self.clips == other.clips and len(self.draws) == len(other.draws)
        draws = self.draws - other.draws if same else np.zeros(0)
        return Estimate(self.value - other.value, draws, each, self.clips if same else "")


def estimates(found: Iterable[Entry]) -> dict[About, Estimate]:
    """The mean over runs, subsets and seeds of all else that is equal, in the order of appearance.

    The keys have run, draw and seed 0.
    """
    grouped: dict[About, list[Entry]] = {}
    for entry in found:
        about = replace(entry.about, run=0, draw=0, seed=0)
        grouped.setdefault(about, []).append(entry)
    return {about: Estimate.of(several) for about, several in grouped.items()}
