"""What is embedded so far survives being killed at any byte, and refuses what does not belong to it."""

import dataclasses
import json

import numpy as np
import pytest

from semisupcon.errors import BadAudio, UserError
from semisupcon.inference import journal as journals
from semisupcon.inference import sheets
from semisupcon.inference.embedder import TrackEmbedding
from semisupcon.inference.journal import Journal, Row
from semisupcon.inference.plan import Plan

RATE, T, D = 8000, 400, 3
PLAN = Plan("0", "a.ckpt", "aa", "x.Encoder", D, RATE, T / RATE, T / RATE, 64, "cpu", True, 12, "bb", "ff")


def results(count=12):
    """Tracks of one to four segments, every fifth file bad."""
    rng = np.random.default_rng(0)
    for number in range(count):
        if number % 5 == 3:
            yield f"{number}.wav", BadAudio(f"/x/{number}.wav", "is empty (0 bytes)")
            continue
        segments = rng.standard_normal((1 + number % 4, D)).astype(np.float32)
        seconds = (len(segments) * T - number) / RATE
        yield f"{number}.wav", TrackEmbedding(segments.mean(0), segments, np.zeros(len(segments)), seconds)


def fill(folder, first=0, plan=PLAN):
    with Journal(folder, plan) as journal:
        for name, result in list(results())[first:]:
            journal.append(name, result)
    return content(folder)


def content(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "lock"}


def test_what_is_appended_is_there(tmp_path):
    fill(tmp_path / "part")

    with Journal(tmp_path / "part", PLAN) as journal:
        good = [each for _, each in results() if isinstance(each, TrackEmbedding)]
        assert (journal.files, journal.bad, journal.tracks) == (12, 2, 10)
        assert journal.segments == sum(len(each.segments) for each in good)
        assert journal.samples == sum(round(each.seconds * RATE) for each in good)
        rows = list(journal.rows())
        assert rows[3] == Row("3.wav", 0, 0, "is empty (0 bytes)")
        assert rows[4] == Row("4.wav", T - 4, 1, "")
        assert [row.path for row in rows] == [name for name, _ in results()]
        means = [each for _, each in sheets.tracks(journal).chunks()]
        assert (np.concatenate(means) == [each.mean for each in good]).all()
        entries, segments = zip(*sheets.segments(journal).chunks(), strict=True)
        assert (np.concatenate(segments) == np.concatenate([each.segments for each in good])).all()
        assert entries[0][1:3] == [("1.wav", 0.0), ("1.wav", (T - 1) / RATE)]


def test_sheets_come_in_chunks(tmp_path, monkeypatch):
    fill(tmp_path / "part")
    with Journal(tmp_path / "part", PLAN) as journal:
        (whole,) = sheets.segments(journal).chunks()
        monkeypatch.setattr(sheets, "ROWS", 4)
        parts = list(sheets.segments(journal).chunks())

    assert {len(entries) for entries, _ in parts[:-1]} == {4}
    assert [entry for entries, _ in parts for entry in entries] == whole[0]
    assert (np.concatenate([vectors for _, vectors in parts]) == whole[1]).all()


@pytest.mark.parametrize("name", ["rows.jsonl", "tracks.float32", "segments.float32"])
def test_cut_off_anywhere_and_continued_the_bytes_are_the_same(tmp_path, name):
    """A crash leaves any one of the files shorter than the others know."""
    whole = fill(tmp_path / "whole")
    for end in range(0, len(whole[name]), 5):
        part = tmp_path / f"{end}"
        part.mkdir()
        for each, data in whole.items():
            (part / each).write_bytes(data[:end] if each == name else data)
        with Journal(part, PLAN) as journal:
            done = journal.files
        assert done < 12
        assert fill(part, done) == whole


def test_what_a_crash_left_behind_the_last_row_goes(tmp_path):
    whole = fill(tmp_path / "part")
    for name in ("rows.jsonl", "tracks.float32", "segments.float32"):
        with (tmp_path / "part" / name).open("ab") as file:
            file.write(b"\0" * 1000)
    (tmp_path / "part" / "long.int16").write_bytes(b"xx")

    assert fill(tmp_path / "part", 12) == whole


