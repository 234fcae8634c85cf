"""Going on with a run: its own config, and a checkpoint that fits model and data."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import nn

from semisupcon import checkpoint
from semisupcon.errors import UserError
from semisupcon.running.given import included, options

log = logging.getLogger(__name__)

_STATE = {"loops", "optimizer_states", "pytorch-lightning_version"}
_SHOWN = 8  # differences listed in an error


def whole(args: Sequence[str] | None) -> list[str]:
    """A command line (None = this process's) with all the configs that it stands for; of a whole one the same.

    Raises:
        UserError: a config or a checkpoint to go on from cannot be read.
    """
    return included(with_own_config(list(sys.argv[1:] if args is None else args)))


def with_own_config(args: list[str]) -> list[str]:
    """The arguments; where they name a checkpoint to go on from and no config, behind the config of its run.

    Of a run that was resumed before it is the last one's, so that what was changed then (max_steps) stays so.

    Raises:
        UserError: no config is named, and the checkpoint is no file.
    """
    named = any(re.match(r"(--config|-c)(=|$)", arg) for arg in args)
    resumed = [] if named else [each.value for each in options(args) if each.option == "resume_from_ckpt"]
    if not resumed or resumed[-1] in ("None", "null"):
        return args
    path = Path(resumed[-1])
    if not path.is_file():
        checkpoint.load(path)  # which says what is there instead
    configs = [path.parent / "config.yaml", *path.parent.glob("config-*.yaml")]
    numbers = {int((re.search(r"config-(\d+)$", file.stem) or [0, 1])[1]): file for file in configs if file.is_file()}
    if not numbers:
        return args
    own = numbers[max(numbers)]
    log.info(f"going on with the run's own config: {own}")
    return [f"--config={own}", *args]


def check_checkpoint(path: str, model: nn.Module) -> dict[str, Any]:
    """The content of a checkpoint that training can go on from with this model.

    Raises:
        UserError: it holds no state of training, or the weights of another model.
    """
    content = checkpoint.load(path)
    if not set(content) >= _STATE:
        raise UserError(f"--resume_from_ckpt={path}: it holds weights, but not the state of training to go on from.")
    there, here = _shapes(content["state_dict"]), _shapes(model.state_dict())
    parts = {name.partition(".")[0] for name in here}  # finetune.py builds the head later
    names = [name for name in {**here, **there} if name.partition(".")[0] in parts]
    wrong = [f"  {n}: {there.get(n)} in it, {here.get(n)} here" for n in names if there.get(n) != here.get(n)]
    if wrong:
        more = [f"  ... and {len(wrong) - _SHOWN} more"] if len(wrong) > _SHOWN else []
        raise UserError(
            f"--resume_from_ckpt={path}: its weights do not fit this model ({len(wrong)} differences):\n"
            + "\n".join(wrong[:_SHOWN] + more)
            + f"\nA run goes on with the options it began with: --config {Path(path).parent / 'config.yaml'}"
        )
    return content


def check_data(path: str, there: Mapping[str, Any], here: Mapping[str, Any]) -> None:
    """Refuse other data than the run began with: the position in it would mean other clips.

    Args:
        path: the checkpoint.
        there: the datamodule's state in it; what an older one does not say is not compared.
        here: the datamodule's state now.

    Raises:
        UserError: listing what differs.
    """
    names = [name for name in here if name != "position" and name in there and there[name] != here[name]]
    if names:
        raise UserError(
            f"--resume_from_ckpt={path}: its run draws other clips or crops than these options do:\n"
            + "\n".join(f"  {name}: {there[name]} there, {here[name]} here" for name in names)
            + f"\nGo on with the run's own options, --config {Path(path).parent / 'config.yaml'} and no other data "
            "options,\non the files it began with (split.csv lists them); or leave out --resume_from_ckpt: a new run."
        )


def _shapes(state: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    return {name: tuple(getattr(value, "shape", ())) for name, value in state.items()}
