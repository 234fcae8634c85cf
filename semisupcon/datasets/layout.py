"""What is on the disk, said in the words of an error message."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from pathlib import Path

_log = logging.getLogger(__name__)

_NAMED = 6  # entries of a folder that a message names before it counts the rest


def absolute(folder: str | Path) -> Path:
    """The full path of ``folder``, with ``~`` filled in; links stay as they are."""
    return Path(folder).expanduser().absolute()


def found(folder: str | Path) -> str:
    """What is under ``folder``, for an error message, such as ``found: a.zip, b.txt and 12 more``.

    Never raises: a folder that is missing, empty, unreadable or a file is said to be so.
    """
    try:
        with os.scandir(folder) as entries:
            names = sorted(f"{entry.name}/" if entry.is_dir() else entry.name for entry in entries)
    except FileNotFoundError:
        return "there is no such folder"
    except NotADirectoryError:
        return "that is a file"
    except OSError as error:
        return f"it cannot be read: {error.strerror}"
    names.sort(key=lambda name: name.startswith("."))  # what a user knows to be there comes first
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    # Names that are not UTF-8 hold lone surrogates, which a terminal refuses to print.
    return f"found: {', '.join(names[:_NAMED])}{more}".encode(errors="replace").decode() if names else "it is empty"


def say_missing(corpus: str, what: str, missing: Sequence[str], total: int, folder: str | Path) -> None:
    """Log a warning that some, not all, of the ``total`` files a corpus should have are not there."""
    if missing:
        _log.warning(
            "%s: left out %s of the %s %s, not found under %s; the first is %s",
            *(corpus, f"{len(missing):,}", f"{total:,}", what, folder, missing[0]),
        )
