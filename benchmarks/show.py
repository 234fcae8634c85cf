"""Results as a table for people, and as a file for programs."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

Row = Mapping[str, Any]


def table(rows: Sequence[Row], columns: Mapping[str, tuple[str, str]]) -> None:
    """Print it in Markdown, padded to be read as it is.

    Args:
        rows: key -> value; what is missing or None stays empty.
        columns: key -> the heading, and how a number is written.
    """
    lines = [
        [heading for heading, _ in columns.values()],
        *([_cell(row.get(k), f) for k, (_, f) in columns.items()] for row in rows),
    ]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    lines.insert(1, ["---"] * len(widths))
    for line in lines:
        first, *others = (
            cell.ljust(width) if n == 0 else cell.rjust(width)
            for n, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        print("|", " | ".join([first, *others]), "|", flush=True)


def _cell(value: Any, how: str) -> str:
    return "" if value is None else value if isinstance(value, str) else format(value, how)


def write(path: Path, rows: Sequence[Row]) -> None:
    """All rows with all their keys as CSV."""
    keys = list(dict.fromkeys(key for row in rows for key in row))
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, keys)
        writer.writeheader()
        writer.writerows(rows)
