"""An encoder with everything around it that turns audio files into embeddings."""

from __future__ import annotations

import os
import tempfile
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from semisupcon.audio import Int16
from semisupcon.batch import segments_at_once, to_float
from semisupcon.checkpoint import pretrained
from semisupcon.encoders.base import Encoder
from semisupcon.errors import BadAudio, UserError
from semisupcon.inference.ahead import decoded, read
from semisupcon.inference.arrays import as_int16
from semisupcon.inference.batches import Batch, Floats32, Pending, batches
from semisupcon.inference.cut import LONGEST
from semisupcon.inference.device import chosen
from semisupcon.inference.inputs import Found, Input, find
from semisupcon.workers import cores

DEFAULT_SECONDS = 2.7
"""Length of a segment where nothing says what the encoder was trained on."""


_WORKERS, _WORKERS_OF_A_GPU = 4, 16  # a CPU is busy with the encoder, a GPU hungry


@dataclass(frozen=True)
class TrackEmbedding:
    """One track.

    Args:
        mean: (D,) float32, the mean of its segments.
        segments: (S, D) float32.
        starts: (S,) float64, seconds, where each begins.
        seconds: how long the track is.
    """

    mean: Floats32
    segments: Floats32
    starts: npt.NDArray[np.float64]
    seconds: float


