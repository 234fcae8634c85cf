"""The synthesised chamber music: MusicNet's own format, the same each time, and labels that are what is heard."""

import hashlib
import subprocess
import sys

import numpy as np
import pytest
import soundfile

from semisupcon.datasets import load, musicnet
from semisupcon.datasets.synth.musicnet import ENSEMBLES, FIRST, PARTS, recording, write_musicnet
from semisupcon.datasets.synth.timbre import RATE, hertz


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return write_musicnet(tmp_path_factory.mktemp("corpus"), recordings=(10, 3), seconds=6, seed=4)


def test_it_is_read_as_musicnet_is(corpus):
    table, task = load("musicnet", root=str(corpus))
    splits = table.split.tolist()
    assert (splits.count("test"), splits.count("train") + splits.count("val")) == (3, 10)
    assert splits.count("val") >= 1
    assert table.labelled.all()
    for row, path in enumerate(table.path.tolist()):
        info = soundfile.info(table.file(row))
        assert (info.samplerate, info.channels, info.frames) == (44100, 1, 6 * 44100)
        played = task.notes.read(path)
        assert len(played)
        assert (played["end"] > played["start"]).all()
        assert played["end"].max() <= 6
        assert set(played["program"]) <= set(ENSEMBLES[task.classes[table.labels[row].argmax()]])
    first = (corpus / "train_labels" / f"{FIRST}.csv").read_text().splitlines()[0]
    assert first == "start_time,end_time,instrument,note,start_beat,end_beat,note_value"


def test_names_and_programs_are_musicnets(corpus):
    assert set(ENSEMBLES) <= set(musicnet.ENSEMBLES)
    assert set(PARTS) <= set(musicnet.PROGRAMS)
    assert {program for players in ENSEMBLES.values() for program in players} == set(PARTS)
    assert {len(players) for players in ENSEMBLES.values()} == {1, 2, 3}


def test_the_same_seed_gives_the_same_bytes_and_another_one_others(corpus, tmp_path):
    def digests(folder):
        files = sorted(path for path in folder.rglob("*.*") if path.parent != folder)  # the metadata is of no seed
        return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}

    again = digests(write_musicnet(tmp_path / "again", recordings=(10, 3), seconds=6, seed=4))
    assert again == digests(corpus)
    other = digests(write_musicnet(tmp_path / "other", recordings=(10, 3), seconds=6, seed=5))
    assert not set(again.values()) & set(other.values())


def _loudness(sound, midi, start, end):
    """Of the first three partials of a pitch, in a stretch of samples."""
    part = sound[start:end] * np.hanning(end - start)
    size = 1 << 16
    spectrum = np.abs(np.fft.rfft(part, size))
    bins = [round(order * hertz(midi) * size / RATE) for order in (1, 2, 3)]
    return sum(spectrum[place - 8 : place + 9].max() for place in bins if place + 9 < len(spectrum)) / (end - start)


@pytest.mark.parametrize("program", sorted(PARTS))
def test_a_note_is_heard_while_it_is_labelled_and_not_before(program):
    window, checked = round(0.08 * RATE), 0
    for seed in range(4):
        played, _, sound = recording((program,), 15, np.random.default_rng(seed))
        for note in played:
            # Only where nothing else sounds before it: other notes share its partials.
            quiet = not any(o.end > note.start - 1.5 * RATE and o.start < note.start for o in played)
            alone = all(o is note or o.start >= note.start + window for o in played)
            if not quiet or not alone or note.end - note.start < 2 * window or note.start < window:
                continue
            during = _loudness(sound, note.midi, note.start + window // 2, note.start + window // 2 + window)
            before = _loudness(sound, note.midi, note.start - window, note.start)
            assert during > 5 * before
            checked += 1
    assert checked


def test_a_label_ends_where_the_release_begins():
    found = []
    for seed in range(6):
        played, _, sound = recording((74,), 15, np.random.default_rng(seed))  # a flute sustains until then
        for note in played:
            if any(o is not note and o.end > note.start and o.start < note.end + 0.25 * RATE for o in played):
                continue
            if note.end - note.start < 0.3 * RATE or note.end + 0.3 * RATE > len(sound):
                continue
            level = [np.std(sound[at : at + 1000]) for at in (note.end - 1500, note.end + round(0.2 * RATE))]
            found.append(level[1] / level[0])
    assert len(found) >= 3
    assert max(found) < 0.25


def test_it_is_polyphonic():
    played, _, _ = recording((41, 1), 20, np.random.default_rng(0))
    at = np.arange(0, 20 * RATE, 1000)
    sounding = sum((at >= note.start) & (at < note.end) for note in played)
    assert sounding.max() >= 4
    assert (sounding == 0).any()


def test_it_is_written_from_the_command_line(tmp_path):
    arguments = [str(tmp_path / "music"), "--train=2", "--test=1", "--seconds=5"]
    subprocess.run([sys.executable, "-m", "semisupcon.datasets.synth.musicnet", *arguments], check=True)
    assert len(load("musicnet", root=str(tmp_path / "music"))[0]) == 3
