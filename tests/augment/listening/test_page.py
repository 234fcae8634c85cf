"""The page: what one hears is what was rendered, what one sees is well-formed, and nothing comes from elsewhere."""

import base64
import io
import re
from html.parser import HTMLParser

import numpy as np
import pytest
import soundfile
import torch
from PIL import Image

from semisupcon.augment import Chain, Delay, Gain
from semisupcon.augment.listening.page import Heading, page
from semisupcon.augment.listening.render import CANDIDATES, Studio
from semisupcon.augment.presets import PRESETS
from semisupcon.augment.registry import TRANSFORMS

RATE = 8000
EMPTY = {"meta", "img", "link", "br", "hr", "input", "source"}  # tags that have no end


class Reader(HTMLParser):
    """Reads a page: that every tag is closed in its turn, the attributes of each, and what is written."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.written: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.written.append(data)

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.tags if name == tag]


def music(seconds: float = 0.6) -> torch.Tensor:
    """(1, T) of a chord that fades, in steps of int16, so that FLAC keeps it exactly."""
    time = torch.arange(round(seconds * RATE)) / RATE
    chord = sum(torch.sin(2 * torch.pi * hertz * time) for hertz in (220.0, 440.0, 1500.0)) / 4
    return (chord * torch.exp(-2 * time) * 32768).round()[None] / 32768


def heard(flac: bytes) -> np.ndarray:
    samples, rate = soundfile.read(io.BytesIO(flac), dtype="float32")
    assert rate == RATE
    return samples


def content(uri: str, kind: str) -> bytes:
    head, _, data = uri.partition(",")
    assert head == f"data:{kind};base64"
    return base64.b64decode(data, validate=True)


@pytest.fixture(scope="module")
def everything():
    """A page of all there is, and what was rendered for it."""
    studio = Studio(music(), RATE, (1.0, 3.0), draws=2)
    transforms = [studio.render(name) for name in TRANSFORMS]
    presets = [studio.render(name) for name in PRESETS]
    heading = Heading('<b>&"a.wav', "1.0 s", "python -m x '<b>&'", RATE)
    return page(heading, studio.untouched(), transforms, presets), transforms, presets


def test_the_page_is_well_formed_and_complete(everything):
    text, transforms, presets = everything
    reader = Reader(text)

    assert reader.open == []
    full = sum(bool(PRESETS[name].make()) for name in PRESETS)
    sounds = 1 + 2 * len(TRANSFORMS) + 2 * 2 * full
    assert len(reader.all("audio")) == len(reader.all("img")) == len(reader.all("figure")) == sounds
    ids = [attributes["id"] for _, attributes in reader.tags if "id" in attributes]
    assert ids == ["original", *TRANSFORMS, *PRESETS]
    assert [attributes["href"] for attributes in reader.all("a")] == [f"#{name}" for name in ids[1:]]
    assert [entry.about.name for entry in (*transforms, *presets)] == ids[1:]


def test_every_player_and_picture_can_be_decoded(everything):
    reader = Reader(everything[0])

    for attributes in reader.all("audio"):
        samples = heard(content(attributes["src"], "audio/flac"))
        assert len(samples) == music().shape[1]
        assert np.isfinite(samples).all()
        assert np.abs(samples).max() <= 1
    for attributes in reader.all("img"):
        picture = Image.open(io.BytesIO(content(attributes["src"], "image/png")))
        picture.load()
        assert picture.format == "PNG"
        assert picture.height == 128
        assert attributes["alt"]


def test_nothing_comes_from_elsewhere(everything):
    reader = Reader(everything[0])

    assert not reader.all("link")
    assert all("src" not in attributes for attributes in reader.all("script"))
    plain = re.sub(r'src="data:[^"]*"', "", everything[0])
    assert not re.search(r"https?:|src=|url\(|@import", plain)


def test_names_are_text_and_no_markup(everything):
    reader = Reader(everything[0])

    assert '<b>&"a.wav' in reader.written
    assert "python -m x '<b>&'" in reader.written
    assert '<b>&"a.wav' not in everything[0]


def test_every_augmentation_says_what_it_does(everything):
    for entry in (*everything[1], *everything[2]):
        assert entry.about.sentence.endswith((".", "!", "?")), entry.about.name
        assert all(parameter.meaning for parameter in entry.about.parameters), entry.about.name


def test_the_original_is_as_it_was():
    assert np.array_equal(heard(Studio(music(), RATE).untouched().flac), music()[0].numpy())


def test_severities_differ_by_their_strength_and_not_by_the_draw():
    studio = Studio(music(), RATE, (0.0, 1.0, 2.0, 4.0))
    off, *others = studio.transform(Gain((-9.0, -1.0))).rows[0]

    assert np.array_equal(heard(off.flac), music()[0].numpy())
    loud = [20 * np.log10(np.abs(heard(each.flac)).max() / music().abs().max().item()) for each in others]
    assert loud == pytest.approx([loud[1] / 2, loud[1], 2 * loud[1]], abs=0.02)
    assert -9 <= loud[1] <= -1
    assert [each.label for each in others] == ["severity 1", "severity 2", "severity 4"]
    assert [each.notes for each in others] == [
        (f"p = {p:g}", f"level −{-d:.1f} dB") for p, d in zip((0.2, 0.4, 0.8), loud, strict=True)
    ]


def test_the_draw_is_neither_the_least_nor_the_most():
    studio = Studio(music(), RATE, (2.0,), seed=3)
    sound = studio.transform(Gain((-40.0, 0.0))).rows[0][0]

    torch.manual_seed(3)
    drawn = Gain((-40.0, 0.0)).effect(music().repeat(CANDIDATES, 1)[:, None], RATE, 1.0)[:, 0]
    middle = drawn[drawn.abs().amax(1).argsort()[CANDIDATES // 2]]
    assert heard(sound.flac) == pytest.approx(middle.numpy(), abs=1 / 32768)


def test_sound_beyond_full_scale_is_turned_down_for_playing_only():
    studio = Studio(music(), RATE, (2.0,))
    plain, loud = (studio.transform(Gain((gain, gain))).rows[0][0] for gain in (-6.0, 20.0))

    peak = 20 + 20 * np.log10(music().abs().max().item())
    assert peak > 3
    assert loud.notes == ("p = 0.4", "level +20.0 dB", f"−{peak:.1f} dB for playing")
    assert heard(loud.flac) == pytest.approx((music()[0] / music().abs().max()).numpy(), abs=1e-4)
    assert not any("playing" in note for note in plain.notes)
    assert (loud.picture.astype(int) - plain.picture).max() > 8  # what is seen is not turned down


def test_a_preset_is_the_chain_and_says_what_was_done():
    studio = Studio(music(), RATE, (2.0,), seed=5, draws=6)
    sounds = studio.render("multi_format").rows[0]

    for draw, sound in enumerate(sounds):
        torch.manual_seed(5 + draw)
        expected = Chain(["multi_format"], 2.0)(music()[None], RATE, torch.tensor([True]))[0, 0]
        assert expected.abs().max() < 1
        assert heard(sound.flac) == pytest.approx(expected.numpy(), abs=1 / 32768)
        unchanged = torch.equal(expected, music()[0])
        assert (sound.notes[0] == "left as it is") == unchanged
    assert len({sound.notes[0] for sound in sounds}) > 1
    assert {name for sound in sounds for name in sound.notes[0].split(", ")} <= {*TRANSFORMS, "left as it is"}


def test_severity_0_leaves_a_preset_as_it_is():
    row = Studio(music(), RATE, (0.0,)).render("multi_format").rows[0]

    assert {sound.notes for sound in row} == {("left as it is",)}


def test_the_seed_decides_and_the_generator_is_left_alone():
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first, again, other = (Studio(music(), RATE, (2.0,), seed=seed).transform(Delay()).rows[0][0] for seed in (0, 0, 1))

    assert first.flac == again.flac != other.flac
    assert torch.equal(torch.get_rng_state(), before)
