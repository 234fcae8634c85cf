"""What every run leaves in its folder: checkpoints, the files that were broken, the numbers it ended with."""

from __future__ import annotations

import csv
import json
import logging
import math
import shutil
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.callbacks.checkpoint import Checkpoint
from pytorch_lightning.utilities import rank_zero_only

from semisupcon.errors import UserError
from semisupcon.running.history import History

log = logging.getLogger(__name__)


class Checkpoints(Checkpoint):
    """Saves ``step-N.ckpt`` every so many optimizer steps, and ``last.ckpt`` then and at the end of training.

    Args:
        every_n_steps: optimizer steps between checkpoints.
        keep_all: whether the numbered ones are kept, or only ``last.ckpt``.
    """

    def __init__(self, every_n_steps: int = 1000, keep_all: bool = True) -> None:
        self.every_n_steps, self.keep_all = every_n_steps, keep_all
        self.folder: Path | None = None
        self._start = self._saved = -1

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Agree on the folder: rank 0 made it."""
        self.folder = trainer.strategy.broadcast(self.folder)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """A resumed run has its checkpoint; the next batch's gradient may be half of a step, and would be lost."""
        self._start = trainer.global_step

    def on_train_batch_end(self, trainer: Trainer, *args: Any) -> None:
        """Save when it is time, once for each step however many batches are accumulated."""
        step = trainer.global_step
        if step % self.every_n_steps == 0 and step not in (self._start, self._saved):
            self._save(trainer, numbered=self.keep_all)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save where training ended."""
        if trainer.global_step != self._saved:
            self._save(trainer, numbered=False)

    def _save(self, trainer: Trainer, numbered: bool) -> None:
        if self.folder is None:
            return
        self._saved = trainer.global_step
        last = self.folder / "last.ckpt"
        path = self.folder / f"step-{trainer.global_step:07d}.ckpt" if numbered else last
        trainer.save_checkpoint(path, weights_only=False)
        if numbered and trainer.is_global_zero:
            part = last.with_suffix(".part")  # a kill between here and there leaves the earlier last.ckpt whole
            shutil.copyfile(path, part)
            part.replace(last)


class BadFiles(Callback):
    """Names each broken audio file once, counts them, and lists them in ``bad_files.csv``.

    Args:
        folder: the run's folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.found: dict[str, str] = {}
        self._good = 0

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Agree on the folder: rank 0 made it."""
        self.folder = trainer.strategy.broadcast(self.folder)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Take note of the files that were missing from a training batch."""
        self._good += len(batch)
        self.note(batch, trainer.global_rank)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Stop where there is nothing to learn from.

        Raises:
            UserError: not one file of a whole epoch gave audio.
        """
        good = trainer.strategy.reduce(torch.tensor(self._good, device=pl_module.device), reduce_op="sum")
        if not good and self.found:
            path, reason = next(iter(self.found.items()))
            raise UserError(
                f"No file gave any audio in a whole epoch: all {len(self.found):,} that were tried are broken, such "
                f"as {path} ({reason}).\nThe list: {self.folder / 'bad_files.csv'}"
            )

    def on_validation_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, *args: Any
    ) -> None:
        """Take note of the files that were missing from a validation batch."""
        self.note(batch, trainer.global_rank)

    def note(self, batch: Any, rank: int = 0) -> None:
        """List what is new."""
        new = {path: why for path, why in getattr(batch, "bad", ()) if path not in self.found}
        if not new:
            return
        self.found.update(new)
        path = self.folder / ("bad_files.csv" if rank == 0 else f"bad_files.rank{rank}.csv")
        first = not path.exists()
        with path.open("a", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            if first:
                writer.writerow(["path", "reason"])
            writer.writerows(new.items())
        for name, why in new.items():
            log.warning(f"left out, no audio in it: {name} ({why}); {len(self.found)} such files so far")


class Record(Callback):
    """Writes what was trained on at the start and how it ended: ``data.json``, ``split.csv``, ``metrics.json``.

    Args:
        folder: the run's folder.
        history: whose rows past a resumed step are dropped.
        bad_files: whose count is reported.
        data: the datamodule, asked to ``save`` what it holds.
    """

    def __init__(self, folder: Path, history: History, bad_files: BadFiles, data: Any) -> None:
        self.folder, self.history, self.bad_files, self.data = folder, history, bad_files, data

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Describe the data; a resumed run forgets what it is about to do again."""
        self.history.forget(after=trainer.global_step - 1)  # the first step is logged as 0
        if trainer.is_global_zero:
            write_json(self.folder / "data.json", self.data.save(self.folder))

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """The last value of everything that was logged, the number of steps, and of broken files."""
        final: dict[str, Any] = {"steps": trainer.global_step, "bad_files": len(self.bad_files.found)}
        for name, value in sorted(trainer.logged_metrics.items()):
            stage, _, metric = name.rpartition("/")
            (final.setdefault(stage, {}) if stage else final)[metric] = float(value)
        write_json(self.folder / "metrics.json", final)
        if trainer.logged_metrics and not self.history.path.exists():  # shorter than log_every_n_steps
            values = {name: float(value) for name, value in trainer.logged_metrics.items()}
            self.history.log_metrics(values, trainer.global_step - 1)


@rank_zero_only
def write_json(path: Path, content: dict[str, Any]) -> None:
    """Indented JSON; what is not a number becomes null, since JSON has no NaN."""

    def clean(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: clean(inner) for key, inner in value.items()}
        if isinstance(value, (list, tuple)):
            return [clean(inner) for inner in value]
        return None if isinstance(value, float) and not math.isfinite(value) else value

    path.write_text(json.dumps(clean(content), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
