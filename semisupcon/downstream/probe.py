"""A probe: the encoder is frozen, so its embeddings are computed once and only the head is trained."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, IterableDataset

from semisupcon.downstream.datamodule import TaskDataModule
from semisupcon.downstream.embed import Embeddings, embed
from semisupcon.downstream.model import Downstream
from semisupcon.errors import UserError

Pair = tuple[Tensor, Tensor]


class Probe(Downstream):
    """A linear or MLP probe on a frozen encoder.

    An epoch shows the head one random segment of every training clip; clips are validated and tested by the mean
    embedding of all their segments. The encoder stays in eval mode throughout.
    """

    def begin(self, data: TaskDataModule, device: torch.device) -> dict[str, Any]:
        """Embed training and validation clips, and standardise by the training segments."""
        self.prepare(data)
        self.calibrate(data, device)
        self.encoder.requires_grad_(False)
        train = embed(self.encoder, data.clips("train"), device, data.num_workers, "training clips")
        val = embed(self.encoder, data.clips("val"), device, data.num_workers, "validation clips")
        data.bad.note(train.clips + val.clips, train.bad + val.bad)
        if not len(train.clip):
            raise UserError(
                f"{self.task.name}: none of the {len(train.bad):,} training clips could be read; see above."
            )
        data.bad.judge(sure=True)
        labels = torch.from_numpy(data.pools.labels)
        segment, clip = torch.from_numpy(train.segment), torch.from_numpy(train.clip)
        self.head.fit_statistics(segment, labels[clip.unique()])
        self.segments = _RandomSegments(segment, clip, labels, data.batch_size, data.seed)
        loader = DataLoader(self.segments, batch_size=None)
        return {"train_dataloaders": loader, "val_dataloaders": self._whole(val, labels)}

    def on_train_epoch_start(self) -> None:
        """Tell the segments which epoch it is, so that a resumed probe goes on with the next one."""
        self.segments.epoch = self.current_epoch

    def training_step(self, batch: Pair, batch_idx: int) -> Tensor:
        """The head's loss on some segments."""
        embedding, labels = batch
        loss = self.head.training_loss(embedding, labels)
        self.log("train/loss", loss, prog_bar=True, on_step=False, on_epoch=True, batch_size=len(labels))
        return loss

    def validation_step(self, batch: Pair, batch_idx: int) -> None:
        """Scores of whole clips."""
        embedding, labels = batch
        self.note(self.exact_scores(embedding), labels)

    @torch.no_grad()
    def scores(self, data: TaskDataModule) -> tuple[Tensor, Tensor]:
        """The head on the mean embedding of each test clip."""
        found = embed(self.encoder, data.clips("test"), self.device, data.num_workers, "test clips")
        data.bad.note(found.clips, found.bad)
        means, rows = found.means()
        self.head.eval()
        return self.exact_scores(torch.from_numpy(means).to(self.device)).cpu(), torch.from_numpy(rows)

    def trained(self) -> nn.Module:
        """The head alone."""
        return self.head

    def train(self, mode: bool = True) -> Self:
        """Train mode for the head; the frozen encoder's statistics must not drift."""
        super().train(mode)
        self.encoder.eval()
        return self

    @staticmethod
    def _whole(found: Embeddings, labels: Tensor) -> DataLoader[Pair] | None:
        """All clips at once: a head takes millions of them."""
        means, rows = found.means()
        if not len(rows):
            return None
        return DataLoader([(torch.from_numpy(means), labels[torch.from_numpy(rows)])], batch_size=None)  # type: ignore[arg-type]


class _RandomSegments(IterableDataset[Pair]):
    """One random segment of every clip an epoch, in batches, in an order decided by (seed, ``epoch``)."""

    def __init__(self, segment: Tensor, clip: Tensor, labels: Tensor, batch_size: int, seed: int) -> None:
        clips, count = clip.unique_consecutive(return_counts=True)
        self.segment, self.labels = segment, labels[clips]
        self.count, self.first = count.numpy(), (count.cumsum(0) - count).numpy()
        self.batch_size, self.seed, self.epoch = batch_size, seed, 0

    def __len__(self) -> int:
        return -(-len(self.count) // self.batch_size)

    def __iter__(self) -> Iterator[Pair]:
        rng = np.random.default_rng([self.seed, self.epoch])
        order = rng.permutation(len(self.count))
        chosen = self.first + (rng.random(len(self.count)) * self.count).astype(np.int64)
        for start in range(0, len(order), self.batch_size):
            some = order[start : start + self.batch_size]
            yield self.segment[chosen[some]], self.labels[some]
