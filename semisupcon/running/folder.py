"""A run's folder: one for each run, never shared, holding its whole story."""

from __future__ import annotations

import time
from pathlib import Path

from semisupcon.errors import UserError


def run_folder(parent: str | Path, name: str | None, command: str) -> Path:
    """Make the folder of a new run.

    Args:
        parent: ``--ckpt_path``, the folder that runs are kept in.
        name: ``--run_name``; None = command, date and time, with a number where that is taken.
        command: what runs, such as ``pretrain``.

    Raises:
        UserError: ``parent`` is a file, or the named run exists already.
    """
    parent = Path(parent)
    for part in (parent, *parent.parents):
        if part.is_file() or (part.suffix == ".ckpt" and not part.exists()):
            what = "is a file" if part.exists() else "looks like a checkpoint file"
            raise UserError(
                f"--ckpt_path={parent}: {part} {what}, but the folder that runs are kept in is meant.\n"
                f"Give a folder, such as --ckpt_path=runs. To go on from a checkpoint: --resume_from_ckpt={parent}."
            )
    if name is not None:
        folder = parent / name
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise UserError(
                f"{folder}: this run's folder is in use already (found: {_content(folder)}).\n"
                f"Choose another --run_name, leave it out, or go on with --resume_from_ckpt={folder / 'last.ckpt'}."
            )
        folder.mkdir(parents=True, exist_ok=True)
        return folder
    stem = f"{command}-{time.strftime('%Y-%m-%d-%H%M%S')}"
    for number in range(1, 1000):
        folder = parent / (stem if number == 1 else f"{stem}-{number}")
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            continue
        return folder
    raise UserError(f"{parent}: a thousand runs started within this second; give each a --run_name.")


def _content(folder: Path, shown: int = 4) -> str:
    if folder.is_file():
        return "a file"
    names = sorted(path.name for path in folder.iterdir())
    return ", ".join(names[:shown]) + (f" and {len(names) - shown} more" if len(names) > shown else "")
