"""Pictures of what an encoder's layers have become; matplotlib is imported by the functions."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from semisupcon.encoders.sincnet import SincConv, mel_cutoffs

POINTS = 1024  # frequencies that a response is drawn at


def draw_filters(layer: SincConv, initial: Tensor | None = None) -> Any:
    """A Figure of a sinc layer's band-pass filters: their gains, their bands before and after training, and their sum.

    Args:
        layer: the trained layer.
        initial: (F, 2) Hz, ``cutoffs()`` before training; None = the points of the mel scale that every layer begins
            with.
    """
    from matplotlib.figure import Figure

    with torch.no_grad():
        after = layer.cutoffs().cpu()
        before = mel_cutoffs(len(after), layer.sample_rate) if initial is None else initial.detach().cpu()
        hertz = torch.linspace(0, layer.sample_rate / 2, POINTS)
        gain = layer.response(hertz.to(layer.low.device)).cpu()  # (F, H)
    order = after.mean(dim=1).argsort()
    decibel = 20 * gain[order].clamp_min(1e-4).log10()

    figure = Figure(figsize=(14, 4.4), layout="constrained", dpi=110)
    gains, bands, total = figure.subplots(1, 3)
    image = gains.imshow(
        decibel,
        aspect="auto",
        origin="lower",
        cmap="magma",
        vmin=-60,
        vmax=0,
        interpolation="nearest",
        extent=(0, layer.sample_rate / 2000, 0, len(after)),
    )
    gains.set_title(f"gain of {len(after)} filters, by the middle of their bands", fontsize=10)
    gains.set_xlabel("kHz")
    gains.set_ylabel("filter")
    figure.colorbar(image, ax=gains, label="dB")

    start, end = ((each.mean(dim=1), each[:, 1] - each[:, 0]) for each in (before, after))
    pairs = zip(*(values.tolist() for values in (*start, *end)), strict=True)
    for centre, width, new_centre, new_width in pairs:
        bands.plot([centre, new_centre], [width, new_width], color="0.75", linewidth=0.7, zorder=1)
    bands.scatter(*start, s=16, facecolors="none", edgecolors="0.45", label="before training", zorder=2)
    bands.scatter(*end, s=16, color="#1f5f99", label="after", zorder=3)
    bands.set_xscale("log")
    bands.set_yscale("log")
    bands.set_title("bands before and after training", fontsize=10)
    bands.set_xlabel("middle, Hz")
    bands.set_ylabel("width, Hz")
    bands.legend(frameon=False, fontsize=9)

    for cutoffs, colour, name in ((before, "0.45", "before training"), (after, "#1f5f99", "after")):
        inside = (cutoffs[:, :1] <= hertz) & (hertz <= cutoffs[:, 1:])
        total.plot(hertz / 1000, inside.sum(dim=0), color=colour, linewidth=1.3, label=name)
    total.set_ylim(bottom=0)
    total.set_title("bands that hold a frequency", fontsize=10)
    total.set_xlabel("kHz")
    total.set_ylabel("filters")
    total.legend(frameon=False, fontsize=9)
    return figure
