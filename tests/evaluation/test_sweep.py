"""A sweep: the points that a command line means, runs that go on where they were, and the tables of what came out."""

# ruff: noqa: F401, F811 (fixtures are imported)

import csv
import fcntl
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import yaml
from commandline import ROOT, SMALL, SMSL, genres, own_logging

from semisupcon.errors import UserError
from semisupcon.evaluation.figures import heat
from semisupcon.evaluation.sweep import cli, launch
from semisupcon.evaluation.sweep.launch import Launcher, complaint
from semisupcon.evaluation.sweep.points import Point, parse
from semisupcon.evaluation.sweep.settings import differences, parsed, settings
from semisupcon.evaluation.sweep.table import Method, Outcome, methods

GRID = ("--data.supervised_data_p=[0.05, 1]", "--data.intrabatch_supervised_p=[0.25,0.5]")
WANDB = ROOT / "config" / "sweeps" / "wandb.yaml"

STUB = """
import os, pathlib, sys, time
given = dict(each[2:].split("=", 1) for each in sys.argv[1:] if each.startswith("--") and "=" in each)
resumed = given.get("resume_from_ckpt")
folder = pathlib.Path(resumed).parent if resumed else pathlib.Path(given["ckpt_path"]) / given["run_name"]
folder.mkdir(parents=True, exist_ok=bool(resumed))
print("hello", os.environ.get("OMP_NUM_THREADS"), flush=True)
how = pathlib.Path(__file__).with_name(given.get("data.supervised_data_p", "none"))
how = how.read_text() if how.exists() else ""
if how == "refuse":
    sys.exit("\\nerror: p_s is not to be had.\\nGive another one.")
if how == "bug":
    sys.exit("Traceback\\nZeroDivisionError: by p_s")
if how == "stop late":
    (folder / "last.ckpt").write_text("half")
if how.startswith("stop"):
    sys.exit(130)
if how == "sleep":
    time.sleep(60)
(folder / "last.ckpt").write_text(("went on from " + pathlib.Path(resumed).read_text()) if resumed else "whole")
"""


@pytest.fixture
def stub(tmp_path, monkeypatch):
    """A pretrain.py that takes no time; ``stub(0.05, "refuse")`` says what becomes of runs with that p_s."""
    folder = tmp_path / "script"
    folder.mkdir()
    (folder / "pretrain.py").write_text(STUB)
    monkeypatch.setattr(launch, "shipped", lambda name: folder / name)
    return lambda ps, how: (folder / str(ps)).write_text(how)


def points(*args):
    return parse(args, "").points


def as_run(point):
    return settings(parsed(Point(point.values, (f"--config={ROOT / SMSL}", *point.arguments))))


def said(launcher, point):
    return (launcher.folder(point) / "pretrain.log").read_text()


