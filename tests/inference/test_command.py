"""``python -m semisupcon.embed``, from the command line to the files, through everything that may come between."""

import csv
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import badfiles
import numpy as np
import pandas as pd
import pytest
import torch
from quiet import undone

from semisupcon import audio
from semisupcon import command as commands
from semisupcon.embed import Embedder, TrackEmbedding, main
from semisupcon.inference import ahead
from semisupcon.inference import command as embedding
from semisupcon.inference import journal as journals

RATE, T, D = 8000, 400, 8
ROOT = Path(__file__).parents[2]


@pytest.fixture
def embed(monkeypatch, capfd, tmp_path):
    """Call the command in this process, without others: its exit status and what it wrote."""
    monkeypatch.setattr(commands, "keep_memory", lambda: None)

    def call(*args):
        monkeypatch.setattr(sys, "argv", ["embed", "--num_workers=0", "--batch_size=4", *map(str, args)])
        status = main()
        return status, capfd.readouterr().err

    with undone(monkeypatch):
        yield call


def read(path):
    """Name -> column, of an output of any format; the embedding (N, D)."""
    if path.suffix == ".npz":
        with np.load(path, allow_pickle=False) as found:
            return {name: found[name] for name in found if name != "about"}
    frame = pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)
    if path.suffix == ".parquet":
        return {name: np.stack(frame[name]) for name in frame}
    numbers = frame.filter(regex=r"^e\d+$")
    return {**{name: frame[name].to_numpy() for name in frame if name not in numbers}, "embedding": numbers.to_numpy()}


