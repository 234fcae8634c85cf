"""What travels from the loading workers to a training step."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import torch
from torch import Tensor


@dataclass
class Batch:
    """B clips with V views each. Moves between devices as one thing.

    Args:
        audio: (B, V, 1, T) int16 from the workers, float32 in [-1, 1] once on the device.
        labels: (B, K) float32, NaN = unknown.
        labelled: (B,) bool, whether the clip was drawn from the labelled pool.
        file: (B,) int64, which file; clips of one file are never each other's negatives.
        draw: (B,) int64, how often the file had been drawn before; (seed, file, draw) decides the crop.
        step: which batch of the whole training this is, counted from 0 over all epochs; the same on every rank.
        bad: files that were drawn for this batch and gave no audio, with the reason. Their rows are missing.
    """

    audio: Tensor
    labels: Tensor
    labelled: Tensor
    file: Tensor
    draw: Tensor
    step: int = 0
    bad: tuple[tuple[str, str], ...] = field(default=())

    def __len__(self) -> int:
        return len(self.file)

    def to(self, device: torch.device | str, non_blocking: bool = False) -> Batch:
        """The batch with its tensors on ``device``."""
        return self._map(lambda tensor: tensor.to(device, non_blocking=non_blocking))

    def pin_memory(self) -> Batch:
        """The batch in page-locked memory, for a DataLoader with ``pin_memory``."""
        return self._map(lambda tensor: tensor.pin_memory())

    def with_audio(self, audio: Tensor) -> Batch:
        """The same batch with other audio (scaled, augmented)."""
        return replace(self, audio=audio)

    def _map(self, change) -> Batch:  # type: ignore[no-untyped-def]
        tensors = {name: change(getattr(self, name)) for name in ("audio", "labels", "labelled", "file", "draw")}
        return replace(self, **tensors)


def to_float(audio: Tensor) -> Tensor:
    """Int16 audio as float32 in [-1, 1); float audio as it is."""
    return audio.float() / 32768 if audio.dtype == torch.int16 else audio


def to_int16(audio: Tensor) -> Tensor:
    """The way back: float audio as int16, rounded, and clipped where it left [-1, 1)."""
    return (audio * 32768).round_().clamp_(-32768, 32767).to(torch.int16)


def segments_at_once(device: torch.device) -> int:
    """How many segments an encoder is best given at a time, so that a track may be of any length.

    On a CPU what its caches hold: a small SampleCNN is 1.3 times as fast with 16 of them as with 64, the published one
    1.1 times.
    """
    return 16 if device.type == "cpu" else 64
