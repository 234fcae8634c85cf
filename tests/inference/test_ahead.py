"""Decoding ahead: in order, within bounds, and whatever a decoder does."""

import os
import signal
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from semisupcon import audio, workers
from semisupcon.errors import BadAudio
from semisupcon.inference import ahead
from semisupcon.workers import Died

RATE = 8000


@pytest.fixture
def paths(many):
    return [str(path) for path in sorted(many.iterdir())]


def test_processes_give_what_none_gives(paths, tmp_path):
    here = list(ahead.decoded(paths, RATE, 0, str(tmp_path)))
    there = list(ahead.decoded(paths, RATE, 2, str(tmp_path)))

    assert len(here) == len(there) == 30
    for path, ours, theirs in zip(paths, there, here, strict=True):
        if isinstance(theirs, BadAudio):
            assert (ours.path, ours.reason) == (theirs.path, theirs.reason)
        else:
            assert (ours == theirs).all()
            assert (ours == audio.decode(path, RATE).samples).all()


def test_without_processes_nothing_is_decoded_before_it_is_asked_for(paths, tmp_path, monkeypatch):
    seen = []
    decode = audio.decode
    monkeypatch.setattr(audio, "decode", lambda path, rate: seen.append(path) or decode(path, rate))

    samples = ahead.decoded(paths, RATE, 0, str(tmp_path))
    for number in range(3):
        next(samples)
        assert seen == paths[: number + 1]


def test_a_long_track_comes_by_way_of_a_file_that_is_gone_then(paths, tmp_path):
    folder = tmp_path / "long"
    folder.mkdir()

    found = ahead.read(paths[1], RATE, str(folder), 100)

    assert [path.name for path in folder.iterdir()] == [Path(found.path).name]
    samples = found.taken()
    assert not list(folder.iterdir())
    assert (samples == audio.decode(paths[1], RATE).samples).all()
    assert isinstance(ahead.read(paths[1], RATE), np.ndarray)


def test_long_tracks_of_processes_are_what_they_are_without(paths, tmp_path, monkeypatch):
    monkeypatch.setattr(ahead, "LONG", 100)
    folder = tmp_path / "long"
    folder.mkdir()

    found = list(ahead.decoded(paths, RATE, 2, str(folder)))

    assert sum(isinstance(each, np.memmap) for each in found) == 28
    assert not list(folder.iterdir())
    for path, samples in zip(paths, found, strict=True):
        assert isinstance(samples, BadAudio) or (samples == audio.decode(path, RATE).samples).all()


def test_where_the_disk_is_full_a_long_track_comes_as_others_do(paths, tmp_path):
    samples = ahead.read(paths[1], RATE, str(tmp_path / "nowhere"), 100)

    assert (samples == audio.decode(paths[1], RATE).samples).all()


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (MemoryError(), "is too long to be decoded in the memory there is"),
        (OSError(5, "Input/output error"), "cannot be read (Input/output error)"),
        (ValueError("odd"), "cannot be decoded (ValueError: odd)"),
    ],
)
def test_whatever_a_decoder_raises_is_the_files_fault(monkeypatch, error, reason):
    def fail(path, rate):
        raise error

    monkeypatch.setattr(audio, "decode", fail)
    with pytest.raises(BadAudio) as bad:
        ahead.read("x.wav", RATE)
    assert bad.value.reason == reason


def test_a_file_that_ends_its_process_is_bad(monkeypatch, tmp_path):
    monkeypatch.setattr(ahead, "_results", lambda calls, workers: (each for each in [Died("SIGSEGV")]))

    (found,) = ahead.decoded(["x.wav"], RATE, 1, str(tmp_path))

    assert found.reason == "ends the process that decodes it (SIGSEGV)"


def test_a_bug_is_raised_where_it_is_waited_for(monkeypatch, tmp_path):
    def fail(calls, workers):
        yield np.zeros(3, np.int16)
        raise RuntimeError("a bug")

    monkeypatch.setattr(ahead, "_results", fail)
    samples = ahead.decoded(["a", "b"], RATE, 1, str(tmp_path))

    assert len(next(samples)) == 3
    with pytest.raises(RuntimeError, match="a bug"):
        next(samples)


def test_what_waits_is_bounded(monkeypatch, tmp_path):
    """A thread that could go on stops, until something is taken."""
    given = []

    def endless(calls, workers):
        for number in range(100):
            given.append(number)
            yield np.full(1000, number, np.int16)

    monkeypatch.setattr(ahead, "_results", endless)
    monkeypatch.setattr(ahead, "HELD", 10_000)
    samples = ahead.decoded(["x"] * 100, RATE, 1, str(tmp_path))
    for number in range(100):
        assert next(samples)[0] == number
        time.sleep(0.001)
        assert len(given) <= number + 1 + 5 + 1  # five wait, and one is in the hand of who would add it


def test_left_in_the_middle_no_thread_stays(paths, tmp_path, monkeypatch):
    monkeypatch.setattr(ahead, "HELD", 1)
    before = threading.active_count()
    samples = ahead.decoded(paths, RATE, 2, str(tmp_path))
    next(samples)
    samples.close()

    deadline = time.monotonic() + 10
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert threading.active_count() == before


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_workers_survive_a_kill(paths, tmp_path):
    """A process that is killed from outside is replaced, and its file decoded by the next."""
    samples = ahead.decoded(paths, RATE, 1, str(tmp_path))
    first = next(samples)
    for worker in _workers():
        os.kill(worker, signal.SIGKILL)
    rest = list(samples)

    assert len([first, *rest]) == 30
    assert sum(isinstance(each, BadAudio) for each in rest) == 2


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_once_stopped_no_process_is_left_or_started(paths, tmp_path, monkeypatch):
    started, init = [], workers._Worker.__init__

    def start(worker):
        started.append(stopped.is_set())
        init(worker)

    monkeypatch.setattr(workers._Worker, "__init__", start)
    stopped, before = threading.Event(), threading.active_count()
    samples = ahead._Stoppable(2)
    monkeypatch.setattr(ahead, "_Stoppable", lambda count: samples)
    stop = samples.stop

    def stopping():
        stopped.set()
        stop()

    monkeypatch.setattr(samples, "stop", stopping)
    monkeypatch.setattr(ahead, "_results", lambda calls, workers: _slow(workers))
    found = ahead.decoded(paths, RATE, 2, str(tmp_path))
    next(found)
    found.close()

    assert threading.active_count() == before
    assert started
    assert not any(started)
    assert not _workers()


def _slow(workers):
    """A call that is done at once, and others that take a minute."""
    with workers:
        yield from workers.results(time.sleep, [(0,), (60,), (60,)])


def _workers() -> list[int]:
    tasks = Path(f"/proc/{os.getpid()}/task").glob("*/children")
    children = [int(child) for task in tasks for child in task.read_text().split()]
    return [child for child in children if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()]
