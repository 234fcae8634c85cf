"""How a command without Lightning ends."""

import logging

import pytest
from quiet import undone

from semisupcon import command
from semisupcon.errors import UserError


@pytest.fixture(autouse=True)
def _undone(monkeypatch):
    """What a command does to logging, warnings and memory for its own process is undone."""
    monkeypatch.setattr(command, "keep_memory", lambda: None)
    with undone(monkeypatch):
        yield


def raises(error):
    def call():
        raise error

    return call


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [(UserError("no folder /x"), 2, "\nerror: no folder /x\n"), (KeyboardInterrupt(), 130, "\nstopped\n")],
)
def test_what_is_no_bug_is_said_on_one_screen(capsys, error, status, said):
    assert command.run(raises(error)) == status
    assert capsys.readouterr() == ("", said)


def test_a_command_that_works_ends_with_0_and_says_what_it_logs(capsys):
    assert command.run(lambda: logging.getLogger("semisupcon.x").info("48 clips")) == 0
    assert capsys.readouterr().err == "48 clips\n"


@pytest.mark.parametrize("error", [ValueError, OSError, SystemExit])
def test_anything_else_passes(error):
    with pytest.raises(error):
        command.run(raises(error("x")))


@pytest.mark.parametrize("error", [UserError("x"), KeyboardInterrupt()])
def test_without_a_stderr_the_status_is_the_same(monkeypatch, error):
    monkeypatch.setattr(command.sys, "stderr", None)
    assert command.run(raises(error)) == (2 if isinstance(error, UserError) else 130)
