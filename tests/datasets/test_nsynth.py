"""NSynth in miniature, in the format of https://magenta.tensorflow.org/datasets/nsynth ("Files" and "Features")."""

import json
from pathlib import Path

import numpy as np
import pytest

from semisupcon.datasets import load
from semisupcon.errors import UserError

FAMILIES = ["bass", "brass", "flute", "guitar", "keyboard", "mallet", "organ", "reed", "string", "synth_lead", "vocal"]


def _note(family: str, source: str, instrument: int, pitch: int, velocity: int = 75) -> tuple[str, dict]:
    name = f"{family}_{source}_{instrument:03d}"
    note = f"{name}-{pitch:03d}-{velocity:03d}"
    return note, {
        "note": 201034,
        "sample_rate": 16000,
        "instrument_family": FAMILIES.index(family),
        "qualities": [0, 1, 0, 0, 0, 0, 0, 0, 0, 0],
        "instrument_source_str": source,
        "note_str": note,
        "instrument_family_str": family,
        "instrument_str": name,
        "pitch": pitch,
        "instrument": 417,
        "velocity": velocity,
        "instrument_source": ["acoustic", "electronic", "synthetic"].index(source),
        "qualities_str": ["dark"],
    }


def _write(root: Path, split: str, notes: list[tuple[str, dict]]) -> None:
    audio = root / f"nsynth-{split}" / "audio"
    audio.mkdir(parents=True)
    (audio.parent / "examples.json").write_text(json.dumps(dict(notes)))
    for name, _ in notes:
        (audio / f"{name}.wav").touch()


@pytest.fixture
def nsynth(tmp_path) -> Path:
    _write(
        tmp_path,
        "train",
        [
            _note("vocal", "synthetic", 3, 9),
            _note("organ", "electronic", 104, 57),
            _note("bass", "synthetic", 33, 22),
            _note("bass", "synthetic", 33, 22, 100),
        ],
    )
    _write(tmp_path, "valid", [_note("keyboard", "acoustic", 4, 120)])
    _write(tmp_path, "test", [_note("bass", "electronic", 18, 60)])
    return tmp_path


def test_pitches_are_the_112_of_midi_9_to_120(nsynth):
    table, task = load("nsynth_pitch", root=str(nsynth))
    assert (task.kind, task.classes) == ("multiclass", tuple(str(p) for p in range(9, 121)))
    assert table.labels.shape == (6, 112)
    np.testing.assert_array_equal(table.labels.sum(axis=1), 1)
    named = {path: task.classes[label] for path, label in zip(table.path, table.labels.argmax(axis=1), strict=True)}
    assert named["nsynth-train/audio/vocal_synthetic_003-009-075.wav"] == "9"
    assert named["nsynth-valid/audio/keyboard_acoustic_004-120-075.wav"] == "120"
    assert all(table.file(row).is_file() for row in range(len(table)))


def test_the_official_split_and_the_instrument_are_kept(nsynth):
    table, task = load("nsynth_pitch", root=str(nsynth))
    assert table.split.tolist() == ["train"] * 4 + ["val", "test"]
    assert task.group == "instrument"
    assert set(table.of("train").group.tolist()) == {
        "vocal_synthetic_003",
        "organ_electronic_104",
        "bass_synthetic_033",
    }


def test_families_stay_eleven_when_only_some_are_there(nsynth):
    table, task = load("nsynth_instr_family", root=str(nsynth))
    assert task.classes == tuple(FAMILIES)
    for path, label in zip(table.path, table.labels.argmax(axis=1), strict=True):
        assert path.split("/")[-1].startswith(FAMILIES[label])


def test_a_short_json_of_one_family_reads_its_notes_only(nsynth):
    short = dict([_note("organ", "electronic", 104, 57)])
    (nsynth / "nsynth-train/examples.json").write_text(json.dumps(short))
    table, task = load("nsynth_instr_family", root=str(nsynth))
    assert table.of("train").path.tolist() == ["nsynth-train/audio/organ_electronic_104-057-075.wav"]
    assert len(task.classes) == 11
    assert table.of("train").labels.argmax() == FAMILIES.index("organ")


def test_the_order_of_the_json_does_not_matter(nsynth):
    file = nsynth / "nsynth-train/examples.json"
    before, _ = load("nsynth_pitch", root=str(nsynth))
    file.write_text(json.dumps(dict(reversed(json.loads(file.read_text()).items()))))
    after, _ = load("nsynth_pitch", root=str(nsynth))
    assert before.path.tolist() == after.path.tolist()


def test_train_alone_will_do_and_what_is_missing_is_said(tmp_path, caplog):
    _write(tmp_path, "train", [_note("bass", "synthetic", 33, 22)])
    table, _ = load("nsynth_pitch", root=str(tmp_path))
    assert table.split.tolist() == ["train"]
    assert "nsynth-valid and nsynth-test" in caplog.text


def test_a_wrong_folder_says_what_is_in_it(nsynth, tmp_path):
    with pytest.raises(UserError, match=r"nsynth_pitch: no folder nsynth-train/ under .*audio/, examples.json"):
        load("nsynth_pitch", root=str(nsynth / "nsynth-train"))
    with pytest.raises(UserError, match=r"there is no such folder.*--data.sl_kwargs.root"):
        load("nsynth_pitch", root=str(tmp_path / "nowhere"))


def test_json_without_audio_and_broken_json_are_named(nsynth):
    for file in (nsynth / "nsynth-test/audio").iterdir():
        file.unlink()
    with pytest.raises(UserError, match=r"none of the 1 notes of .*nsynth-test/examples.json.*it is empty"):
        load("nsynth_pitch", root=str(nsynth))
    (nsynth / "nsynth-test/examples.json").write_text('{"bass_electronic_018-060')
    with pytest.raises(UserError, match=r"nsynth-test/examples.json is no json"):
        load("nsynth_pitch", root=str(nsynth))
    (nsynth / "nsynth-test/examples.json").unlink()
    with pytest.raises(UserError, match=r"no examples.json under .*nsynth-test \(found: audio/\)"):
        load("nsynth_pitch", root=str(nsynth))


def test_a_note_that_is_none_of_the_classes_is_named(tmp_path):
    _write(tmp_path, "train", [_note("bass", "synthetic", 33, 22), _note("bass", "synthetic", 33, 121)])
    with pytest.raises(UserError, match=r"bass_synthetic_033-121-075.wav has pitch 121, not 9 to 120"):
        load("nsynth_pitch", root=str(tmp_path))


def test_a_json_of_something_else_is_refused(tmp_path):
    _write(tmp_path, "train", [("a", {"pitch": 60})])
    with pytest.raises(UserError, match="a note has no 'instrument_str'"):
        load("nsynth_pitch", root=str(tmp_path))
