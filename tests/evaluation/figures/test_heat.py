"""Heat maps: rows in the order of the harm, one scale for all, numbers where there is room, grey for none."""

import numpy as np
import pytest
from PIL import Image

from semisupcon.evaluation.figures.heat import grid_picture, heat_picture

NAMES = ("untrained", "ssl", "smsl", "checkpoints/2026-07-12/samplecnn_semisupervised.ckpt", "clmr", "cola", "a b", "c")
nan = np.nan


def shown(axes):
    return axes.get_images()[0].get_array()


def numbers(axes):
    return [text.get_text() for text in axes.texts]


@pytest.mark.parametrize("encoders", [1, 3, 8])
@pytest.mark.parametrize("count", [1, 6, 24])
def test_all_maps_have_one_order_and_one_scale_about_zero(tmp_path, drawn, count, encoders):
    rng = np.random.default_rng(0)
    values = -rng.uniform(0, 0.6, (encoders, count, 5))
    values[0, 0, 0] = 0.1
    augmentations = [f"augmentation_{k}" for k in range(count)]
    heat_picture(values, NAMES[:encoders], augmentations, tmp_path / "h.png", "under corruption", "to clean")
    *maps, bar = drawn[0].axes

    assert Image.open(tmp_path / "h.png").width <= 1400
    assert len(maps) == encoders
    order = np.argsort(values.mean(axis=(0, 2)))
    assert [label.get_text() for label in maps[0].get_yticklabels()] == [augmentations[k] for k in order]
    reach = np.abs(values).max()
    for axes, value in zip(maps, values, strict=True):
        np.testing.assert_array_equal(shown(axes), value[order])
        assert axes.get_images()[0].get_clim() == (-reach, reach)
        assert len(numbers(axes)) == (5 * count if encoders <= 3 else 0)
    assert bar.get_xlabel() == "to clean"
    assert maps[0].get_images()[0].cmap(0.0)[0] > maps[0].get_images()[0].cmap(0.0)[2]  # red is worse


def test_what_is_unknown_is_grey_and_counts_for_nothing(tmp_path, drawn):
    values = np.array([[[0.1, nan], [-0.3, -0.004], [nan, nan], [0.02, -1.25]]])
    names = ["mild", "harsh", "unknown", "worst"]
    heat_picture(values, ["ssl"], names, tmp_path / "h.png", "t", "l", severities=[0.5, 3])
    axes = drawn[0].axes[0]

    assert [label.get_text() for label in axes.get_yticklabels()] == ["worst", "harsh", "mild", "unknown"]
    assert numbers(axes) == ["+.02", "-1.25", "-.30", "0", "+.10"]
    assert shown(axes).mask.tolist() == [[False, False], [False, False], [False, True], [True, True]]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["0.5", "3"]


def test_nothing_known_is_a_grey_map(tmp_path, drawn):
    heat_picture(np.full((1, 2, 5), nan), ["ssl"], ["a", "b"], tmp_path / "h.png", "t", "l")
    grid_picture(np.full((2, 2), nan), [0.1, 1], [0, 1], tmp_path / "g.png", "t", "l")

    assert all(shown(figure.axes[0]).mask.all() for figure in drawn)


def test_long_names_stand_whole_or_at_both_ends(tmp_path, drawn):
    heat_picture(np.zeros((8, 1, 5)), NAMES, ["gain"], tmp_path / "h.png", "t", "l")
    titles = [axes.get_title(loc="left") for axes in drawn[0].axes[:8]]

    assert titles[:3] == ["untrained", "ssl", "smsl"]
    assert titles[3].startswith("check")
    assert titles[3].endswith("ckpt")


@pytest.mark.parametrize("size", [(1, 1), (5, 6), (3, 10)])
def test_a_grid_shows_its_numbers(tmp_path, drawn, size):
    values = np.random.default_rng(0).uniform(0.3, 0.9, size)
    ps, bs = np.linspace(0.01, 1, size[0]), np.linspace(0, 1, size[1])
    grid_picture(values, ps, bs, tmp_path / "g.png", "mtat_top50: linear probe", "pr_auc")
    axes, bar = drawn[0].axes

    np.testing.assert_array_equal(shown(axes), values)
    low, high = axes.get_images()[0].get_clim()
    assert (low, high) == ((values.min(), values.max()) if values.size > 1 else (values[0] - 0.5, values[0] + 0.5))
    assert numbers(axes) == [f"{value:.3f}" for value in values.ravel()]
    assert [label.get_text() for label in axes.get_yticklabels()] == [f"{p:g}" for p in ps]
    assert [label.get_text() for label in axes.get_xticklabels()] == [f"{b:g}" for b in bs]
    assert bar.get_ylabel() == "pr_auc"


def test_what_does_not_fit_is_refused(tmp_path):
    with pytest.raises(ValueError, match="2 encoders"):
        heat_picture(np.zeros((1, 2, 5)), ["a", "b"], ["c", "d"], tmp_path / "h.png", "t", "l")
    with pytest.raises(ValueError, match="0 augmentations"):
        heat_picture(np.zeros((1, 0, 5)), ["a"], [], tmp_path / "h.png", "t", "l")
    with pytest.raises(ValueError, match="1 p_s and 2 b_s"):
        grid_picture(np.zeros((2, 2)), [1], [0, 1], tmp_path / "g.png", "t", "l")
    with pytest.raises(ValueError, match="0 p_s"):
        grid_picture(np.zeros((0, 2)), [], [0, 1], tmp_path / "g.png", "t", "l")
