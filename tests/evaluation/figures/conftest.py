"""What tests of pictures share: the figure that was saved, and whether everything on it can be read."""

from itertools import pairwise

import matplotlib.figure
import pytest
from matplotlib.text import Text


@pytest.fixture
def drawn(monkeypatch):
    """A list that holds each figure that is saved, after it is seen that no text is cut off at its edges."""
    figures = []
    save = matplotlib.figure.Figure.savefig

    def saved(figure, path, *args, **kwargs):
        save(figure, path, *args, **kwargs)
        figures.append(figure)
        check(figure)

    monkeypatch.setattr(matplotlib.figure.Figure, "savefig", saved)
    return figures


def check(figure):
    """No text leaves the picture, and no two labels of one axis lie over each other."""
    whole, undrawn = figure.bbox, set()
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            labels = [each for each in axis.get_ticklabels(which="both") if each.get_text()]
            undrawn |= {each for each in labels if not axes.get_visible() or not within(each, axis)}
            boxes = [each.get_window_extent() for each in labels if each not in undrawn]
            for one, other in pairwise(boxes):
                assert not one.overlaps(other), [each.get_text() for each in labels]
    for text in set(figure.findobj(Text)) - undrawn:
        box = text.get_window_extent()
        if text.get_visible() and text.get_text() and (text.axes is None or text.axes.get_visible()):
            inside = box.x0 >= -1 and box.y0 >= -1 and box.x1 <= whole.x1 + 1 and box.y1 <= whole.y1 + 1
            assert inside, f"{text.get_text()!r} is cut off: {box} of {whole}"


def within(label, axis):
    """Ticks outside the limits have labels that are not drawn."""
    place = label.get_position()[0 if axis.axis_name == "x" else 1]
    low, high = sorted(axis.get_view_interval())
    return low <= place <= high
