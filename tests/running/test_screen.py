"""How a command ends."""

import logging
import sys
import warnings
from types import SimpleNamespace

import pytest
from lightning_fabric.utilities.exceptions import MisconfigurationException
from quiet import undone

from semisupcon import command as commands
from semisupcon.errors import UserError
from semisupcon.running import screen
from semisupcon.running.screen import keep_memory


@pytest.fixture(autouse=True)
def _undone(monkeypatch):
    """What a command does to logging, warnings and memory for its own process is undone."""
    with undone(monkeypatch):
        yield


def raises(error):
    def command():
        raise error

    return command


def test_a_command_that_works_ends_with_0_and_says_nothing(capsys):
    assert screen.run(lambda: None) == 0
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("error", [UserError("no folder /x"), MisconfigurationException("no folder /x")])
def test_the_users_error_is_one_screen_and_ends_with_2(capsys, error):
    assert screen.run(raises(error)) == 2
    assert capsys.readouterr() == ("", "\nerror: no folder /x\n")


@pytest.mark.parametrize("error", [RuntimeError, ValueError, KeyError, AssertionError])
def test_a_bug_keeps_its_traceback(error):
    with pytest.raises(error):
        screen.run(raises(error("a bug")))


def test_ctrl_c_ends_with_130(capsys):
    assert screen.run(raises(KeyboardInterrupt())) == 130
    assert "stopped" in capsys.readouterr().err


def test_ctrl_c_that_lightning_made_an_exit_of_ends_with_130_too(capsys):
    def command():
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt:
            sys.exit(1)  # as its trainer does

    assert screen.run(command) == 130
    assert "stopped" in capsys.readouterr().err


@pytest.mark.parametrize("status", [0, 3])
def test_any_other_exit_is_left_alone(status):
    with pytest.raises(SystemExit) as end:
        screen.run(raises(SystemExit(status)))
    assert end.value.code == status


def test_our_messages_are_shown_and_lightnings_hints_are_not(capsys):
    def command():
        logging.getLogger("semisupcon.loading.datamodule").info("48 clips")
        logging.getLogger("pytorch_lightning.utilities.rank_zero").info("a tip")
        logging.getLogger("somebody").warning("a warning of somebody's")
        warnings.warn("The 'train_dataloader' does not have many workers", stacklevel=1)

    screen.run(command)

    assert capsys.readouterr().err == "48 clips\na warning of somebody's\n"


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's own")
def test_memory_is_kept_unless_the_environment_decides(monkeypatch):
    asked = []
    library = SimpleNamespace(mallopt=lambda option, value: asked.append(option))
    monkeypatch.setattr(commands, "ctypes", SimpleNamespace(CDLL=lambda name: library))
    monkeypatch.delenv("MALLOC_MMAP_THRESHOLD_", raising=False)

    keep_memory()
    assert len(asked) == 2

    monkeypatch.setenv("MALLOC_MMAP_THRESHOLD_", "4294967296")
    keep_memory()
    assert len(asked) == 2
