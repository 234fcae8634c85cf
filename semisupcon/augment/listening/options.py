"""The command line of ``python -m semisupcon.augment``."""

from __future__ import annotations

import argparse
import re
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from semisupcon.augment.presets import PRESETS
from semisupcon.augment.registry import TRANSFORMS
from semisupcon.errors import UserError, did_you_mean

PROGRAM = "python -m semisupcon.augment"
ABOUT = """\
Hear and see what the augmentations do to an audio file: one HTML page, complete in itself, with a player and a
spectrogram of every augmentation at several severities, and of the presets, several draws each.

  all of them:
    python -m semisupcon.augment SONG.mp3
  two of them and a preset, at the severity of a training:
    python -m semisupcon.augment SONG.mp3 --aug_list=pitch_shift,delay,semisupcon --severities=2"""

PAGE = "semisupcon_augment.html"
LEAST, MOST = 0.5, 30.0  # seconds; of more, the page would be beyond 100 MB
RATES = (8000, 48000)  # Hz, that the augmentations are made for


@dataclass(frozen=True)
class Options:
    """What is to be rendered.

    Args:
        file: the audio file.
        aug_list: names of augmentations and presets.
        severities: in ascending order.
        target_sr: Hz.
        start: seconds into the file; None = the middle of it.
        seconds: of the excerpt.
        seed: decides all draws.
        draws: how often a preset is drawn at each severity.
        output: the page to write.
        picture: the overview to write as PNG; None = no such picture.
        command: the command line, as it was typed.

    Raises:
        UserError: a value is not possible.
    """

    file: str
    aug_list: tuple[str, ...]
    severities: tuple[float, ...]
    target_sr: int
    start: float | None
    seconds: float
    seed: int
    draws: int
    output: Path
    picture: Path | None
    command: str

    def __post_init__(self) -> None:
        known = (*TRANSFORMS, *PRESETS)
        for name in self.aug_list:
            if name not in known:
                raise UserError(
                    f"--aug_list: no such augmentation as {name!r}.{did_you_mean(name, known)}\n"
                    f"The augmentations are: {', '.join(TRANSFORMS)}.\nThe presets are: {', '.join(PRESETS)}."
                )
        for severity in self.severities:
            if not 0 <= severity <= 5:
                raise UserError(f"--severities={severity:g}: severity goes from 0 (off) to 5; 2 is as published.")
        if not RATES[0] <= self.target_sr <= RATES[1]:
            raise UserError(f"--target_sr={self.target_sr}: from {RATES[0]:,} to {RATES[1]:,} Hz.")
        if self.start is not None and not self.start >= 0:
            raise UserError(f"--start={self.start:g}: seconds from the beginning of the file are meant.")
        if not LEAST <= self.seconds <= MOST:
            raise UserError(f"--seconds={self.seconds:g}: from {LEAST:g} to {MOST:g}.")
        if not 1 <= self.draws <= 20:
            raise UserError(f"--draws={self.draws}: from 1 to 20.")
        if not 0 <= self.seed < 2**63 - 20:  # what torch takes, with a number for each draw added
            raise UserError(f"--seed={self.seed}: a number from 0 is meant.")
        if self.picture is not None and self.picture.suffix.lower() != ".png":
            raise UserError(f"--picture={self.picture}: the name of a PNG file is meant, such as overview.png.")


class Parser(argparse.ArgumentParser):
    """Errors as UserErrors."""

    def error(self, message: str) -> NoReturn:
        """Raise what argparse would print before it exits."""
        for kind, words in (("int", "a whole number"), ("float", "a number")):
            message = message.replace(f"invalid {kind} value: ", f"expected {words}, and not ")
        if "required" in message:
            message = "Not given: FILE, the audio file to hear."
        elif message.startswith("argument "):
            message = f"{message.removeprefix('argument ')}."
        raise UserError(f"{message}\nAll options: {PROGRAM} --help")


def parse(args: Sequence[str] | None = None) -> Options:
    """The command line.

    Args:
        args: without the program; None = this process's.

    Raises:
        UserError: an option is unknown, or its value is not what it must be.
    """
    args = list(sys.argv[1:] if args is None else args)
    parser = Parser(
        PROGRAM, description=ABOUT, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    add = parser.add_argument
    add("file", metavar="FILE", help="An audio file.")
    add("--aug_list", type=_words, default=(*TRANSFORMS, *PRESETS), metavar="A,B", help="Names, in order; default all.")
    add("--severities", type=_numbers, default=(1.0, 2.0, 4.0), metavar="A,B", help="0 (off) to 5; default 1,2,4.")
    add("--target_sr", type=int, default=22050, metavar="HZ", help="Sample rate that is augmented at; default 22050.")
    add("--start", type=_number_or_none, metavar="S", help="Seconds into the file; default: the middle of it.")
    add("--seconds", type=float, default=5.0, metavar="S", help="Length of the excerpt; default 5.")
    add("--seed", type=int, default=0, metavar="N", help="Decides all draws; default 0.")
    add("--draws", type=int, default=3, metavar="N", help="How often presets are drawn at each severity; default 3.")
    add("--output", type=Path, default=Path(PAGE), metavar="PAGE", help=f"The page to write; default {PAGE}.")
    add("--picture", type=Path, metavar="PNG", help="Write all spectrograms as one picture, too.")
    found, unknown = parser.parse_known_args(args)
    if unknown:
        raise UserError(_unknown(unknown[0], [name for action in parser._actions for name in action.option_strings]))
    return Options(**vars(found), command=f"{PROGRAM} {shlex.join(args)}")


def _unknown(arg: str, known: Sequence[str]) -> str:
    if arg.startswith("-"):
        name = arg.partition("=")[0]
        # Names of two dashes and little else are all alike: without the dashes they are compared.
        hint = did_you_mean(name.lstrip("-"), [each.lstrip("-") for each in known]).replace("mean ", "mean --")
        return f"{name}: there is no such option.{hint}\nAll options: {PROGRAM} --help"
    return f"{arg}: one audio file is taken, and lists are written without spaces, such as --severities=1,2,4."


def _words(text: str) -> tuple[str, ...]:
    words = tuple(dict.fromkeys(each for each in re.split(r"[\s,\[\]'\"]+", text) if each))
    if not words:
        raise argparse.ArgumentTypeError("the list is empty")
    return words


def _numbers(text: str) -> tuple[float, ...]:
    try:
        return tuple(sorted({float(each) for each in _words(text)}))
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected numbers, such as 1,2,4, and not {text!r}") from None


def _number_or_none(text: str) -> float | None:
    try:
        return None if text in ("None", "null") else float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected a number of seconds, not {text!r}") from None
