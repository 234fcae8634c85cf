"""Pictures of embedding spaces: each point where it lies and in the colour of what it is."""

import numpy as np
import pytest
from matplotlib.colors import to_hex
from PIL import Image

from semisupcon.datasets.keys import KEYS
from semisupcon.evaluation.colours import ENCODERS, RAMP, TAG, UNKNOWN, fifths, of_classes
from semisupcon.evaluation.figures.space import maps_picture, spectrum_picture
from semisupcon.evaluation.maps import Maps
from semisupcon.table import Task

LONG = "checkpoints/2026-07-12/samplecnn_semisupervised_mtat_bs48_long/last.ckpt"
nan = np.nan


def maps(clips, seed=0, tsne=True):
    rng = np.random.default_rng(seed)
    places = rng.normal(size=(2, clips, 2)).astype(np.float32)
    return Maps(places[0], places[1] if tsne else None, (0.4, 0.1), np.arange(clips))


def task(count, kind="multiclass", **more):
    return Task("gtzan", kind, tuple(f"class {k}" for k in range(count)), **more)


def coloured(axes):
    """(x, y) -> the colour of a point."""
    found = {}
    for group in axes.collections:
        group.update_scalarmappable()
        colours = [to_hex(each) for each in group.get_facecolors()]
        colours = colours * len(group.get_offsets()) if len(colours) == 1 else colours
        places = map(tuple, np.round(group.get_offsets(), 5).tolist())
        found.update(zip(places, colours, strict=True))
    return found


def expected(places, colours):
    return dict(zip(map(tuple, np.round(places.astype(float), 5).tolist()), colours, strict=True))


@pytest.mark.parametrize("encoders", [1, 4, 5])
def test_every_clip_has_the_colour_of_its_class_in_every_map(tmp_path, drawn, encoders):
    rng = np.random.default_rng(0)
    which = rng.integers(5, size=30)
    labels = np.eye(5, dtype=np.float32)[which]
    labels[[3, 8]] = nan
    given = {f"encoder {k}" if k else LONG: maps(30, k) for k in range(encoders)}
    maps_picture(given, labels, task(5), tmp_path / "m.png")
    figure = drawn[0]

    assert Image.open(tmp_path / "m.png").width <= 1400
    colours = [of_classes(task(5))[k] for k in which]
    colours[3] = colours[8] = UNKNOWN
    visible = [axes for axes in figure.axes if axes.get_visible()]
    assert len(visible) == 2 * encoders
    for number, found in enumerate(given.values()):
        block, column = divmod(number, 4)
        across = min(4, encoders)
        for row, places in enumerate((found.pca, found.tsne)):
            assert coloured(figure.axes[(2 * block + row) * across + column]) == expected(places, colours)
    explained = [text.get_text() for legend in figure.legends for text in legend.get_texts()]
    assert explained == [*(f"class {k}" for k in range(5)), "unknown"]
    assert figure.axes[0].get_xlabel() == "50% of the variance"


def test_keys_stand_in_the_bar_in_the_order_of_fifths(tmp_path, drawn):
    keys = Task("synth_key", "key", KEYS)
    given = maps(24)
    maps_picture({"ssl": given}, np.eye(24, dtype=np.float32), keys, tmp_path / "m.png")
    pca, _, bar = drawn[0].axes

    assert coloured(pca) == expected(given.pca, of_classes(keys))
    order = np.argsort(fifths(keys), kind="stable")
    assert [label.get_text() for label in bar.get_xticklabels()] == [KEYS[k] for k in order]


def test_many_classes_have_a_bar_on_which_some_are_named(tmp_path, drawn):
    given = maps(50)
    maps_picture({"ssl": given}, np.eye(50, dtype=np.float32), task(50), tmp_path / "m.png")
    pca, _, bar = drawn[0].axes

    assert coloured(pca) == expected(given.pca, of_classes(task(50)))
    assert [label.get_text() for label in bar.get_xticklabels()] == [f"class {k}" for k in range(0, 50, 2)]


