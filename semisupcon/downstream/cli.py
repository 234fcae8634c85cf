"""finetune.py's command line: probes and fine-tuning."""

from __future__ import annotations

import csv
import logging
from pathlib import Path
from typing import Any

from pytorch_lightning.callbacks import Callback, EarlyStopping
from pytorch_lightning.cli import LightningArgumentParser

from semisupcon.downstream.callbacks import KeepBest
from semisupcon.downstream.comparison import summary
from semisupcon.downstream.datamodule import TaskDataModule
from semisupcon.downstream.model import Downstream
from semisupcon.downstream.report import write_report
from semisupcon.errors import UserError
from semisupcon.running.cli import Command
from semisupcon.running.screen import run

log = logging.getLogger(__name__)


class Evaluate(Command):
    """Train a head (and, fine-tuning, the encoder), test it over whole clips, write the report."""

    model: Downstream
    datamodule: TaskDataModule

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
        pools = self.datamodule.pools
        if not len(pools.test):
            raise UserError(
                f"{self.datamodule.task.name}: no labelled test clip under {', '.join(pools.roots.values())}."
            )

    def callbacks(self, folder: Path) -> list[Callback]:
        """The best weights by validation."""
        return [KeepBest()]

    def run_command(self) -> None:
        """Train, test, report."""
        assert self.folder is not None
        device = self.trainer.strategy.root_device
        parts = self.model.begin(self.datamodule, device)
        self.trainer.fit(self.model, **parts, ckpt_path=self._resumed(), weights_only=True)
        if not self.trainer.is_global_zero:
            return
        self.model.to(device)
        before = set(self.datamodule.bad)
        scores, rows = self.model.scores(self.datamodule)
        broken = len(self.datamodule.bad) - len(before)
        if not len(rows):
            raise UserError(f"{self.datamodule.task.name}: none of the test clips could be read; see the names above.")
        if self.datamodule.bad:
            write_bad_files(self.folder / "bad_files.csv", self.datamodule.bad)
        write_report(
            self.folder,
            self.datamodule.task,
            scores.numpy(),
            self.datamodule.labels(rows).numpy(),
            self.datamodule.names(rows),
            self.datamodule.groups(rows),
            extra=self._about(broken),
        )
        log.info(f"\n{summary([self.folder])}\nThe run's folder: {self.folder}")

    def _about(self, broken: int) -> dict[str, Any]:
        """What a reader of metrics.json must know beside the numbers."""
        data, model = self.datamodule, self.model
        return {
            "protocol": "mean embedding of all segments of a clip, then head",
            "method": type(model).__name__,
            "checkpoint": model.checkpoint,
            "encoder": model.encoder.spec,
            "head": model.head_options,
            "sample_rate": data.sample_rate,
            "segment_samples": data.length,
            "supervised_data_p": data.request.supervised_data_p,
            "training_clips": len(data.pools.labelled),
            "epochs": self.trainer.current_epoch,
            "steps": self.trainer.global_step,
            "test_files_broken": broken,
            "seed": data.seed,
        }


def write_bad_files(path: Path, bad: dict[str, str]) -> None:
    """List files that gave no audio as CSV."""
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([("path", "reason"), *bad.items()])


def main() -> int:
    """Parse the command line, train, test and report."""
    return run(lambda: Evaluate().run_command())
