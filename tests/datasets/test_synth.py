"""The embedded corpus: what it promises about its files, its labels, its splits, and the way it is made."""

import dataclasses
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import soundfile

from semisupcon import audio
from semisupcon.datasets import load
from semisupcon.datasets.keys import KEYS
from semisupcon.datasets.synth import codec, corpus, score
from semisupcon.datasets.synth.instruments import INSTRUMENTS
from semisupcon.datasets.synth.plan import CLIP, NAMES, Params, plan
from semisupcon.datasets.synth.render import events, render
from semisupcon.datasets.synth.timbre import RATE
from semisupcon.errors import UserError
from semisupcon.table import SPLITS

TASKS = ("synth_instrument", "synth_pitch", "synth_tags", "synth_key", "synth_mood")
FULL = Params()
TINY = Params(players=(1, 0, 0), files=4)
LEAST = Params(players=(1, 0, 0), files=2)
PROGRAM = """
from semisupcon.datasets.synth import corpus
from semisupcon.datasets.synth.plan import Params
print(corpus.ensure(Params(players=(1, 0, 0), files={files}), workers=1))
"""


@pytest.fixture(scope="module")
def clips():
    return plan(FULL)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A small corpus of 48 files."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEMISUPCON_CACHE", str(tmp_path_factory.mktemp("made")))
        return corpus.ensure(TINY, workers=2)


@pytest.fixture(scope="module")
def listed(tmp_path_factory, clips):
    """The whole corpus's index, over files that hold one byte."""
    folder = tmp_path_factory.mktemp("listed")
    (folder / "audio").mkdir()
    for clip in clips:
        (folder / clip.path).write_bytes(b"x")
    corpus._write_index(folder / corpus.INDEX, clips)
    return folder


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SEMISUPCON_CACHE", str(tmp_path))
    return tmp_path


def decibel(sound):
    return 10 * np.log10(np.mean(np.square(sound)) + 1e-12)


# The files


def test_two_builds_are_equal_byte_by_byte(made, cache):
    again = corpus.ensure(TINY, workers=1)
    assert again != made
    files = sorted(path.relative_to(made) for path in made.rglob("*") if path.is_file())
    assert files == sorted(path.relative_to(again) for path in again.rglob("*") if path.is_file())
    assert [path for path in files if (made / path).read_bytes() != (again / path).read_bytes()] == []


def test_another_seed_is_another_corpus():
    first, other = (Params(seed=seed, players=(1, 0, 0), files=1) for seed in (0, 1))
    assert corpus.folder_of(first) != corpus.folder_of(other)
    one, two = (render(plan(params)[0], params)[:8000] for params in (first, other))
    assert not np.array_equal(one, two)


def test_sound_does_not_hang_on_the_global_generator():
    clip = plan(FULL)[3]
    np.random.seed(1)
    first = render(clip, FULL)
    np.random.seed(2)
    assert np.array_equal(first, render(clip, FULL))


def test_files_are_what_the_plan_says(made):
    planned = plan(TINY)
    for clip in planned:
        info = audio.info(made / clip.path)
        assert (info.rate, info.channels) == (clip.rate, clip.channels)
        assert info.frames / info.rate == pytest.approx(clip.seconds, abs=0.01)
        assert len(audio.read(made / clip.path, RATE)) == pytest.approx(clip.seconds * RATE, abs=300)
    assert {clip.suffix for clip in planned} == {"wav", "flac", "ogg", "mp3"}


def test_formats_rates_channels_and_short_files_all_occur(clips):
    assert 1200 <= len(clips) <= 1500
    for values, count in (
        (Counter(clip.suffix for clip in clips), 4),
        (Counter(clip.rate for clip in clips), 3),
        (Counter(clip.channels for clip in clips), 2),
    ):
        assert len(values) == count
        assert min(values.values()) > 0.1 * len(clips)
    short = np.mean([clip.seconds * RATE < 19_683 for clip in clips])
    assert 0.03 < short < 0.08
    assert max(clip.seconds for clip in clips) < 6


