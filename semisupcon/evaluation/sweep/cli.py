"""The command line of a sweep."""

from __future__ import annotations

import contextlib
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

from semisupcon import __version__
from semisupcon.errors import UserError
from semisupcon.evaluation.sweep.launch import Launcher
from semisupcon.evaluation.sweep.points import Asked, Point, parse
from semisupcon.evaluation.sweep.table import Method, Outcome, methods
from semisupcon.loading.corpora import task_names
from semisupcon.running.screen import run
from semisupcon.training.cli import Pretrain

log = logging.getLogger(__name__)

ABOUT = """\
Pretrain at every point of a grid, and evaluate what came out: p_s, b_s, learning rates and seeds given as lists to the
options of pretrain.py, whose other options are given as ever. Stopped and started again, it goes on where it was.

  how many labels, and how many of them in a batch, on the embedded corpus:
    python -m semisupcon.sweep --config config/pretraining/pretrain_smsl.yaml --config config/pretraining/demo.yaml \\
        --data.supervised_data_p=[0.05,0.25,1] --data.intrabatch_supervised_p=[0.25,0.5,0.75] \\
        --seed_everything=[0,1,2] --tasks=[synth_instrument,synth_tags] --out=runs/sweep --jobs=2

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
    config = _parsed(asked.points[0])
    tasks, kwargs = _tasks(asked, config)
    launcher = Launcher(asked.out, asked.jobs)
    launcher.check(asked.points)
    failed = launcher.run(asked.points)
    done = [point for point in asked.points if point not in failed]
    if not done:
        raise UserError(f"None of the {len(asked.points):,} runs was finished; each says above what is wrong with it.")
    # Of one point in its own folder, for other launchers run others at the same time.
    home = asked.out if len(asked.points) > 1 else launcher.folder(asked.points[0])
    if tasks == "[]":
        log.info(f"\n{len(done):,} runs are in {asked.out} ({time.monotonic() - start:.0f} s); nothing was evaluated.")
        return 1 if failed else 0
    known = methods(done, _resolved(config))
    checkpoints = {method.name: [launcher.checkpoint(p) for p in done if p.method == method.name] for method in known}
    results = _evaluate(checkpoints, [f"--tasks={tasks}", f"--parts={asked.parts}", *kwargs, *asked.benchmark], home)
    outcome = Outcome(results, known)
    text = outcome.markdown()
    _write(home, outcome, text, known, failed, f"python -m semisupcon.sweep {shlex.join(given)}")
    log.info(f"\n{text}\n\nThe sweep: {home / 'sweep.md'} ({time.monotonic() - start:.0f} s)")
    if failed:
        log.warning(f"{len(failed):,} of the {len(asked.points):,} runs failed; the same command tries them again.")
    return 1 if failed else 0


def _parsed(point: Point) -> Mapping[str, Any]:
    """A point's config, so that what pretrain.py would refuse of its options is said once, and at once."""

    class Parsed(Pretrain):
        def instantiate_classes(self) -> None:
            pass

    return dict(Parsed(list(point.arguments)).config.as_dict())


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
        return asked.tasks.replace(" ", ""), []
    data = config["data"]
    if data["sl_task"] is None:
        raise UserError("--tasks: no labels were pretrained with, so name the tasks to evaluate on; [] for none.")
    names = task_names(data["sl_task"])
    options = json.dumps(dict.fromkeys(names, data["sl_kwargs"])) if data["sl_kwargs"] else None
    return json.dumps(names), [] if options is None else [f"--task_kwargs={options}"]


def _evaluate(checkpoints: Mapping[str, Sequence[Path]], options: Sequence[str], home: Path) -> Path:
    """Run the benchmark of all methods; its results.csv.

    Raises:
        UserError: it could not evaluate anything.
    """
    out = home / EVALUATION
    subjects = [f"{name}={','.join(map(str, files))}" for name, files in checkpoints.items()]
    command = [sys.executable, "-m", "semisupcon.benchmark", *subjects, *options, f"--out={out}"]
    status = subprocess.run(command, check=False).returncode
    if status not in (0, 1):  # 1: some of it failed, which its report lists
        raise UserError(
            f"The evaluation ended with status {status}; what was pretrained is kept. Once more:\n{shlex.join(command)}"
        )
    return out / "results.csv"


def _write(
    home: Path, outcome: Outcome, text: str, known: Sequence[Method], failed: Mapping[Point, str], command: str
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
        text,
        *(f"![{path.stem.replace('_', ' ')}]({path.name})" for path in pictures),
    ]
    if failed:
        said = "\n".join(f"- {point.name}: {wrong.splitlines()[0]}" for point, wrong in failed.items())
        parts.append(f"## Failed\n\n{said}")
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
