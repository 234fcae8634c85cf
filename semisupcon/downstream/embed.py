"""The frozen encoder, run once over a dataset and never again: embeddings, cached by what they depend on."""

from __future__ import annotations

import hashlib
import inspect
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from semisupcon import __version__
from semisupcon.bar import bar
from semisupcon.batch import segments_at_once, to_float
from semisupcon.cache import cache_folder
from semisupcon.downstream.kept import Kept, identity, trim
from semisupcon.encoders.base import Encoder
from semisupcon.loading.segments import Clips, WholeClips, clips_loader

Floats32 = npt.NDArray[np.float32]

CACHE_VERSION = 4
"""To be raised with whatever changes an embedding and is not in the key, such as how audio is read."""

KEPT_AT_ONCE = 1 << 24
"""Numbers that are embedded before they are written, 64 MB: what is lost where a run is stopped."""


@dataclass(frozen=True)
class Embeddings:
    """Every segment of some clips.

    Args:
        segment: (S, D) float32.
        clip: (S,) int64, the file row of each segment; the segments of a clip follow each other.
        bad: files that gave no audio, with the reason.
    """

    segment: npt.NDArray[np.float32]
    clip: npt.NDArray[np.int64]
    bad: tuple[tuple[str, str], ...] = ()

    @property
    def clips(self) -> int:
        """How many clips gave segments."""
        return len(np.unique(self.clip))

    def means(self) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
        """The mean embedding of each clip, (M, D), and its file row, (M,), in their order."""
        if not len(self.clip):
            return self.segment, self.clip
        first = np.flatnonzero(np.r_[True, self.clip[1:] != self.clip[:-1]])
        count = np.diff(np.r_[first, len(self.clip)])
        return np.add.reduceat(self.segment, first, axis=0) / count[:, None].astype(np.float32), self.clip[first]


@torch.no_grad()
def encode(encoder: Encoder, audio: Tensor) -> Tensor:
    """(S, 1, T) int16 or float segments -> (S, D), some at a time, so that a track may be of any length.

    In float32 whatever the trainer's precision: what validation sees is what the test and the cache see.
    """
    with torch.autocast(audio.device.type, enabled=False):
        parts = audio.split(segments_at_once(audio.device)) if len(audio) else []
        found = [encoder(to_float(part)).float() for part in parts]
    return torch.cat(found) if found else torch.zeros(0, encoder.dim, device=audio.device)


def embed(encoder: Encoder, clips: WholeClips, device: torch.device, num_workers: int, what: str) -> Embeddings:
    """Embeddings of all segments of some clips; what was embedded before comes from the cache, file by file.

    A file's embeddings are known by the encoder's weights, statistics and source code, the package's version, the
    rate, the segment length, and the path, size and time of change of the file. What is stopped keeps what it had.

    Args:
        encoder: in eval mode for the time of the call.
        clips: what to embed.
        device: where the encoder runs.
        num_workers: loading processes.
        what: for the progress bar, such as ``test``.
    """
    kept = Kept(cache_folder() / "embeddings" / encoder_key(encoder, clips.reader.sample_rate, clips.length))
    names = {row: identity(str(clips.reader.paths[row])) for row in clips.rows.tolist()}
    found = kept.find(list(names.values()))
    missing = np.array([row for row, name in names.items() if name not in found], np.int64)
    broken: list[tuple[str, str]] = []
    if len(missing):
        wanted = WholeClips(clips.reader, clips.labels, missing, clips.length, clips.size)
        for some, bad in _embedded(encoder, wanted, device, num_workers, what):
            named = {names[row]: segment for row, segment in some.items()}
            kept.add(named)
            found |= named
            broken += bad
        trim(kept.folder.parent, kept.folder)
    rows = [row for row in clips.rows.tolist() if names[row] in found]
    counts = [len(found[names[row]]) for row in rows]
    segments = [found[names[row]] for row in rows] or [np.zeros((0, encoder.dim), np.float32)]
    return Embeddings(np.concatenate(segments), np.repeat(np.array(rows, np.int64), counts), tuple(broken))


