"""What is to be embedded: files as they are named, and the audio files in folders."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from semisupcon.datasets.folder import folder
from semisupcon.errors import UserError

Input = str | os.PathLike[str]


class Found(NamedTuple):
    """One thing to embed.

    Args:
        name: what it is called in the output.
        path: what to open.
        reason: why there is nothing to open; empty = open it.
    """

    name: str
    path: str
    reason: str = ""


def find(inputs: Sequence[Input]) -> list[Found]:
    """Everything to embed, each file once, in the order of the inputs; the files of a folder in that of their paths.

    A file is tried whatever its suffix is and called as it was given. Folders are searched as ``datasets.folder``
    does. A file in one is called by its path inside it where that folder is the only input; where there are several
    inputs, by the folder as given and that path, so that a name tells where the file is.

    Args:
        inputs: files and folders.

    Returns:
        what is there; a missing file or a folder without audio is among it, to be named as bad.
    """
    found: dict[str, Found] = {}  # by full path
    for each in inputs:
        given = os.fspath(each)
        path = str(Path(given).expanduser())
        if not os.path.isdir(path):  # noqa: PTH112 (a name with a null byte is no error here)
            found.setdefault(_full(path), _file(given, path))
            continue
        try:
            inside = folder(path, val_split=0).path.tolist()
        except UserError as error:  # which names an option of training
            reason = str(error).partition(": ")[2].partition(". ")[0]
            found.setdefault(_full(path), Found(_shown(given), path, f"is a folder: {reason}"))
            continue
        before = "" if len(inputs) == 1 else f"{given.rstrip('/')}/"
        for relative in inside:
            full = f"{path.rstrip('/')}/{relative}"
            found.setdefault(_full(full), Found(before + relative, full))
    return list(found.values())


def _file(given: str, path: str) -> Found:
    reason = "" if _is_text(given) else "has a name that is not UTF-8; rename it"
    return Found(_shown(given), path, reason)


def _full(path: str) -> str:
    return os.path.abspath(path)  # noqa: PTH100 (no Path object for each of 100,000 files)


def _is_text(name: str) -> bool:
    return _shown(name) == name


def _shown(name: str) -> str:
    """A name as any file can hold it."""
    return name.encode(errors="surrogateescape").decode(errors="backslashreplace")
