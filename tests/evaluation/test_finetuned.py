"""Fine-tuning in the middle of something else: the scores of finetune.py in full, nothing disturbed, nothing twice."""

# ruff: noqa: F401, F811 (fixtures are imported)

import json
import logging
import os
import random
import signal
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from commandline import FINETUNE, ROOT, SMALL_FINE, command, genres, own_logging, trained

from semisupcon import datasets
from semisupcon.downstream.cli import Evaluate
from semisupcon.downstream.finetune import FineTune
from semisupcon.downstream.metrics import evaluate
from semisupcon.errors import UserError
from semisupcon.evaluation import finetuned, shipped
from semisupcon.evaluation.finetuned import finetune_scores

QUICK = (*SMALL_FINE, "--data.batch_size=4")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """Options of the miniature GTZAN."""
    given = genres(tmp_path_factory.mktemp("gtzan"))
    return {name.rpartition(".")[2]: value for name, value in (each[2:].split("=") for each in given[1:])}


@pytest.fixture
def tune(trained, corpus, tmp_path):
    """Fine-tune the small encoder."""

    def call(share=1.0, draw=0, seed=0, extra=QUICK, **more):
        checkpoint = trained / "last.ckpt"
        return finetune_scores(checkpoint, "gtzan", corpus, share, draw, seed, tmp_path / "tuned", extra, **more)

    return call


@pytest.fixture
def counted(monkeypatch):
    """No run is made, but what one leaves behind; the command lines of those that were asked for."""
    made = []

    def run(arguments):
        made.append(arguments)
        named = dict(each[2:].split("=", 1) for each in arguments if each.startswith(("--ckpt_path", "--run_name")))
        folder = Path(named["ckpt_path"]) / named["run_name"]
        folder.mkdir()
        for name in ("metrics.json", "best.ckpt"):
            (folder / name).write_text("{}")
        return np.array(["a.wav", "b.wav"]), np.full((2, 3), len(made), np.float32)

    monkeypatch.setattr(finetuned, "_run", run)
    return made


def test_the_scores_are_those_of_the_report_in_full(tune, corpus):
    found = tune()

    metrics = json.loads((found.folder / "metrics.json").read_text())
    table = pd.read_csv(found.folder / "predictions.csv")
    labels, task = datasets.load("gtzan", **corpus)
    row = {str(path): number for number, path in enumerate(labels.path)}
    known = labels.labels[[row[name] for name in found.names]]
    assert found.names.tolist() == table["path"].tolist()
    np.testing.assert_allclose(table[list(task.classes)], found.scores, rtol=1e-5)
    assert (table[list(task.classes)].to_numpy() != found.scores).any(), "the table is rounded"
    assert found.scores.dtype == np.float32
    for name, value in evaluate(task, found.scores, known).items():
        if name in metrics["test"] and metrics["test"][name]["value"] is not None:
            assert metrics["test"][name]["value"] == value
    assert metrics["method"] == "FineTune"


def test_it_is_what_finetune_py_gives(tune, corpus, trained, tmp_path, own_logging):
    found = tune(share=0.5, draw=3, seed=7)
    given = [f"--data.sl_kwargs.{name}={value}" for name, value in corpus.items()]
    given += ["--data.sl_task=gtzan", "--data.supervised_data_p=0.5", "--data.split_seed=3", "--seed_everything=7"]
    given += [f"--model.checkpoint={trained / 'last.ckpt'}", f"--ckpt_path={tmp_path}", "--run_name=by_hand"]

    Evaluate([f"--config={ROOT / FINETUNE}", *given, *QUICK]).run_command()

    by_hand = pd.read_csv(tmp_path / "by_hand" / "predictions.csv")
    assert by_hand.equals(pd.read_csv(found.folder / "predictions.csv"))
    about = json.loads((found.folder / "metrics.json").read_text())
    assert (about["supervised_data_p"], about["training_clips"], about["seed"]) == (0.5, 6, 7)


def test_nothing_of_the_process_is_changed_and_nothing_said(tune, capfd, caplog, monkeypatch):
    monkeypatch.setenv("PL_GLOBAL_SEED", "12")
    monkeypatch.delenv("PL_SEED_WORKERS", raising=False)
    logging.getLogger("semisupcon").setLevel(logging.INFO)
    state = [torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()]
    filters, handlers = warnings.filters[:], logging.getLogger().handlers[:]
    capfd.readouterr()
    with torch.no_grad():
        tune()
        assert not torch.is_grad_enabled()
    said = capfd.readouterr()
    assert said.out + said.err + caplog.text == ""
    assert torch.equal(state[0], torch.get_rng_state())
    assert (state[1] == np.random.get_state()[1]).all()
    assert state[2] == random.getstate()
    assert (os.environ["PL_GLOBAL_SEED"], "PL_SEED_WORKERS" in os.environ) == ("12", False)
    assert (warnings.filters, logging.getLogger().handlers, logging.root.manager.disable) == (filters, handlers, 0)


