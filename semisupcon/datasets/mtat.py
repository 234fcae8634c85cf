"""MagnaTagATune: 25,863 clips of 29 s with 188 tags, of which the field uses the 50 commonest.

Law, West, Mandel, Bay & Downie, "Evaluation of Algorithms Using Games: The Case of Music Tagging", ISMIR 2009;
http://mirg.city.ac.uk/codeapps/the-magnatagatune-dataset.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from semisupcon.datasets import layout, lists
from semisupcon.errors import UserError
from semisupcon.table import TEXT, Split, Table, Task

ANNOTATIONS = "annotations_final.csv"

# The split of the field, by folder: 18,706 / 1,825 / 5,329 clips that have audio.
FOLDERS: dict[str, Split] = {**dict.fromkeys("0123456789ab", "train"), "c": "val", **dict.fromkeys("def", "test")}

# Three files of the corpus as it is distributed have 0 bytes.
EMPTY = (
    "6/norine_braun-now_and_zen-08-gently-117-146.mp3",
    "8/jacob_heringman-josquin_des_prez_lute_settings-19-gintzler__pater_noster-204-233.mp3",
    "9/american_baroque-dances_and_suites_of_rameau_and_couperin-25-le_petit_rien_xiveme_ordre_couperin-88-117.mp3",
)


def mtat_top50(root: str = "data/magnatagatune", split_file: str | None = None) -> tuple[Table, Task]:
    """Which of the 50 commonest tags a clip has.

    A clip with none of the tags keeps its row, with labels NaN: the players of TagATune wrote what came to mind,
    so that no tag at all says that nobody judged the clip, not that nothing fits. Such clips serve as unlabelled
    training data; those of the test folders stay in test, out of training and, unlabelled, out of the scores. What
    is labelled are thus the 15,247 / 1,529 / 4,332 clips of the cleaned split.

    The folders tear artists apart (some are in train and in test): the split is the field's, not ours. ``group``
    is the artist all the same, for intervals.

    Args:
        root: the folder with ``annotations_final.csv``, and the folders ``0`` to ``f`` of clips in it or in one
            folder below it, such as ``mp3/``.
        split_file: None = the folder split (0-9, a, b: train; c: val; d, e, f: test); else a folder of lists or
            one list, see :func:`semisupcon.datasets.lists.read`. A line names a clip by its path (``f/name.mp3``)
            or, if it has none, by the clip_id that it begins with. Clips in no list are left out; but if they are
            of a test folder, or of a song of which another stretch is tested, then they stay as unlabelled test
            clips, and can so not come back as unlabelled training data.

    Returns:
        the clips, labels (N, 50), tags by falling count over the whole file and ties by name; the task.

    Raises:
        UserError: the annotations, the clips or the lists are not there or not as published.
    """
    return _clips(root, split_file, "mtat_top50", 50)


def mtat_all(root: str = "data/magnatagatune", split_file: str | None = None) -> tuple[Table, Task]:
    """Which of all 188 tags a clip has, in the order of the file; else as :func:`mtat_top50`."""
    return _clips(root, split_file, "mtat_all", None)


def _clips(root: str, split_file: str | None, name: str, top: int | None) -> tuple[Table, Task]:
    base = layout.absolute(root)
    frame = _annotations(base / ANNOTATIONS, name)
    tags = np.array(frame.columns.drop(["clip_id", "mp3_path"]), dtype=str)
    values = frame[tags].to_numpy(np.float32) > 0
    if top is not None:
        if len(tags) < top:
            raise UserError(f"{name}: {base / ANNOTATIONS} has {len(tags)} tags, at least {top} are wanted.")
        commonest = np.lexsort((tags, -values.sum(axis=0)))[:top]  # the last key is the first to count
        tags, values = tags[commonest], values[:, commonest]
    labels = values.astype(np.float32)
    labels[~values.any(axis=1)] = np.nan  # nobody judged it, see mtat_top50
    split = frame["mp3_path"].str.split("/").str[0].map(FOLDERS)
    if split.isna().any():
        raise UserError(f"{name}: {base / ANNOTATIONS}: {frame['mp3_path'][split.isna()].iloc[0]} is in no folder 0-f.")
    keep = np.ones(len(frame), bool)
    if split_file is not None:
        split, keep = _listed(frame, split, split_file, name)
        labels[split.isna()] = np.nan
        split = split.fillna("test")
    place, there = _audio(base, frame["mp3_path"], name)
    lost = frame["mp3_path"][keep & ~there & ~frame["mp3_path"].isin(EMPTY)]
    layout.say_missing(name, "clips", list(lost), int(keep.sum()), base / place)
    keep = keep & there
    paths = frame["mp3_path"][keep]
    table = Table(
        root=base,
        path=(place + paths).to_numpy(str).astype(TEXT),
        split=split[keep].to_numpy(str).astype(TEXT),
        labels=labels[keep],
        # <artist>-<album>-<track>-<title>-<start>-<end>.mp3, with no hyphen inside a field
        group=paths.str.split("/").str[1].str.split("-").str[0].to_numpy(str).astype(TEXT),
    )
    return table, Task(name, "multilabel", tuple(tags.tolist()), group="artist")


def _annotations(file: Path, name: str) -> pd.DataFrame:
    """The rows of the annotation file: clip_id, one 0/1 column for each tag, mp3_path."""
    if not file.is_file():
        raise UserError(
            f"{name}: no {ANNOTATIONS} under {file.parent} ({layout.found(file.parent)}). "
            f"Put it there, beside the folders 0 to f of clips, or pass --data.sl_kwargs.root."
        )
    try:
        frame = pd.read_csv(file, sep="\t", encoding="utf-8-sig")
        wrong = {"clip_id", "mp3_path"} - set(frame.columns)
        reason = f"no column {' or '.join(sorted(wrong))}" if wrong else ""
        if not wrong and not (frame["mp3_path"].is_unique and frame["clip_id"].is_unique and len(frame)):
            reason = "no rows, or the same clip twice"
    except ValueError as error:  # pandas's own errors are ValueErrors
        reason = str(error)
    if reason:
        raise UserError(
            f"{name}: {file} is not as published ({reason}). Its columns, separated by tabs, are clip_id, "
            f"188 tags and mp3_path. Fetch it anew."
        )
    return frame


def _listed(
    frame: pd.DataFrame, by_folder: pd.Series, where: str, name: str
) -> tuple[pd.Series, npt.NDArray[np.bool_]]:
    """The splits by the lists, NaN for clips in none; and which rows to keep."""
    split = pd.Series(np.nan, index=frame.index, dtype=object)
    for part, lines in lists.read(where, name).items():
        text = pd.Series(lines)
        path = text.str.extract(r"\b([0-9a-f]/[^\t,\"]+\.mp3)", expand=False)
        # In train.npy and its like the number beside the path is a row of another file: only the path counts.
        number = text.str.extract(r'^"?(\d+)\b', expand=False)[path.isna()]
        if len(text) and path.isna()[0] and number.isna()[0]:
            number = number.drop(0)  # a header
        rows = np.concatenate(
            [
                pd.Index(frame["mp3_path"]).get_indexer(path.dropna()),
                pd.Index(frame["clip_id"]).get_indexer(pd.to_numeric(number).fillna(-1).astype(np.int64)),
            ]
        )
        if (rows < 0).any():
            named = [*path.dropna().index, *number.index]
            line = lines[named[int((rows < 0).argmax())]]
            raise UserError(
                f"{name}: {(rows < 0).sum():,} of the {len(rows):,} clips of the {part} list under {where} are not in "
                f"{ANNOTATIONS}; the first is the line {line[:100]!r}."
            )
        if (twice := split[rows].notna() & (split[rows] != part)).any():
            clip = frame["mp3_path"][twice.index[twice.argmax()]]
            raise UserError(
                f"{name}: {clip} is in two lists under {where}, {split[twice.index[twice.argmax()]]} and {part}."
            )
        split[rows] = part
    song = frame["mp3_path"].str.replace(r"-\d+-\d+\.mp3$", "", regex=True)
    tested = (by_folder == "test") | song.isin(song[split == "test"])
    return split, (split.notna() | tested).to_numpy()


def _audio(base: Path, paths: pd.Series, name: str) -> tuple[str, npt.NDArray[np.bool_]]:
    """Where the folders 0 to f are, relative to ``base`` (empty, or with a slash at the end); which clips are there."""
    below = sorted(entry.name for entry in os.scandir(base) if entry.is_dir() and entry.name not in FOLDERS)
    for place in ("", *(f"{folder}/" for folder in below)):
        # 16 listings instead of 25,863 questions, which take minutes on a network disk.
        folders = [folder for folder in FOLDERS if (base / place / folder).is_dir()]
        names = {f"{folder}/{file}" for folder in folders for file in os.listdir(base / place / folder)}  # noqa: PTH208
        there = paths.isin(names).to_numpy()
        if there.any():
            known = paths.isin([file for file in EMPTY if file in names and not (base / place / file).stat().st_size])
            return place, there & ~known.to_numpy()
    raise UserError(
        f"{name}: {ANNOTATIONS} is under {base}, but its clips (the first is {paths.iloc[0]}) are neither there "
        f"nor in a folder below ({layout.found(base)}). Join mp3.zip.001 to .003, unpack that there, "
        f"or pass --data.sl_kwargs.root."
    )
