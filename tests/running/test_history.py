"""metrics.csv: a row a step, whatever is logged when, and no step twice after a resumed run."""

import csv

import pytest

from semisupcon.running.history import History


@pytest.fixture
def history(tmp_path):
    return History(tmp_path / "metrics.csv")


def read(history):
    with history.path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_row_for_each_step_and_a_column_for_each_name(history):
    history.log_metrics({"lr": 0.1}, step=0)
    history.log_metrics({"loss": 2.0, "epoch": 0}, step=0)
    history.log_metrics({"lr": 0.2}, step=1)
    history.log_metrics({"loss": 1.0, "epoch": 0}, step=1)
    history.log_metrics({"val": 3.0, "epoch": 0}, step=1)
    assert read(history) == [
        {"step": "0", "lr": "0.1", "loss": "2.0", "epoch": "0", "val": ""},
        {"step": "1", "lr": "0.2", "loss": "1.0", "epoch": "0", "val": "3.0"},
    ]
    assert read(history) == history.rows()


def test_a_shorter_value_leaves_nothing_of_a_longer_one(history):
    history.log_metrics({"loss": 0.123456789}, step=0)
    history.log_metrics({"loss": 1}, step=0)
    assert history.path.read_text() == "step,loss\n0,1\n"


def test_a_resumed_run_forgets_what_it_does_again_and_goes_on(history):
    for step in range(5):
        history.log_metrics({"loss": step / 2}, step=step)
    resumed = History(history.path)
    resumed.forget(after=2)
    for step in range(3, 5):
        resumed.log_metrics({"lr": 1.0}, step=step)
        resumed.log_metrics({"loss": step * 10}, step=step)
    assert [row["step"] for row in read(history)] == ["0", "1", "2", "3", "4"]
    assert [row["loss"] for row in read(history)] == ["0.0", "0.5", "1.0", "30", "40"]
    assert [row["lr"] for row in read(history)] == ["", "", "", "1.0", "1.0"]


def test_a_step_that_was_kept_is_not_written_over(history):
    history.log_metrics({"loss": 1.0}, step=0)
    history.forget(after=0)
    history.log_metrics({"lr": 2.0}, step=1)
    assert [row["step"] for row in read(history)] == ["0", "1"]


def test_forgetting_everything_keeps_the_columns(history):
    history.forget(after=3)  # nothing there yet
    history.log_metrics({"loss": 1.0}, step=0)
    history.forget(after=-1)
    assert history.path.read_text() == "step,loss\n"
    history.log_metrics({"loss": 2.0}, step=0)
    assert history.path.read_text() == "step,loss\n0,2.0\n"
