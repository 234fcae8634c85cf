"""The best state of training by validation, kept in memory and put back at its end."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, Literal

from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import Callback
from torch import Tensor

from semisupcon.downstream.model import Downstream


class KeepBest(Callback):
    """Remembers the trained weights where ``monitor`` was best. They travel in checkpoints, so a resumed run knows.

    Args:
        folder: where ``best.ckpt`` is saved at the end; None = nowhere.
        monitor: a logged value; without one (no validation clips) the last weights stay.
        mode: ``min`` where the lowest value is the best, ``max`` where the highest is.
    """

    def __init__(
        self, folder: Path | None = None, monitor: str = "val/loss", mode: Literal["min", "max"] = "min"
    ) -> None:
        self.folder, self.monitor, self.mode = folder, monitor, mode
        self.best, self.epoch = math.inf if mode == "min" else -math.inf, -1
        self.weights: dict[str, Tensor] | None = None

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Remember the weights where they are the best so far."""
        value = float(trainer.callback_metrics.get(self.monitor, math.nan))
        better = value < self.best if self.mode == "min" else value > self.best  # NaN is neither
        if better and isinstance(pl_module, Downstream):
            self.best, self.epoch = value, trainer.current_epoch
            state = pl_module.trained().state_dict()
            self.weights = {name: tensor.detach().cpu().clone() for name, tensor in state.items()}

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Put the best weights back, after ``last.ckpt`` was saved with those that training can go on from."""
        if self.weights is not None and isinstance(pl_module, Downstream):
            pl_module.trained().load_state_dict(self.weights)
        if self.folder is not None:
            trainer.save_checkpoint(self.folder / "best.ckpt", weights_only=False)

    def state_dict(self) -> dict[str, Any]:
        """For the checkpoint."""
        return {"monitor": self.monitor, "best": self.best, "epoch": self.epoch, "weights": self.weights}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """From the checkpoint; another value's best is no measure, and the search for it begins anew."""
        if state_dict.get("monitor", self.monitor) != self.monitor:
            return
        self.best, self.epoch, self.weights = (state_dict[name] for name in ("best", "epoch", "weights"))
