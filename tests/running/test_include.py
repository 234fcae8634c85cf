"""Configs that include others, and the option that names the system."""

# ruff: noqa: F401, F811 (fixtures are imported)

import pytest
import yaml
from commandline import SMALL, SSL, music, own_logging

from semisupcon.curation.cli import parse
from semisupcon.errors import UserError
from semisupcon.running.given import included
from semisupcon.training.cli import Pretrain
from semisupcon.training.contrastive import Contrastive


@pytest.fixture
def write(tmp_path):
    def make(name, content):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(yaml.safe_dump(content))
        return path

    return make


def names(args):
    return [arg.rpartition("/")[2] for arg in included(args)]


def test_what_is_included_is_read_first_from_the_folder_of_its_config(write):
    write("deep/lowest.yaml", {"seed_everything": 1})
    write("deep/low.yaml", {"include": "lowest.yaml"})
    top = write("top.yaml", {"include": ["deep/low.yaml", "other.yaml"]})
    write("other.yaml", {})
    expected = ["lowest.yaml", "low.yaml", "other.yaml", "top.yaml", "--x=1"]
    assert names([f"--config={top}", "--x=1"]) == expected
    assert names(["--config", str(top), "--x=1"]) == [
        "lowest.yaml",
        "low.yaml",
        "other.yaml",
        "--config",
        *expected[3:],
    ]


def test_once_so_that_a_later_config_still_wins(write):
    write("base.yaml", {})
    one, two = write("one.yaml", {"include": "base.yaml"}), write("two.yaml", {"include": "base.yaml"})
    assert names([f"--config={one}", f"--config={two}"]) == ["base.yaml", "one.yaml", "two.yaml"]
    three = write("three.yaml", {"include": "one.yaml"})
    assert names([f"--config={one}", f"--config={three}"]) == ["base.yaml", "one.yaml", "three.yaml"]
    whole = included([f"--config={one}", f"--config={two}"])
    assert included(whole) == whole


def test_a_loop_ends(write):
    one = write("one.yaml", {"include": "two.yaml"})
    write("two.yaml", {"include": "one.yaml"})
    assert names([f"--config={one}"]) == ["two.yaml", "one.yaml"]


def test_what_is_missing_is_named(write):
    top = write("top.yaml", {"include": "nowhere.yaml"})
    with pytest.raises(UserError, match=r"top.yaml: it includes nowhere.yaml, and there is no file .*nowhere.yaml"):
        included([f"--config={top}"])


def test_it_is_for_configs(own_logging):
    with pytest.raises(UserError, match=r"--include=x.yaml: a config includes others; .* give --config=x.yaml"):
        Pretrain(["--config", SSL, "--include=x.yaml"])


def test_a_run_keeps_all_of_it_in_one_file(write, own_logging, tmp_path):
    base = write("base.yaml", {"data": {"batch_size": 5, "views": 3}})
    mine = write("mine.yaml", {"include": base.name, "data": {"views": 4}})
    folder = [f"--data.data_dir={music(tmp_path / 'music')}", f"--ckpt_path={tmp_path}", "--run_name=run"]
    small = [arg for arg in SMALL if "batch_size" not in arg]
    Pretrain([f"--config={SSL}", f"--config={mine}", *folder, *small])
    kept = yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())
    assert (kept["data"]["batch_size"], kept["data"]["views"], kept["include"]) == (5, 4, None)


def test_the_data_commands_read_them_too(write):
    write("base.yaml", {"system": "some.Thing", "data": {"sl_task": "gtzan", "target_sr": 8000}})
    mine = write("mine.yaml", {"include": "base.yaml", "data": {"target_sr": 9000}})
    command = parse("-m semisupcon.check", "about", args=[f"--config={mine}"])
    assert (command.sl_task, command.target_sr) == ("gtzan", 9000)


class Mine(Contrastive):
    """A user's own system."""


@pytest.mark.parametrize("by", ["option", "config"])
def test_a_system_of_ones_own(by, write, own_logging, tmp_path):
    name = f"{Mine.__module__}.Mine"
    given = f"--system={name}" if by == "option" else f"--config={write('mine.yaml', {'system': name})}"
    folder = [f"--data.data_dir={music(tmp_path / 'music')}", f"--ckpt_path={tmp_path}", "--run_name=run"]
    cli = Pretrain(["--config", SSL, given, *folder, *SMALL])
    assert type(cli.model) is Mine
    assert yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())["system"] == name


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nowhere.Thing", "--system=nowhere.Thing: it cannot be imported: No module named 'nowhere'"),
        ("semisupcon.training.contrastive.Contrastiv", "it cannot be imported: .*has no attribute 'Contrastiv'"),
        ("Contrastive", "it cannot be imported"),
        ("semisupcon.encoders.SampleCNN", "that is no subclass of semisupcon.training.pretraining.Pretraining"),
    ],
)
def test_a_system_that_is_none(name, message, own_logging):
    with pytest.raises(UserError, match=rf"(?s){message}.*The systems are semisupcon.*Contrastive and .*Predictive"):
        Pretrain(["--config", SSL, f"--system={name}"])


def test_each_system_says_how_many_views_it_needs(own_logging, tmp_path):
    folder = [f"--data.data_dir={music(tmp_path / 'music')}", f"--ckpt_path={tmp_path}"]
    with pytest.raises(UserError, match=r"--data.views=1: at least 2 is needed"):
        Pretrain(["--config", SSL, *folder, *SMALL, "--data.views=1"])
    cpc = ["--config=config/pretraining/cpc.yaml", *folder, "--trainer.accelerator=cpu", "--data.ssl_task=null"]
    with pytest.raises(UserError, match=r"--data.views=1: at least 2 is needed"):
        Pretrain([*cpc, "--model.negatives_from=sequential"])
    with pytest.raises(UserError, match=r"same_category needs labels.*--data.sl_task"):
        Pretrain([*cpc, "--model.negatives_from=same_category"])
    assert not list(tmp_path.glob("pretrain*"))
