"""GTZAN: 1,000 clips of 30 s in 10 genres, in the split that leaves out what is known to be faulty.

Tzanetakis & Cook, "Musical Genre Classification of Audio Signals", IEEE TSAP 2002. The corpus has repeated,
mislabelled and distorted clips and repeated artists (Sturm, "The GTZAN dataset", arXiv:1306.1461); the
fault-filtered split without them is that of Kereliuk, Sturm & Larsen, IEEE TMM 2015.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from semisupcon import audio
from semisupcon.datasets import layout, lists
from semisupcon.errors import UserError
from semisupcon.table import Split, Table, Task

GENRES = ("blues", "classical", "country", "disco", "hiphop", "jazz", "metal", "pop", "reggae", "rock")

_PLACES = ("", "genres", "genres_original", "Data/genres_original")  # below root; the last is Kaggle's archive


def gtzan(root: str = "data/gtzan", split_file: str | None = None) -> tuple[Table, Task]:
    """Which of 10 genres a clip has.

    The 70 clips that are in none of the three lists, some of them copies of test clips, stand in the test split
    without a label: they are neither scored nor, through whatever folder, trained on. Clips of the lists that are
    not on the disk are left out, and this is logged.

    Args:
        root: the folder with ``genres/`` or ``genres_original/`` in it, or one of the two itself. Files are
            ``<genre>/<genre>.00000.wav``, ``.au`` or any other suffix of audio.
        split_file: None = the fault-filtered split (443 / 197 / 290 clips); else a folder of lists, ``train*``,
            ``val*`` and ``test*``, with lines such as ``blues/blues.00029.wav`` or ``blues.00029``.

    Returns:
        the clips, labels (N, 10), no group, as the corpus does not say who plays; the task.

    Raises:
        UserError: the genre folders are not there, or none of the clips is, or a list is not as above.
    """
    top = _top(layout.absolute(root))
    there = _clips(top)
    wanted = _filtered() if split_file is None else _listed(split_file)
    rows = sorted((there[clip], wanted[clip]) for clip in wanted if clip in there)
    if not rows:
        raise UserError(
            f"gtzan: none of the {len(wanted):,} clips of the split is under {top} ({layout.found(top)}); "
            f"the first would be {_name(min(wanted))}. Unpack the archive there, or pass --data.sl_kwargs.root."
        )
    lost = sorted(_name(clip) for clip in wanted if clip not in there)
    layout.say_missing("gtzan", "clips of the split", lost, len(wanted), top)
    genre = np.array([GENRES.index(path.split("/")[0]) for path, _ in rows])
    # Clips on no list repeat listed ones, test clips too: unlabelled rows of the test split can reach no training.
    spare = sorted(there[clip] for clip in there if clip not in wanted)
    labels = np.concatenate([np.eye(len(GENRES))[genre], np.full((len(spare), len(GENRES)), np.nan)])
    path = [path for path, _ in rows] + spare
    return Table.build(top, path, [split for _, split in rows] + ["test"] * len(spare), labels), Task(
        "gtzan", "multiclass", GENRES
    )


def _top(root: Path) -> Path:
    """The folder that holds the genre folders."""
    for place in _PLACES:
        if any((root / place / genre).is_dir() for genre in GENRES):
            return root / place
    raise UserError(
        f"gtzan: no folder genres/ or genres_original/ under {root} ({layout.found(root)}). "
        f"Unpack the archive there, or pass --data.sl_kwargs.root."
    )


def _clips(top: Path) -> dict[str, str]:
    """What is on the disk: ``blues.00000`` -> ``blues/blues.00000.wav``; of two copies the last by suffix, the wav."""
    there: dict[str, str] = {}
    for genre in GENRES:
        names = sorted(os.listdir(top / genre)) if (top / genre).is_dir() else []  # noqa: PTH208
        for name in names:
            stem, suffix = os.path.splitext(name)  # noqa: PTH122
            if stem.startswith(f"{genre}.") and suffix.lower() in audio.SUFFIXES:  # not ._blues.00000.wav of macOS
                there[stem] = f"{genre}/{name}"
    return there


def _filtered() -> dict[str, Split]:
    # The lists are facts, and torchaudio, which the package needs anyhow, has them: better than a second copy here.
    # Imported only when they are asked for, since it brings torch along and this module is read without.
    from torchaudio.datasets.gtzan import filtered_test, filtered_train, filtered_valid

    parts: tuple[tuple[Split, list[str]], ...]
    parts = (("train", filtered_train), ("val", filtered_valid), ("test", filtered_test))
    return {clip: split for split, clips in parts for clip in clips}


def _listed(folder: str) -> dict[str, Split]:
    wanted: dict[str, Split] = {}
    for split, lines in lists.read(folder, "gtzan").items():
        for line in lines:
            clip = line.replace("\\", "/").rsplit("/", 1)[-1]
            stem, suffix = os.path.splitext(clip)  # noqa: PTH122
            clip = stem if suffix.lower() in audio.SUFFIXES else clip
            if clip.split(".")[0] not in GENRES:
                raise UserError(f"gtzan: the {split} list under {folder} has the line {line!r}, which names no clip.")
            if wanted.setdefault(clip, split) != split:
                raise UserError(f"gtzan: {clip} is in two lists under {folder}, {wanted[clip]} and {split}.")
    return wanted


def _name(clip: str) -> str:
    return f"{clip.split('.')[0]}/{clip}.wav"