def lines(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_lists_are_a_grid_and_the_rest_goes_to_every_point():
    config = str(ROOT / SMSL)
    own = ["--seed_everything=[0,7]", "--out", "x", "--tasks=[gtzan]"]
    asked = parse(["--config", config, *GRID, "--data.views=3", *own, "--log=true"], "")
    names = [f"ps{ps}-bs{bs}-seed{seed}" for seed in (0, 7) for ps in ("0.05", "1") for bs in ("0.25", "0.5")]
    assert [point.name for point in asked.points] == names
    assert asked.points[5].arguments == (
        *("--config", config, "--data.views=3", "--log=true"),
        *("--data.supervised_data_p=0.05", "--data.intrabatch_supervised_p=0.5", "--seed_everything=7"),
    )
    assert asked.points[5].method == "ps0.05-bs0.5"
    assert (asked.out, asked.tasks, asked.parts, asked.jobs) == (Path("x"), "[gtzan]", "[probe]", 1)


@pytest.mark.parametrize(
    ("given", "name", "value"),
    [
        ("--data.supervised_data_p=0.05", "ps0.05", "0.05"),
        ("--data.supervised_data_p=1.0", "ps1", "1.0"),
        ("--model.optimizer.lr=1e-4", "lr0.0001", "0.0001"),
        ("--model.optimizer.init_args.lr=[1e-05]", "lr1e-05", "1e-05"),
        ("--data.intrabatch_supervised_p=None", "bsnone", "null"),
        ("--seed_everything=4294967295", "seed4294967295", "4294967295"),
        ("--data.supervised_data_p=[0.5, 0.5]", "ps0.5", "0.5"),
    ],
)
def test_a_single_value_is_a_point(given, name, value):
    [point] = points(given)
    assert point.name == name
    assert point.arguments[-1].partition("=")[2] == value
    assert points()[0].name == "run"
    assert points()[0].method == points("--seed_everything=3")[0].method == "pretrained"


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["--data.supervised_data_p=[]"], "list is empty"),
        (["--data.supervised_data_p=[0.1,half]"], r"\[0.1,half\]: a number or a list"),
        (["--data.supervised_data_p={a: 1}"], "a number or a list"),
        (["--data.supervised_data_p=[0.1"], "a number or a list"),
        (["--seed_everything=[true]"], "a number or a list"),
        (["--seed_everything=[0.5]"], "whole numbers"),
        (["--ckpt_path=here"], "--ckpt_path=here: the sweep names"),
        (["--run_name", "me"], "--run_name=me: the sweep names"),
        (["--jobs=0"], "--jobs=0"),
        (["--jobs=many"], "--jobs"),
        (["--out=a,b"], "--out=a,b"),
    ],
)
def test_what_is_no_axis_and_what_the_sweep_gives_itself_is_refused(args, says):
    with pytest.raises(UserError, match=says):
        points(*args)


def test_options_of_the_benchmark_are_taken_out():
    args = ["--benchmark.untrained=1", "--a=b", "--benchmark.task_kwargs.x.root", "y", "--c", "d", "--benchmark.k", "v"]
    asked = parse(args, "")
    assert asked.benchmark == ("--untrained=1", "--task_kwargs.x.root", "y", "--k", "v")
    assert asked.points[0].arguments == ("--a=b", "--c", "d")


def test_every_point_is_run_once(stub, tmp_path, capfd):
    launcher, grid = Launcher(tmp_path / "out", 2, as_run), points(*GRID)
    assert not launcher.run(grid)
    for point in grid:
        assert launcher.checkpoint(point).read_text() == "whole"
        assert "--trainer.enable_progress_bar=false" in said(launcher, point)
        assert said(launcher, point).count("hello") == 1
    assert not Launcher(tmp_path / "out", 1, as_run).run(grid)
    assert [said(launcher, point).count("hello") for point in grid] == [1] * 4
    assert "4/4" in capfd.readouterr().err


