"""Fine-tuning as finetune.py does it, for what it says of each test clip, in the middle of something else."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import random
import shutil
import signal
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from semisupcon.errors import UserError
from semisupcon.evaluation.clips import Floats32
from semisupcon.evaluation.shipped import shipped
from semisupcon.plain import write_json

CONFIG = "config/finetuning/finetune.yaml"

_ASKED, _SCORES, _METRICS = "asked.json", "scores.npz", "metrics.json"
_SEEDS = ("PL_GLOBAL_SEED", "PL_SEED_WORKERS")  # that Lightning leaves in the environment

TERMINATED = 128 + signal.SIGTERM


@dataclass(frozen=True)
class Finetuned:
    """The test of a fine-tuned encoder.

    Args:
        names: (M,) the test clips' paths inside their corpus, those that could be read.
        scores: (M, K) float32 as the head gave them. Those in predictions.csv have six digits, which makes ties of
            some that are none.
        folder: of the run: metrics.json, config.yaml, split.csv, ...
    """

    names: npt.NDArray[Any]
    scores: Floats32
    folder: Path


def finetune_scores(
    checkpoint: str | Path | Sequence[str | Path] | None,
    task: str,
    options: Mapping[str, Any],
    share: float,
    draw: int,
    seed: int,
    folder: Path,
    extra: Sequence[str] = (),
    key: str = "",
    keep_checkpoints: bool = False,
) -> Finetuned:
    """Fine-tune an encoder on a share of a task's labels by config/finetuning/finetune.yaml, and test it.

    It runs in this process, which spares a start of many seconds, and leaves its random numbers, logging and warnings
    alone. A run whose folder is there was asked for by the same arguments is not made again. One that was interrupted
    begins anew, for it stands beside the folder until it is finished.

    Args:
        checkpoint: of the encoder; several stand side by side; None = an untrained one, see ``extra``.
        task: name.
        options: of its corpus, such as root.
        share: of the training labels.
        draw: which subset of that size, the ``split_seed``.
        seed: of head, order and crops.
        folder: of the run, made here.
        extra: further options of finetune.py, such as ``--trainer.max_epochs=20`` or ``--model.untrained=true``.
        key: what else decides the result, such as a digest of the labels; with another one it is made anew.
        keep_checkpoints: keep best.ckpt and last.ckpt, which take three times the encoder's size.

    Raises:
        UserError: what finetune.py refuses; or the folder holds something else.
    """
    files = [str(file) for file in ([checkpoint] if isinstance(checkpoint, (str, Path)) else checkpoint or ())]
    arguments = [
        f"--config={shipped(CONFIG)}",
        f"--data.sl_task={task}",
        f"--data.sl_kwargs={json.dumps(dict(options), default=str)}",
        f"--data.supervised_data_p={float(share)!r}",
        f"--data.split_seed={draw}",
        f"--seed_everything={seed}",
        "--trainer.enable_progress_bar=false",
        *([f"--model.checkpoint={files[0] if len(files) == 1 else json.dumps(files)}"] if files else []),
        *extra,
    ]
    asked = {"arguments": arguments[1:], "checkpoints": [_identity(Path(file)) for file in files], "key": key}
    if folder.exists() and _read(folder / _ASKED) == asked and (folder / _METRICS).is_file():
        with np.load(folder / _SCORES, allow_pickle=False) as held:
            return Finetuned(held["names"], held["scores"], folder)
    if folder.exists() and any(folder.iterdir()) and not (folder / _ASKED).is_file():
        raise UserError(f"{folder}: meant for a run of fine-tuning, and something else is in it. Give another folder.")
    unfinished = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(unfinished, ignore_errors=True)
    names, scores = _run([*arguments, f"--ckpt_path={unfinished.parent}", f"--run_name={unfinished.name}"])
    for file in () if keep_checkpoints else unfinished.glob("*.ckpt"):
        file.unlink()
    np.savez(unfinished / _SCORES, names=names, scores=scores)
    write_json(unfinished / _ASKED, asked)
    shutil.rmtree(folder, ignore_errors=True)  # what other arguments gave
    unfinished.rename(folder)
    return Finetuned(names, scores, folder)


def _run(arguments: Sequence[str]) -> tuple[npt.NDArray[Any], Floats32]:
    """Call the command, and keep the scores that its report is made from."""
    from semisupcon.downstream.cli import Evaluate  # which takes Lightning, and its seconds

    found: list[tuple[Tensor, Tensor]] = []
    with _aside():
        torch.set_grad_enabled(True)
        command = Evaluate(list(arguments))
        scores_of = command.model.scores

        def scores(data: Any) -> tuple[Tensor, Tensor]:
            found.append(scores_of(data))
            return found[-1]

        command.model.scores = scores  # type: ignore[method-assign]
        try:
            command.run_command()
        except SystemExit as end:
            if isinstance(end.__context__, KeyboardInterrupt):  # Lightning makes an exit of it
                raise KeyboardInterrupt from None
            raise
        except Exception:
            if command.trainer.received_sigterm:  # the loading processes were told too, and their end comes first
                raise SystemExit(TERMINATED) from None
            raise
        (values, rows), *_ = found
        return np.array(command.datamodule.names(rows)), values.numpy().astype(np.float32)


@contextlib.contextmanager
def _aside() -> Iterator[None]:
    """What a command does to its process is undone: random numbers, gradients, environment; and nothing is said."""
    numpy_state, python_state = np.random.get_state(), random.getstate()
    environment = {name: os.environ.get(name) for name in _SEEDS}
    level, grad = logging.root.manager.disable, torch.is_grad_enabled()
    logging.disable(max(level, logging.WARNING))
    try:
        with torch.random.fork_rng(devices=range(torch.cuda.device_count())), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)
        torch.set_grad_enabled(grad)
        np.random.set_state(numpy_state)
        random.setstate(python_state)
        for name, value in environment.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


def _identity(file: Path) -> list[Any]:
    """A checkpoint that is written anew is another one."""
    try:
        status = file.stat()
    except OSError:
        return [str(file), 0, 0]  # the command says what is wrong with it
    return [str(file.absolute()), status.st_size, status.st_mtime_ns]


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
