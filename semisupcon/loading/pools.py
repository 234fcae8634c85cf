"""From what the user asked for to the pools of files that training draws from, without a leak."""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from semisupcon.datasets import splits
from semisupcon.errors import UserError
from semisupcon.loading.corpora import Corpora, load
from semisupcon.loading.files import Files
from semisupcon.loading.request import Request, check, labelled_share_of_batch
from semisupcon.loading.sampler import Indices
from semisupcon.loading.subset import labelled_share
from semisupcon.plain import csv_text
from semisupcon.table import TEXT, Table, Task

OUTSIDE = "leads outside the dataset's root"


@dataclass(frozen=True)
class Pools:
    """Every file that training or validation may open, and what it is for.

    Args:
        paths: (n,) full paths, each once; the row is the file's identity.
        labels: (n, K) float32, NaN = unknown.
        labelled: rows drawn with their labels.
        unlabelled: rows drawn without.
        val: rows validated on.
        val_labelled: (len(val),) bool, which of them with labels.
        test: rows of the labelled corpus's test split; never trained or validated on.
        held: rows of a test or validation split of any corpus named, also those without labels.
        group: (n,) artist, player or the like where the labelled corpus knows it, else empty text.
        share: b_s as it is used.
        tasks: what the labels are; their classes, one task after the other, are the K columns.
        roots: corpus name -> folder, to shorten paths.
        notes: what was decided or left out, one sentence each, for people.
        splits: corpus name -> its clips and their splits, without labels.
        refused: (path, split) of what a corpus names outside its root; in no pool.
        leaks: (trained on, held out, how they are alike) of files that were left out of training as copies.
    """

    paths: npt.NDArray[Any]
    labels: npt.NDArray[np.float32]
    labelled: Indices
    unlabelled: Indices
    val: Indices
    val_labelled: npt.NDArray[np.bool_]
    test: Indices
    held: Indices
    group: npt.NDArray[Any]
    share: float
    tasks: tuple[Task, ...]
    roots: dict[str, str]
    notes: tuple[str, ...]
    splits: dict[str, Table]
    refused: tuple[tuple[str, str], ...] = ()
    leaks: tuple[tuple[str, str, str], ...] = ()

    def listing(self) -> str:
        """Which file is used for what, as CSV: corpus, path, use."""
        uses = {"labelled": self.labelled, "unlabelled": self.unlabelled, "val": self.val, "test": self.test}
        rows = ((*self.short(row), use) for use, part in uses.items() for row in part.tolist())
        return csv_text([("corpus", "path", "use"), *rows])

    @cached_property
    def digest(self) -> str:
        """The SHA-256 of the listing."""
        return hashlib.sha256(self.listing().encode()).hexdigest()

    def describe(self, batch_size: int) -> list[str]:
        """How many clips of what there are for batches of ``batch_size``, for people, a line each."""
        clips = batch_size * self.share
        corpora = " and ".join(root if name == "folder" else name for name, root in self.roots.items())
        counts = [f"{len(self.unlabelled):,} unlabelled clips"] if self.share < 1 else []
        if self.share and self.tasks:
            of = " and ".join(f"{task.name}, {len(task.classes)} labels" for task in self.tasks)
            counts = [f"{len(self.labelled):,} labelled clips ({of})", *counts]
        lines = [f"{corpora}: {', '.join(counts)}, {len(self.val):,} clips to validate on"]
        drawn = f"{int(clips)} or {int(clips) + 1}, {clips:g} on average" if clips % 1 else f"{clips:g}"
        lines += [f"b_s = {self.share:g}: labelled clips in a batch of {batch_size}: {drawn}", *self.notes]
        needed = ((self.share, self.labelled), (1 - self.share, self.unlabelled))
        few = [len(pool) for share, pool in needed if share and len(pool) < batch_size * share]
        if few:
            lines.append(
                f"only {min(few):,} files for a batch of {batch_size}: a file recurs within a batch, and all crops of "
                "one file are positives. Cut long recordings into clips, or lower --data.batch_size."
            )
        return lines

    def short(self, row: int) -> tuple[str, str]:
        """A file as corpus and path inside it."""
        path = str(self.paths[row])
        for corpus, root in self.roots.items():
            if path.startswith(root + os.sep):
                return corpus, path[len(root) + 1 :]
        return "", path


