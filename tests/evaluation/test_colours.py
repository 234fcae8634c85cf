"""Colours: the colour space against published values, and that what is different looks different."""

import colorsys

import pytest

from semisupcon.datasets.keys import KEYS
from semisupcon.evaluation.colours import CLASSES, RAMP, fifths, of_classes, oklch
from semisupcon.table import Task


def classes(count, kind="multiclass", about=""):
    return Task("task", kind, tuple(f"class {k}" for k in range(count)), about=about)


def rgb(colour):
    return tuple(int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))


@pytest.mark.parametrize(
    ("lightness", "chroma", "degrees", "colour"),
    [
        (0, 0, 0, "#000000"),
        (1, 0, 0, "#ffffff"),
        (0.62796, 0.25768, 29.234, "#ff0000"),  # the corners of sRGB, as CSS Color 4 gives them
        (0.86644, 0.29483, 142.495, "#00ff00"),
        (0.45201, 0.31321, 264.052, "#0000ff"),
        (0.59987, 0, 0, "#808080"),
    ],
)
def test_oklch_is_that_of_the_web(lightness, chroma, degrees, colour):
    assert oklch(lightness, chroma, degrees / 360) == colour


def test_keys_stand_on_the_circle_of_fifths_beside_their_relatives():
    task = Task("key", "key", KEYS)
    places = dict(zip(KEYS, fifths(task), strict=True))

    assert [key for key in sorted(places, key=places.get) if "major" in key] == [
        *("C major", "G major", "D major", "A major", "E major", "B major"),
        *("Gb major", "Db major", "Ab major", "Eb major", "Bb major", "F major"),
    ]
    assert places["A minor"] == places["C major"] + 0.5
    assert places["Gb minor"] == places["A major"] + 0.5
    colour = dict(zip(KEYS, of_classes(task), strict=True))
    hue = {key: colorsys.rgb_to_hls(*rgb(colour[key]))[0] for key in KEYS}
    assert abs(hue["A minor"] - hue["C major"]) < 0.08
    assert sum(rgb(colour["A minor"])) < sum(rgb(colour["C major"]))


def test_keys_under_other_names_are_classes_like_others():
    assert fifths(Task("key", "key", ("C major", "re"))) == ()
    assert fifths(classes(3)) == ()
    assert of_classes(Task("key", "key", ("do", "re"))) == CLASSES[:2]


@pytest.mark.parametrize("task", [classes(1), classes(12), classes(13), classes(50), classes(60, about="pitch")])
def test_every_class_has_a_colour_of_its_own(task):
    found = of_classes(task)

    assert len(found) == len(set(found)) == len(task.classes)
    assert all(len(colour) == 7 and max(rgb(colour)) <= 1 for colour in found)


def test_values_and_pitches_become_lighter_as_they_rise():
    light = [0.2126 * red + 0.7152 * green + 0.0722 * blue for red, green, blue in map(rgb, RAMP)]

    assert light == sorted(light)
    assert of_classes(classes(64, about="pitch")) == RAMP