def test_a_finished_run_is_read_and_not_made_again(tune, counted):
    first = tune()
    again = tune()

    assert len(counted) == 1
    assert np.array_equal(first.scores, again.scores)
    assert first.names.tolist() == again.names.tolist()
    assert not list(first.folder.glob("*.ckpt"))


@pytest.mark.parametrize(
    "change", [{"share": 0.5}, {"seed": 1}, {"key": "other labels"}, {"extra": (*QUICK, "--data.aug_list=[gain]")}]
)
def test_another_run_takes_the_place_of_what_other_arguments_gave(tune, counted, change):
    tune()
    found = tune(**change)

    assert len(counted) == 2
    assert (found.scores == 2).all()
    assert json.loads((found.folder / "asked.json").read_text())["key"] == change.get("key", "")


def test_a_checkpoint_that_was_written_anew_is_another(tune, counted, trained):
    tune()
    os.utime(trained / "last.ckpt")
    tune()

    assert len(counted) == 2


def test_an_interrupted_run_begins_anew(tune, counted, tmp_path):
    (tmp_path / "tuned.part").mkdir()
    (tmp_path / "tuned.part" / "config.yaml").write_text("data: half of it\n")

    found = tune()

    assert (found.folder / "metrics.json").is_file()
    assert not (found.folder / "config.yaml").exists()
    assert not (tmp_path / "tuned.part").exists()


def test_ctrl_c_goes_through_as_itself_and_leaves_no_folder(tune, monkeypatch, tmp_path):
    def interrupted(self, data):
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt:
            raise SystemExit(1)  # noqa: B904 (as Lightning does)

    monkeypatch.setattr("semisupcon.downstream.finetune.FineTune.scores", interrupted)
    with pytest.raises(KeyboardInterrupt):
        tune()
    assert not (tmp_path / "tuned").exists()


def test_a_termination_is_none_of_the_failures_after_which_others_go_on(tune, monkeypatch, tmp_path):
    """Lightning notes the signal; that the loading processes have died of it comes first, as an error like others."""

    def killed(self, batch, batch_idx):
        signal.raise_signal(signal.SIGTERM)
        raise RuntimeError("DataLoader worker is killed by signal: Terminated.")

    monkeypatch.setattr(FineTune, "training_step", killed)
    with pytest.raises(SystemExit) as end:
        tune()
    assert end.value.code == 143
    assert not (tmp_path / "tuned").exists()


def test_the_folder_of_something_else_is_left_alone(tune, tmp_path):
    (tmp_path / "tuned").mkdir()
    (tmp_path / "tuned" / "thesis.tex").write_text("years")

    with pytest.raises(UserError, match="something else"):
        tune()
    assert (tmp_path / "tuned" / "thesis.tex").read_text() == "years"


def test_checkpoints_are_kept_where_they_are_wanted(tune, counted):
    assert (tune(keep_checkpoints=True).folder / "best.ckpt").is_file()
    assert not (tune(seed=1).folder / "best.ckpt").is_file()


def test_several_checkpoints_and_none_are_what_finetune_py_is_told(counted, tmp_path):
    finetune_scores(["a.ckpt", "b.ckpt"], "gtzan", {"root": "x y", "n": 3}, np.float64(0.1), 0, 0, tmp_path / "two")
    finetune_scores(None, "gtzan", {}, 1, 0, 0, tmp_path / "none", ("--model.encoder.class_path=MFCC",))

    assert '--model.checkpoint=["a.ckpt", "b.ckpt"]' in counted[0]
    assert '--data.sl_kwargs={"root": "x y", "n": 3}' in counted[0]
    assert "--data.supervised_data_p=0.1" in counted[0]
    assert not any(each.startswith("--model.checkpoint") for each in counted[1])


def test_what_is_wrong_is_said(tune, tmp_path):
    with pytest.raises(UserError, match="no_such"):
        tune(extra=("--data.no_such=1",))
    with pytest.raises(UserError, match=r"none\.ckpt"):
        finetune_scores(tmp_path / "none.ckpt", "gtzan", {}, 1, 0, 0, tmp_path / "other")


def test_the_config_is_found_beside_the_package_or_where_one_is(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert shipped.shipped(FINETUNE) == ROOT / FINETUNE
    monkeypatch.setattr(shipped, "ROOT", tmp_path / "site-packages")
    with pytest.raises(UserError, match="checkout"):
        shipped.shipped(FINETUNE)
    monkeypatch.chdir(ROOT)
    assert shipped.shipped(FINETUNE).resolve() == ROOT / FINETUNE
