"""The command line of ``python -m semisupcon.embed``."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from semisupcon.errors import UserError, did_you_mean
from semisupcon.inference.cut import LONGEST

_PROGRAM = "python -m semisupcon.embed"
_ABOUT = """\
Embed audio: one row a track, the mean of its segments, and with --segments=true one a segment in a file beside it.
It can be interrupted at any moment and continued by the same command, without --overwrite=true.

  python -m semisupcon.embed music --checkpoint=runs/RUN/last.ckpt --out=embeddings.parquet
  python -m semisupcon.embed a.mp3 b.wav --checkpoint=runs/RUN/last.ckpt --out=ab.csv --segments=true --hop=0.5

"""


@dataclass(frozen=True)
class Options:
    """What the user wants.

    Args:
        inputs: files and folders.
        checkpoint: a file that training wrote.
        out: the output; its suffix decides the format.
        segments: whether segments are written too.
        hop: seconds from one segment to the next; None = their length.
        length: seconds of a segment; None = as in training.
        device: such as ``cpu``.
        num_workers: processes that decode; None = as many as are of use.
        batch_size: segments that the encoder is given at once; None = as many as suit the device.
        overwrite: whether to begin anew, and a finished or unfinished output that is there may go.
        max_bad_share: of the files tried that may give no audio, in [0, 1]; above it the command stops.
    """

    inputs: tuple[str, ...]
    checkpoint: str
    out: Path
    segments: bool = False
    hop: float | None = None
    length: float | None = None
    device: str = "auto"
    num_workers: int | None = None
    batch_size: int | None = None
    overwrite: bool = False
    max_bad_share: float = 0.2


class _Parser(argparse.ArgumentParser):
    """Errors as UserErrors."""

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message.removeprefix('argument ')}\nAll options: {_PROGRAM} --help")


def parse(args: Sequence[str] | None = None) -> Options:
    """The options of a command line; None = this process's.

    Raises:
        UserError: an option is unknown, missing, or its value is not what it must be.
    """
    parser = _Parser(
        prog=_PROGRAM,
        description=_ABOUT,
        usage="%(prog)s INPUT [INPUT ...] --checkpoint=FILE --out=FILE [--option=value ...]",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    option = parser.add_argument
    option("inputs", metavar="INPUT", nargs="*", help="audio files, of any length and format, and folders of them")
    option("--checkpoint", metavar="FILE", help="as pretrain.py and finetune.py write them, such as runs/RUN/last.ckpt")
    option("--out", metavar="FILE", help="what is written: .parquet, .npz or .csv")
    option(
        "--segments", type=_truth, default=False, help="true = beside it NAME.segments.parquet too: one row a segment"
    )
    option("--hop", metavar="SECONDS", type=_seconds, help="from one segment to the next; left out = their length")
    option("--length", metavar="SECONDS", type=_seconds, help="of a segment; left out = as in training")
    option("--device", default="auto", help="cpu, cuda, cuda:1, ...; auto = a GPU where there is one")
    option("--num_workers", metavar="N", type=_count(0), help="processes that decode; left out = as many as are of use")
    option("--batch_size", metavar="N", type=_count(1), help="segments that the encoder gets at once")
    option(
        "--overwrite",
        type=_truth,
        default=False,
        help="true = begin anew and replace an output, and forget unfinished work; without it the command goes on",
    )
    option(
        "--max_bad_share",
        metavar="SHARE",
        type=_share,
        default=0.2,
        help="of files without audio, above which the command stops; 1 = never",
    )
    found, strange = parser.parse_known_intermixed_args(args)
    if strange:
        parser.error("\n".join(_strange(each, parser) for each in strange))
    needed = {"INPUT": found.inputs, "--checkpoint": found.checkpoint, "--out": found.out}
    missing = [name for name, value in needed.items() if not value]
    if missing:
        parser.error(f"Not given: {', '.join(missing)}.")
    values: dict[str, Any] = vars(found)
    return Options(**{**values, "inputs": tuple(found.inputs), "out": Path(found.out).expanduser()})


def _strange(arg: str, parser: argparse.ArgumentParser) -> str:
    name = arg.partition("=")[0]
    known = [option for option in parser._option_string_actions if option.startswith("--")]
    return f"{arg}: there is no such option.{did_you_mean(name, known)}"


def _truth(text: str) -> bool:
    found = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}.get(text.lower())
    if found is None:
        raise argparse.ArgumentTypeError(f"{text} given, and true or false expected.")
    return found


def _seconds(text: str) -> float | None:
    if text.lower() in ("none", "null"):
        return None
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} given, and a length in seconds expected, such as 2.7.")
    if seconds > LONGEST:
        raise argparse.ArgumentTypeError(f"{text} given, and at most {LONGEST:g} seconds are possible.")
    return seconds


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise argparse.ArgumentTypeError(f"{text} given, and a share from 0 to 1 expected, such as 0.2.")
    return share


def _count(least: int) -> Callable[[str], int | None]:
    def count(text: str) -> int | None:
        if text.lower() in ("none", "null") and not least:
            return None
        try:
            number = int(text)
        except ValueError:
            number = least - 1
        if number < least:
            raise argparse.ArgumentTypeError(f"{text} given, and a whole number expected, at least {least}.")
        return number

    return count
