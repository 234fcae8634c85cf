"""Calls of the two scripts, as a user would make them, and what their test runs left behind, over several seeds."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from semisupcon import datasets
from semisupcon.downstream.intervals import draw, units
from semisupcon.downstream.metrics import measure
from semisupcon.table import Task

ROOT = Path(__file__).parents[1]
Floats = npt.NDArray[np.float64]


def call(threads: int, *arguments: str) -> None:
    """Run one of the two scripts quietly; show its output where it fails."""
    _python(threads, *arguments, "--trainer.enable_progress_bar=false")


def test(threads: int, runs: Sequence[Sequence[str]]) -> None:
    """Several runs of finetune.py, in one process."""
    quiet = [[*arguments, "--trainer.enable_progress_bar=false"] for arguments in runs]
    if quiet:
        _python(threads, "-m", "benchmarks.probes", json.dumps(quiet))


def _python(threads: int, *arguments: str) -> None:
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    command = [sys.executable, *arguments]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(arguments)}\n{done.stdout[-2000:]}{done.stderr[-4000:]}")


def prepare(task: str, options: dict[str, Any], rates: Sequence[int], store: Path | None = None) -> None:
    """Decode a corpus once, into the cache or a store, so that training and probes read it at the speed of memory."""
    given = [f"--data.sl_task={task}", *(f"--data.sl_kwargs.{name}={value}" for name, value in options.items())]
    given += [] if store is None else [f"--data.store={store}"]
    for rate in rates:
        _python(os.cpu_count() or 1, "-m", "semisupcon.prepare", *given, f"--data.target_sr={rate}")


def configs(*names: str) -> list[str]:
    """``--config`` for each, below config/."""
    return [part for name in names for part in ("--config", f"config/{name}.yaml")]


@dataclass(frozen=True)
class Estimate:
    """A mean over seeds with what it would be on other test sets.

    Args:
        value: the mean over the seeds.
        draws: (R,) of it, one for each bootstrap draw of the test clips.
        seeds: the value of each seed.
    """

    value: float
    draws: Floats
    seeds: tuple[float, ...]

    @property
    def bounds(self) -> tuple[float, float]:
        """The 95 % interval."""
        low, high = np.nanquantile(self.draws, [0.025, 0.975])
        return float(low), float(high)

    def __sub__(self, other: Estimate) -> Estimate:
        """The difference of two on the same draws, which is paired: clips that are hard are hard for both."""
        seeds = tuple(a - b for a, b in zip(self.seeds, other.seeds, strict=True))
        return Estimate(self.value - other.value, self.draws - other.draws, seeds)


class Truth:
    """The labels of a task's clips, and their groups, by path.

    Args:
        task: name.
        options: of the corpus, such as root.
    """

    def __init__(self, task: str, options: dict[str, Any]) -> None:
        table, self.task = datasets.load(task, **options)
        self.row = {str(path): row for row, path in enumerate(table.path)}
        self.labels, self.groups = table.labels, table.group

    def estimate(self, runs: Sequence[Path]) -> Estimate:
        """The task's main metric over the test runs of several seeds."""
        values, drawn = [], []
        for run in runs:
            scores, rows = _scores(run / "predictions.csv", self.task, self.row)
            metrics = measure(self.task, scores, self.labels[rows].astype(np.float64))
            values.append(float(metrics(np.ones((len(rows), 1)))[self.task.metric][0]))
            unit = units([str(group) for group in self.groups[rows]], len(rows))
            drawn.append(np.concatenate([metrics(w)[self.task.metric] for w in draw(unit, 1000, seed=0)]))
        return Estimate(float(np.mean(values)), np.mean(drawn, axis=0), tuple(values))


def _scores(file: Path, task: Task, row: dict[str, int]) -> tuple[Floats, npt.NDArray[np.int64]]:
    """(N, K) scores and (N,) rows of the table, in the order of the rows."""
    read = pd.read_csv(file)
    columns = [f"prediction_{name}" for name in task.classes] if task.kind == "regression" else list(task.classes)
    rows = np.array([row[path] for path in read["path"]])
    order = np.argsort(rows)
    return read[columns].to_numpy(np.float64)[order], rows[order]
