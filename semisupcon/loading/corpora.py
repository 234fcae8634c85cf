"""The corpora that the user named, loaded: each once, with labels or without."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from semisupcon import datasets
from semisupcon.errors import UserError
from semisupcon.loading.request import Request, same_corpus
from semisupcon.table import Table, Task


@dataclass(frozen=True, eq=False)
class Corpus:
    """One of them.

    Args:
        name: for people; no other corpus has it.
        table: its files.
        task: what their labels are; None of a folder.
    """

    name: str
    table: Table
    task: Task | None


@dataclass(frozen=True)
class Corpora:
    """All of them.

    Args:
        sl: those whose labels are used, in the order of the label columns.
        ssl: those used without labels; the same objects where they are the same.
    """

    sl: tuple[Corpus, ...]
    ssl: tuple[Corpus, ...]

    @property
    def all(self) -> tuple[Corpus, ...]:
        """Each once."""
        return tuple(dict.fromkeys((*self.sl, *self.ssl)))

    @property
    def inside(self) -> Corpora:
        """Without the rows whose paths lead outside their roots."""
        kept = {each: _inside(each) for each in self.all}
        return Corpora(tuple(kept[each] for each in self.sl), tuple(kept[each] for each in self.ssl))


def load(request: Request) -> Corpora:
    """Load what was asked for.

    Raises:
        UserError: a name is unknown, an option does not fit, or a corpus is not as expected.
    """
    sl = _tasks(request.sl_task, request.sl_kwargs, "sl")
    if request.sl_task is not None and same_corpus(request):
        return Corpora(sl, sl)
    if request.data_dir:
        split_file = dict(request.ssl_kwargs or {}).get("split_file")
        table = datasets.load_folder(request.data_dir, request.val_split, split_file)
        return Corpora(sl, (Corpus("folder", table, None),))
    taken = {each.name for each in sl}
    ssl = _tasks(request.ssl_task, request.ssl_kwargs, "ssl")
    return Corpora(sl, tuple(replace(c, name=f"{c.name} (ssl_kwargs)") if c.name in taken else c for c in ssl))


def task_names(given: str | None) -> list[str]:
    """``a+b`` is two tasks, unless it is a file."""
    if given is None:
        return []
    return [given] if "+" not in given or Path(given).exists() else given.split("+")


def _tasks(given: str | None, options: Mapping[str, Any] | None, which: str) -> tuple[Corpus, ...]:
    names, kwargs = task_names(given), dict(options or {})
    if len(names) <= 1:
        return tuple(Corpus(name, *datasets.load(name, f"--data.{which}_task", **kwargs)) for name in names)
    if twice := {name for name in names if names.count(name) > 1}:
        raise UserError(f"--data.{which}_task={given} names {', '.join(sorted(twice))} twice.")
    if strange := [key for key in kwargs if key not in names or not isinstance(kwargs[key], Mapping)]:
        raise UserError(
            f"--data.{which}_kwargs.{strange[0]}: of several tasks say which one an option is for, such as "
            f"--data.{which}_kwargs.{names[0]}.root=FOLDER."
        )
    option = f"--data.{which}_task"
    return tuple(Corpus(name, *datasets.load(name, option, **kwargs.get(name, {}))) for name in names)


def _inside(corpus: Corpus) -> Corpus:
    outside = corpus.table.outside
    return replace(corpus, table=corpus.table.rows(~outside)) if np.any(outside) else corpus
