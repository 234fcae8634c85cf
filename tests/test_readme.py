"""The README's commands are understood, and its examples run."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from semisupcon import checkpoint, datasets
from semisupcon.augment import PRESETS, TRANSFORMS
from semisupcon.downstream.cli import Evaluate
from semisupcon.evaluation import cli as evaluation
from semisupcon.evaluation.options import PARTS
from semisupcon.evaluation.sweep import points
from semisupcon.inference import options as inference
from semisupcon.objectives.signals import Custom
from semisupcon.training.cli import Pretrain

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
COMMANDS = [
    shlex.split(line)
    for block in re.findall(r"```bash\n(.*?)```", README, re.S)
    for line in block.replace("\\\n", " ").splitlines()
]


def example(name):
    return re.search(rf"<!-- {name}:begin -->\n```python\n(.*?)```\n<!-- {name}:end -->", README, re.S)[1]


class _Parsed(Exception):
    pass


def parsed_only(cls):
    """The command, stopped when its arguments are understood and before anything is made."""

    class Stopped(cls):
        def before_instantiate_classes(self):
            raise _Parsed

    return Stopped


def test_the_readme_has_commands_for_both_scripts():
    assert {word for command in COMMANDS for word in command} >= {"pretrain.py", "finetune.py"}


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: " ".join(command)[:90])
def test_every_command_is_understood(command, tmp_path, monkeypatch):
    (tmp_path / "my_encoder.py").write_text(example("encoder"))
    (tmp_path / "my_signal.py").write_text(example("signal"))
    monkeypatch.syspath_prepend(tmp_path)
    words = [word for word in command if not re.match(r"[A-Z]+=", word)][1:]
    if words[:2] == ["-m", "semisupcon.benchmark"]:
        evaluation.understood(words[2:])
        return
    if words[:2] == ["-m", "semisupcon.embed"]:
        inference.parse(words[2:])
        return
    if words[:2] == ["-m", "semisupcon.sweep"]:
        points.parse([word.replace("config/", f"{ROOT}/config/") for word in words[2:]], "")
        return
    if words[0] == "-m":
        assert subprocess.run([sys.executable, "-m", words[1], "--help"], cwd=ROOT, check=False).returncode == 0
        return
    script, *arguments = [word.replace("config/", f"{ROOT}/config/") for word in words]
    with pytest.raises(_Parsed):
        parsed_only(Pretrain if script == "pretrain.py" else Evaluate)(arguments)


def test_the_encoder_example_is_an_encoder(tmp_path, monkeypatch):
    (tmp_path / "my_encoder.py").write_text(example("encoder"))
    monkeypatch.syspath_prepend(tmp_path)
    from my_encoder import Strided

    from semisupcon.encoders import build

    encoder = build(Strided(width=8).spec)
    assert encoder(torch.zeros(3, 1, 1000)).shape == (3, 8)


def test_the_signal_example_is_a_signal(tmp_path, monkeypatch):
    (tmp_path / "my_signal.py").write_text(example("signal"))
    monkeypatch.syspath_prepend(tmp_path)

    found = Custom("my_signal.alike")(torch.tensor([[0.5, 0.0]]), torch.tensor([[0.5, 1.0], [-1.0, 0.0], [0.25, 0.0]]))

    assert found.tolist() == [[1.0, 0.0, 0.75]]


def test_the_dataset_example_is_a_task(tmp_path, monkeypatch):
    (tmp_path / "my_package.py").write_text(example("dataset"))
    monkeypatch.syspath_prepend(tmp_path)
    for split, mood in (("train", "wild"), ("val", "calm"), ("test", "wild")):
        (tmp_path / "mine" / split / mood).mkdir(parents=True)
        (tmp_path / "mine" / split / mood / "wild at heart.wav").touch()

    table, task = datasets.load("my_package.my_dataset", root=str(tmp_path / "mine"))

    assert table.split.tolist() == ["test", "train", "val"]
    assert [task.classes[label.argmax()] for label in table.labels] == ["wild", "wild", "calm"]


def test_the_manifest_example_is_a_dataset(tmp_path):
    (tmp_path / "tracks.csv").write_text(re.search(r"```\n(path,genre.*?)```", README, re.S)[1])
    table, task = datasets.load(str(tmp_path / "tracks.csv"))
    assert (task.kind, task.classes, task.group) == ("multiclass", ("jazz", "rock"), "artist")
    assert dict(zip(table.path.tolist(), table.split.tolist(), strict=True))["jazz/two.wav"] == "test"


def test_every_task_has_its_row():
    table = re.search(r"<!-- tasks:begin -->\n(.*?)<!-- tasks:end -->", README, re.S)[1]
    assert set(re.findall(r"^\| `(\w+)`", table, re.M)) == set(datasets.TASKS)


def test_every_file_that_the_readme_names_is_there():
    for name in re.findall(r"\]\(([\w./-]+)\)", README):
        assert (ROOT / name).exists(), name


def test_every_augmentation_has_its_row():
    table = re.search(r"<!-- augment:begin -->\n(.*?)<!-- augment:end -->", README, re.S)[1]
    assert re.findall(r"^\| `(\w+)`", table, re.M) == list(TRANSFORMS)


def test_every_part_of_an_evaluation_has_its_row():
    table = re.search(r"<!-- parts:begin -->\n(.*?)<!-- parts:end -->", README, re.S)[1]
    assert re.findall(r"^\| `(\w+)`", table, re.M) == list(PARTS)


def test_three_lines_embed_a_track(tmp_path, monkeypatch, tiny_encoder):
    encoder = tiny_encoder()
    state = {f"encoder.{name}": value for name, value in encoder.state_dict().items()}
    (tmp_path / "runs" / "RUN").mkdir(parents=True)
    about = {"state_dict": state, checkpoint.KEY: checkpoint.describe(encoder, 243)}
    torch.save(about, tmp_path / "runs" / "RUN" / "last.ckpt")
    soundfile.write(tmp_path / "song.mp3", np.random.default_rng(0).normal(0, 0.1, 44100), 44100)
    monkeypatch.chdir(tmp_path)
    found = {}
    exec(example("embed"), found)
    assert found["track"].mean.shape == (8,)
    assert found["track"].segments.shape == (len(found["track"].starts), 8)


def test_every_pretraining_system_and_preset_is_named():
    for name in [*PRESETS, *(path.stem for path in (ROOT / "config" / "pretraining").glob("*.yaml"))]:
        assert f"`{name}`" in README or f"{name}.yaml" in README, name
