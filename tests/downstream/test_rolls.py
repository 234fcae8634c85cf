"""From notes to piano rolls and back, each against a slow loop."""

from fractions import Fraction

import numpy as np
import pytest

from semisupcon.datasets import musicnet
from semisupcon.downstream.rolls import NoteTaker, base_rates, labels_text, roll
from semisupcon.table import NOTE

PROGRAMS = musicnet.PROGRAMS


def _notes(*rows) -> np.ndarray:
    return np.array(list(rows), NOTE)


def _slowly(samples: list[tuple[int, int, int, int]], frames: int, hop: Fraction, start: Fraction) -> np.ndarray:
    """The definition, in exact fractions: a note sounds at the moments from its start up to, and without, its end."""
    out = np.zeros((frames, 11, 128), bool)
    for frame in range(frames):
        moment = start + frame * hop
        for begin, end, program, note in samples:
            if Fraction(begin, 44100) <= moment < Fraction(end, 44100):
                out[frame, PROGRAMS.index(program), note] = True
    return out


# 10 ms is 441 samples: many of the notes below begin or end exactly on a frame.
@pytest.mark.parametrize("hop", [Fraction(1, 100), Fraction(160, 16000), Fraction(512, 22050), Fraction(7, 44100)])
@pytest.mark.parametrize("start", [Fraction(0), Fraction(1, 20), Fraction(-1, 210)])
def test_the_roll_is_that_of_a_slow_loop(hop, start):
    rng = np.random.default_rng(0)
    samples = []
    for _ in range(120):
        begin = max(0, int(rng.integers(0, 40)) * 441 + int(rng.choice([0, 0, -1, 1, 200])))
        length = int(rng.choice([0, 1, 441, 882, 3000, 20000]))
        samples.append((begin, begin + length, int(rng.choice(PROGRAMS)), int(rng.integers(50, 60))))
    played = _notes(*((begin / 44100, end / 44100, *rest) for begin, end, *rest in samples))
    found = roll(played, PROGRAMS, float(start) + np.arange(60) * float(hop))
    np.testing.assert_array_equal(found, _slowly(samples, 60, hop, start))
    assert found.any()


def test_a_roll_of_no_notes_and_of_no_frames():
    assert roll(_notes(), PROGRAMS, np.arange(5.0)).shape == (5, 11, 128)
    assert not roll(_notes(), PROGRAMS, np.arange(5.0)).any()
    assert roll(_notes((0, 1, 1, 60)), PROGRAMS, np.zeros(0)).shape == (0, 11, 128)


def _runs(sounding: np.ndarray, hop: float, first: float) -> list[tuple]:
    """Every run of frames of every note, one by one."""
    out = []
    for place, program in enumerate(PROGRAMS):
        for note in range(128):
            column = [False, *sounding[:, place, note].tolist(), False]
            for frame in range(1, len(column)):
                if column[frame] and not column[frame - 1]:
                    began = frame - 1
                if column[frame - 1] and not column[frame]:
                    times = (max(0.0, first + (began - 0.5) * hop), first + (frame - 1.5) * hop)
                    out.append((*times, program, note))
    return sorted(out)


@pytest.mark.parametrize("cuts", [[], [1], [20], [5, 5, 6, 33]])
def test_notes_are_the_runs_of_frames_however_the_frames_arrive(cuts):
    rng = np.random.default_rng(1)
    sounding = np.zeros((40, 11, 128), bool)
    sounding[:, :, 60:63] = rng.random((40, 11, 3)) < 0.6
    sounding[:, 3, 70] = True  # through all pieces
    taker = NoteTaker(PROGRAMS, 0.01, 0.004)
    for piece in np.split(sounding, cuts):
        taker.hear(piece)
    found = taker.notes()
    wanted = _runs(sounding, 0.01, 0.004)
    assert len(found) == len(wanted) > 100
    key = ["program", "note", "start"]
    wanted_array = np.sort(_notes(*wanted), order=key)
    for name in NOTE.names:
        np.testing.assert_allclose(np.sort(found, order=key)[name], wanted_array[name], atol=1e-12)
    assert (np.diff(found["start"]) >= 0).all()


def test_a_roll_comes_back_from_its_own_notes():
    rng = np.random.default_rng(2)
    sounding = rng.random((50, 11, 128)) < 0.02
    taker = NoteTaker(PROGRAMS, 0.02, 0.1)
    taker.hear(sounding)
    np.testing.assert_array_equal(roll(taker.notes(), PROGRAMS, 0.1 + np.arange(50) * 0.02), sounding)


def test_the_label_file_is_one_that_musicnet_reads(tmp_path):
    played = _notes((0.5, 1.25, 41, 70), (0.25, 0.5, 1, 60))
    (tmp_path / "test_labels").mkdir()
    (tmp_path / "test_labels/7.csv").write_text(labels_text(played))
    found = musicnet.notes(tmp_path, 7)
    assert found.tolist() == sorted(played.tolist())
    header = "start_time,end_time,instrument,note,start_beat,end_beat,note_value"
    assert labels_text(_notes()).splitlines() == [header]


def test_base_rates_are_shares_of_time():
    first = _notes((0, 1, 1, 60), (2, 3, 1, 60), (0, 4, 41, 70), (3.5, 9, 74, 80))
    found = base_rates([(first, 4.0), (_notes(), 6.0)], PROGRAMS)
    assert found.shape == (11, 128)
    assert found[0, 60] == pytest.approx(0.2)
    assert found[2, 70] == pytest.approx(0.4)
    assert found[10, 80] == pytest.approx(0.05)  # what is labelled past the end of the audio does not count
    assert np.count_nonzero(found) == 3
    assert not base_rates([], PROGRAMS).any()
