"""What the user gave, on the command line and in its config files, and where."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

from semisupcon.errors import UserError

_CONFIG = re.compile(r"(?:--config|-c)(?:=(.*))?$", re.DOTALL)


@dataclass(frozen=True)
class Given:
    """One option as the user gave it.

    Args:
        option: its name as spelt, such as ``model.encoder.init_args.out``.
        value: as text.
        config: the file it stands in; None = the command line.
    """

    option: str
    value: str
    config: str | None = None

    def __str__(self) -> str:
        shown = f"{self.option}={self.value[:80]}"
        return f"--{shown}" if self.config is None else f"{shown} (in {self.config})"

    def means(self, option: str) -> bool:
        """Whether this is that option, in which ``init_args`` may be left out."""
        return self.option.replace(".init_args", "") == option.replace(".init_args", "")


def explicit_none(args: Sequence[str]) -> list[str]:
    """The arguments with ``None`` spelt as YAML spells it: ``--data.ssl_task=None`` means none."""
    out = [re.sub(r"^(--[\w.]+)=None$", r"\1=null", arg) for arg in args]
    return ["null" if arg == "None" and i and out[i - 1].startswith("--") else arg for i, arg in enumerate(out)]


def included(args: Sequence[str]) -> list[str]:
    """The arguments with, in front of each config, the configs that it names under ``include``, each once.

    A path is taken from the folder of the config that names it. What is already there is not read again, so that a
    later config still wins.

    Raises:
        UserError: a config is missing or no YAML; the message names it.
    """
    out: list[str] = []
    seen = {Path(name).expanduser().resolve() for _, _, name in _walked(args) if name is not None}
    for arg, _, name in _walked(args):
        if name is not None:
            out += [f"--config={each}" for each in _below(name, seen)]
        out.append(arg)
    return out


def _walked(args: Sequence[str]) -> Iterator[tuple[str, str, str | None]]:
    """Each argument, the one behind it, and the config that it names if it does."""
    for arg, following in zip(args, [*args[1:], ""], strict=False):
        config = _CONFIG.match(arg)
        yield arg, following, None if config is None else following if config[1] is None else config[1]


def _below(name: str, seen: set[Path]) -> Iterator[Path]:
    """The configs that a config includes, those that they include before them."""
    folder = Path() if name.lstrip().startswith("{") else Path(name).expanduser().parent
    named = read_config(name).get("include") or []
    for each in [named] if isinstance(named, str) else named:
        path = folder / str(each)
        if path.resolve() in seen:
            continue
        seen.add(path.resolve())
        if not path.is_file():
            raise UserError(f"--config {name}: it includes {each}, and there is no file {path}.")
        yield from _below(str(path), seen)
        yield path


def options(args: Sequence[str]) -> list[Given]:
    """Every option of a command line and of its config files, in the order in which they count.

    Raises:
        UserError: a config file is missing, is no YAML or no mapping; the message names it.
    """
    out: list[Given] = []
    for arg, following, name in _walked(args):
        if name is not None:
            out += [Given(option, value, name) for option, value in _flat(read_config(name))]
        elif arg.startswith("--"):
            option, equals, value = arg[2:].partition("=")
            out.append(Given(option.rstrip("+"), value if equals else following))
    return out


def read_config(name: str) -> Mapping[str, Any]:
    """The content of a config file, or of a config given as text in braces.

    Raises:
        UserError: the file is missing, is no YAML or no mapping.
    """
    text = name if name.lstrip().startswith("{") else _text(Path(name).expanduser(), name)
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise UserError(
            f"--config {name}{where}: this is not YAML: {getattr(error, 'problem', None) or 'it cannot be read'}.\n"
            "Check that line and the one before it: brackets and quotes closed, a space behind each colon, no tabs."
        ) from None
    if content is not None and not isinstance(content, Mapping):
        raise UserError(
            f"--config {name}: found a {type(content).__name__}, but a config holds options by their names, such as\n"
            "data:\n  batch_size: 96"
        )
    return content or {}


def _text(path: Path, name: str) -> str:
    if path.is_file() and name:
        return path.read_text(encoding="utf-8", errors="replace")
    folders = {path.parent, *(folder for folder in Path("config").rglob("*") if folder.is_dir())}
    there = {file.stem: file for folder in folders for file in sorted(folder.glob("*.yaml"))}
    near = difflib.get_close_matches(path.stem, there, n=1, cutoff=0.6)
    found = (
        f"Did you mean {there[near[0]]}?" if near else f"There are: {', '.join(sorted(map(str, there.values()))[:20])}"
    )
    raise UserError(f"--config {name}: {'that is a folder' if name and path.is_dir() else 'no such file'}.\n{found}")


def _flat(content: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in content.items():
        yield f"{prefix}{key}", str(value)
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
