"""From a file to V crops of it, and from the draws of a batch to a Batch."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import Dataset

from semisupcon import audio
from semisupcon.audio import Int16
from semisupcon.batch import Batch
from semisupcon.errors import BadAudio
from semisupcon.loading.sampler import Draws

Layout = Literal["adjacent", "independent"]


def view_starts(
    samples: int, length: int, views: int, layout: Layout, where: npt.NDArray[np.float64]
) -> npt.NDArray[np.int64]:
    """Where the views of a clip start.

    ``adjacent`` (SemiSupCon): consecutive stretches of one random chunk of V · T samples; in a file too short for
    that they overlap, spread evenly over a random chunk of at least half of what there is to spread over.
    ``independent`` (CLMR): each anywhere in the file. In a file no longer than one view all start at 0.

    Args:
        samples: length of the file.
        length: T, of a view.
        views: V.
        layout: how views of one clip lie to each other.
        where: (V,) in [0, 1), the random numbers, V >= 2 for ``adjacent``; .5 throughout is the middle.

    Returns:
        (V,) int64, in samples.
    """
    if layout == "independent":
        return (where * max(0, samples - length + 1)).astype(np.int64)
    if samples >= views * length:
        first = int(where[0] * (samples - views * length + 1))
        return first + np.arange(views) * length
    room = max(0, samples - length)
    span = room * (1 + where[-1]) / 2
    return np.round((room - span) * where[0] + np.linspace(0, span, views)).astype(np.int64)


def crop(path: str, sample_rate: int, length: int, views: int, layout: Layout, where: npt.NDArray[np.float64]) -> Int16:
    """V views of T samples from a file, zero-padded at the end where the file is shorter than one.

    Args:
        path: the audio file.
        sample_rate: of the result, in Hz.
        length: T, in samples at ``sample_rate``.
        views: V.
        layout: see ``view_starts``.
        where: (V,) random numbers in [0, 1).

    Returns:
        (V, T) int16.

    Raises:
        BadAudio: the file gives no samples.
    """
    samples = audio.info(path).samples(sample_rate)
    starts = view_starts(samples, length, views, layout, where)
    lowest, highest = int(starts.min()), int(starts.max()) + length
    if highest - lowest <= 2 * views * length:
        chunk, offset = audio.read(path, sample_rate, lowest, highest - lowest), lowest
        expected = min(highest, samples) - lowest
    else:  # independent views far apart: read each alone
        pieces = [audio.read(path, sample_rate, int(start), length) for start in starts]
        if all(len(piece) == length for piece in pieces):
            return np.stack(pieces)
        chunk, offset, expected = pieces[0][:0], 0, length
    if len(chunk) < expected:  # the header promised more than the file holds: find out its true length
        chunk, offset = audio.read(path, sample_rate), 0
        starts = view_starts(len(chunk), length, views, layout, where)
    if not len(chunk):
        raise BadAudio(path, "nothing can be decoded")
    out = np.zeros((views, length), np.int16)
    for view, start in zip(out, starts - offset, strict=True):
        piece = chunk[start : start + length]
        view[: len(piece)] = piece
    return out


class ClipDataset(Dataset[Batch]):
    """Reads the clips of a batch.

    A crop is a function of (seed, file, draw), whatever worker reads it. A file that gives no audio is missing
    from the batch and named in ``Batch.bad``; no other file takes its place.

    Args:
        paths: (n,) full paths of the files.
        labels: (n, K) float32, NaN = unknown.
        sample_rate: of the views, in Hz.
        length: T, samples in a view.
        views: V.
        layout: see ``view_starts``.
        seed: decides the crops; None takes them from the middle of each file, always the same (for validation).
    """

    def __init__(
        self,
        paths: npt.NDArray[np.generic],
        labels: npt.NDArray[np.float32],
        sample_rate: int,
        length: int,
        views: int = 2,
        layout: Layout = "adjacent",
        seed: int | None = 0,
    ) -> None:
        self.paths, self.labels = paths, labels
        self.sample_rate, self.length, self.views, self.layout = sample_rate, length, views, layout
        self.seed = seed

    def __getitem__(self, draws: Draws) -> Batch:
        out = np.zeros((len(draws.file), self.views, 1, self.length), np.int16)
        good = np.ones(len(draws.file), bool)
        bad = []
        for row, (file, draw) in enumerate(zip(draws.file.tolist(), draws.draw.tolist(), strict=True)):
            try:
                where = self._where(file, draw)
                path = str(self.paths[file])
                out[row, :, 0] = crop(path, self.sample_rate, self.length, self.views, self.layout, where)
            except BadAudio as error:
                good[row] = False
                bad.append((error.path, error.reason))
        # A label is seen only where the clip was drawn as a labelled one.
        labels = np.where(draws.labelled[:, None], self.labels[draws.file], np.float32(np.nan))
        return Batch(
            audio=torch.from_numpy(out if good.all() else out[good]),
            labels=torch.from_numpy(labels[good]),
            labelled=torch.from_numpy(draws.labelled[good]),
            file=torch.from_numpy(draws.file[good]),
            draw=torch.from_numpy(draws.draw[good]),
            step=draws.step,
            bad=tuple(bad),
        )

    def _where(self, file: int, draw: int) -> npt.NDArray[np.float64]:
        if self.seed is None:
            # In the middle; several independent views spread evenly around it.
            return (
                (np.arange(self.views) + 0.5) / self.views if self.layout == "independent" else np.full(self.views, 0.5)
            )
        return np.random.Generator(np.random.Philox(np.random.SeedSequence([self.seed, file, draw]))).random(self.views)
