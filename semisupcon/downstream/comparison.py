"""Runs side by side: their metrics.json files read, checked to be of one task, and put into one table."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from semisupcon.downstream import plots
from semisupcon.errors import UserError


def read(run: str | Path) -> dict[str, Any]:
    """The content of a run's metrics.json.

    Args:
        run: its folder, or the file itself.

    Raises:
        UserError: there is none, or it is not one that ``write_report`` wrote.
    """
    file = Path(run)
    if file.is_dir():
        file = file / "metrics.json"
    if not file.is_file():
        inside = sorted(each.name for each in file.parent.iterdir())[:8] if file.parent.is_dir() else None
        found = "no such folder" if inside is None else f"found: {', '.join(inside) or 'nothing'}"
        raise UserError(f"{run}: no {file.name} in {file.parent} ({found}). Give the folder of a finished test run.")
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        for entry in content[content["split"]].values():
            entry["value"], entry["low"], entry["high"]
        content["task"], content["clips"], content["interval"], content[content["split"]][content["main"]]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{file}: not a metrics file of this package ({error!r}). Run the test again.") from error
    return dict(content)


def _together(runs: Sequence[str | Path], names: Sequence[str] | None) -> tuple[list[str], list[dict[str, Any]]]:
    """The names and contents of runs that may stand in one table."""
    if not runs:
        raise UserError("no runs to compare. Give at least one folder with a metrics.json.")
    if names is not None and len(names) != len(runs):
        raise UserError(f"--names: {len(names)} names ({', '.join(names)}) for {len(runs)} runs. Give one for each.")
    contents = [read(run) for run in runs]
    for what in ("task", "split"):
        if len({content[what] for content in contents}) > 1:
            each = "\n".join(f"  {run}: {content[what]}" for run, content in zip(runs, contents, strict=True))
            raise UserError(f"the runs differ in their {what}, so their numbers do not compare:\n{each}")
    if names is None:
        folders = [Path(run).parent if Path(run).is_file() else Path(run) for run in runs]
        short = [folder.resolve().name for folder in folders]
        names = short if len(set(short)) == len(short) else [str(folder) for folder in folders]
    return list(names), contents


def _cell(entry: Mapping[str, float | None] | None) -> str:
    """``0.421 [0.402, 0.440]``, or as much of it as is known."""
    if entry is None or entry["value"] is None:
        return "-"
    if entry["low"] is None or entry["high"] is None:
        return f"{entry['value']:.3f}"
    return f"{entry['value']:.3f} [{entry['low']:.3f}, {entry['high']:.3f}]"


def table(names: Sequence[str], contents: Sequence[Mapping[str, Any]], markdown: bool = False) -> str:
    """Runs below each other: name, clips, then each metric with its interval; as plain text or as Markdown.

    Args:
        names: of the runs.
        contents: of their metrics.json, as :func:`read` gives them.
        markdown: with bars, for a README.
    """
    columns = list(dict.fromkeys(metric for content in contents for metric in content[content["split"]]))
    lines = [["run", "clips", *columns]]
    for name, content in zip(names, contents, strict=True):
        cells = [_cell(content[content["split"]].get(metric)) for metric in columns]
        lines.append([name, str(content["clips"]), *cells])
    if markdown:
        lines = [[cell.replace("|", "\\|") for cell in line] for line in lines]
        lines.insert(1, ["---"] * len(lines[0]))
        return "\n".join(f"| {' | '.join(line)} |" for line in lines)
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    padded = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines]
    return "\n".join(line.rstrip() for line in padded)


def _heading(contents: Sequence[Mapping[str, Any]]) -> str:
    intervals = "; ".join(dict.fromkeys(str(content["interval"]) for content in contents))
    return f"{contents[0]['task']}, {contents[0]['split']}, {intervals}"


def _text(rows: Sequence[str], contents: Sequence[Mapping[str, Any]], markdown: bool) -> str:
    return f"{_heading(contents)}\n\n{table(rows, contents, markdown)}\n"


def summary(runs: Sequence[str | Path], names: Sequence[str] | None = None, markdown: bool = False) -> str:
    """One table of several runs of one task, headed by the task and what the intervals are over.

    Args:
        runs: folders with a metrics.json, or such files.
        names: for the rows; the folders' names by default.
        markdown: Markdown instead of plain text.

    Raises:
        UserError: a run without metrics.json; tasks or splits that differ; names of another number.
    """
    return _text(*_together(runs, names), markdown)


def write_comparison(folder: str | Path, runs: Sequence[str | Path], names: Sequence[str] | None = None) -> None:
    """Write ``comparison.md`` (the table) and ``comparison.png`` (the task's main metric) into ``folder``.

    Args:
        folder: made if missing.
        runs: folders with a metrics.json, or such files.
        names: for the rows; the folders' names by default.

    Raises:
        UserError: as :func:`summary`.
    """
    rows, contents = _together(runs, names)
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "comparison.md").write_text(_text(rows, contents, markdown=True), encoding="utf-8")
    metric = contents[0]["main"]
    bars = []
    for name, content in zip(rows, contents, strict=True):
        entry = content[content["split"]][metric]
        value, low, high = (math.nan if entry[key] is None else float(entry[key]) for key in ("value", "low", "high"))
        bars.append((name, value, low, high))
    plots.comparison_picture(bars, folder / "comparison.png", metric, _heading(contents))
