"""The corpora, and the one resolver from a task's name to its Table and Task.

A corpus is one file with one function for each of its tasks. The function takes a folder and the corpus's own
options, all of them named and with defaults, and returns ``(Table, Task)``.
"""

from __future__ import annotations

import importlib
import inspect
from typing import Any

from semisupcon.errors import UserError, did_you_mean
from semisupcon.table import Table, Task, check_labels

# Name on the command line -> "module:function" inside this package.
TASKS: dict[str, str] = {
    "synth_instrument": "synth:synth_instrument",
    "synth_pitch": "synth:synth_pitch",
    "synth_tags": "synth:synth_tags",
    "synth_key": "synth:synth_key",
    "synth_mood": "synth:synth_mood",
    "nsynth_pitch": "nsynth:nsynth_pitch",
    "nsynth_instr_family": "nsynth:nsynth_instr_family",
    "gtzan": "gtzan:gtzan",
    "mtat_top50": "mtat:mtat_top50",
    "mtat_all": "mtat:mtat_all",
}


def load(name: str, option: str = "--data.sl_task", **kwargs: Any) -> tuple[Table, Task]:
    """The table and the task that ``name`` stands for.

    Args:
        name: a task name, one of ``TASKS``.
        option: the command line option that named it, for error messages; its kwargs are taken to be
            ``--data.sl_kwargs`` for ``--data.sl_task``, and so on.
        kwargs: options of the corpus, such as ``root``.

    Raises:
        UserError: the name is unknown, or the corpus takes no such option, or its folder or its labels are
            not as expected.
    """
    if name not in TASKS:
        hint = did_you_mean(name, TASKS)
        raise UserError(f"{option}={name}: no such task.{hint}\nThe tasks are: {', '.join(sorted(TASKS))}.")
    module, function = TASKS[name].split(":")
    corpus = getattr(importlib.import_module(f"semisupcon.datasets.{module}"), function)
    taken = inspect.signature(corpus).parameters
    for key in kwargs:
        if key not in taken:
            hint = did_you_mean(key, taken)
            raise UserError(
                f"{option.replace('_task', '_kwargs')}.{key}: {name} takes no such option.{hint}\n"
                f"Its options are: {', '.join(taken) or 'none'}."
            )
    table, task = corpus(**kwargs)
    check_labels(table, task)
    return table, task


def load_folder(root: str, val_split: float) -> Table:
    """A plain folder of audio as a table without labels, split into train and val.

    Args:
        root: searched with all its subfolders.
        val_split: the share of files that go to ``val``, in [0, 1).

    Raises:
        UserError: the folder is missing or holds no audio.
    """
    from semisupcon.datasets.folder import folder

    return folder(root, val_split)
