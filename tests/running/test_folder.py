"""One folder for each run."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from semisupcon.errors import UserError
from semisupcon.running.folder import run_folder, taken_back


def test_a_run_is_named_by_command_and_time(tmp_path, monkeypatch):
    monkeypatch.setattr(time, "strftime", lambda form: "2024-01-02-030405")

    names = [run_folder(tmp_path / "runs", None, "pretrain").name for _ in range(3)]

    assert names == ["pretrain-2024-01-02-030405", "pretrain-2024-01-02-030405-2", "pretrain-2024-01-02-030405-3"]


def test_runs_that_start_at_once_never_share_a_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(time, "strftime", lambda form: "now")

    with ThreadPoolExecutor(8) as pool:
        folders = list(pool.map(lambda _: run_folder(tmp_path / "runs", None, "pretrain"), range(40)))

    assert len(set(folders)) == 40


def test_a_named_run_is_made_where_there_is_none(tmp_path):
    assert run_folder(tmp_path / "a" / "runs", "first", "pretrain") == tmp_path / "a" / "runs" / "first"
    assert (tmp_path / "a" / "runs" / "first").is_dir()


def test_an_empty_folder_can_be_named(tmp_path):
    (tmp_path / "first").mkdir()

    assert run_folder(tmp_path, "first", "pretrain") == tmp_path / "first"


def test_a_folder_with_something_in_it_cannot(tmp_path):
    (tmp_path / "first").mkdir()
    for name in "abcdef":
        (tmp_path / "first" / name).touch()

    with pytest.raises(UserError, match=r"in use already \(found: a, b, c, d and 2 more\)\.\n.*--resume_from_ckpt="):
        run_folder(tmp_path, "first", "pretrain")


def test_a_name_that_is_a_files_is_taken(tmp_path):
    (tmp_path / "first").touch()

    with pytest.raises(UserError, match="in use already"):
        run_folder(tmp_path, "first", "pretrain")


@pytest.mark.parametrize("name", ["", "../first", "/first", "a/../../b"])
def test_a_name_stays_inside(tmp_path, name):
    with pytest.raises(UserError, match="--run_name"):
        run_folder(tmp_path / "runs", name, "pretrain")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("parent", ["last.ckpt", "last.ckpt/runs", "new.ckpt", "new.ckpt/runs"])
def test_a_checkpoint_where_a_folder_is_meant(tmp_path, parent):
    (tmp_path / "last.ckpt").touch()

    with pytest.raises(UserError, match=r"(is a file|looks like a checkpoint file).*\n.*--resume_from_ckpt"):
        run_folder(tmp_path / parent, None, "pretrain")
    assert [path.name for path in tmp_path.iterdir()] == ["last.ckpt"]


def test_a_folder_may_be_named_like_a_checkpoint_if_it_is_one(tmp_path):
    (tmp_path / "odd.ckpt").mkdir()

    assert run_folder(tmp_path / "odd.ckpt", "first", "pretrain").is_dir()


def test_a_folder_that_cannot_be_made(tmp_path):
    with pytest.raises(UserError, match="cannot be made"):
        run_folder("/proc/runs", None, "pretrain")


def fail_after(parent, act):
    """Make the folder of a run, do something with it, fail."""
    with taken_back(parent, lambda: run_folder(parent, "x", "")) as folder:
        assert folder.is_dir()
        act(folder)
        raise RuntimeError


class TestTakenBack:
    def test_what_was_made_goes_where_the_inside_fails(self, tmp_path):
        with pytest.raises(RuntimeError):
            fail_after(tmp_path / "a" / "runs", lambda folder: None)

        assert list(tmp_path.iterdir()) == []

    def test_what_others_made_meanwhile_stays(self, tmp_path):
        with pytest.raises(RuntimeError):
            fail_after(tmp_path / "runs", lambda folder: (folder.parent / "another").mkdir())

        assert [path.name for path in (tmp_path / "runs").iterdir()] == ["another"]

    def test_what_was_there_before_stays(self, tmp_path):
        (tmp_path / "runs").mkdir()

        with pytest.raises(RuntimeError):
            fail_after(tmp_path / "runs", lambda folder: None)

        assert (tmp_path / "runs").is_dir()
        assert list((tmp_path / "runs").iterdir()) == []

    def test_a_folder_with_something_in_it_stays(self, tmp_path):
        with pytest.raises(RuntimeError):
            fail_after(tmp_path, lambda folder: (folder / "config.yaml").touch())

        assert (tmp_path / "x" / "config.yaml").exists()

    def test_it_stays_where_nothing_fails(self, tmp_path):
        with taken_back(tmp_path, lambda: run_folder(tmp_path, "x", "")):
            pass

        assert (tmp_path / "x").is_dir()
