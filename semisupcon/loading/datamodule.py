"""The data of a pretraining run: pools, loaders, augmentation on the device, and the state that a checkpoint keeps."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from pytorch_lightning import LightningDataModule
from torch.utils.data import DataLoader, Dataset

from semisupcon.augment import Chain, Transform
from semisupcon.batch import Batch, to_float
from semisupcon.errors import UserError
from semisupcon.loading.augmented import Augmented, step_seed
from semisupcon.loading.badlist import BadList
from semisupcon.loading.guard import without_copies
from semisupcon.loading.pools import OUTSIDE, Pools, make_pools, save_splits
from semisupcon.loading.reader import Layout, Reader, find_places
from semisupcon.loading.request import Request, or_none
from semisupcon.loading.sampler import MixedBatchSampler, SequentialBatchSampler
from semisupcon.loading.segments import Clips
from semisupcon.loading.views import ClipDataset
from semisupcon.plain import csv_text

log = logging.getLogger(__name__)

LeakCheck = Literal["drop", "stop", "off"]


class MixedDataModule(LightningDataModule):
    """Batches of labelled and unlabelled clips.

    Args:
        sl_task: the corpus whose labels are used (a task name); None = self-supervised. Several at once: ``a+b``.
        ssl_task: the corpus whose clips are used without labels. ``same``, or the same name as sl_task: those of
            sl_task whose labels supervised_data_p leaves out. None = the folder data_dir.
        data_dir: a folder of audio, used without labels where ssl_task is None.
        val_split: the share of the files in data_dir that is validated on.
        fully_supervised: use labelled clips only, whatever ssl_task and data_dir say.
        sl_kwargs: options of the sl_task corpus, such as root; of several tasks under the name of each.
        ssl_kwargs: options of the ssl_task corpus.
        supervised_data_p: p_s, the share of the labels that is used. Subsets nest and are stratified.
        intrabatch_supervised_p: b_s, the share of labelled clips in a batch; None = one half where there are both
            kinds, else whatever there is.
        aug_list: augmentations in the order they are applied, by name, as a preset or by class_path; an empty list
            for none.
        aug_severity: 0 (off) to 5; 2 is the paper's.
        target_sr: sample rate in Hz; the encoder is told the same.
        target_len: length of a view in seconds.
        batch_size: clips a batch on each device.
        views: views of each clip.
        view_layout: adjacent (parts of one random chunk, SemiSupCon) or independent (each anywhere, CLMR).
        num_workers: loading processes.
        seed: decides order, crops and augmentations; seed_everything by default.
        split_seed: decides which labels a share p_s takes; apart from seed.
        store: folder of the stores that python -m semisupcon.prepare makes; None = in the cache.
        leak_check: training files that are copies of validation or test files, by content or by sound: drop them,
            stop, or off.
        max_bad_share: the share of files without audio above which training stops.
    """

    least_batch: ClassVar[int] = 2  # one clip alone has nobody to differ from

    def __init__(
        self,
        sl_task: str | None = None,
        ssl_task: str | None = None,
        data_dir: str | None = None,
        val_split: float = 0.1,
        fully_supervised: bool = False,
        sl_kwargs: dict[str, Any] | None = None,
        ssl_kwargs: dict[str, Any] | None = None,
        supervised_data_p: float = 1.0,
        intrabatch_supervised_p: float | None = None,
        aug_list: list[str | Transform] | None = None,
        aug_severity: float = 2.0,
        target_sr: int = 22050,
        target_len: float = 2.7,
        batch_size: int = 96,
        views: int = 2,
        view_layout: Layout = "adjacent",
        num_workers: int = 2,
        seed: int = 0,
        split_seed: int = 0,
        store: str | None = None,
        leak_check: LeakCheck = "drop",
        max_bad_share: float = 0.2,
    ) -> None:
        super().__init__()
        self.request = Request(
            sl_task=or_none(sl_task),
            ssl_task=or_none(ssl_task),
            data_dir=or_none(data_dir),
            val_split=val_split,
            fully_supervised=fully_supervised,
            sl_kwargs=sl_kwargs,
            ssl_kwargs=ssl_kwargs,
            supervised_data_p=supervised_data_p,
            intrabatch_supervised_p=intrabatch_supervised_p,
            split_seed=split_seed,
        )
        for name, value, least in (
            ("batch_size", batch_size, self.least_batch),
            ("views", views, 1),
            ("target_sr", target_sr, 1),
        ):
            if value < least:
                raise UserError(f"--data.{name}={value}: at least {least} is needed.")
        if not target_len > 0:
            raise UserError(f"--data.target_len={target_len}: a length in seconds is meant, such as 2.7.")
        self.chain = Chain(aug_list or [], severity=aug_severity)
        self._in_workers, self.augment = self.chain.split()
        self.sample_rate, self.length = target_sr, round(target_len * target_sr)
        self.batch_size, self.views, self.view_layout, self.num_workers = batch_size, views, view_layout, num_workers
        self.seed = seed
        self.position = 0
        """Batches consumed by training so far; saved in the checkpoint."""
        self.store, self.leak_check = or_none(store), leak_check
        self.bad = BadList(max_bad_share)
        self._pools: Pools | None = None
        self._reader: Reader | None = None
        self._sampler: MixedBatchSampler | None = None

    @property
    def pools(self) -> Pools:
        """The files and what each is used for; loaded at first use."""
        if self._pools is None:
            pools = make_pools(self.request)
            if self.leak_check != "off":
                pools = without_copies(pools, self.store, strict=self.leak_check == "stop")
            self.bad.note(0, ((path, OUTSIDE) for path, _ in pools.refused))
            self.bad.fresh()  # they are named, and no part of what is tried
            self._pools = pools
        return self._pools

    @property
    def reader(self) -> Reader:
        """Of all files at ``sample_rate``, from prepared stores where they are there."""
        if self._reader is None or self._reader.sample_rate != self.sample_rate:
            pools = self.pools
            places = find_places(pools.paths, pools.roots.values(), self.sample_rate, self.store)
            self._reader = Reader(pools.paths, self.sample_rate, places)
        return self._reader

    def setup(self, stage: str) -> None:
        """Load the tables, and say what was found."""
        for line in self.describe():
            log.info(line)
        self._warn_of_short_files()
        tasks = self.pools.tasks if self.pools.share > 0 else ()
        for line in self.chain.objections({task.about for task in tasks} - {""}):
            log.warning(line)

    def describe(self) -> list[str]:
        """What is trained on, for people, a line each."""
        return self.pools.describe(self.batch_size)

    def train_dataloader(self) -> DataLoader[Batch]:
        """Random crops in mixed batches, from ``position`` on."""
        pools = self.pools
        rank, world = self._ranks()
        self._sampler = MixedBatchSampler(
            pools.labelled, pools.unlabelled, self.batch_size, pools.share, self.seed, rank, world
        )
        self._sampler.position = self.position
        crops: Dataset[Batch] = self._crops(self.seed)
        if len(self._in_workers.transforms):
            crops = Augmented(crops, self._in_workers, self.sample_rate, self.seed, rank)
        return self._loader(crops, self._sampler)

    def val_dataloader(self) -> DataLoader[Batch] | list[Any]:
        """Fixed crops, each clip once, never augmented."""
        pools = self.pools
        if not len(pools.val):
            return []
        rank, world = self._ranks()
        sampler = SequentialBatchSampler(pools.val, pools.val_labelled, self.batch_size, rank, world)
        return self._loader(self._crops(seed=None), sampler)

    def transfer_batch_to_device(self, batch: Any, device: torch.device, dataloader_idx: int) -> Any:
        """Without waiting for it: Lightning waits for what is no tensor. From page-locked memory it is safe."""
        if isinstance(batch, Batch | Clips):
            return batch.to(device, non_blocking=True)
        return super().transfer_batch_to_device(batch, device, dataloader_idx)

    def on_after_batch_transfer(self, batch: Batch, dataloader_idx: int) -> Batch:
        """On the device: int16 to float, and in training the augmentation, with everything random seeded first."""
        audio = to_float(batch.audio)
        if not (self.trainer is not None and self.trainer.training):
            return batch.with_audio(audio)
        self.position = batch.step + 1
        if self._sampler is not None:
            self._sampler.position = self.position
        # One seed for each batch of the training and each rank: augmentation now, dropout and masking later follow.
        torch.manual_seed(step_seed(self.seed, batch.step, self._ranks()[0]))
        augmented = self.augment(audio.flatten(0, 1), self.sample_rate).view_as(audio)
        return batch.with_audio(augmented)

    def state_dict(self) -> dict[str, Any]:
        """How far training has got, and what decides the clips and crops from there, which a resume compares."""
        pools, names = self.pools, ("seed", "batch_size", "views", "view_layout", "length", "sample_rate")
        state = {"position": self.position, "world_size": self._ranks()[1], "share": float(pools.share)}
        counts = {name: len(getattr(pools, name)) for name in ("labelled", "unlabelled", "val")}
        return {**state, **{name: getattr(self, name) for name in names}, **counts, "split_sha256": pools.digest}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from a checkpoint."""
        self.position = state_dict["position"]
        if self._sampler is not None:
            self._sampler.position = self.position

    def save(self, folder: Path) -> dict[str, Any]:
        """Write ``split.csv`` into the run's folder; returns what should be said of the data beside it."""
        pools = self.pools
        (folder / "split.csv").write_text(pools.listing(), encoding="utf-8", newline="")
        if pools.leaks:
            text = csv_text([("left_out", "copy_of", "by"), *pools.leaks])
            (folder / "leaks.csv").write_text(text, encoding="utf-8", newline="")
        return {
            "split_sha256": pools.digest,
            "roots": pools.roots,
            "splits": save_splits(pools, folder / "splits"),
            "leaks": len(pools.leaks),
            "prepared": 0 if self.reader.places is None else int((self.reader.places.which >= 0).sum()),
            **{name: getattr(self.request, name) for name in ("sl_task", "ssl_task", "data_dir")},
            "labelled": len(pools.labelled),
            "unlabelled": len(pools.unlabelled),
            "val": len(pools.val),
            "intrabatch_supervised_p": pools.share,
            "supervised_data_p": self.request.supervised_data_p,
            "notes": list(pools.notes),
        }

    def _loader(self, crops: Dataset[Batch], sampler: MixedBatchSampler | SequentialBatchSampler) -> DataLoader[Batch]:
        return DataLoader(
            crops,
            sampler=sampler,
            batch_size=None,  # the sampler's element is a whole batch
            num_workers=self.num_workers,
            persistent_workers=self.num_workers > 0,
            pin_memory=torch.cuda.is_available(),
        )

    def _crops(self, seed: int | None) -> ClipDataset:
        labels = self.pools.labels if self.pools.share > 0 else self.pools.labels[:, :0]  # nobody is to ask of them
        return ClipDataset(self.reader, labels, self.length, self.views, self.view_layout, seed)

    def _ranks(self) -> tuple[int, int]:
        return (0, 1) if self.trainer is None else (self.trainer.global_rank, self.trainer.world_size)

    def _warn_of_short_files(self, looked_at: int = 200) -> None:
        """Say so where no file is as long as one view, or where the views of a clip are all the same."""
        rows = np.concatenate([self.pools.labelled, self.pools.unlabelled])
        some = np.random.default_rng(0).permutation(rows)[:looked_at]
        lengths = np.array([self.reader.samples(int(row)) for row in some])
        longest = int(lengths.max())
        same = float((lengths <= self.length).mean())
        if same and self.views > 1 and not (self.chain.severity and len(self.chain.transforms)):
            log.warning(
                f"{same:.0%} of the files are no longer than one view, and nothing augments them: the views of such a "
                "clip are the same, and teach nothing. Give a shorter --data.target_len, or augmentations."
            )
        if longest < self.length:
            rate = self.sample_rate
            log.warning(
                f"target_len={self.length / rate:.3g} s is longer than every file: the longest of {len(some):,} looked "
                f"at has {longest / rate:.3g} s. Shorter files are padded with silence at the end."
            )
