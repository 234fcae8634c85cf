"""The picture of a report: what each encoder reaches on each task, with intervals, and what chance would."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from semisupcon.evaluation.colours import ENCODERS, SOFT
from semisupcon.evaluation.figures import plots

COLUMNS, LINE, NAME = 3, 0.36, 30
"""Panels in a row, inches for an encoder, letters of a name that there is room for."""

LOWEST = -1.0
"""What is below stands at the edge with its number: the r2 of a failed probe has no bound."""

# Filled and open, so that a picture without colours tells them apart too.
MARKERS = (("o", True), ("o", False), ("D", True), ("D", False), ("s", True), ("s", False))


@dataclass(frozen=True)
class Panel:
    """One task of a report.

    Args:
        task: its name.
        metric: what is on the axis.
        chance: of that metric; NaN = no line.
        rows: (encoder, {kind of probe: (value, low, high)}); NaN bounds = no line, NaN value = said in words.
    """

    task: str
    metric: str
    chance: float
    rows: Sequence[tuple[str, Mapping[str, tuple[float, float, float]]]]


def report_picture(panels: Sequence[Panel], path: str | Path, note: str = "") -> None:
    """Draw a panel a task: encoders below each other, a dot a probe, a line for its interval, dashes at chance.

    The encoders of all panels stand in one order, so that a row can be followed across the page; an encoder without a
    result in a task leaves its row empty.

    Args:
        panels: one a task.
        path: the PNG to write; its folder exists.
        note: the line on top, such as what the intervals are over.

    Raises:
        ValueError: there is nothing to draw.
    """
    encoders = list(dict.fromkeys(name for panel in panels for name, _ in panel.rows))
    kinds = list(dict.fromkeys(kind for panel in panels for _, found in panel.rows for kind in found))
    if not encoders:
        raise ValueError("a report without a result has no picture")
    handles = [plots.mark(kind, SOFT, *_marker(number)) for number, kind in enumerate(kinds)]
    if np.isfinite([panel.chance for panel in panels]).any():
        handles.append(plots.dashed("chance"))
    # Cut beside the panels, and whole here.
    handles += [plots.mark(name, _colour(row), "s") for row, name in enumerate(encoders) if len(name) > NAME]
    names = [plots.shorten(name, NAME) for name in encoders]
    left = 0.35 + max(map(len, names)) * 9 * plots.LETTER
    columns, gap, right = min(COLUMNS, len(panels)), 0.35, 0.3
    room = min(4.8, (plots.WIDTH - left - right - (columns - 1) * gap) / columns)
    wide = left + columns * room + (columns - 1) * gap + right
    above = plots.heading_height("", note, wide)
    top = above + plots.legend_height([str(each.get_label()) for each in handles], wide) + 0.4
    margins = plots.Margins(left, right, top, 0.5)
    figure, drawn = plots.sheet(len(panels), columns, (room, LINE * len(encoders) + 0.12), (gap, 0.85), margins)
    for place, (axes, panel) in enumerate(zip(drawn, panels, strict=True)):
        _panel(axes, panel, encoders, kinds, int(room / 0.45))
        if place % columns == 0:
            axes.set_yticks(range(len(names)), names, fontsize=9)
            for row, label in enumerate(axes.get_yticklabels()):
                label.set_color(_colour(row))
    plots.heading(figure, "", note)
    plots.legend(figure, handles, above)
    figure.savefig(path)


def _panel(axes: Any, panel: Panel, encoders: Sequence[str], kinds: Sequence[str], ticks: int) -> None:
    found = dict(panel.rows)
    numbers = np.array([each for result in found.values() for each in result.values()], float).ravel()
    known = np.maximum(numbers[np.isfinite(numbers)], LOWEST)
    plots.bare(axes, "x")
    plots.title(axes, panel.task)
    axes.set_yticks([])
    axes.set_ylim(len(encoders) - 0.4, -0.6)
    if not len(known):
        axes.set_xticks([])
        axes.text(0.02, 0.5, "no result", transform=axes.transAxes, va="center", fontsize=8.5, color=SOFT)
        return
    axes.set_xlabel(plots.clean(panel.metric), fontsize=8.5, color=SOFT, labelpad=2)
    if np.isfinite(panel.chance):
        known = np.append(known, max(panel.chance, LOWEST))
        axes.axvline(known[-1], color=SOFT, linestyle=(0, (4, 3)), linewidth=1.1, zorder=1)
    spare = max(0.07 * float(np.ptp(known)), 0.01)
    axes.set_xlim(known.min() - spare, known.max() + spare)
    plots.ticks(axes.xaxis, ticks)
    for row, name in enumerate(encoders):
        for number, kind in enumerate(kinds):
            if kind in found.get(name, {}):
                # Two lie 0.32 of a row apart; more share the 0.64 of it that leaves the next row distinct.
                lane = row + min(0.32, 0.64 / len(kinds)) * (number - (len(kinds) - 1) / 2)
                _dot(axes, lane, found[name][kind], _colour(row), *_marker(number))


def _dot(axes: Any, lane: float, result: tuple[float, float, float], colour: str, marker: str, filled: bool) -> None:
    value, low, high = result
    if np.isnan(value):
        axes.text(
            0.99, lane, "undefined", transform=axes.get_yaxis_transform(), ha="right", va="center", fontsize=7.5,
            color=colour, bbox={"color": "white", "pad": 0.5},
        )  # fmt: skip
        return
    if not np.isnan([low, high]).any():
        ends = [max(low, LOWEST), max(high, LOWEST)]
        axes.plot(ends, [lane, lane], color=colour, alpha=0.4, linewidth=3.2, solid_capstyle="butt", zorder=2)
    if value < LOWEST:
        axes.annotate(
            f"{value:.3g}", (LOWEST, lane), (6, 0), textcoords="offset points", va="center", fontsize=7.5, color=colour
        )
    axes.plot(
        [max(value, LOWEST)], [lane], marker if value >= LOWEST else "<", color=colour, markersize=5.5,
        markerfacecolor=colour if filled else "white", markeredgewidth=1.3, zorder=3,
    )  # fmt: skip


def _colour(number: int) -> str:
    return ENCODERS[number % len(ENCODERS)]


def _marker(number: int) -> tuple[str, bool]:
    return MARKERS[number % len(MARKERS)]
