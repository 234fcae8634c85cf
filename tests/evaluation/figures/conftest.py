"""What tests of pictures share: the figure that was saved, and whether everything on it can be read."""

import matplotlib.figure
import numpy as np
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
    """No text leaves the picture, and no two texts lie over each other."""
    texts = [each for each in figure.findobj(Text) if each.get_text() and each.get_visible()]
    hidden = unseen(figure)
    texts = [each for each in texts if each not in hidden and (each.axes is None or each.axes.get_visible())]
    boxes = np.array([each.get_window_extent().extents for each in texts])
    words = [each.get_text() for each in texts]
    outside = (boxes[:, :2] < -1).any(axis=1) | (boxes[:, 2:] > np.add(figure.bbox.size, 1)).any(axis=1)
    assert not outside.any(), [words[k] for k in np.flatnonzero(outside)]
    low, high = boxes[:, None, :2] + 1, boxes[:, None, 2:] - 1  # boxes may touch
    over = np.triu(((low < boxes[None, :, 2:]) & (high > boxes[None, :, :2])).all(axis=2), 1)
    assert not over.any(), [(words[one], words[other]) for one, other in np.argwhere(over)]


def unseen(figure):
    """Ticks outside the limits have labels that are not drawn."""
    found = set()
    for axes in figure.axes:
        for axis, name in ((axes.xaxis, 0), (axes.yaxis, 1)):
            low, high = sorted(axis.get_view_interval())
            labels = axis.get_ticklabels(which="both")
            found |= {each for each in labels if not low <= each.get_position()[name] <= high}
    return found
