"""MusicNet: 330 recordings of classical chamber music, for the ensemble that plays, with every note of them.

Thickstun, Harchaoui & Kakade, "Learning Features of Music from Scratch", ICLR 2017;
https://zenodo.org/records/5120004 (and a copy on Kaggle, imsparsh/musicnet-dataset). 320 recordings are for training
and 10 for test.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from semisupcon import audio
from semisupcon.datasets import layout, splits
from semisupcon.errors import UserError
from semisupcon.table import NOTE, Notes, Table, Task

# As musicnet_metadata.csv spells them, sorted.
ENSEMBLES = (
    *("Accompanied Cello", "Accompanied Clarinet", "Accompanied Violin", "Clarinet Quintet"),
    *("Clarinet-Cello-Piano Trio", "Horn Piano Trio", "Pairs Clarinet-Horn-Bassoon", "Piano Quartet", "Piano Quintet"),
    *("Piano Trio", "Solo Cello", "Solo Flute", "Solo Piano", "Solo Violin", "String Quartet", "String Sextet"),
    *("Viola Quintet", "Violin and Harpsichord", "Wind Octet", "Wind Quintet", "Wind and Strings Octet"),
)

# MIDI programs, counted from 1, of the instruments that occur, and their names.
INSTRUMENTS = {
    **{1: "piano", 7: "harpsichord", 41: "violin", 42: "viola", 43: "cello", 44: "double bass"},
    **{61: "horn", 69: "oboe", 71: "bassoon", 72: "clarinet", 74: "flute"},
}
PROGRAMS = tuple(INSTRUMENTS)
PITCHES = 128  # MIDI notes

LABEL_RATE = 44100  # Hz; what the label files count time in

_PLACES = ("", "musicnet/", "musicnet/musicnet/")  # below root; the second of the Zenodo archive and of Kaggle's
_METADATA = "musicnet_metadata.csv"


def musicnet(root: str = "data/musicnet", seed: int = 0) -> tuple[Table, Task]:
    """Which of 21 ensembles plays a recording.

    Test is the official one, 10 recordings. It tears works apart: of each there are other movements in training.
    Of the 320 recordings for training a tenth is val, split by work (composer and catalogue number, as different
    works share a name), so that the movements of one are not torn apart; several recordings of a work stay together.
    An ensemble of which there is a single work is in train.

    Args:
        root: the folder with ``train_data/1727.wav``, ``test_data/`` and ``musicnet_metadata.csv``, or with
            ``musicnet/`` that holds them; the metadata may be beside ``musicnet/``, as in Kaggle's archive.
        seed: of the split into train and val.

    Returns:
        the recordings, labels (N, 21), grouped by work; the task. A recording that the metadata does not name has no
        label.

    Raises:
        UserError: the recordings or the metadata are not there, or the metadata is not as published.
    """
    top = layout.absolute(root)
    place = _place(top, "data")
    about = _metadata(top, place)
    files = {
        f"{place}{part}_data/{name}": (int(stem), part)
        for part in ("train", "test")
        for name in _names(top / f"{place}{part}_data")
        for stem, suffix in [os.path.splitext(name)]  # noqa: PTH122
        if stem.isascii() and stem.isdigit() and suffix.lower() in audio.SUFFIXES
    }
    if not files:
        folder = top / f"{place}train_data"
        raise UserError(
            f"musicnet: no recording such as 1727.wav in {folder} ({layout.found(folder)}). "
            f"Unpack musicnet.tar.gz anew, or pass --data.sl_kwargs.root."
        )
    here = {recording for recording, _ in files.values()}
    lost = [f"{recording}.wav" for recording in about.index if recording not in here]
    layout.say_missing("musicnet", "recordings", lost, len(about), top / place)

    paths = sorted(files)
    rows = about.reindex([files[path][0] for path in paths])
    column = pd.Index(ENSEMBLES).get_indexer(rows["ensemble"])
    labels = np.eye(len(ENSEMBLES), dtype=np.float32)[column]
    labels[column < 0] = np.nan
    work = rows["work"].fillna("").to_list()
    split = np.array([files[path][1] for path in paths], object)
    train = np.flatnonzero(split == "train")
    if len(train):
        split[train] = splits.assign(
            "musicnet",
            labels[train],
            [work[row] for row in train],
            "multiclass",
            shares={"train": 0.9, "val": 0.1, "test": 0.0},
            seed=seed,
            key=[paths[row].removeprefix(place) for row in train],
        )
    played = Notes(_Scores(str(top)), PROGRAMS, tuple(INSTRUMENTS.values()))
    task = Task("musicnet", "multiclass", ENSEMBLES, group="work", notes=played)
    return Table.build(top, paths, list(split), labels, work), task


@dataclass(frozen=True)
class _Scores:
    """:func:`notes` of a root; unlike a lambda or a partial it can be compared and pickled."""

    root: str

    def __call__(self, recording: str) -> npt.NDArray[np.void]:
        return notes(self.root, recording)


def notes(root: str | Path, recording: int | str | Path) -> npt.NDArray[np.void]:
    """The notes of a recording, by their start.

    Args:
        root: as for :func:`musicnet`.
        recording: its number, or the path of its audio or of its labels: ``1727``, ``train_data/1727.wav``.

    Returns:
        (M,) of type :data:`semisupcon.table.NOTE`.

    Raises:
        UserError: there are no labels of the recording, or they are not as published.
    """
    top = layout.absolute(root)
    name = f"{Path(str(recording)).stem}.csv"
    place = _place(top, "labels")
    file = next((f for part in ("train", "test") if (f := top / f"{place}{part}_labels" / name).is_file()), None)
    if file is None:
        raise UserError(
            f"musicnet: no {name} in {place}train_labels/ or {place}test_labels/ under {top} ({layout.found(top)}). "
            f"Unpack musicnet.tar.gz there, or pass another root."
        )
    try:
        read = pd.read_csv(file, usecols=["start_time", "end_time", "instrument", "note"], dtype=np.int64)
        wrong = ~read["instrument"].isin(PROGRAMS) | ~read["note"].between(0, PITCHES - 1)
        wrong |= (read["start_time"] < 0) | (read["end_time"] < read["start_time"])
        reason = f"row {int(wrong.argmax()) + 1} is {read[wrong].iloc[0].to_dict()}" if wrong.any() else ""
    except ValueError as error:  # pandas's own errors are ValueErrors
        reason = str(error)
    if reason:
        raise UserError(
            f"musicnet: {file} is not as published ({reason}). It should have start_time and end_time in samples at "
            f"44.1 kHz, an instrument of {', '.join(map(str, PROGRAMS))}, and a note of 0 to 127."
        )
    found = np.empty(len(read), NOTE)
    found["start"], found["end"] = read["start_time"] / LABEL_RATE, read["end_time"] / LABEL_RATE
    found["program"], found["note"] = read["instrument"], read["note"]
    return found[np.lexsort((found["note"], found["program"], found["end"], found["start"]))]


def _place(top: Path, what: str) -> str:
    """Where ``train_<what>`` and ``test_<what>`` are, relative to ``top``: empty, or with a slash at the end."""
    for place in _PLACES:
        if any((top / f"{place}{part}_{what}").is_dir() for part in ("train", "test")):
            return place
    raise UserError(
        f"musicnet: no folder train_{what}/ under {top} or in musicnet/ there ({layout.found(top)}). "
        f"Unpack musicnet.tar.gz there, or pass --data.sl_kwargs.root."
    )


def _metadata(top: Path, place: str) -> pd.DataFrame:
    """ensemble and work of each recording, by its number."""
    folders = [top / place, *(top / place).parents[: place.count("/")]]
    file = next((folder / _METADATA for folder in folders if (folder / _METADATA).is_file()), None)
    if file is None:
        raise UserError(
            f"musicnet: no {_METADATA} under {top} ({layout.found(top)}). Fetch it from "
            f"https://zenodo.org/records/5120004, put it there, or pass --data.sl_kwargs.root."
        )
    try:
        columns = ["id", "composer", "composition", "ensemble", "catalog_name"]
        read = pd.read_csv(file, usecols=columns, dtype=str, keep_default_na=False, encoding="utf-8-sig")
        number = pd.Index(pd.to_numeric(read["id"]).astype(np.int64))
        strange = set(read["ensemble"]) - set(ENSEMBLES)
        reason = f"an ensemble called {min(strange)!r}" if strange else ""
        reason = reason or ("" if len(read) and number.is_unique else "no rows, or a recording twice")
    except ValueError as error:  # pandas's own errors are ValueErrors
        reason = str(error)
    if reason:
        raise UserError(
            f"musicnet: {file} is not as published ({reason}). Its columns are id, composer, composition, movement, "
            f"ensemble, source, transcriber, catalog_name, seconds. Fetch it from https://zenodo.org/records/5120004."
        )
    # Beethoven and Dvorak both have an OP96, and Schubert three sonatas in A major.
    work = read["composer"] + " " + read["catalog_name"].where(read["catalog_name"] != "", read["composition"])
    return pd.DataFrame({"ensemble": read["ensemble"].to_numpy(), "work": work.to_numpy()}, index=number)


def _names(folder: Path) -> list[str]:
    return sorted(os.listdir(folder)) if folder.is_dir() else []  # noqa: PTH208
