"""``python -m semisupcon.augment``: what is written and where, and what is said when something is wrong."""

import io
import re
import runpy
import sys

import numpy as np
import pytest
import soundfile
import torch
from PIL import Image

from semisupcon.augment.listening.listen import excerpt, main
from semisupcon.augment.listening.options import parse

RATE = 8000


def counting(seconds: float) -> np.ndarray:
    """Int16 samples that tell where they are."""
    return (np.arange(round(seconds * RATE)) % 30000 + 1).astype(np.int16)


@pytest.fixture
def song(tmp_path, monkeypatch):
    """A file of 3 s in the current folder, which is empty but for it."""
    monkeypatch.chdir(tmp_path)
    soundfile.write("song.wav", counting(3), RATE)
    return "song.wav"


@pytest.fixture
def call(capfd, tmp_path):
    """Call the command: ``call(*args)`` -> exit status, standard output, and error output."""

    def calling(*args):
        status = main([f"--target_sr={RATE}", *args])
        captured = capfd.readouterr()
        return status, captured.out, captured.err

    return calling


def test_a_page_is_written_and_named(song, call, tmp_path):
    status, out, err = call(song, "--aug_list=gain,delay")

    assert (status, out) == (0, "semisupcon_augment.html\n")
    assert "error" not in err
    text = (tmp_path / "semisupcon_augment.html").read_text("utf-8")
    assert text.count("<audio") == 7
    assert "song.wav" in text
    assert sorted(path.name for path in tmp_path.iterdir()) == ["semisupcon_augment.html", "song.wav"]


def test_options_are_followed(song, call, tmp_path):
    args = ("--aug_list=[delay, multi_format]", "--severities=5,0.5", "--draws=4", "--output=a/b.html", "--seconds=1")
    status, out, _ = call(song, *args)

    assert (status, out) == (0, "a/b.html\n")
    text = (tmp_path / "a" / "b.html").read_text("utf-8")
    assert re.findall(r"<b>(severity [\d.]+)</b>", text) == ["severity 0.5", "severity 5"]
    assert text.count("<audio") == 1 + 2 + 2 * 4
    assert text.count('data-seconds="1.0000"') == 11


def test_the_same_command_replaces_its_page_and_writes_the_same(song, call, tmp_path):
    page = tmp_path / "semisupcon_augment.html"
    call(song, "--aug_list=delay")
    first = page.read_bytes()
    status, *_ = call(song, "--aug_list=delay")

    assert status == 0
    assert page.read_bytes() == first


