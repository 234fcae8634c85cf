"""A run's folder: one for each run, never shared, holding its whole story."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
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
        if not name or Path(name).is_absolute() or ".." in Path(name).parts:
            raise UserError(
                f"--run_name={name}: the name of a folder inside {parent} is meant, such as --run_name=first."
            )
        folder = parent / name
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise UserError(
                f"{folder}: this run's folder is in use already (found: {_content(folder)}).\n"
                f"Choose another --run_name, leave it out, or go on with --resume_from_ckpt={folder / 'last.ckpt'}."
            )
        _make(folder, exist_ok=True)
        return folder
    stem = f"{command}-{time.strftime('%Y-%m-%d-%H%M%S')}"
    for number in range(1, 1000):
        folder = parent / (stem if number == 1 else f"{stem}-{number}")
        try:
            _make(folder)
        except FileExistsError:
            continue
        return folder
    raise UserError(f"{parent}: a thousand runs started within this second; give each a --run_name.")


@contextlib.contextmanager
def taken_back(parent: str | Path, make: Callable[[], Path]) -> Iterator[Path]:
    """The folder that ``make`` makes in ``parent``; it goes again where what is inside fails and left it empty."""
    parent = Path(parent)
    missing = [folder for folder in (parent, *parent.parents) if not folder.exists()]
    folder = make()
    try:
        yield folder
    except BaseException:
        for made in (*([folder] if folder != parent else []), *missing):
            with contextlib.suppress(OSError):  # something is in it
                made.rmdir()
        raise


def _make(folder: Path, exist_ok: bool = False) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=exist_ok)
    except FileExistsError:
        raise
    except OSError as error:
        raise UserError(
            f"{folder}: this run's folder cannot be made: {error.strerror}. Give another --ckpt_path."
        ) from None


def _content(folder: Path, shown: int = 4) -> str:
    if folder.is_file():
        return "a file"
    names = sorted(path.name for path in folder.iterdir())
    return ", ".join(names[:shown]) + (f" and {len(names) - shown} more" if len(names) > shown else "")
