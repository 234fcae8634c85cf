"""Where files really lie, so that a link to a test file is known for what it is."""

from __future__ import annotations

import os
from collections.abc import Iterable


def real_paths(paths: Iterable[str]) -> list[str]:
    """Full paths without links in them, neither of folders nor of files.

    A folder is listed once, where asking for each file takes minutes on a network.
    """
    folders: dict[str, tuple[str, set[str]]] = {}
    real = []
    for path in paths:
        folder, name = os.path.split(path)
        if folder not in folders:
            folders[folder] = (os.path.realpath(folder), _links(folder))
        there, links = folders[folder]
        real.append(os.path.realpath(path) if name in links else f"{there}{os.sep}{name}")
    return real


def _links(folder: str) -> set[str]:
    """The names in a folder that are links."""
    try:
        with os.scandir(folder) as entries:
            return {entry.name for entry in entries if entry.is_symlink()}
    except OSError:
        return set()
