"""The embedded corpus: 1,248 short recordings by a synthesiser, with five tasks, made on first use.

Twelve instruments, thirteen players of each. The players of one split play in no other. Every instrument plays the
same register at the same loudness; notes, chords, phrases and progressions differ in articulation, tempo, vibrato,
room and background noise, and the files in format, sample rate and number of channels. There is nothing above 11 kHz
whatever the sample rate of a file.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from semisupcon.datasets.keys import KEYS
from semisupcon.datasets.synth.corpus import INDEX, complete, ensure, read_index
from semisupcon.datasets.synth.instruments import INSTRUMENTS
from semisupcon.datasets.synth.plan import NAMES, TAGS
from semisupcon.errors import UserError
from semisupcon.table import Kind, Table, Task

Row = dict[str, str]


def synth_instrument(root: str | None = None) -> tuple[Table, Task]:
    """Which of twelve instruments plays: all files, split by player.

    Args:
        root: folder of a corpus made before; None = the cache folder, where it is made on first use.

    Raises:
        UserError: ``root`` holds no complete corpus, or the cache folder cannot be written.
    """
    return _task("synth_instrument", "multiclass", tuple(INSTRUMENTS), root, lambda row: row["instrument"])


def synth_pitch(root: str | None = None) -> tuple[Table, Task]:
    """The pitch class of a single note, C to B; unknown for all that is not a single note.

    Args and Raises: as ``synth_instrument``.
    """
    return _task("synth_pitch", "multiclass", NAMES, root, lambda row: row["pitch"], about="pitch")


def synth_tags(root: str | None = None) -> tuple[Table, Task]:
    """Twenty tags, of what is played and how: all files.

    Args and Raises: as ``synth_instrument``.
    """
    return _task("synth_tags", "multilabel", TAGS, root, lambda row: row["tags"].split())


def synth_key(root: str | None = None, chords: bool = False) -> tuple[Table, Task]:
    """The key, C major to B minor, of a phrase or a chord progression; unknown for single notes and chords.

    Args:
        root: as for ``synth_instrument``.
        chords: the sustained chords instead, each by its root and mode, and nothing else: far easier.

    Raises:
        UserError: as ``synth_instrument``.
    """
    return _task("synth_key", "key", KEYS, root, lambda row: row["chord" if chords else "key"])


def synth_mood(root: str | None = None) -> tuple[Table, Task]:
    """Arousal and valence in [-1, 1] of a phrase or a chord progression; unknown for single notes and chords.

    Args and Raises: as ``synth_instrument``.
    """
    targets = ("arousal", "valence")
    rows, folder = _rows("synth_mood", root)
    labels = [[float(row[name] or "nan") for name in targets] for row in rows]
    return _table(folder, rows, labels), Task("synth_mood", "regression", targets, group="player")


def _task(
    name: str,
    kind: Kind,
    classes: tuple[str, ...],
    root: str | None,
    labels_of: Callable[[Row], str | Sequence[str]],
    about: str = "",
) -> tuple[Table, Task]:
    """The table of a task with 0/1 labels; a row whose label is empty text is unknown in all columns."""
    rows, folder = _rows(name, root)
    column = {label: place for place, label in enumerate(classes)}
    labels = np.zeros((len(rows), len(classes)), np.float32)
    for line, row in zip(labels, rows, strict=True):
        label = labels_of(row)
        if not label:
            line[:] = np.nan
        for each in [label] if isinstance(label, str) and label else label:
            line[column[each]] = 1.0
    return _table(folder, rows, labels), Task(name, kind, classes, group="player", about=about)


def _table(folder: Path, rows: list[Row], labels: np.typing.ArrayLike) -> Table:
    path, split, group = ([row[name] for row in rows] for name in ("path", "split", "player"))
    return Table.build(folder, path, split, labels, group)


def _rows(task: str, root: str | None) -> tuple[list[Row], Path]:
    """The index of the corpus under ``root``, or of the one in the cache."""
    if root is None:
        folder = ensure()
    else:
        folder = Path(root).expanduser()
        if not complete(folder):
            raise UserError(_complaint(task, folder))
    return read_index(folder), folder


def _complaint(task: str, folder: Path) -> str:
    advice = "Leave root out to have the embedded corpus made, or name the folder synth-... of one made before."
    if not folder.is_dir():
        return f"{task}: no folder {folder}. {advice}"
    found = sorted(entry.name for entry in folder.iterdir())
    if INDEX in found:
        return f"{task}: {INDEX} under {folder} is another corpus's, or files that it names are missing. {advice}"
    shown = ", ".join(found[:8]) + (", ..." if len(found) > 8 else "")
    return f"{task}: no {INDEX} under {folder} (found: {shown or 'nothing'}). {advice}"
