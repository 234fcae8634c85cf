"""SemiSupCon, and every system whose loss compares whole clips, as one LightningModule."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch
from pytorch_lightning.cli import LRSchedulerCallable, OptimizerCallable
from torch import Tensor, nn

from semisupcon import checkpoint as checkpoints
from semisupcon import projection as projections
from semisupcon.batch import Batch
from semisupcon.encoders.base import Encoder
from semisupcon.objectives import diagnostics
from semisupcon.objectives.kernel import Rows, rows_in_chunks
from semisupcon.objectives.signals import SharedLabels, Signal
from semisupcon.objectives.targets import Pairing, Unknown, Views, target_matrix
from semisupcon.running.ranks import sum_over_ranks, world_size
from semisupcon.table import Task
from semisupcon.training.gather import gather, identify
from semisupcon.training.pretraining import Matrices, Pretraining

ANCHORS = 2  # the place of their number in ``Contrastive._sums``


class Contrastive(Pretraining):
    """Semi-supervised contrastive learning (Guinot, Quinton, Fazekas 2024, arXiv 2407.13840).

    Labels, where there are some, shape the target contrastive matrix; without labels this is SimCLR/CLMR, with
    labels for every clip it is SupCon.

    Args:
        encoder: what is trained: audio in, embedding out.
        projection: given the embedding dimension, the head in front of the loss; the encoder is used without it.
        similarity: (A, P), (C, P) -> (A, C) logits.
        optimizer: given the parameters, the optimizer.
        scheduler: given the optimizer, a learning rate schedule stepped after every optimizer step.
        signal: turns the labels of two clips into how alike they should be.
        pairing: which views are anchors and which candidates; None = all against all others.
        unlabelled_pairs: what a pair of a labelled and an unlabelled clip is: negative (the paper), or ignore.
        chunk: anchors that the loss is computed for at a time; bounds its memory, changes nothing else.
    """

    def __init__(
        self,
        encoder: Encoder,
        projection: Callable[[int], nn.Module],
        similarity: nn.Module,
        optimizer: OptimizerCallable = torch.optim.Adam,
        scheduler: LRSchedulerCallable | None = None,
        signal: Signal | None = None,
        pairing: Pairing | None = None,
        unlabelled_pairs: Unknown = "negative",
        chunk: int = 512,
    ) -> None:
        super().__init__(encoder, optimizer, scheduler)
        self.projection = projection(encoder.dim)
        self._head = projections.described(projection, encoder.dim, self.projection)
        self.similarity = similarity
        self.signal = signal or SharedLabels()
        self.pairing = pairing or Pairing()
        self.least_views = max(2, 1 + max([*(self.pairing.anchors or []), *(self.pairing.candidates or [])], default=0))
        self.unlabelled_pairs: Unknown = unlabelled_pairs
        self.chunk = chunk

    def prepare(self, labels: Tensor, tasks: Sequence[Task]) -> None:
        """Let the signal see the labels."""
        if len(labels):
            self.signal.prepare(labels, tasks)

    def training_step(self, batch: Batch, batch_idx: int) -> dict[str, Any]:
        """Views in, loss out; the loss is the mean over the anchors of all ranks."""
        self.samples = batch.audio.shape[-1]
        embedding = self._encode(batch)  # (B, V, 1, T) -> (B*V, D)
        views = self._views(batch, self.projection(embedding))  # (B*V, P)
        found, labelled = self._rows(views, batch.audio.shape[1])
        sums = self._sums(found, labelled, batch)
        # DDP takes the mean of the ranks' gradients, so the share of this rank's anchors is taken times the ranks.
        loss = world_size() * found.loss.sum() / sums[ANCHORS].clamp_min(1)
        if self.is_logged():
            self._log("train", sums, self._diagnose(embedding, views))
        elif len(batch):  # for the progress bar; numbers are read back from the device in the steps that are logged
            self.log("train/loss", sums[0] / sums[ANCHORS].clamp_min(1), prog_bar=True, batch_size=len(batch))
        return {"loss": loss, "views": replace(views, embedding=views.embedding.detach())}

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """The same loss on fixed crops of clips that are not trained on."""
        views = self._views(batch, self.projection(self._encode(batch)))
        self._log("val", self._sums(*self._rows(views, batch.audio.shape[1]), batch), {})

    def pictured(self, outputs: dict[str, Any], batch: Batch, most: int) -> Matrices | None:
        """Whole clips, labelled ones first and sorted by their first label, so that the blocks of a class show."""
        if not len(batch):
            return None
        per_clip = batch.audio.shape[1]
        clips = _in_order(batch)[: max(1, most // per_clip)]
        rows = (clips[:, None] * per_clip + torch.arange(per_clip, device=clips.device)).flatten()
        order = "labelled clips first, by label; then unlabelled ones"
        return Matrices(*self.matrices(outputs["views"][rows], per_clip), order)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Write into the checkpoint also how the head is built, for evaluation in the space of the loss."""
        super().on_save_checkpoint(checkpoint)
        checkpoint[checkpoints.KEY][projections.PART] = self._head

    def matrices(self, views: Views, per_clip: int) -> tuple[Tensor, Tensor, Tensor]:
        """Logits, targets and keep, (A, C) each, of some views; for looking at."""
        with torch.no_grad():
            anchors, candidates = self.pairing.select(views, per_clip)
            targets, keep = target_matrix(anchors, candidates, self.signal, self.unlabelled_pairs)
            return self.similarity(anchors.embedding, candidates.embedding), targets, keep

    def _encode(self, batch: Batch) -> Tensor:
        """(B, V, 1, T) -> (B*V, D)."""
        embedding = self.encoder(self.heard(batch))
        return embedding if len(batch) else embedding[:0]

    def _views(self, batch: Batch, embedding: Tensor) -> Views:
        """What the targets need to know of each view: (B, ...) -> (B*V, ...)."""
        per_clip = batch.audio.shape[1]
        return Views(
            embedding=embedding,
            labels=batch.labels.repeat_interleave(per_clip, 0),
            labelled=batch.labelled.repeat_interleave(per_clip, 0),
            file=batch.file.repeat_interleave(per_clip, 0),
            identity=identify(len(batch) * per_clip, batch.file.device),
        )

    def _rows(self, views: Views, per_clip: int) -> tuple[Rows, Tensor]:
        """The kernel's rows for this rank's anchors against the candidates of all ranks; which are labelled, (A,)."""
        anchors = self.pairing.pick(views, per_clip, self.pairing.anchors)
        candidates = self.pairing.pick(gather(views), per_clip, self.pairing.candidates)
        found = rows_in_chunks(
            len(anchors),
            lambda part: self.similarity(anchors.embedding[part], candidates.embedding),
            lambda part: target_matrix(anchors[part], candidates, self.signal, self.unlabelled_pairs),
            self.chunk,
        )
        return found, anchors.labelled

    @staticmethod
    def _sums(found: Rows, labelled: Tensor, batch: Batch) -> Tensor:
        """Of all ranks, (8,): loss, labelled anchors' loss, anchors, labelled ones, positives, candidates, labelled
        clips, clips."""
        loss, counted = found.loss.detach(), found.counted
        parts = (loss, loss * labelled, counted, counted & labelled, found.positives, found.candidates)
        clips = (batch.labelled, torch.ones_like(batch.labelled))
        return sum_over_ranks(torch.stack([part.sum().float() for part in (*parts, *clips)]))

    def _diagnose(self, embedding: Tensor, views: Views) -> dict[str, Tensor]:
        """The shape of this rank's embeddings, at the steps that are logged: a decomposition is not free."""
        if len(embedding) < 2:
            return {}
        with torch.no_grad():
            return {
                "alignment": diagnostics.alignment(views.embedding, views.file),
                "uniformity": diagnostics.uniformity(views.embedding),
                "effective_rank": diagnostics.effective_rank(embedding),
            }

    def _log(self, stage: str, sums: Tensor, more: dict[str, Tensor]) -> None:
        """The loss, its parts where there are any, and what was in the batch; nothing of a batch without a clip.

        What is not in ``more`` is the same on all ranks.
        """
        total, supervised, anchors, with_labels, positives, candidates, labelled_clips, clips = sums.tolist()
        if not clips:
            return
        self.log(f"{stage}/loss", total / max(1, anchors), prog_bar=True, batch_size=int(clips))
        values = {"positive_pairs": positives / max(1, candidates), "labelled_share": labelled_clips / clips}
        if with_labels:
            values["loss_supervised"] = supervised / with_labels
        if anchors > with_labels:
            values["loss_self_supervised"] = (total - supervised) / (anchors - with_labels)
        self.log_dict({f"{stage}/{name}": value for name, value in {**values, **more}.items()}, batch_size=int(clips))


def _in_order(batch: Batch) -> Tensor:
    """(B,) clips, labelled ones first and sorted by their first label."""
    if not batch.labels.shape[1]:
        return torch.arange(len(batch), device=batch.file.device)
    first = torch.where(batch.labels > 0, 1.0, 0.0).argmax(dim=1)
    return torch.argsort(first + (~batch.labelled) * (batch.labels.shape[1] + 1), stable=True)
