"""Curves: values, bands and single draws are drawn, on axes that can be read."""

import numpy as np
import pytest
from matplotlib.colors import to_hex
from PIL import Image

from semisupcon.evaluation.colours import ENCODERS
from semisupcon.evaluation.figures.curves import Curve, curves_picture

SHARES = np.array([0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1])
NAMES = ("untrained", "ssl", "smsl", "a checkpoint with a name/that is so long/that it takes a line/of its own.ckpt")
nan = np.nan


def curve(x, seed=0, draws=None):
    rng = np.random.default_rng(seed)
    value = np.sort(rng.uniform(0.2, 0.8, len(x)))
    spread = None if draws is None else value[:, None] + rng.normal(0, 0.02, (len(x), draws))
    return Curve(x, value, value - 0.05, value + 0.04, spread)


def panels(count, encoders, x=SHARES, draws=3):
    return {
        f"panel number {k}": {name: curve(x, 10 * k + e, draws) for e, name in enumerate(NAMES[:encoders])}
        for k in range(count)
    }


def drawn_lines(axes):
    return {
        to_hex(line.get_color()): (np.asarray(line.get_xdata()), np.asarray(line.get_ydata()))
        for line in axes.get_lines()
        if line.get_linestyle() == "-"
    }


@pytest.mark.parametrize(("count", "encoders"), [(1, 1), (1, 4), (5, 2), (10, 1), (24, 4)])
def test_every_curve_has_its_band_and_its_draws(tmp_path, drawn, count, encoders):
    given = panels(count, encoders)
    labels = {name: f"metric {number % 2}" for number, name in enumerate(given)}
    chance = dict.fromkeys(given, 0.1) | {"panel number 0": nan}
    curves_picture(given, tmp_path / "c.png", "share of labels", labels, "Few labels", True, chance)
    (figure,) = drawn

    assert Image.open(tmp_path / "c.png").width <= 1400
    assert len(figure.axes) == count
    for axes, (name, curves) in zip(figure.axes, given.items(), strict=True):
        assert axes.get_title(loc="left") == name
        found = drawn_lines(axes)
        assert list(found) == list(ENCODERS[:encoders])
        bands = axes.collections
        dots = [line for line in axes.get_lines() if line.get_linestyle() == "None"]
        for (x, y), band, dot, each in zip(found.values(), bands, dots, curves.values(), strict=True):
            np.testing.assert_array_equal(x, each.x)
            np.testing.assert_array_equal(y, each.value)
            corners = band.get_paths()[0].vertices
            assert corners[:, 1].min() == pytest.approx(each.low.min())
            assert corners[:, 1].max() == pytest.approx(each.high.max())
            np.testing.assert_array_equal(np.reshape(dot.get_ydata(), each.draws.shape), each.draws)
            np.testing.assert_array_equal(dot.get_xdata(), np.repeat(each.x, 3))
        dashes = [line for line in axes.get_lines() if line.get_linestyle() == "--"]
        assert [line.get_ydata()[0] for line in dashes] == ([] if name == "panel number 0" else [0.1])
        assert axes.get_xscale() == "log"
        ticks = [label.get_text() for label in axes.get_xticklabels()]
        assert ticks[0] == "100%"
        assert "1%" in ticks
        assert axes.get_ylabel() == labels[name]


def test_severities_are_a_linear_axis_with_a_tick_each_and_one_scale_where_asked(tmp_path, drawn):
    given = panels(8, 2, range(6), None)
    given["panel number 3"]["ssl"] = Curve(range(6), [0.9, 0.8, nan, -0.6, 0.5, nan], [nan] * 6, [nan] * 6)
    labels = dict.fromkeys(given, "accuracy")
    curves_picture(given, tmp_path / "c.png", "severity", labels, "Robustness", same_y=True, note="what the bands are")
    (figure,) = drawn

    for axes in figure.axes:
        assert sorted(label.get_text() for label in axes.get_xticklabels()) == list("012345")
        assert axes.get_ylim() == figure.axes[0].get_ylim()
    assert figure.axes[0].get_ylim()[0] < -0.6
    assert [axes.get_ylabel() for axes in figure.axes] == ["accuracy", "", ""] * 2 + ["accuracy", ""]
    assert {"severity", "Robustness", "what the bands are"} <= {text.get_text() for text in figure.texts}


def test_an_encoder_keeps_its_colour_where_others_are_missing(tmp_path, drawn):
    given = panels(2, 2)
    del given["panel number 1"]["untrained"]
    curves_picture(given, tmp_path / "c.png", "x", {}, "t", True)

    assert list(drawn_lines(drawn[0].axes[1])) == [ENCODERS[1]]


def test_one_point_is_a_curve_too(tmp_path, drawn):
    curves_picture({"a": {"ssl": Curve([1.0], [0.5], [nan], [nan])}}, tmp_path / "c.png", "x", {}, "t", True)

    assert drawn_lines(drawn[0].axes[0])[ENCODERS[0]][1].tolist() == [0.5]


def test_nothing_to_draw_and_no_logarithm(tmp_path):
    for empty in ({}, {"a": {}}):
        with pytest.raises(ValueError, match="no curves"):
            curves_picture(empty, tmp_path / "c.png", "x", {}, "t")
    with pytest.raises(ValueError, match="a share of 0"):
        curves_picture(panels(1, 1, np.array([0, 0.5])), tmp_path / "c.png", "x", {}, "t", True)
