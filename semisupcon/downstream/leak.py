"""Whether a checkpoint's encoder was trained on files that it is now to be tested on."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path

from semisupcon.loading.leaks import copies
from semisupcon.loading.links import real_paths
from semisupcon.loading.pools import Pools
from semisupcon.loading.store import Store

TRAINED = ("labelled", "unlabelled")


def seen_in_pretraining(
    checkpoint: str | Sequence[str] | None, pools: Pools, content: bool = True, stores: str | None = None
) -> int | None:
    """How many of the task's test files the encoder was trained on, by what lies beside its checkpoints.

    The same file by whatever path, or (``content``) a copy of it by its bytes or its sound, see ``loading.leaks``.

    ``split.csv`` there says which file of which corpus was used for what, ``data.json`` under ``roots`` where the
    corpora were. A corpus whose folder is not known, or is gone, is looked for where this task's of that name is.

    Args:
        checkpoint: of the encoder, or several: of its parts, and those that their training began from. None or none =
            an untrained one, which has seen nothing.
        pools: this task's files.
        content: whether to look into the files, where they are still there.
        stores: the folder of prepared stores; None = in the cache.

    Returns:
        The count; None where it cannot be known: 0 but for a checkpoint without a ``split.csv``, or corpora not found.
    """
    checkpoints = [checkpoint] if isinstance(checkpoint, str) else checkpoint or []
    used = [_trained_on(Path(each).parent, pools) for each in checkpoints]
    tested = set(real_paths(str(path) for path in pools.paths[pools.test]))
    known = set(real_paths(path for files, _ in used for path in files))
    seen = len(tested & known)
    folders = {folder for _, found in used for folder in found}
    if content and tested and known:
        places = {folder for folder in [*folders, *pools.roots.values()] if folder}
        prepared = [Store.beside(place, stores=stores) for place in sorted(places)]
        rest = sorted(tested - known)
        seen += len(copies(rest, sorted(known - tested), [store for store in prepared if store is not None]))
    return seen if seen or None not in folders else None


def _trained_on(run: Path, pools: Pools) -> tuple[list[str], set[str | None]]:
    """The files that a run trained on, and the folders of their corpora; None among them = there are files unknown."""
    recorded = _roots(run / "data.json")
    folders: dict[str, str | None] = {"": ""}  # a file outside all corpora stands there with its full path
    files: list[str] = []
    try:
        with (run / "split.csv").open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                if row["use"] not in TRAINED:
                    continue
                corpus = row["corpus"]
                if corpus not in folders:
                    there = recorded.get(corpus)
                    folders[corpus] = there if there and Path(there).is_dir() else pools.roots.get(corpus)
                folder = folders[corpus]
                if folder is not None:
                    files.append(str(Path(folder, row["path"])))
    except (OSError, KeyError, UnicodeDecodeError, csv.Error):
        return [], {None}
    return files, set(folders.values())


def _roots(path: Path) -> dict[str, str]:
    try:
        held = json.loads(path.read_text(encoding="utf-8")).get("roots")
    except (OSError, ValueError, AttributeError):
        return {}
    return {str(name): str(folder) for name, folder in held.items()} if isinstance(held, dict) else {}