@pytest.mark.parametrize("field", ["suffix", "rate", "channels"])
@pytest.mark.parametrize("of", ["split", "instrument", "kind"])
def test_the_file_does_not_tell_its_label(clips, field, of):
    """Chi-square of independence under its 99.99 % quantile (Wilson-Hilferty)."""
    rows, columns = sorted({getattr(c, of) for c in clips}), sorted({getattr(c, field) for c in clips})
    table = np.zeros((len(rows), len(columns)))
    for clip in clips:
        table[rows.index(getattr(clip, of)), columns.index(getattr(clip, field))] += 1
    expected = table.sum(1, keepdims=True) * table.sum(0) / table.sum()
    free = (len(rows) - 1) * (len(columns) - 1)
    assert ((table - expected) ** 2 / expected).sum() < free * (
        1 - 2 / (9 * free) + 3.72 * np.sqrt(2 / (9 * free))
    ) ** 3


def test_loudness_is_decided_by_dynamics_alone(made, clips):
    for clip in plan(TINY):
        if clip.channels == 1:
            level = decibel(audio.read(made / clip.path, RATE) / 32768)
            assert level == pytest.approx(-29 + 5 * clip.dynamics, abs=0.7), (clip.path, clip.instrument)
    means = [np.mean([5 * clip.dynamics for clip in clips if clip.instrument == name]) for name in INSTRUMENTS]
    assert max(means) - min(means) < 1.5


def test_ogg_is_the_same_each_time_and_can_be_decoded(tmp_path):
    sound = (0.1 * np.sin(np.arange(30_000) / 7)).astype(np.float32)[:, None]
    for name in ("a.ogg", "b.ogg"):
        codec.write(tmp_path / name, sound, 44_100, serial=5)
    assert (tmp_path / "a.ogg").read_bytes() == (tmp_path / "b.ogg").read_bytes()
    decoded, rate = soundfile.read(tmp_path / "a.ogg")
    assert (len(decoded), rate) == (60_000, 44_100)
    assert np.sqrt(np.mean(decoded**2)) == pytest.approx(0.0707, rel=0.05)


# The labels


def test_players_of_one_split_play_in_no_other(listed):
    table, task = load("synth_instrument", root=str(listed))
    players = [set(table.of(split).group.tolist()) for split in SPLITS]
    assert sum(map(len, players)) == len(set.union(*players)) == len(set(table.group.tolist()))
    assert task.group == "player"
    shares = [len(table.of(split)) / len(table) for split in SPLITS]
    assert shares == pytest.approx([0.54, 0.15, 0.31], abs=0.01)


def test_five_tasks_share_their_files(listed):
    tables = {name: load(name, root=str(listed)) for name in TASKS}
    first, _ = tables["synth_instrument"]
    for name, (table, task) in tables.items():
        assert task.name == name
        assert table.path.tolist() == first.path.tolist()
        assert table.labels.shape[1] == len(task.classes)
        if task.exclusive:
            assert (table.labels[table.labelled].sum(axis=1) == 1).all()
            for split in SPLITS:
                counts = np.nansum(table.of(split).labels, axis=0)
                assert counts.min() >= 3
                assert counts.max() - counts.min() <= 2  # dealt evenly
    kinds = [tables[name][1].kind for name in TASKS]
    assert kinds == ["multiclass", "multiclass", "multilabel", "key", "regression"]


def test_labels_are_unknown_where_they_make_no_sense(listed, clips):
    moving = np.array([clip.kind in ("phrase", "progression") for clip in clips])
    for name, known in (
        ("synth_key", moving),
        ("synth_mood", moving),
        ("synth_pitch", [c.kind == "note" for c in clips]),
    ):
        assert load(name, root=str(listed))[0].labelled.tolist() == list(known)


