"""Test files that the encoder was pretrained on are counted, by where they really lie."""

import csv
import json
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
import torch

from semisupcon import checkpoint
from semisupcon.downstream.cli import Evaluate
from semisupcon.downstream.leak import seen_in_pretraining
from semisupcon.downstream.probe import Probe


@pytest.fixture
def corpus(tmp_path):
    """Four files, the last three of them to be tested on."""
    folder = tmp_path / "corpus"
    folder.mkdir()
    paths = [folder / f"{number}.wav" for number in range(4)]
    for path in paths:
        path.touch()
    return SimpleNamespace(
        paths=np.array([str(path) for path in paths]), test=np.arange(1, 4), roots={"tone": str(folder)}
    )


@pytest.fixture
def pretraining(tmp_path):
    """A function that leaves what pretraining leaves beside its checkpoint, and returns the checkpoint's name."""

    def leave(rows, roots=None, run="run"):
        (tmp_path / run).mkdir(exist_ok=True)
        with (tmp_path / run / "split.csv").open("w", newline="") as file:
            csv.writer(file).writerows([("corpus", "path", "use"), *rows])
        (tmp_path / run / "data.json").write_text(json.dumps({} if roots is None else {"roots": roots}))
        return str(tmp_path / run / "last.ckpt")

    return leave


def test_what_was_trained_on_counts_and_nothing_else(corpus, pretraining):
    rows = [(f"{number}.wav", use) for number, use in enumerate(("labelled", "labelled", "unlabelled", "val"))]
    seen = seen_in_pretraining(pretraining([("a", *row) for row in rows], {"a": corpus.roots["tone"]}), corpus)
    assert seen == 2
    assert seen_in_pretraining(pretraining([("a", "0.wav", "labelled")], {"a": corpus.roots["tone"]}), corpus) == 0


def test_files_are_the_same_whatever_link_leads_to_them(corpus, pretraining, tmp_path):
    (tmp_path / "folder").symlink_to(tmp_path / "corpus")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "x.wav").symlink_to(tmp_path / "corpus" / "2.wav")
    roots = {"folder": str(tmp_path / "folder"), "other": str(tmp_path / "other")}
    rows = [("folder", "1.wav", "unlabelled"), ("other", "x.wav", "unlabelled"), ("", corpus.paths[3], "unlabelled")]
    assert seen_in_pretraining(pretraining(rows, roots), corpus) == 3


def test_a_corpus_that_moved_is_looked_for_under_its_name(corpus, pretraining):
    rows = [("tone", "1.wav", "labelled")]
    assert seen_in_pretraining(pretraining(rows), corpus) == 1
    assert seen_in_pretraining(pretraining(rows, {"tone": "/gone"}), corpus) == 1


def test_a_copy_under_another_name_counts_unless_files_are_not_to_be_looked_into(corpus, pretraining, tmp_path):
    rng = np.random.default_rng(0)
    for path in corpus.paths:
        soundfile.write(path, rng.uniform(-0.5, 0.5, 16_000), 8000)
    (tmp_path / "other").mkdir()
    shutil.copy(corpus.paths[1], tmp_path / "other" / "x.wav")
    soundfile.write(tmp_path / "other" / "y.flac", 0.5 * soundfile.read(corpus.paths[2])[0], 8000)
    soundfile.write(tmp_path / "other" / "z.wav", rng.uniform(-0.5, 0.5, 16_000), 8000)
    rows = [("other", name, "unlabelled") for name in ("x.wav", "y.flac", "z.wav")]
    path = pretraining([*rows, ("tone", "1.wav", "labelled")], {"other": str(tmp_path / "other")})
    assert seen_in_pretraining(path, corpus) == 2  # file 1 by its path and as a copy, once; and file 2
    assert seen_in_pretraining(path, corpus, content=False) == 1


