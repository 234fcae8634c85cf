"""What is compared: encoders out of checkpoints, untrained ones of the same architecture, and fixed features."""

from __future__ import annotations

import importlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from semisupcon import checkpoint as checkpoints
from semisupcon.encoders.base import Encoder, build
from semisupcon.errors import UserError

log = logging.getLogger(__name__)

UNTRAINED = "untrained:"


@dataclass(frozen=True)
class Subject:
    """One run of one method.

    Args:
        name: of the method; its runs, such as several seeds of pretraining, share it, and are averaged.
        run: 0, 1, ... of those.
        source: a checkpoint, several joined by ``+`` (their encoders side by side), either of them behind
            ``untrained:`` (fresh weights, drawn by ``run``), or the dotted path of an Encoder.
    """

    name: str
    run: int
    source: str

    @property
    def fresh(self) -> bool:
        """Whether its weights are not to be those of a checkpoint."""
        return self.source.startswith(UNTRAINED) or not self.checkpoints

    @property
    def checkpoints(self) -> list[str]:
        """The files it is made from."""
        source = self.source.removeprefix(UNTRAINED)
        files = [source] if Path(source).is_file() else source.split("+")
        return [] if _is_class(files[0]) else files

    def load(self) -> tuple[Encoder, int | None]:
        """The encoder in eval mode, and the samples of the views it was trained on, where it says so.

        Raises:
            UserError: a file is no checkpoint, or a class is no Encoder or needs arguments.
        """
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.run)
            if self.checkpoints:
                encoder, samples = checkpoints.restored(self.checkpoints, fresh=self.fresh)
            else:
                encoder, samples = build({"class_path": self.source.removeprefix(UNTRAINED)}), None
        return encoder.eval(), samples

    @property
    def says(self) -> str:
        """What it is, for a report."""
        files = " + ".join(self.checkpoints) or self.source.removeprefix(UNTRAINED)
        return f"fresh weights of {files}, seed {self.run}" if self.source.startswith(UNTRAINED) else files


def parse(given: Sequence[str], untrained: int = 0) -> list[Subject]:
    """The subjects of a command line.

    Args:
        given: ``SOURCE``, ``NAME=SOURCE`` or, for several runs of a method, ``NAME=SOURCE,SOURCE``; see ``Subject``.
        untrained: how many untrained encoders of the first checkpoint's architecture to add in front, as runs of one.

    Raises:
        UserError: two of a name, a file that is not there, or nothing at all.
    """
    if not given:
        raise UserError(
            "Nothing to evaluate: give checkpoints, such as runs/RUN/last.ckpt, or NAME=runs/RUN/last.ckpt, or several "
            "runs of a method as NAME=A/last.ckpt,B/last.ckpt."
        )
    found: list[Subject] = []
    for text in given:
        name, sources = _named(text)
        found += [Subject(name, run, _home(source)) for run, source in enumerate(sources)]
    first = next((subject for subject in found if subject.checkpoints), None)
    if untrained and first is None:
        raise UserError(f"--untrained={untrained}: there is no checkpoint whose architecture to take.")
    if untrained and first is not None:
        source = UNTRAINED + first.source.removeprefix(UNTRAINED)
        found = [*(Subject("untrained", run, source) for run in range(untrained)), *found]
    taken = [subject.name for subject in found if subject.run == 0]
    if twice := sorted({name for name in taken if taken.count(name) > 1}):
        raise UserError(
            f"Two encoders are called {', '.join(twice)}. Name them: NAME=FILE. (Runs of one method, to be averaged, "
            "are given together: NAME=FILE,FILE.)"
        )
    for subject in found:
        for file in subject.checkpoints:
            if not Path(file).is_file():
                checkpoints.load(file)  # says what is there instead
    return found


def _named(text: str) -> tuple[str, list[str]]:
    name, equals, rest = text.partition("=")
    if equals and "/" not in name and not Path(text).is_file():
        if not name or not rest:
            raise UserError(f"{text}: NAME=FILE is meant.")
        return name, rest.split(",")
    sources = text.split(",")
    source = sources[0].removeprefix(UNTRAINED)
    parts = [source] if Path(source).is_file() else source.split("+")
    short = "+".join(part.rpartition(".")[2] if _is_class(part) else _short(Path(part)) for part in parts)
    return (f"untrained {short}" if text.startswith(UNTRAINED) else short), sources


def _home(source: str) -> str:
    """With ``~`` spelt out, which a shell leaves behind ``=``."""
    kind = UNTRAINED if source.startswith(UNTRAINED) else ""
    parts = source.removeprefix(UNTRAINED).split("+")
    return kind + "+".join(str(Path(part).expanduser()) if part.startswith("~") else part for part in parts)


def _short(path: Path) -> str:
    """``runs/ssl/last.ckpt`` is called ssl."""
    parent = path.absolute().parent.name
    return parent if path.stem in ("last", "best") and parent else path.stem


def _is_class(source: str) -> bool:
    """Whether it is the dotted path of something importable and no file."""
    if "/" in source or Path(source).exists() or not all(part.isidentifier() for part in source.split(".")):
        return False
    module, _, name = source.rpartition(".")
    try:
        return isinstance(getattr(importlib.import_module(module), name), type) if module else False
    except (ImportError, AttributeError):
        return False
