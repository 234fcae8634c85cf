"""finetune.py's command line: probes and fine-tuning."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path
from typing import Any

from pytorch_lightning.callbacks import Callback, EarlyStopping
from pytorch_lightning.cli import LightningArgumentParser

from semisupcon import checkpoint
from semisupcon.downstream.callbacks import KeepBest
from semisupcon.downstream.comparison import summary
from semisupcon.downstream.datamodule import TaskDataModule
from semisupcon.downstream.leak import seen_in_pretraining
from semisupcon.downstream.model import Downstream
from semisupcon.errors import UserError
from semisupcon.running.callbacks import write_bad_files
from semisupcon.running.cli import Command
from semisupcon.running.screen import run

log = logging.getLogger(__name__)

ABOUT = """\
Probe or fine-tune an encoder on a labelled task, or transcribe with it, and test it over whole clips. What comes out
is a folder with metrics.json, a table of classes, the predictions and pictures. A config comes first, then what
differs from it.

  a linear probe of a pretrained encoder, on the embedded corpus:
    python finetune.py --config config/finetuning/probe.yaml --model.checkpoint=RUN/last.ckpt
  the same of that encoder untrained, to compare:
    python finetune.py --config config/finetuning/probe.yaml --model.checkpoint=RUN/last.ckpt --model.untrained=true
  everything trained, on GTZAN:
    python finetune.py --config config/finetuning/finetune.yaml --model.checkpoint=RUN/last.ckpt \\
        --data.sl_task=gtzan --data.sl_kwargs.root=GTZAN
  which notes of which instruments sound, from the frames of a frozen encoder:
    python finetune.py --config config/finetuning/transcribe.yaml --model.checkpoint=RUN/last.ckpt \\
        --data.sl_kwargs.root=MUSICNET"""


class Evaluate(Command):
    """Train a head (and, fine-tuning, the encoder), test it over whole clips, write the report."""

    script = "finetune.py"
    about = ABOUT
    base = "config/finetuning/probe.yaml"
    model: Downstream
    datamodule: TaskDataModule
    seen: int | None
    """Test files that the checkpoint's encoder was trained on; None = not known."""

    def __init__(self, args: list[str] | None = None) -> None:
        super().__init__(Downstream, TaskDataModule, args, subclass_mode_model=True)

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Early stopping on the loss over the whole validation set."""
        super().add_arguments_to_parser(parser)
        parser.add_lightning_class_args(EarlyStopping, "early_stopping")
        parser.set_defaults(
            {
                "early_stopping.monitor": "val/loss",
                "early_stopping.patience": 10,
                "early_stopping.strict": False,
                "checkpoint.keep_all": False,
            }
        )

    def check(self) -> None:
        """Load the table now, and let the encoder decide rate and segment length."""
        self.name = f"{type(self.model).__name__.lower()}-{self.datamodule.request.sl_task}"
        self.datamodule.fit_encoder(self.model.encoder.sample_rate, self.model.samples)
        self.model.check(self.datamodule)
        pools = self.datamodule.pools
        if not len(pools.test):
            raise UserError(
                f"{self.datamodule.task.name}: no labelled test clip under {', '.join(pools.roots.values())}."
            )

        resumed = self.config["resume_from_ckpt"]
        if resumed is not None and "head" not in checkpoint.load(resumed).get(checkpoint.KEY, {}):
            raise UserError(
                f"--resume_from_ckpt={resumed}: a checkpoint of pretraining, which has no head to go on with.\n"
                f"To use its encoder: --model.checkpoint={resumed}."
            )
        data = self.datamodule
        self.seen = seen_in_pretraining(self.model.sources, pools, data.leak_check != "off", data.store)
        if self.seen:
            log.warning(
                f"{self.seen:,} of the {len(pools.test):,} test files of {data.task.name} are, or are copies of, files "
                f"that the encoder of {', '.join(self.model.sources)} was trained on (see split.csv beside it): the "
                f"test is not one of unseen music. Pretrain with --data.sl_task or --data.ssl_task naming the corpus, "
                f"whose test files are then left out."
            )

    def callbacks(self, folder: Path) -> list[Callback]:
        """The best weights by what early stopping looks at."""
        stopping = self.config["early_stopping"]
        return [KeepBest(folder, stopping["monitor"], stopping["mode"])]

    def run_command(self) -> None:
        """Train, test, report; and list the broken files, also where there are too many of them to go on."""
        assert self.folder is not None
        try:
            self._evaluate(self.folder)
        finally:
            if self.datamodule.bad.found and self.trainer.is_global_zero:
                write_bad_files(self.folder / "bad_files.csv", self.datamodule.bad.found)

    def _evaluate(self, folder: Path) -> None:
        device = self.trainer.strategy.root_device
        parts = self.model.begin(self.datamodule, device)
        if not any(parameter.requires_grad for parameter in self.model.encoder.parameters()):  # in eval mode on purpose
            warnings.filterwarnings("ignore", message=".*in eval mode at the start of training.*")
        self.trainer.fit(self.model, **parts, ckpt_path=self.config["resume_from_ckpt"], weights_only=True)
        if not self.trainer.is_global_zero:
            return
        self.model.to(device)
        self.model.report(self.datamodule, folder, self._about)
        log.info(f"\n{summary([folder])}\nThe run's folder: {folder}")

    def _about(self, tested: int) -> dict[str, Any]:
        """What a reader of metrics.json must know beside the numbers."""
        data, model = self.datamodule, self.model
        refused = sum(split == "test" for _, split in data.pools.refused)
        return {
            "protocol": model.protocol,
            "method": type(model).__name__,
            "checkpoint": model.checkpoint,
            "untrained": not model.sources,
            "encoder": model.encoder.spec,
            "head": model.head_options,
            "sample_rate": data.sample_rate,
            "segment_samples": data.length,
            "supervised_data_p": data.request.supervised_data_p,
            "training_clips": len(data.pools.labelled),
            "epochs": self.trainer.current_epoch,
            "steps": self.trainer.global_step,
            "test_files_broken": len(data.pools.test) - tested + refused,
            "test_files_seen_in_pretraining": self.seen,
            "seed": data.seed,
        }


def main() -> int:
    """Parse the command line, train, test and report."""
    return run(lambda: Evaluate().run_command())
