"""From what the user asked for to the pools of files that training draws from, without a leak."""

from __future__ import annotations

import csv
import hashlib
import io
import os
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from semisupcon import datasets
from semisupcon.errors import UserError
from semisupcon.loading.links import real_paths
from semisupcon.loading.request import Request, check, labelled_share_of_batch, same_corpus
from semisupcon.loading.sampler import Indices
from semisupcon.loading.subset import labelled_share
from semisupcon.table import TEXT, Table, Task


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
        group: (n,) artist, player or the like where the labelled corpus knows it, else empty text.
        share: b_s as it is used.
        task: what the labels are; None without.
        roots: corpus name -> folder, to shorten paths.
        notes: what was decided or left out, one sentence each, for people.
    """

    paths: npt.NDArray[Any]
    labels: npt.NDArray[np.float32]
    labelled: Indices
    unlabelled: Indices
    val: Indices
    val_labelled: npt.NDArray[np.bool_]
    test: Indices
    group: npt.NDArray[Any]
    share: float
    task: Task | None
    roots: dict[str, str]
    notes: tuple[str, ...]

    def listing(self) -> str:
        """Which file is used for what, as CSV: corpus, path, use."""
        uses = {"labelled": self.labelled, "unlabelled": self.unlabelled, "val": self.val, "test": self.test}
        text = io.StringIO(newline="")
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["corpus", "path", "use"])
        for use, rows in uses.items():
            writer.writerows([*self.short(row), use] for row in rows.tolist())
        return text.getvalue()

    @cached_property
    def digest(self) -> str:
        """The SHA-256 of the listing."""
        return hashlib.sha256(self.listing().encode()).hexdigest()

    def describe(self, batch_size: int) -> list[str]:
        """How many clips of what there are for batches of ``batch_size``, for people, a line each."""
        clips = batch_size * self.share
        corpora = " and ".join(root if name == "folder" else name for name, root in self.roots.items())
        counts = [f"{len(self.unlabelled):,} unlabelled clips"] if self.share < 1 else []
        if self.share and self.task:
            counts = [
                f"{len(self.labelled):,} labelled clips ({self.task.name}, {len(self.task.classes)} labels)",
                *counts,
            ]
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
    task: Task | None = None
    sl: Table | None = None
    ssl: Table | None = None
    if request.sl_task:
        sl, task = datasets.load(request.sl_task, "--data.sl_task", **dict(request.sl_kwargs or {}))
    same = request.sl_task is not None and same_corpus(request)
    if same:
        ssl = sl
    elif request.ssl_task:
        ssl, _ = datasets.load(request.ssl_task, "--data.ssl_task", **dict(request.ssl_kwargs or {}))
    elif request.data_dir:
        ssl = datasets.load_folder(request.data_dir, request.val_split)
    share = labelled_share_of_batch(request, sl, ssl, notes)

    # Every file of both tables once; the row in this joint list is its identity from here on.
    sources = [table for table in (sl, None if same else ssl) if table is not None]
    ends = np.cumsum([len(table) for table in sources])[:-1]
    full = np.concatenate([_full_paths(table) for table in sources])
    real = np.array(real_paths(full.tolist()), dtype=TEXT)
    _, first, inverse = np.unique(real, return_index=True, return_inverse=True)
    paths = full[first]  # of two names the labelled corpus's
    ids = dict(zip(map(id, sources), np.split(inverse, ends), strict=True))
    labels = np.full((len(paths), sl.labels.shape[1] if sl is not None else 0), np.nan, np.float32)
    group = np.full(len(paths), "", dtype=TEXT)
    if sl is not None:
        labels[ids[id(sl)]] = sl.labels
        group[ids[id(sl)]] = sl.group

    test, val = (_marked(len(paths), sources, ids, split) for split in ("test", "val"))
    val &= ~test

    def usable(table: Table, rows: Indices, what: str) -> Indices:
        found = np.unique(ids[id(table)][rows])
        held_out = test[found] | val[found]
        if held_out.any():
            notes.append(
                f"{held_out.sum():,} {what} files are left out: another split or corpus holds them for "
                f"testing ({test[found].sum():,}) or validation ({val[found].sum():,})"
            )
        return found[~held_out]

    nobody = np.zeros(0, np.int64)
    labelled = unlabelled = nobody
    if share > 0:
        assert sl is not None
        assert task is not None
        train = np.flatnonzero(sl.split == "train")
        chosen = train[labelled_share(sl.rows(train), task, request.supervised_data_p, request.split_seed)]
        labelled = usable(sl, chosen, "labelled")
    if share < 1:
        table = ssl if ssl is not None else sl
        assert table is not None
        rest = usable(table, np.flatnonzero(table.split == "train"), "unlabelled")
        if same and share > 0:
            left = np.setdiff1d(rest, labelled)
            if len(left):
                rest = left
            else:
                notes.append(
                    "every clip is labelled (ssl_task is sl_task and supervised_data_p takes all labels): "
                    "the unlabelled pool holds the same clips without their labels"
                )
        unlabelled = rest
    for pool, wanted in ((labelled, share > 0), (unlabelled, share < 1)):
        if wanted and not len(pool):
            which = "labelled" if pool is labelled else "unlabelled"
            raise UserError(
                f"No {which} clip is left to train on (sl_task={request.sl_task}, ssl_task={request.ssl_task}, "
                f"data_dir={request.data_dir}, supervised_data_p={request.supervised_data_p}).\n" + "\n".join(notes)
            )

    used = [t for t, wanted in ((sl, share > 0 or ssl is None), (ssl, share < 1)) if t is not None and wanted]
    mine = _marked(len(paths), used, ids, "val") & val
    val_rows = np.flatnonzero(mine)
    known = ~np.isnan(labels[val_rows]).all(axis=1) if share > 0 else np.zeros(len(val_rows), bool)
    names = {id(ssl): request.ssl_task or "folder", id(sl): request.sl_task}  # one and the same: sl_task
    if request.sl_task is not None and request.sl_task == request.ssl_task and not same:
        names[id(ssl)] = f"{request.ssl_task} (ssl_kwargs)"
    return Pools(
        paths=paths,
        labels=labels,
        labelled=labelled,
        unlabelled=unlabelled,
        val=val_rows,
        val_labelled=np.asarray(known),
        test=nobody if sl is None else np.unique(ids[id(sl)][np.asarray((sl.split == "test") & sl.labelled)]),
        group=group,
        share=share,
        task=task,
        roots={str(names[id(table)]): os.path.realpath(table.root) for table in sources},
        notes=tuple(notes),
    )


def _full_paths(table: Table) -> npt.NDArray[Any]:
    root = np.array(os.path.realpath(table.root) + os.sep, dtype=TEXT)
    return np.asarray(np.strings.add(root, table.path))


def _marked(size: int, tables: list[Table], ids: dict[int, Indices], split: str) -> npt.NDArray[np.bool_]:
    """(size,) whether any of the tables puts the file into ``split``."""
    marked = np.zeros(size, bool)
    for table in tables:
        marked[ids[id(table)][np.asarray(table.split == split)]] = True
    return marked
