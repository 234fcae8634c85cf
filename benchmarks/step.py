"""One pretraining step after another, without a Trainer, with a clock between its parts."""

from __future__ import annotations

import itertools
import time
from collections import defaultdict
from collections.abc import Iterator
from types import SimpleNamespace

import torch
from torch import Tensor

from benchmarks.clock import seconds, synchronize
from semisupcon.batch import Batch, to_float
from semisupcon.encoders import SampleCNN
from semisupcon.loading.datamodule import MixedDataModule
from semisupcon.objectives.projection import MLP
from semisupcon.objectives.similarity import Cosine
from semisupcon.training.contrastive import Contrastive

WAIT, MOVE, AUGMENT, ENCODE = "wait for data", "move, to float", "augment", "encode"
OBJECTIVE, BACKWARD, OPTIMIZE = "projection, objective", "backward", "optimizer"
PARTS = (WAIT, MOVE, AUGMENT, ENCODE, OBJECTIVE, BACKWARD, OPTIMIZE)


class Parts:
    """Seconds of each part of a step: what has passed since the mark before.

    Args:
        device: where the work is done.
        on: else nothing is waited for, or noted.
    """

    def __init__(self, device: torch.device, on: bool) -> None:
        self.device, self.on = device, on
        self.seconds: dict[str, float] = defaultdict(float)
        self.last = time.perf_counter()

    def mark(self, name: str | None = None) -> None:
        """Here a part ends; None = what was before is not counted."""
        if self.on:
            synchronize(self.device)
            now = time.perf_counter()
            if name:
                self.seconds[name] += now - self.last
            self.last = now


class Step:
    """One training step after another.

    Args:
        data: where the batches are augmented.
        encoder: what is trained, on its device.
        precision: 32 or bf16.
        compiled: whether the encoder goes through torch.compile.
    """

    def __init__(self, data: MixedDataModule, encoder: SampleCNN, precision: str, compiled: bool) -> None:
        self.data, self.half = data, precision == "bf16"
        self.device = next(encoder.parameters()).device
        self.module = Contrastive(encoder, MLP, Cosine(0.1)).to(self.device).train()
        # In place of the Trainer: no step is one that is logged.
        self.module._trainer = SimpleNamespace(log_every_n_steps=0, global_step=0, training=True)
        self.module.log = self.module.log_dict = lambda *_, **__: None
        self.optimizer = torch.optim.Adam(self.module.parameters(), lr=1e-4)
        self.parts = Parts(self.device, on=False)
        if compiled:
            encoder.compile()
        encode = self.module._encode

        def encoded(batch: Batch) -> Tensor:
            embedding = encode(batch)
            self.parts.mark(ENCODE)
            return embedding

        self.module._encode = encoded

    def __call__(self, source: Iterator[Batch]) -> None:
        """The next batch."""
        self.parts.mark()
        batch = next(source)
        self.parts.mark(WAIT)
        batch = batch.to(self.device, non_blocking=True)
        batch = batch.with_audio(to_float(batch.audio))
        self.parts.mark(MOVE)
        batch = self.data.on_after_batch_transfer(batch, 0)
        self.parts.mark(AUGMENT)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.half):
            loss = self.module.training_step(batch, 0)["loss"]
        self.parts.mark(OBJECTIVE)
        loss.backward()
        self.parts.mark(BACKWARD)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.parts.mark(OPTIMIZE)


def rate(step: Step, source: Iterator[Batch], steps: int) -> tuple[dict[str, float], float]:
    """Seconds of each part of a step, and seconds of a step in which the device is not waited for."""
    device = step.device
    step.parts = Parts(device, on=True)
    for _ in range(steps):
        step(source)
    parts = {name: total / steps for name, total in step.parts.seconds.items()}
    if device.type != "cuda":
        return parts, sum(parts.values())
    return parts, unhindered(step, source, steps)


def unhindered(step: Step, source: Iterator[Batch], steps: int) -> float:
    """Seconds of a step in which a GPU is not waited for, as in training."""
    step.parts = Parts(step.device, on=False)
    step(source)  # so that the host is as far ahead at the beginning as at the end
    if step.device.type != "cuda":
        return seconds(lambda: [step(source) for _ in range(steps)], step.device) / steps
    begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    begin.record()
    for _ in range(steps):
        step(source)
    end.record()
    end.synchronize()
    return begin.elapsed_time(end) / 1e3 / steps


def waiting(step: Step, source: Iterator[Batch], steps: int, since: float) -> float:
    """The share of a step that goes by because of where its batches come from: 1 - rate / rate from memory.

    Args:
        step: what is done with a batch.
        source: gives a few batches more, which then go round.
        steps: how many to measure.
        since: seconds of a step from the source itself, ``unhindered``.
    """
    memory = itertools.cycle(list(itertools.islice(source, 4)))
    return 1 - unhindered(step, memory, steps) / since
