"""What every pretraining system has, whatever its loss."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pytorch_lightning import LightningModule
from pytorch_lightning.cli import LRSchedulerCallable, OptimizerCallable
from torch import Tensor

from semisupcon import checkpoint as checkpoints
from semisupcon.batch import Batch
from semisupcon.encoders.base import Encoder
from semisupcon.table import Task


@dataclass(frozen=True)
class Matrices:
    """What a row of similarities says, and what it should say; to be looked at.

    Args:
        logits: (A, C) similarity of anchor a to candidate c.
        targets: (A, C) >= 0, how alike they should be.
        keep: (A, C) bool, which candidates stand in the denominator.
        order: in which order anchors and candidates are, for people.
        anchor: what an anchor is.
        candidate: what a candidate is.
    """

    logits: Tensor
    targets: Tensor
    keep: Tensor
    order: str = ""
    anchor: str = "anchor view"
    candidate: str = "candidate view"


class Pretraining(LightningModule):
    """An encoder that is trained without a task of its own. A system is a subclass with a ``training_step``.

    Args:
        encoder: what is trained: audio in, embedding out.
        optimizer: given the parameters, the optimizer.
        scheduler: given the optimizer, a learning rate schedule stepped after every optimizer step.
    """

    least_views: int = 1
    """Views of a clip that a step needs."""

    def __init__(
        self, encoder: Encoder, optimizer: OptimizerCallable, scheduler: LRSchedulerCallable | None = None
    ) -> None:
        super().__init__()
        self.encoder = encoder.train()  # one out of a checkpoint comes in eval mode, and Lightning leaves it so
        self.optimizer, self.scheduler = optimizer, scheduler
        self.samples: int | None = None
        """T of the views it is trained on; in the checkpoint, so that a probe cuts its segments alike."""

    def forward(self, audio: Tensor) -> Tensor:
        """(N, 1, T) -> (N, D) embeddings."""
        return self.encoder(audio)

    def prepare(self, labels: Tensor, tasks: Sequence[Task]) -> None:
        """See that the labels can be made use of; called once, before the first step.

        Args:
            labels: (n, K) of the labelled training clips, float32 with NaN = unknown; n = 0 where none is used.
            tasks: what the K columns are, one task after the other.

        Raises:
            UserError: they cannot.
        """

    def pictured(self, outputs: dict[str, Any], batch: Batch, most: int) -> Matrices | None:
        """What is worth a look after a training step; None = nothing.

        Args:
            outputs: what ``training_step`` returned.
            batch: what it was given.
            most: anchors to be shown.
        """
        return None

    def configure_optimizers(self) -> Any:
        """The optimizer over all parameters, and the schedule where there is one."""
        optimizer = self.optimizer(self.parameters())
        if self.scheduler is None:
            return optimizer
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": self.scheduler(optimizer), "interval": "step", "monitor": "train/loss"},
        }

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Write into the checkpoint what the encoder is, so that it can be built from the file alone."""
        checkpoint[checkpoints.KEY] = checkpoints.describe(self.encoder, self.samples)

    def heard(self, batch: Batch) -> Tensor:
        """The views (B*V, 1, T) of a batch, silent ones where every file was broken.

        Other ranks wait for this one's gradient. What comes of the silence is to be dropped, or its loss to be 0.
        """
        return batch.audio.flatten(0, 1) if len(batch) else batch.audio.new_zeros(2, *batch.audio.shape[2:])

    def is_logged(self) -> bool:
        """Whether this is one of the steps that Lightning logs, or the last one: only then are numbers read back."""
        step, every = self.global_step + 1, getattr(self.trainer, "log_every_n_steps", 1)
        return bool(every) and (step % every == 0 or step == self.trainer.max_steps)
