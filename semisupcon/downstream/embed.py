"""The frozen encoder, run once over a dataset and never again: embeddings, cached by what they depend on."""

from __future__ import annotations

import hashlib
import inspect
import json
import logging
import os
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from tqdm import tqdm

from semisupcon import __version__
from semisupcon.batch import to_float
from semisupcon.cache import cache_folder
from semisupcon.encoders.base import Encoder
from semisupcon.loading.segments import WholeClips, clips_loader

log = logging.getLogger(__name__)

SEGMENTS_AT_ONCE = 64

CACHE_VERSION = 3
"""To be raised with whatever changes an embedding and is not in the key, such as how audio is read."""

CACHE_BYTES = 5 * 10**9
"""What the cache may hold; beyond it the oldest files go."""


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
        parts = [encoder(to_float(part)).float() for part in audio.split(SEGMENTS_AT_ONCE)] if len(audio) else []
    return torch.cat(parts) if parts else torch.zeros(0, encoder.dim, device=audio.device)


def embed(encoder: Encoder, clips: WholeClips, device: torch.device, num_workers: int, what: str) -> Embeddings:
    """Embeddings of all segments of some clips, from the cache where they are there.

    The cache is keyed by the encoder's weights, statistics and source code, the package's version, the rate, the
    segment length, and path, size and time of change of every file.

    Args:
        encoder: in eval mode for the time of the call.
        clips: what to embed.
        device: where the encoder runs.
        num_workers: loading processes.
        what: for the progress bar, such as ``test``.
    """
    path = cache_folder() / "embeddings" / f"{_key(encoder, clips)}.npz"
    if path.exists():
        try:
            with np.load(path, allow_pickle=False) as held:
                bad = tuple((str(name), str(why)) for name, why in held["bad"])
                return Embeddings(held["segment"], held["clip"], bad)
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            log.warning(f"{path}: unreadable, made again")
    was_training = encoder.training
    encoder.to(device).eval()
    segments: list[npt.NDArray[np.float32]] = []
    owners: list[npt.NDArray[np.int64]] = []
    broken: list[tuple[str, str]] = []
    with tqdm(total=len(clips.rows), desc=f"embedding {what}", unit="clip", leave=False) as bar:
        for group in clips_loader(clips, num_workers):
            segments.append(encode(encoder, group.audio.to(device)).cpu().numpy())
            owners.append(group.clip.numpy())
            broken += group.bad
            bar.update(len(group.rows) + len(group.bad))
    encoder.train(was_training)
    found = Embeddings(
        np.concatenate(segments) if segments else np.zeros((0, encoder.dim), np.float32),
        np.concatenate(owners) if owners else np.zeros(0, np.int64),
        tuple(broken),
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(f".{os.getpid()}.part")
    with part.open("wb") as file:
        np.savez(file, segment=found.segment, clip=found.clip, bad=np.array(found.bad, dtype=str).reshape(-1, 2))
    part.replace(path)
    _trim(path)
    return found


def _trim(newest: Path) -> None:
    """Remove the oldest files of the cache until it is within bounds, never the one just written."""
    held = []
    for path in newest.parent.glob("*.npz"):
        try:
            held.append((path.stat().st_mtime_ns, path.stat().st_size, path))
        except FileNotFoundError:  # another run has removed it
            continue
    size = sum(entry[1] for entry in held)
    for _, bytes_, path in sorted(held):
        if size <= CACHE_BYTES:
            return
        if path != newest:
            path.unlink(missing_ok=True)
            size -= bytes_


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


def _key(encoder: Encoder, clips: WholeClips) -> str:
    about = [CACHE_VERSION, __version__, encoder.spec, clips.reader.sample_rate, clips.length]
    digest = hashlib.sha256(json.dumps(about, sort_keys=True).encode())
    for source in _sources(encoder):
        digest.update(source)
    for name, value in encoder.state_dict().items():
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    for row in clips.rows.tolist():
        file = str(clips.reader.paths[row])
        try:
            found = Path(file).stat()
            digest.update(f"{row} {file} {found.st_size} {found.st_mtime_ns}\n".encode(errors="surrogateescape"))
        except OSError:
            digest.update(f"{row} {file} missing\n".encode(errors="surrogateescape"))
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
