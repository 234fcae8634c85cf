"""The files that a benchmark leaves behind: report.md, CSV and JSON with every number, and the pictures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from semisupcon import __version__
from semisupcon.evaluation import illustrate, markdown
from semisupcon.evaluation.numbers import DIFFERENCE, Numbers, Row, cell
from semisupcon.evaluation.options import Options
from semisupcon.evaluation.run import Done, note_failure
from semisupcon.evaluation.subjects import Subject
from semisupcon.plain import csv_text, plain, write_json


def write(folder: Path, done: Done, subjects: Sequence[Subject], options: Options, command: str) -> None:
    """Everything into the folder; files of an earlier report in it are replaced.

    Args:
        folder: made if missing.
        done: what the benchmark gave.
        subjects: in the order of the tables.
        options: it was run with.
        command: that makes it again, for the report.
    """
    folder.mkdir(parents=True, exist_ok=True)
    numbers = Numbers(done, [subject.name for subject in subjects])
    rows, differences = list(numbers.rows()), list(numbers.differences())
    _write_csv(folder / "results.csv", rows)
    _write_csv(folder / "differences.csv", differences, DIFFERENCE)
    broken = [(name, *each) for name, about in done.tasks.items() for each in about.get("broken", {}).items()]
    if broken:
        text = csv_text([("task", "path", "reason"), *broken])
        (folder / "bad_files.csv").write_text(text, encoding="utf-8", newline="")
    notes = {f"{part}: {name}": dict(result.notes) for (part, name), result in done.results.items() if result.notes}
    content = {
        "version": __version__,
        "command": command,
        "options": vars(options),
        "tasks": done.tasks,
        "encoders": done.encoders,
        "results": rows,
        "differences": differences,
        "notes": notes,
        "failures": done.failures,
    }
    write_json(folder / "results.json", content)
    try:
        pictures = illustrate.draw(folder, numbers)
    except Exception as error:  # not worth the numbers
        pictures = {}
        note_failure(folder, done, "pictures", error)
    text = markdown.report(numbers, options, command, pictures)
    (folder / "report.md").write_text(text, encoding="utf-8")


def _write_csv(path: Path, rows: Iterable[Row], head: Sequence[str] = ()) -> None:
    rows = list(rows)
    head = list(rows[0]) if rows else head
    text = csv_text([head, *([_text(row[name]) for name in head] for row in rows)])
    path.write_text(text, encoding="utf-8", newline="")


def _text(value: Any) -> Any:
    """In full, so that two runs can be compared to the last digit."""
    value = plain(value)
    return "" if value is None else repr(value) if isinstance(value, float) else value


def summary(done: Done, subjects: Sequence[Subject]) -> str:
    """The main metric of every task, for the terminal."""
    numbers = Numbers(done, [subject.name for subject in subjects])
    lines = []
    for task in numbers.tasks:
        kinds = [("probe", method) for method in numbers.values("method", task=task, part="probe")]
        kinds += [("neighbours", "knn")] if not kinds else []
        table = [[f"{task}, {numbers.main(task)}", *(method for _, method in kinds)]]
        for name in numbers.names:
            table.append([f"  {name}", *(cell(numbers.get(name, task, part, method)) for part, method in kinds)])
        widths = np.array([[len(each) for each in line] for line in table]).max(axis=0)
        lines += ["  ".join(each.ljust(width) for each, width in zip(line, widths, strict=True)) for line in table]
        lines.append("")
    return "\n".join(line.rstrip() for line in lines)
