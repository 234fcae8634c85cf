"""For the tests of the command line: small data, small encoders, and a way to run the two scripts in this process."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from quiet import undone
from torch import Tensor, nn

from semisupcon.downstream import cli as downstream
from semisupcon.encoders.base import Encoder
from semisupcon.training import cli as training

ROOT = Path(__file__).parents[1]
SSL, SMSL, SL = (f"config/pretraining/pretrain_{name}.yaml" for name in ("ssl", "smsl", "sl"))
PROBE, FINETUNE = "config/finetuning/probe.yaml", "config/finetuning/finetune.yaml"

RATE = 8000
SMALL = (
    f"--data.target_sr={RATE}",
    "--data.target_len=0.2",
    "--data.batch_size=4",
    "--data.num_workers=0",
    "--data.aug_list=[]",
    "--model.encoder.init_args.channels=[4,4]",
    "--model.encoder.init_args.stem=4",
    "--model.encoder.init_args.out=8",
    "--model.projection.init_args.hidden=8",
    "--trainer.accelerator=cpu",
    "--trainer.max_steps=2",
    "--trainer.log_every_n_steps=1",
    "--trainer.enable_progress_bar=false",
    "--picture.every_n_steps=0",
)
SMALL_FINE = (
    "--data.num_workers=0",
    "--trainer.accelerator=cpu",
    "--trainer.max_epochs=2",
    "--trainer.log_every_n_steps=1",
    "--trainer.enable_progress_bar=false",
)


class Plain(Encoder):
    """A user's own encoder, which knows one sample rate and has no argument for it."""

    def __init__(self, width: int = 6) -> None:
        super().__init__()
        self.sample_rate, self.dim, self.receptive_field = RATE, width, 16
        self.layer = nn.Conv1d(1, width, 16, stride=8)

    def forward(self, audio: Tensor) -> Tensor:
        return self.layer(audio).mean(-1)


class Rated(Plain):
    """One that is told the rate."""

    def __init__(self, sample_rate: int = 44100, width: int = 6) -> None:
        super().__init__(width)
        self.sample_rate = sample_rate


class Picky(Plain):
    """One that refuses an argument."""

    def __init__(self, width: int = 6) -> None:
        super().__init__(width)
        if width % 2:
            raise ValueError(f"width must be even, not {width}")


class Buggy(Plain):
    """One with a bug in its constructor."""

    def __init__(self, width: int = 6) -> None:
        super().__init__(width)
        self.nothing.here  # noqa: B018


def tone(path: Path, seconds: float = 0.5, hertz: float = 440.0, seed: int = 0) -> None:
    """A wav file of a tone in some noise."""
    time = np.arange(round(seconds * RATE)) / RATE
    noise = np.random.default_rng(seed).normal(0, 0.05, len(time))
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, 0.5 * np.sin(2 * np.pi * hertz * time) + noise, RATE)


def music(folder: Path, files: int = 20) -> Path:
    """A folder of audio without labels."""
    for number in range(files):
        tone(folder / f"{number:02}.wav", hertz=200 + 40 * number, seed=number)
    return folder


def genres(folder: Path) -> list[str]:
    """A miniature of GTZAN with 12 / 4 / 4 clips of two genres, and the options that name it."""
    lists: dict[str, list[str]] = {"train": [], "val": [], "test": []}
    for genre, hertz in (("blues", 300.0), ("rock", 900.0)):
        for number in range(10):
            tone(folder / "genres" / genre / f"{genre}.{number:05}.wav", hertz=hertz, seed=number)
            lists["train" if number < 6 else "val" if number < 8 else "test"].append(f"{genre}.{number:05}")
    (folder / "lists").mkdir()
    for split, clips in lists.items():
        (folder / "lists" / f"{split}.txt").write_text("\n".join(clips))
    return [
        "--data.sl_task=gtzan",
        f"--data.sl_kwargs.root={folder}",
        f"--data.sl_kwargs.split_file={folder / 'lists'}",
    ]


def without(option: str, args: tuple[str, ...] = SMALL) -> list[str]:
    """The arguments but for those that begin so."""
    return [arg for arg in args if not arg.startswith(f"--{option}")]


def written(text: str, width: int = 100) -> int:
    """Lines that a text takes on a terminal."""
    return sum(max(1, math.ceil(len(line) / width)) for line in text.strip().splitlines())


@pytest.fixture
def own_logging(monkeypatch):
    """What a command does to logging and warnings for its own process is undone; its paths count from the root."""
    monkeypatch.chdir(ROOT)
    with undone(monkeypatch):
        yield


@pytest.fixture
def command(own_logging, monkeypatch, capfd):
    """Call a script's main function: ``command("pretrain.py", *args)`` -> its exit status and what it wrote."""

    def call(script: str, *args: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", [script, *args])
        capfd.readouterr()
        status = {"pretrain.py": training.main, "finetune.py": downstream.main}[script]()
        captured = capfd.readouterr()
        return status, captured.err + captured.out

    return call


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """The folder of a small self-supervised run."""
    folder = tmp_path_factory.mktemp("trained")
    args = ["--config", str(ROOT / SSL), f"--data.data_dir={music(folder / 'music')}", *SMALL]
    cli = training.Pretrain([*args, f"--ckpt_path={folder / 'runs'}", "--run_name=first"])
    cli.run_command()
    torch.set_grad_enabled(True)
    return folder / "runs" / "first"
