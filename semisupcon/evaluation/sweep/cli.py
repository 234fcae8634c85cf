"""The command line of a sweep."""

from __future__ import annotations

import contextlib
import fcntl
import json
import logging
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

import yaml  # type: ignore[import-untyped]

from semisupcon import __version__
from semisupcon.datasets import TASKS, layout, manifest
from semisupcon.errors import UserError, did_you_mean
from semisupcon.evaluation.cases import named
from semisupcon.evaluation.sweep.launch import Launcher, Missing
from semisupcon.evaluation.sweep.points import Asked, parse
from semisupcon.evaluation.sweep.settings import parsed, settings
from semisupcon.evaluation.sweep.table import Method, Outcome, methods
from semisupcon.loading.corpora import task_names
from semisupcon.running.screen import run

log = logging.getLogger(__name__)

ABOUT = """\
Pretrain at every point of a grid, and evaluate what came out: p_s, b_s, learning rates and seeds given as lists to the
options of pretrain.py, whose other options are given as ever. Stopped and started again, it goes on where it was.

  how many labels, and how many of them in a batch, on the embedded corpus:
    python -m semisupcon.sweep --config config/pretraining/pretrain_smsl.yaml --config config/pretraining/demo.yaml \\
        --data.supervised_data_p=[0.05,0.25,1] --data.intrabatch_supervised_p=[0.25,0.5,0.75] \\
        --seed_everything=[0,1,2] --tasks=[synth_instrument,synth_tags] --out=runs/sweep --jobs=2

demo.yaml makes everything small: of the published model 27 runs take days on two cores. Leave it out on a GPU.

Of a single point it is what another launcher runs, such as W&B's (config/sweeps/wandb.yaml). When all points are there,
the command of the whole grid, with the same --out, finds them done and evaluates them together."""

EVALUATION = "benchmark"  # its folder


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    status = [0]

    def command() -> None:
        with _terminable():
            status[0] = _sweep(given)

    return run(command) or status[0]


def _sweep(given: Sequence[str]) -> int:
    start = time.monotonic()
    asked = parse(given, ABOUT)
    # All read here and now: what pretrain.py would refuse is said once, and no config is edited while others run.
    configs = {point: parsed(point) for point in asked.points}
    config = configs[asked.points[0]]
    tasks, kwargs = _tasks(asked, config)
    decisive = {point: settings(each) for point, each in configs.items()}
    launcher = Launcher(asked.out, asked.jobs, decisive.__getitem__)
    launcher.check(asked.points)
    missing = launcher.run(asked.points)
    done = [point for point in asked.points if point not in missing]
    told = _told(missing, len(asked.points))
    if not done and missing.failed:
        raise UserError(f"None of the {len(asked.points):,} runs was finished; each says above what is wrong with it.")
    if not done:
        log.warning(told)
        return 1
    # Of one point in its own folder, for other launchers run others at the same time.
    home = asked.out if len(asked.points) > 1 else launcher.folder(asked.points[0])
    if tasks == "[]":
        log.info(f"\n{len(done):,} runs are in {asked.out} ({time.monotonic() - start:.0f} s); nothing was evaluated.")
        if missing:
            log.warning(told)
        return 1 if missing else 0
    known = methods(done, _resolved(config))
    checkpoints = {method.name: [launcher.checkpoint(p) for p in done if p.method == method.name] for method in known}
    options = [f"--tasks={tasks}", f"--parts={asked.parts}", *kwargs, *asked.benchmark]
    with _alone(home) as lock:
        outcome = Outcome(_evaluate(checkpoints, options, home, lock), known)
        text = outcome.markdown()
        _write(home, outcome, text, known, missing, told, f"python -m semisupcon.sweep {shlex.join(given)}")
    log.info(f"\n{text}\n\nThe sweep: {home / 'sweep.md'} ({time.monotonic() - start:.0f} s)")
    if missing:
        log.warning(told)
    return 1 if missing else 0


def _told(missing: Missing, of: int) -> str:
    """What is said of a sweep that is not whole."""
    how = {"failed": len(missing.failed), "being run elsewhere": len(missing.elsewhere)}
    kinds = ", ".join(f"{number:,} {kind}" for kind, number in how.items() if number)
    return (
        f"{len(missing):,} of the {of:,} runs are missing ({kinds}), and so are their numbers. The same command runs "
        "what nobody is at, and evaluates all that is there then."
    )