class Embedder:
    """Embeds audio: the consecutive segments of a track, the last one ending where it ends, and their mean.

    In eval mode, in float32 and without gradients, as ``downstream.embed`` does.

    Args:
        checkpoint: a file that training wrote, or an encoder, which is moved to the device and put in eval mode.
        device: such as ``cpu`` or ``cuda:1``; ``auto`` = a GPU where there is one.
        batch_size: segments that the encoder is given at once, of several tracks where they are short; None = as many
            as suit the device.
        length: seconds of a segment; None = as the views that the encoder was trained on, 2.7 if that is not known.
        hop: seconds from one segment to the next; None = the length.

    Attributes:
        encoder: on the device.
        length: T, of a segment in samples.
        hop: from one to the next, in samples.

    Raises:
        UserError: the checkpoint cannot be used, there is no such device, or a value is out of range.
    """

    def __init__(
        self,
        checkpoint: Input | Encoder,
        device: str | torch.device = "auto",
        batch_size: int | None = None,
        length: float | None = None,
        hop: float | None = None,
    ) -> None:
        if batch_size is not None and batch_size < 1:
            raise UserError(f"batch_size={batch_size}: at least 1 is needed.")
        self.device = chosen(device)
        encoder = checkpoint if isinstance(checkpoint, Encoder) else pretrained(Path(checkpoint).expanduser())
        self.encoder = encoder.to(self.device).eval()
        self.sample_rate, self.dim = encoder.sample_rate, encoder.dim
        self.batch_size = batch_size or segments_at_once(self.device)
        views = max((origin.samples or 0 for origin in encoder.origins()), default=0)
        self.length = self._samples("length", length) or views or round(DEFAULT_SECONDS * self.sample_rate)
        self.hop = self._samples("hop", hop) or self.length

    def __call__(self, path: Input) -> TrackEmbedding:
        """One file.

        Raises:
            BadAudio: it gives no audio.
        """
        samples = read(str(Path(path).expanduser()), self.sample_rate)
        assert isinstance(samples, np.ndarray)
        return self._one(samples)

    def array(self, samples: npt.NDArray[Any], rate: int) -> TrackEmbedding:
        """Audio in memory, as a file with these samples would be.

        Args:
            samples: (n,) mono, int16 or float in [-1, 1].
            rate: theirs, in Hz.

        Raises:
            UserError: as ``as_int16``.
        """
        return self._one(as_int16(samples, rate, self.sample_rate))

    def tracks(
        self, inputs: Input | Sequence[Input], num_workers: int | None = None
    ) -> Iterator[tuple[str, TrackEmbedding | BadAudio]]:
        """Files and folders, track after track in their order, see ``inputs.find``; memory does not grow with them.

        Args:
            inputs: one or several.
            num_workers: processes that decode ahead; None = as many as are of use, 0 = none.

        Yields:
            what a track is called, and its embedding, or why it gives no audio.
        """
        several = [inputs] if isinstance(inputs, (str, os.PathLike)) else list(inputs)
        found = find(several)
        with (
            tempfile.TemporaryDirectory(prefix="semisupcon-") as folder,
            closing(self.results(found, num_workers, folder)) as results,
        ):
            yield from ((each.name, result) for each, result in zip(found, results, strict=True))

    def results(
        self, found: Sequence[Found], num_workers: int | None, folder: str, before: int = 0
    ) -> Generator[TrackEmbedding | BadAudio]:
        """What comes of each file, in order.

        Args:
            found: the files.
            num_workers: as of ``tracks``.
            folder: where long tracks may lie for a while.
            before: segments of files that went before and are not embedded again. Each segment gets the place in
                its batch that it would have had behind them, and so the same embedding to the last bit.
        """
        workers = self.workers if num_workers is None else num_workers
        paths = [each.path for each in found if not each.reason]
        with closing(decoded(paths, self.sample_rate, workers, folder)) as samples:
            yield from self._embed((_bad(each) if each.reason else next(samples) for each in found), before)

    @property
    def workers(self) -> int:
        """How many processes that decode are of use."""
        return min(cores(), _WORKERS if self.device.type == "cpu" else _WORKERS_OF_A_GPU)

    def _one(self, samples: Int16) -> TrackEmbedding:
        (result,) = self._embed([samples])
        assert isinstance(result, TrackEmbedding)
        return result

    def _embed(self, tracks: Iterable[Int16 | BadAudio], before: int = 0) -> Iterator[TrackEmbedding | BadAudio]:
        self.encoder.eval()  # whoever gave it may have trained it since
        ahead = 0 if self.device.type == "cpu" else 1  # a GPU gets its next batch before it is asked for this one
        waiting: deque[Pending | BadAudio] = deque()
        running: deque[tuple[Batch, Tensor]] = deque()
        for batch in batches(tracks, waiting, self.batch_size, self.length, self.hop, before):
            running.append((batch, self._forward(batch.audio)))
            if len(running) > ahead:
                _settle(*running.popleft())
            yield from self._ready(waiting)
        while running:
            _settle(*running.popleft())
        yield from self._ready(waiting)

    @torch.inference_mode()
    def _forward(self, audio: Int16) -> Tensor:
        """(n, T) -> (n, D) on the device."""
        with torch.autocast(self.device.type, enabled=False):
            # (n, T) -> (n, 1, T) -> (n, D)
            return self.encoder(to_float(torch.from_numpy(audio)[:, None].to(self.device))).float()

    def _ready(self, waiting: deque[Pending | BadAudio]) -> Iterator[TrackEmbedding | BadAudio]:
        """Take those off the head of the queue that wait for nothing more."""
        while waiting and (isinstance(waiting[0], BadAudio) or waiting[0].done):
            head = waiting.popleft()
            if isinstance(head, BadAudio):
                yield head
                continue
            segments = head.segments()
            # Not by mean(): in the order in which Embeddings.means adds them up, whose means these are to the last bit.
            mean = np.add.reduceat(segments, [0], axis=0)[0] / np.float32(len(segments))
            yield TrackEmbedding(mean, segments, head.starts / self.sample_rate, head.samples / self.sample_rate)

    def _samples(self, name: str, seconds: float | None) -> int:
        """A length in samples; 0 where none is given."""
        if seconds is None:
            return 0
        if LONGEST < seconds < float("inf"):
            raise UserError(f"{name}={seconds:g}: at most {LONGEST:g} seconds are possible.")
        samples = round(seconds * self.sample_rate) if np.isfinite(seconds) else 0
        if samples < 1:
            raise UserError(f"{name}={seconds}: a length in seconds is meant, such as {DEFAULT_SECONDS}.")
        return samples


def _settle(batch: Batch, embedded: Tensor) -> None:
    batch.settle(embedded.cpu().numpy())


def _bad(found: Found) -> BadAudio:
    return BadAudio(found.name, found.reason)