def test_killed_without_a_word_the_last_seconds_are_lost_and_no_more(tmp_path, monkeypatch):
    monkeypatch.setattr(journals, "_FLUSH_SECONDS", 0.0)
    killed = Journal(tmp_path / "part", PLAN)
    for name, result in list(results())[:7]:
        killed.append(name, result)
    killed._held.close()  # as the system does, and nothing else is done

    with Journal(tmp_path / "part", PLAN) as journal:
        assert journal.files == 7


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"hop": 0.025}, "hop: 0.05 then, 0.025 now"),
        ({"checkpoint_sha256": "cc"}, "content of the checkpoint: aa then, cc now"),
        ({"files": 13, "names_sha256": "dd"}, "files: 12 then, 13 now"),
        ({"segments": False}, "segments: True then, False now"),
        ({"device": "cuda"}, "device: cpu then, cuda now"),
    ],
)
def test_other_options_are_refused_by_name_and_nothing_is_touched(tmp_path, change, said):
    whole = fill(tmp_path)
    other = dataclasses.replace(PLAN, **change)

    with pytest.raises(UserError) as error:
        Journal(tmp_path, other)
    assert said in str(error.value)
    assert "--overwrite=true" in str(error.value)
    assert content(tmp_path) == whole

    with Journal(tmp_path, other, fresh=True) as journal:
        assert journal.files == 0
    assert json.loads((tmp_path / "about.json").read_text()) == dataclasses.asdict(other)


def test_the_same_checkpoint_by_another_name_goes_on(tmp_path):
    fill(tmp_path)
    with Journal(tmp_path, dataclasses.replace(PLAN, checkpoint="copy.ckpt")) as journal:
        assert journal.files == 12


def test_fresh_begins_anew_even_where_the_options_are_the_same(tmp_path):
    fill(tmp_path)
    with Journal(tmp_path, PLAN, fresh=True) as journal:
        assert (journal.files, journal.replaces) == (0, True)
    with Journal(tmp_path, PLAN) as journal:
        assert journal.replaces, "as it was asked for when it began"


def test_ctrl_c_while_rows_are_written_writes_none_twice(tmp_path):
    class Interrupted:
        def __init__(self, file):
            self.file = file

        def __getattr__(self, name):
            return getattr(self.file, name)

        def flush(self):
            self.file.flush()
            self.flush = self.file.flush
            raise KeyboardInterrupt

    with Journal(tmp_path, PLAN) as journal:
        for name, result in list(results())[:7]:
            journal.append(name, result)
        journal._open["rows.jsonl"] = Interrupted(journal._open["rows.jsonl"])
        with pytest.raises(KeyboardInterrupt):
            journal.flush()

    assert len((tmp_path / "rows.jsonl").read_text().splitlines()) == 7


def test_rows_of_other_files_than_those_of_the_list_are_cut_off(tmp_path):
    whole = fill(tmp_path)
    names = [name for name, _ in results()]
    lines = whole["rows.jsonl"].splitlines(keepends=True)
    (tmp_path / "rows.jsonl").write_bytes(b"".join(lines[:3] + lines[2:]))  # one came twice

    with Journal(tmp_path, PLAN, names=names) as journal:
        assert journal.files == 3
    assert fill(tmp_path, 3) == whole


def test_a_bad_file_that_gives_audio_by_now_is_done_again_with_all_behind_it(tmp_path):
    whole, asked = fill(tmp_path), []

    with Journal(tmp_path, PLAN, again=lambda number, row: asked.append((number, row.path)) or number == 8) as journal:
        assert (journal.files, journal.bad) == (8, 1)
    assert asked == [(3, "3.wav"), (8, "8.wav")]
    assert fill(tmp_path, 8) == whole


def test_two_at_once_are_refused(tmp_path):
    with Journal(tmp_path, PLAN), pytest.raises(UserError, match="another process is writing this output"):
        Journal(tmp_path, PLAN)
    with Journal(tmp_path, PLAN):
        pass


@pytest.mark.parametrize("fresh", [False, True])
def test_a_folder_of_somebody_elses_is_left_alone(tmp_path, fresh):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(UserError, match=r"thesis\.tex is in it"):
        Journal(tmp_path, PLAN, fresh)
    assert (tmp_path / "thesis.tex").exists()


def test_about_that_cannot_be_read_is_other_options(tmp_path):
    fill(tmp_path)
    (tmp_path / "about.json").write_text('{"vers')
    with pytest.raises(UserError, match="unfinished work of other options"):
        Journal(tmp_path, PLAN)
    with Journal(tmp_path, PLAN, fresh=True) as journal:
        assert journal.files == 0
