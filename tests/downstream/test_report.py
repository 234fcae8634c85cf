"""What a finished test leaves behind, and the command that compares several."""

import csv
import json
import subprocess
import sys

import numpy as np
import pytest

from semisupcon.downstream.intervals import bootstrap
from semisupcon.downstream.metrics import evaluate
from semisupcon.downstream.plots import comparison_picture, confusion_picture
from semisupcon.downstream.report import main, summary, write_report
from semisupcon.errors import UserError
from semisupcon.table import TEXT, Task

GENRES = Task("gtzan", "multiclass", ("blues", "jazz", "metal"), group="artist")
TAGS = Task("mtat_top50", "multilabel", ("guitar", "choir"), group="artist")
MOOD = Task("emomusic", "regression", ("arousal", "valence"))


def result(clips=90, right=0.7, seed=0):
    rng = np.random.default_rng(seed)
    labels = np.eye(3)[rng.integers(3, size=clips)]
    scores = np.where(rng.random((clips, 1)) < right, labels, labels[:, ::-1]) + rng.normal(0, 0.1, (clips, 3))
    return scores, labels, [f"{row}.wav" for row in range(clips)], [f"artist {row // 3}" for row in range(clips)]


def cells(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def is_picture(path):
    return path.read_bytes().startswith(b"\x89PNG") and path.stat().st_size > 3000


def test_a_report_holds_the_metrics_their_intervals_and_what_they_are_over(tmp_path):
    scores, labels, paths, groups = result()
    labels[3:6] = np.nan  # all that there is of artist 1
    folder = tmp_path / "new" / "run"
    extra = {"checkpoint": tmp_path, "best": np.float32(np.nan), "segments": np.int64(3)}
    text = (np.array(paths, TEXT), np.array(groups, TEXT))
    returned = write_report(folder, GENRES, scores, labels, *text, extra=extra, draws=200)
    content = json.loads((folder / "metrics.json").read_text(), parse_constant=pytest.fail)  # no NaN: it is not JSON
    assert content == returned
    assert content["test"]["accuracy"]["value"] == evaluate(GENRES, scores, labels)["accuracy"]
    expected = bootstrap(GENRES, scores, labels, groups, draws=200)["macro_f1"]
    assert content["test"]["macro_f1"] == expected._asdict()
    assert set(content["test"]) == {"accuracy", "macro_f1"}  # counts have no interval, and stand beside
    assert (content["task"], content["main"], content["clips"], content["groups"]) == ("gtzan", "accuracy", 87, 29)
    assert content["interval"] == "95 % bootstrap over 29 artists"
    assert (content["checkpoint"], content["best"], content["segments"]) == (str(tmp_path), None, 3)

    rows = cells(folder / "predictions.csv")
    assert rows[0] == ["path", "truth", "prediction", *GENRES.classes]
    assert len(rows) == 91
    assert rows[5][:2] == ["4.wav", ""]
    assert rows[1][1:3] == [GENRES.classes[labels[0].argmax()], GENRES.classes[scores[0].argmax()]]
    assert [float(cell) for cell in rows[1][3:]] == pytest.approx(scores[0], rel=1e-5)
    assert [row[0] for row in cells(folder / "per_class.csv")] == ["class", *GENRES.classes]
    assert is_picture(folder / "confusion.png")


def test_tags_have_no_confusion_and_undefined_ones_are_null(tmp_path):
    labels = np.array([[1, 0], [0, 0], [1, 0], [0, 0]], float)
    scores = np.array([[0.9, 0.1], [0.2, 0.3], [0.8, 0.1], [0.1, 0.1]])
    content = write_report(tmp_path, TAGS, scores, labels, "abcd", ["x"] * 4, split="val", draws=20)
    assert content["val"]["roc_auc"] == {"value": 1, "low": None, "high": None}  # one artist: no interval
    assert content["classes_with_positives"] == 1
    assert content["interval"].startswith("95 % bootstrap over 1 artist (fewer than 20")
    assert not (tmp_path / "confusion.png").exists()
    assert [row[1:3] for row in cells(tmp_path / "predictions.csv")[1:3]] == [["guitar", "guitar"], ["", "choir"]]
    assert cells(tmp_path / "per_class.csv")[2] == ["choir", "4", "0", "", ""]


def test_targets_have_truth_and_prediction_columns_of_their_own(tmp_path):
    labels = np.random.default_rng(0).normal(size=(30, 2))
    content = write_report(tmp_path, MOOD, labels + 0.1, labels, range(30), [""] * 30, draws=50, level=0.9)
    assert set(content["test"]) == {"r2_arousal", "r2_valence", "r2"}
    assert (content["groups"], content["interval"]) == (0, "90 % bootstrap over 30 clips")
    rows = cells(tmp_path / "predictions.csv")
    assert rows[0] == ["path", "truth_arousal", "truth_valence", "prediction_arousal", "prediction_valence"]
    assert float(rows[1][3]) - float(rows[1][1]) == pytest.approx(0.1, abs=1e-4)


def test_a_report_refuses_what_would_hide_something(tmp_path):
    scores, labels, paths, groups = result()
    with pytest.raises(ValueError, match="extra holds clips"):
        write_report(tmp_path, GENRES, scores, labels, paths, groups, extra={"clips": 3}, draws=5)
    with pytest.raises(ValueError, match="2 paths for 90"):
        write_report(tmp_path, GENRES, scores, labels, paths[:2], groups, draws=5)
    assert not list(tmp_path.iterdir())


@pytest.fixture
def runs(tmp_path):
    for name, right in (("probe", 0.5), ("fine|tuned", 0.9)):
        write_report(tmp_path / name, GENRES, *result(right=right), draws=50)
    return [str(tmp_path / "probe"), str(tmp_path / "fine|tuned" / "metrics.json")]


def test_the_command_prints_a_table_and_writes_it(runs, tmp_path, capsys):
    assert main([*runs, "--names", "frozen, adapted", "--out", str(tmp_path / "out")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "gtzan, test, 95 % bootstrap over 30 artists"
    assert lines[2].split() == ["run", "clips", "accuracy", "macro_f1"]
    entry = json.loads((tmp_path / "probe" / "metrics.json").read_text())["test"]["accuracy"]
    assert lines[3].startswith("frozen ")
    assert f"90     {entry['value']:.3f} [{entry['low']:.3f}, {entry['high']:.3f}]" in lines[3]
    assert lines[4].startswith("adapted ")
    markdown = (tmp_path / "out" / "comparison.md").read_text().splitlines()
    assert markdown[2:4] == ["| run | clips | accuracy | macro_f1 |", "| --- | --- | --- | --- |"]
    assert is_picture(tmp_path / "out" / "comparison.png")
    assert "fine\\|tuned" in summary(runs, markdown=True)


def test_runs_of_one_folder_name_are_told_apart(tmp_path):
    for seed in "01":
        write_report(tmp_path / seed / "run", GENRES, *result(seed=int(seed)), draws=5)
    text = summary([tmp_path / "0" / "run", tmp_path / "1" / "run"])
    assert str(tmp_path / "0" / "run") in text


def test_the_command_says_what_is_wrong(runs, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "config.yaml").touch()
    assert main([str(tmp_path / "empty")]) == 2
    assert "no metrics.json" in (message := capsys.readouterr().err)
    assert "found: config.yaml" in message
    assert main([*runs, "--names", "only one"]) == 2
    assert "1 names (only one) for 2 runs" in capsys.readouterr().err
    write_report(tmp_path / "mood", MOOD, [[1, 2], [2, 3]], [[1, 2], [2, 2.5]], "ab", draws=5)
    assert main([*runs, str(tmp_path / "mood")]) == 2
    assert f"{tmp_path / 'mood'}: emomusic" in capsys.readouterr().err
    (tmp_path / "empty" / "metrics.json").write_text("{}")
    with pytest.raises(UserError, match="not a metrics file"):
        summary([tmp_path / "empty"])


def test_scoring_and_comparing_need_no_torch_and_draw_without_a_display(runs):
    code = (
        "import sys; import semisupcon.downstream.report as r; assert 'matplotlib' not in sys.modules; "
        f"assert r.main({runs!r}) == 0; assert not {{'torch', 'lightning', 'pytorch_lightning'}} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("size", [1, 10, 112])
def test_confusion_pictures_of_any_size(size, tmp_path):
    matrix = np.random.default_rng(0).poisson(1, (size, size))
    matrix[0] = 0  # a class without clips
    confusion_picture(matrix, [f"class {k}" for k in range(size)], tmp_path / "picture.png")
    assert is_picture(tmp_path / "picture.png")
    with pytest.raises(ValueError, match="confusion matrix"):
        confusion_picture(matrix, ["one too many"] * (size + 1), tmp_path / "picture.png")


def test_comparison_pictures_bear_missing_intervals_and_bounds_beside_the_value(tmp_path):
    rows = [
        ("a", 0.4, 0.3, 0.5),
        ("no interval", 0.4, np.nan, np.nan),
        ("off", 0.2, 0.25, 0.3),
        ("none", *[np.nan] * 3),
    ]
    comparison_picture(rows, tmp_path / "picture.png", "accuracy")
    assert is_picture(tmp_path / "picture.png")
    comparison_picture(rows[3:], tmp_path / "picture.png", "accuracy", "nothing defined at all")
    with pytest.raises(ValueError, match="no rows"):
        comparison_picture([], tmp_path / "picture.png")
