"""MusicNet in miniature: musicnet_metadata.csv, train_data/, train_labels/ and so on of zenodo.org/records/5120004."""

import pickle
from pathlib import Path

import numpy as np
import pytest

from semisupcon.datasets import load, musicnet
from semisupcon.errors import UserError
from semisupcon.table import NOTE

METADATA = "id,composer,composition,movement,ensemble,source,transcriber,catalog_name,seconds"
LABELS = "start_time,end_time,instrument,note,start_beat,end_beat,note_value"

# Lines of the published file, some of them shortened; those in TEST are in its test_data.
LINES = """
1727,Schubert,Piano Quintet in A major,2. Andante,Piano Quintet,European Archive,http://tirolmusic.blogspot.com/,OP114,447
1728,Schubert,Piano Quintet in A major,3. Scherzo: Presto,Piano Quintet,European Archive,http://x/,OP114,251
1733,Schubert,Piano Sonata in A major,2. Andantino,Solo Piano,Museopen,Segundo G. Yogore,D959,546
1734,Schubert,Piano Sonata in A major,3. Scherzo. Allegro vivace,Solo Piano,Museopen,Segundo G. Yogore,D959,325
1768,Schubert,Piano Sonata in A major,2. Andante,Solo Piano,Museopen,Segundo G. Yogore,D664,290
1931,Dvorak,String Quartet No 12 in F major,2. Lento,String Quartet,Museopen,Masahiro Ishii,OP96,471
2155,Brahms,String Sextet No 1 in B-flat major,"2. Andante, ma moderato",String Sextet,Carl Banner,harfesoft.de,OP18,606
2302,Bach,"WTK I, No 5: Prelude and Fugue in D major",2. Fugue,Solo Piano,Kimiko Ishizaka,www.bachcentral.com,BWV850,108
2303,Bach,"WTK I, No 5: Prelude and Fugue in D major",1. Prelude,Solo Piano,Kimiko Ishizaka,www.x.com,BWV850,92
2532,Beethoven,Piano Sonata No 20 in C minor,1. Maestoso,Solo Piano,Neal O’Doan,piano-midi.de,OP111,548
2626,Beethoven,Violin Sonata No 10 in G major,1. Allegro moderato,Accompanied Violin,Irrera Brothers,x,OP96,593
""".strip().splitlines()
TEST = {2303}

# In the form of train_labels/1727.csv: times in samples, beats, and the value of the note as text.
NOTES = [
    "9182,90078,43,53,4.0,1.5,Dotted Quarter",
    "9182,33758,42,65,4.0,0.5,Eighth",
    "9182,62430,1,69,4.0,1.0,Quarter",
]


def _write(root: Path, lines: list[str] = LINES, place: str = "", metadata: str = "") -> Path:
    for line in lines:
        number = int(line.split(",")[0])
        part = "test" if number in TEST else "train"
        for folder, name, text in (("data", "wav", ""), ("labels", "csv", "\n".join([LABELS, *NOTES]) + "\n")):
            (root / place / f"{part}_{folder}").mkdir(parents=True, exist_ok=True)
            (root / place / f"{part}_{folder}/{number}.{name}").write_text(text)
    (root / metadata / "musicnet_metadata.csv").write_text("\n".join([METADATA, *lines]) + "\n", encoding="utf-8")
    return root


def _rows(table) -> dict[int, int]:
    return {int(Path(path).stem): row for row, path in enumerate(table.path.tolist())}


