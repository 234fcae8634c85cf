"""CPC as a LightningModule: the future of a sequence is told from other frames."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, get_args

import torch
from pytorch_lightning.cli import LRSchedulerCallable, OptimizerCallable
from torch import Tensor

from semisupcon.batch import Batch
from semisupcon.encoders.cpc import CPC
from semisupcon.errors import UserError
from semisupcon.objectives.future import Future, Source, Steps, neighbourhoods
from semisupcon.running.ranks import sum_over_ranks, world_size
from semisupcon.table import Task
from semisupcon.training.pretraining import Matrices, Pretraining


class Predictive(Pretraining):
    """Contrastive predictive coding (van den Oord, Li & Vinyals 2018, arXiv 1807.03748).

    A view is a window; a context, which has heard the window up to one frame, predicts the latents of the next frames.
    With several processes each draws its negatives from its own windows: nothing but sums is exchanged.

    Args:
        encoder: what is trained: one with latents and contexts.
        steps: K, how many frames ahead is predicted, each by its own linear predictor.
        negatives: n, drawn for each context and step.
        negatives_from: where from: any window of the batch, the same_sequence (the window itself), windows of the
            same_category (clips with the same label), or sequential (the windows of the same clip).
        optimizer: given the parameters, the optimizer.
        scheduler: given the optimizer, a learning rate schedule stepped after every optimizer step.
        scale: factor of the inner products; 1 in the paper. None = 1 / channels, the mean over them as in public code,
            which learns more slowly and more often falls back to telling nothing apart.

    Raises:
        UserError: the encoder has no latents and contexts, or an option is out of range.
    """

    encoder: CPC

    def __init__(
        self,
        encoder: CPC,
        steps: int = 12,
        negatives: int = 128,
        negatives_from: Source = "any",
        optimizer: OptimizerCallable = torch.optim.Adam,
        scheduler: LRSchedulerCallable | None = None,
        scale: float | None = 1.0,
    ) -> None:
        super().__init__(encoder, optimizer, scheduler)
        if not (hasattr(encoder, "latents") and hasattr(encoder, "contexts")):
            raise UserError(
                f"{type(encoder).__name__} has no latents and contexts, which predicting the future needs. "
                "Give --model.encoder.class_path=semisupcon.encoders.CPC, or a subclass of it."
            )
        if negatives_from not in get_args(Source):
            raise UserError(f"negatives_from={negatives_from!r}: there are {', '.join(get_args(Source))}.")
        self.future = Future(encoder.dim, encoder.channels, steps, negatives, scale)
        self.negatives_from: Source = negatives_from
        self.least_views = 2 if negatives_from == "sequential" else 1

    def prepare(self, labels: Tensor, tasks: Sequence[Task]) -> None:
        """See that there are categories where negatives are drawn by them."""
        if self.negatives_from != "same_category":
            return
        if not len(labels):
            raise UserError(
                "negatives_from=same_category needs labels, and none are used. Pass --data.sl_task and "
                "--data.intrabatch_supervised_p above 0, or another --model.negatives_from."
            )
        if numbers := [task.name for task in tasks if task.kind == "regression"]:
            raise UserError(
                f"negatives_from=same_category needs classes, and the labels of {', '.join(numbers)} are numbers. "
                "Pass another --data.sl_task or --model.negatives_from."
            )

    def training_step(self, batch: Batch, batch_idx: int) -> dict[str, Any]:
        """Windows in, loss out; the loss is the sum over the steps of the mean over the contexts of all ranks."""
        self.samples = batch.audio.shape[-1]
        latents = self.encoder.latents(self.heard(batch))  # (B, V, 1, T) -> (B*V, L, C)
        contexts = self.encoder.contexts(latents)  # (B*V, L, D)
        found = self.future(contexts, latents, self._neighbourhoods(batch, len(latents)))
        sums = self._sums(found, batch)
        # DDP takes the mean of the ranks' gradients, so the share of this rank's windows is taken times the ranks.
        loss = world_size() * len(batch) / sums[0].clamp_min(1) * found.loss.sum()
        if self.is_logged():
            self._log("train", sums)
        elif len(batch):  # for the progress bar; numbers are read back from the device in the steps that are logged
            self.log("train/loss", sums[1] / sums[0].clamp_min(1), prog_bar=True, batch_size=len(batch))
        return {"loss": loss, "latents": latents[0].detach(), "contexts": contexts[0].detach()}

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """The same loss on fixed windows of clips that are not trained on, with the same negatives every time."""
        latents = self.encoder.latents(self.heard(batch))
        contexts = self.encoder.contexts(latents)
        devices = [self.device] if self.device.type == "cuda" else []
        with torch.random.fork_rng(devices):
            torch.manual_seed(batch_idx)
            found = self.future(contexts, latents, self._neighbourhoods(batch, len(latents)))
        self._log("val", self._sums(found, batch))

    def pictured(self, outputs: dict[str, Any], batch: Batch, most: int) -> Matrices | None:
        """The first window: how well each of its latents fits what each context predicts of the next frame."""
        if not len(batch):
            return None
        latents, contexts = outputs["latents"], outputs["contexts"][:-1][:most]
        with torch.no_grad():
            logits = self.future.logits(1, contexts, latents)  # (L - 1, L)
        targets = torch.eye(len(latents), device=logits.device).roll(1, dims=1)[: len(contexts)]
        order = "one window; each context predicts the next frame"
        return Matrices(logits, targets, targets >= 0, order, anchor="context frame", candidate="latent frame")

    def _neighbourhoods(self, batch: Batch, windows: int) -> Tensor:
        """(N,) which windows lend each other negatives; of the silence in an empty batch all."""
        views = batch.audio.shape[1]
        found = neighbourhoods(self.negatives_from, batch.labels, batch.labelled, views)
        return found if len(batch) else torch.zeros(windows, dtype=torch.int64, device=found.device)

    @staticmethod
    def _sums(found: Steps, batch: Batch) -> Tensor:
        """Of all ranks, (2 + K,): clips, and, times the clips, the loss and the accuracy of each step."""
        values = torch.cat([found.loss.sum()[None], found.accuracy]).detach()
        return sum_over_ranks(torch.cat([values.new_ones(1), values]) * len(batch))

    def _log(self, stage: str, sums: Tensor) -> None:
        """Loss and accuracies; nothing of a batch without a clip. They are the same on all ranks."""
        clips, loss, *right = sums.tolist()
        if not clips:
            return
        accuracy = [each / clips for each in right]
        self.log(f"{stage}/loss", loss / clips, prog_bar=True, batch_size=int(clips))
        values = {"": sum(accuracy) / len(accuracy), "_1": accuracy[0], f"_{len(accuracy)}": accuracy[-1]}
        self.log_dict({f"{stage}/accuracy{step}": value for step, value in values.items()}, batch_size=int(clips))
