"""Pictures of embedding spaces: how many dimensions are in use, and where clips lie in the plane."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from semisupcon.evaluation.colours import CLASSES, ENCODERS, INK, RAMP, SOFT, TAG, UNKNOWN, fifths, of_classes
from semisupcon.evaluation.figures import plots
from semisupcon.evaluation.maps import Maps
from semisupcon.table import Task

FLOOR = 1e-6
"""Shares of a spectrum below are rounding, and would push what matters into the upper edge."""

COLUMNS = 4


def spectrum_picture(
    spectra: Mapping[str, npt.ArrayLike], path: str | Path, ranks: Mapping[str, float] | None = None
) -> None:
    """Draw singular values, as shares of their sum, against their number: a line an encoder.

    Args:
        spectra: {encoder: (D,) descending}, see :class:`semisupcon.evaluation.shape.Shape`.
        path: the PNG to write; its folder exists.
        ranks: {encoder: effective rank}, for the legend.

    Raises:
        ValueError: there is nothing to draw.
    """
    if not spectra:
        raise ValueError("no spectra to draw")
    title = "Spectrum: singular values of the centred embeddings"
    handles = []
    for number, name in enumerate(spectra):
        rank = (ranks or {}).get(name, np.nan)
        label = name + (f" (effective rank {rank:.1f} of {len(np.asarray(spectra[name])):,})" if rank == rank else "")
        handles.append(plots.mark(label, ENCODERS[number % len(ENCODERS)], "", line=True))
    labels = [str(each.get_label()) for each in handles]
    wide = 8.0
    above = plots.heading_height(title, "", wide)
    top = above + plots.legend_height(labels, wide) + 0.15
    figure, (axes,) = plots.sheet(1, 1, (wide - 1.0, 3.4), (0, 0), plots.Margins(0.8, 0.2, top, 0.55))
    plots.bare(axes, "both")
    for number, spectrum in enumerate(spectra.values()):
        share = np.asarray(spectrum, float)
        share = np.where(share > FLOOR, share, np.nan)
        axes.plot(np.arange(1, len(share) + 1), share, color=ENCODERS[number % len(ENCODERS)], linewidth=1.8)
    axes.set_yscale("log")
    axes.set_xlim(left=0)
    axes.set_xlabel("number of the singular value", fontsize=9, color=SOFT)
    axes.set_ylabel("share of their sum", fontsize=9, color=SOFT)
    plots.heading(figure, title)
    plots.legend(figure, handles, above)
    figure.savefig(path)


@dataclass(frozen=True)
class _Paint:
    """How points are coloured: (n,) numbers from 0 to 1 or classes, NaN = unknown, and what explains them."""

    value: npt.NDArray[np.float64]
    colours: tuple[str, ...]
    ends: tuple[float, float]
    said: str
    ticks: tuple[str, ...] = ()


def maps_picture(
    maps: Mapping[str, Maps],
    labels: npt.NDArray[np.float32],
    task: Task,
    path: str | Path,
    column: int | None = None,
) -> None:
    """Draw PCA above t-SNE for each encoder, its clips coloured by what they are.

    Classes have a colour each; more than twelve a colour bar in the order of the task's classes, keys in that of the
    circle of fifths. Values have a colour bar. Of tags one is shown, with against without: the one that most nearly
    halves the clips, which is the commonest where none is in more than half of them.

    Args:
        maps: {encoder: where the same n clips lie}.
        labels: (n, K) of these clips, NaN = unknown.
        task: what the labels mean.
        path: the PNG to write; its folder exists.
        column: which tag or target is shown; None = the tag as above, the first target.

    Raises:
        ValueError: there is nothing to draw, or not a row of labels for each clip.
    """
    if not maps:
        raise ValueError("no maps to draw")
    if wrong := [name for name, each in maps.items() if len(each.pca) != len(labels)]:
        raise ValueError(f"{len(maps[wrong[0]].pca)} clips in the map of {wrong[0]}, {len(labels)} rows of labels")
    paint = _paint(labels, task, column)
    columns = min(COLUMNS, len(maps))
    blocks = -(-len(maps) // columns)
    across, down, left, right = 0.12, 0.4, 0.35, 0.15
    side = min(3.0, (plots.WIDTH - left - right - (columns - 1) * across) / columns)
    wide = left + columns * side + (columns - 1) * across + right
    title = f"{task.name}: clips by {paint.said}"
    above = plots.heading_height(title, "", wide) + 0.3
    handles = _handles(paint)
    below = 0.25 + (plots.legend_height([str(each.get_label()) for each in handles], wide, 8.5) or _bar_height(paint))
    margins = plots.Margins(left, right, above, below)
    figure, drawn = plots.sheet(2 * blocks * columns, columns, (side, side), (across, down), margins)
    names = list(maps)
    for place, axes in enumerate(drawn):
        row, at = divmod(place, columns)
        block, method = divmod(row, 2)
        number = block * columns + at
        if number >= len(names):
            axes.set_visible(False)
            continue
        found = maps[names[number]]
        _points(axes, found.tsne if method else found.pca, paint)
        if not method:
            plots.title(axes, names[number], 9.5)
        if at == 0:
            axes.set_ylabel("t-SNE" if method else "PCA", fontsize=9, color=SOFT)
        if not method:
            axes.set_xlabel(f"{sum(found.explained):.0%} of the variance", fontsize=7.5, color=SOFT, labelpad=2)
    plots.heading(figure, title)
    height = float(figure.get_size_inches()[1])
    if handles:
        plots.legend(figure, handles, height - below + 0.15, 8.5)
    else:
        _bar(figure, paint, (left, height - below + 0.15, min(wide - left - right, 8.0), 0.12))
    figure.savefig(path)


def _points(axes: Any, places: npt.NDArray[np.float32] | None, paint: _Paint) -> None:
    plots.bare(axes)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_facecolor("#f6f8fa")
    if places is None:
        axes.text(0.5, 0.5, "no t-SNE of these clips", transform=axes.transAxes, ha="center", fontsize=9, color=SOFT)
        return
    unknown = np.isnan(paint.value)
    size = float(np.clip(3000 / len(places), 3, 24))
    axes.scatter(*places[unknown].T, s=size, color=UNKNOWN, linewidths=0)
    # In no order of classes, or the last would cover the others.
    shown = np.random.default_rng(0).permutation(np.flatnonzero(~unknown))
    axes.scatter(
        *places[shown].T, s=size, c=paint.value[shown], cmap=plots.listed(paint.colours), vmin=paint.ends[0],
        vmax=paint.ends[1], alpha=0.85, linewidths=0,
    )  # fmt: skip
    middle, reach = (places.max(axis=0) + places.min(axis=0)) / 2, 0.53 * np.ptp(places, axis=0).max() or 1.0
    axes.set_xlim(middle[0] - reach, middle[0] + reach)
    axes.set_ylim(middle[1] - reach, middle[1] + reach)


def _paint(labels: npt.NDArray[np.float32], task: Task, column: int | None) -> _Paint:
    unknown = np.isnan(labels).all(axis=1)
    if task.exclusive:
        classes = np.where(unknown, np.nan, np.nan_to_num(labels, nan=-1).argmax(axis=1))
        colours, names = of_classes(task), task.classes
        if places := fifths(task):
            order = np.argsort(places, kind="stable")
            classes = np.where(unknown, np.nan, np.argsort(order)[np.nan_to_num(classes).astype(int)])
            colours, names = tuple(colours[k] for k in order), tuple(names[k] for k in order)
        return _Paint(classes, colours, (-0.5, len(names) - 0.5), "class" if not places else "key", names)
    if task.kind == "multilabel":
        if column is None:
            known = ~np.isnan(labels)
            share = np.where(known, labels, 0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
            column = int(np.abs(share - 0.5).argmin())
        name = task.classes[column]
        return _Paint(labels[:, column].astype(float), tuple(TAG.values()), (-0.5, 1.5), f"the tag {name}", tuple(TAG))
    column = column or 0
    value = labels[:, column].astype(float)
    known_value = value[~np.isnan(value)]
    ends = (float(known_value.min()), float(known_value.max())) if len(known_value) else (0.0, 1.0)
    return _Paint(value, RAMP, ends, task.classes[column])


def _handles(paint: _Paint) -> list[Any]:
    """A legend of the classes that are there, where they are few."""
    if not paint.ticks or len(paint.ticks) > len(CLASSES):
        return []
    there = np.unique(paint.value[~np.isnan(paint.value)]).astype(int).tolist()
    handles = [plots.mark(plots.shorten(paint.ticks[k], 40), paint.colours[k]) for k in there]
    return handles + ([plots.mark("unknown", UNKNOWN)] if np.isnan(paint.value).any() else [])


def _shown(paint: _Paint) -> dict[int, str]:
    """Which classes of a colour bar are named, all of them or every second, third, ..."""
    return {k: plots.shorten(paint.ticks[k], 18) for k in range(0, len(paint.ticks), -(-len(paint.ticks) // 26) or 1)}


def _bar_height(paint: _Paint) -> float:
    return 0.35 + max(map(len, _shown(paint).values()), default=0) * 7.5 * plots.LETTER


def _bar(figure: Any, paint: _Paint, place: tuple[float, float, float, float]) -> None:
    found = plots.bar(figure, plots.scale(paint.colours, paint.ends), place, "")
    if shown := _shown(paint):
        found.set_ticks(list(shown), labels=list(shown.values()))
        found.ax.tick_params(rotation=90, labelsize=7.5, colors=INK)
