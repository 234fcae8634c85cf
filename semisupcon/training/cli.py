"""pretrain.py's command line."""

from __future__ import annotations

import importlib
import math
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import torch
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.cli import LightningArgumentParser

from semisupcon.errors import UserError
from semisupcon.loading.datamodule import MixedDataModule
from semisupcon.running.cli import Command
from semisupcon.running.given import Given, options
from semisupcon.running.resume import whole
from semisupcon.running.screen import run
from semisupcon.training.callbacks import SimilarityPicture
from semisupcon.training.pretraining import Pretraining

ABOUT = """\
Pretrain an encoder by contrastive learning, with labels, without, or both. What comes out is a folder with a
checkpoint for finetune.py. A config comes first, then what differs from it.

  on the embedded corpus, half of each batch labelled:
    python pretrain.py --config config/pretraining/pretrain_smsl.yaml --trainer.max_steps=500
  on your own music, without labels:
    python pretrain.py --config config/pretraining/pretrain_ssl.yaml --data.data_dir=MUSIC --data.batch_size=32
  GTZAN's labels and your own music:
    python pretrain.py --config config/pretraining/pretrain_smsl.yaml --config config/tasks/gtzan.yaml \\
        --data.sl_kwargs.root=GTZAN --data.data_dir=MUSIC"""


SYSTEMS = ("semisupcon.training.contrastive.Contrastive", "semisupcon.training.predictive.Predictive")


class Pretrain(Command):
    """Contrastive pretraining on mixed batches."""

    name = "pretrain"
    script = "pretrain.py"
    about = ABOUT
    base = "config/pretraining/pretrain_smsl.yaml"
    bounds: ClassVar[dict[str, tuple[int, float]]] = {
        **Command.bounds,
        "picture.every_n_steps": (0, math.inf),
        "picture.views": (2, math.inf),
    }
    linked: ClassVar[dict[str, str]] = {**Command.linked, "model.encoder.init_args.sample_rate": "data.target_sr"}
    model: Pretraining
    datamodule: MixedDataModule

    def __init__(self, args: list[str] | None = None) -> None:
        args = whole(args)
        super().__init__(_system(options(args)), MixedDataModule, args)

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """The picture's options, and one sample rate for data and encoder."""
        super().add_arguments_to_parser(parser)
        parser.add_argument(
            "--system",
            type=str,
            default=SYSTEMS[0],
            help=f"The LightningModule that is trained, whose options are those of --model: {' or '.join(SYSTEMS)}.",
        )
        parser.add_lightning_class_args(SimilarityPicture, "picture")
        parser.link_arguments("data.target_sr", "model.encoder.init_args.sample_rate")

    def spell(self, args: list[str]) -> list[str]:
        """A folder named on the command line takes the place of the ssl_task that a config names."""
        args = super().spell(args)
        given = {each.option: each.value for each in options(args) if each.config is None}
        folder_only = given.get("data.data_dir", "null") != "null" and "data.ssl_task" not in given
        return [*args, "--data.ssl_task=null"] if folder_only else args

    def check(self) -> None:
        """Load the tables now, so that what is wrong with them is said before a folder is made."""
        pools = self.datamodule.pools
        if self.datamodule.views < self.model.least_views:
            raise UserError(f"--data.views={self.datamodule.views}: at least {self.model.least_views} is needed.")
        used = pools.labelled if pools.share > 0 else pools.labelled[:0]
        self.model.prepare(torch.from_numpy(pools.labels[used]), pools.tasks)
        if self.model.encoder.sample_rate != self.datamodule.sample_rate:
            raise UserError(
                f"The encoder takes {self.model.encoder.sample_rate} Hz and target_sr is "
                f"{self.datamodule.sample_rate} Hz. Pass --data.target_sr={self.model.encoder.sample_rate}."
            )

    def callbacks(self, folder: Path) -> list[Callback]:
        """None beside those of the command line, which hear where to draw."""
        self.config_init["picture"].folder = folder
        return []


def _system(given: Sequence[Given]) -> type[Pretraining]:
    """The class that --system names.

    Raises:
        UserError: it cannot be imported, or is no system.
    """
    name = next((each.value for each in reversed(given) if each.option == "system"), SYSTEMS[0])
    module, _, attribute = name.rpartition(".")
    try:
        found = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise UserError(f"--system={name}: it cannot be imported: {error}.\n{_shipped()}") from error
    if not (isinstance(found, type) and issubclass(found, Pretraining)):
        raise UserError(f"--system={name}: that is no subclass of {Pretraining.__module__}.Pretraining.\n{_shipped()}")
    return found


def _shipped() -> str:
    return f"The systems are {' and '.join(SYSTEMS)}."


def main() -> int:
    """Parse the command line and pretrain."""
    return run(lambda: Pretrain().run_command())
