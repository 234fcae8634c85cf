"""The command line of what is done to a dataset before training: the data options of the two scripts, and no model."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml  # type: ignore[import-untyped]
from jsonargparse import ActionConfigFile  # type: ignore[attr-defined]

from semisupcon import datasets
from semisupcon.errors import UserError
from semisupcon.loading import corpora
from semisupcon.loading.datamodule import MixedDataModule
from semisupcon.loading.request import Request, check, or_none
from semisupcon.running.given import explicit_none, included, options, read_config
from semisupcon.running.parser import Help, Parser
from semisupcon.table import Table, Task

DEFAULT_RATE, DEFAULT_SECONDS = 22050, 2.7

# What else the configs of pretrain.py and finetune.py hold, and their command lines.
OTHERS = frozenset(
    "system model trainer checkpoint picture early_stopping log ckpt_path run_name resume_from_ckpt include".split()  # noqa: SIM905
)
_OWN_WORKERS = "num_workers"  # of a config: how many processes load for a training, which is another matter


@dataclass(frozen=True)
class Option:
    """An option of one command alone.

    Args:
        name: without dashes.
        type: as jsonargparse takes it.
        default: its value where it is not given.
        help: a sentence.
    """

    name: str
    type: Any
    default: Any
    help: str


class DataCommand:
    """The data that a command is about.

    Args:
        sl_task: a corpus with labels (a task name).
        ssl_task: a corpus without labels; same = that of sl_task.
        data_dir: a folder of audio.
        val_split: the share of the files in data_dir that is validated on.
        sl_kwargs: options of the sl_task corpus, such as root.
        ssl_kwargs: options of the ssl_task corpus.
        target_sr: sample rate in Hz that audio is decoded to; None = 22,050.
        target_len: length of a view in seconds; None = 2.7.
        store: the folder that prepared audio is kept in; None = in the cache.
        max_bad_share: the share of files without audio above which something is wrong with the dataset.
        num_workers: processes; None = one for each core. Counts on the command line only: in a config it is meant
            for training.
    """

    def __init__(
        self,
        sl_task: str | None = None,
        ssl_task: str | None = None,
        data_dir: str | None = None,
        val_split: float = 0.1,
        sl_kwargs: dict[str, Any] | None = None,
        ssl_kwargs: dict[str, Any] | None = None,
        target_sr: int | None = None,
        target_len: float | None = None,
        store: str | None = None,
        max_bad_share: float = 0.2,
        num_workers: int | None = None,
    ) -> None:
        for name, value, least in (("target_sr", target_sr, 1), ("num_workers", num_workers, 0)):
            if value is not None and value < least:
                raise UserError(f"--data.{name}={value}: at least {least} is needed.")
        if target_len is not None and not target_len > 0:
            raise UserError(f"--data.target_len={target_len}: a length in seconds is meant, such as 2.7.")
        if not 0 <= max_bad_share <= 1:
            raise UserError(f"--data.max_bad_share={max_bad_share}: a share, between 0 and 1, is meant.")
        sl_task, ssl_task, data_dir = or_none(sl_task), or_none(ssl_task), or_none(data_dir)
        if not (sl_task or ssl_task or data_dir):
            raise UserError(
                "No data is named: sl_task, ssl_task and data_dir are all None.\n"
                "Give --data.data_dir=FOLDER (any folder of audio), --data.sl_task=NAME (a corpus), or the --config of "
                f"a training.\nThe tasks are: {', '.join(sorted(datasets.TASKS))}."
            )
        self.request = Request(
            sl_task, ssl_task, data_dir, val_split=val_split, sl_kwargs=sl_kwargs, ssl_kwargs=ssl_kwargs
        )
        check(self.request)
        self.sl_task, self.ssl_task, self.data_dir = sl_task, self.request.ssl_task, data_dir
        self.val_split, self.sl_kwargs, self.ssl_kwargs = val_split, sl_kwargs, ssl_kwargs
        self.target_sr, self.target_len = target_sr or DEFAULT_RATE, target_len or DEFAULT_SECONDS
        self.rate_given = target_sr is not None
        self.store, self.max_bad_share, self.num_workers = or_none(store), max_bad_share, num_workers
        self.seed = 0
        self.own: dict[str, Any] = {}
        """The values of the command's own options, by their names."""

    def tables(self) -> list[tuple[str, Table, Task | None]]:
        """Everything named: what it is called, its files of all splits, and what their labels are.

        Raises:
            UserError: a name is unknown, or a corpus is not as expected.
        """
        return [(corpus.name, corpus.table, corpus.task) for corpus in corpora.load(self.request).all]


