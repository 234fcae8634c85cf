"""The pictures of a result: where classes are mistaken for each other, and runs side by side.

matplotlib is imported by the functions, and drawn with its Agg canvas: no display, no global state.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

INK, BLUE, PALE = "#22303c", "#1f5f99", "#d9e2ea"

# Up to this many classes there is room to write the counts into the cells.
COUNTED = 15


def confusion_picture(matrix: npt.ArrayLike, classes: Sequence[str], path: str | Path) -> None:
    """Draw a confusion matrix: rows = truth, coloured by the share of the row, counts in the cells up to 15 classes.

    Args:
        matrix: (K, K) counts, rows = truth, columns = prediction.
        classes: the K names, in its order.
        path: the PNG to write; its folder exists.

    Raises:
        ValueError: the matrix is not K × K.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.colors import PowerNorm
    from matplotlib.figure import Figure

    counts = np.asarray(matrix)
    size = len(classes)
    if counts.shape != (size, size):
        raise ValueError(f"a confusion matrix of {size} classes is ({size}, {size}), this one is {counts.shape}")
    total = counts.sum(axis=1, keepdims=True)
    share = np.ma.masked_array(counts / np.maximum(total, 1), mask=np.broadcast_to(total == 0, counts.shape))

    cell = 0.55 if size <= COUNTED else max(0.145, 0.32 - 0.0018 * size)  # inches
    side = max(3.0, cell * size)
    font = min(10.0, 72 * cell * 0.72)
    margin = 0.35 + max((len(name) for name in classes), default=0) * font * 0.62 / 72  # room for the names
    width, height = side + margin + 1.2, side + margin + 0.55
    figure = Figure(figsize=(width, height), dpi=150)
    FigureCanvasAgg(figure)
    axes = figure.add_axes((margin / width, margin / height, side / width, side / height))
    axes.set_facecolor("#eeeeee")  # shows through where a class has no clips
    norm = PowerNorm(0.6, vmin=0, vmax=1)  # rare confusions stay visible; 0 to 1 always, so that runs compare
    image = axes.imshow(share, cmap="Blues", norm=norm, aspect="auto", interpolation="nearest")
    axes.set_xticks(range(size), classes, rotation=90, fontsize=font, color=INK)
    axes.set_yticks(range(size), classes, fontsize=font, color=INK)
    axes.set_xticks(np.arange(size - 1) + 0.5, minor=True)
    axes.set_yticks(np.arange(size - 1) + 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=0.8 if size <= 40 else 0.3)
    axes.tick_params(which="both", length=0)
    axes.set_xlabel("prediction", color=INK)
    axes.set_ylabel("truth", color=INK)
    axes.set_title(f"{int(counts.sum())} clips, {int(np.trace(counts))} right", loc="left", fontsize=10, color=INK)
    for spine in axes.spines.values():
        spine.set_visible(False)
    if size <= COUNTED:
        for row, column in np.argwhere(counts > 0):
            dark = norm(share[row, column]) > 0.55
            text = f"{int(counts[row, column])}"
            axes.text(column, row, text, ha="center", va="center", fontsize=9, color="white" if dark else INK)
    bar_axes = figure.add_axes(((margin + side + 0.2) / width, margin / height, 0.14 / width, side / height))
    bar = figure.colorbar(image, cax=bar_axes)
    bar.set_label("share of the true class", color=INK, fontsize=9)
    bar.ax.tick_params(labelsize=8, length=2, colors=INK)
    bar.outline.set_visible(False)
    figure.savefig(path)


