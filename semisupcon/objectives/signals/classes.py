"""Signals from what is known of the classes: some are nearer to each other than others."""

from __future__ import annotations

import csv
import logging
import math
import re
from pathlib import Path

import torch
from torch import Tensor

from semisupcon.errors import UserError
from semisupcon.objectives.signals.base import Signal
from semisupcon.table import Task

log = logging.getLogger(__name__)

STEPS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}

# What MIREX gives for an estimated key in place of the true one, by the semitones from the true tonic up to the
# estimated one, and both modes (Raffel et al., mir_eval, ISMIR 2014).
MIREX = {
    ("major", "major", 0): 1.0,
    ("minor", "minor", 0): 1.0,
    ("major", "major", 7): 0.5,
    ("minor", "minor", 7): 0.5,
    ("major", "minor", 9): 0.3,
    ("minor", "major", 3): 0.3,
    ("major", "minor", 0): 0.2,
    ("minor", "major", 0): 0.2,
}

SHIPPED = ("mirex", "fifths", "octaves")


class ClassSimilarity(Signal):
    """A table of how alike each two classes are; two clips are as alike as the classes that they have.

    Args:
        table: ``mirex``, keys by the weights of the MIREX score; ``fifths``, keys by their distance on the circle of
            fifths, where a minor key stands with its relative major; ``octaves``, pitches by the distance of their
            pitch classes, so that octaves are alike; or a CSV file with class names in its first row and column and
            numbers in [0, 1]. A table that is not symmetric (MIREX's is not: a fifth up counts, a fifth down does
            not) is made so by the mean of both directions, which is logged.

    Raises:
        UserError: there is no such file.
    """

    kinds = frozenset({"multiclass", "key"})

    def __init__(self, table: str = "mirex") -> None:
        if table not in SHIPPED and not Path(table).is_file():
            raise UserError(
                f"--model.signal: ClassSimilarity knows the tables {', '.join(SHIPPED)}, and {table!r} is no file."
            )
        self.table = table
        self.similarity: Tensor | None = None
        """(K, K) in the order of the task's classes, once fitted."""

    def fit(self, labels: Tensor, task: Task) -> None:
        """Put the table into the order of the classes."""
        rows = _rows(self.table, task)
        found = torch.tensor(rows)
        if not bool(((found >= 0) & (found <= 1)).all()):
            raise UserError(f"--model.signal: {self.table}: a similarity of two classes is a number from 0 to 1.")
        if not torch.equal(found, found.T):
            log.info(f"the similarities of {self.table} are not the same both ways: their mean is taken")
        self.similarity = (found + found.T) / 2

    def __call__(self, anchors: Tensor, candidates: Tensor) -> Tensor:
        """(A, K), (C, K) with one class each -> (A, C)."""
        if self.similarity is None:
            raise RuntimeError("ClassSimilarity does not know the order of the classes: call fit first")
        if self.similarity.device != anchors.device:
            self.similarity = self.similarity.to(anchors.device)
        # A clip with an unknown label is NaN in all of its row, and so is what is multiplied by it.
        return anchors @ self.similarity @ candidates.T


def _rows(table: str, task: Task) -> list[list[float]]:
    """(K, K) similarities in the order of the task's classes."""
    if table == "octaves":
        pitches = [_pitch(name, task) for name in task.classes]
        return [[1 - abs((a - c + 6) % 12 - 6) / 6 for c in pitches] for a in pitches]
    if table in SHIPPED:
        keys = [_key(name, task) for name in task.classes]
        similar = _mirex if table == "mirex" else _fifths
        return [[similar(a, c) for c in keys] for a in keys]
    return _from_file(Path(table), task)


def _mirex(truth: tuple[int, str], estimate: tuple[int, str]) -> float:
    return MIREX.get((truth[1], estimate[1], (estimate[0] - truth[0]) % 12), 0.0)


def _fifths(one: tuple[int, str], other: tuple[int, str]) -> float:
    """1 at the same place of the circle, 0 opposite; a relative key is as far as half a step around it."""
    places = [((tonic + (3 if mode == "minor" else 0)) * 7) % 12 for tonic, mode in (one, other)]
    steps = abs((places[0] - places[1] + 6) % 12 - 6)
    return 1 - math.hypot(steps, 0.5 if one[1] != other[1] else 0) / math.hypot(6, 0.5)


def _key(name: str, task: Task) -> tuple[int, str]:
    """Semitones above C, and the mode."""
    match = re.fullmatch(r"([A-G])([#b]?) (major|minor)", name)
    if match is None:
        raise UserError(f"--model.signal: {task.name} has the class {name!r}, which is no key such as 'Db major'.")
    return (STEPS[match[1]] + {"#": 1, "b": -1, "": 0}[match[2]]) % 12, match[3]


def _pitch(name: str, task: Task) -> int:
    """Of a MIDI number or a note name, a number that is the same for octaves but for multiples of 12."""
    if name.isdecimal():
        return int(name)
    match = re.fullmatch(r"([A-G])([#b]?)-?\d*", name)
    if match is None:
        raise UserError(
            f"--model.signal: {task.name} has the class {name!r}, which is no pitch such as 'C#', 'C#4' or '61'."
        )
    return STEPS[match[1]] + {"#": 1, "b": -1, "": 0}[match[2]]


def _from_file(path: Path, task: Task) -> list[list[float]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        lines = [line for line in csv.reader(file) if line]
    columns = lines[0][1:] if lines else []
    numbers = {}
    for line in lines[1:]:
        try:
            numbers[line[0]] = dict(zip(columns, map(float, line[1:]), strict=True))
        except ValueError as error:
            raise UserError(f"--model.signal: {path}: the row of {line[0]!r}: {error}") from None
    absent = [name for name in task.classes if name not in numbers or name not in columns]
    if absent:
        raise UserError(
            f"--model.signal: {path} has no row and column for {', '.join(absent[:5])}"
            f"{' and others' if len(absent) > 5 else ''}. It needs all classes of {task.name} in both."
        )
    return [[numbers[a][c] for c in task.classes] for a in task.classes]
