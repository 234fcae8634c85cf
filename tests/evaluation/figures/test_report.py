"""The picture of a report: every value, interval and chance is where it belongs, and all can be read."""

import numpy as np
import pytest
from matplotlib.colors import to_hex
from PIL import Image

from semisupcon.evaluation.colours import ENCODERS
from semisupcon.evaluation.figures.report import Panel, report_picture

TASKS = ("mtat_top50", "gtzan", "nsynth_instr_family", "vocalset_technique", "giantsteps", "emomusic") * 2
LONG = "checkpoints/2026-07-12/samplecnn_semisupervised_mtat_bs48_long/last.ckpt"
NAMES = ("untrained", "ssl", "smsl p=0.25", LONG, "clmr", "cola efficientnet-b0", "multi-format", r"a$\frac$b")
NOTE = "test split, 95 % bootstrap over artists, players or clips; linear and MLP probe, segment embeddings averaged"
nan = np.nan


def panels(tasks, encoders, seed=0):
    rng = np.random.default_rng(seed)

    def row(name):
        kinds = {kind: rng.uniform(0.1, 0.9) for kind in ("linear", "mlp")}
        return name, {kind: (value, value - 0.03, value + 0.02) for kind, value in kinds.items()}

    return [Panel(task, "accuracy", 0.1, [row(name) for name in NAMES[:encoders]]) for task in TASKS[:tasks]]


def dots(axes):
    """(value, row) -> (marker, colour, whether filled) of all points."""
    return {
        (round(float(line.get_xdata()[0]), 6), round(float(line.get_ydata()[0]))): (
            *(line.get_marker(), to_hex(line.get_color())),
            to_hex(line.get_markerfacecolor()) != "#ffffff",
        )
        for line in axes.get_lines()
        if line.get_marker() != "None"
    }


def lines(axes):
    """(low, high, row) of all intervals."""
    found = [each for each in axes.get_lines() if each.get_marker() == "None" and each.get_linestyle() == "-"]
    return {(*np.round(each.get_xdata(), 6).tolist(), round(float(each.get_ydata()[0]))) for each in found}


@pytest.mark.parametrize("encoders", [1, 4, 8])
@pytest.mark.parametrize("tasks", [1, 2, 5, 12])
def test_values_intervals_and_chance_stand_in_every_panel(tmp_path, drawn, tasks, encoders):
    given = panels(tasks, encoders)
    report_picture(given, tmp_path / "report.png", NOTE)
    (figure,) = drawn

    assert Image.open(tmp_path / "report.png").width <= 1400
    assert (tmp_path / "report.png").stat().st_size > 8000
    assert [axes.get_title(loc="left") for axes in figure.axes] == list(TASKS[:tasks])
    for axes, panel in zip(figure.axes, given, strict=True):
        expected, spans = {}, set()
        for place, (_, kinds) in enumerate(panel.rows):
            for kind, (value, low, high) in kinds.items():
                expected[round(value, 6), place] = ("o", ENCODERS[place], kind == "linear")
                spans.add((round(low, 6), round(high, 6), place))
        assert dots(axes) == expected
        assert lines(axes) == spans
        lanes = [line.get_ydata()[0] for line in axes.get_lines() if line.get_marker() != "None"]
        assert {round(float(lane - np.round(lane)), 3) for lane in lanes} == {-0.16, 0.16}
        chance = [line for line in axes.get_lines() if line.get_linestyle() == "--"]
        assert [list(line.get_xdata()) for line in chance] == [[0.1, 0.1]]
        assert axes.yaxis_inverted()


def test_what_is_undefined_missing_or_far_below_is_said(tmp_path, drawn):
    given = [
        Panel("gtzan", "accuracy", nan, [("ssl", {"linear": (nan, nan, nan), "mlp": (0.4, nan, nan)})]),
        Panel(
            "emomusic", "r2", 0, [("untrained", {"linear": (-35.2, -60, -20)}), ("ssl", {"linear": (0.3, 0.2, 0.4)})]
        ),
        Panel("giantsteps", "mirex", 0.05, []),
    ]
    report_picture(given, tmp_path / "report.png")
    gtzan, emomusic, giantsteps = drawn[0].axes

    assert dots(gtzan) == {(0.4, 0): ("o", ENCODERS[0], False)}
    assert [text.get_text() for text in gtzan.texts] == ["undefined"]
    assert lines(gtzan) == set()
    assert not [line for line in gtzan.get_lines() if line.get_linestyle() == "--"]
    # ssl came first, and so stands above in every panel.
    assert dots(emomusic) == {(-1, 1): ("<", ENCODERS[1], True), (0.3, 0): ("o", ENCODERS[0], True)}
    assert [text.get_text() for text in emomusic.texts] == ["-35.2"]
    assert emomusic.get_xlim()[0] > -1.2
    assert [text.get_text() for text in giantsteps.texts] == ["no result"]


def test_a_name_that_is_cut_is_whole_in_the_legend(tmp_path, drawn):
    report_picture(panels(1, 4), tmp_path / "report.png")
    (figure,) = drawn
    explained = [text.get_text() for legend in figure.legends for text in legend.get_texts()]

    assert explained == ["linear", "mlp", "chance", LONG]
    names = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert names[:3] == list(NAMES[:3])
    assert names[3].startswith("checkpoints/20")
    assert names[3].endswith("last.ckpt")
    assert len(names[3]) == 30


def test_a_report_without_results_has_no_picture(tmp_path):
    for empty in ([], [Panel("gtzan", "accuracy", 0.1, [])]):
        with pytest.raises(ValueError, match="without a result"):
            report_picture(empty, tmp_path / "report.png")
