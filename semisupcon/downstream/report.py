"""The files that a finished test leaves behind, and several of them side by side.

``write_report`` fills a run's folder; the command compares runs of one task and can draw them::

    python -m semisupcon.downstream.report RUN [RUN ...] [--names probe,fine-tuned] [--out FOLDER]
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from semisupcon.downstream import metrics, plots
from semisupcon.downstream.comparison import read, summary, table, write_comparison
from semisupcon.downstream.intervals import FEW, bootstrap, units
from semisupcon.errors import UserError
from semisupcon.plain import plain, write_json
from semisupcon.table import Split, Task

__all__ = ["predictions", "read", "summary", "table", "write_comparison", "write_report"]


def drawn_over(task: Task, groups: Sequence[str], level: float, each: str = "clip") -> tuple[str, int]:
    """In words, what the intervals are drawn over, and the number of groups (0 = the corpus knows none: ``each``)."""
    known = any(groups)
    count = len(set(units(groups if known else None, len(groups))))
    name = (task.group or "group") if known else each
    few = f" (fewer than {FEW}: too narrow to rely on)" if count < FEW else ""
    return f"{level * 100:g} % bootstrap over {count} {name}{'' if count == 1 else 's'}{few}", count if known else 0


def predictions(task: Task, scores: npt.ArrayLike, labels: npt.ArrayLike, paths: Sequence[str]) -> pd.DataFrame:
    """One row a clip, in their order: ``path``, ``truth``, ``prediction``, and a score column for each class.

    ``truth`` is empty where unknown. Of tags, ``truth`` holds all that are known to apply, joined by ``|``, and
    ``prediction`` the one with the highest score (the scores have no threshold). For targets the columns are ``path``,
    ``truth_<target>`` and ``prediction_<target>``.
    """
    found, wanted = np.asarray(scores, np.float64), np.asarray(labels, np.float64)
    first = pd.DataFrame({"path": [str(path) for path in paths]})
    if task.kind == "regression":
        truth = pd.DataFrame(wanted, columns=[f"truth_{name}" for name in task.classes])
        guess = pd.DataFrame(found, columns=[f"prediction_{name}" for name in task.classes])
        return pd.concat([first, truth, guess], axis=1)
    names = np.array(task.classes, dtype=object)
    first["truth"] = ["|".join(names[row == 1]) for row in wanted]
    first["prediction"] = names[found.argmax(axis=1)]
    return pd.concat([first, pd.DataFrame(found, columns=list(task.classes))], axis=1)


def write_report(
    folder: str | Path,
    task: Task,
    scores: npt.ArrayLike,
    labels: npt.ArrayLike,
    paths: Sequence[str] | npt.NDArray[np.generic],
    groups: Sequence[str] | npt.NDArray[np.generic] | None = None,
    split: Split = "test",
    extra: Mapping[str, Any] | None = None,
    draws: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> dict[str, Any]:
    """Score a split and write ``metrics.json``, ``per_class.csv``, ``predictions.csv`` and, for exclusive classes,
    ``confusion.png`` into ``folder`` (made if missing).

    Args:
        folder: the run's folder; files of these names in it are replaced.
        task: what the labels mean.
        scores: (N, K).
        labels: (N, K), NaN = unknown.
        paths: (N,) the clips' names, for predictions.csv.
        groups: (N,) text that the intervals are drawn over, empty = unknown; None or all empty: over clips.
        split: the name the metrics stand under.
        extra: more entries for metrics.json, such as the checkpoint and the protocol (clip or segment).
        draws: bootstrap draws.
        level: of the intervals.
        seed: of the draws.

    Returns:
        The content of metrics.json: ``{split: {metric: {value, low, high}}, task, kind, main, split, clips, groups,
        interval, ...extra}``. ``clips`` counts those scored, ``groups`` those drawn over (0 = over clips), ``main``
        names the deciding metric; what is undefined is None (null).

    Raises:
        ValueError: paths of another length; an ``extra`` key that the report uses itself; see
            :func:`semisupcon.downstream.intervals.bootstrap`.
    """
    found, wanted, kept = metrics.validate(task, scores, labels)
    if len(paths) != len(kept):
        raise ValueError(f"{task.name}: {len(paths)} paths for {len(kept)} rows of scores")
    values = metrics.evaluate(task, found, wanted)
    counts = {name: int(values[name]) for name in metrics.COUNTS if name in values}
    names = [""] * len(kept) if groups is None else [str(group) for group in groups]
    drawn = bootstrap(task, scores, labels, names, draws, level, seed)
    interval, number = drawn_over(task, [name for name, keep in zip(names, kept, strict=True) if keep], level)
    content: dict[str, Any] = {split: {name: value._asdict() for name, value in drawn.items()}}
    content |= {"task": task.name, "kind": task.kind, "main": task.metric, "split": split}
    content |= {**counts, "groups": number, "interval": interval}
    if clash := sorted(set(content) & set(extra or {})):
        raise ValueError(f"extra holds {', '.join(clash)}, which the report writes itself")
    content = plain({**content, **(extra or {})})

    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    metrics.per_class(task, found, wanted).to_csv(folder / "per_class.csv", index=False, float_format="%.6g")
    everything = predictions(task, scores, labels, [str(path) for path in paths])
    everything.to_csv(folder / "predictions.csv", index=False, float_format="%.6g")
    if task.exclusive:
        plots.confusion_picture(metrics.confusion(task, found, wanted), task.classes, folder / "confusion.png")
    write_json(folder / "metrics.json", content)
    return content


def main(arguments: Sequence[str] | None = None) -> int:
    """The command: print the table; with ``--out`` also write ``comparison.md`` and ``comparison.png``."""
    parser = argparse.ArgumentParser(
        prog="python -m semisupcon.downstream.report", description="Compare test runs of one task, with intervals."
    )
    parser.add_argument("runs", nargs="+", metavar="RUN", help="a folder with a metrics.json, or such a file")
    parser.add_argument("--names", help="names of the rows, separated by commas (default: the folders')")
    parser.add_argument("--out", type=Path, help="a folder to write comparison.md and comparison.png to")
    options = parser.parse_args(arguments)
    names = None if options.names is None else [name.strip() for name in options.names.split(",")]
    try:
        sys.stdout.write(summary(options.runs, names))
        if options.out is not None:
            write_comparison(options.out, options.runs, names)
    except UserError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
