"""The command line of a benchmark."""

from __future__ import annotations

import logging
import shlex
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from jsonargparse import ActionConfigFile  # type: ignore[attr-defined]

from semisupcon.errors import UserError
from semisupcon.evaluation.options import Options
from semisupcon.evaluation.report import summary, write
from semisupcon.evaluation.run import Benchmark
from semisupcon.evaluation.subjects import parse
from semisupcon.running.given import explicit_none, options
from semisupcon.running.parser import Help, Parser
from semisupcon.running.screen import run

log = logging.getLogger(__name__)

ABOUT = """\
Evaluate encoders on tasks: probes, few labels, class prototypes, nearest neighbours, retrieval, robustness and the
shape of the embedding, every figure with its 95 % interval and every difference paired. What comes out is a folder with
report.md, results.csv, results.json and pictures. Stopped and started again, it goes on where it was.

  a checkpoint beside its untrained architecture, on the five tasks of the embedded corpus:
    python -m semisupcon.benchmark runs/RUN/last.ckpt --untrained=1 --out=runs/report
  two methods, one of them with three runs of pretraining, on GTZAN and a table of your own:
    python -m semisupcon.benchmark ssl=runs/ssl/last.ckpt smsl=runs/a/last.ckpt,runs/b/last.ckpt,runs/c/last.ckpt \\
        --tasks=[gtzan,tracks.csv] --task_kwargs.gtzan.root=data/gtzan
  what mean and deviation of MFCCs can do, probes only:
    python -m semisupcon.benchmark mfcc=semisupcon.encoders.MFCC --parts=[probe]"""


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    status = [0]

    def command() -> None:
        status[0] = _benchmark(given)

    return run(command) or status[0]


def understood(given: Sequence[str]) -> tuple[list[str], Options, Path]:
    """The encoders as the user named them, the options, and the folder for everything.

    Raises:
        UserError: an option is unknown, or its value is not what it must be.
    """
    args = explicit_none(given)
    parser = Parser(
        prog="python -m semisupcon.benchmark",
        description=ABOUT,
        formatter_class=Help,
        usage="%(prog)s ENCODER [ENCODER ...] [--config FILE] [--option=value ...]",
        allow_abbrev=False,
    )
    parser.add_argument(
        "encoders",
        nargs="*",
        help="FILE, NAME=FILE, or NAME=FILE,FILE for several runs of a method, which are averaged. A FILE is a "
        "checkpoint, A+B two whose encoders stand side by side, untrained:FILE fresh weights of its architecture, or "
        "an Encoder by its dotted path. The first is what others are compared with.",
    )
    parser.add_argument("-c", "--config", action=ActionConfigFile, help="YAML with the options; a later one wins.")
    parser.add_argument("--out", type=str, default="runs/benchmark", help="The folder for everything.")
    parser.add_class_arguments(Options)
    parser.given = options(args)
    config = parser.parse_args(args)
    wanted = {name: value for name, value in config.as_dict().items() if name not in ("encoders", "config", "out")}
    folder = Path(config["out"]).expanduser()
    if folder.exists() and not folder.is_dir():
        raise UserError(f"--out={folder}: a file, and a folder is meant.")
    return list(config["encoders"]), Options(**wanted), folder


def _benchmark(given: Sequence[str]) -> int:
    start = time.monotonic()
    encoders, chosen, folder = understood(given)
    subjects = parse(encoders, chosen.untrained)
    done = Benchmark(subjects, chosen, folder).run()
    if not done.results:
        raise UserError("Nothing could be evaluated:\n" + "\n".join(f"  {k}: {v}" for k, v in done.failures.items()))
    write(folder, done, subjects, chosen, f"python -m semisupcon.benchmark {shlex.join(given)}")
    log.info(f"\n{summary(done, subjects)}")
    log.info(f"\nThe report: {folder / 'report.md'} ({time.monotonic() - start:.0f} s)")
    if done.failures:
        log.warning(f"{len(done.failures)} steps failed; the report lists them. The same command tries them again.")
    return 1 if done.failures else 0
