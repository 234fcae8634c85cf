"""GTZAN in miniature: ``genres/<genre>/<genre>.00000.au`` as first distributed, ``genres_original/*.wav`` as on Kaggle.

The lists are those of the fault-filtered split, github.com/coreyker/dnn-mgr/tree/master/gtzan.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from semisupcon.datasets import load
from semisupcon.errors import UserError

GENRES = ("blues", "classical", "country", "disco", "hiphop", "jazz", "metal", "pop", "reggae", "rock")


def _corpus(top: Path, suffix: str) -> Path:
    for genre in GENRES:
        (top / genre).mkdir(parents=True)
        for number in range(100):
            (top / genre / f"{genre}.{number:05d}{suffix}").touch()
    return top


def _listed(root, **kwargs):
    """Without the clips that no list names."""
    table, task = load("gtzan", root=str(root), **kwargs)
    return table.rows(table.labelled), task


@pytest.mark.parametrize(
    ("place", "suffix"),
    [("genres", ".au"), ("genres_original", ".wav"), ("Data/genres_original", ".wav"), ("", ".WAV")],
)
def test_each_layout_gives_the_filtered_split(tmp_path, place, suffix):
    _corpus(tmp_path / place, suffix)
    table, task = _listed(tmp_path)
    assert [len(table.of(split)) for split in ("train", "val", "test")] == [443, 197, 290]
    assert (task.kind, task.classes) == ("multiclass", GENRES)
    assert table.labels.dtype == "float32"
    for path, label in zip(table.path, table.labels, strict=True):
        assert path.split("/")[-2] == GENRES[label.argmax()]
        assert label.sum() == 1
    assert table.path.tolist() == sorted(table.path.tolist())
    assert table.file(0).is_file()


def test_faulty_clips_that_no_list_names_can_be_neither_scored_nor_trained_on(tmp_path):
    # jazz.00054 is listed for train, as in the published lists, though a common copy of it cannot be read
    table, _ = load("gtzan", root=str(_corpus(tmp_path, ".wav")))
    rows = {Path(path).stem: row for row, path in enumerate(table.path.tolist())}
    assert table.labelled.sum() == 930
    assert table.labelled[rows["jazz.00054"]]
    distorted = rows["reggae.00086"]  # see Sturm, arXiv:1306.1461
    assert not table.labelled[distorted]
    assert table.split[distorted] == "test"


def test_of_a_clip_in_two_formats_one_is_taken(tmp_path):
    _corpus(tmp_path, ".wav")
    (tmp_path / "blues/blues.00029.au").touch()
    paths = _listed(tmp_path)[0].path.tolist()
    assert [p for p in paths if "blues.00029" in p] == ["blues/blues.00029.wav"]


def test_resource_files_of_macos_and_strange_files_are_passed_over(tmp_path):
    _corpus(tmp_path, ".wav")
    for name in ("._blues.00029.wav", "blues.00029.wav.asd", "blues.00029.mf", ".DS_Store", "copy of blues.00029.wav"):
        (tmp_path / "blues" / name).touch()
    (tmp_path / "rock/blues.00029.wav").touch()  # astray: its genre is in its name
    paths = _listed(tmp_path)[0].path.tolist()
    assert len(paths) == 930
    assert "blues/blues.00029.wav" in paths


def test_missing_clips_are_left_out_and_counted(tmp_path, caplog):
    _corpus(tmp_path, ".wav")
    for clip in ("jazz/jazz.00054.wav", "blues/blues.00012.wav"):
        (tmp_path / clip).unlink()
    assert len(_listed(tmp_path)[0]) == 928
    assert "left out 2 of the 930 clips" in caplog.text
    assert "blues/blues.00012.wav" in caplog.text


def test_classes_stay_ten_when_only_one_genre_is_there(tmp_path):
    _corpus(tmp_path, ".wav")
    for genre in GENRES[:-1]:
        for file in (tmp_path / genre).iterdir():
            file.unlink()
    table, task = _listed(tmp_path)
    assert task.classes == GENRES
    assert set(table.labels.argmax(axis=1)) == {9}


def test_own_lists_replace_the_split(tmp_path):
    _corpus(tmp_path / "genres", ".au")
    lists = tmp_path / "lists"
    lists.mkdir()
    (lists / "train_filtered.txt").write_text("blues/blues.00029.wav\nrock.00001\n")
    (lists / "valid_filtered.txt").write_text("pop/pop.00002.au\n")
    (lists / "test_filtered.txt").write_text("# held out\njazz/jazz.00003.wav\n\n")
    table, _ = _listed(tmp_path, split_file=str(lists))
    assert dict(zip(table.path.tolist(), table.split.tolist(), strict=True)) == {
        "blues/blues.00029.au": "train",
        "rock/rock.00001.au": "train",
        "pop/pop.00002.au": "val",
        "jazz/jazz.00003.au": "test",
    }
    (lists / "test_filtered.txt").write_text("blues/blues.00029.wav\n")
    with pytest.raises(UserError, match=r"blues.00029 is in two lists .*train and test"):
        load("gtzan", root=str(tmp_path), split_file=str(lists))
    (lists / "test_filtered.txt").write_text("polka.00001\n")
    with pytest.raises(UserError, match=r"'polka.00001', which names no clip"):
        load("gtzan", root=str(tmp_path), split_file=str(lists))


def test_an_archive_that_is_not_unpacked_is_seen(tmp_path):
    (tmp_path / "a.zip").touch()
    with pytest.raises(UserError) as error:
        load("gtzan", root=str(tmp_path))
    assert str(error.value) == (
        f"gtzan: no folder genres/ or genres_original/ under {tmp_path} (found: a.zip). "
        f"Unpack the archive there, or pass --data.sl_kwargs.root."
    )


def test_empty_genre_folders_are_an_error(tmp_path):
    (tmp_path / "genres/blues").mkdir(parents=True)
    with pytest.raises(UserError, match=r"none of the 930 clips .*/genres \(found: blues/\).*blues/blues.00000.wav"):
        load("gtzan", root=str(tmp_path))


def test_reading_the_module_brings_no_torch():
    code = "import sys; from semisupcon.datasets import folder, gtzan, mtat, nsynth; sys.exit('torch' in sys.modules)"
    root = Path(__file__).parents[2]
    assert subprocess.run([sys.executable, "-c", code], cwd=root, env=os.environ, check=False).returncode == 0