def test_a_picture_too(song, call, tmp_path):
    for _ in range(2):  # the second one replaces the first
        status, out, _ = call(song, "--aug_list=gain,delay,multi_format,cola", "--picture=all.png")

    assert (status, out) == (0, "semisupcon_augment.html\nall.png\n")
    with Image.open(tmp_path / "all.png") as picture:
        assert picture.width > 800


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("nothing.wav",), "nothing.wav: cannot be read (No such file or directory)"),
        ((".",), "is no file but a folder"),
        (("noise.wav",), "noise.wav: is not audio that libsndfile can open"),
        (("short.wav",), "short.wav: is too short: 0.25 s, and at least 0.5 s are needed."),
        (("silent.wav",), "silent.wav: is silent from 0.0 s to 2.0 s"),
        (("nan.wav",), "nan.wav: holds NaN or infinite samples"),
        (("song.wav", "--start=2.8"), "--start=2.8: song.wav is 3.0 s long"),
        (("song.wav", "--start=-1"), "--start=-1: seconds from the beginning"),
        (("song.wav", "--start=soon"), "--start: expected a number of seconds, not 'soon'"),
        (("song.wav", "--seconds=nan"), "--seconds=nan: from 0.5 to 30."),
        (("song.wav", "--seconds=long"), "--seconds: expected a number, and not 'long'"),
        (("song.wav", "--seconds=31"), "--seconds=31: from 0.5 to 30."),
        (("song.wav", "--severities=1,7"), "--severities=7: severity goes from 0 (off) to 5"),
        (("song.wav", "--severities=-1"), "--severities=-1: severity goes from 0 (off) to 5"),
        (("song.wav", "--severities=nan"), "--severities=nan: severity goes"),
        (("song.wav", "--severities=high"), "--severities: expected numbers, such as 1,2,4, and not 'high'"),
        (("song.wav", "--severities=[]"), "--severities: the list is empty."),
        (("song.wav", "--aug_list=gian"), "--aug_list: no such augmentation as 'gian'. Did you mean gain?"),
        (("song.wav", "--severity=2"), "--severity: there is no such option. Did you mean --severities?"),
        (("song.wav", "--severities", "1", "2"), "2: one audio file is taken, and lists are written without spaces"),
        (("song.wav", "--draws=0"), "--draws=0: from 1 to 20."),
        (("song.wav", "--draws=x"), "--draws: expected a whole number, and not 'x'"),
        (("song.wav", "--seed=-1"), "--seed=-1: a number from 0 is meant."),
        (("song.wav", "--target_sr=400"), "--target_sr=400: from 8,000 to 48,000 Hz."),
        (("song.wav", "--picture=all.jpg"), "--picture=all.jpg: the name of a PNG file is meant"),
        (("song.wav", "--picture=other.png"), "--picture=other.png: is there, and not written by this command."),
        (("song.wav", "--output=noise.wav"), "--output=noise.wav: is there, and not written by this command."),
        (("song.wav", "--output=song.wav"), "--output=song.wav: is there, and not written by this command."),
        (("song.wav", "--output=."), "--output=.: cannot be written (Is a directory)"),
        (("song.wav", "--output=noise.wav/a.html"), "--output=noise.wav/a.html: cannot be written"),
        ((), "Not given: FILE"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_cannot_be_done_is_said_and_nothing_written(song, call, tmp_path, args, said):
    (tmp_path / "noise.wav").write_bytes(b"no audio")
    Image.new("L", (4, 4)).save(tmp_path / "other.png")
    soundfile.write("short.wav", counting(0.25), RATE)
    soundfile.write("silent.wav", np.zeros(2 * RATE), RATE)
    soundfile.write("nan.wav", np.full(RATE, np.nan), RATE, subtype="FLOAT")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    status, out, err = call(*args)

    assert (status, out) == (2, "")
    assert said in err
    assert "Traceback" not in err
    assert len(err.strip().splitlines()) <= 4
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_the_excerpt_is_from_the_middle_or_from_where_it_is_said(song):
    whole = counting(3)
    for args, begin, length in (
        (("--seconds=1",), 1.0, 1.0),
        (("--seconds=1", "--start=None"), 1.0, 1.0),
        (("--seconds=1", "--start=0.25"), 0.25, 1.0),
        (("--start=2",), 2.0, 1.0),  # what there is, where it is less than asked for
        ((), 0.0, 3.0),
    ):
        audio, start = excerpt(parse([song, f"--target_sr={RATE}", *args]))
        first = round(begin * RATE)
        assert start == begin
        assert torch.equal(audio[0] * 32768, torch.from_numpy(whole[first : first + round(length * RATE)]).float())


def test_a_file_that_ends_before_its_header_says_is_taken_for_what_it_is(tmp_path):
    full = io.BytesIO()
    noise = np.random.default_rng(0).normal(0, 0.1, 8 * RATE)
    soundfile.write(full, noise, RATE, format="MP3")
    path = tmp_path / "cut.mp3"
    path.write_bytes(full.getvalue()[: len(full.getvalue()) // 2])
    audio, start = excerpt(parse([str(path), f"--target_sr={RATE}", "--seconds=2"]))

    assert audio.shape == (1, 2 * RATE)
    assert start == pytest.approx(1, abs=0.15)


def test_a_name_that_is_no_text_does_no_harm(song, call, tmp_path):
    name = b"bad\xff<&>.wav".decode("utf-8", "surrogateescape")
    (tmp_path / name).write_bytes((tmp_path / song).read_bytes())
    status, *_ = call(name, "--aug_list=gain")

    assert status == 0
    assert "<h1>bad?&lt;&amp;&gt;.wav</h1>" in (tmp_path / "semisupcon_augment.html").read_text("utf-8")


def test_it_runs_as_a_module(song, monkeypatch, capfd):
    monkeypatch.setattr(sys, "argv", ["augment", song, "--aug_list=gain", "--severities=2", "--seconds=0.5"])
    with pytest.raises(SystemExit) as end:
        runpy.run_module("semisupcon.augment", run_name="__main__")

    assert end.value.code == 0
    assert capfd.readouterr().out == "semisupcon_augment.html\n"
