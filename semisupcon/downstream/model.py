"""What a probe and fine-tuning share: an encoder from a checkpoint, a head, validation on whole clips."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, Self

import torch
from pytorch_lightning import LightningModule
from pytorch_lightning.cli import LRSchedulerCallable, OptimizerCallable
from torch import Tensor, nn

from semisupcon import checkpoint as checkpoints
from semisupcon.augment.spectrogram import Masking, NoiseMixing
from semisupcon.batch import Batch
from semisupcon.downstream import metrics
from semisupcon.downstream.datamodule import TaskDataModule
from semisupcon.downstream.embed import calibrate, fresh_norms
from semisupcon.downstream.fusion import Fusion, LateFusion, head_for, parts_of
from semisupcon.downstream.heads import Head, HeadKind
from semisupcon.downstream.report import write_report
from semisupcon.encoders.base import Encoder, build
from semisupcon.encoders.samplecnn import SampleCNN
from semisupcon.errors import UserError
from semisupcon.running.ranks import gather_rows
from semisupcon.table import Task

log = logging.getLogger(__name__)


class Downstream(LightningModule):
    """An encoder with a head for one task; ``Probe`` and ``FineTune`` say what is trained.

    Args:
        checkpoint: of pretrain.py or finetune.py; it decides the encoder. Of several, [A, B], the encoders stand side
            by side (Concat). None = an untrained encoder, whose BatchNorm statistics are calibrated on training clips.
        encoder: used where there is no checkpoint (None = SampleCNN as published); refused where it contradicts one.
        untrained: leave the weights out and take those of a fresh encoder of the same architecture, calibrated: what
            the trained one must beat.
        fusion: of the encoders of a Concat: concat = one head on all embeddings together; late = a head for each,
            whose probabilities (regression: predictions) are averaged.
        head: linear, or mlp with one hidden layer.
        hidden: width of the hidden layer of an mlp.
        dropout: before the head's last layer.
        front_end_augmentation: where the encoder is trained, keep the masks and the noise that its log-mel front end
            was pretrained with. The noise is another clip of the batch, whose labels are then not this one's: off by
            default.
        optimizer: given the parameters, the optimizer.
        scheduler: given the optimizer, a learning rate schedule stepped after every epoch.
    """

    least_clips: int = 1
    """The smallest batch that can be trained on."""
    protocol: ClassVar[str] = "mean embedding of all segments of a clip, then head"
    """How clips are tested, for the report."""

    head: Head | LateFusion
    task: Task

    def __init__(
        self,
        checkpoint: list[str] | str | None = None,
        encoder: Encoder | None = None,
        untrained: bool = False,
        fusion: Fusion = "concat",
        head: HeadKind = "linear",
        hidden: int = 512,
        dropout: float = 0.0,
        front_end_augmentation: bool = False,
        optimizer: OptimizerCallable = torch.optim.Adam,
        scheduler: LRSchedulerCallable | None = None,
    ) -> None:
        super().__init__()
        self.checkpoint = checkpoint
        self.samples: int | None = None
        """T of the segments trained on: what the checkpoint says, from ``begin`` on what the data has."""
        if checkpoint is not None:
            paths = [checkpoint] if isinstance(checkpoint, str) else checkpoint
            self.encoder, self.samples = checkpoints.restored(paths, encoder, fresh=untrained)
        else:
            self.encoder = encoder or SampleCNN()
            self.samples = max((origin.samples or 0 for origin in self.encoder.origins()), default=0) or None
            if untrained:
                self.encoder = build(self.encoder.spec)
        self.head_options: dict[str, Any] = {"kind": head, "hidden": hidden, "dropout": dropout, "fusion": fusion}
        if fusion == "late":
            parts_of(self.encoder)  # refused now, and not when the data is there
        self.front_end_augmentation = front_end_augmentation
        self.optimizer, self.scheduler = optimizer, scheduler
        self._scores: list[Tensor] = []
        self._labels: list[Tensor] = []

    @property
    def sources(self) -> list[str]:
        """The checkpoints that the encoder's weights came from, and those before them; none = it began untrained."""
        return self.encoder.sources()

    def check(self, data: TaskDataModule) -> None:
        """Raise a UserError where the task cannot be trained on, before anything is written."""
        data.need_batches_of(self.least_clips)

    def begin(self, data: TaskDataModule, device: torch.device) -> dict[str, Any]:
        """Build the head for the task and get ready to train.

        Args:
            data: the task.
            device: where the encoder runs.

        Returns:
            what ``Trainer.fit`` is to train on.
        """
        raise NotImplementedError

    def scores(self, data: TaskDataModule) -> tuple[Tensor, Tensor]:
        """(M, K) scores of the test clips that could be read, on the CPU, and their (M,) file rows."""
        raise NotImplementedError

    def report(self, data: TaskDataModule, folder: Path, about: Callable[[int], dict[str, Any]]) -> None:
        """Test, and write what came of it.

        Args:
            data: the task.
            folder: the run's.
            about: what is to be said beside the figures, given how many clips were tested.

        Raises:
            UserError: no test clip could be read.
        """
        scores, rows = self.scores(data)
        if not len(rows):
            raise self.nothing_read(data)
        names, groups = data.names(rows), data.groups(rows)
        write_report(
            folder, data.task, scores.numpy(), data.labels(rows).numpy(), names, groups, extra=about(len(rows))
        )

    def trained(self) -> nn.Module:
        """What the optimizer sees."""
        raise NotImplementedError

    def train(self, mode: bool = True) -> Self:
        """Train mode, but not for the augmentations of the encoder's front end unless they are asked for."""
        super().train(mode)
        for module in self.encoder.modules():
            if isinstance(module, Masking | NoiseMixing) and not self.front_end_augmentation:
                module.eval()
        return self

    def padded(self, batch: Batch) -> Tensor:
        """(least_clips, 1, T), the audio of a batch too small because its files were broken, and silence.

        It is for a loss of zero with a gradient, since other ranks wait for it.
        """
        audio = batch.audio.flatten(0, 1)
        return torch.cat([audio, audio.new_zeros(self.least_clips - len(audio), *audio.shape[1:])])

    def prepare(self, data: TaskDataModule) -> None:
        """What ``begin`` begins with: a fresh head for the task, and what is to be known of its data."""
        data.need_batches_of(self.least_clips)
        self.samples = data.length
        self.task = data.task
        self.head = head_for(self.encoder, self.task, **self.head_options)
        if not data.pools.val_labelled.any():
            log.warning(
                f"{self.task.name}: no labelled validation clip, so there is no early stopping and no best epoch: "
                f"the last weights are used. --trainer.max_epochs decides how long is trained."
            )

    def calibrate(self, data: TaskDataModule, device: torch.device) -> None:
        """Give what is untrained of the encoder the BatchNorm statistics of training clips."""
        if fresh_norms(self.encoder):
            calibrate(self.encoder, data.calibration(), device)

    def exact_scores(self, embedding: Tensor) -> Tensor:
        """(b, D) -> (b, K) in float32 whatever the trainer's precision, so that validation agrees with the test."""
        with torch.autocast(embedding.device.type, enabled=False):
            return self.head(embedding.float())

    def note(self, scores: Tensor, labels: Tensor) -> None:
        """Keep the scores of some validation clips for the end of the epoch."""
        self._scores.append(scores.detach())
        self._labels.append(labels)

    def on_validation_epoch_end(self) -> None:
        """Loss and metrics over the whole validation set at once, never averaged over batches."""
        none = torch.zeros(0, len(self.task.classes), device=self.device)
        scores, labels = torch.cat([none, *self._scores]), torch.cat([none, *self._labels])
        self._scores.clear()
        self._labels.clear()
        scores, labels = gather_rows(scores), gather_rows(labels)
        if not len(scores):
            return  # every validation clip was broken
        if not scores.isfinite().all():
            raise self.diverged()
        values = metrics.evaluate(self.task, scores.float().cpu().numpy(), labels.float().cpu().numpy())
        main = self.task.metric
        self.log("val/loss", self.head.loss(scores, labels), prog_bar=True)
        self.log(f"val/{main}", values[main], prog_bar=True)
        self.log_dict({f"val/{name}": float(value) for name, value in values.items() if name != main})

    def diverged(self) -> UserError:
        """To raise where scores are no numbers."""
        return UserError(
            f"Training has diverged: NaN or infinite scores in epoch {self.current_epoch}. Lower "
            f"--model.optimizer.lr, or clip gradients with --trainer.gradient_clip_val=1."
        )

    @staticmethod
    def nothing_read(data: TaskDataModule) -> UserError:
        """To raise where every test clip is broken."""
        return UserError(f"{data.task.name}: none of the test clips could be read; see the names above.")

    def configure_optimizers(self) -> Any:
        """The optimizer over what is trained, and the schedule where there is one."""
        optimizer = self.optimizer(self.trained().parameters())
        if self.scheduler is None:
            return optimizer
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": self.scheduler(optimizer), "interval": "epoch", "monitor": "val/loss"},
        }

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Say in the checkpoint what the encoder is and what the head is for."""
        checkpoint[checkpoints.KEY] = {
            **checkpoints.describe(self.encoder, self.samples),
            "task": {"name": self.task.name, "kind": self.task.kind, "classes": list(self.task.classes)},
            "head": self.head_options,
        }
