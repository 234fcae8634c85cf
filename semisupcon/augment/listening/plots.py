"""Spectrograms: as numbers, as small PNG files, and all of them in one picture.

matplotlib is imported by the functions, and drawn with its Agg canvas: no display, no global state.
"""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

Image = npt.NDArray[np.uint8]
"""(ROWS, columns) of a spectrogram, low frequencies last; COLOURS - 1 = a reference, 0 = RANGE dB below it or less."""

ROWS, COLUMNS = 128, 440  # COLUMNS at the most
RANGE = 80.0  # dB
COLOURS = 64
MARKS = (250, 1000, 2000, 4000, 8000, 16000)  # Hz, on the frequency axis
SOFTWARE = "semisupcon.augment"  # in a PNG's header

_LOWEST = 30.0  # Hz
_WINDOW = 0.046  # s, which tells the partials of a chord apart and still shows a drum
_MAP = "magma"
_INK, _PALE = "#22303c", "#5d6b78"


def spectrogram(audio: Tensor, sample_rate: int) -> Tensor:
    """Power in ROWS bands of equal width on the mel scale: (n, T) -> (n, ROWS, columns) dB, low frequencies last."""
    size = 2 ** max(6, round(math.log2(_WINDOW * sample_rate)))
    # An impulse at either end is as bright as one in the middle.
    padded = F.pad(audio, (size // 2, size // 2 + max(0, size - audio.shape[1])))
    window = torch.hann_window(size)
    power = torch.stft(padded, size, size // 4, window=window, center=False, return_complex=True).abs().square_()
    bands = _bands(size, sample_rate) @ power  # (n, ROWS, frames)
    if bands.shape[-1] > COLUMNS:
        bands = F.adaptive_avg_pool1d(bands, COLUMNS)
    return 10 * (bands / window.sum() ** 2).clamp_(min=1e-12).log10()


def image(decibels: Tensor, reference: float) -> Image:
    """(ROWS, columns) dB as colours, where the brightest is at ``reference`` dB."""
    share = ((decibels - reference) / RANGE + 1).clamp(0, 1)
    return (share * (COLOURS - 1)).round().to(torch.uint8).numpy()


def height(hertz: float, sample_rate: int) -> float:
    """Where a frequency is in a spectrogram, from 0 at the lower to 1 at the upper end."""
    low, high = _mel(_LOWEST), _mel(sample_rate / 2)
    return (_mel(hertz) - low) / (high - low)


def marks(sample_rate: int) -> list[tuple[str, float]]:
    """The frequency axis: what is written, and at which height."""
    names = {hertz: f"{hertz // 1000}k" if hertz >= 1000 else str(hertz) for hertz in MARKS}
    return [(names[hertz], height(hertz, sample_rate)) for hertz in MARKS if hertz < 0.45 * sample_rate]


def png(picture: Image) -> bytes:
    """A spectrogram as a PNG file of as many pixels, with a palette: a quarter of what colours for each pixel take."""
    from PIL import Image as Pillow

    drawn = Pillow.fromarray(picture, mode="P")
    drawn.putpalette(_palette().tobytes())
    file = io.BytesIO()
    drawn.save(file, format="PNG", optimize=True)
    return file.getvalue()


def overview(
    rows: Sequence[tuple[str, Sequence[Image]]],
    columns: Sequence[str],
    seconds: float,
    sample_rate: int,
) -> bytes:
    """Spectrograms below and beside each other, as a PNG file.

    Args:
        rows: name and spectrograms of each, as many as there are columns.
        columns: what stands above them.
        seconds: the length of every sound.
        sample_rate: Hz.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    left, top, bottom, right, gap = 1.75, 0.36, 0.42, 0.5, 0.07  # inches
    wide, high = 2.1, 0.78
    width = left + len(columns) * (wide + gap) + right
    tall = top + len(rows) * (high + gap) + bottom
    figure = Figure(figsize=(width, tall), dpi=100)
    FigureCanvasAgg(figure)
    for at, (name, pictures) in enumerate(rows):
        for column, picture in enumerate(pictures):
            corner = left + column * (wide + gap), tall - top - (at + 1) * (high + gap)
            axes = figure.add_axes((corner[0] / width, corner[1] / tall, wide / width, high / tall))
            axes.imshow(picture, cmap=_MAP, vmin=0, vmax=COLOURS - 1, aspect="auto", extent=(0, seconds, 0, 1))
            _bare(axes)
            if at == 0:
                axes.set_title(columns[column], loc="left", fontsize=10, color=_INK, pad=5)
            if at == len(rows) - 1:
                axes.set_xticks([0, seconds], ["0", f"{seconds:g} s"], fontsize=8, color=_PALE)
                first, last = axes.get_xticklabels()
                first.set_horizontalalignment("left")
                last.set_horizontalalignment("right")
            if column == 0:
                axes.text(-0.04, 0.5, name, transform=axes.transAxes, ha="right", va="center", fontsize=10, color=_INK)
            if column == len(columns) - 1:
                ticks = marks(sample_rate)[::2]
                axes.set_yticks([where for _, where in ticks], [what for what, _ in ticks], fontsize=7, color=_PALE)
                axes.yaxis.tick_right()
    figure.text(1 - (right - 0.03) / width, 1 - (top - 0.02) / tall, "Hz", va="bottom", fontsize=7, color=_PALE)
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return _small(file)


def _small(file: io.BytesIO) -> bytes:
    """A PNG file with a palette, which takes a third of the room."""
    from PIL import Image as Pillow
    from PIL.PngImagePlugin import PngInfo

    said, out = PngInfo(), io.BytesIO()
    said.add_text("Software", SOFTWARE)
    colours = np.concatenate([_palette(), *map(_shades, (_INK, _PALE))]).astype(np.int32)
    pixels = np.asarray(Pillow.open(file).convert("RGB")).astype(np.int32)
    # Few are different, and for each of those the nearest is sought.
    there, which = np.unique(pixels @ (65536, 256, 1), return_inverse=True)
    different = np.stack([there >> 16, there >> 8 & 255, there & 255], -1)
    nearest = np.square(different[:, None] - colours).sum(-1).argmin(-1).astype(np.uint8)
    drawn = Pillow.fromarray(nearest[which].reshape(pixels.shape[:2]), mode="P")
    drawn.putpalette(colours.astype(np.uint8).tobytes())
    drawn.save(out, format="PNG", optimize=True, pnginfo=said)
    return out.getvalue()


def _palette() -> Image:
    """(COLOURS, 3) from dark to bright."""
    from matplotlib import colormaps

    return np.asarray(colormaps[_MAP](np.linspace(0, 1, COLOURS))[:, :3] * 255).round().astype(np.uint8)


def _shades(colour: str) -> Image:
    """(32, 3) from white to a colour, for the edges of letters."""
    end = np.array(list(bytes.fromhex(colour[1:])))
    return (255 + np.linspace(0, 1, 32)[:, None] * (end - 255)).round().astype(np.uint8)


def _bare(axes: Any) -> None:
    axes.set_xticks([])
    axes.set_yticks([])
    axes.tick_params(length=0, pad=3)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _mel(hertz: float) -> float:
    """O'Shaughnessy 1987, but for the factor."""
    return math.log1p(hertz / 700)


@lru_cache(maxsize=2)
def _bands(size: int, sample_rate: int) -> Tensor:
    """(ROWS, F): the share of each band, high ones first, that each bin of the Fourier transform covers.

    The bands are boxes and not the usual triangles: narrow ones at the bottom then cover a part of a bin, and none
    is empty.
    """
    edges = 700 * torch.expm1(torch.linspace(_mel(sample_rate / 2), _mel(_LOWEST), ROWS + 1, dtype=torch.float64))
    high, low = edges[:-1, None], edges[1:, None]
    step = sample_rate / size
    middles = torch.arange(size // 2 + 1) * step
    covered = torch.minimum(high, middles + step / 2) - torch.maximum(low, middles - step / 2)
    return (covered.clamp(min=0) / (high - low)).float()