def make_pools(request: Request) -> Pools:
    """Load what was asked for and decide which clip is used for what.

    No file of a test split of any corpus named, and no file of a validation split, is trained on; files are
    compared by where they really lie, so that a folder that contains a labelled corpus, or a link to it, gives up
    that corpus's test files.

    Raises:
        UserError: the options contradict each other, or leave nothing to train on.
    """
    check(request)
    notes: list[str] = []
    corpora = load(request)
    refused = _refused(corpora, notes)
    corpora = corpora.inside
    share = labelled_share_of_batch(request, [c.table for c in corpora.sl], bool(corpora.ssl), notes)
    files = Files.of([corpus.table for corpus in corpora.all])
    labels, chosen = _labels(request, corpora, files)
    labelled = unlabelled = np.zeros(0, np.int64)
    if share > 0:
        labelled = _trainable(files, chosen, "labelled", notes)
    if share < 1:
        sources = corpora.ssl or corpora.sl
        unlabelled = np.concatenate([files.rows(c.table)[np.asarray(c.table.split == "train")] for c in sources])
        unlabelled = _trainable(files, unlabelled, "unlabelled", notes)
        if corpora.ssl == corpora.sl and share > 0:
            left = np.setdiff1d(unlabelled, labelled)
            if not len(left):
                notes.append(
                    "every clip is labelled (ssl_task is sl_task and supervised_data_p takes all labels): "
                    "the unlabelled pool holds the same clips without their labels"
                )
            unlabelled = left if len(left) else unlabelled
    _need_clips(request, share, labelled, unlabelled, notes)

    used = [c.table for c in corpora.sl if share > 0 or not corpora.ssl] + [c.table for c in corpora.ssl if share < 1]
    val = np.flatnonzero(files.marked(used, "val") & ~files.test)
    known = np.asarray(~np.isnan(labels).all(axis=1))
    group = np.full(len(files.paths), "", dtype=TEXT)
    tested = np.zeros(len(files.paths), bool)
    for corpus in reversed(corpora.sl):
        group[files.rows(corpus.table)] = corpus.table.group
        tested[files.rows(corpus.table)[np.asarray((corpus.table.split == "test") & corpus.table.labelled)]] = True
    return Pools(
        paths=files.paths,
        labels=labels,
        labelled=labelled,
        unlabelled=unlabelled,
        val=val,
        val_labelled=known[val] if share > 0 else np.zeros(len(val), bool),
        test=np.flatnonzero(tested),
        held=np.flatnonzero(files.test | files.val),
        group=group,
        share=share,
        tasks=tuple(corpus.task for corpus in corpora.sl if corpus.task is not None),
        roots={corpus.name: os.path.realpath(corpus.table.root) for corpus in corpora.all},
        notes=tuple(notes),
        splits={c.name: replace(c.table, labels=np.zeros((len(c.table), 0), np.float32)) for c in corpora.all},
        refused=refused,
    )


def _labels(request: Request, corpora: Corpora, files: Files) -> tuple[npt.NDArray[np.float32], Indices]:
    """(n, K) labels, the columns of all tasks side by side; and the training files that p_s takes of any task.

    Of several tasks each has its own share of labels, and what it does not take is unknown.
    """
    columns, chosen = [], [np.zeros(0, np.int64)]
    for corpus in corpora.sl:
        table, rows = corpus.table, files.rows(corpus.table)
        assert corpus.task is not None
        _need_one_label(table, files)
        train = np.flatnonzero(table.split == "train")
        taken = train[labelled_share(table.rows(train), corpus.task, request.supervised_data_p, request.split_seed)]
        chosen.append(rows[taken])
        own = np.full((len(files.paths), table.labels.shape[1]), np.nan, np.float32)
        seen = np.ones(len(table), bool)
        if len(corpora.sl) > 1:
            seen[train] = False
            seen[taken] = True
        own[rows[seen]] = table.labels[seen]
        columns.append(own)
    return np.hstack([np.zeros((len(files.paths), 0), np.float32), *columns]), np.unique(np.concatenate(chosen))


def _trainable(files: Files, rows: Indices, what: str, notes: list[str]) -> Indices:
    """Those of the rows that no corpus tests or validates on."""
    found = np.unique(rows)
    held = files.test | files.val
    if held[found].any():
        tested, validated = files.test[found].sum(), (files.val & ~files.test)[found].sum()
        notes.append(
            f"{held[found].sum():,} {what} files are left out: another split or corpus holds them for "
            f"testing ({tested:,}) or validation ({validated:,})"
        )
    return found[~held[found]]


def save_splits(pools: Pools, folder: Path) -> dict[str, dict[str, str]]:
    """Write the split of every corpus, each in a file that ``--data.sl_kwargs.split_file`` takes.

    Returns:
        corpus name -> name of the file and its SHA-256.
    """
    folder.mkdir(exist_ok=True)
    saved, taken = {}, set[str]()
    for name, table in pools.splits.items():
        stem = re.sub(r"[^\w-]+", "_", Path(name).name).strip("_") or "split"
        while (file := folder / f"{stem}.csv").name in taken:
            stem += "_"
        taken.add(file.name)
        saved[name] = {"file": f"{folder.name}/{file.name}", "sha256": splits.save(table, file)}
    return saved


def _refused(corpora: Corpora, notes: list[str]) -> tuple[tuple[str, str], ...]:
    """Path and split of what leads outside the root of its table."""
    found: dict[str, str] = {}
    for table in (corpus.table for corpus in corpora.all):
        found |= {str(table.file(row)): str(table.split[row]) for row in np.flatnonzero(table.outside).tolist()}
    if found:
        notes.append(f"{len(found):,} files are refused, for their path {OUTSIDE}, such as {next(iter(found))}")
    return tuple(found.items())


def _need_one_label(table: Table, files: Files) -> None:
    """Refuse a file that a corpus names twice, by way of a link, with different labels."""
    rows = files.rows(table)
    _, first = np.unique(rows, return_index=True)
    again = np.setdiff1d(np.arange(len(rows)), first)
    if not len(again):
        return
    earlier = first[np.searchsorted(rows[first], rows[again])]
    mine, theirs = table.labels[again], table.labels[earlier]
    wrong = np.flatnonzero(~((mine == theirs) | np.isnan(mine) & np.isnan(theirs)).all(axis=1))
    if len(wrong):
        one, other = table.file(int(again[wrong[0]])), table.file(int(earlier[wrong[0]]))
        raise UserError(f"{one}\nand {other}\nare one file, and have different labels. Keep one row of it.")


def _need_clips(request: Request, share: float, labelled: Indices, unlabelled: Indices, notes: list[str]) -> None:
    for pool, which, wanted in ((labelled, "labelled", share > 0), (unlabelled, "unlabelled", share < 1)):
        if wanted and not len(pool):
            raise UserError(
                f"No {which} clip is left to train on (sl_task={request.sl_task}, ssl_task={request.ssl_task}, "
                f"data_dir={request.data_dir}, supervised_data_p={request.supervised_data_p}).\n" + "\n".join(notes)
            )
