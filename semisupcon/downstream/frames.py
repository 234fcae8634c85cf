"""Excerpts of recordings with their piano rolls: random ones to train on, and whole recordings piece by piece."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import Dataset

from semisupcon.batch import Batch
from semisupcon.downstream.rolls import Floats, roll
from semisupcon.encoders.base import Encoder
from semisupcon.errors import BadAudio
from semisupcon.loading.reader import Reader
from semisupcon.loading.sampler import Draws
from semisupcon.loading.views import uniform

Played = Mapping[int, npt.NDArray[np.void]]

WINDOWS = 16  # of T samples that are held in memory at once, however long a recording is


@dataclass(frozen=True)
class Grid:
    """Where an encoder's frames lie.

    Args:
        rate: Hz.
        length: T, samples of a window.
        hop: samples from a frame to the next.
        field: samples that a frame stands for.
        first: the moment that frame 0 stands for, in samples.
        frames: L of a window.
    """

    rate: int
    length: int
    hop: int
    field: int
    first: float
    frames: int

    @classmethod
    def of(cls, encoder: Encoder, length: int) -> Grid:
        """That of an encoder for windows of ``length`` samples.

        Raises:
            UserError: it has no frames, or does not say where they lie.
        """
        first = float(encoder.frame_centres(1)[0])
        device = next((parameter.device for parameter in encoder.parameters()), torch.device("cpu"))
        was_training = encoder.training
        with torch.no_grad():
            frames = encoder.eval().frames(torch.zeros(1, 1, length, device=device)).shape[1]
        encoder.train(was_training)
        return cls(encoder.sample_rate, length, encoder.hop, encoder.receptive_field, first, frames)

    @property
    def warm_up(self) -> int:
        """Frames at the beginning of a window that are taken from the one before.

        A quarter: an encoder that looks back (a causal context) knows little there yet.
        """
        return self.frames // 4

    @property
    def step(self) -> int:
        """Frames from a window to the next."""
        return self.frames - self.warm_up

    def moments(self, start: int, frames: int) -> Floats:
        """(L,) seconds of the frames of a window that begins at sample ``start``."""
        return (start + self.first + np.arange(frames) * self.hop) / self.rate

    def count(self, samples: int) -> int:
        """Frames of a recording: those that lie in it, at least 1."""
        return max(0, samples - self.field) // self.hop + 1


class NoteCrops(Dataset[Batch]):
    """Random excerpts with their rolls: ``Batch.labels`` is (B, L, I, 128) bool, what sounds at each frame.

    An epoch covers the recordings once in length: one has as many crops in it as windows fit into it. A crop is a
    function of (seed, file, draw), whatever process reads it.

    Args:
        reader: of all files.
        played: the notes of each file row that is drawn from.
        programs: (I,) the instruments.
        grid: the encoder's.
        seed: decides the crops.
    """

    def __init__(self, reader: Reader, played: Played, programs: Sequence[int], grid: Grid, seed: int) -> None:
        self.reader, self.played, self.programs, self.grid, self.seed = reader, played, programs, grid, seed
        rows = np.array(sorted(played), np.int64)
        count = np.array([max(1, round(reader.samples(row) / grid.length)) for row in rows.tolist()], np.int64)
        self.file, self.count = np.repeat(rows, count), np.repeat(count, count)
        self.number = np.arange(len(self.file)) - np.repeat(np.cumsum(count) - count, count)

    def __len__(self) -> int:
        return len(self.file)

    def __getitem__(self, draws: Draws) -> Batch:
        """The crops that ``draws.file`` numbers, 0 to len − 1; ``Batch.file`` and ``draw`` are those of the files."""
        file = self.file[draws.file]
        draw = draws.draw * self.count[draws.file] + self.number[draws.file]
        audio, rolls, good, bad = [], [], [], []
        for row, where in zip(file.tolist(), uniform(self.seed, file, draw, 1), strict=True):
            crop = np.empty((1, self.grid.length), np.int16)
            try:
                start = int(self.reader.crops(row, "independent", where, crop)[0])
            except BadAudio as error:
                good.append(False)
                bad.append((error.path, error.reason))
                continue
            good.append(True)
            audio.append(crop)
            rolls.append(roll(self.played[row], self.programs, self.grid.moments(start, self.grid.frames)))
        return Batch(
            audio=torch.from_numpy(np.array(audio, np.int16).reshape(-1, 1, 1, self.grid.length)),
            labels=torch.from_numpy(np.array(rolls, np.bool_)),
            labelled=torch.ones(len(audio), dtype=torch.bool),
            file=torch.from_numpy(file[good]),
            draw=torch.from_numpy(draw[good]),
            step=draws.step,
            bad=tuple(bad),
        )


@dataclass
class Piece:
    """Some frames of a whole recording.

    Args:
        audio: (W, 1, T) int16, windows that overlap by ``Grid.warm_up`` frames.
        roll: (F, I, 128) bool, what sounds at the frames; F is 0 where the audio is broken or nothing is left.
        row: the recording's file row; −1 = of none.
        first: the number of frame 0 in the recording.
        bad: the file with the reason, where it gave no audio.
    """

    audio: Tensor
    roll: Tensor
    row: int
    first: int
    bad: tuple[tuple[str, str], ...] = ()

    def __len__(self) -> int:
        return int(self.row >= 0 and self.first == 0 and not self.bad)  # a recording counts once, with its beginning

    def to(self, device: torch.device | str, non_blocking: bool = False) -> Piece:
        """The piece with its tensors on ``device``."""
        audio, rolls = (each.to(device, non_blocking=non_blocking) for each in (self.audio, self.roll))
        return replace(self, audio=audio, roll=rolls)

    def pin_memory(self) -> Piece:
        """The piece in page-locked memory."""
        return replace(self, audio=self.audio.pin_memory(), roll=self.roll.pin_memory())

    def kept(self, frames: Tensor, warm_up: int) -> Tensor:
        """(W, L, ...) of the windows -> (F, ...) in order, those of each window's warm-up left out but the first's."""
        rest = frames[1:, warm_up:].flatten(0, 1)
        return torch.cat([frames[0, 0 if self.first == 0 else warm_up :], rest])[: len(self.roll)]


class NotePieces(Dataset[Piece]):
    """Whole recordings, piece by piece: every frame of each, in order.

    Args:
        reader: of all files.
        played: the notes of each file row that is wanted.
        programs: (I,) the instruments.
        grid: the encoder's.
        rank: this process.
        world_size: number of processes; each takes every world_size-th piece, the last ones maybe of nothing.
    """

    def __init__(
        self, reader: Reader, played: Played, programs: Sequence[int], grid: Grid, rank: int = 0, world_size: int = 1
    ) -> None:
        self.reader, self.played, self.programs, self.grid = reader, played, programs, grid
        plan = [(row, first) for row in sorted(played) for first in range(0, self._windows(row), WINDOWS)]
        plan += [(-1, 0)] * (-len(plan) % world_size)
        self.plan = plan[rank::world_size]

    def __len__(self) -> int:
        return len(self.plan)

    def __getitem__(self, index: int) -> Piece:
        row, window = self.plan[index]
        if row < 0:
            return self._nothing(row, 0)
        grid = self.grid
        windows = min(WINDOWS, self._windows(row) - window)
        start = window * grid.step * grid.hop
        length = (windows - 1) * grid.step * grid.hop + grid.length
        first = window * grid.step + (grid.warm_up if window else 0)
        try:
            found = self.reader.stretch(row, start, length)
            if not len(found):
                raise BadAudio(str(self.reader.paths[row]), "ends before its header says")
        except BadAudio as error:
            return self._nothing(row, first, (error.path, error.reason))
        # Within the recording a window's frames are all heard, also where it has more than lie in it.
        end = start + len(found) if len(found) < length else self.reader.samples(row)
        last = min((window + windows - 1) * grid.step + grid.frames, grid.count(end))
        padded = np.pad(found, (0, length - len(found)))
        audio = np.lib.stride_tricks.sliding_window_view(padded, grid.length)[:: grid.step * grid.hop]
        moments = grid.moments(first * grid.hop, max(0, last - first))
        return Piece(
            audio=torch.from_numpy(audio[:, None].copy()),
            roll=torch.from_numpy(roll(self.played[row], self.programs, moments)),
            row=row,
            first=first,
        )

    def _windows(self, row: int) -> int:
        left = self.grid.count(self.reader.samples(row)) - self.grid.frames
        return 1 + max(0, math.ceil(left / self.grid.step))

    def _nothing(self, row: int, first: int, *bad: tuple[str, str]) -> Piece:
        audio = torch.zeros(0, 1, self.grid.length, dtype=torch.int16)
        return Piece(audio, torch.zeros(0, len(self.programs), 128, dtype=torch.bool), row, first, bad)