def _embedded(
    encoder: Encoder, clips: WholeClips, device: torch.device, num_workers: int, what: str
) -> Iterator[tuple[dict[int, Floats32], list[tuple[str, str]]]]:
    """The segments of each file row, and the files that gave none, some thousand segments at a time."""
    was_training = encoder.training
    encoder.to(device).eval()
    some: dict[int, Floats32] = {}
    broken: list[tuple[str, str]] = []
    held = 0
    try:
        with bar(len(clips.rows), f"embedding {what}", "clip", leave=False) as progress:
            for group in clips_loader(clips, num_workers):
                segment = encode(encoder, group.audio.to(device)).cpu().numpy()
                some |= _by_row(segment, group)
                broken += group.bad
                held += segment.size
                if held >= KEPT_AT_ONCE:
                    yield some, broken
                    some, broken, held = {}, [], 0
                progress.update(len(group.rows) + len(group.bad))
    finally:
        encoder.train(was_training)
    yield some, broken


def _by_row(segment: Floats32, group: Clips) -> dict[int, Floats32]:
    """The (S, D) segments of a group of clips as {file row: its own}."""
    _, counts = group.clip.unique_consecutive(return_counts=True)
    parts = np.split(segment, counts.cumsum(0)[:-1].numpy()) if len(counts) else []
    return dict(zip(group.rows.tolist(), parts, strict=True))


def _sources(encoder: Encoder) -> list[bytes]:
    """The source files of the encoder's classes, its parts' and their bases' included, but for PyTorch's."""
    classes = {base for module in encoder.modules() for base in type(module).__mro__}
    found = []
    for file in {_source(each) for each in classes if not each.__module__.startswith(("torch.", "builtins"))} - {None}:
        found.append(Path(str(file)).read_bytes())
    return sorted(found)


def _source(cls: type) -> str | None:
    try:
        file = inspect.getsourcefile(cls)
    except (TypeError, OSError):  # a class of an interactive session
        return None
    return file if file is not None and Path(file).is_file() else None


def encoder_key(encoder: Encoder, sample_rate: int, length: int) -> str:
    """What decides an embedding but the audio: 32 hex digits.

    Args:
        encoder: with its weights and statistics.
        sample_rate: Hz.
        length: T, samples in a segment.
    """
    about = [CACHE_VERSION, __version__, encoder.spec, sample_rate, length]
    digest = hashlib.sha256(json.dumps(about, sort_keys=True).encode())
    for source in _sources(encoder):
        digest.update(source)
    for name, value in encoder.state_dict().items():
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:32]


def fresh_norms(encoder: Encoder) -> list[nn.Module]:
    """The batch normalisations of an encoder, but for those in an encoder whose weights came from a checkpoint."""
    trained = [part for part in encoder.modules() if isinstance(part, Encoder) and part.origin is not None]
    known = {module for part in trained for module in part.modules()}
    return [m for m in encoder.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm) and m not in known]


def calibrate(encoder: Encoder, batches: list[Tensor], device: torch.device) -> None:
    """Give an untrained encoder the BatchNorm statistics of training clips, without changing a weight.

    Fresh statistics (mean 0, variance 1) fit no data and would make an untrained encoder look worse than it is. Those
    that came with trained weights stay.

    Args:
        encoder: changed in place; left in eval mode.
        batches: (N, 1, T) float audio of training clips.
        device: where it runs.
    """
    norms: list[Any] = fresh_norms(encoder)
    encoder.to(device).eval()
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a plain average over the batches
        norm.train()
    with torch.no_grad():
        for batch in batches if norms else []:
            if len(batch) > 1:  # one clip alone may be one value a channel, which has no variance
                encoder(batch.to(device))
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    encoder.eval()
