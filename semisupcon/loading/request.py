"""What the user asked for, and what of it can be known before and after the tables are read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from semisupcon import datasets
from semisupcon.errors import UserError
from semisupcon.table import Table

SAME = "same"  # as ssl_task: the corpus of sl_task
DEFAULT_SHARE = 0.5  # b_s where both pools are there and the user says nothing


@dataclass(frozen=True)
class Request:
    """What the user asked for: the ``--data.*`` options of the same names, see ``MixedDataModule``."""

    sl_task: str | None = None
    ssl_task: str | None = None
    data_dir: str | None = None
    val_split: float = 0.1
    fully_supervised: bool = False
    sl_kwargs: Mapping[str, Any] | None = None
    ssl_kwargs: Mapping[str, Any] | None = None
    supervised_data_p: float = 1.0
    intrabatch_supervised_p: float | None = None
    split_seed: int = 0

    def __post_init__(self) -> None:
        if self.ssl_task == SAME:
            object.__setattr__(self, "ssl_task", self.sl_task)


def check(request: Request) -> None:
    """Raise a UserError where the options contradict each other, before anything is loaded."""
    if not (request.sl_task or request.ssl_task or request.data_dir):
        raise UserError(
            "Nothing to train on: sl_task, ssl_task and data_dir are all None.\n"
            "Give --data.data_dir=FOLDER (any folder of audio), --data.ssl_task=NAME (a corpus without its labels) or "
            "--data.sl_task=NAME (a corpus with its labels).\n"
            f"The tasks are: {', '.join(sorted(datasets.TASKS))}."
        )
    if request.ssl_task and request.data_dir:
        raise UserError(
            f"Two sources of unlabelled clips: ssl_task={request.ssl_task} and data_dir={request.data_dir}.\n"
            "Keep one: --data.ssl_task=None for the folder, --data.data_dir=None for the task. "
            "(Where a corpus lies on disk is said by --data.ssl_kwargs.root.)"
        )
    for name in ("supervised_data_p", "intrabatch_supervised_p"):
        value = getattr(request, name)
        if value is not None and not 0 <= value <= 1:
            raise UserError(f"--data.{name}={value}: a share, between 0 and 1, is meant.")
    asks_for_labels = request.fully_supervised or bool(request.intrabatch_supervised_p)
    if asks_for_labels and not request.sl_task:
        option = (
            "fully_supervised=true"
            if request.fully_supervised
            else f"intrabatch_supervised_p={request.intrabatch_supervised_p}"
        )
        raise UserError(
            f"--data.{option} asks for labelled clips, but no sl_task is given.\n"
            f"Name one with --data.sl_task (one of {', '.join(sorted(datasets.TASKS))}), or leave the option out."
        )


def same_corpus(request: Request) -> bool:
    """Whether both pools come from one corpus."""
    same_root = dict(request.sl_kwargs or {}) == dict(request.ssl_kwargs or request.sl_kwargs or {})
    return request.sl_task == request.ssl_task and same_root


def labelled_share_of_batch(request: Request, sl: Sequence[Table], both: bool, notes: list[str]) -> float:
    """b_s as it is used, from what is given and what is there: labelled tables, and whether there are unlabelled."""
    asked = request.intrabatch_supervised_p
    if request.fully_supervised and 0 in (request.supervised_data_p, asked):
        raise UserError(
            "--data.fully_supervised=true asks for labelled clips only, and --data.supervised_data_p="
            f"{request.supervised_data_p}, --data.intrabatch_supervised_p={asked} for none. Leave one of them out."
        )
    if not sl or request.supervised_data_p == 0 or asked == 0:
        return 0.0
    train = [table.of("train") for table in sl]
    if not any(table.labelled.any() for table in train):
        raise UserError(
            f"intrabatch_supervised_p > 0, but no training clip of {request.sl_task} under "
            f"{' and '.join(str(table.root) for table in sl)} has a label ({sum(map(len, train)):,} training clips "
            "found).\n"
            "Name another --data.sl_task, or --data.intrabatch_supervised_p=0 to train without labels."
        )
    if request.fully_supervised or asked == 1:
        return 1.0
    if not both:
        if asked is not None:
            notes.append(
                f"intrabatch_supervised_p={asked} has no effect: there is neither ssl_task nor data_dir, "
                "so every clip of a batch is labelled"
            )
        return 1.0
    return DEFAULT_SHARE if asked is None else float(asked)


def or_none(name: str | None) -> str | None:
    """The text ``None``, as a YAML file may have it, means none."""
    return None if name == "None" else name
