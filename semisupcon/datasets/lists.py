"""Split lists: which clips are train, val and test, as published beside a paper or written by the user."""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np

from semisupcon.datasets import layout
from semisupcon.errors import UserError
from semisupcon.table import SPLITS, Split

SUFFIXES = (".npy", ".tsv", ".txt", ".csv")

_SPELLED: dict[str, Split] = {"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}


def read(where: str, corpus: str) -> dict[Split, list[str]]:
    """The lines that name the clips of each split, as text; what is in a line is the corpus's business.

    Args:
        where: a folder of three lists, or one list of all.

            In a folder, the file names begin ``train``, ``val`` and ``test`` and end ``.npy`` (an array of text),
            ``.tsv``, ``.txt`` or ``.csv`` (one clip a line; empty lines and those that begin ``#`` do not count).
            So ``train.npy valid.npy test.npy`` of minzwon/sota-music-tagging-models are read as they are, and
            ``train_gt_mtt.tsv val_gt_mtt.tsv test_gt_mtt.tsv`` of jordipons/musicnn-training too.

            In one list, the last field of each line, after a tab or a comma, is ``train``, ``val`` or ``test``;
            the first line may be a header.
        corpus: the name of the task, for error messages.

    Raises:
        UserError: a list is missing, is there twice, is empty, or cannot be read.
    """
    path = layout.absolute(where)
    if path.is_file():
        return _by_last_field(path, corpus)
    names = sorted(os.listdir(path)) if path.is_dir() else []  # noqa: PTH208
    parts: dict[Split, list[str]] = {}
    for split in SPLITS:
        own = [name for name in names if name.lower().startswith(split) and name.lower().endswith(SUFFIXES)]
        if not own:
            raise UserError(
                f"{corpus}: no list {split}*.npy, .tsv, .txt or .csv under {path} ({layout.found(path)}). "
                f"Pass the folder with the lists of all three splits as split_file."
            )
        if len(own) > 1:
            raise UserError(f"{corpus}: {' and '.join(own)} under {path} could all be the {split} list. Keep one.")
        parts[split] = _lines(path / own[0], corpus)
    return parts


def _by_last_field(file: Path, corpus: str) -> dict[Split, list[str]]:
    parts: dict[Split, list[str]] = {split: [] for split in SPLITS}
    for number, line in enumerate(_lines(file, corpus)):
        *fields, last = re.split("[\t,]", line)
        split = _SPELLED.get(last.strip(' "').lower())
        if split and fields:
            parts[split].append(line[: -len(last) - 1])
        elif number:
            raise UserError(f"{corpus}: {file}: the line {line!r} does not end in train, val or test.")
    if empty := [split for split in SPLITS if not parts[split]]:
        raise UserError(f"{corpus}: {file} has no clip of {' or '.join(empty)}.")
    return parts


def _lines(file: Path, corpus: str) -> list[str]:
    try:
        if file.suffix.lower() == ".npy":
            # Never unpickled: a pickle that comes from somewhere else can run any code.
            raw = [str(line) for line in np.load(file, allow_pickle=False).ravel()]
        else:
            raw = file.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, ValueError, EOFError) as error:
        raise UserError(
            f"{corpus}: {file} cannot be read as a list ({error}). It should be a .npy array of text that is not "
            f"pickled, or a text file of one clip a line."
        ) from None
    lines = [line.strip() for line in raw if line.strip() and not line.startswith("#")]
    if not lines:
        raise UserError(f"{corpus}: {file} names no clip.")
    return lines
