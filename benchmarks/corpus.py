"""A small labelled corpus to train on, and the stream of batches that training gets of it."""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import soundfile
from torch.utils.data import DataLoader, Sampler

from benchmarks.sound import RATE, music
from semisupcon.batch import Batch
from semisupcon.loading.datamodule import MixedDataModule


class Endless(Sampler[Any]):
    """A sampler's batches without end: the corpus here is small, and the end of an epoch is no part of a step."""

    def __init__(self, sampler: Any) -> None:
        self.sampler = sampler

    def __iter__(self) -> Iterator[Any]:
        """From the first on."""
        return map(self.sampler.draws, itertools.count())


def corpus(folder: Path, clips: int, seconds: float) -> Path:
    """Clips as wav files and a table of them with ten classes; 8 more to validate on."""
    lines = ["path,split,label"]
    for number, audio in enumerate(music(clips + 8, round(seconds * RATE))):
        soundfile.write(folder / f"{number:04d}.wav", audio[0].numpy(), RATE, subtype="PCM_16")
        lines.append(f"{number:04d}.wav,{'train' if number < clips else 'val'},class {number % 10}")
    manifest = folder / "clips.csv"
    manifest.write_text("\n".join(lines) + "\n")
    return manifest


def datamodule(manifest: Path, store: Path, options: argparse.Namespace) -> MixedDataModule:
    """Half of the clips labelled, and half of a batch; as if a Trainer were training with it."""
    data = MixedDataModule(
        sl_task=str(manifest),
        ssl_task="same",
        supervised_data_p=0.5,
        intrabatch_supervised_p=0.5,
        aug_list=["semisupcon"],
        target_sr=RATE,
        target_len=options.seconds,
        batch_size=options.batch,
        views=options.views,
        num_workers=options.workers,
        store=str(store),
        leak_check="off",
    )
    data.trainer = SimpleNamespace(training=True, global_rank=0, world_size=1)
    return data


def batches(data: MixedDataModule, options: argparse.Namespace) -> Iterator[Batch]:
    """Of the module's own loader, endlessly; from memory: a few of them in turn."""
    loader = data.train_dataloader()
    endless = DataLoader(
        loader.dataset,
        sampler=Endless(loader.sampler),
        batch_size=None,
        num_workers=loader.num_workers,
        pin_memory=loader.pin_memory,
    )
    if options.data == "store":
        return iter(endless)
    return itertools.cycle(list(itertools.islice(endless, 4)))
