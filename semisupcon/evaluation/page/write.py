"""Write the page: its text, its looks and script, and the data that the script draws."""

from __future__ import annotations

import html
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from semisupcon.evaluation.colours import ENCODERS, RAMP, TAG, UNKNOWN, fifths, of_classes
from semisupcon.evaluation.page.controls import CONTROLS
from semisupcon.evaluation.page.drawing import DRAWING
from semisupcon.evaluation.page.style import CSS
from semisupcon.plain import plain
from semisupcon.table import Task

METHODS = {"pca": "PCA", "tsne": "t-SNE"}

# The page says itself that it reaches nobody: a browser refuses what is not listed.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'"

GRID = 4096
"""Steps across a map, finer than a screen: coordinates as small whole numbers."""


def write_page(
    path: str | Path,
    title: str,
    points: Mapping[str, Mapping[str, npt.NDArray[Any] | None]],
    names: Sequence[str] | npt.NDArray[Any],
    labels: Mapping[str, tuple[Task, npt.NDArray[Any]]],
) -> None:
    """Write maps of N clips as one HTML file that needs nothing else: no server, no library, no network.

    One chooses the encoder, PCA or t-SNE, and the task whose labels give the colours. 3,000 clips, eight encoders and
    six tasks are about 1.5 MB.

    Args:
        path: the HTML file; its folder exists.
        title: what the clips are, such as the task and the split.
        points: {encoder: {"pca" or "tsne": (N, 2), None = no such map}}.
        names: N file names.
        labels: {task: (Task, (N, K) with NaN = unknown)}; may be empty.

    Raises:
        ValueError: there is nothing to show, or something is not of N clips.
    """
    data = page_data(points, names, labels)
    shown = f"{len(names):,} clip{'s' * (len(names) != 1)}"
    text = html.escape(title, quote=True)
    page = f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="generator" content="semisupcon.evaluation">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{text}</title>
<style>{CSS}</style>
</head>
<body>
<header>
<h1>{text}</h1>
<p>Each of {shown} is a point, and clips that the encoder hears as alike lie near each other. PCA keeps the directions
in which clips differ most; t-SNE keeps neighbours together: there the distances between groups, and their sizes, mean
little.</p>
</header>
<noscript><p>This page is drawn by its own script, which this browser does not run.</p></noscript>
<form id="controls">
<label>Encoder <select id="encoder"></select></label>
<fieldset id="methods"><legend>Map</legend></fieldset>
<label>Colour by <select id="task"></select></label>
<label id="columns">of <select id="column"></select></label>
<label>Find <input id="find" type="search" placeholder="part of a file name" autocomplete="off"></label>
</form>
<main>
<div id="stage">
<canvas id="map" tabindex="0" role="img" aria-label="map of the clips" aria-describedby="keys"></canvas>
<div id="tip" role="status" hidden></div>
<p id="keys">Wheel or + and − zoom, dragging or arrows move, double click or 0 resets. A click pins a clip, Escape
unpins all.</p>
</div>
<aside>
<section id="pinned" hidden><h2>Pinned <button type="button" id="unpin">unpin all</button></h2><ul id="pins"></ul>
</section>
<section><h2 id="about"></h2><div id="legend"></div></section>
</aside>
</main>
<script type="application/json" id="data">{_embedded(data)}</script>
<script>{DRAWING}{CONTROLS}</script>
</body>
</html>
"""
    Path(path).write_text(page, encoding="utf-8", errors="replace")  # a title need not be text that UTF-8 can hold


def page_data(
    points: Mapping[str, Mapping[str, npt.NDArray[Any] | None]],
    names: Sequence[str] | npt.NDArray[Any],
    labels: Mapping[str, tuple[Task, npt.NDArray[Any]]],
) -> dict[str, Any]:
    """What the page's script is given, see :func:`write_page`."""
    count = len(names)
    given = {encoder: {key: each for key, each in maps.items() if each is not None} for encoder, maps in points.items()}
    if not count or not any(given.values()):
        raise ValueError("no clips, or no map of them")
    for encoder, maps in given.items():
        for method, places in maps.items():
            if method not in METHODS or np.shape(places) != (count, 2):
                raise ValueError(
                    f"{encoder}: the map {method!r} is {np.shape(places)}; of {count} clips it is ({count}, 2), "
                    f"and called {' or '.join(METHODS)}"
                )
    for name, (task, values) in labels.items():
        if np.shape(values) != (count, len(task.classes)):
            raise ValueError(f"{name}: labels {np.shape(values)} of {count} clips and {len(task.classes)} classes")
    return {
        "names": [str(name) for name in names],
        "methods": METHODS,
        "encoders": [
            {"name": encoder, "maps": {key: _placed(each) for key, each in maps.items()}}
            for encoder, maps in given.items()
            if maps
        ],
        "tasks": [_coloured(name, task, np.asarray(values, float)) for name, (task, values) in labels.items()],
        "ramp": RAMP,
        "tag": list(TAG.values()),
        "unknown": UNKNOWN,
        "plain": ENCODERS[0],
    }


def _placed(places: npt.NDArray[Any]) -> dict[str, Any]:
    """A map as whole numbers, both axes on one scale; a place that is not finite is null."""
    values = np.asarray(places, float)
    values = np.where(np.isfinite(values).all(axis=1, keepdims=True), values, np.nan)
    known = values[~np.isnan(values[:, 0])]
    if not len(known):
        return {"x": [None] * len(values), "y": [None] * len(values)}
    least, reach = known.min(axis=0), np.ptp(known, axis=0).max() or 1.0
    x, y = np.round((values - least) / reach * GRID).T
    return {"x": [_whole(each) for each in x], "y": [_whole(each) for each in y]}


def _coloured(name: str, task: Task, labels: npt.NDArray[np.float64]) -> dict[str, Any]:
    """A task's labels: the class of each clip; a text of 0, 1 and ? for each tag; or the values of each target."""
    found: dict[str, Any] = {"name": name, "kind": task.kind, "classes": list(task.classes)}
    if task.exclusive:
        unknown = np.isnan(labels).all(axis=1)
        found["colours"] = of_classes(task)
        found["order"] = np.argsort(fifths(task) or np.arange(len(task.classes)), kind="stable")
        found["of"] = np.where(unknown, -1, np.nan_to_num(labels, nan=-1).argmax(axis=1))
    elif task.kind == "multilabel":
        signs = np.where(np.isnan(labels), "?", np.where(labels > 0.5, "1", "0"))
        found["tags"] = ["".join(column) for column in signs.T]
    else:
        found["values"] = [[_short(each) for each in column] for column in labels.T]
    return found


def _whole(value: float) -> int | None:
    return None if np.isnan(value) else int(value)


def _short(value: float) -> float:
    return float(f"{value:.5g}")


def _embedded(data: Mapping[str, Any]) -> str:
    """JSON that a page can hold: nothing in it ends the script or begins a tag, whatever files are called."""
    text = json.dumps(plain(data), separators=(",", ":"), allow_nan=False)  # ASCII: any file name survives
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")