@pytest.mark.parametrize(
    ("place", "metadata"),
    [("", ""), ("musicnet", "musicnet"), ("musicnet", ""), ("musicnet/musicnet", "")],  # the last as on Kaggle
)
def test_each_layout_gives_the_recordings_with_their_ensemble(tmp_path, place, metadata):
    table, task = load("musicnet", root=str(_write(tmp_path, place=place, metadata=metadata)))
    assert (task.kind, task.classes, task.group) == ("multiclass", musicnet.ENSEMBLES, "work")
    assert len(set(task.classes)) == 21
    rows = _rows(table)
    assert len(rows) == len(LINES)
    assert task.classes[table.labels[rows[2155]].argmax()] == "String Sextet"
    assert task.classes[table.labels[rows[2626]].argmax()] == "Accompanied Violin"
    assert table.labels.sum(axis=1).tolist() == [1] * len(table)
    assert all(table.file(row).is_file() for row in range(len(table)))
    assert table.path.tolist() == sorted(table.path.tolist())
    assert len(musicnet.notes(tmp_path, 1727)) == 3


def test_the_official_recordings_are_test_and_no_other(tmp_path):
    table, _ = load("musicnet", root=str(_write(tmp_path)))
    assert [number for number, row in _rows(table).items() if table.split[row] == "test"] == [2303]


def test_works_are_told_apart_by_composer_and_catalogue(tmp_path):
    table, _ = load("musicnet", root=str(_write(tmp_path)))
    group = {number: str(table.group[row]) for number, row in _rows(table).items()}
    assert group[1733] == group[1734] == "Schubert D959"
    assert group[1768] == "Schubert D664"  # both are called Piano Sonata in A major
    assert group[1931] != group[2626]  # two composers' OP96


def _works(count: int) -> list[str]:
    return [
        f"{3000 + 3 * work + part},Haydn,Quartet,{part}. Allegro,{'Solo Piano' if work % 2 else 'String Quartet'},x,y,"
        f"OP{work},300"
        for work in range(count)
        for part in range(3)
    ]


def test_a_tenth_of_training_is_val_and_no_work_is_torn_apart(tmp_path):
    table, _ = load("musicnet", root=str(_write(tmp_path, [*LINES, *_works(60)])))
    split_of: dict[str, set[str]] = {}
    for work, split in zip(table.group.tolist(), table.split.tolist(), strict=True):
        if split != "test":
            split_of.setdefault(work, set()).add(split)
    assert all(len(found) == 1 for found in split_of.values())
    share = (table.split == "val").sum() / (table.split != "test").sum()
    assert 0.07 <= share <= 0.13
    rows = _rows(table)
    alone = [1727, 1728, 2155, 2626]  # of the only work for their ensemble: without it there would be nothing to learn
    assert set(table.split[[rows[number] for number in alone]]) == {"train"}


def test_the_split_is_of_the_seed_and_not_of_where_the_folder_is(tmp_path):
    def val(name: str, place: str, seed: int) -> set[int]:
        (tmp_path / name).mkdir()
        _write(tmp_path / name, _works(60), place)
        for number in range(9000, 9060):  # not in the metadata: each for itself
            (tmp_path / name / place / f"train_data/{number}.wav").touch()
        table, _ = load("musicnet", root=str(tmp_path / name), seed=seed)
        return {number for number, row in _rows(table).items() if table.split[row] == "val"}

    first = val("a", "", 0)
    assert first == val("b", "musicnet", 0)
    assert first != val("c", "", 1)


def test_recordings_that_are_missing_or_not_in_the_metadata(tmp_path, caplog):
    _write(tmp_path)
    (tmp_path / "train_data/1733.wav").unlink()
    for name in ("2194.wav", "._1727.wav", "readme.txt"):
        (tmp_path / "train_data" / name).touch()
    table, _ = load("musicnet", root=str(tmp_path))
    assert "left out 1 of the 11 recordings" in caplog.text
    assert "1733.wav" in caplog.text
    rows = _rows(table)
    assert len(rows) == len(LINES)
    assert np.isnan(table.labels[rows[2194]]).all()
    assert table.split[rows[2194]] != "test"


