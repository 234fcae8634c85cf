"""What came of a sweep: every number as CSV, the main ones as Markdown tables and heat maps."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from semisupcon.evaluation.markdown import table
from semisupcon.evaluation.run import safe
from semisupcon.evaluation.sweep.points import Number, Point
from semisupcon.plain import csv_text

COLUMNS = (
    *("task", "part", "method", "protocol", "space", "share", "metric", "main"),
    *("value", "low", "high", "deviation", "repeats"),
)
"""Taken over from the benchmark's results.csv, where they are."""

_SAME = ("task", "part", "method", "protocol", "space", "share")


@dataclass(frozen=True)
class Method:
    """Runs of pretraining that differ in their seeds alone.

    Args:
        name: what the benchmark calls it.
        ps: p_s; None = not known.
        bs: b_s; None likewise.
        lr: the learning rate, where it is an axis.
        seeds: of the runs that there are.
    """

    name: str
    ps: Number
    bs: Number
    lr: Number
    seeds: tuple[int, ...]


def methods(points: Sequence[Point], resolved: Mapping[str, Number]) -> list[Method]:
    """The methods of some points, in their order.

    Args:
        points: that are finished.
        resolved: ``ps``, ``bs`` and ``seed`` as the config has them, where they are no axis.
    """
    found: dict[str, list[dict[str, Number]]] = {}
    for point in points:
        found.setdefault(point.method, []).append({**resolved, **dict(point.values)})
    return [
        Method(name, at[0].get("ps"), at[0].get("bs"), at[0].get("lr"), tuple(int(each["seed"] or 0) for each in at))
        for name, at in found.items()
    ]


class Outcome:
    """The benchmark's rows of a sweep's methods.

    Args:
        results: the benchmark's results.csv.
        known: the methods.
    """

    def __init__(self, results: Path, known: Sequence[Method]) -> None:
        self.known = list(known)
        names = {method.name for method in known}
        with results.open(newline="", encoding="utf-8") as file:
            read = list(csv.DictReader(file))
        # What is under corruption or of shuffled labels says nothing of a point that its other numbers do not.
        rows = [row for row in read if row["subject"] in names and not row.get("corruption")]
        self.rows = [row for row in rows if row["part"] not in ("control", "robustness")]

    @property
    def tasks(self) -> list[str]:
        """Those that there are numbers of."""
        return list(dict.fromkeys(row["task"] for row in self.rows))

    def chosen(self, task: str) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
        """What the tables show of a task, as the first main number: what that is of, and the methods' rows.

        A probe of embeddings comes before all else.
        """
        mains = [row for row in self.rows if row["task"] == task and row["main"] == "True"]
        if not mains:
            return {}, {}
        usual = [row for row in mains if row["part"] == "probe" and row.get("protocol", "embedding") == "embedding"]
        shown = (usual or mains)[0]
        first = {name: shown[name] for name in (*_SAME, "metric") if name in shown}
        return first, {row["subject"]: row for row in mains if all(row[name] == value for name, value in first.items())}

    def write_csv(self, path: Path) -> None:
        """Every number, a row each, in full."""
        by_name = {method.name: method for method in self.known}
        columns = [name for name in COLUMNS if self.rows and name in self.rows[0]]
        lines: list[Sequence[object]] = [["p_s", "b_s", "lr", "seeds", *columns]]
        for row in self.rows:
            method = by_name[row["subject"]]
            at = ["" if each is None else each for each in (method.ps, method.bs, method.lr)]
            lines.append([*at, " ".join(map(str, method.seeds)), *(row[name] for name in columns)])
        path.write_text(csv_text(lines), encoding="utf-8", newline="")

    def markdown(self) -> str:
        """A table for each task (and learning rate): p_s down, b_s across."""
        return "\n\n".join(part for task in self.tasks for lr in self._rates() for part in self._section(task, lr))

    def draw(self, folder: Path) -> list[Path]:
        """A heat map for each task (and learning rate) whose methods are a grid; the files."""
        drawn = []
        for task in self.tasks:
            for lr in self._rates():
                ps, bs = self._shares(lr)
                numbers = [each for each in (*ps, *bs) if each is not None]
                about, rows = self.chosen(task)
                if len(ps) * len(bs) < 2 or len(numbers) < len(ps) + len(bs) or not rows:
                    continue
                from semisupcon.evaluation.figures.heat import grid_picture

                grid = np.full((len(ps), len(bs)), math.nan)
                for method in self.known:
                    if method.lr == lr and method.name in rows and rows[method.name]["value"]:
                        grid[ps.index(method.ps), bs.index(method.bs)] = float(rows[method.name]["value"])
                path = folder / f"sweep_{safe(task)}{'' if lr is None else f'_lr{lr:g}'}.png"
                label = f"{about['metric']}, {about['method']}" if "method" in about else about["metric"]
                grid_picture(grid, numbers[: len(ps)], numbers[len(ps) :], path, _title(task, lr), label)
                drawn.append(path)
        return drawn

    def _rates(self) -> list[Number]:
        return list(dict.fromkeys(method.lr for method in self.known))

    def _shares(self, lr: Number) -> tuple[list[Number], list[Number]]:
        """The p_s and the b_s that there are, rising."""
        here = [method for method in self.known if method.lr == lr]
        found = [list(dict.fromkeys(getattr(method, name) for method in here)) for name in ("ps", "bs")]
        ps, bs = (sorted(each, key=lambda value: (value is None, value or 0)) for each in found)
        return ps, bs

    def _section(self, task: str, lr: Number) -> list[str]:
        about, rows = self.chosen(task)
        if not rows:
            return []
        ps, bs = self._shares(lr)
        cells = {(method.ps, method.bs): _cell(rows.get(method.name)) for method in self.known if method.lr == lr}
        head = ["p_s \\ b_s", *map(_said, bs)]
        body = [[_said(p), *(cells.get((p, b), "") for b in bs)] for p in ps]
        said = ", ".join(about[name] for name in ("metric", "part", "method", "protocol") if name in about)
        return [f"## {_title(task, lr)}", f"{said}.", table(head, body)]


def _title(task: str, lr: Number) -> str:
    return task if lr is None else f"{task}, learning rate {lr:g}"


def _said(share: Number) -> str:
    return "none" if share is None else f"{share:g}"


def _cell(row: Mapping[str, Any] | None) -> str:
    """``0.421 [0.402, 0.440]``, or as much of it as is known."""
    if row is None or not row["value"]:
        return "-"
    if not (row["low"] and row["high"]):
        return f"{float(row['value']):.3f}"
    return f"{float(row['value']):.3f} [{float(row['low']):.3f}, {float(row['high']):.3f}]"
