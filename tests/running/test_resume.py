"""The config of the run that a checkpoint belongs to."""

import pytest

from semisupcon.errors import UserError
from semisupcon.running.resume import check_data, with_own_config


@pytest.fixture
def last(tmp_path):
    """A checkpoint beside a config."""
    (tmp_path / "config.yaml").write_text("log: false\n")
    (tmp_path / "last.ckpt").touch()
    return tmp_path / "last.ckpt"


@pytest.mark.parametrize("form", ["=", " "])
def test_the_config_beside_the_checkpoint_comes_first(last, form):
    given = [*f"--resume_from_ckpt{form}{last}".split(" "), "--log=true"]

    assert with_own_config(given) == [f"--config={last.parent / 'config.yaml'}", *given]


def test_of_a_run_that_was_resumed_before_it_is_the_last_one(last):
    for number in (2, 9, 10):
        (last.parent / f"config-{number}.yaml").touch()

    assert with_own_config([f"--resume_from_ckpt={last}"])[0] == f"--config={last.parent / 'config-10.yaml'}"


@pytest.mark.parametrize("config", [["--config=x.yaml"], ["--config", "x.yaml"], ["-c", "x.yaml"]])
def test_a_config_that_is_named_stands_alone(last, config):
    given = [*config, f"--resume_from_ckpt={last}"]

    assert with_own_config(given) == given


@pytest.mark.parametrize("given", [[], ["--log=true"], ["--resume_from_ckpt=None"], ["--resume_from_ckpt=null"]])
def test_nothing_to_go_on_from(given, last, monkeypatch):
    monkeypatch.chdir(last.parent)

    assert with_own_config(given) == given


def test_a_folder_is_no_checkpoint(last):
    with pytest.raises(UserError, match=r"It is a folder; its checkpoints are: last.ckpt"):
        with_own_config([f"--resume_from_ckpt={last.parent}"])


def test_of_the_data_only_what_the_checkpoint_says_is_compared():
    here = {"position": 0, "world_size": 1, "seed": 0}

    check_data("x.ckpt", {"position": 7}, here)
    check_data("x.ckpt", {"position": 7, "seed": 0}, here)
    with pytest.raises(UserError, match=r"\n  world_size: 2 there, 1 here\nGo on"):
        check_data("x.ckpt", {"position": 7, "seed": 0, "world_size": 2}, here)