def comparison_picture(
    rows: Sequence[tuple[str, float, float, float]], path: str | Path, metric: str = "", note: str = ""
) -> None:
    """Draw runs below each other: a dot for the value, a line for its interval, the numbers at the right.

    Args:
        rows: (name, value, low, high), the first on top; NaN bounds = no line, NaN value = said in words.
        path: the PNG to write; its folder exists.
        metric: the title.
        note: a smaller line below it, such as what the interval is over.

    Raises:
        ValueError: there are no rows.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    if not rows:
        raise ValueError("no rows to compare")
    longest = max(len(name) for name, *_ in rows)
    left, right, top, bottom = 0.3 + 0.085 * longest, 1.9, 0.75 if note else 0.5, 0.45  # inches
    width, height = left + 4.2 + right, top + 0.42 * len(rows) + bottom
    figure = Figure(figsize=(width, height), dpi=150)
    FigureCanvasAgg(figure)
    axes = figure.add_axes((left / width, bottom / height, 4.2 / width, 1 - (top + bottom) / height))
    for place, (_, value, low, high) in enumerate(rows):
        words = "undefined" if np.isnan(value) else f"{value:.3f}"
        if not np.isnan([low, high]).any():
            # Not errorbar(): a percentile interval of few clips need not hold its value, and lengths below 0 raise.
            axes.plot([low, high], [place, place], color=BLUE, alpha=0.35, linewidth=6, solid_capstyle="butt")
            words += f"  [{low:.3f}, {high:.3f}]"
        axes.plot([value], [place], "o", color=BLUE, markersize=6.5, markeredgecolor="white")
        axes.text(1.03, place, words, transform=axes.get_yaxis_transform(), va="center", fontsize=9, color=INK)
    axes.set_yticks(range(len(rows)), [name for name, *_ in rows], fontsize=10, color=INK)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.margins(x=0.08)
    axes.grid(axis="x", color=PALE, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(length=0, colors=INK, labelsize=9)
    for spine in axes.spines.values():
        spine.set_visible(False)
    figure.text(0.12 / width, 1 - 0.3 / height, metric, fontsize=12, fontweight="bold", color=INK)
    figure.text(0.12 / width, 1 - 0.52 / height, note, fontsize=9, color="#5b6b79")
    figure.savefig(path)


# Of up to eleven instruments, easy to tell apart on white (after Paul Tol's schemes).
COLOURS = (
    *("#4477aa", "#ee6677", "#228833", "#aa3377", "#ee7733", "#66ccee", "#997700", "#332288", "#44aa99", "#cc3311"),
    "#777777",
)
HIT, MISS, FALSE = "#22303c", "#8fb8de", "#ee7733"


def roll_picture(
    truth: npt.NDArray[np.bool_],
    predicted: npt.NDArray[np.bool_],
    hop: float,
    instruments: Sequence[str],
    path: str | Path,
    title: str = "",
) -> None:
    """Draw piano rolls below each other: what sounds and what is predicted, coloured by instrument; what is right.

    In the third one an instrument's note that is predicted where another instrument plays it is a false alarm, and
    covers what it is mistaken for.

    Args:
        truth: (L, I, 128).
        predicted: (L, I, 128).
        hop: seconds from a frame to the next.
        instruments: I names.
        path: the PNG to write; its folder exists.
        title: the line on top.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.colors import to_rgb
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

    # Drawn about what sounds: a false alarm far away is better cut off than everything else drawn thinly.
    sounding = np.flatnonzero(truth.any(axis=(0, 1))) if truth.any() else np.flatnonzero(predicted.any(axis=(0, 1)))
    low, high = (max(0, sounding[0] - 7), min(128, sounding[-1] + 8)) if len(sounding) else (48, 84)
    used = np.flatnonzero((truth | predicted).any(axis=(0, 2))).tolist()
    figure = Figure(figsize=(11, 8.2), dpi=130)
    FigureCanvasAgg(figure)
    panels = figure.subplots(3, 1, sharex=True, gridspec_kw={"hspace": 0.3})
    palette = np.array([to_rgb(COLOURS[place % len(COLOURS)]) for place in range(len(instruments))])
    kinds_of = (truth & predicted, truth & ~predicted, predicted & ~truth)
    hit, miss, false = (np.asarray(each.any(axis=1)) for each in kinds_of)
    judged = [(miss, MISS), (hit, HIT), (false, FALSE)]
    layers: dict[str, list[tuple[npt.NDArray[np.bool_], Any]]] = {
        "truth": [(truth[:, place], palette[place]) for place in used],
        "prediction": [(predicted[:, place], palette[place]) for place in used],
        "right and wrong, in notes times frames": [(mask, to_rgb(colour)) for mask, colour in judged],
    }
    for axes, (name, drawn) in zip(panels, layers.items(), strict=True):
        image = np.ones((high - low, len(truth), 3))
        black = np.isin(np.arange(low, high) % 12, (1, 3, 6, 8, 10))
        image[black] = to_rgb("#f1f4f7")  # the black keys
        for mask, colour in drawn:
            image[mask.T[low:high]] = colour
        extent = (0, len(truth) * hop, low - 0.5, high - 0.5)
        axes.imshow(image, origin="lower", aspect="auto", interpolation="nearest", extent=extent)
        octaves = [note for note in range(low, high) if note % 12 == 0]
        axes.set_yticks(octaves, [f"C{note // 12 - 1}" for note in octaves], fontsize=9, color=INK)
        for note in octaves:
            axes.axhline(note - 0.5, color=PALE, linewidth=0.8)  # between B and C, where it covers no note
        axes.tick_params(length=0, colors=INK, labelsize=9)
        axes.set_title(name, loc="left", fontsize=10, color=INK, fontweight="bold")
        for spine in axes.spines.values():
            spine.set_color(PALE)
    panels[-1].set_xlabel("seconds", color=INK, fontsize=9)
    players = [Patch(color=palette[place], label=instruments[place]) for place in used]
    names = (f"missed ({miss.sum():,})", f"right ({hit.sum():,})", f"false alarm ({false.sum():,})")
    kinds = [Patch(color=colour, label=name) for (_, colour), name in zip(judged, names, strict=True)]
    for axes, handles in ((panels[0], players), (panels[2], kinds)):
        if handles:
            place = {"loc": "lower right", "bbox_to_anchor": (1, 1), "ncols": max(3, (len(handles) + 1) // 2)}
            axes.legend(handles=handles, frameon=False, fontsize=8.5, labelcolor=INK, borderaxespad=0.1, **place)
    figure.suptitle(title, x=0.125, ha="left", fontsize=11, color=INK, y=0.955)
    figure.savefig(path, bbox_inches="tight")
