"""Every logged number of a run as one CSV file, whatever logger is on."""

from __future__ import annotations

import csv
from argparse import Namespace
from pathlib import Path
from typing import Any

from pytorch_lightning.loggers.logger import Logger
from pytorch_lightning.utilities import rank_zero_only


class History(Logger):
    """Writes ``metrics.csv``: a row for each step at which something is logged, a column for each name.

    A resumed run goes on in the same file; what the killed one logged after its last checkpoint is taken out.

    Args:
        path: the CSV file.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self._columns: list[str] = ["step"]
        self._last: dict[str, Any] = {}
        self._offset = 0  # where the last row starts in the file
        if path.exists():
            with path.open(newline="") as file:
                self._columns = next(csv.reader(file), self._columns)

    @property
    def name(self) -> str:
        """Of the logger, for Lightning."""
        return "history"

    @property
    def version(self) -> str:
        """Of the logger, for Lightning."""
        return ""

    @property
    def save_dir(self) -> str:
        """The run's folder."""
        return str(self.path.parent)

    @rank_zero_only
    def log_hyperparams(self, params: dict[str, Any] | Namespace, *args: Any, **kwargs: Any) -> None:
        """Nothing: the resolved config is written once, by itself."""

    @rank_zero_only
    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        """Append a row, or complete the last one where it is of the same step."""
        row = {"step": step, **metrics}
        new = [name for name in row if name not in self._columns]
        if new or not self.path.exists():
            rows = self.rows()
            self._columns += new
            self._write(rows)
        same = bool(self._last) and self._last["step"] == step
        self._last = {**self._last, **row} if same else row
        with self.path.open("r+", newline="") as file:
            self._offset = file.seek(self._offset) if same else file.seek(0, 2)
            csv.DictWriter(file, self._columns, restval="", lineterminator="\n").writerow(self._last)
            file.truncate()

    def rows(self) -> list[dict[str, str]]:
        """All rows so far, as text."""
        if not self.path.exists():
            return []
        with self.path.open(newline="") as file:
            return list(csv.DictReader(file, restval=""))

    @rank_zero_only
    def forget(self, after: int) -> None:
        """Take out the rows of all steps later than ``after``."""
        self._last = {}
        if self.path.exists():
            self._write([row for row in self.rows() if int(float(row["step"] or 0)) <= after])

    def _write(self, rows: list[dict[str, str]]) -> None:
        part = self.path.with_suffix(".part")
        with part.open("w", newline="") as file:
            writer = csv.DictWriter(file, self._columns, restval="", lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows[:-1])
            self._offset = file.tell()
            writer.writerows(rows[-1:])
        part.replace(self.path)
