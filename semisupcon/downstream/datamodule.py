"""The data of a downstream task: random crops to train on, whole clips to validate and test on."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from typing import Any, ClassVar, Literal, TypeVar

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from semisupcon.augment import Transform
from semisupcon.batch import Batch, to_float
from semisupcon.errors import UserError
from semisupcon.loading.augmented import Augmented
from semisupcon.loading.corpora import task_names
from semisupcon.loading.datamodule import LeakCheck, MixedDataModule
from semisupcon.loading.leaks import copies
from semisupcon.loading.sampler import Draws, Indices, MixedBatchSampler
from semisupcon.loading.segments import Clips, WholeClips, clips_loader
from semisupcon.loading.store import Store
from semisupcon.table import Task

log = logging.getLogger(__name__)

Item = TypeVar("Item")

DEFAULT_SECONDS = 2.7


class TaskDataModule(MixedDataModule):
    """One labelled corpus with its splits.

    Args:
        sl_task: the corpus (a task name).
        sl_kwargs: options of the corpus, such as root.
        supervised_data_p: the share of the training labels that is used. Subsets nest and are stratified.
        aug_list: augmentations of the training crops of fine-tuning, by name or class_path.
        aug_severity: 0 (off) to 5.
        target_sr: Hz; None = the encoder's, which it must not contradict.
        target_len: seconds of a segment; None = what the checkpoint was pretrained on, 2.7 s without one.
        batch_size: clips a batch.
        num_workers: loading processes.
        seed: decides order and crops; seed_everything by default.
        split_seed: decides which labels a share takes; apart from seed.
        store: folder of the stores that python -m semisupcon.prepare makes; None = in the cache.
        leak_check: training files that are copies of validation or test files, by content or by sound: drop them,
            stop, or off.
        max_bad_share: the share of files without audio above which training stops.
    """

    least_batch: ClassVar[int] = 1

    def __init__(
        self,
        sl_task: str | None = None,
        sl_kwargs: dict[str, Any] | None = None,
        supervised_data_p: float = 1.0,
        aug_list: list[str | Transform] | None = None,
        aug_severity: float = 2.0,
        target_sr: int | None = None,
        target_len: float | None = None,
        batch_size: int = 64,
        num_workers: int = 2,
        seed: int = 0,
        split_seed: int = 0,
        store: str | None = None,
        leak_check: LeakCheck = "drop",
        max_bad_share: float = 0.2,
    ) -> None:
        if sl_task is None:
            raise UserError("No task to evaluate: give --data.sl_task=NAME, such as --data.sl_task=synth_instrument.")
        if len(task_names(sl_task)) > 1:
            raise UserError(f"--data.sl_task={sl_task}: one task at a time is evaluated.")
        if not supervised_data_p > 0:
            raise UserError(f"--data.supervised_data_p={supervised_data_p}: a probe needs labels, so more than 0.")
        self.asked = (target_sr, target_len)
        self.frames: tuple[Dataset[Batch], Callable[[int, int], Dataset[Any]]] | None = None
        """What is trained on in place of crops with their labels, and, given rank and ranks, what is validated on."""
        super().__init__(
            sl_task=sl_task,
            sl_kwargs=sl_kwargs,
            supervised_data_p=supervised_data_p,
            aug_list=aug_list,
            aug_severity=aug_severity,
            target_sr=target_sr or 22050,
            target_len=target_len or DEFAULT_SECONDS,
            batch_size=batch_size,
            views=1,
            view_layout="independent",
            num_workers=num_workers,
            seed=seed,
            split_seed=split_seed,
            store=store,
            leak_check=leak_check,
            max_bad_share=max_bad_share,
        )

    @property
    def task(self) -> Task:
        """What the labels mean."""
        (task,) = self.pools.tasks
        return task

    def fit_encoder(self, sample_rate: int, samples: int | None) -> None:
        """Take the sample rate (Hz) from the encoder, and the segment length from pretraining where none is given.

        Raises:
            UserError: target_sr contradicts the encoder.
        """
        rate, seconds = self.asked
        if rate is not None and rate != sample_rate:
            raise UserError(f"--data.target_sr={rate}: the encoder takes {sample_rate} Hz. Leave target_sr out.")
        self.sample_rate = sample_rate
        self.length = samples if samples and seconds is None else round((seconds or DEFAULT_SECONDS) * sample_rate)

    def need_batches_of(self, clips: int) -> None:
        """Refuse a batch_size that is too small to train on.

        Raises:
            UserError: it is below ``clips``.
        """
        if self.batch_size < clips:
            raise UserError(
                f"--data.batch_size={self.batch_size}: fine-tuning needs at least {clips}, for BatchNorm takes its "
                f"statistics over the clips of a batch. Where the encoder is frozen, 1 will do."
            )

    def describe(self) -> list[str]:
        """What is trained on, for people, a line each."""
        if self.frames is None:
            return super().describe()
        name, crops = self.task.name, len(self.frames[0])  # type: ignore[arg-type]
        counts = {split: f"{len(rows):,}" for split, rows in self.rows().items()}
        trained = f"{counts['train']} recordings to train on ({crops:,} crops an epoch)"
        return [f"{name}: {trained}, {counts['val']} to validate on", *self.pools.notes]

    def rows(self) -> dict[str, Indices]:
        """File rows of the labelled clips of each split; of ``train`` those that supervised_data_p takes."""
        pools = self.pools
        return {"train": pools.labelled, "val": pools.val[pools.val_labelled], "test": pools.test}

    def clips(self, split: Literal["train", "val", "test"], size: int = 8) -> WholeClips:
        """The labelled clips of a split, whole."""
        return WholeClips(self.reader, self.pools.labels, self.rows()[split], self.length, size)

    def loader(self, split: Literal["val", "test"]) -> DataLoader[Clips]:
        """The whole clips of a split, in order; of ``val`` under DDP every rank its share, in equally many groups."""
        clips = self.clips(split)
        if split == "val":
            rank, world = self._ranks()
            clips.groups = math.ceil(math.ceil(len(clips.rows) / world) / clips.size)
            clips.rows = clips.rows[rank::world]
        return clips_loader(clips, self.num_workers)

    def in_order(self, dataset: Dataset[Item]) -> DataLoader[Item]:
        """The elements of a dataset, each a whole batch, one after another."""
        return DataLoader(dataset, batch_size=None, num_workers=self.num_workers, pin_memory=torch.cuda.is_available())

    def train_dataloader(self) -> DataLoader[Batch]:
        """Random crops, or what is to be trained on in their place."""
        if self.frames is None:
            return super().train_dataloader()
        crops, (rank, world) = self.frames[0], self._ranks()
        numbers = np.arange(len(crops))  # type: ignore[arg-type]
        self._sampler = MixedBatchSampler(numbers, numbers[:0], self.batch_size, 1.0, self.seed, rank, world)
        self._sampler.position = self.position
        if len(self._in_workers.transforms):
            crops = Augmented(crops, self._in_workers, self.sample_rate, self.seed, rank)
        return self._loader(crops, self._sampler)

    def val_dataloader(self) -> Any:
        """Whole validation clips; no loader where there are none."""
        if not self.pools.val_labelled.any():
            return []
        return self.loader("val") if self.frames is None else self.in_order(self.frames[1](*self._ranks()))

    def on_after_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:
        """Crops are augmented in training; whole clips are never touched."""
        return super().on_after_batch_transfer(batch, dataloader_idx) if isinstance(batch, Batch) else batch

    def calibration(self, clips: int = 256, at_once: int = 32) -> list[Tensor]:
        """Fixed crops of some training files, (n, 1, T) float32 each, to calibrate BatchNorm statistics on.

        With labels or without, so that an untrained encoder is the same for all tasks of a corpus and shares of labels.
        """
        pools = self.pools
        rows = np.setdiff1d(np.arange(len(pools.paths)), pools.held)
        rows = np.random.default_rng(0).permutation(rows)[:clips]
        if self.leak_check != "off":  # the pools were looked through for copies, but only what is trained on
            prepared = [Store.beside(root, stores=self.store) for root in dict.fromkeys(pools.roots.values())]
            held = copies(pools.paths[rows], pools.paths[pools.held], [each for each in prepared if each is not None])
            rows = rows[held.held < 0]
        dataset = self._crops(seed=0)
        parts = np.array_split(rows, math.ceil(len(rows) / at_once))  # of equal size, for they count alike
        draws = [Draws(0, part, np.zeros(len(part), np.int64), np.ones(len(part), bool)) for part in parts]
        return [to_float(dataset[draw].audio.flatten(0, 1)) for draw in draws]

    def groups(self, rows: Tensor) -> list[str]:
        """What intervals are drawn over, for some file rows."""
        return [str(self.pools.group[row]) for row in rows.tolist()]

    def names(self, rows: Tensor) -> list[str]:
        """The files' paths inside the corpus."""
        return [self.pools.short(int(row))[1] for row in rows.tolist()]

    def labels(self, rows: Tensor) -> Tensor:
        """(M, K) labels of some file rows."""
        return torch.from_numpy(self.pools.labels)[rows]