def test_of_tags_the_one_that_halves_the_clips_is_shown_or_the_one_asked_for(tmp_path, drawn):
    labels = np.array([[1, 0, 1], [1, 1, 0], [1, nan, 0], [1, 1, 0], [1, 0, 0]], np.float32)
    given, tags = maps(5), task(3, "multilabel")
    without, with_ = TAG["without"], TAG["with"]
    maps_picture({"ssl": given}, labels, tags, tmp_path / "m.png")
    maps_picture({"ssl": given}, labels, tags, tmp_path / "m.png", column=2)

    assert coloured(drawn[0].axes[0]) == expected(given.pca, [without, with_, UNKNOWN, with_, without])
    assert coloured(drawn[1].axes[0]) == expected(given.pca, [with_, *[without] * 4])
    assert [figure.texts[0].get_text() for figure in drawn] == [f"gtzan: clips by the tag class {k}" for k in (1, 2)]


def test_values_go_along_the_ramp(tmp_path, drawn):
    given = maps(4)
    labels = np.array([[5, 0], [-1, 0], [nan, 0], [2, 0]], np.float32)
    maps_picture({"ssl": given}, labels, task(2, "regression"), tmp_path / "m.png")

    found = coloured(drawn[0].axes[0])
    assert found == expected(given.pca, [RAMP[-1], RAMP[0], UNKNOWN, RAMP[32]])


def test_degenerate_maps(tmp_path, drawn):
    few = {"ssl": maps(3, tsne=False)}
    maps_picture(few, np.full((3, 2), nan, np.float32), task(2), tmp_path / "m.png")
    maps_picture(few, np.full((3, 2), nan, np.float32), task(2, "regression"), tmp_path / "m.png")
    maps_picture(few, np.full((3, 2), nan, np.float32), task(2, "multilabel"), tmp_path / "m.png")
    same = Maps(np.zeros((3, 2), np.float32), None, (0, 0), np.arange(3))
    maps_picture({"ssl": same}, np.full((3, 2), 7, np.float32), task(2, "regression"), tmp_path / "m.png")

    assert [text.get_text() for text in drawn[0].axes[1].texts] == ["no t-SNE of these clips"]
    assert set(coloured(drawn[0].axes[0]).values()) == {UNKNOWN}


def test_maps_that_do_not_fit_are_refused(tmp_path):
    with pytest.raises(ValueError, match="no maps"):
        maps_picture({}, np.zeros((3, 2)), task(2), tmp_path / "m.png")
    with pytest.raises(ValueError, match="3 clips in the map of ssl, 4 rows"):
        maps_picture({"ssl": maps(3)}, np.zeros((4, 2)), task(2), tmp_path / "m.png")


@pytest.mark.parametrize("encoders", [1, 8])
def test_spectra_are_lines_with_their_ranks_in_the_legend(tmp_path, drawn, encoders):
    names = [LONG, *(f"encoder {k}" for k in range(1, encoders))]
    spectra = {name: np.exp(-np.arange(20 + k) / (2 + k)) for k, name in enumerate(names)}
    spectra[LONG][-3:] = [1e-7, 0, 0]
    spectrum_picture(spectra, tmp_path / "s.png", {LONG: 3.14})
    (axes,) = drawn[0].axes

    assert axes.get_yscale() == "log"
    assert [line.get_color() for line in axes.get_lines()] == list(ENCODERS[:encoders])
    for line, spectrum in zip(axes.get_lines(), spectra.values(), strict=True):
        np.testing.assert_array_equal(line.get_xdata(), np.arange(1, len(spectrum) + 1))
        np.testing.assert_array_equal(line.get_ydata(), np.where(spectrum > 1e-6, spectrum, nan))
    labels = [text.get_text() for legend in drawn[0].legends for text in legend.get_texts()]
    assert labels == [f"{LONG} (effective rank 3.1 of 20)", *names[1:]]


def test_a_collapsed_spectrum_and_none(tmp_path, drawn):
    spectrum_picture({"ssl": np.zeros(8)}, tmp_path / "s.png")
    with pytest.raises(ValueError, match="no spectra"):
        spectrum_picture({}, tmp_path / "s.png")
