"""The tasks that encoders are evaluated on, and the clips of each split as an encoder embeds them."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np
import torch
from torch import nn

from semisupcon.downstream.datamodule import TaskDataModule
from semisupcon.downstream.embed import Embeddings, calibrate, embed, encoder_key, fresh_norms
from semisupcon.downstream.kept import identity
from semisupcon.downstream.leak import seen_in_pretraining
from semisupcon.encoders.base import Encoder
from semisupcon.errors import UserError
from semisupcon.evaluation.clips import EmbeddedClips
from semisupcon.evaluation.subjects import Subject
from semisupcon.loading import corpora
from semisupcon.loading.links import real_paths
from semisupcon.loading.sampler import Indices
from semisupcon.loading.subset import labelled_share
from semisupcon.projection import projected
from semisupcon.table import Table, Task

log = logging.getLogger(__name__)

Part = Literal["train", "val", "test"]
GivenTask = str | dict[str, Any]

HELD = 1 << 29
"""Bytes of embeddings that are kept in memory for each encoder; more are read from the cache again."""


@dataclass(frozen=True)
class How:
    """How clips are read and encoders run, the same for every case.

    Args:
        device: where encoders run.
        num_workers: loading processes.
        seconds: of a segment; None = what the encoder was trained on, 2.7 without one.
        store: the folder of prepared stores; None = in the cache.
        leak_check: training files that are copies of validation or test files: drop them, stop, or off.
    """

    device: torch.device
    num_workers: int = 2
    seconds: float | None = None
    store: str | None = None
    leak_check: Literal["drop", "stop", "off"] = "drop"


class Case:
    """A task with its clips.

    Args:
        name: of the task.
        options: of its corpus, such as root.
        how: clips are read.
    """

    def __init__(self, name: str, options: Mapping[str, Any], how: How) -> None:
        self.how = how
        self.data = TaskDataModule(
            name,
            dict(options),
            target_len=how.seconds,
            num_workers=how.num_workers,
            store=how.store,
            leak_check=how.leak_check,
        )
        self.name, self.options = name, dict(options)

    @property
    def task(self) -> Task:
        """What the labels mean."""
        return self.data.task

    @property
    def corpus(self) -> str:
        """The folder its files are in."""
        return next(iter(self.data.pools.roots.values()))

    @cached_property
    def digest(self) -> str:
        """The SHA-256 of which clip is in which split, with which labels and group, and of what the labels mean."""
        pools, task = self.data.pools, self.task
        held = hashlib.sha256(pools.listing().encode(errors="surrogateescape"))
        held.update(json.dumps([task.kind, task.metric, list(task.classes), task.group]).encode())
        rows = np.concatenate([pools.labelled, pools.val, pools.test])
        held.update(np.ascontiguousarray(pools.labels[rows]).tobytes())
        held.update("\n".join(str(group) for group in pools.group[rows]).encode(errors="surrogateescape"))
        return held.hexdigest()

    @cached_property
    def files(self) -> str:
        """The SHA-256 of the files as they are now: where they lie, their sizes and times of change."""
        pools = self.data.pools
        rows = np.concatenate([pools.labelled, pools.val, pools.test])
        return hashlib.sha256("".join(identity(str(pools.paths[row])) for row in rows).encode()).hexdigest()

    @cached_property
    def held_out(self) -> str:
        """The SHA-256 of the corpus's folder and its held-out files, which an untrained encoder depends on."""
        pools = self.data.pools
        text = "\n".join([self.corpus, *map(str, pools.paths[pools.held])])
        return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()

    @property
    def counts(self) -> dict[str, int]:
        """Labelled clips of each split."""
        return {split: len(rows) for split, rows in self.data.rows().items()}

    def taken(self, share: float, draw: int) -> set[str]:
        """The names of the training clips that a share of the labels means: p_s of pretraining, with that split_seed.

        Nested and stratified, see ``loading.subset``.
        """
        table, names = self._training
        rows = labelled_share(table, self.task, share, draw)
        return {names[row] for row in rows.tolist()}

    @cached_property
    def _training(self) -> tuple[Table, list[str]]:
        """The corpus's own table of training clips, and what each is called here."""
        (corpus,) = corpora.load(self.data.request).inside.sl
        table = corpus.table.rows(np.asarray(corpus.table.split == "train"))
        real = real_paths(str(table.file(row)) for row in range(len(table)))
        short = {
            path: self.data.pools.short(row)[1]
            for row, path in enumerate(real_paths(str(path) for path in self.data.pools.paths))
        }
        return table, [short.get(path, "") for path in real]

    def seen(self, encoder: Encoder) -> int | None:
        """How many of the test files the encoder was trained on; None = not known."""
        return seen_in_pretraining(encoder.sources(), self.data.pools, self.how.leak_check != "off", self.how.store)


