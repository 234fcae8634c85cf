"""Transcription: which notes of which instruments sound at each frame, from the encoder's frames."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from semisupcon.batch import Batch, to_float
from semisupcon.downstream import binned
from semisupcon.downstream.datamodule import TaskDataModule
from semisupcon.downstream.frames import Grid, NoteCrops, NotePieces, Piece, Played
from semisupcon.downstream.fusion import Fusion
from semisupcon.downstream.heads import Head
from semisupcon.downstream.model import Downstream
from semisupcon.downstream.rolls import PITCHES, base_rates
from semisupcon.downstream.transcript import Transcript
from semisupcon.errors import UserError
from semisupcon.running.ranks import sum_over_ranks
from semisupcon.table import Notes, Task

log = logging.getLogger(__name__)

_COARSE = 0.1  # seconds


class Transcribe(Downstream):
    """A head on every frame of a frozen or tuned encoder: I instruments times 128 notes, each on or off.

    It is trained on random crops, an epoch being as much audio as there is, and validated and tested on every frame of
    whole recordings. The loss is binary cross-entropy, in nats a frame. Training begins at the base rate: the last
    layer's weights are 0, its biases the log-odds of how often each note sounds in the training recordings, for most
    never do. The thresholds of F1 are those that were best on the validation recordings.

    Augmentations that change the pitch of notes or move them are refused. Delay and Reverb are not: they leave every
    note where it is, and only add echoes.

    Args:
        frozen: leave the encoder as it is; false = train it too.
        fusion: concat; late is refused, for there is one head on all frames.
        options: those of ``Downstream``.
    """

    protocol = "every frame of whole recordings"
    notes: Notes
    grid: Grid
    head: Head

    def __init__(self, frozen: bool = True, fusion: Fusion = "concat", **options: Any) -> None:
        if fusion == "late":
            raise UserError(
                "--model.fusion=late: transcription has one head on the frames of one encoder; leave it out."
            )
        super().__init__(**options)
        self.frozen = frozen
        if not frozen:
            self.least_clips = 2  # BatchNorm has no variance of one value a channel
        self.cut = _Thresholds()
        self._counts = torch.zeros(0)
        self._loss = torch.zeros(2)

    def check(self, data: TaskDataModule) -> None:
        """Refuse a task without notes, an encoder without frames, and augmentation that moves notes."""
        super().check(data)
        spoiling = [type(each).__name__ for each in data.chain if each.alters and data.chain.severity]
        if spoiling:
            raise UserError(
                f"--data.aug_list: {', '.join(spoiling)} would play other notes than the labels say, or at other "
                f"times. Leave it out of transcription."
            )
        _, grid = self._grid(data)
        if (apart := grid.hop / grid.rate) > _COARSE:
            log.warning(
                f"{type(self.encoder).__name__} has a frame every {apart:.2g} s, and most notes lie in between. "
                f"An encoder with finer frames is meant, such as --model.encoder=semisupcon.encoders.CPC (0.01 s)."
            )

    def begin(self, data: TaskDataModule, device: torch.device) -> dict[str, Any]:
        """Read the notes, and build a head that begins at the base rate."""
        self.prepare(data)
        self.calibrate(data, device)
        self.to(device)
        self.notes, self.grid = self._grid(data)
        played = {split: self._played(data, rows) for split, rows in data.rows().items()}
        rate = self.grid.rate
        lengths = [(each, data.reader.samples(row) / rate) for row, each in played["train"].items()]
        frames = sum(length for _, length in lengths) * rate / self.grid.hop
        share = (base_rates(lengths, self.notes.programs) * frames + 0.5) / (frames + 1)  # never 0 and never 1
        self.base = torch.from_numpy(np.log(share / (1 - share))).float()
        classes = [f"{name} {note}" for name in self.notes.instruments for note in range(PITCHES)]
        self.task = Task(f"{data.task.name} notes", "multilabel", tuple(classes))
        options = {name: value for name, value in self.head_options.items() if name != "fusion"}
        self.head = Head(self.encoder.dim, self.task, **options)
        with torch.no_grad():
            crops = [self.encoder.frames(crop.to(device)).flatten(0, 1).cpu() for crop in data.calibration()]
            self.head.fit_statistics(torch.cat(crops) if crops else None, torch.zeros(0, len(classes)))
            last = self.head.layers[-1]
            assert isinstance(last, nn.Linear)
            nn.init.zeros_(last.weight)
            last.bias.copy_(self.base.flatten())
        self.encoder.requires_grad_(not self.frozen)
        self.train()
        programs = self.notes.programs
        data.frames = (
            NoteCrops(data.reader, played["train"], programs, self.grid, data.seed),
            lambda rank, world: NotePieces(data.reader, played["val"], programs, self.grid, rank, world),
        )
        return {"datamodule": data}

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """The loss on every frame of some crops."""
        if len(batch) < self.least_clips:
            return 0.0 * self.head(self._frames(self.padded(batch))).sum()
        frames = self._frames(batch.audio.flatten(0, 1))  # (B, 1, 1, T) -> (B, L, D)
        loss = self._nats(self.head(frames.flatten(0, 1)), batch.labels.flatten(0, 1)) / frames[..., 0].numel()
        self.log("train/loss", loss, prog_bar=True, batch_size=len(batch))
        return loss

    def on_validation_epoch_start(self) -> None:
        """Nothing is heard yet."""
        shape = (len(self.notes.programs) + 1, 2, binned.BINS)
        self._counts = torch.zeros(shape, dtype=torch.int64, device=self.device)
        self._loss = torch.zeros(2, device=self.device)  # nats and frames

    def validation_step(self, batch: Piece, batch_idx: int) -> None:
        """Histograms and loss of some frames of a recording."""
        if not len(batch.roll):
            return
        scores = self._heard(batch)
        self._counts += binned.tally(binned.bins(scores), batch.roll)
        nats = self._nats(scores.flatten(1), batch.roll.flatten(1))
        self._loss += torch.stack([nats, nats.new_tensor(len(scores))])

    def on_validation_epoch_end(self) -> None:
        """Loss and figures over every frame of all validation recordings, and the thresholds that are best there."""
        nats, frames = sum_over_ranks(self._loss).tolist()
        counts = sum_over_ranks(self._counts).cpu().numpy()
        if not frames:
            return  # every validation recording was broken
        if not np.isfinite(nats):
            raise self.diverged()
        best = binned.best_threshold(counts[:-1].sum(axis=0)), binned.best_threshold(counts[-1])
        self.cut.bins.copy_(torch.tensor(best))
        values = binned.measure(counts, *best)
        self.log("val/loss", nats / frames, prog_bar=True)
        self.log("val/ap", float(values["ap"]), prog_bar=True)
        self.log_dict({f"val/{name}": float(value) for name, value in values.items() if name != "ap"})

    @torch.no_grad()
    def report(self, data: TaskDataModule, folder: Path, about: Callable[[int], dict[str, Any]]) -> None:
        """Transcribe the test recordings, and write figures, notes and a picture."""
        self.eval()
        thresholds = (int(self.cut.bins[0]), int(self.cut.bins[1]))
        hop, first = self.grid.hop / self.grid.rate, self.grid.first / self.grid.rate
        found = Transcript(folder, data.task, self.base, thresholds, hop, first)
        played = self._played(data, data.rows()["test"])
        at, broken = -1, False
        for piece in data.in_order(NotePieces(data.reader, played, self.notes.programs, self.grid)):
            if piece.row != at:
                if at >= 0 and not broken:
                    found.close()
                at, broken = piece.row, False
                row = torch.tensor([at])
                found.open(data.names(row)[0], data.groups(row)[0])
            data.bad.note(len(piece), piece.bad)
            if piece.bad and not broken:
                broken = True
                found.drop()
            if len(piece.roll) and not broken:
                moved = piece.to(self.device)
                found.hear(self._heard(moved), moved.roll)
        if at >= 0 and not broken:
            found.close()
        if not found.names:
            raise self.nothing_read(data)
        chosen = "best F1 on the validation recordings" if data.pools.val_labelled.any() else "one half"
        found.write({**about(len(found.names)), "threshold_from": chosen, "frozen": self.frozen})

    def trained(self) -> nn.Module:
        """The head with its thresholds; tuned, the encoder too."""
        return nn.ModuleList([self.head, self.cut, *([] if self.frozen else [self.encoder])])

    def train(self, mode: bool = True) -> Self:
        """Train mode, but not for a frozen encoder, whose statistics must not drift."""
        super().train(mode)
        if self.frozen:
            self.encoder.eval()
        return self

    def _grid(self, data: TaskDataModule) -> tuple[Notes, Grid]:
        task = data.task
        if task.notes is None:
            raise UserError(
                f"{task.name} has no notes: transcription needs a task that knows every note of its recordings, such "
                f"as --data.sl_task=musicnet, or one of your own with Task(..., notes=...)."
            )
        return task.notes, Grid.of(self.encoder, data.length)

    def _played(self, data: TaskDataModule, rows: Any) -> Played:
        assert data.task.notes is not None
        names = data.names(torch.from_numpy(rows))
        return {int(row): data.task.notes.read(name) for row, name in zip(rows, names, strict=True)}

    def _frames(self, audio: Tensor) -> Tensor:
        """(N, 1, T) -> (N, L, D), with a gradient where the encoder is trained."""
        with torch.set_grad_enabled(not self.frozen):
            return self.encoder.frames(audio)

    def _heard(self, piece: Piece) -> Tensor:
        """(F, I, 128) logits of a piece, in float32 whatever the trainer's precision."""
        with torch.autocast(self.device.type, enabled=False):
            frames = self.encoder.frames(to_float(piece.audio)).float()
            scores = self.head(piece.kept(frames, self.grid.warm_up))
        return scores.view(len(scores), len(self.notes.programs), PITCHES)

    @staticmethod
    def _nats(scores: Tensor, sounding: Tensor) -> Tensor:
        """Binary cross-entropy, summed over everything, in float32."""
        return functional.binary_cross_entropy_with_logits(scores.float(), sounding.flatten(1).float(), reduction="sum")


class _Thresholds(nn.Module):
    """The bins from which on a note of an instrument, and a note of any, is predicted; kept with the best weights."""

    bins: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("bins", torch.tensor([binned.HALF, binned.HALF]))