def parse(script: str, about: str, own: Sequence[Option] = (), args: Sequence[str] | None = None) -> DataCommand:
    """The command line of one command.

    The same ``--config`` files as for pretrain.py and finetune.py serve: what they say of model, trainer and the
    like is accepted and unused, on the command line too, and so are those ``--data.*`` options that only
    training has a use for.

    Args:
        script: how it is called, such as ``-m semisupcon.prepare``.
        about: how --help begins.
        own: the options of this command alone.
        args: the command line; None = this process's.

    Raises:
        UserError: an option is unknown, or its value is not what it must be.
    """
    args = explicit_none(included(list(sys.argv[1:] if args is None else args)))
    parser = Parser(
        prog=f"python {script}",
        description=about,
        formatter_class=Help,
        usage="%(prog)s [--config FILE ...] [--option=value ...]",
        allow_abbrev=False,
    )
    parser.add_argument(
        "-c",
        "--config",
        action=ActionConfigFile,
        help="A config of pretrain.py or finetune.py; of several the last wins.",
    )
    parser.add_argument("--seed_everything", type=bool | int, default=0, help="Decides whatever is drawn at random.")
    for option in own:
        parser.add_argument(f"--{option.name}", type=option.type, default=option.default, help=option.help)
    parser.add_class_arguments(DataCommand, "data")
    parser.given = options(args)
    config = parser.parse_args([*_used(args, unused_options()), *_folder_alone(args)])
    command = DataCommand(**config["data"].as_dict())
    command.seed = int(config["seed_everything"])
    command.own = {option.name: config[option.name] for option in own}
    return command


def unused_options() -> frozenset[str]:
    """The ``--data.*`` options of training that nothing here has a use for."""
    return frozenset(inspect.signature(MixedDataModule).parameters) - set(inspect.signature(DataCommand).parameters)


def _used(args: Sequence[str], unused: frozenset[str]) -> Iterator[str]:
    """The arguments without those that have no use here; config files as text, without what has no use in them."""
    rest = list(args)
    while rest:
        arg = rest.pop(0)
        option, equals, value = arg.lstrip("-").partition("=")
        option = option.rstrip("+")
        if arg.startswith("-") and option in ("config", "c", "data"):
            content = read_config(value if equals or not rest else rest.pop(0))
            content = _used_of_config({"data": content} if option == "data" else content, unused)
            yield "--config=" + yaml.safe_dump(content, default_flow_style=True, width=sys.maxsize).strip()
        elif arg.startswith("--") and (option.split(".")[0] in OTHERS or _of_data(option) in unused):
            if not equals and rest and not rest[0].startswith("--"):
                rest.pop(0)
        else:
            yield arg


def _used_of_config(content: Mapping[str, Any], unused: frozenset[str]) -> dict[str, Any]:
    used = {name: value for name, value in content.items() if name not in OTHERS}
    if isinstance(data := used.get("data"), Mapping):
        used["data"] = {name: value for name, value in data.items() if name not in {*unused, _OWN_WORKERS}}
    return used


def _of_data(option: str) -> str:
    """The name of an option of ``--data``; empty of others."""
    parts = option.split(".")
    return parts[1] if parts[0] == "data" and len(parts) > 1 else ""


def _folder_alone(args: Sequence[str]) -> list[str]:
    """A folder named on the command line takes the place of the ssl_task that a config names."""
    given = {each.option: each.value for each in options(args) if each.config is None}
    alone = given.get("data.data_dir", "null") != "null" and "data.ssl_task" not in given
    return ["--data.ssl_task=null"] if alone else []
