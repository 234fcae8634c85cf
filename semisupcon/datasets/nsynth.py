"""NSynth: 305,979 single notes of 4 s at 16 kHz, for pitch and for instrument family.

Engel et al., "Neural Audio Synthesis of Musical Notes with WaveNet Autoencoders", ICML 2017;
https://magenta.tensorflow.org/datasets/nsynth. The official split is used as it is: 289,205 / 12,678 / 4,096
notes, and no instrument of train is in val or test.
"""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from semisupcon.datasets import layout
from semisupcon.errors import UserError
from semisupcon.table import TEXT, Split, Table, Task

_log = logging.getLogger(__name__)

FOLDERS: dict[Split, str] = {"train": "nsynth-train", "val": "nsynth-valid", "test": "nsynth-test"}

LOWEST, HIGHEST = 9, 120  # MIDI numbers of all the notes there are
PITCHES = tuple(str(pitch) for pitch in range(LOWEST, HIGHEST + 1))

# In the order of the corpus's own index, `instrument_family`.
FAMILIES = (
    *("bass", "brass", "flute", "guitar", "keyboard", "mallet"),
    *("organ", "reed", "string", "synth_lead", "vocal"),
)


def nsynth_pitch(root: str = "data/nsynth") -> tuple[Table, Task]:
    """Which of 112 pitches a note has; the classes are the MIDI numbers 9 to 120.

    Args:
        root: the folder that holds ``nsynth-train``, ``nsynth-valid`` and ``nsynth-test``.

    Returns:
        the notes, labels (N, 112), grouped by instrument; the task. ``nsynth-valid`` and ``nsynth-test`` may be
        missing (this is logged), and a json file of some notes alone will do: the classes stay the same.

    Raises:
        UserError: ``nsynth-train`` is not there, or a folder is not as published.
    """
    return _notes(root, "nsynth_pitch", "pitch", LOWEST, PITCHES)


def nsynth_instr_family(root: str = "data/nsynth") -> tuple[Table, Task]:
    """Which of 11 instrument families plays a note; else as :func:`nsynth_pitch`, with labels (N, 11)."""
    return _notes(root, "nsynth_instr_family", "instrument_family", 0, FAMILIES)


def _notes(root: str, name: str, key: str, first: int, classes: tuple[str, ...]) -> tuple[Table, Task]:
    """All notes of all splits, labelled by ``key``, an integer of which ``first`` is class 0."""
    top = layout.absolute(root)
    there = [split for split in FOLDERS if (top / FOLDERS[split]).is_dir()]
    if "train" not in there:
        raise UserError(
            f"{name}: no folder nsynth-train/ under {top} ({layout.found(top)}). "
            f"Unpack nsynth-{{train,valid,test}}.jsonwav.tar.gz there, or pass --data.sl_kwargs.root."
        )
    if lost := [FOLDERS[split] for split in FOLDERS if split not in there]:
        _log.warning("%s: no folder %s under %s, so those splits have no notes", name, " and ".join(lost), top)
    path: list[str] = []
    split: list[str] = []
    group: list[str] = []
    value: list[int] = []
    for part in there:
        folder = FOLDERS[part]
        notes = _examples(top / folder, name)
        try:
            value += [notes[note][key] for note in notes]
            group += [notes[note]["instrument_str"] for note in notes]
        except (KeyError, TypeError) as error:
            raise UserError(f"{name}: {top / folder}/examples.json: a note has no {error}; is it NSynth's?") from None
        path += [f"{folder}/audio/{note}.wav" for note in notes]
        split += [part] * len(notes)
    index = np.asarray(value, np.int64) - first
    if (strange := (index < 0) | (index >= len(classes))).any():
        row = int(strange.argmax())
        raise UserError(f"{name}: {path[row]} has {key} {value[row]}, not {first} to {first + len(classes) - 1}.")
    labels: npt.NDArray[np.float32] = np.zeros((len(index), len(classes)), np.float32)
    labels[np.arange(len(index)), index] = 1
    table = Table(top, np.array(path, TEXT), np.array(split, TEXT), labels, np.array(group, TEXT))
    return table, Task(name, "multiclass", classes, group="instrument", about=key if key == "pitch" else "")


def _examples(folder: Path, name: str) -> dict[str, dict[str, Any]]:
    """The json of one split, sorted by note, if the audio is there too."""
    file = folder / "examples.json"
    if not file.is_file():
        raise UserError(f"{name}: no examples.json under {folder} ({layout.found(folder)}). Unpack the archive anew.")
    try:
        notes = json.loads(file.read_bytes())
    except ValueError as error:
        raise UserError(f"{name}: {file} is no json ({error}). Unpack the archive anew.") from None
    if not isinstance(notes, dict) or not notes:
        raise UserError(f"{name}: {file} holds no notes; a json object of note_str -> properties is wanted.")
    # One look is enough: a single missing file is found and named when it is read, none at all is a wrong folder.
    audio = folder / "audio"
    if not any((audio / f"{note}.wav").is_file() for note in notes):
        raise UserError(
            f"{name}: none of the {len(notes):,} notes of {file} is under {audio} ({layout.found(audio)}). "
            f"The jsonwav archives hold the audio; unpack them anew."
        )
    return dict(sorted(notes.items()))