def test_a_file_that_any_of_several_encoders_was_trained_on_counts_once(corpus, pretraining, tmp_path):
    one = pretraining([("tone", "1.wav", "labelled"), ("tone", "2.wav", "val")], run="one")
    other = pretraining([("tone", "1.wav", "unlabelled"), ("tone", "3.wav", "unlabelled")], run="other")
    assert seen_in_pretraining([one, other], corpus) == 2
    assert seen_in_pretraining([one], corpus) == 1
    assert seen_in_pretraining([], corpus) == 0
    unknown = str(tmp_path / "alone.ckpt")
    assert seen_in_pretraining([one, unknown], corpus) == 1
    clean = pretraining([("tone", "0.wav", "labelled")], run="clean")
    assert seen_in_pretraining([clean, unknown], corpus) is None


def test_what_an_encoder_was_trained_on_before_it_was_tuned_counts_too(corpus, pretraining, tiny_encoder, tmp_path):
    def save(encoder, *rows, run):
        path = pretraining(rows, run=run)
        state = {f"encoder.{name}": value for name, value in encoder.state_dict().items()}
        torch.save({"state_dict": state, checkpoint.KEY: checkpoint.describe(encoder, 243)}, path)
        return path

    first = save(tiny_encoder(), ("tone", "1.wav", "unlabelled"), ("tone", "2.wav", "val"), run="first")
    second = save(checkpoint.pretrained(first), ("tone", "3.wav", "labelled"), run="second")
    third = save(checkpoint.pretrained(second), ("tone", "0.wav", "labelled"), run="third")
    model = Probe(checkpoint=third)
    assert model.sources == [third, second, first]
    assert seen_in_pretraining(model.sources, corpus) == 2
    assert seen_in_pretraining(Probe(checkpoint=third, untrained=True).sources, corpus) == 0
    (tmp_path / "second" / "split.csv").unlink()
    (tmp_path / "first" / "last.ckpt").unlink()  # what it was trained on is still written there
    assert seen_in_pretraining(model.sources, corpus) == 1
    (tmp_path / "first" / "split.csv").unlink()
    assert seen_in_pretraining(model.sources, corpus) is None


def test_what_cannot_be_known_is_none(corpus, pretraining, tmp_path):
    assert seen_in_pretraining(None, corpus) == 0  # untrained
    assert seen_in_pretraining(str(tmp_path / "alone.ckpt"), corpus) is None
    assert seen_in_pretraining(pretraining([("elsewhere", "1.wav", "labelled")]), corpus) is None
    both = [("elsewhere", "1.wav", "labelled"), ("tone", "2.wav", "labelled")]
    assert seen_in_pretraining(pretraining(both), corpus) == 1
    (tmp_path / "run" / "split.csv").write_text("another,file\n1,2\n")
    assert seen_in_pretraining(str(tmp_path / "run" / "last.ckpt"), corpus) is None


def test_the_command_warns_and_the_count_is_in_its_metrics(
    nsynth, pretraining, tiny_encoder, tmp_path, monkeypatch, request, caplog
):
    monkeypatch.chdir(request.config.rootpath)
    paths = sorted((nsynth / "nsynth-test" / "audio").iterdir())[:4]
    path = pretraining(
        [("folder", f"audio/{path.name}", "unlabelled") for path in paths], {"folder": str(nsynth / "nsynth-test")}
    )
    encoder = tiny_encoder()
    state = {f"encoder.{name}": value for name, value in encoder.state_dict().items()}
    torch.save({"state_dict": state, checkpoint.KEY: checkpoint.describe(encoder, 243)}, path)
    command = Evaluate(
        [
            "--config=config/finetuning/probe.yaml",
            *("--data.sl_task=nsynth_instr_family", f"--data.sl_kwargs.root={nsynth}", "--data.num_workers=0"),
            *(f"--model.init_args.checkpoint={path}", "--trainer.max_epochs=1", "--trainer.accelerator=cpu"),
            *("--trainer.enable_progress_bar=false", f"--ckpt_path={tmp_path}", "--run_name=probe"),
        ]
    )
    command.run_command()
    assert (
        "4 of the 6 test files of nsynth_instr_family are, or are copies of, files that the encoder of" in caplog.text
    )
    assert json.loads((tmp_path / "probe" / "metrics.json").read_text())["test_files_seen_in_pretraining"] == 4
