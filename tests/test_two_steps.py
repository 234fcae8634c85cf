"""Every shipped YAML takes two steps, with its own model and options, on a few short files."""

# ruff: noqa: F401, F811 (fixtures are imported)

import json
import re

import numpy as np
import pytest
import soundfile
from commandline import ROOT, own_logging
from datasets.test_fma import _write as write_fma
from test_configs import ALL, BASES, PRETRAINING, TASKS, WITH, content

from semisupcon import datasets
from semisupcon.datasets.keys import KEYS
from semisupcon.datasets.synth.musicnet import write_musicnet
from semisupcon.downstream.cli import Evaluate
from semisupcon.downstream.comparison import summary
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


def fma(root):
    """FMA-small in miniature, with mp3 files that sound: two genres, 8 / 4 / 4 tracks of them."""
    tracks, splits = {}, ["training"] * 8 + ["validation"] * 4 + ["test"] * 4
    for number, split in enumerate(splits):
        tracks[number + 2] = ("small", split, ("Hip-Hop", "Rock")[number % 2], str(number))
    write_fma(root, tracks)
    for number in range(len(splits)):
        time = np.arange(8000) / 8000
        tone = 0.4 * np.sin(2 * np.pi * (300, 1500)[number % 2] * time * (1 + number / 200))
        soundfile.write(root / f"fma_small/000/{number + 2:06d}.mp3", tone, 8000)
    return [f"--data.{which}_kwargs.root={root}" for which in ("sl", "ssl")]


def test_cola_on_fma_fine_tuned_against_training_from_scratch(own_logging, tmp_path):
    root, ssl_root = fma(tmp_path / "fma")
    quick = [f"--model.encoder.init_args.{name}={value}" for name, value in (("n_mels", 16), ("hop_length", 400))]
    few = [*FEW, f"--ckpt_path={tmp_path}"]
    cola = [f"--config={PRETRAINING / 'cola.yaml'}", "--data.ssl_task=fma", ssl_root, *quick, "--data.batch_size=4"]
    Pretrain([*cola, *few, "--run_name=cola"]).run_command()
    fine = [f"--config={PROBE.with_name('finetune.yaml')}", "--data.sl_task=fma", root, "--data.batch_size=8"]
    checkpoint = f"--model.checkpoint={tmp_path / 'cola' / 'last.ckpt'}"

    Evaluate([*fine, *few, checkpoint, "--run_name=tuned"]).run_command()
    Evaluate([*fine, *few, checkpoint, "--model.untrained=true", "--run_name=scratch"]).run_command()

    tuned, scratch = (json.loads((tmp_path / name / "metrics.json").read_text()) for name in ("tuned", "scratch"))
    assert tuned["task"] == scratch["task"] == "fma"
    assert (tuned["untrained"], scratch["untrained"]) == (False, True)
    assert tuned["encoder"] == scratch["encoder"]
    assert tuned["clips"] == scratch["clips"] == 4
    assert summary([tmp_path / "tuned", tmp_path / "scratch"]).count("accuracy") == 1


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