def test_tags_are_neither_rare_nor_constant(listed):
    table, task = load("synth_tags", root=str(listed))
    assert len(task.classes) >= 12
    for split in SPLITS:
        share = table.of(split).labels.mean(axis=0)
        assert share.min() >= 0.03
        assert share.max() <= 0.6


def test_keys_are_spelt_as_mir_eval_wants():
    mir_eval = pytest.importorskip("mir_eval.key")
    for key in KEYS:
        assert mir_eval.weighted_score(key, key) == 1.0


def test_mood_follows_tempo_and_mode(listed, clips):
    table, _ = load("synth_mood", root=str(listed))
    values, known = table.labels[table.labelled], [clip for clip in clips if clip.key]
    assert np.abs(values).max() <= 1
    assert np.corrcoef(values[:, 0], [clip.bpm for clip in known])[0, 1] > 0.5
    assert np.corrcoef(values[:, 1], [clip.mode == "major" for clip in known])[0, 1] > 0.4


def test_the_pitch_label_is_the_pitch_that_sounds(clips):
    clean = [
        clip for clip in clips
        if clip.kind == "note" and clip.instrument in ("bowed", "reed", "brass", "plucked", "lead")
        and clip.snr > 25 and not clip.decay and not clip.vibrato and clip.seconds > 1
    ][:24]  # fmt: skip
    for clip in clean:
        sound = render(clip, FULL).mean(axis=1)[2000:18_384]
        power = np.abs(np.fft.rfft(sound * np.hanning(len(sound)), 4 * len(sound))) ** 2
        lags = np.fft.irfft(power, 8 * (len(power) - 1))  # autocorrelation at four times the rate
        first, last = 4 * RATE // 600, 4 * RATE // 100
        # The shortest lag among those that are nearly as good as the best: twice the period is as good as one.
        candidates = np.arange(first, last)[lags[first:last] > 0.9 * lags[first:last].max()]
        period = candidates[0] + int(np.argmax(lags[candidates[0] : candidates[0] + 24]))
        midi = 69 + 12 * np.log2(4 * RATE / period / 440)
        assert abs(midi - clip.midi) < 0.6, (clip.instrument, clip.midi, midi)
        assert NAMES[round(midi) % 12] == clip.pitch


def test_the_key_label_is_the_key_that_is_played(clips):
    for clip in clips:
        played = [event.midi for event in events(clip, np.random.default_rng([0, CLIP, clip.number]))]
        assert min(played) >= score.LOWEST
        assert max(played) < score.LOWEST + 12 * score.OCTAVES
        scale = {(clip.midi + step) % 12 for step in score.SCALES[clip.mode]}
        if clip.key:
            assert {midi % 12 for midi in played} <= scale
            assert clip.key == f"{NAMES[clip.midi % 12]} {clip.mode}"
        if clip.kind in ("phrase", "progression"):
            closing = played[-1:] if clip.kind == "phrase" else played[-3:]
            assert clip.midi % 12 in {midi % 12 for midi in closing}


@pytest.mark.parametrize("instrument", ["organ", "bowed", "voice"])
def test_tags_can_be_heard(clips, instrument):
    """Each property, switched on in the same clip, shows in the sound."""
    clip = next(c for c in clips if c.kind == "note" and c.instrument == instrument and c.seconds > 2)
    plain = dataclasses.replace(clip, tone=0.0, swell=0.0, snr=50.0, decay=0.0, tremolo=False, vibrato=False)

    def sound(**changes):
        return render(dataclasses.replace(plain, **changes), FULL).mean(axis=1)

    def centroid(wave):
        power = np.abs(np.fft.rfft(wave)) ** 2
        return (power * np.arange(len(power))).sum() / power.sum()

    def level(wave):
        return np.array([decibel(part) for part in np.array_split(wave[4000:-8000], 60)])

    assert centroid(sound(tone=2.0)) > centroid(sound()) > centroid(sound(tone=-2.0))
    assert level(sound(swell=24.0))[-5:].mean() - level(sound(swell=24.0))[:5].mean() > 8
    assert level(sound(swell=-24.0))[-5:].mean() - level(sound(swell=-24.0))[:5].mean() < -8
    assert level(sound(tremolo=True)).std() > 2 * level(sound()).std()
    assert decibel(sound(decay=2.0)[-400:]) > decibel(sound()[-400:]) + 6  # it rings after the release
    lines = np.sort(np.abs(np.fft.rfft(sound())))[::-1]
    spread = np.sort(np.abs(np.fft.rfft(sound(vibrato=True))))[::-1]
    assert spread[:10].sum() / spread.sum() < lines[:10].sum() / lines.sum()


