"""Colours of encoders, classes and values, the same in pictures and on the page."""

from __future__ import annotations

import math
import re

from semisupcon.table import Task

INK, SOFT, PALE, UNKNOWN = "#22303c", "#5b6b79", "#d9e2ea", "#d5dbe1"

ENCODERS = ("#1f5f99", "#e07b39", "#2f8f5b", "#a63d6f", "#7a6cc4", "#a88a1f", "#2fa3b5", "#6b7785")
"""In the order that encoders are given in; after eight they begin again."""

CLASSES = (
    *("#4477aa", "#ee6677", "#228833", "#aa3377", "#ee8833", "#66ccee", "#997700", "#332288", "#44aa99", "#cc3311"),
    *("#99aa22", "#777777"),
)
"""Of up to twelve classes, easy to tell apart on white."""

TAG = {"without": "#7d9fc2", "with": "#d2502f"}

_KEY = re.compile(r"([A-G])([#b]?) (major|minor)")
_STEPS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}


def oklch(lightness: float, chroma: float, hue: float) -> str:
    """A colour by what the eye sees, as ``#rrggbb``; what a screen cannot show is clipped (Ottosson 2020, Oklab).

    Args:
        lightness: 0 to 1.
        chroma: 0 = grey, about 0.2 = as vivid as a screen can.
        hue: in turns, 0 = pink, 1/3 = green, 2/3 = blue.
    """
    a, b = chroma * math.cos(2 * math.pi * hue), chroma * math.sin(2 * math.pi * hue)
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    middle = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    linear = (
        4.0767416621 * long - 3.3077115913 * middle + 0.2309699292 * short,
        -1.2684380046 * long + 2.6097574011 * middle - 0.3413193965 * short,
        -0.0041960863 * long - 0.7034186147 * middle + 1.7076147010 * short,
    )
    return "#" + "".join(f"{round(255 * _encoded(min(1.0, max(0.0, each)))):02x}" for each in linear)


def _encoded(linear: float) -> float:
    """The sRGB transfer function (IEC 61966-2-1)."""
    return 12.92 * linear if linear <= 0.0031308 else 1.055 * linear ** (1 / 2.4) - 0.055


def _ramp(at: float) -> str:
    # Paler in the middle: a screen has no vivid teal, and what is clipped looks like a step.
    return oklch(0.3 + 0.58 * at, 0.09 + 0.05 * (2 * at - 1) ** 2, 0.82 - 0.55 * at)


RAMP = tuple(_ramp(k / 63) for k in range(64))
"""Of values, from dark violet, the lowest, to yellow."""


def of_classes(task: Task) -> tuple[str, ...]:
    """A colour for each class.

    Up to twelve are set apart. Keys go around the circle of fifths, minor keys darker than their relative majors; more
    than twelve pitches go along the ramp in their order, more than twelve classes of anything else around the hues.
    """
    places = fifths(task)
    count = len(task.classes)
    if places:
        return tuple(oklch(*((0.5, 0.12) if place % 1 else (0.74, 0.14)), int(place) / 12) for place in places)
    if count <= len(CLASSES):
        return CLASSES[:count]
    if task.about == "pitch":
        return tuple(RAMP[round(k * (len(RAMP) - 1) / (count - 1))] for k in range(count))
    return tuple(oklch((0.62, 0.46, 0.76)[k % 3], 0.14, k / count) for k in range(count))


def fifths(task: Task) -> tuple[float, ...]:
    """Where each key of a key task stands on the circle of fifths, C major = 0, G major = 1; a minor key half a step
    behind its relative major. Nothing for other tasks, or where a name is no key such as ``Db major``."""
    found = [_KEY.fullmatch(name) for name in task.classes] if task.kind == "key" else []
    places = []
    for match in found:
        if match is None:
            return ()
        tonic = _STEPS[match[1]] + {"#": 1, "b": -1, "": 0}[match[2]]
        minor = match[3] == "minor"
        places.append((tonic + 3 * minor) * 7 % 12 + 0.5 * minor)
    return tuple(places)