def test_jobs_share_the_cores_unless_the_user_has_said_how(stub, tmp_path, monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(launch, "cores", lambda: 6)
    [point] = points("--data.supervised_data_p=1")
    for jobs, threads in ((2, "hello 3"), (1, "hello None")):
        launcher = Launcher(tmp_path / str(jobs), jobs, as_run)
        launcher.run([point])
        assert threads in said(launcher, point)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    launcher = Launcher(tmp_path / "mine", 2, as_run)
    launcher.run([point])
    assert "hello 1" in said(launcher, point)


@pytest.mark.parametrize(
    ("how", "says"), [("refuse", "error: p_s is not to be had.\nGive another one."), ("bug", "by p_s")]
)
def test_a_failed_point_is_reported_and_stops_nothing_and_is_tried_again(stub, tmp_path, caplog, how, says):
    stub("0.05", how)
    launcher, grid = Launcher(tmp_path / "out", 1, as_run), points(*GRID)
    failed = launcher.run(grid).failed
    assert [point.name for point in failed] == ["ps0.05-bs0.25", "ps0.05-bs0.5"]
    assert all(says in wrong and "pretrain.log" in wrong for wrong in failed.values())
    assert "ps0.05-bs0.25 failed, and the rest goes on" in caplog.text
    assert launcher.checkpoint(grid[3]).is_file()
    stub("0.05", "")
    assert not launcher.run(grid)
    assert [said(launcher, point).count("hello") for point in grid] == [2, 2, 1, 1]


def test_an_interrupted_point_goes_on_from_its_checkpoint(stub, tmp_path):
    stub("1", "stop late")
    launcher, grid = Launcher(tmp_path / "out", 1, as_run), points(*GRID)
    assert len(launcher.run(grid)) == 2
    stub("1", "")
    assert not launcher.run(grid)
    assert launcher.checkpoint(grid[2]).read_text() == "went on from half"
    assert launcher.checkpoint(grid[0]).read_text() == "whole"


def test_one_without_a_checkpoint_begins_anew(stub, tmp_path):
    stub("1", "stop early")
    launcher, grid = Launcher(tmp_path / "out", 1, as_run), points(*GRID)
    assert len(launcher.run(grid)) == 2
    stub("1", "")
    assert not launcher.run(grid)
    assert launcher.checkpoint(grid[2]).read_text() == "whole"


def test_runs_of_other_options_are_not_taken_for_these(stub, tmp_path):
    launcher = Launcher(tmp_path / "out", 1, as_run)
    launcher.run(points(*GRID, "--data.views=2"))
    launcher.check(points(*GRID, "--data.views=2"))
    launcher.check(points(*GRID, "--data.views=2", "--log=true"))
    with pytest.raises(UserError, match=r"ps0\.05-bs0\.25: .*\n  data.views: there 2, here 3\n"):
        launcher.check(points(*GRID, "--data.views=3"))


def test_what_is_spelt_another_way_is_the_same_run(stub, tmp_path):
    launcher = Launcher(tmp_path, 1, as_run)
    args = [f"--config={ROOT / SMSL}", "--data.views=2", "--data.target_len=1", "--log=true"]
    launcher.run(points("--data.supervised_data_p=1", *args))
    launcher.check(
        points(
            *("--config", str(ROOT / SMSL), "--data.target_len", "1.0", "--data.num_workers=0", "--log", "false"),
            *("--data.views", "2", "--data.supervised_data_p=1.0", "--picture.every_n_steps=0"),
            *("--checkpoint.every_n_steps=7", "--trainer.enable_progress_bar=true", "--trainer.logger=true"),
        )
    )


@pytest.mark.parametrize("how", ["", "stop late"])
def test_an_edited_config_is_other_options_also_where_a_point_would_be_gone_on_with(stub, tmp_path, how):
    stub("1", how)
    config = tmp_path / "own.yaml"
    config.write_text("data: {views: 2}\n")
    launcher = Launcher(tmp_path / "out", 1, as_run)
    grid = points(f"--config={config}", "--data.supervised_data_p=1")
    launcher.run(grid)
    config.write_text("data: {views: 2}\nmodel: {optimizer: {init_args: {lr: 0.5}}}\n")
    with pytest.raises(UserError, match=r"ps1: .*\n  model.optimizer.lr: there 0.0001, here 0.5\nGive"):
        launcher.check(grid)
    stub("1", "")
    assert "model.optimizer.lr" in launcher.run(grid).failed[grid[0]], "begun by another command behind the check"
    assert said(launcher, grid[0]).count("hello") == 1


def test_differences_are_named_with_both_values():
    assert differences({"a": 1, "b": None, "c": [1]}, {"a": 1.0, "c": [2], "d": 0}) == [
        "b: there None, here not given",
        "c: there [1], here [2]",
        "d: there not given, here 0",
    ]


def test_a_home_folder_is_filled_in(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert parse(["--out=~/r"], "").out == tmp_path / "r"
    with pytest.raises(UserError, match="--out"):
        parse(["--out=~nobody-of-this-name/r"], "")


def test_a_point_that_another_process_is_at_is_left_to_it(stub, tmp_path):
    launcher, [point] = Launcher(tmp_path, 1, as_run), points("--data.supervised_data_p=1")
    launcher.folder(point).mkdir()
    with (launcher.folder(point) / "lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        missing = launcher.run([point])
        assert (missing.failed, missing.elsewhere) == ({}, [point])
        assert not (launcher.folder(point) / "pretrain.log").exists()
    assert not launcher.run([point])


def test_where_it_is_stopped_what_runs_is_ended_and_nothing_more_begins(stub, tmp_path, monkeypatch):
    class Bar:
        def update(self):
            deadline = time.monotonic() + 20
            while not (launcher.folder(grid[1]) / "pretrain" / "..").exists() and time.monotonic() < deadline:
                time.sleep(0.01)
            raise KeyboardInterrupt

        def __enter__(self):
            return self

        def __exit__(self, *_):
            return None

    monkeypatch.setattr(launch, "bar", lambda *_: Bar())
    stub("0.5", "sleep")
    launcher, grid = Launcher(tmp_path / "out", 1, as_run), points("--data.supervised_data_p=[0.1,0.5,0.7]")
    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        launcher.run(grid)
    assert time.monotonic() - start < 30
    assert not launcher.checkpoint(grid[1]).exists()
    assert not launcher.folder(grid[2]).exists() or not (launcher.folder(grid[2]) / "pretrain").exists()
    assert json.loads((launcher.folder(grid[1]) / "point.json").read_text())["finished"] is False


def test_what_a_log_complains_of(tmp_path):
    log = tmp_path / "x.log"
    log.write_text("$ a\nerror: of an earlier run\n$ b\n\n" + "\n".join(map(str, range(30))))
    assert complaint(log).splitlines() == ["29", *(f"  {number}" for number in range(18, 29))]
    log.write_text("$ a\nwell\n$ b\nhello\nerror: one\ntwo\n\nerror: three\nfour\n")
    assert complaint(log) == "error: three\nfour"
    log.write_text("$ b\n")
    assert complaint(log) == "it said nothing"


HEAD = "subject,task,part,method,protocol,space,share,corruption,severity,metric,main,value,low,high,deviation,repeats"


@pytest.fixture
def results(tmp_path):
    """A benchmark's results.csv for p_s of 0.1 and 1 times b_s of 0.5 and 0.75, without the last point."""
    rows = [HEAD]
    for number, name in enumerate(("ps0.1-bs0.5", "ps0.1-bs0.75", "ps1-bs0.5", "untrained")):
        base = f"{name},gtzan,{{}},{{}},{{}},embedding,1.0,{{}},0.0,{{}},{{}},{0.5 + number / 10},0.4,0.7,,2"
        rows += [
            base.format("probe", "linear", "embedding", "", "accuracy", True),
            base.format("probe", "linear", "embedding", "", "roc_auc", False),
            base.format("probe", "mlp", "embedding", "", "accuracy", True).replace(f"{0.5 + number / 10}", "0.99"),
            base.format("control", "linear", "embedding", "", "accuracy", True),
            base.format("robustness", "linear", "embedding", "gain", "accuracy", True),
        ]
    path = tmp_path / "results.csv"
    path.write_text("\n".join(rows) + "\n")
    return path


KNOWN = [
    Method("ps0.1-bs0.5", 0.1, 0.5, None, (0, 1)),
    Method("ps0.1-bs0.75", 0.1, 0.75, None, (0, 1)),
    Method("ps1-bs0.5", 1, 0.5, None, (1,)),
]


def test_runs_that_differ_in_seeds_alone_are_one_method():
    grid = points(*GRID, "--seed_everything=[3,5]")
    found = methods([point for point in grid if point.name != "ps1-bs0.5-seed3"], {"ps": None, "bs": None, "seed": 0})
    assert [(each.name, each.seeds) for each in found] == [
        ("ps0.05-bs0.25", (3, 5)),
        ("ps0.05-bs0.5", (3, 5)),
        ("ps1-bs0.25", (3, 5)),
        ("ps1-bs0.5", (5,)),
    ]
    [alone] = methods(points("--data.supervised_data_p=0.3"), {"ps": 0.1, "bs": 0.5, "seed": 4})
    assert alone == Method("ps0.3", 0.3, 0.5, None, (4,)), "what is no axis is as the config has it"


def test_the_csv_has_every_number_of_clean_clips_with_its_point(results, tmp_path):
    Outcome(results, KNOWN).write_csv(tmp_path / "sweep.csv")
    found = lines(tmp_path / "sweep.csv")
    assert len(found) == 8
    assert {(row["p_s"], row["b_s"], row["seeds"]) for row in found} == {
        ("0.1", "0.5", "0 1"),
        ("0.1", "0.75", "0 1"),
        ("1", "0.5", "1"),
    }
    assert found[0]["value"] == "0.5"
    assert {row["part"] for row in found} == {"probe"}


def test_the_table_shows_the_first_main_metric_with_p_s_down_and_b_s_across(results):
    text = Outcome(results, KNOWN).markdown()
    assert "## gtzan" in text
    assert "accuracy, probe, linear" in text
    assert [line for line in text.splitlines() if line.startswith("|")] == [
        "| p_s \\ b_s | 0.5 | 0.75 |",
        "| --- | --- | --- |",
        "| 0.1 | 0.500 [0.400, 0.700] | 0.600 [0.400, 0.700] |",
        "| 1 | 0.700 [0.400, 0.700] |  |",
    ]


def test_a_probe_of_embeddings_is_shown_before_what_else_the_benchmark_gives(results):
    head, *rows = results.read_text().splitlines()
    clean = [
        f"{each.name},gtzan,robustness,linear,embedding,embedding,1.0,,0.0,accuracy,True,0.1,,,,1" for each in KNOWN
    ]
    few = [f"{each.name},gtzan,few,linear,embedding,embedding,0.1,,0.0,accuracy,True,0.2,,,,1" for each in KNOWN]
    head += ",intervals,split_sha256,version"
    results.write_text("\n".join([head, *(f"{row},clips,0a,1" for row in (*clean, *few, *rows))]) + "\n")
    outcome = Outcome(results, KNOWN)
    assert "| 1 | 0.700 [0.400, 0.700] |  |" in outcome.markdown()
    assert "robustness" not in {row["part"] for row in outcome.rows}


def test_the_heat_map_has_a_hole_where_there_is_no_run(results, tmp_path, monkeypatch):
    drawn = []
    real = heat.grid_picture
    monkeypatch.setattr(heat, "grid_picture", lambda *args: drawn.append(args) or real(*args))
    [path] = Outcome(results, KNOWN).draw(tmp_path)
    [(grid, ps, bs, _, title, label)] = drawn
    np.testing.assert_array_equal(grid, [[0.5, 0.6], [0.7, np.nan]])
    assert (ps, bs, title, label) == ([0.1, 1], [0.5, 0.75], "gtzan", "accuracy, linear")
    assert path == tmp_path / "sweep_gtzan.png"
    assert path.read_bytes().startswith(b"\x89PNG")


def test_no_heat_map_of_what_is_no_grid(results, tmp_path):
    assert Outcome(results, KNOWN[:1]).draw(tmp_path) == []
    unknown = [KNOWN[0], Method("ps0.1-bs0.75", 0.1, None, None, (0,))]
    assert Outcome(results, unknown).draw(tmp_path) == []
    assert "| p_s \\ b_s | 0.5 | none |" in Outcome(results, unknown).markdown()


def test_learning_rates_have_tables_and_pictures_of_their_own(results, tmp_path):
    two = [*KNOWN[:2], *(Method("ps1-bs0.5", 1, bs, 0.01, (1,)) for bs in (0.25, 0.5))]
    outcome = Outcome(results, two)
    assert [path.name for path in outcome.draw(tmp_path)] == ["sweep_gtzan.png", "sweep_gtzan_lr0.01.png"]
    assert "## gtzan, learning rate 0.01" in outcome.markdown()


@pytest.fixture
def sweep(stub, own_logging, tmp_path, monkeypatch):
    """The command with stand-ins for both scripts; ``calls`` are those of the benchmark, ``status`` is its status."""
    state = SimpleNamespace(calls=[], status=0, out=tmp_path / "out")

    def benchmark(command, check, pass_fds):
        state.calls.append(command)
        out = Path(command[-1].removeprefix("--out="))
        out.mkdir(parents=True, exist_ok=True)
        subjects = [each.partition("=")[0] for each in command[3:] if not each.startswith("--")]
        rows = [
            f"{name},synth_tags,probe,linear,embedding,embedding,1.0,,0.0,map,True,0.5,0.4,0.6,,1" for name in subjects
        ]
        (out / "results.csv").write_text("\n".join([HEAD, *rows]) + "\n")
        return SimpleNamespace(returncode=state.status)

    monkeypatch.setattr(cli.subprocess, "run", benchmark)
    state.call = lambda *args: cli.main(["--config", SMSL, f"--out={state.out}", *args])
    return state


def test_a_sweep_from_command_to_table(sweep):
    assert sweep.call(*GRID, "--seed_everything=[0,1]", "--tasks=[synth_tags, synth_key]", "--benchmark.draws=50") == 0
    [command] = sweep.calls
    assert command[1:3] == ["-m", "semisupcon.benchmark"]
    first = f"{sweep.out}/ps0.05-bs0.25-seed{{}}/pretrain/last.ckpt"
    assert command[3] == f"ps0.05-bs0.25={first.format(0)},{first.format(1)}"
    assert [each.partition("=")[0] for each in command[3:7]] == [
        "ps0.05-bs0.25",
        "ps0.05-bs0.5",
        "ps1-bs0.25",
        "ps1-bs0.5",
    ]
    assert command[7:] == [
        *('--tasks=["synth_tags", "synth_key"]', "--parts=[probe]", "--draws=50"),
        f"--out={sweep.out}/benchmark",
    ]
    assert [(row["p_s"], row["b_s"], row["seeds"]) for row in lines(sweep.out / "sweep.csv")] == [
        ("0.05", "0.25", "0 1"),
        ("0.05", "0.5", "0 1"),
        ("1", "0.25", "0 1"),
        ("1", "0.5", "0 1"),
    ]
    report = (sweep.out / "sweep.md").read_text()
    assert "seeds 0, 1" in report
    assert "![sweep synth tags](sweep_synth_tags.png)" in report
    assert (sweep.out / "sweep_synth_tags.png").is_file()


def test_failed_points_are_listed_and_the_rest_is_evaluated(sweep, stub, capfd):
    stub("0.05", "refuse")
    assert sweep.call(*GRID) == 1
    assert [each.partition("=")[0] for each in sweep.calls[0][3:5]] == ["ps1-bs0.25", "ps1-bs0.5"]
    assert "- ps0.05-bs0.25: error: p_s is not to be had." in (sweep.out / "sweep.md").read_text()
    assert "2 of the 4 runs are missing (2 failed)" in capfd.readouterr().err
    stub("1", "refuse")
    assert sweep.call("--data.supervised_data_p=[0.05,1]") == 2
    assert len(sweep.calls) == 1


def test_what_is_run_elsewhere_is_missing_and_said_to_be(sweep, capfd):
    folder = sweep.out / "ps1-bs0.5"
    folder.mkdir(parents=True)
    with (folder / "lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert sweep.call(*GRID) == 1
        report = (sweep.out / "sweep.md").read_text()
        for text in (report, capfd.readouterr().err):
            assert "1 of the 4 runs are missing (1 being run elsewhere)" in text
        assert "- ps1-bs0.5: being run elsewhere" in report
        assert "failed" not in report
        assert sweep.call("--data.supervised_data_p=1", "--data.intrabatch_supervised_p=0.5") == 1
        assert len(sweep.calls) == 1, "nothing is there to evaluate"
    assert sweep.call(*GRID) == 0
    assert "missing" not in (sweep.out / "sweep.md").read_text()


def test_two_commands_do_not_evaluate_in_one_folder(sweep, capfd):
    sweep.out.mkdir()
    with (sweep.out / "evaluation.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert sweep.call(*GRID) == 2
    assert "another command evaluates" in capfd.readouterr().err
    assert not sweep.calls
    assert sweep.call(*GRID) == 0


def test_task_names_keep_their_spaces(sweep, tmp_path):
    table = tmp_path / "my tracks.csv"
    table.write_text("path\n")
    assert sweep.call("--data.supervised_data_p=1", f"--tasks=[{table}, synth_key]") == 0
    assert f'--tasks=["{table}", "synth_key"]' in sweep.calls[0]


@pytest.mark.parametrize(
    ("tasks", "says"),
    [
        ("[synth_tag]", "no such task. Did you mean synth_tags?"),
        ("[no such.csv]", "--tasks=no such.csv"),
        ("[synth_tags", "a list of names"),
        ("3", "a list of names"),
        ("[synth_tags,synth_tags]", "twice"),
    ],
)
def test_tasks_that_there_are_not_are_refused_before_anything_is_run(sweep, capfd, tasks, says):
    assert sweep.call(*GRID, f"--tasks={tasks}") == 2
    assert says in capfd.readouterr().err
    assert not sweep.out.exists()


def test_of_one_point_everything_is_in_its_folder(sweep):
    assert sweep.call("--data.supervised_data_p=0.05", "--seed_everything=3") == 0
    folder = sweep.out / "ps0.05-seed3"
    assert f"--out={folder}/benchmark" in sweep.calls[0]
    [row] = lines(folder / "sweep.csv")
    assert (row["p_s"], row["b_s"], row["seeds"], row["value"]) == ("0.05", "0.5", "3", "0.5"), "b_s is the config's"
    assert not (sweep.out / "sweep.csv").exists()


def test_by_default_the_task_of_pretraining_is_evaluated_with_the_options_of_its_corpus(sweep):
    sweep.call("--data.sl_task=gtzan", "--data.sl_kwargs.root=MUSIC")
    assert '--tasks=["gtzan"]' in sweep.calls[0]
    assert '--task_kwargs={"gtzan": {"root": "MUSIC"}}' in sweep.calls[0]
    assert sweep.call("--data.sl_task=None", "--seed_everything=[1,2]", "--tasks=[]") == 0
    assert len(sweep.calls) == 1


def test_without_labels_tasks_must_be_named(sweep, capfd):
    assert sweep.call("--data.sl_task=None") == 2
    assert "--tasks" in capfd.readouterr().err


def test_what_pretrain_py_does_not_take_is_said_once_before_anything_is_run(sweep, capfd):
    assert sweep.call(*GRID, "--data.batch_sise=3") == 2
    assert capfd.readouterr().err.count("batch_sise") == 1
    assert not sweep.out.exists()


def test_an_evaluation_that_ends_is_an_error_that_says_how_to_go_on(sweep, capfd):
    sweep.status = 2
    assert sweep.call(*GRID) == 2
    assert "-m semisupcon.benchmark ps0.05-bs0.25=" in capfd.readouterr().err
    sweep.status = 1  # of which a part failed
    assert sweep.call(*GRID) == 0


def test_sigterm_stops_it_as_ctrl_c_does(sweep, monkeypatch, capfd):
    monkeypatch.setattr(launch.Launcher, "run", lambda *_: os.kill(os.getpid(), signal.SIGTERM) or time.sleep(5))
    before = signal.getsignal(signal.SIGTERM)
    assert sweep.call(*GRID) == 130
    assert "stopped" in capfd.readouterr().err
    assert signal.getsignal(signal.SIGTERM) is before


def test_help_says_how(capsys):
    with pytest.raises(SystemExit) as ended:
        parse(["--help"], cli.ABOUT)
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    assert "--data.supervised_data_p [A,B,...]" in shown
    assert "python -m semisupcon.sweep --config" in shown


def expanded(values):
    """The command that ``wandb agent`` makes of the definition, and the parameters that it has drawn."""
    given = {"env": ["/usr/bin/env"], "interpreter": ["python"]}
    given["args"] = [f"--{name}={value}" for name, value in values.items()]
    command = []
    for part in yaml.safe_load(WANDB.read_text())["command"]:
        command += given[part[2:-1]] if part.startswith("${") else [part]
    return command


@pytest.mark.slow  # to import it takes seconds
def test_parameters_are_expanded_as_by_wandb():
    utils = pytest.importorskip("wandb.sdk.launch.sweeps.utils")
    drawn = {"data.supervised_data_p": {"value": 0.05}, "seed_everything": {"value": 2}}
    args = utils.create_sweep_command_args({"args": drawn})["args"]
    command = utils.create_sweep_command(yaml.safe_load(WANDB.read_text())["command"])
    whole = [each for part in command for each in (args if part == "${args}" else [part])]
    ours = expanded({name: each["value"] for name, each in drawn.items()})
    assert whole[2:] == ours[2:]


def test_wandbs_definition_gives_points_that_pretrain_py_takes(own_logging):
    definition = yaml.safe_load(WANDB.read_text())
    axes = {name: each["values"] for name, each in definition["parameters"].items()}
    assert (ROOT / definition["program"]).is_file()
    assert definition["method"] == "grid"
    for values in list(zip(*axes.values(), strict=True))[1:]:
        command = expanded(dict(zip(axes, values, strict=True)))
        assert command[:4] == ["/usr/bin/env", "python", "-m", "semisupcon.sweep"]
        [point] = points(*command[4:])
        config = parsed(point)
        found = (
            config["data"]["supervised_data_p"],
            config["data"]["intrabatch_supervised_p"],
            config["seed_everything"],
        )
        assert found == values
        assert config["log"] is True


def test_the_grid_of_the_same_command_is_made_of_the_points_of_wandbs_definition(own_logging):
    axes = {name: each["values"] for name, each in yaml.safe_load(WANDB.read_text())["parameters"].items()}
    fixed = [each for each in expanded({}) if each.startswith("--")]
    whole = points(*fixed, *(f"--{name}={values}" for name, values in axes.items()))
    assert len(whole) == 27
    [single] = points(*expanded({name: values[-1] for name, values in axes.items()})[4:])
    assert single == whole[-1]
    configs = ["--config", SMSL, "--config", "config/pretraining/demo.yaml"]
    grid = points(*(f"--{name}={values}" for name, values in axes.items()), *configs)
    assert grid[-1] != single, "without --log, and spelt another way"
    assert not differences(settings(parsed(grid[-1])), settings(parsed(single)))
    assert len(WANDB.read_text().splitlines()) <= 35


@pytest.mark.slow
def test_the_real_scripts(tmp_path):
    """Two points on a miniature GTZAN, one of them with checkpoints to go on from, and a probe of each."""
    (tmp_path / "gtzan").mkdir()
    task = genres(tmp_path / "gtzan")
    small = [each for each in SMALL if not each.startswith("--trainer.max_steps")]
    args = [f"--config={ROOT / SMSL}", *task, "--data.ssl_task=same", *small, f"--out={tmp_path / 'out'}"]
    args += ["--data.supervised_data_p=[0.5,1]", "--checkpoint.every_n_steps=1", "--benchmark.num_workers=0"]

    def call(steps):
        command = [sys.executable, "-m", "semisupcon.sweep", *args, f"--trainer.max_steps={steps}"]
        return subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True, timeout=600)

    done = call(2)
    assert done.returncode == 0, done.stderr
    assert len({row["p_s"] for row in lines(tmp_path / "out" / "sweep.csv")}) == 2
    note = tmp_path / "out" / "ps0.5" / "point.json"
    content = json.loads(note.read_text())
    content |= {
        "finished": False,
        "settings": content["settings"] | {"trainer.max_steps": 3},
    }
    note.write_text(json.dumps(content))
    other = tmp_path / "out" / "ps1" / "point.json"
    other.write_text(other.read_text().replace('max_steps": 2', 'max_steps": 3'))
    done = call(3)
    assert done.returncode == 0, done.stderr
    metrics = [
        json.loads((tmp_path / "out" / name / "pretrain" / "metrics.json").read_text()) for name in ("ps0.5", "ps1")
    ]
    assert [each["steps"] for each in metrics] == [3, 2]
    assert "--resume_from_ckpt" in (tmp_path / "out" / "ps0.5" / "pretrain.log").read_text()
