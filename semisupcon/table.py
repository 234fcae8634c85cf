"""The two contracts between a corpus and everything else: a Table of clips and the Task they are labelled for."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from semisupcon.errors import UserError

Split = Literal["train", "val", "test"]
Kind = Literal["multiclass", "multilabel", "regression", "key"]

SPLITS: tuple[Split, ...] = ("train", "val", "test")

# The figures that a kind of task is scored by, the one that the field reports first in front.
METRICS: dict[Kind, tuple[str, ...]] = {
    "multiclass": ("accuracy", "macro_f1"),
    "key": ("mirex", "accuracy"),
    "multilabel": ("pr_auc", "roc_auc"),
    "regression": ("r2",),
}

# Variable-width UTF-8 without one Python object a row: forked workers share it, and its memory stays flat.
TEXT = np.dtypes.StringDType()


# One note: when it starts and ends, in seconds; its instrument as a MIDI program counted from 1; its MIDI number.
NOTE = np.dtype([("start", np.float64), ("end", np.float64), ("program", np.uint8), ("note", np.uint8)])


@dataclass(frozen=True)
class Notes:
    """The notes of a corpus's recordings, for transcription.

    Args:
        read: gives the notes of a recording, (M,) of type ``NOTE``, by its path as in ``Table.path``; loading
            processes call it too, so it can be pickled.
        programs: the I instruments as MIDI programs counted from 1, ascending.
        instruments: their names.
    """

    read: Callable[[str], npt.NDArray[np.void]]
    programs: tuple[int, ...]
    instruments: tuple[str, ...]


@dataclass(frozen=True)
class Task:
    """What the labels of a table mean.

    Args:
        name: the name users give on the command line, such as ``gtzan``.
        kind: ``multiclass`` (exactly one class), ``multilabel`` (any number of tags), ``regression``
            (K numbers), ``key`` (one of 24 keys, scored with the MIREX weights).
        classes: the K class names (tags, or target names) in their fixed order; column k of the labels
            belongs to ``classes[k]``.
        group: what ``Table.group`` holds, for reports: ``artist``, ``song``, ``player``; empty if nothing.
        metric: the figure that is reported first, one of ``METRICS`` for the kind; empty = the first of them.
        about: pitch, key or tempo where the labels are of that, so that what changes it can be warned of; a ``key``
            task is about the key.
        notes: the notes of the recordings, where the corpus knows them.
    """

    name: str
    kind: Kind
    classes: tuple[str, ...]
    group: str = ""
    metric: str = ""
    about: str = ""
    notes: Notes | None = None

    def __post_init__(self) -> None:
        if self.kind not in METRICS:
            raise UserError(f"{self.name}: no kind of task is called {self.kind!r}; there are {', '.join(METRICS)}.")
        object.__setattr__(self, "metric", self.metric or METRICS[self.kind][0])
        object.__setattr__(self, "about", self.about or ("key" if self.kind == "key" else ""))
        if self.metric not in METRICS[self.kind]:
            raise UserError(
                f"{self.name}: a {self.kind} task is scored by {' and '.join(METRICS[self.kind])}, not {self.metric!r}."
            )

    @property
    def exclusive(self) -> bool:
        """Whether a clip has exactly one of the classes."""
        return self.kind in ("multiclass", "key")


@dataclass(frozen=True)
class Table:
    """Clips of one corpus, as arrays of N rows.

    Every file of the corpus has a row, also those without labels, so that no file of a test split can pass for
    an unlabelled training clip.

    Args:
        root: the folder that ``path`` is relative to.
        path: (N,) relative file paths, ``StringDType``.
        split: (N,) ``train``, ``val`` or ``test``, ``StringDType``.
        labels: (N, K) float32; 0/1 for classes and tags, the value for regression, NaN = unknown.
        group: (N,) what must not be torn apart by a split and what intervals are drawn over (artist, player);
            empty text = unknown.
    """

    root: Path
    path: npt.NDArray[Any]
    split: npt.NDArray[Any]
    labels: npt.NDArray[np.float32]
    group: npt.NDArray[Any]

    def __post_init__(self) -> None:
        rows = len(self.path)
        if not len(self.split) == len(self.labels) == len(self.group) == rows or self.labels.ndim != 2:
            raise ValueError(
                f"columns of unequal length: path {rows}, split {len(self.split)}, "
                f"labels {self.labels.shape}, group {len(self.group)}"
            )
        if strange := set(np.unique(self.split)) - set(SPLITS):
            raise ValueError(f"unknown split {sorted(strange)}; the splits are {SPLITS}")

    @classmethod
    def build(
        cls,
        root: str | Path,
        path: Sequence[str],
        split: Sequence[str],
        labels: npt.ArrayLike | None = None,
        group: Sequence[str] | None = None,
    ) -> Table:
        """A table from plain sequences; no ``labels`` means none known (K = 0), no ``group`` means unknown."""
        rows = len(path)
        return cls(
            root=Path(root),
            path=np.array(path, dtype=TEXT),
            split=np.array(split, dtype=TEXT),
            labels=np.zeros((rows, 0), np.float32) if labels is None else np.asarray(labels, np.float32),
            group=np.array([""] * rows if group is None else group, dtype=TEXT),
        )

    def __len__(self) -> int:
        return len(self.path)

    @property
    def labelled(self) -> npt.NDArray[np.bool_]:
        """(N,) whether a clip has at least one known label."""
        return np.asarray(~np.isnan(self.labels).all(axis=1))  # all() of no columns is True: K = 0 is unlabelled

    @property
    def outside(self) -> npt.NDArray[np.bool_]:
        """(N,) whether a path leads outside ``root``, by ``..`` or by being absolute. Links are not looked into."""
        found = np.strings.startswith(self.path, "/") | (np.strings.find(self.path, "..") >= 0)
        root = os.path.normpath(self.root)
        for row in np.flatnonzero(found).tolist():
            found[row] = not os.path.normpath(self.file(row)).startswith(root.rstrip(os.sep) + os.sep)
        return np.asarray(found)

    def rows(self, which: npt.NDArray[np.bool_] | npt.NDArray[np.int64]) -> Table:
        """The rows picked by a mask or by indices."""
        return Table(self.root, self.path[which], self.split[which], self.labels[which], self.group[which])

    def of(self, split: Split) -> Table:
        """The rows of one split."""
        return self.rows(np.asarray(self.split == split))

    def file(self, row: int) -> Path:
        """The full path of a row's file."""
        return self.root / str(self.path[row])