def test_wrong_folders_and_files_are_named(tmp_path):
    with pytest.raises(UserError, match=r"no folder train_data/ under .*/no .*\(there is no such folder\).*root"):
        load("musicnet", root=str(tmp_path / "no"))
    (tmp_path / "train_data").mkdir()
    with pytest.raises(UserError, match=r"no musicnet_metadata.csv under .* \(found: train_data/\)"):
        load("musicnet", root=str(tmp_path))
    file = tmp_path / "musicnet_metadata.csv"
    for text, message in (
        ("", "No columns to parse"),
        (METADATA.replace("ensemble", "players"), "'ensemble'"),
        (METADATA, "no rows, or a recording twice"),
        ("\n".join([METADATA, LINES[0], LINES[0]]), "no rows, or a recording twice"),
        ("\n".join([METADATA, LINES[0].replace("Piano Quintet,E", "Big Band,E")]), "an ensemble called 'Big Band'"),
    ):
        file.write_text(text)
        with pytest.raises(UserError, match=message):
            load("musicnet", root=str(tmp_path))
    file.write_text("\n".join([METADATA, *LINES]))
    with pytest.raises(UserError, match=r"no recording such as 1727.wav in .*/train_data \(it is empty\)"):
        load("musicnet", root=str(tmp_path))


@pytest.mark.parametrize("recording", [1727, "1727", "train_data/1727.wav", Path("train_labels/1727.csv")])
def test_notes_are_in_seconds_and_sorted_by_start(tmp_path, recording):
    _write(tmp_path)
    file = tmp_path / "train_labels/1727.csv"
    file.write_text("\n".join([LABELS, "44100,66150,1,60,1,1,Quarter", *NOTES]))
    found = musicnet.notes(tmp_path, recording)
    assert found.dtype == NOTE
    assert found["start"].tolist() == [9182 / 44100] * 3 + [1.0]
    assert found["end"].tolist() == [33758 / 44100, 62430 / 44100, 90078 / 44100, 1.5]
    assert list(zip(found["program"].tolist(), found["note"].tolist(), strict=True)) == [
        *((42, 65), (1, 69), (43, 53)),
        (1, 60),
    ]


def test_notes_that_are_missing_or_not_as_published_are_named(tmp_path):
    _write(tmp_path)
    assert len(musicnet.notes(tmp_path, 2303)) == 3  # of the test folder
    with pytest.raises(UserError, match=r"no 9999.csv in train_labels/ or test_labels/"):
        musicnet.notes(tmp_path, 9999)
    file = tmp_path / "train_labels/1727.csv"
    for row, message in (
        ("0,10,2,60,1,1,Quarter", "row 1 is .*'instrument': 2"),
        ("0,10,1,128,1,1,Quarter", "row 1 is .*'note': 128"),
        ("20,10,1,60,1,1,Quarter", "row 1 is .*'start_time': 20"),
        ("0.5,10,1,60,1,1,Quarter", "not as published"),
    ):
        file.write_text(f"{LABELS}\n{row}\n")
        with pytest.raises(UserError, match=message):
            musicnet.notes(tmp_path, 1727)
    file.write_text("onset,offset\n")
    with pytest.raises(UserError, match="not as published"):
        musicnet.notes(tmp_path, 1727)


def test_the_task_knows_the_notes_of_its_recordings(tmp_path):
    _, task = load("musicnet", root=str(_write(tmp_path)))
    assert task.notes.programs == musicnet.PROGRAMS
    assert task.notes.instruments == tuple(musicnet.INSTRUMENTS.values())
    np.testing.assert_array_equal(task.notes.read("train_data/1727.wav"), musicnet.notes(tmp_path, 1727))
    again = pickle.loads(pickle.dumps(task))  # as loading processes are given it
    assert again == task == load("musicnet", root=str(tmp_path))[1]
    assert len(again.notes.read("test_data/2303.wav")) == 3


def test_the_instruments_are_the_published_ones():
    assert tuple(musicnet.INSTRUMENTS) == musicnet.PROGRAMS == (1, 7, 41, 42, 43, 44, 61, 69, 71, 72, 74)
