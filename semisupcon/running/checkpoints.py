"""When the state of training is saved, and what is said of it where training stops early."""

from __future__ import annotations

import logging
import shutil
import time
from pathlib import Path
from typing import Any

from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks.checkpoint import Checkpoint

from semisupcon.errors import UserError

log = logging.getLogger(__name__)

_LOOK = 10  # steps between two looks at the clock: under DDP the ranks have to agree each time


class Checkpoints(Checkpoint):
    """Saves ``step-N.ckpt`` every so many optimizer steps; ``last.ckpt`` then, every few minutes, and at the end.

    Args:
        every_n_steps: optimizer steps between checkpoints.
        keep_all: whether the numbered ones are kept, or only ``last.ckpt``.
        every_minutes: minutes after which ``last.ckpt`` is saved where no checkpoint was; 0 for never.
    """

    def __init__(self, every_n_steps: int = 1000, keep_all: bool = True, every_minutes: float = 10) -> None:
        self.every_n_steps, self.keep_all, self.every_minutes = every_n_steps, keep_all, every_minutes
        self.folder: Path | None = None
        self._step = self._saved = -1
        self._clock = time.monotonic()

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Agree on the folder: rank 0 made it."""
        self.folder = trainer.strategy.broadcast(self.folder)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """A resumed run has its checkpoint already."""
        self._step, self._clock = trainer.global_step, time.monotonic()

    def on_train_batch_end(self, trainer: Trainer, *args: Any) -> None:
        """Save when it is time, and only right behind an optimizer step.

        After any other batch gradients are half accumulated; they are in no checkpoint and would be lost.
        """
        step = trainer.global_step
        if step == self._step:
            return
        self._step = step
        if step % self.every_n_steps == 0:
            self._save(trainer, numbered=self.keep_all)
        elif self.every_minutes and step % _LOOK == 0:
            due = time.monotonic() - self._clock > 60 * self.every_minutes
            if trainer.strategy.reduce_boolean_decision(due, all=False):  # saving is done by all ranks or none
                self._save(trainer, numbered=False)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save where training ended."""
        if trainer.global_step != self._saved:
            self._save(trainer, numbered=False)

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Say what there is to go on from.

        Nothing is saved here: training was stopped somewhere within a batch, whose data, BatchNorm statistics or even
        optimizer step are counted already, and a run that goes on from there would not be the same.
        """
        if self.folder is None or self._step < 0 or isinstance(exception, UserError):
            return
        last, step = self.folder / "last.ckpt", trainer.global_step
        if last.is_file():
            saved = f" (saved at step {self._saved:,})" if self._saved >= 0 else ""
            log.info(f"\nstopped at step {step:,}; to go on{saved}: --resume_from_ckpt={last}")
        else:
            log.info(
                f"\nstopped at step {step:,}, before the first checkpoint: there is nothing to go on from. "
                f"--checkpoint.every_minutes={self.every_minutes:g} and .every_n_steps={self.every_n_steps} decide."
            )

    def _save(self, trainer: Trainer, numbered: bool) -> None:
        if self.folder is None:
            return
        last = self.folder / "last.ckpt"
        path = self.folder / f"step-{trainer.global_step:07d}.ckpt" if numbered else last
        trainer.save_checkpoint(path, weights_only=False)
        if numbered and trainer.is_global_zero:
            part = last.with_suffix(".part")  # a kill between here and there leaves the earlier last.ckpt whole
            shutil.copyfile(path, part)
            part.replace(last)
        self._saved, self._clock = trainer.global_step, time.monotonic()
