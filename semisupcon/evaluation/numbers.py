"""All numbers of a benchmark, to be asked for one by one, and as rows of a table."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any

from semisupcon import __version__
from semisupcon.downstream.intervals import Interval
from semisupcon.evaluation.entries import About, Estimate, estimates
from semisupcon.evaluation.protocols import MARBLE
from semisupcon.evaluation.run import Done

Row = dict[str, Any]

FIELDS = ("task", "part", "method", "protocol", "space", "share", "corruption", "severity", "metric")
"""What a number is of, beside the encoder."""
DIFFERENCE = ("subject", "less", *FIELDS, "value", "low", "high", "deviation", "repeats")
"""The columns of a table of differences."""


class Numbers:
    """Estimates by what they are of.

    Args:
        done: the benchmark.
        names: of the encoders, one for each run, in their order; the first is what others are compared with.
    """

    def __init__(self, done: Done, names: Sequence[str]) -> None:
        self.done, self.names = done, list(dict.fromkeys(names))
        runs = {name: list(names).count(name) for name in names}
        found = _expected(estimates(entry for result in done.results.values() for entry in result.entries), runs)
        self.found = found
        self.tasks = [task for task in done.tasks if any(about.task == task for about in found)]

    def main(self, task: str) -> str:
        """The metric that a task is decided by."""
        return str(self.done.tasks[task]["metric"])

    def get(self, subject: str, task: str, part: str, method: str, metric: str = "", **more: Any) -> Estimate | None:
        """One estimate, of the main metric where none is named and of MARBLE by its own protocol; None = not made."""
        if method == "marble":
            more = {"protocol": MARBLE, **more}
        return self.found.get(About(subject, 0, task, part, method, metric=metric or self.main(task), **more))

    def metrics(self, task: str) -> list[str]:
        """All metrics of a task, the main one first."""
        found = [about.metric for about in self.found if about.task == task and about.part in ("probe", "finetune")]
        return sorted(dict.fromkeys(found), key=lambda name: (name != self.main(task), name))

    def values(self, name: str, **of: Any) -> list[Any]:
        """The values that a field of ``About`` takes among those whose other fields are ``of``, in order."""
        found = (each for each in self.found if all(getattr(each, key) == value for key, value in of.items()))
        return list(dict.fromkeys(getattr(each, name) for each in found))

    def rows(self) -> Iterator[Row]:
        """A row a number, for a CSV."""
        for about, estimate in self.found.items():
            main = about.metric == self.main(about.task)
            named = {"subject": about.subject, **{name: getattr(about, name) for name in FIELDS}, "main": main}
            task = self.done.tasks[about.task]
            under = {"intervals": task["intervals"], "split_sha256": task["sha256"], "version": __version__}
            yield named | _figures(estimate) | self._clean(about, estimate) | under

    def _clean(self, about: About, estimate: Estimate) -> Row:
        """Of a number under corruption, how far it is from that of clean clips, on the same draws."""
        away = self.versus_clean(about, estimate) if about.corruption else None
        found = (None, None, None) if away is None else away.interval
        return dict(zip(("versus_clean", "versus_clean_low", "versus_clean_high"), found, strict=True))

    def versus_clean(self, about: About, estimate: Estimate) -> Estimate | None:
        """The difference to the same probe on clean clips; None where that was not made."""
        clean = self.found.get(replace(about, severity=0.0))
        return None if clean is None else estimate - clean

    def differences(self) -> Iterator[Row]:
        """Every pair of encoders on all that both were measured by: the second less the first, paired."""
        for about, estimate in self.found.items():
            for first, second in combinations(self.names, 2):
                other = self.found.get(replace(about, subject=second))
                if about.subject == first and other is not None:
                    named = {"subject": second, "less": first, **{name: getattr(about, name) for name in FIELDS}}
                    yield named | _figures(other - estimate)

    def chance(self, task: str, kind: str = "chance") -> dict[str, float]:
        """What guessing gives, by metric; empty where no probe was made.

        Args:
            task: its name.
            kind: ``chance``, by the classes' frequencies, or ``constant``, always the best answer.
        """
        for (part, _), result in self.done.results.items():
            if part == "probe" and result.entries and result.entries[0].about.task == task:
                return {name: math.nan if value is None else value for name, value in result.notes[kind].items()}
        return {}


def _expected(found: dict[About, Estimate], runs: Mapping[str, int]) -> dict[About, Estimate]:
    """The estimates with how many values each was to have: as many a run as the encoder that has most of them."""
    most: dict[About, float] = {}
    for about, estimate in found.items():
        key = replace(about, subject="")
        most[key] = max(most.get(key, 0.0), len(estimate.each) / runs.get(about.subject, 1))
    return {
        about: replace(each, expected=round(most[replace(about, subject="")] * runs.get(about.subject, 1)))
        for about, each in found.items()
    }


def _figures(estimate: Estimate) -> Row:
    interval = estimate.interval
    return {"value": interval.value, "low": interval.low, "high": interval.high, "deviation": estimate.deviation,
            "repeats": max(1, len(estimate.each))}  # fmt: skip


def cell(estimate: Estimate | None, sign: bool = False) -> str:
    """``0.421 [0.402, 0.440]``, or as much of it as is known; and of how many of its runs, where some failed."""
    if estimate is None:
        return ""
    if 0 < len(estimate.each) < estimate.expected:
        whole = replace(estimate, expected=0)
        return f"{cell(whole, sign)} ({len(estimate.each)} of {estimate.expected})"
    interval: Interval = estimate.interval
    form = "+.3f" if sign else ".3f"
    if math.isnan(interval.value):
        return "undefined"
    if math.isnan(interval.low):
        return format(interval.value, form)
    return f"{interval.value:{form}} [{interval.low:{form}}, {interval.high:{form}}]"
