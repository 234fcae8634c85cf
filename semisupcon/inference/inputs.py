"""What is to be embedded: files as they are named, and the audio files in folders."""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from semisupcon import audio
from semisupcon.datasets.folder import _files, _seen
from semisupcon.errors import UserError

Input = str | os.PathLike[str]

log = logging.getLogger(__name__)

_NOT_READ = frozenset({".m4a", ".aac", ".wma", ".mp4", ".alac", ".ape", ".mka", ".webm", ".amr", ".ra", ".dsf"})
_NOT_TEXT = "has a name that is not UTF-8; rename it"


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
        what is there; a missing file, a folder without audio and a name that is not UTF-8 are among it, to be named
        as bad.

    Raises:
        UserError: an input is empty text.
    """
    found: dict[str, Found] = {}  # by full path
    left_out: Counter[str] = Counter()
    for each in inputs:
        given = os.fspath(each)
        if not given:
            raise UserError("An input is empty text (''). Name a file or a folder; the working folder is called .")
        path = str(Path(given).expanduser())
        if not os.path.isdir(path):  # noqa: PTH112 (a name with a null byte is no error here)
            found.setdefault(_full(path), _file(given, path))
            continue
        inside, suffixes = _inside(_full(path))
        left_out.update({suffix: count for suffix, count in suffixes.items() if suffix in _NOT_READ})
        if not inside:
            reason = f"is a folder without an audio file ({_seen(suffixes)})"
            found.setdefault(_full(path), Found(_shown(given), path, reason))
        before = "" if len(inputs) == 1 else f"{given.rstrip('/')}/"
        for relative in inside:
            full = f"{path.rstrip('/')}/{relative}"
            found.setdefault(_full(full), _file(before + relative, full))
    if left_out:
        kinds = ", ".join(f"{count:,} {suffix}" for suffix, count in left_out.most_common())
        log.warning(f"left out, not read by libsndfile: {kinds}")
    return list(found.values())


def _inside(top: str) -> tuple[list[str], Counter[str]]:
    """The audio files in a folder, by their paths in it, and how many files there are of each suffix."""
    suffixes: Counter[str] = Counter()
    inside = []
    for path in _files(top):
        suffix = _shown(os.path.splitext(path)[1].lower())  # noqa: PTH122
        suffixes[suffix] += 1
        if suffix in audio.SUFFIXES:
            inside.append(path)
    return sorted(inside), suffixes


def _file(given: str, path: str) -> Found:
    return Found(_shown(given), path, "" if _is_text(given) else _NOT_TEXT)


def _full(path: str) -> str:
    return os.path.abspath(path)  # noqa: PTH100 (no Path object for each of 100,000 files)


def _is_text(name: str) -> bool:
    return _shown(name) == name


def _shown(name: str) -> str:
    """A name as any file can hold it."""
    return name.encode(errors="surrogateescape").decode(errors="backslashreplace")
