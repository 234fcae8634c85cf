"""Heat maps: what corruption costs each encoder, and what shares of labels are worth."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from semisupcon.evaluation.colours import INK, SOFT
from semisupcon.evaluation.figures import plots

NOTHING = "#dcdfe2"
"""Where there is no number."""

NUMBERED = 0.29
"""Inches that a cell needs for a number."""


def heat_picture(
    values: npt.ArrayLike,
    encoders: Sequence[str],
    augmentations: Sequence[str],
    path: str | Path,
    title: str,
    label: str,
    severities: Sequence[float] | None = None,
    note: str = "",
) -> None:
    """Draw a heat map an encoder side by side: augmentations from the most harmful down, severities from the left.

    The colours are those of one scale that is the same on both sides of 0 = as clean: red is worse, blue better.

    Args:
        values: (encoders, augmentations, severities) figures relative to clean, such as differences; NaN is grey.
        encoders: their names.
        augmentations: their names.
        path: the PNG to write; its folder exists.
        title: on top.
        label: of the colour bar.
        severities: of the columns; None = 1, 2, 3, ...
        note: below the title.

    Raises:
        ValueError: there is nothing to draw, or not a name for each.
    """
    numbers = np.asarray(values, float)
    steps = list(range(1, numbers.shape[-1] + 1)) if severities is None else list(severities)
    if numbers.shape != (len(encoders), len(augmentations), len(steps)) or not numbers.size:
        raise ValueError(
            f"values {numbers.shape} of {len(encoders)} encoders, {len(augmentations)} augmentations and "
            f"{len(steps)} severities"
        )
    known = ~np.isnan(numbers)
    mean = np.where(known, numbers, 0).sum(axis=(0, 2)) / np.maximum(known.sum(axis=(0, 2)), 1)
    order = np.argsort(np.where(known.any(axis=(0, 2)), mean, np.inf), kind="stable")
    reach = np.abs(numbers[known]).max(initial=0) or 1.0
    count, across = len(encoders), 0.2
    left = 0.3 + max(map(len, augmentations)) * 9 * plots.LETTER
    cell = (plots.WIDTH - left - 0.2 - (count - 1) * across) / count / len(steps)
    size = (len(steps) * min(0.5, max(0.16, cell)), 0.27 * len(order))
    wide = max(6.5, left + count * size[0] + (count - 1) * across + 0.2)
    names = [_wrapped(name, size[0]) for name in encoders]
    top = plots.heading_height(title, note, wide) + 0.1 + 0.17 * (1 + max(name.count("\n") for name in names))
    margins = plots.Margins(left, wide - left - count * size[0] - (count - 1) * across, top, 1.2)
    figure, drawn = plots.sheet(count, count, size, (across, 0), margins)
    for place, (axes, name) in enumerate(zip(drawn, names, strict=True)):
        image = _cells(axes, numbers[place][order], (-reach, reach), "RdBu", size[0] / len(steps) >= NUMBERED)
        axes.set_xticks(range(len(steps)), [f"{step:g}" for step in steps])
        axes.set_yticks([])
        axes.set_title(name, loc="left", fontsize=9, color=INK)
    rows = [plots.clean(augmentations[row]) for row in order]
    drawn[0].set_yticks(range(len(order)), rows, fontsize=9, color=INK)
    drawn[0].set_xlabel("severity", fontsize=8.5, color=SOFT)
    plots.bar(figure, image, (left, top + size[1] + 0.58, min(3.2, wide - left - 0.3), 0.12), label)
    plots.heading(figure, title, note)
    figure.savefig(path)


def grid_picture(
    values: npt.ArrayLike, ps: Sequence[float], bs: Sequence[float], path: str | Path, title: str, label: str
) -> None:
    """Draw what shares of labels are worth: p_s from top to bottom, b_s from left to right, numbers in the cells.

    Args:
        values: (P, B) NaN is grey.
        ps: P shares of the labels that are used.
        bs: B shares of a batch that is labelled.
        path: the PNG to write; its folder exists.
        title: on top.
        label: of the colour bar.

    Raises:
        ValueError: there is nothing to draw, or not a share for each.
    """
    numbers = np.asarray(values, float)
    if numbers.shape != (len(ps), len(bs)) or not numbers.size:
        raise ValueError(f"values {numbers.shape} of {len(ps)} p_s and {len(bs)} b_s")
    known = numbers[~np.isnan(numbers)]
    ends = (known.min(), known.max()) if len(known) else (0.0, 1.0)
    if ends[0] == ends[1]:
        ends = (ends[0] - 0.5, ends[1] + 0.5)
    size, left = (max(0.62 * len(bs), 2.6), max(0.42 * len(ps), 1.3)), 0.95
    wide = max(6.0, left + size[0] + 1.1)
    top = plots.heading_height(title, "", wide) + 0.1
    margins = plots.Margins(left, wide - left - size[0], top, 0.6)
    figure, (axes,) = plots.sheet(1, 1, size, (0, 0), margins)
    image = _cells(axes, numbers, ends, "Blues", True, ".3f")
    axes.set_xticks(range(len(bs)), [f"{each:g}" for each in bs])
    axes.set_yticks(range(len(ps)), [f"{each:g}" for each in ps])
    axes.set_xlabel("labelled share of a batch, $b_s$", fontsize=9, color=INK)
    axes.set_ylabel("share of labels, $p_s$", fontsize=9, color=INK)
    plots.bar(figure, image, (left + size[0] + 0.15, top, 0.14, size[1]), label)
    plots.heading(figure, title)
    figure.savefig(path)


def _cells(
    axes: Any,
    numbers: npt.NDArray[np.float64],
    ends: tuple[float, float],
    colours: str,
    numbered: bool,
    form: str = "+.2f",
) -> Any:
    """A matrix as coloured cells, and its numbers in them where there is room."""
    shown = np.ma.masked_invalid(numbers)
    image = axes.imshow(shown, cmap=colours, vmin=ends[0], vmax=ends[1], aspect="auto", interpolation="nearest")
    plots.bare(axes)
    axes.set_facecolor(NOTHING)
    rows, columns = numbers.shape
    axes.set_xticks(np.arange(columns - 1) + 0.5, minor=True)
    axes.set_yticks(np.arange(rows - 1) + 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=0.8)
    axes.tick_params(which="both", length=0)
    for row, column in np.argwhere(~np.isnan(numbers)) if numbered else ():
        value = numbers[row, column]
        red, green, blue, _ = image.to_rgba(value)
        dark = 0.299 * red + 0.587 * green + 0.114 * blue < 0.55  # luma, ITU-R BT.601
        text = f"{value:{form}}"
        if form[0] == "+":  # differences, below 1 for the most part
            text = "0" if float(text) == 0 else text.replace("0.", ".", 1)
        axes.text(column, row, text, ha="center", va="center", fontsize=7.5, color="white" if dark else INK)
    return image


def _wrapped(name: str, width: float) -> str:
    """A name above its heat map, on up to three lines."""
    most = max(6, int(width / (8.2 * plots.LETTER)))
    lines = textwrap.wrap(plots.clean(name), most)
    return "\n".join(lines if len(lines) <= 3 else textwrap.wrap(plots.shorten(name, 2 * most), most))
