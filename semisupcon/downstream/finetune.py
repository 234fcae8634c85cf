"""Fine-tuning: encoder and head are trained together, on random crops."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from semisupcon.batch import Batch
from semisupcon.downstream.datamodule import TaskDataModule
from semisupcon.downstream.embed import encode
from semisupcon.downstream.model import Downstream
from semisupcon.loading.segments import Clips


class FineTune(Downstream):
    """Trains everything. Clips are validated and tested by the mean embedding of all their segments."""

    least_clips = 2  # BatchNorm has no variance of one value a channel

    def begin(self, data: TaskDataModule, device: torch.device) -> dict[str, Any]:
        """Build the head; regression targets are standardised on the training clips."""
        self.prepare(data)
        self.calibrate(data, device)
        self.head.fit_statistics(None, torch.from_numpy(data.pools.labels[data.pools.labelled]))
        self.train()  # an encoder comes in eval mode out of a checkpoint or calibration, and Lightning leaves it so
        return {"datamodule": data}

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """The loss on one crop of each clip."""
        if len(batch) < self.least_clips:
            return 0.0 * self.head(self.encoder(self.padded(batch))).sum()
        embedding = self.encoder(batch.audio.flatten(0, 1))  # (B, 1, 1, T) -> (B, D)
        loss = self.head.training_loss(embedding, batch.labels)
        self.log("train/loss", loss, prog_bar=True, batch_size=len(batch))
        return loss

    def validation_step(self, batch: Clips, batch_idx: int) -> None:
        """Scores of whole clips."""
        if len(batch.rows):  # else nothing: no rank waits for another one before the end of the epoch
            self.note(self.exact_scores(self._means(batch)), batch.labels)

    @torch.no_grad()
    def scores(self, data: TaskDataModule) -> tuple[Tensor, Tensor]:
        """The head on the mean embedding of each test clip."""
        self.eval()
        scores, rows = [torch.zeros(0, len(self.task.classes))], [torch.zeros(0, dtype=torch.int64)]
        for group in data.loader("test"):
            data.bad.note(len(group.rows), group.bad)
            moved = group.to(self.device)
            if len(moved.rows):
                scores.append(self.exact_scores(self._means(moved)).cpu())
                rows.append(group.rows)
        return torch.cat(scores), torch.cat(rows)

    def trained(self) -> nn.Module:
        """Encoder and head."""
        return nn.ModuleList([self.encoder, self.head])

    def _means(self, clips: Clips) -> Tensor:
        """(S, 1, T) segments of b clips -> (b, D) mean embeddings."""
        embedding = encode(self.encoder, clips.audio)
        _, place = clips.clip.unique_consecutive(return_inverse=True)  # clip after clip, in the order of the rows
        sums = embedding.new_zeros(len(clips.rows), embedding.shape[1]).index_add_(0, place, embedding)
        return sums / place.bincount(minlength=len(clips.rows))[:, None]
