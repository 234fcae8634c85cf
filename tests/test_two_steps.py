"""Every shipped YAML takes two steps, with its own model and options, on a few short files."""

# ruff: noqa: F401, F811 (fixtures are imported)

import json
import re

import numpy as np
import pytest
from commandline import ROOT, own_logging
from test_configs import ALL, BASES, PRETRAINING, TASKS, WITH, content

from semisupcon import datasets
from semisupcon.datasets.keys import KEYS
from semisupcon.datasets.synth.musicnet import write_musicnet
from semisupcon.downstream.cli import Evaluate
from semisupcon.table import Table, Task
from semisupcon.training.cli import Pretrain

README = (ROOT / "README.md").read_text()
KINDS = dict(re.findall(r"^\| `(\w+)` \| ([\w-]+)", README, re.M))
WORDS = {"multi-class": "multiclass", "multi-label": "multilabel"}
FEW = (
    *("--data.num_workers=0", "--trainer.accelerator=cpu", "--trainer.limit_val_batches=1"),
    *("--trainer.max_steps=2", "--trainer.enable_progress_bar=false"),
)
PROBE = PRETRAINING.parent / "finetuning" / "probe.yaml"
SMALL_ENCODER = ("--model.encoder.class_path=SampleCNN", "--model.encoder.init_args.channels=[4,4,4]")


def task_of(name):
    """A task of that name and its kind, with three classes or targets."""
    kind = WORDS.get(KINDS.get(name, "multi-class"), KINDS.get(name))
    return Task(name, kind, KEYS if kind == "key" else ("a", "b", "c"))


@pytest.fixture
def corpora(tones, monkeypatch):
    """All tasks are the same few files, whatever their options."""
    root, path, split = tones

    def load(name, option="", **kwargs):
        task = task_of(name)
        number = np.arange(len(path)) % 3
        labels = np.eye(len(task.classes), dtype=np.float32)[number]
        return Table.build(root, path, split, labels), task

    monkeypatch.setattr(datasets, "load", load)


MTAT_FMA = [path for path in TASKS if "ssl_task" in content(path)["data"]]  # for pretraining alone


def pretraining():
    alone = [[path] for path in BASES[Pretrain]]
    return [*alone, *([*first, path] for path, first in WITH.items()), [PRETRAINING / "pretrain_smsl.yaml", *MTAT_FMA]]


@pytest.mark.parametrize("configs", pretraining(), ids=lambda configs: "-".join(path.stem for path in configs))
def test_pretraining(configs, corpora, own_logging, tmp_path):
    args = [f"--config={path}" for path in configs]
    run = [*FEW, "--data.batch_size=2", f"--ckpt_path={tmp_path}", "--run_name=run", "--picture.every_n_steps=1"]

    Pretrain([*args, *run]).run_command()

    found = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert found["steps"] == 2
    assert np.isfinite(found["train"]["loss"])
    assert (tmp_path / "run" / "last.ckpt").is_file()
    assert list((tmp_path / "run" / "pictures").glob("*.png"))


@pytest.mark.parametrize(
    "configs",
    [[PROBE], [PROBE.with_name("finetune.yaml")], *([PROBE, path] for path in TASKS if path not in MTAT_FMA)],
    ids=lambda configs: "-".join(path.stem for path in configs),
)
def test_evaluation(configs, corpora, own_logging, tmp_path):
    args = [f"--config={path}" for path in configs]
    run = [*FEW, *SMALL_ENCODER, "--data.target_len=0.2", f"--ckpt_path={tmp_path}", "--run_name=run"]

    Evaluate([*args, *run]).run_command()

    found = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert found["steps"] == 2
    assert found["main"] in found["test"]


def test_transcription(own_logging, tmp_path):
    write_musicnet(tmp_path / "musicnet", (3, 1), seconds=2.0)
    encoder = ["--model.encoder.class_path=CPC", "--model.encoder.init_args.channels=8", "--data.target_len=0.5"]
    run = [*FEW, *encoder, f"--data.sl_kwargs.root={tmp_path / 'musicnet'}", f"--ckpt_path={tmp_path}"]

    Evaluate([f"--config={PROBE.with_name('transcribe.yaml')}", *run, "--run_name=run"]).run_command()

    found = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert found["steps"] == 2
    assert found["main"] in found["test"]
    assert (tmp_path / "run" / "transcription.png").is_file()


def test_every_config_takes_two_steps():
    tried = {path for configs in pretraining() for path in configs}
    tried |= {PROBE, *(PROBE.with_name(f"{name}.yaml") for name in ("finetune", "transcribe")), *TASKS}

    assert tried == set(ALL)