@dataclass(eq=False)
class Ready:
    """A subject's encoder, made ready for the corpus of a case.

    Args:
        subject: whose.
        encoder: in eval mode; what is untrained of it has BatchNorm statistics of the corpus's training files.
        length: T, samples in a segment.
        key: what decides its embeddings but the audio.
        head: the projection head that its checkpoint holds; None where there is none that can be used.
    """

    subject: Subject
    encoder: Encoder
    length: int
    key: str
    head: nn.Module | None = None
    _held: dict[tuple[str, Part], EmbeddedClips] = field(default_factory=dict)

    @classmethod
    def of(cls, subject: Subject, case: Case) -> Ready:
        """The subject's encoder for the corpus of a case.

        Raises:
            UserError: as ``Subject.load`` and ``TaskDataModule.fit_encoder``.
        """
        encoder, samples = subject.load()
        case.data.fit_encoder(encoder.sample_rate, samples)
        if fresh_norms(encoder):
            calibrate(encoder, case.data.calibration(), case.how.device)
        encoder.requires_grad_(False).to(case.how.device)
        length = case.data.length
        return cls(subject, encoder, length, encoder_key(encoder, encoder.sample_rate, length), _head(subject))

    def clips(self, case: Case, split: Part) -> EmbeddedClips:
        """The labelled clips of a split that could be read, embedded; kept in memory as far as ``HELD`` allows.

        Raises:
            UserError: none could be read, of training or test clips.
        """
        if (case.name, split) not in self._held:
            found = self._embed(case, split)
            while self._held and sum(each.segment.nbytes for each in self._held.values()) + found.segment.nbytes > HELD:
                del self._held[next(iter(self._held))]
            self._held[case.name, split] = found
        return self._held[case.name, split]

    def _embed(self, case: Case, split: Part) -> EmbeddedClips:
        data = case.data
        data.fit_encoder(self.encoder.sample_rate, self.length)
        data.length = self.length
        wanted = data.clips(split)
        found = embed(self.encoder, wanted, case.how.device, data.num_workers, f"{split} clips of {case.name}")
        data.bad.note(found.clips, found.bad)
        data.bad.judge(sure=True)
        data.bad.fresh()
        if split != "val" and not found.clips:
            raise UserError(
                f"{case.name}: none of the {len(wanted.rows):,} {split} clips could be read; the first: "
                f"{found.bad[0][0]} {found.bad[0][1]}."
                if found.bad
                else f"{case.name}: no labelled {split} clip under {case.corpus}."
            )
        return embedded_clips(case, found)


def _head(subject: Subject) -> nn.Module | None:
    """The projection head of a subject's checkpoint; of several checkpoints, or fresh weights, none."""
    if subject.fresh or len(subject.checkpoints) != 1:
        return None
    try:
        return projected(subject.checkpoints[0])
    except UserError as error:
        log.warning(f"{subject.name}: evaluated in the space of its embeddings alone. {error}")
        return None


def embedded_clips(case: Case, found: Embeddings) -> EmbeddedClips:
    """Embeddings of a case's files with what is known of them."""
    rows, clip = first_seen(found.clip)
    return EmbeddedClips(
        found.segment,
        clip,
        case.data.pools.labels[rows],
        np.array(case.data.names(torch.from_numpy(rows)), dtype=object),
        np.array(case.data.groups(torch.from_numpy(rows)), dtype=object),
    )


def first_seen(owner: Indices) -> tuple[Indices, Indices]:
    """(S,) file rows, those of a clip together, as the clips' rows (M,) and the number of each one's clip (S,)."""
    new = np.r_[True, owner[1:] != owner[:-1]][: len(owner)]
    return owner[new], np.cumsum(new) - 1


def named(tasks: Sequence[GivenTask], options: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Task name -> options of its corpus.

    Args:
        tasks: names; or mappings with a ``name`` and its options, as a config can hold them.
        options: task name -> options.

    Raises:
        UserError: a task twice, one without a name, or options of none.
    """
    found: dict[str, dict[str, Any]] = {}
    for given in tasks:
        each = {"name": given} if isinstance(given, str) else dict(given)
        name = each.pop("name", None)
        if not isinstance(name, str):
            raise UserError(f"--tasks: {given!r} has no name; a name is meant, or {{name: gtzan, root: data/gtzan}}.")
        if name in found:
            raise UserError(f"--tasks names {name} twice.")
        found[name] = each
    if not found:
        raise UserError("--tasks is empty. Name at least one, such as --tasks=[synth_instrument].")
    for given, value in options.items():
        # --task_kwargs.tracks.csv.kind=key comes as one name, and the name of a task may have dots.
        name = next((task for task in found if given == task or given.startswith(f"{task}.")), None)
        if name is None:
            raise UserError(f"--task_kwargs.{given}: {given} is not among the tasks ({', '.join(found)}).")
        key = given[len(name) + 1 :]
        if not key and not isinstance(value, Mapping):
            raise UserError(f"--task_kwargs.{name}={value}: an option is meant, such as --task_kwargs.{name}.root=DIR.")
        found[name] |= {key: value} if key else value
    return found