@contextlib.contextmanager
def _alone(home: Path) -> Iterator[int]:
    """Keep other commands from evaluating in the same folder; the lock, which is held while it is open.

    Raises:
        UserError: another one is at it.
    """
    with (home / "evaluation.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise UserError(
                f"{home}: another command evaluates this sweep right now. What was pretrained is kept; "
                "when that one has ended, the same command evaluates it."
            ) from None
        yield lock.fileno()


def _resolved(config: Mapping[str, Any]) -> dict[str, Any]:
    data = config["data"]
    return {
        "ps": data["supervised_data_p"],
        "bs": data["intrabatch_supervised_p"],
        "seed": int(config["seed_everything"]),
    }


def _tasks(asked: Asked, config: Mapping[str, Any]) -> tuple[str, list[str]]:
    """What the benchmark is to evaluate on: as asked, or what was pretrained on, with the options of its corpus."""
    if asked.tasks is not None:
        return _known(asked.tasks), []
    data = config["data"]
    if data["sl_task"] is None:
        raise UserError("--tasks: no labels were pretrained with, so name the tasks to evaluate on; [] for none.")
    names = task_names(data["sl_task"])
    options = json.dumps(dict.fromkeys(names, data["sl_kwargs"])) if data["sl_kwargs"] else None
    return json.dumps(names), [] if options is None else [f"--task_kwargs={options}"]


def _known(text: str) -> str:
    """The tasks that a command line names, as JSON.

    Raises:
        UserError: no list is given, or a task that there is not, which is better said before days of pretraining.
    """
    try:
        read = yaml.safe_load(text)
    except yaml.YAMLError:
        read = None
    asked = [read] if isinstance(read, str) else read
    if not isinstance(asked, list) or not all(isinstance(each, (str, dict)) for each in asked):
        raise UserError(f"--tasks={text}: a list of names is meant, such as [synth_instrument,synth_tags].")
    for name in named(asked, {}) if asked else {}:
        if name not in TASKS and not any(mark in name for mark in "./"):  # else a table or a function of the user's
            raise UserError(
                f"--tasks={name}: no such task.{did_you_mean(name, TASKS)}\nThe tasks are: {', '.join(sorted(TASKS))}."
            )
        path = layout.absolute(name)
        if name.lower().endswith(manifest.SUFFIXES) and not path.is_file() and not manifest.find(path):
            raise UserError(f"--tasks={name}: there is no such file.")
    return json.dumps(asked)


def _evaluate(checkpoints: Mapping[str, Sequence[Path]], options: Sequence[str], home: Path, lock: int) -> Path:
    """Run the benchmark of all methods, which keeps a lock while it lives; its results.csv.

    Raises:
        UserError: it could not evaluate anything.
    """
    out = home / EVALUATION
    subjects = [f"{name}={','.join(map(str, files))}" for name, files in checkpoints.items()]
    command = [sys.executable, "-m", "semisupcon.benchmark", *subjects, *options, f"--out={out}"]
    status = subprocess.run(command, check=False, pass_fds=[lock]).returncode
    if status not in (0, 1):  # 1: some of it failed, which its report lists
        raise UserError(
            f"The evaluation ended with status {status}; what was pretrained is kept. Once more:\n{shlex.join(command)}"
        )
    return out / "results.csv"


def _write(
    home: Path, outcome: Outcome, text: str, known: Sequence[Method], missing: Missing, told: str, command: str
) -> None:
    """Everything beside each other: sweep.csv, sweep.md, and the heat maps that it shows."""
    outcome.write_csv(home / "sweep.csv")
    pictures = outcome.draw(home)
    seeds = sorted({seed for method in known for seed in method.seeds})
    parts = [
        "# Sweep",
        f"semisupcon {__version__}. Means over the runs of seeds {', '.join(map(str, seeds))}, with 95 % bootstrap "
        f"intervals over the test clips. Every figure is in `sweep.csv`, and how it was come by in "
        f"`{EVALUATION}/report.md`.\n\n```\n{command}\n```",
        *([f"**{told}**"] if missing else []),
        text,
        *(f"![{path.stem.replace('_', ' ')}]({path.name})" for path in pictures),
    ]
    if missing:
        lines = [f"- {point.name}: {wrong.splitlines()[0]}" for point, wrong in missing.failed.items()]
        lines += [f"- {point.name}: being run elsewhere" for point in missing.elsewhere]
        parts.append("## Missing\n\n" + "\n".join(lines))
    (home / "sweep.md").write_text("\n\n".join(parts) + "\n", encoding="utf-8")


@contextlib.contextmanager
def _terminable() -> Iterator[None]:
    """SIGTERM, by which W&B's agent and SLURM end a run, as Ctrl-C: what was started here ends, too."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
