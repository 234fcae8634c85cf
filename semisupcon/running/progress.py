"""One progress bar for a training that is limited by its optimizer steps."""

from __future__ import annotations

import time
from typing import Any

from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import TQDMProgressBar


class StepsBar(TQDMProgressBar):
    """Runs over ``max_steps`` once, with the time that is left, instead of starting again with each epoch.

    A resumed run starts at its step, which does not count for the rate. It is drawn a few times a second and not at
    every step: the numbers beside it are read back from the device, which holds a GPU up.
    """

    seconds = 0.2  # from one drawing to the next
    _drawn = 0.0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Begin at the step that training begins at."""
        super().on_train_start(trainer, pl_module)
        bar = self.train_progress_bar
        bar.reset(total=trainer.max_steps)
        bar.initial = bar.n = trainer.global_step

    def on_train_epoch_start(self, trainer: Trainer, *_: Any) -> None:
        """Name the epoch."""
        self.train_progress_bar.set_description(f"epoch {trainer.current_epoch}, step")

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        """Move on where there was an optimizer step; of accumulated batches only the last one makes it."""
        bar, step = self.train_progress_bar, trainer.global_step
        now = time.monotonic()
        if bar.disable or step == bar.n:
            return
        bar.n = step
        if now - self._drawn >= self.seconds or step == bar.total:
            self._drawn = now
            bar.set_postfix(self.get_metrics(trainer, pl_module))  # which draws the bar
