"""Crops and whole clips of files: from prepared stores where they hold them, else from the files themselves."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from semisupcon import audio
from semisupcon.audio import Int16
from semisupcon.errors import BadAudio
from semisupcon.loading.store import DEADLY, Store

log = logging.getLogger(__name__)

Layout = Literal["adjacent", "independent"]


def view_starts(
    samples: int | npt.NDArray[np.int64],
    length: int,
    views: int,
    layout: Layout,
    where: npt.NDArray[np.float64],
) -> npt.NDArray[np.int64]:
    """Where the views of clips start.

    ``adjacent`` (SemiSupCon): consecutive stretches of one random chunk of V · T samples; in a file too short for
    that they overlap, spread evenly over a random chunk of at least half of what there is to spread over.
    ``independent`` (CLMR): each anywhere in the file. In a file no longer than one view all start at 0.

    Args:
        samples: length of the file, or (B,) of B files.
        length: T, of a view.
        views: V.
        layout: how views of one clip lie to each other.
        where: (V,) or (B, V) in [0, 1), the random numbers, V >= 2 for ``adjacent``; .5 throughout is the middle.

    Returns:
        (V,) or (B, V) int64, in samples.
    """
    whole = np.asarray(samples)[..., None]
    if layout == "independent":
        return (where * np.maximum(0, whole - length + 1)).astype(np.int64)
    first = (where[..., :1] * np.maximum(1, whole - views * length + 1)).astype(np.int64)
    long = first + np.arange(views) * length
    if np.all(whole >= views * length):
        return long
    room = np.maximum(0, whole - length)
    span = room * (1 + where[..., -1:]) / 2
    short = np.round((room - span) * where[..., :1] + np.linspace(0, 1, views) * span).astype(np.int64)
    return np.where(whole >= views * length, long, short)


@dataclass(frozen=True)
class Places:
    """Where n files lie in prepared stores.

    Args:
        stores: the stores.
        which: (n,) int16, number of the store; -1 = in none.
        row: (n,) int64, record in it.
    """

    stores: tuple[Store, ...]
    which: npt.NDArray[np.int16]
    row: npt.NDArray[np.int64]


def find_places(paths: npt.NDArray[Any], roots: Iterable[str], sample_rate: int, folder: str | None) -> Places | None:
    """The stores that hold some of the files at this rate.

    Args:
        paths: (n,) full paths, StringDType.
        roots: the folders they are in, without links.
        sample_rate: Hz.
        folder: where stores are kept; None = in the cache.

    Returns:
        None where no store holds any of them.
    """
    which, row = np.full(len(paths), -1, np.int16), np.zeros(len(paths), np.int64)
    stores: list[Store] = []
    for root in dict.fromkeys(roots):
        store = Store.beside(root, sample_rate, folder)
        if store is None:
            continue
        mine = np.flatnonzero(np.strings.startswith(paths, root.rstrip(os.sep) + os.sep) & (which < 0))
        found = store.find(np.strings.replace(paths[mine], root.rstrip(os.sep) + os.sep, "", count=1))
        held = found >= 0
        which[mine[held]], row[mine[held]] = len(stores), found[held]
        if held.any():
            stores.append(store)
        if missing := int((~held).sum()):
            log.info(
                f"{missing:,} of the {len(mine):,} files under {root} are not in the prepared store {store.folder} as "
                "they are now, and are read from their files. Run python -m semisupcon.prepare with the same options."
            )
    if folder is not None and not stores:
        log.warning(f"--data.store={folder}: nothing there is of these files at {sample_rate:,} Hz; they are decoded")
    return Places(tuple(stores), which, row) if stores else None


class Reader:
    """Reads n files at one sample rate.

    Args:
        paths: (n,) full paths of the files.
        sample_rate: of what comes out, in Hz.
        places: where some of them lie in prepared stores.
    """

    def __init__(self, paths: npt.NDArray[Any], sample_rate: int, places: Places | None = None) -> None:
        self.paths, self.sample_rate, self.places = paths, sample_rate, places
        self._refused: dict[int, BadAudio | None] = {}

    def samples(self, file: int) -> int:
        """Length of a file, as the store knows it or the header says; 0 if it cannot be read."""
        if self.places is not None and self.places.which[file] >= 0:
            return int(self.places.stores[self.places.which[file]].records["length"][self.places.row[file]])
        try:
            return audio.info(str(self.paths[file])).samples(self.sample_rate)
        except BadAudio:
            return 0

    def whole(self, file: int) -> Int16:
        """All samples of a file, (n,).

        Raises:
            BadAudio: the file gives no samples.
        """
        held = self._held(file)
        if held is None:
            return audio.decode(str(self.paths[file]), self.sample_rate).samples
        store, row = held
        out = np.empty(int(store.records["length"][row]), np.int16)
        store.read_into(row, 0, out)
        return out

    def stretch(self, file: int, start: int, length: int) -> Int16:
        """Samples ``start`` to ``start + length`` of a file, fewer where it ends before; no more of it is read.

        Raises:
            BadAudio: the file gives no samples.
        """
        held = self._held(file)
        if held is None:
            with audio.opened(str(self.paths[file])) as recording:
                return recording.read(self.sample_rate, start, length)
        store, row = held
        out = np.empty(max(0, min(length, int(store.records["length"][row]) - start)), np.int16)
        return out[: store.read_into(row, start, out)]

    def crops(self, file: int, layout: Layout, where: npt.NDArray[np.float64], out: Int16) -> npt.NDArray[np.int64]:
        """V views of T samples of a file, zero-padded at the end where the file is shorter than one.

        Args:
            file: which.
            layout: see ``view_starts``.
            where: (V,) random numbers in [0, 1).
            out: (V, T), C-contiguous, written into.

        Returns:
            (V,) the sample that each view starts at.

        Raises:
            BadAudio: the file gives no samples.
        """
        views, length = out.shape
        held = self._held(file)
        if held is None:
            return self._crops_of_file(str(self.paths[file]), layout, where, out)
        store, row = held
        samples = int(store.records["length"][row])
        starts = view_starts(samples, length, views, layout, where)
        if samples >= views * length and layout == "adjacent":
            store.read_into(row, int(starts[0]), out.reshape(-1))  # one stretch
            return starts
        for view, start in zip(out, starts.tolist(), strict=True):
            view[store.read_into(row, start, view[: samples - start]) :] = 0
        return starts

    def _crops_of_file(
        self, path: str, layout: Layout, where: npt.NDArray[np.float64], out: Int16
    ) -> npt.NDArray[np.int64]:
        views, length = out.shape
        with audio.opened(path) as recording:
            samples = recording.samples(self.sample_rate)
            if not samples:
                raise BadAudio(path, f"is too short: {recording.info.frames} samples at {recording.info.rate:,} Hz")
            starts = view_starts(samples, length, views, layout, where)
            lowest, highest = int(starts.min()), int(starts.max()) + length
            if highest - lowest <= 2 * views * length:
                spans = [(lowest, highest - lowest)]
            else:  # independent views far apart: each alone
                spans = [(start, length) for start in starts.tolist()]
            pieces = [recording.read(self.sample_rate, *span) for span in spans]
        complete = all(
            len(piece) >= min(start + count, samples) - start
            for piece, (start, count) in zip(pieces, spans, strict=True)
        )
        if not complete:  # the header promised more than the file holds: find out its true length
            pieces, lowest = [audio.decode(path, self.sample_rate).samples], 0
            starts = view_starts(len(pieces[0]), length, views, layout, where)
        if len(pieces) == 1:
            pieces = [pieces[0][start - lowest : start - lowest + length] for start in starts.tolist()]
        for view, piece in zip(out, pieces, strict=True):
            view[: len(piece)] = piece
            view[len(piece) :] = 0
        return starts

    def _held(self, file: int) -> tuple[Store, int] | None:
        """The store and the record that hold a file.

        Raises:
            BadAudio: the file was found to give no audio when the store was made, and still gives none.
        """
        if self.places is None or self.places.which[file] < 0:
            return None
        store, row = self.places.stores[self.places.which[file]], int(self.places.row[file])
        if store.records["bad"][row]:
            self._refuse(file, str(self.paths[file]), int(store.records["bad"][row]))
            return None
        return store, row

    def _refuse(self, file: int, path: str, kind: int) -> None:
        """Say what is wrong with a file that gave no audio when the store was made, unless it does by now."""
        if file not in self._refused:
            try:
                if kind == DEADLY:
                    raise BadAudio(path, "ends the process that decodes it")
                audio.decode(path, self.sample_rate)
                self._refused[file] = None
            except BadAudio as error:
                self._refused[file] = error
        if (found := self._refused[file]) is not None:
            raise found
