"""Tables of MTAT, GTZAN and NSynth from their own file formats, by the command a user would give."""

import json

import numpy as np
import pandas as pd
import pytest
import soundfile
import torch
from quiet import undone

from semisupcon import checkpoint
from semisupcon.evaluation.cli import main
from semisupcon.evaluation.markdown import table

RATE = 22050
GENRES = ("blues", "classical", "country", "disco", "hiphop", "jazz", "metal", "pop", "reggae", "rock")
TAGS = [*(f"tag {number:03d}" for number in range(188))]


def _sound(path, kind, rng, rate=RATE, seconds=0.35, **how):
    """A tone by its kind in some noise, in whatever format the suffix says."""
    time = np.arange(round(seconds * rate)) / rate
    sound = 0.4 * np.sin(2 * np.pi * 200 * 1.4**kind * time) + 0.02 * rng.standard_normal(len(time))
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, sound, rate, **how)


@pytest.fixture
def gtzan(tmp_path):
    """Au files under genres/, of clips that the fault-filtered lists name: 4 / 2 / 2 of each genre."""
    from semisupcon.datasets.gtzan import gtzan as load

    rng = np.random.default_rng(0)
    root = tmp_path / "gtzan"
    every = tmp_path / "every"
    for genre in GENRES:
        for number in range(100):
            (every / "genres" / genre).mkdir(parents=True, exist_ok=True)
            (every / "genres" / genre / f"{genre}.{number:05d}.au").touch()
    clips, _ = load(str(every))
    for kind, genre in enumerate(GENRES):
        for split, wanted in (("train", 4), ("val", 2), ("test", 2)):
            mine = [str(path) for path in clips.of(split).rows(clips.of(split).labelled).path if f"/{genre}." in path]
            for path in mine[:wanted]:
                _sound(root / "genres" / path, kind, rng, format="AU", subtype="PCM_16")
    return root


@pytest.fixture
def mtat(tmp_path):
    """annotations_final.csv with 188 tags, mp3 files in sixteen folders, and one of 0 bytes, as published."""
    rng = np.random.default_rng(1)
    root = tmp_path / "mtat"
    lines = [["clip_id", *TAGS, "mp3_path"]]
    for clip, folder in enumerate(list("0123456789abcdef") * 2):
        kind = clip % 4
        path = f"{folder}/artist_{clip}-album-01-song-0-29.mp3"
        on = {kind, 4 + int(rng.integers(46))}
        lines.append([str(clip), *("1" if tag in on else "0" for tag in range(188)), path])
        _sound(root / path, kind, rng, rate=16000, seconds=0.5, format="MP3")
    broken = "f/nobody-nothing-01-gently-117-146.mp3"
    (root / broken).touch()
    lines.append(["99", *("1" if tag < 2 else "0" for tag in range(188)), broken])
    text = "\r\n".join("\t".join(f'"{field}"' for field in line) for line in lines)
    (root / "annotations_final.csv").write_text(text + "\r\n")
    return root


@pytest.fixture
def evaluate(tmp_path, tiny_encoder, monkeypatch, capfd):
    """The command on a checkpoint and its untrained architecture; returns status, results.csv and the report."""
    monkeypatch.setenv("SEMISUPCON_CACHE", str(tmp_path / "cache"))
    encoder = tiny_encoder(1, sample_rate=RATE)
    state = {f"encoder.{name}": value for name, value in encoder.state_dict().items()}
    (tmp_path / "ours").mkdir()
    torch.save(
        {"state_dict": state, checkpoint.KEY: checkpoint.describe(encoder, 2430)}, tmp_path / "ours" / "last.ckpt"
    )

    def call(*arguments):
        out = tmp_path / "report"
        common = ["--device=cpu", "--num_workers=0", "--draws=50", f"--out={out}", "--untrained=1", "--seeds=[0]"]
        with undone(monkeypatch):
            status = main([str(tmp_path / "ours" / "last.ckpt"), *common, *arguments])
        said = capfd.readouterr()
        if status:
            pytest.fail(f"status {status}: {said.err}")
        return (
            pd.read_csv(out / "results.csv"),
            (out / "report.md").read_text(),
            json.loads((out / "results.json").read_text()),
        )

    return call


def _main(rows, task, part="probe", **where):
    picked = rows[(rows.task == task) & (rows.part == part) & rows.main]
    for name, value in where.items():
        picked = picked[picked[name] == value]
    return picked


def test_gtzan_with_marbles_probe(evaluate, gtzan):
    rows, text, found = evaluate(
        "--tasks=[gtzan]", f"--task_kwargs.gtzan.root={gtzan}", "--parts=[probe,retrieval,few]", "--shares=[0.25,1]"
    )
    probes = _main(rows, "gtzan", protocol="score")
    assert set(probes.method) == {"linear", "mlp", "marble"}  # it is one of MARBLE's tasks
    assert set(probes.subject) == {"untrained", "ours"}
    assert (probes.metric == "accuracy").all()
    assert _main(rows, "gtzan", subject="ours", method="linear", protocol="embedding").value.item() > 0.5
    about = found["tasks"]["gtzan"]
    assert (about["train"], about["val"], about["test"]) == (40, 20, 20)
    assert "## gtzan" in text
    assert "guessing" in text
    assert about["sha256"][:16] in text
    assert set(_main(rows, "gtzan", "few").share) == {0.25, 1.0}


def test_mtat_with_its_empty_file(evaluate, mtat):
    rows, text, found = evaluate(
        "--tasks=[{name: mtat_top50, root: " + str(mtat) + "}]", "--parts=[probe,zero_shot,neighbours,retrieval]",
        "--probes=[linear]", "--zero_shot_shares=[1]",
    )  # fmt: skip
    assert set(_main(rows, "mtat_top50").metric) == {"pr_auc"}
    assert {"roc_auc", "pr_auc"} <= set(rows.metric)
    assert 0 < _main(rows, "mtat_top50", subject="ours", protocol="embedding").value.item() <= 1
    assert [path.rpartition("/")[2][:12] for path in found["tasks"]["mtat_top50"]["broken"]] == ["nobody-nothi"]
    assert "nobody-nothing" in text
    assert len(_main(rows, "mtat_top50", "neighbours")) == 2
    assert "map" in set(rows[rows.part == "retrieval"].metric)


def test_nsynth_pitch_and_family_together(evaluate, nsynth):
    options = [f"--task_kwargs.{task}.root={nsynth}" for task in ("nsynth_pitch", "nsynth_instr_family")]
    rows, text, found = evaluate(
        "--tasks=[nsynth_pitch,nsynth_instr_family]", *options, "--parts=[probe,shape]", "--probes=[linear]"
    )
    assert set(rows.task) == {"nsynth_pitch", "nsynth_instr_family"}
    assert found["tasks"]["nsynth_instr_family"]["classes"] == 11
    family = _main(rows, "nsynth_instr_family", subject="ours", protocol="embedding")
    assert 0 <= family.low.item() <= family.value.item() <= family.high.item() <= 1
    assert found["failures"] == {}
    assert "maps.html" in text


def test_a_table_leaves_empty_columns_out_and_bars_in_names_stand():
    assert table(["a", "b", "c"], [["x|y", "", "1"]]) == "| a | c |\n| --- | --- |\n| x\\|y | 1 |"
