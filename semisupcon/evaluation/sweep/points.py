"""The points of a sweep, as a command line asks for them."""

from __future__ import annotations

import argparse
import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import yaml  # type: ignore[import-untyped]

from semisupcon.errors import UserError
from semisupcon.running.given import options

Number = int | float | None

AXES = {
    "data.supervised_data_p": ("ps", "p_s, the share of the labels that is used"),
    "data.intrabatch_supervised_p": ("bs", "b_s, the share of labelled clips in a batch"),
    "model.optimizer.lr": ("lr", "learning rate"),
    "seed_everything": ("seed", "seeds; the runs that differ in nothing else are averaged"),
}
"""Options of pretrain.py that may be given as lists: how folders call each, and what it is."""

SEED = "seed_everything"
TAKEN = ("ckpt_path", "run_name", "resume_from_ckpt")


@dataclass(frozen=True)
class Point:
    """One run of pretrain.py.

    Args:
        values: (short name, value) of each axis that was given, also as a single number.
        arguments: of pretrain.py, but for the folder.
    """

    values: tuple[tuple[str, Number], ...]
    arguments: tuple[str, ...]

    @property
    def name(self) -> str:
        """Such as ``ps0.05-bs0.25-seed0``; of a sweep without any axis ``run``."""
        return _joined(self.values) or "run"

    @property
    def method(self) -> str:
        """The name without the seed: what runs of one method have in common."""
        return _joined([each for each in self.values if each[0] != "seed"]) or "pretrained"


@dataclass(frozen=True)
class Asked:
    """A command line.

    Args:
        points: of the grid.
        out: the folder of the sweep.
        tasks: that the encoders are evaluated on, as text for ``python -m semisupcon.benchmark``; None = the labelled
            one of pretraining, an empty list = none.
        parts: of that evaluation.
        jobs: runs at a time.
        benchmark: its further options.
    """

    points: tuple[Point, ...]
    out: Path
    tasks: str | None
    parts: str
    jobs: int
    benchmark: tuple[str, ...]


def parse(args: Sequence[str], about: str) -> Asked:
    """What a command line asks for.

    Args:
        args: its arguments.
        about: what --help begins with.

    Raises:
        UserError: an axis that is no list of numbers, an option of pretrain.py that the sweep itself gives, no job.
    """
    given, rest = _parser(about).parse_known_args(list(args))
    for each in options(rest):
        if each.config is None and each.option in TAKEN:
            raise UserError(f"{each}: the sweep names the runs' folders, and goes on with them; give --out=FOLDER.")
    if given.jobs < 1:
        raise UserError(f"--jobs={given.jobs}: at least 1 is needed.")
    if found := re.search(r"[,+]", str(given.out)):
        raise UserError(f"--out={given.out}: a folder without {found[0]} is meant, which joins checkpoints.")
    benchmark, rest = _of_benchmark(rest)
    axes = {name: _numbers(name, text) for name in AXES if (text := getattr(given, name)) is not None}
    order = sorted(axes, key=lambda name: name != SEED)  # a whole grid of the first seed, then that of the next
    points = []
    for values in itertools.product(*(axes[name] for name in order)):
        at = dict(zip(order, values, strict=True))
        more = [f"--{name}={'null' if at[name] is None else _text(at[name])}" for name in axes]
        points.append(Point(tuple((AXES[name][0], at[name]) for name in axes), (*rest, *more)))
    return Asked(tuple(points), given.out, given.tasks, given.parts, given.jobs, tuple(benchmark))


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message}\nAll options: {self.prog} --help")


def _parser(about: str) -> argparse.ArgumentParser:
    parser = _Parser(
        prog="python -m semisupcon.sweep",
        description=about,
        usage="%(prog)s --config FILE [--option=value ...] [--axis=[value,...] ...]",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
        epilog="All other options go to pretrain.py as they are.",
    )
    for name, (_, says) in AXES.items():
        spelt = [f"--{name}", *(["--model.optimizer.init_args.lr"] if name.endswith(".lr") else [])]
        parser.add_argument(*spelt, dest=name, metavar="[A,B,...]", help=f"{says}; a number or a list of them")
    parser.add_argument(
        "--out", type=_folder, default=Path("runs/sweep"), help="the folder of everything (%(default)s)"
    )
    parser.add_argument("--tasks", metavar="[A,B,...]", help="what is evaluated on (the labelled task); [] for nothing")
    parser.add_argument("--parts", metavar="[A,B,...]", default="[probe]", help="of the evaluation (%(default)s)")
    parser.add_argument("--jobs", type=int, default=1, help="runs at a time, which share the cores (%(default)s)")
    parser.add_argument(
        "--benchmark.OPTION", metavar="VALUE", help="an option of python -m semisupcon.benchmark, such as task_kwargs"
    )
    return parser


def _folder(text: str) -> Path:
    try:
        return Path(text).expanduser()  # which the shell does not do behind --out=
    except RuntimeError as error:
        raise argparse.ArgumentTypeError(f"{text}: {error}") from None


def _of_benchmark(args: Sequence[str]) -> tuple[list[str], list[str]]:
    """The options of the benchmark, without that word, and the others."""
    own: list[str] = []
    others: list[str] = []
    following = others
    for arg in args:
        if arg.startswith("--"):
            following = own if arg.startswith("--benchmark.") else others
        following.append(arg.replace("--benchmark.", "--", 1) if following is own else arg)
        if "=" in arg:
            following = others
    return own, others


def _numbers(name: str, text: str) -> list[Number]:
    """The values of an axis, each once, in their order."""
    try:
        read = yaml.safe_load(text)
        found = [_number(each) for each in (read if isinstance(read, list) else [read])]
    except (yaml.YAMLError, ValueError, TypeError):
        raise UserError(f"--{name}={text}: a number or a list of numbers is meant, such as [0.05,0.25,1].") from None
    if not found:
        raise UserError(f"--{name}={text}: the list is empty.")
    if name == SEED and not all(isinstance(each, int) for each in found):
        raise UserError(f"--{name}={text}: seeds are whole numbers.")
    return list(dict.fromkeys(found))


def _number(value: Any) -> Number:
    if value is None or value == "None":
        return None
    if isinstance(value, bool):
        raise ValueError(value)
    return value if isinstance(value, int) else float(value)  # of YAML 1e-4 is text


def _text(value: Number) -> str:
    return str(value) if value is None or isinstance(value, int) else f"{value!r}"


def _joined(values: Sequence[tuple[str, Number]]) -> str:
    return "-".join(short + ("none" if value is None else f"{value:.15g}") for short, value in values)
