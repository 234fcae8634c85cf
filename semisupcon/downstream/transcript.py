"""What a tested transcription leaves behind: figures with intervals, notes as label files, a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from torch import Tensor

from semisupcon.downstream import binned, plots
from semisupcon.downstream.intervals import drawn, units
from semisupcon.downstream.report import drawn_over
from semisupcon.downstream.rolls import NoteTaker, labels_text
from semisupcon.downstream.weighted import Floats
from semisupcon.plain import plain, write_json
from semisupcon.table import Notes, Task

EXCERPT = 10.0  # seconds of the picture
_AT_ONCE = 64  # draws, whose histograms are 8 MB
COMPARED = ("ap", "f1", "note_ap", "note_f1")  # with what the base rate reaches


class Transcript:
    """Takes the scores of whole recordings piece by piece, and writes the report; nothing of a frame is kept.

    Args:
        folder: the run's.
        task: with its notes.
        base: (I, 128) logits of the base rate.
        thresholds: bins of ``binned`` from which on a note of an instrument, and a note of any, is predicted.
        hop: seconds from a frame to the next.
        first: seconds into a recording of its frame 0.
    """

    def __init__(
        self, folder: Path, task: Task, base: Tensor, thresholds: tuple[int, int], hop: float, first: float
    ) -> None:
        assert task.notes is not None
        self.folder, self.task, self.notes, self.base = folder, task, task.notes, base
        self.thresholds, self.hop, self.first = thresholds, hop, first
        self.names: list[str] = []
        self.groups: list[str] = []
        self.frames = 0
        self._counts: list[npt.NDArray[np.int64]] = []
        self._constant: list[npt.NDArray[np.int64]] = []
        self._excerpt: tuple[list[Tensor], list[Tensor]] = ([], [])  # of the first recording, predicted and true

    def open(self, name: str, group: str) -> None:
        """Begin with the next recording."""
        shape = (len(self.notes.programs) + 1, 2, binned.BINS)
        self._open = (name, group)
        self._tally = torch.zeros(shape, dtype=torch.int64)
        self._sounding = torch.zeros_like(self.base)
        self._any = torch.zeros_like(self.base[0])
        self._heard = 0
        self._taker = NoteTaker(self.notes.programs, self.hop, self.first)

    def hear(self, scores: Tensor, truth: Tensor) -> None:
        """Take the next frames of the recording: (L, I, 128) logits and bool."""
        places = binned.bins(scores)
        self._tally += binned.tally(places, truth).cpu()
        truth = truth.cpu()
        self._sounding += truth.sum(dim=0)
        self._any += truth.any(dim=1).sum(dim=0)
        self._heard += len(truth)
        predicted = (places >= self.thresholds[0]).cpu()
        self._taker.hear(predicted.numpy())
        left = round(EXCERPT / self.hop) - sum(map(len, self._excerpt[0]))
        if not self.names and left > 0:
            self._excerpt[0].append(predicted[:left])
            self._excerpt[1].append(truth[:left])

    def close(self) -> None:
        """The recording is complete: write its notes."""
        name, group = self._open
        path = (self.folder / "transcriptions" / name).with_suffix(".csv")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(labels_text(self._taker.notes()), encoding="utf-8", newline="")
        self._counts.append(self._tally.numpy())
        self._constant.append(binned.constant(self.base, self._sounding, self._any, self._heard).numpy())
        self.frames += self._heard
        self.names.append(name)
        self.groups.append(group)

    def drop(self) -> None:
        """The recording turned out to be broken: it is as if it had never begun."""
        if not self.names:
            self._excerpt = ([], [])

    def write(self, extra: Mapping[str, Any], draws: int = 1000, level: float = 0.95, seed: int = 0) -> dict[str, Any]:
        """Write ``metrics.json``, ``per_instrument.csv`` and ``transcription.png``.

        Args:
            extra: more entries for metrics.json.
            draws: of the bootstrap, over recordings or what the corpus groups them by.
            level: of the intervals.
            seed: of the draws.

        Returns:
            The content of metrics.json, as :func:`semisupcon.downstream.report.write_report` has it, and besides
            ``base_rate``: what scores that are the base rate of each note reach, F1 at the best of all thresholds.
        """
        counts, constant = np.array(self._counts, np.float64), np.array(self._constant, np.float64)
        every, still = counts.sum(axis=0), constant.sum(axis=0)
        best = binned.best_threshold(still[:-1].sum(axis=0)), binned.best_threshold(still[-1])
        unit = units(self.groups, len(self.groups))
        values = drawn(_weighted(counts, self.thresholds), unit, draws, level, seed)
        base = drawn(_weighted(constant, best), unit, draws, level, seed)
        interval, number = drawn_over(self.task, self.groups, level, "recording")
        content: dict[str, Any] = {
            "test": {name: value._asdict() for name, value in values.items()},
            "base_rate": {name: base[name]._asdict() for name in COMPARED},
            "task": f"{self.task.name} notes",
            "kind": "transcription",
            "main": "ap",
            "split": "test",
            "clips": len(self.names),
            "frames": self.frames,
            "groups": number,
            "interval": interval,
            "threshold": binned.probability(self.thresholds[0]),
            "note_threshold": binned.probability(self.thresholds[1]),
        }
        content = plain({**content, **extra})
        table = per_instrument(self.notes, every, still, self.thresholds[0])
        table.to_csv(self.folder / "per_instrument.csv", index=False, float_format="%.6g")
        predicted, truth = (torch.cat(part).numpy() for part in self._excerpt)
        title = f"{self.names[0]}   F1 {values['f1'].value:.3f}, AP {values['ap'].value:.3f} over the whole test set"
        plots.roll_picture(truth, predicted, self.hop, self.notes.instruments, self.folder / "transcription.png", title)
        write_json(self.folder / "metrics.json", content)
        return content


def _weighted(counts: Floats, thresholds: tuple[int, int]) -> Any:
    """The figures as a function of how often each recording counts: (N, R) -> (R,) each."""
    whole = np.stack([counts[:, :-1].sum(axis=1), counts[:, -1]], axis=1)  # (N, 2, 2, BINS)

    def measured(weights: Floats) -> dict[str, Floats]:
        blocks = np.array_split(weights, -(-weights.shape[1] // _AT_ONCE), axis=1)
        parts = [np.tensordot(block, whole, axes=(0, 0)) for block in blocks]  # (R, 2, 2, BINS)
        found = [binned.measure(part, *thresholds) for part in parts]
        return {name: np.concatenate([each[name] for each in found]) for name in found[0]}

    return measured


def per_instrument(notes: Notes, counts: Floats, constant: Floats, threshold: int) -> pd.DataFrame:
    """One row an instrument: frames times notes that sound and that are predicted, its figures, its base rate's.

    Args:
        notes: the instruments.
        counts: (I + 1, 2, BINS) of the whole test set.
        constant: the same of the base rate.
        threshold: from which bin on a note is predicted; one for all.
    """
    each = counts[:-1]
    columns: dict[str, Sequence[Any] | npt.NDArray[np.generic]] = {
        "instrument": notes.instruments,
        "program": notes.programs,
        "sounding": each[:, 1].sum(axis=-1).astype(np.int64),
        "predicted": each[:, :, threshold:].sum(axis=(1, 2)).astype(np.int64),
        "ap": binned.average_precision(each),
        **binned.at(each, threshold),
        "base_rate_ap": binned.average_precision(constant[:-1]),
    }
    return pd.DataFrame(columns)
