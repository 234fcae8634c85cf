"""Curves of encoders side by side: over the share of labels, over severities."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from semisupcon.evaluation.colours import ENCODERS, SOFT
from semisupcon.evaluation.figures import plots
from semisupcon.evaluation.figures.report import LOWEST


@dataclass(frozen=True)
class Curve:
    """One encoder's line in one panel.

    Args:
        x: (n,) where it was measured, ascending.
        value: (n,) NaN = nothing there.
        low: (n,) of the band around it; NaN = no band there.
        high: (n,).
        draws: (n, d) single measurements that the values are means of, NaN = none; they become faint dots.
    """

    x: npt.ArrayLike
    value: npt.ArrayLike
    low: npt.ArrayLike
    high: npt.ArrayLike
    draws: npt.ArrayLike | None = None


def curves_picture(
    panels: Mapping[str, Mapping[str, Curve]],
    path: str | Path,
    x_label: str,
    y_labels: Mapping[str, str],
    title: str,
    log_x: bool = False,
    chance: Mapping[str, float] | None = None,
    same_y: bool = False,
    note: str = "",
) -> None:
    """Draw a panel a task or augmentation with a line an encoder, its band, and the single draws behind it.

    An R² below ``LOWEST`` leaves its panel, or all others would lie on one line.

    Args:
        panels: {panel: {encoder: curve}}; encoders keep their colours over all panels, in the order they come in.
        path: the PNG to write; its folder exists.
        x_label: of all panels.
        y_labels: {panel: what its curves are of, such as accuracy}.
        title: on top.
        log_x: x are shares of something, above 0, on a logarithmic axis in percent.
        chance: {panel: where a dashed line is drawn}; NaN or absent = none.
        same_y: whether all panels have one vertical scale, as where they are of one metric of one task.
        note: below the title, such as what the bands are.

    Raises:
        ValueError: there is nothing to draw, or an x that has no logarithm.
    """
    encoders = list(dict.fromkeys(name for each in panels.values() for name in each))
    if not encoders:
        raise ValueError("no curves to draw")
    if log_x and any((np.asarray(each.x) <= 0).any() for found in panels.values() for each in found.values()):
        raise ValueError("a share of 0 has no place on a logarithmic axis")
    colour = {name: ENCODERS[number % len(ENCODERS)] for number, name in enumerate(encoders)}
    handles = [plots.mark(name, colour[name], line=True) for name in encoders]
    if chance and np.isfinite(list(chance.values())).any():
        handles.append(plots.dashed("chance"))
    columns = min(len(panels), 3 if len(panels) <= 9 else 4)
    left, right, across = 0.75, 0.25, 0.66
    room = min(4.5, (plots.WIDTH - left - right - (columns - 1) * across) / columns)
    wide = left + columns * room + (columns - 1) * across + right
    above = plots.heading_height(title, note, wide)
    top = above + plots.legend_height([str(each.get_label()) for each in handles], wide) + 0.4
    size, margins = (room, min(2.3, 0.72 * room)), plots.Margins(left, right, top, 0.58)
    figure, drawn = plots.sheet(len(panels), columns, size, (across, 0.6), margins)
    alike = len({y_labels.get(name, "") for name in panels}) == 1
    for place, (axes, (name, curves)) in enumerate(zip(drawn, panels.items(), strict=True)):
        _panel(axes, curves, colour, (chance or {}).get(name, np.nan))
        plots.title(axes, name)
        if place % columns == 0 or not alike:
            axes.set_ylabel(plots.clean(y_labels.get(name, "")), fontsize=8.5, color=SOFT, labelpad=2)
        _ticks(axes, curves, room, log_x)
    if same_y:
        ends = np.array([axes.get_ylim() for axes in drawn])
        for axes in drawn:
            axes.set_ylim(ends[:, 0].min(), ends[:, 1].max())
    middle, height = (left + (wide - right)) / 2 / wide, figure.get_size_inches()[1]
    figure.text(middle, 0.14 / height, plots.clean(x_label), ha="center", fontsize=9, color=SOFT)
    plots.heading(figure, title, note)
    plots.legend(figure, handles, above)
    figure.savefig(path)


def _panel(axes: Any, curves: Mapping[str, Curve], colour: Mapping[str, str], chance: float) -> None:
    plots.bare(axes, "both")
    plots.ticks(axes.yaxis, 5)
    if np.isfinite(chance):
        axes.axhline(chance, color=SOFT, linestyle=(0, (4, 3)), linewidth=1.1, zorder=1)
    for name, curve in curves.items():
        x, value, low, high = (np.asarray(each, float) for each in (curve.x, curve.value, curve.low, curve.high))
        if curve.draws is not None:
            draws = np.asarray(curve.draws, float)
            spread = np.repeat(x, draws.shape[1])
            axes.plot(spread, draws.ravel(), "o", color=colour[name], alpha=0.3, markersize=2.6, markeredgewidth=0)
        axes.fill_between(x, low, high, color=colour[name], alpha=0.13, linewidth=0)
        axes.plot(x, value, "-o", color=colour[name], linewidth=1.8, markersize=4, zorder=3)
    if axes.get_ylim()[0] < LOWEST:
        axes.set_ylim(bottom=LOWEST)


def _ticks(axes: Any, curves: Mapping[str, Curve], room: float, log: bool) -> None:
    """Ticks where something was measured, the last one first, as far as their labels have room beside each other."""
    places = sorted({float(x) for each in curves.values() for x in np.asarray(each.x)}, reverse=True)
    if log:
        axes.set_xscale("log")
        axes.minorticks_off()
    ends = np.array(axes.get_xlim())
    along = np.log10 if log else np.asarray
    inch = room / np.ptp(along(ends))
    kept: list[float] = []
    names: list[str] = []
    used = np.inf
    for place in places:
        label = f"{100 * place:.3g}%" if log else f"{place:g}"
        half = len(label) * 8 * plots.LETTER / 2
        if float(along(place)) * inch + half < used - 0.07:
            kept.append(place)
            names.append(label)
            used = float(along(place)) * inch - half
    axes.set_xticks(kept, names, fontsize=8)