def written(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


@pytest.mark.parametrize("suffix", [".parquet", ".npz", ".csv"])
def test_every_track_and_segment_is_written(embed, saved, music, tmp_path, suffix):
    if suffix == ".parquet":
        pytest.importorskip("pyarrow")
    out = tmp_path / "out" / f"x{suffix}"

    status, text = embed(music, f"--checkpoint={saved()}", f"--out={out}", "--segments=true", "--hop=0.03")

    assert status == 0
    assert sorted(path.name for path in out.parent.iterdir()) == sorted([f"x{suffix}", f"x.segments{suffix}"])
    expected = dict(Embedder(saved(), hop=0.03).tracks(music, 0))
    tracks, segments = read(out), read(out.with_name(f"x.segments{suffix}"))
    assert list(tracks) == ["path", "seconds", "segments", "embedding"]
    assert list(segments) == ["path", "start", "embedding"]
    assert tracks["path"].tolist() == list(expected)
    assert tracks["seconds"].tolist() == [each.seconds for each in expected.values()]
    assert tracks["segments"].tolist() == [len(each.segments) for each in expected.values()]
    assert segments["path"].tolist() == [name for name, each in expected.items() for _ in each.starts]
    assert segments["start"].tolist() == np.concatenate([each.starts for each in expected.values()]).tolist()
    for found, name in ((tracks, "mean"), (segments, "segments")):
        wanted = np.vstack([getattr(each, name) for each in expected.values()])
        np.testing.assert_allclose(found["embedding"], wanted, atol=1e-6, rtol=0)
    seconds = sum(each.seconds for each in expected.values())
    last = text.strip().splitlines()[-1]
    assert re.fullmatch(
        rf"{re.escape(str(out))}: 7 rows x 8, of {seconds:,.0f} s of audio in {len(segments['path'])} segments, "
        r"at [\d,]+ x real time",
        last,
    )


def test_processes_write_what_none_writes(embed, saved, many, tmp_path):
    for workers in (0, 2):
        embed(many, f"--checkpoint={saved()}", f"--out={tmp_path / str(workers) / 'x.npz'}", f"--num_workers={workers}")

    assert written(tmp_path / "0") == written(tmp_path / "2")


@pytest.mark.parametrize("suffix", [".parquet", ".npz", ".csv"])
def test_stopped_at_any_file_and_continued_the_files_are_the_same(embed, saved, many, tmp_path, monkeypatch, suffix):
    if suffix == ".parquet":
        pytest.importorskip("pyarrow")
    args = (many, f"--checkpoint={saved()}", "--segments=true")
    embed(*args, f"--out={tmp_path / 'whole' / f'x{suffix}'}")
    append = journals.Journal.append
    for stop in (0, 1, 6, 8, 17, 29):
        out = tmp_path / f"stopped {stop}" / f"x{suffix}"

        def at(journal, name, result, stop=stop):
            if journal.files == stop:
                raise RuntimeError("stopped")
            append(journal, name, result)

        with monkeypatch.context() as patch:
            patch.setattr(journals.Journal, "append", at)
            with pytest.raises(RuntimeError, match="stopped"):
                embed(*args, f"--out={out}")
        assert not out.exists()

        status, text = embed(*args, f"--out={out}")

        assert status == 0
        assert (f"{stop:,} of 30 files are embedded already" in text) == (stop > 0)
        assert written(out.parent) == written(tmp_path / "whole")
        assert not list(out.parent.glob("*.part"))


@pytest.mark.parametrize("renamed", [0, 1, 2])
def test_stopped_while_the_files_are_put_in_place(embed, saved, many, tmp_path, monkeypatch, renamed):
    args = (many, f"--checkpoint={saved()}", "--segments=true")
    embed(*args, f"--out={tmp_path / 'whole' / 'x.npz'}")
    place, placed = embedding._place, []

    def stop(made, final):
        if len(placed) == renamed:
            raise RuntimeError("stopped")
        placed.append(final)
        place(made, final)

    with monkeypatch.context() as patch:
        patch.setattr(embedding, "_place", stop)
        with pytest.raises(RuntimeError, match="stopped"):
            embed(*args, f"--out={tmp_path / 'x.npz'}")
    assert not (tmp_path / "x.npz").exists(), "the output itself comes last"

    status, _ = embed(*args, f"--out={tmp_path / 'x.npz'}")

    assert status == 0
    ours = {name: data for name, data in written(tmp_path).items() if name.startswith("x.")}
    assert ours == written(tmp_path / "whole")


def test_killed_without_warning_and_started_again_the_file_is_the_same(embed, saved, tmp_path, track):
    for number in range(60):
        track(tmp_path / "music" / f"{number:02}.wav", RATE, seed=number)
    args = (tmp_path / "music", f"--checkpoint={saved()}", "--device=cpu")
    # So slow that it is in the middle when it is killed, and its work is on the disk at once.
    slow = (
        "import sys, time; from semisupcon.embed import main; from semisupcon.inference import journal as j\n"
        "append, j._FLUSH_SECONDS = j.Journal.append, 0.0\n"
        "j.Journal.append = lambda self, *given: (time.sleep(0.02), append(self, *given))\n"
        "sys.exit(main())"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", slow, *map(str, args), f"--out={tmp_path / 'x.npz'}", "--batch_size=4"],
        cwd=ROOT,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    rows, deadline = tmp_path / "x.npz.part" / "rows.jsonl", time.monotonic() + 60
    while not (rows.exists() and rows.read_bytes().count(b"\n") >= 20) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.kill()
    process.wait()
    done = rows.read_bytes().count(b"\n")
    assert 20 <= done < 60
    assert not (tmp_path / "x.npz").exists()

    status, text = embed(*args, f"--out={tmp_path / 'x.npz'}")
    embed(*args, f"--out={tmp_path / 'whole.npz'}")

    assert status == 0
    assert f"{done} of 60 files are embedded already" in text
    assert (tmp_path / "x.npz").read_bytes() == (tmp_path / "whole.npz").read_bytes()


def test_neither_lightning_nor_wandb_is_imported(saved, music, tmp_path):
    out = tmp_path / "x.csv"
    code = (
        "import runpy, sys; from semisupcon.embed import Embedder\n"
        f"track = Embedder({saved()!r})({str(music / 'c.mp3')!r})\n"
        f"sys.argv = ['embed', {str(music)!r}, '--checkpoint={saved()}', '--out={out}']\n"
        "try:\n"
        "    runpy.run_module('semisupcon.embed', run_name='__main__')\n"
        "except SystemExit as end:\n"
        "    print(end.code)\n"
        "print([name for name in sys.modules if name.split('.')[0] in\n"
        "       ('pytorch_lightning', 'lightning', 'lightning_fabric', 'wandb')])"
    )

    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)

    assert done.stdout == "0\n[]\n"
    assert out.exists()


def test_bad_files_are_named_once_and_do_not_stop_the_rest(embed, saved, tmp_path):
    badfiles.good(tmp_path / "music", 4)
    badfiles.unusual(tmp_path / "music" / "unusual")
    bad = {path for path in badfiles.unusable(tmp_path / "music").values() if path.is_file() or path.is_symlink()}

    args = (tmp_path / "music", f"--checkpoint={saved()}", f"--out={tmp_path / 'x.npz'}", "--max_bad_share=1")
    status, text = embed(*args)

    assert status == 0
    with (tmp_path / "x.npz.bad_files.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["path"] for row in rows] == sorted(path.name for path in bad)
    reasons = {row["path"]: row["reason"] for row in rows}
    assert reasons["zero_bytes.wav"] == "is empty (0 bytes)"
    assert reasons["nan.wav"] == "holds NaN or infinite samples"
    assert reasons["text.wav"].startswith("is not audio that libsndfile can open")
    found = read(tmp_path / "x.npz")
    assert f"{len(bad)} of {len(found['path']) + len(bad)} files give no audio and are left out" in text
    assert np.isfinite(found["embedding"]).all()
    assert "unusual/new\nline.wav" in found["path"]


def test_a_missing_file_among_others_is_bad(embed, saved, music, tmp_path):
    missing = tmp_path / "nowhere.wav"

    status, _ = embed(music / "one.wav", missing, f"--checkpoint={saved()}", f"--out={tmp_path / 'x.csv'}")

    assert status == 0
    assert read(tmp_path / "x.csv")["path"].tolist() == [str(music / "one.wav")]
    assert str(missing) in (tmp_path / "x.csv.bad_files.csv").read_text()


def test_where_nothing_gives_audio_it_is_an_error_and_the_list_is_there(embed, saved, tmp_path):
    (tmp_path / "music").mkdir()
    (tmp_path / "music" / "a.wav").write_text("text")
    (tmp_path / "music" / "b.mp3").write_bytes(b"")

    status, text = embed(tmp_path / "music", f"--checkpoint={saved()}", f"--out={tmp_path / 'x.csv'}")

    assert status == 2
    assert "None of the 2 files gives audio. The first: a.wav (is not audio" in text
    assert len((tmp_path / "x.csv.bad_files.csv").read_text().splitlines()) == 3
    assert [path.name for path in tmp_path.glob("x.csv*")] == ["x.csv.bad_files.csv"]


def test_an_empty_folder_is_an_error(embed, saved, tmp_path):
    (tmp_path / "music").mkdir()
    status, text = embed(tmp_path / "music", f"--checkpoint={saved()}", f"--out={tmp_path / 'x.csv'}")

    assert status == 2
    assert "is a folder without an audio file" in text


def test_a_finished_output_is_replaced_only_on_request(embed, saved, many, music, tmp_path):
    out = tmp_path / "x.npz"
    embed(many, f"--checkpoint={saved()}", f"--out={out}")
    before = written(tmp_path)

    status, text = embed(music, f"--checkpoint={saved()}", f"--out={out}")
    assert (status, written(tmp_path)) == (2, before)
    assert f"{out}: is there already" in text
    assert "--overwrite=true" in text

    status, _ = embed(music, f"--checkpoint={saved()}", f"--out={out}", "--overwrite=true")
    assert status == 0
    assert len(read(out)["path"]) == 7
    assert not (tmp_path / "x.npz.bad_files.csv").exists(), "that list was of the files before"


def test_segments_that_are_there_are_not_replaced_unasked_either(embed, saved, music, tmp_path):
    (tmp_path / "x.segments.csv").write_text("mine")
    args = (music, f"--checkpoint={saved()}", f"--out={tmp_path / 'x.csv'}", "--segments=true")

    assert embed(*args)[0] == 2
    assert (tmp_path / "x.segments.csv").read_text() == "mine"
    assert embed(*args, "--overwrite=true")[0] == 0


def test_unfinished_work_of_another_checkpoint_is_refused_by_name(embed, saved, many, tmp_path, monkeypatch):
    out = tmp_path / "x.csv"
    with monkeypatch.context() as patch:
        patch.setattr(embedding, "_finish", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            embed(many, f"--checkpoint={saved(0)}", f"--out={out}")

    status, text = embed(many, f"--checkpoint={saved(1)}", f"--out={out}", "--hop=0.02")
    assert status == 2
    assert "content of the checkpoint: " in text
    assert "hop: 0.05 then, 0.02 now" in text
    assert "batch_size" not in text

    (many / "zz.wav").write_bytes(b"")
    status, text = embed(many, f"--checkpoint={saved(0)}", f"--out={out}")
    assert status == 2
    assert "files: 30 then, 31 now" in text

    assert embed(many, f"--checkpoint={saved(1)}", f"--out={out}", "--overwrite=true")[0] == 0
    embed(many, f"--checkpoint={saved(1)}", f"--out={tmp_path / 'y.csv'}")
    assert out.read_bytes() == (tmp_path / "y.csv").read_bytes()


def test_ctrl_c_ends_with_130_and_says_how_to_go_on(embed, saved, many, tmp_path, monkeypatch):
    append = journals.Journal.append

    def stop(journal, name, result):
        if journal.files == 12:
            raise KeyboardInterrupt
        append(journal, name, result)

    args = (many, f"--checkpoint={saved()}", f"--out={tmp_path / 'x.csv'}")
    with monkeypatch.context() as patch:
        patch.setattr(journals.Journal, "append", stop)
        status, text = embed(*args)
    assert status == 130
    assert f"stays in {tmp_path / 'x.csv.part'}, and the same command goes on from there" in text
    assert "12 of 30 files are embedded already" in embed(*args)[1]


def test_a_full_disk_is_said_and_what_was_done_stays(embed, saved, many, tmp_path, monkeypatch):
    append = journals.Journal.append

    def full(journal, name, result):
        if journal.files == 12:
            raise OSError(28, "No space left on device")
        append(journal, name, result)

    args = (many, f"--checkpoint={saved()}", f"--out={tmp_path / 'x.csv'}")
    with monkeypatch.context() as patch:
        patch.setattr(journals.Journal, "append", full)
        status, text = embed(*args)
    assert status == 2
    assert "x.csv: cannot be written (No space left on device)" in text
    assert "12 of 30 files are embedded already" in embed(*args)[1]


def test_too_little_memory_of_a_gpu_is_said(embed, saved, music, tmp_path, monkeypatch):
    def full(*_):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(embedding.Embedder, "_forward", full)

    status, text = embed(music, f"--checkpoint={saved()}", f"--out={tmp_path / 'x.csv'}")

    assert status == 2
    assert "too small for --batch_size=4" in text


def stopped_at(monkeypatch, number, call):
    """Call, and have Ctrl-C come before a file."""
    append = journals.Journal.append

    def stop(journal, name, result):
        if journal.files == number:
            raise KeyboardInterrupt
        append(journal, name, result)

    with monkeypatch.context() as patch:
        patch.setattr(journals.Journal, "append", stop)
        status, text = call()
    assert status == 130
    return text


def test_files_replaced_under_their_names_are_not_mixed_with_those_before(embed, saved, many, tmp_path, monkeypatch):
    args = (many, f"--checkpoint={saved()}", f"--out={tmp_path / 'x.csv'}")
    stopped_at(monkeypatch, 12, lambda: embed(*args))
    status = (many / "20.wav").stat()
    os.utime(many / "20.wav", ns=(status.st_atime_ns, status.st_mtime_ns + 1))

    status, text = embed(*args)

    assert status == 2
    assert "the files (where they lie, their sizes, when they were changed): " in text
    assert "names of the files" not in text
    assert embed(*args, "--overwrite=true")[0] == 0


def test_another_folder_of_the_same_names_is_refused_and_a_finished_one_gives_the_same_bytes(
    embed, saved, many, tmp_path, monkeypatch
):
    shutil.copytree(many, tmp_path / "copy")
    args = (f"--checkpoint={saved()}", f"--out={tmp_path / 'x.npz'}")
    stopped_at(monkeypatch, 12, lambda: embed(many, *args))

    assert embed(tmp_path / "copy", *args)[0] == 2
    assert embed(many, *args)[0] == 0
    embed(tmp_path / "copy", args[0], f"--out={tmp_path / 'y.npz'}")
    assert (tmp_path / "x.npz").read_bytes() == (tmp_path / "y.npz").read_bytes()


def test_overwrite_begins_anew_and_the_command_without_it_goes_on(embed, saved, many, tmp_path, monkeypatch):
    args = (many, f"--checkpoint={saved()}", f"--out={tmp_path / 'x.csv'}")
    assert embed(*args)[0] == 0
    before = (tmp_path / "x.csv").read_bytes()
    (tmp_path / "x.csv").write_text("old")
    stopped_at(monkeypatch, 12, lambda: embed(*args, "--overwrite=true"))
    assert (tmp_path / "x.csv").read_text() == "old"
    text = stopped_at(monkeypatch, 5, lambda: embed(*args, "--overwrite=true"))
    assert "goes on from there, without --overwrite=true" in text

    status, text = embed(*args)

    assert status == 0
    assert "5 of 30 files are embedded already" in text
    assert (tmp_path / "x.csv").read_bytes() == before


def test_overwrite_leaves_no_segments_of_the_output_before(embed, saved, music, tmp_path):
    args = (music, f"--checkpoint={saved()}", f"--out={tmp_path / 'x.csv'}")
    embed(*args, "--segments=true")
    assert (tmp_path / "x.segments.csv").exists()

    assert embed(*args, "--overwrite=true")[0] == 0
    assert not (tmp_path / "x.segments.csv").exists()


def test_where_the_disk_is_gone_the_command_stops_and_goes_on_when_it_is_back(
    embed, saved, track, tmp_path, monkeypatch
):
    for number in range(60):
        track(tmp_path / "music" / f"{number:02}.wav", T, seed=number)
    (tmp_path / "music" / "03.wav").write_bytes(b"")
    args = (tmp_path / "music", f"--checkpoint={saved()}", "--batch_size=7")
    embed(*args, f"--out={tmp_path / 'whole.npz'}")
    decode = audio.decode

    def gone(path, rate):
        if int(Path(path).stem) >= 10:
            raise OSError(5, "Input/output error")
        return decode(path, rate)

    out = f"--out={tmp_path / 'x.npz'}"
    with monkeypatch.context() as patch:
        patch.setattr(audio, "decode", gone)
        status, text = embed(*args, out)
    assert status == 2
    assert "x cannot be read (Input/output error)" in text
    assert "more than --max_bad_share=0.2 allows" in text
    assert len((tmp_path / "x.npz.part" / "rows.jsonl").read_text().splitlines()) >= 20

    status, text = embed(*args, out)

    assert status == 0
    assert "10 of 60 files are embedded already" in text
    assert (tmp_path / "x.npz").read_bytes() == (tmp_path / "whole.npz").read_bytes()


def test_a_large_share_of_bad_files_is_left_out_only_on_request(embed, saved, many, tmp_path):
    for number in range(8, 15):
        (many / f"{number:02}.wav").write_bytes(b"")
    args = (many, f"--checkpoint={saved()}", f"--out={tmp_path / 'x.csv'}")

    for _ in range(2):  # going on is no way around it
        status, text = embed(*args)
        assert status == 2
        assert "9 of 30 files tried give no audio" in text
    assert embed(*args, "--max_bad_share=1")[0] == 0
    assert len(read(tmp_path / "x.csv")["path"]) == 21


def test_bad_lists_of_two_formats_do_not_meet(embed, saved, many, tmp_path):
    for suffix in ("csv", "npz"):
        embed(many, f"--checkpoint={saved()}", f"--out={tmp_path / f'e.{suffix}'}")
    assert {path.name for path in tmp_path.glob("*bad_files*")} == {"e.csv.bad_files.csv", "e.npz.bad_files.csv"}


def test_a_folder_as_output_is_refused_at_once(embed, music, tmp_path):
    (tmp_path / "x.csv").mkdir()
    status, text = embed(music, "--checkpoint=nowhere.ckpt", f"--out={tmp_path / 'x.csv'}", "--overwrite=true")

    assert status == 2
    assert "x.csv: is a folder" in text


def test_nothing_is_promised_of_a_folder_that_is_not_there(embed, saved, music, tmp_path):
    (tmp_path / "file").write_text("no folder")
    status, text = embed(music, f"--checkpoint={saved()}", f"--out={tmp_path / 'file' / 'x.csv'}")

    assert status == 2
    assert "cannot be written" in text
    assert "stays in" not in text


def test_without_a_stderr_it_works(saved, music, tmp_path):
    out = tmp_path / "x.csv"
    command = 'exec "$0" -m semisupcon.embed "$@" 2>&-'
    args = [str(music), f"--checkpoint={saved()}", f"--out={out}", "--num_workers=0"]
    run = ["sh", "-c", command, sys.executable, *args]

    assert subprocess.run(run, cwd=ROOT, check=False).returncode == 0
    assert out.exists()


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--checkpoint=nowhere.ckpt", "--out=x.csv"], "nowhere.ckpt: no such checkpoint file"),
        (["--checkpoint=nowhere.ckpt", "--out=x.pickle"], "--out=x.pickle: the suffix decides"),
        (["--out=x.csv"], "Not given: --checkpoint"),
        (["--checkpoint=a", "--out=x.csv", "--hoop=1"], "--hoop=1: there is no such option. Did you mean --hop?"),
    ],
)
def test_errors_take_one_screen(embed, music, args, said):
    status, text = embed(music, *args)

    assert status == 2
    assert said in text
    assert len(text.strip().splitlines()) <= 4
    assert "Traceback" not in text


def test_the_output_says_what_it_is_of(embed, saved, music, tmp_path):
    embed(music, f"--checkpoint={saved()}", f"--out={tmp_path / 'x.npz'}")

    with np.load(tmp_path / "x.npz") as found:
        about = json.loads(str(found["about"]))
    assert about["checkpoint"] == saved()
    assert about["encoder"] == "semisupcon.encoders.samplecnn.SampleCNN"
    assert (about["sample_rate"], about["length"], about["hop"], about["dim"]) == (RATE, T / RATE, T / RATE, D)


def test_one_long_track(embed, saved, track, tmp_path, reference, tiny_encoder, monkeypatch):
    monkeypatch.setattr(ahead, "LONG", 1000)
    path = track(tmp_path / "long.flac", 60 * RATE + 1, RATE)

    embed(path, f"--checkpoint={saved()}", f"--out={tmp_path / 'x.npz'}", "--segments=true", "--num_workers=1")

    found = read(tmp_path / "x.segments.npz")
    assert found["start"][-2:].tolist() == [1199 * T / RATE, (60 * RATE + 1 - T) / RATE]
    np.testing.assert_allclose(found["embedding"], reference(tiny_encoder(), path), atol=1e-6, rtol=0)
    assert isinstance(Embedder(saved())(path), TrackEmbedding)
