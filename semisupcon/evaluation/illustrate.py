"""From the numbers of a benchmark to its pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from semisupcon.evaluation.entries import Result
from semisupcon.evaluation.figures.curves import Curve, curves_picture
from semisupcon.evaluation.figures.heat import heat_picture
from semisupcon.evaluation.figures.report import LOWEST, Panel, report_picture
from semisupcon.evaluation.figures.space import maps_picture, spectrum_picture
from semisupcon.evaluation.maps import Maps
from semisupcon.evaluation.numbers import Numbers
from semisupcon.evaluation.page import write_page
from semisupcon.evaluation.run import safe


def draw(folder: Path, numbers: Numbers) -> dict[str, str]:
    """All pictures that there are numbers for: what each shows -> its file inside the folder."""
    drawn: dict[str, str] = {}
    if panels := _panels(numbers):
        report_picture(panels, folder / "report.png", "linear (filled) and other probes, 95 % intervals")
        drawn["report"] = "report.png"
    for part, method, name, title in (
        ("few", "linear", "few_labels", "Linear probes of few labels"),
        ("finetune", "finetune", "finetuned", "Fine-tuning on few labels"),
        ("zero_shot", "prototypes", "zero_shot", "Class prototypes of some training clips, nothing trained"),
    ):
        if curves := _curves(numbers, part, method):
            label = "share of the training clips" if part == "zero_shot" else "share of the training labels"
            labels = {task: numbers.main(task) for task in curves}
            chance = {task: numbers.chance(task).get(numbers.main(task), np.nan) for task in curves}
            curves_picture(curves, folder / f"{name}.png", label, labels, title, log_x=True, chance=chance)
            drawn[name] = f"{name}.png"
    for task in numbers.tasks:
        drawn |= _robustness(folder, numbers, task)
    return drawn | _shapes(folder, numbers)


def _panels(numbers: Numbers) -> list[Panel]:
    found = []
    for task in numbers.tasks:
        metric = numbers.main(task)
        rows = []
        for name in numbers.names:
            methods = numbers.values("method", task=task, part="probe", subject=name)
            kinds = {method: numbers.get(name, task, "probe", method) for method in methods}
            rows.append((name, {method: each.interval for method, each in kinds.items() if each is not None}))
        if any(kinds for _, kinds in rows):
            chance = numbers.chance(task).get(metric, np.nan)
            found.append(Panel(task, metric, chance, rows))
    return found


def _curves(numbers: Numbers, part: str, method: str) -> dict[str, dict[str, Curve]]:
    """Task -> encoder -> main metric by share."""
    found: dict[str, dict[str, Curve]] = {}
    for task in numbers.tasks:
        shares = sorted(numbers.values("share", task=task, part=part))
        lines = {}
        for name in numbers.names:
            points = [numbers.get(name, task, part, method, share=share) for share in shares]
            if all(point is not None for point in points) and points:
                lines[name] = _curve(shares, [point for point in points if point is not None])
        if lines:
            found[task] = lines
    return found


def _curve(x: list[float], points: list[Any]) -> Curve:
    most = max(len(point.each) for point in points)
    draws = np.array([[*point.each, *[np.nan] * (most - len(point.each))] for point in points])
    values, low, high = np.array([point.interval for point in points]).T
    return Curve(np.array(x), values, low, high, draws)


def _robustness(folder: Path, numbers: Numbers, task: str) -> dict[str, str]:
    """Curves by severity, clean clips at 0, and a heat map of what is lost."""
    corruptions = numbers.values("corruption", task=task, part="robustness")
    if not corruptions:
        return {}
    severities = sorted(s for s in numbers.values("severity", task=task, part="robustness") if s)
    metric, drawn = numbers.main(task), {}
    curves: dict[str, dict[str, Curve]] = {}
    away = np.full((len(numbers.names), len(corruptions), len(severities)), np.nan)
    for row, corruption in enumerate(corruptions):
        for place, name in enumerate(numbers.names):
            more = {"corruption": corruption}
            clean = numbers.get(name, task, "robustness", "linear", severity=0.0, **more)
            points = [numbers.get(name, task, "robustness", "linear", severity=s, **more) for s in severities]
            known = [point for point in points if point is not None]
            if len(known) < len(severities):
                continue
            x, shown = list(severities), known
            if clean is not None:
                away[place, row] = [point.value - clean.value for point in known]
                x, shown = [0.0, *x], [clean, *known]
            curves.setdefault(corruption, {})[name] = _curve(x, shown)
    chance = dict.fromkeys(curves, numbers.chance(task).get(metric, np.nan))
    title = f"{task} under corruption: the linear probe of clean clips"
    if curves:
        file = f"robustness-{safe(task)}.png"
        labels = dict.fromkeys(curves, metric)
        curves_picture(curves, folder / file, "severity", labels, title, chance=chance, same_y=True)
        drawn[f"robustness_{task}"] = file
    if not np.isnan(away).all():
        file = f"robustness-heat-{safe(task)}.png"
        what = f"{task}: {metric} less that of clean clips"
        away = np.maximum(away, LOWEST)  # an R² has no bound, and one number would take all the colour
        heat_picture(away, numbers.names, corruptions, folder / file, what, f"{metric}, difference", severities)
        drawn[f"robustness_heat_{task}"] = file
    return drawn


def _shapes(folder: Path, numbers: Numbers) -> dict[str, str]:
    """Spectra, maps and a page to explore them, of the first run of each encoder; for each corpus."""
    corpora: dict[tuple[str, ...], dict[str, Result]] = {}
    for (part, _), result in numbers.done.results.items():
        if part == "shape" and result.notes["run"] == 0:
            corpora.setdefault(tuple(result.notes["tasks"]), {})[result.notes["subject"]] = result
    drawn: dict[str, str] = {}
    for number, (tasks, found) in enumerate(corpora.items()):
        end = f"-{number}" if number else ""
        ranks = {name: result.notes["effective_rank"] for name, result in found.items()}
        spectra = {name: result.arrays["spectrum"] for name, result in found.items()}
        spectrum_picture(spectra, folder / f"spectrum{end}.png", ranks)
        drawn[f"spectrum{end}"] = f"spectrum{end}.png"
        drawn |= _maps(folder, numbers, tasks, found, end)
    return drawn


def _maps(
    folder: Path, numbers: Numbers, tasks: Sequence[str], found: Mapping[str, Result], end: str
) -> dict[str, str]:
    """As pictures, one a task, and as one page."""
    maps = {name: _map(result) for name, result in found.items()}
    first = next(iter(found.values()))
    names = first.arrays["names"]
    # Of encoders that could read other files than the first there is no common map.
    maps = {name: each for name, each in maps.items() if np.array_equal(found[name].arrays["names"], names)}
    labels = {task: (numbers.done.kinds[task], first.arrays[f"labels {task}"]) for task in tasks}
    drawn = {}
    for name, (task, values) in labels.items():
        file = f"map-{safe(name)}.png"
        maps_picture(maps, values, task, folder / file)
        drawn[f"map_{name}"] = file
    points = {name: {"pca": each.pca, "tsne": each.tsne} for name, each in maps.items()}
    write_page(folder / f"maps{end}.html", f"Maps of {', '.join(tasks)}", points, names, labels)
    return {**drawn, f"page{end}": f"maps{end}.html"}


def _map(result: Result) -> Maps:
    first, second = result.arrays["explained"].tolist()
    rows = np.arange(len(result.arrays["pca"]))
    return Maps(result.arrays["pca"], result.arrays.get("tsne"), (first, second), rows)
