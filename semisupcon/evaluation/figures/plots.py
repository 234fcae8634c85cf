"""What all pictures here are drawn with: sheets of panels, their titles, texts and legends.

matplotlib is imported by the functions, and drawn with its Agg canvas: no display, no global state. The sizes are in
inches, so that text has the room that it was reckoned with, whatever the number of panels.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from semisupcon.evaluation.colours import INK, PALE, SOFT

WIDTH, DPI = 10.0, 140
"""Of a whole page: 1,400 pixels."""

LETTER = 0.6 / 72
"""Width of a letter on average, in inches for each point of its size."""


@dataclass(frozen=True)
class Margins:
    """Inches around the panels of a sheet."""

    left: float
    right: float
    top: float
    bottom: float


def sheet(
    count: int, columns: int, panel: tuple[float, float], gap: tuple[float, float], margins: Margins
) -> tuple[Any, list[Any]]:
    """A figure and its panels, row by row.

    Args:
        count: panels.
        columns: of them, at most, in a row.
        panel: width and height of one.
        gap: between them.
        margins: around all.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    columns = min(columns, count)
    rows = -(-count // columns)
    width = margins.left + columns * panel[0] + (columns - 1) * gap[0] + margins.right
    height = margins.top + rows * panel[1] + (rows - 1) * gap[1] + margins.bottom
    figure = Figure(figsize=(width, height), dpi=DPI)
    FigureCanvasAgg(figure)
    found = []
    for place in range(count):
        row, column = divmod(place, columns)
        left = margins.left + column * (panel[0] + gap[0])
        below = height - margins.top - (row + 1) * panel[1] - row * gap[1]
        found.append(figure.add_axes((left / width, below / height, panel[0] / width, panel[1] / height)))
    return figure, found


def heading(figure: Any, title: str, note: str = "") -> None:
    """A title at the top left, and below it a note in smaller lines."""
    width, height = figure.get_size_inches()
    title = shorten(title, int((width - 0.2) / (12 * LETTER)))
    figure.text(0.12 / width, 1 - 0.3 / height, title, fontsize=12, fontweight="bold", color=INK)
    for line, words in enumerate(_lines(note, width)):
        below = 0.28 + 0.24 * bool(title) + 0.18 * line
        figure.text(0.12 / width, 1 - below / height, words, fontsize=9, color=SOFT)


def heading_height(title: str, note: str, width: float) -> float:
    """Inches that a heading takes in a picture of this width."""
    return 0.14 + 0.3 * bool(title) + 0.18 * len(_lines(note, width)) + 0.1 * bool(note)


def _lines(note: str, width: float) -> list[str]:
    return textwrap.wrap(clean(note), max(10, int((width - 0.2) / (8.6 * LETTER))))


def legend(figure: Any, handles: Sequence[Any], top: float, size: float = 9) -> None:
    """A legend at the left, ``top`` inches below the upper edge, line by line as far as the picture is wide."""
    width, height = figure.get_size_inches()
    for line, which in enumerate(_rows([str(each.get_label()) for each in handles], width, size)):
        figure.legend(
            handles=[handles[place] for place in which], loc="upper left", frameon=False, ncols=len(which),
            bbox_to_anchor=(0.1 / width, 1 - (top + line * _line(size)) / height), fontsize=size, labelcolor=INK,
            columnspacing=1.4, handletextpad=0.5, borderaxespad=0, borderpad=0, handlelength=1.6,
        )  # fmt: skip


def legend_height(labels: Sequence[str], width: float, size: float = 9) -> float:
    """Inches that a legend of these labels takes in a picture of this width."""
    return len(_rows(labels, width, size)) * _line(size)


def _line(size: float) -> float:
    return 1.6 * size / 72


def _rows(labels: Sequence[str], width: float, size: float) -> list[list[int]]:
    """Which labels stand on each line: as many as there is room for beside each other."""
    rows: list[list[int]] = []
    used = width
    for place, label in enumerate(labels):
        wide = (3.5 / 72 + len(label) * LETTER) * size
        if used + wide > width - 0.3:
            rows.append([])
            used = 0.0
        rows[-1].append(place)
        used += wide
    return rows


def mark(label: str, color: str, marker: str = "o", filled: bool = True, line: bool = False) -> Any:
    """What stands in a legend for something: a marker, with a line through it or without."""
    from matplotlib.lines import Line2D

    return Line2D(
        [],
        [],
        color=color,
        marker=marker,
        markerfacecolor=color if filled else "white",
        markersize=6,
        linestyle="-" if line else "none",
        label=clean(label),
    )


def dashed(label: str) -> Any:
    """What stands in a legend for the line of chance."""
    from matplotlib.lines import Line2D

    return Line2D([], [], color=SOFT, linestyle=(0, (4, 3)), linewidth=1.1, label=label)


def bare(axes: Any, grid: str = "") -> None:
    """No frame, no ticks; a pale grid along ``x``, ``y`` or ``both``."""
    axes.set_axisbelow(True)
    axes.tick_params(which="both", length=0, colors=INK, labelsize=8.5)
    for spine in axes.spines.values():
        spine.set_visible(False)
    if grid:
        axes.grid(axis=grid, color=PALE, linewidth=0.8)


def ticks(axis: Any, most: int) -> None:
    """Ticks of an axis at round numbers."""
    from matplotlib.ticker import MaxNLocator

    axis.set_major_locator(MaxNLocator(nbins=most, steps=[1, 2, 2.5, 5, 10]))


def title(axes: Any, text: str, size: float = 10, weight: str = "bold") -> None:
    """The title of a panel, at the left, as long as the panel has room for."""
    inches = axes.get_position().width * axes.figure.get_size_inches()[0]
    most = int(inches / (size * LETTER))
    axes.set_title(shorten(text, most), loc="left", fontsize=size, fontweight=weight, color=INK)


def listed(colours: Sequence[str]) -> Any:
    """A colour map of given colours."""
    from matplotlib.colors import ListedColormap

    return ListedColormap(list(colours))


def scale(colours: Sequence[str], ends: tuple[float, float]) -> Any:
    """What a colour bar is of: colours from one end to the other."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    return ScalarMappable(Normalize(*ends), listed(colours))


def bar(figure: Any, image: Any, place: tuple[float, float, float, float], label: str) -> Any:
    """A colour bar at ``place``: left, top (from the upper edge), width and height in inches; tall ones stand."""
    width, height = figure.get_size_inches()
    left, top, wide, tall = place
    axes = figure.add_axes((left / width, 1 - (top + tall) / height, wide / width, tall / height))
    found = figure.colorbar(image, cax=axes, orientation="vertical" if tall > wide else "horizontal")
    found.set_label(clean(label), color=INK, fontsize=9)
    found.ax.tick_params(labelsize=8, length=2, colors=INK)
    found.outline.set_visible(False)
    return found


def clean(text: str) -> str:
    """Nothing in it is a formula or breaks a line."""
    return "".join(letter if letter.isprintable() else "?" for letter in text).replace("$", r"\$")


def shorten(text: str, most: int) -> str:
    """The text, or its beginning and its end: names of checkpoints differ in either."""
    if len(text) > most:
        end = (most - 1) // 2
        text = text[: most - 1 - end] + "…" + text[len(text) - end :]
    return clean(text)
