"""Spectrograms show what is there, where it is and how loud it is."""

import io

import numpy as np
import pytest
import torch
from PIL import Image

from semisupcon.augment.listening import plots


def tone(hertz: float, rate: int, seconds: float = 1.0) -> torch.Tensor:
    return torch.sin(2 * torch.pi * hertz * torch.arange(round(seconds * rate)) / rate)[None]


@pytest.mark.parametrize("rate", [8000, 22050, 48000])
@pytest.mark.parametrize("share", [0.02, 0.1, 0.4])
def test_a_tone_is_brightest_at_its_frequency(rate, share):
    decibels = plots.spectrogram(tone(share * rate, rate), rate)[0]

    row = int(decibels.mean(1).argmax())
    at = 1 - (row + 0.5) / plots.ROWS
    assert at == pytest.approx(plots.height(share * rate, rate), abs=1.5 / plots.ROWS)


def test_levels_are_in_decibels():
    audio = torch.cat([tone(1000, 22050), 0.1 * tone(1000, 22050)])
    loud, soft = plots.spectrogram(audio, 22050).amax((1, 2))

    assert loud - soft == pytest.approx(20, abs=0.01)


def test_white_noise_is_equally_bright_everywhere():
    torch.manual_seed(0)
    rows = plots.spectrogram(torch.randn(1, 10 * 22050), 22050)[0].mean(1)

    assert rows.std() < 0.7


@pytest.mark.parametrize("place", [0, 0.25, 0.5, 1])
def test_an_impulse_is_where_it_is_and_as_bright_anywhere(place):
    audio = torch.zeros(1, 22050)
    audio[0, round(place * 22049)] = 1
    brightness = plots.spectrogram(audio, 22050)[0].mean(0)

    assert (int(brightness.argmax()) + 0.5) / len(brightness) == pytest.approx(place, abs=0.03)
    assert brightness.max() == pytest.approx(-54.9, abs=0.75)  # the window at most an eighth off its top


@pytest.mark.parametrize("samples", [1, 100, 22050, 30 * 22050])
def test_any_length_gives_a_picture(samples):
    decibels = plots.spectrogram(torch.zeros(2, samples), 22050)

    assert decibels.shape[:2] == (2, plots.ROWS)
    assert 1 <= decibels.shape[2] <= plots.COLUMNS
    assert decibels.isfinite().all()


def test_colours_go_from_the_reference_down():
    picture = plots.image(torch.tensor([[10.0, 0.0, -plots.RANGE / 2, -plots.RANGE, -200.0]]), 0.0)

    assert picture.tolist() == [[63, 63, 32, 0, 0]]


def test_a_png_has_a_pixel_for_each_value():
    picture = np.arange(plots.COLOURS, dtype=np.uint8)[None].repeat(3, 0)
    decoded = Image.open(io.BytesIO(plots.png(picture)))

    assert decoded.size == (plots.COLOURS, 3)
    brightness = np.asarray(decoded.convert("L"), int)
    assert (np.diff(brightness, axis=1) >= 0).all()
    assert brightness[0, 0] < 5
    assert brightness[0, -1] > 240


def test_marks_are_in_order_and_within_the_picture():
    for rate in (8000, 22050, 48000):
        places = [where for _, where in plots.marks(rate)]
        assert places == sorted(places)
        assert 0 < places[0] < places[-1] < 1


def test_the_overview_shows_all_of_them():
    bright, dark = (np.full((plots.ROWS, 50), colour, np.uint8) for colour in (plots.COLOURS - 1, 0))
    rows = [("first", [bright, dark]), ("second", [dark, bright])]
    drawn = Image.open(io.BytesIO(plots.overview(rows, ["a", "b"], 5.0, 22050)))

    assert drawn.info["Software"] == plots.SOFTWARE
    shown = np.asarray(drawn.convert("RGB"), int)
    black = (shown.sum(2) < 30).mean()
    assert black == pytest.approx((np.abs(shown - (252, 253, 191)).sum(2) < 12).mean(), rel=0.02)
    assert black > 0.15