# The making


def start(files):
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM.format(files=files)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )  # fmt: skip


def test_a_killed_build_is_made_anew(cache):
    params = Params(players=(1, 0, 0), files=3)
    process = start(3)
    deadline = time.monotonic() + 20
    while not list(cache.glob(".synth-*.tmp-*/corpus/audio/*")):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not corpus.folder_of(params).exists()
    assert list(cache.glob(".synth-*.tmp-*"))
    folder = corpus.ensure(params)
    assert corpus.complete(folder)
    assert [path.name for path in cache.iterdir() if not path.name.endswith(".lock")] == [folder.name]


def test_of_two_at_once_one_makes_it(cache):
    both = [start(2), start(2)]
    outputs = [process.communicate(timeout=30) for process in both]
    assert [process.returncode for process in both] == [0, 0], outputs
    assert outputs[0][0] == outputs[1][0]
    assert corpus.complete(corpus.folder_of(LEAST))
    assert sum("making the embedded corpus" in errors for _, errors in outputs) == 1


def test_a_corpus_that_lost_a_file_is_made_anew(cache):
    folder = corpus.ensure(LEAST)
    assert corpus.ensure(LEAST).stat().st_ino == folder.stat().st_ino  # as it is
    lost = folder / plan(LEAST)[0].path
    kept = lost.read_bytes()
    lost.write_bytes(b"")
    corpus.ensure(LEAST)
    assert lost.read_bytes() == kept


@pytest.mark.parametrize("content", [None, "other.zip", "index.csv"])
def test_a_wrong_root_is_explained(tmp_path, content):
    root = tmp_path / "here"
    if content:
        root.mkdir()
        (root / content).write_text("id,file\n1,a.wav\n")
    with pytest.raises(UserError, match="synth_pitch") as caught:
        load("synth_pitch", root=str(root))
    assert str(root) in str(caught.value)
    assert "Leave root out" in str(caught.value)
    assert content is None or content in str(caught.value)


def test_a_cache_that_cannot_be_written_is_explained(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SEMISUPCON_CACHE", str(tmp_path / "file" / "below"))
    with pytest.raises(UserError, match="SEMISUPCON_CACHE"):
        corpus.ensure(LEAST)


def test_the_cache_folder_follows_the_environment(monkeypatch):
    monkeypatch.delenv("SEMISUPCON_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", "/x")
    assert corpus.cache_folder() == Path("/x/semisupcon")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert corpus.cache_folder() == Path.home() / ".cache/semisupcon"
    monkeypatch.setenv("SEMISUPCON_CACHE", "~/here")
    assert corpus.cache_folder() == Path.home() / "here"


def test_chords_have_keys_of_their_own(listed, clips):
    table, task = load("synth_key", root=str(listed), chords=True)
    by_path = {clip.path: clip for clip in clips}
    for path, labels in zip(table.path.tolist(), table.labels, strict=True):
        clip = by_path[path]
        if clip.kind == "chord":
            assert task.classes[labels.argmax()] == f"{NAMES[clip.midi % 12]} {clip.mode}"
            played = {event.midi % 12 for event in events(clip, np.random.default_rng(0))}
            third = 4 if clip.mode == "major" else 3
            assert played == {clip.midi % 12, (clip.midi + third) % 12, (clip.midi + 7) % 12}
        else:
            assert np.isnan(labels).all()
