"""The parser of the command line, and what it complains about in the words of this command line."""

from __future__ import annotations

import argparse
import difflib
import re
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from jsonargparse import ArgumentError, DefaultHelpFormatter
from pytorch_lightning.cli import LightningArgumentParser

from semisupcon.errors import UserError, did_you_mean
from semisupcon.running.given import Given

_LONGEST = 8  # lines of a complaint that is passed on as it is
_WORDS = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "str": "text",
    "NoneType": "None",
    "list": "a list, such as [a, b]",
    "collections.abc.Sequence": "a list, such as [a, b]",
    "dict": "a mapping, such as {root: FOLDER}",
}


class Help(argparse.RawDescriptionHelpFormatter, DefaultHelpFormatter):
    """The description as it is written, examples and all."""


class Parser(LightningArgumentParser):
    """Errors as UserErrors: what was given, where, and what would do, instead of the types that did not match.

    Attributes:
        given: the options as the user gave them.
        base: a config to begin with.
    """

    given: Sequence[Given] = ()
    base = ""

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Raise what argparse would print before it exits."""
        text = str(message).strip()
        known = [name for action in self._actions for name in _names(action)]
        if not self.exit_on_error:  # the parser of one class's options, somewhere inside: the outermost one words it
            strange = re.search(r"Option '[\w.]+' is not accepted$", text)
            raise ArgumentError(None, f"{text} (takes: {', '.join(known)})" if strange else text) from ex
        lines = [*reworded(text, known, self.given, self.base), f"All options: {self.prog} --help"]
        raise UserError("\n".join(line for line in lines if line))


def _names(action: Any) -> list[str]:
    """The long names of an option."""
    names = [name.removeprefix("--") for name in action.option_strings if name.startswith("--")]
    return [name for name in names if not name.endswith((".help", "+")) and name not in ("help", "print_config")]


def reworded(text: str, known: Sequence[str], given: Sequence[Given], base: str = "") -> list[str]:
    """The lines to print instead of the parser's own.

    Args:
        text: what jsonargparse says, which names types and repeats itself for each that it tried.
        known: all options.
        given: what the user gave.
        base: a config to begin with.
    """
    if found := re.match(r"[Uu]nrecognized arguments: (.*)", text, re.DOTALL):
        return _unrecognized(found[1], known)
    if found := re.search(r"Linked \"(.*?)\" must be given via \"(.*?)\"", text):
        return [f"{_where([found[1]], given)}: this follows --{found[2]}; change that one."]
    path = _path(text)
    if found := re.search(r"arguments are required: (.*)", text):
        names = [re.split("[.:' ]", name.strip())[0] if path else name.strip() for name in found[1].split(",")]
        missing = ", ".join(f"--{'.'.join([*path, name])}" for name in names)
        return (
            [f"Not given: {missing}."]
            if path
            else [f"Not given: {missing}.", f"Begin with a config, which gives them, such as --config {base}"]
        )
    if found := re.search(r"(?:Option|Group '([\w.]+)' does not accept option) '([\w.]+)'", text):
        name = ".".join(part for part in (*path, found[1], found[2]) if part)
        inner = re.search(r"\(takes: (.*?)\)", text)
        return _strange(name, known, given) if inner is None else _strange_of_class(name, text, inner[1], given)
    key = ".".join(path)
    where, of_class = _where([key], given, text), _where([f"{key}.class_path", key], given)
    if found := re.search(r"Import path ([\w.]+) does not correspond to a subclass of (\w+)", text):
        return [f"{of_class}: {found[1]} is no {found[2]}.", f"Give the class_path of a subclass of {found[2]}."]
    if found := re.search(r"(No module named '[\w.]+')|module '([\w.]+)' has no attribute '(\w+)'", text):
        module, name = found[2], found[3]
        near = difflib.get_close_matches(name, dir(sys.modules.get(module)), n=1) if name else []
        hint = f" Did you mean {module}.{near[0]}?" if near else ""
        return [f"{of_class}: it cannot be imported: {found[1] or f'{module} has no {name}'}.{hint}"]
    if found := re.search(r"Unable to load config ['\"](.*?)['\"]", text):
        return [f"{where}: no config file {found[1]}."]
    if expected := _in_words(text):
        return [f"{where}: expected {expected}."]
    return text.splitlines()[:_LONGEST]


def _unrecognized(rest: str, known: Sequence[str]) -> list[str]:
    if not rest.startswith("-"):
        return [f"{rest}: not an option. Options begin with two dashes, such as --data.sl_task=gtzan."]
    lines = []
    for arg in rest.split(" --"):
        name = re.split("[= ]", arg.removeprefix("--"))[0]
        lines += [f"--{arg.removeprefix('--')[:120]}: there is no such option.", _hint(name, known)]
    return lines


def _strange(name: str, known: Sequence[str], given: Sequence[Given]) -> list[str]:
    """An option of a config that does not exist."""
    return [f"{_where([name], given)}: there is no such option.", _hint(name, known)]


def _strange_of_class(name: str, text: str, takes: str, given: Sequence[Given]) -> list[str]:
    """An option that a class does not take."""
    paths = re.findall(r"class_path[ =]'([\w.]+)'", text)
    owner = paths[-1].rpartition(".")[2] if paths else name.rpartition(".")[0]
    leaf = name.rpartition(".")[2]
    hint = did_you_mean(leaf, takes.split(", "))
    return [f"{_where([name], given)}: {owner} takes no {leaf}.{hint}", f"Its options are: {takes or 'none'}."]


def _hint(name: str, known: Sequence[str]) -> str:
    """The options nearest to one that does not exist: of its group, of another group, else what the group has."""
    group, _, leaf = name.rpartition(".")
    siblings = [option.rpartition(".")[2] for option in known if group and option.rpartition(".")[0] == group]
    if near := difflib.get_close_matches(leaf, siblings, n=2, cutoff=0.6):
        return f"Did you mean {' or '.join(f'--{group}.{leaf}' for leaf in near)}?"
    parts = name.split(".")
    for length in range(len(parts), 0, -1):  # optimizer.lr is known as model.optimizer, and what is behind it
        head, tail = ".".join(parts[:length]), "".join(f".{part}" for part in parts[length:])
        if elsewhere := [option + tail for option in known if option.endswith(f".{head}")]:
            return f"Did you mean {' or '.join(f'--{option}' for option in elsewhere[:2])}?"
    if siblings:
        return f"The options of --{group} are: {', '.join(siblings)}."
    leaves = {option.rpartition(".")[2]: option for option in known}
    near = difflib.get_close_matches(leaf, leaves, n=2, cutoff=0.7)
    return f"Did you mean {' or '.join(f'--{leaves[leaf]}' for leaf in near)}?" if near else ""


def _path(text: str) -> list[str]:
    """The keys that lead to the trouble: of each line that names one, while they go deeper."""
    return [found[3] for found in _keys(text)]


def _keys(text: str) -> list[re.Match[str]]:
    keys: list[re.Match[str]] = []
    for found in re.finditer(r"^([ -]*)(.*?)Parser key \"([\w.]+)\"", text, re.MULTILINE):
        if keys and len(found[1]) <= len(keys[-1][1]):
            break
        if not keys or found[3] != keys[-1][3]:
            keys.append(found)
    return keys


def _where(names: Sequence[str], given: Sequence[Given], text: str = "") -> str:
    """The option as the user gave it: by the first of the names, the one whose value ``text`` names, else the last."""
    for name in names:
        matching = [each for each in given if each.means(name)]
        named = [each for each in matching if f"value: {each.value}" in text]
        if matching:
            return str((named or matching)[-1])
    return f"--{names[-1]}"


def _in_words(text: str) -> str:
    """What would have been right, of all types that were tried for the innermost key."""
    words: dict[str, None] = {}
    values: dict[str, None] = {}
    last = _keys(text)[-1:]
    for line in text[last[0].end() :].splitlines()[1:] if last else text.splitlines():
        if last and line and len(re.match("[ -]*", line)[0]) <= len(last[0][1]):  # type: ignore[index]
            break  # of a key further out
        if found := re.search(r"Expected an? (<class '[\w.]+'>|typing\.Literal\[(.*?)\]|dot import path string)", line):
            if found[2]:
                values |= dict.fromkeys(found[2].replace("'", "").split(", "))
            else:
                name = re.sub(r"<class '(.*)'>", r"\1", found[1])
                words[_WORDS.get(name, "a class_path" if name.startswith("dot ") else name)] = None
    return " or ".join([*([f"one of {', '.join(values)}"] if values else []), *words])