def check_labels(table: Table, task: Task) -> None:
    """Refuse labels that the kind of task does not allow, before anything is trained on them.

    Raises:
        UserError: naming the first offending file. A labelled clip has exactly one 1 among 0s for exclusive classes,
            0, 1 or NaN for tags, finite numbers or NaN for regression; and a column for each class.
    """
    labels = table.labels
    if labels.shape[1] != len(task.classes):
        raise UserError(f"{task.name}: {labels.shape[1]} columns of labels for {len(task.classes)} classes.")
    if task.kind == "regression":
        wrong, wanted = np.isinf(labels).any(axis=1), "finite numbers, or NaN where unknown"
    else:
        ones, unknown = (labels == 1).sum(axis=1), np.isnan(labels).sum(axis=1)
        strange = ones + (labels == 0).sum(axis=1) + unknown < labels.shape[1]
        if task.exclusive:
            wrong = strange | (unknown < labels.shape[1]) & ((ones != 1) | (unknown > 0))
            wanted = "exactly one 1 among 0s, or NaN throughout where unknown (several classes a clip: multilabel)"
        else:
            wrong, wanted = strange, "0 or 1, or NaN where unknown"
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        given = [f"{task.classes[k]}={labels[row, k]:g}" for k in np.flatnonzero(labels[row] != 0)[:6]]
        raise UserError(
            f"{task.name} ({task.kind}): the labels of {wrong.sum():,} of {len(table):,} files are not what they must "
            f"be: {wanted}.\nThe first: {table.file(row)} ({', '.join(given) or 'all 0'})."
        )
