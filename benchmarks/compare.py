"""All five systems on the same data with the same probes and equal time to train: which encoder is good at what?

    make compare
    python -m benchmarks.compare [--seconds 240] [--seeds 3] [--jobs 2] [--tasks synth_key ...] [--out FOLDER]
    python -m benchmarks.compare --dataset gtzan --root data/gtzan

Small variants (config/small) of each system are pretrained for so many seconds on one thread each, on the training
clips of the embedded corpus, or of --dataset. The multi-format system trains two encoders in that time, half of it
each. Each encoder is probed on every task, and so is its like with fresh weights, which is what it has to beat. All of
it is kept below --out, and a run that is there already is not made again.

What is expected is written in ``EXPECTED``, before anything ran.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tqdm import tqdm

from benchmarks.runs import ROOT, Estimate, Truth, call, configs, prepare, test
from benchmarks.show import table

SYNTH = ("synth_instrument", "synth_pitch", "synth_tags", "synth_key", "synth_mood")

RATES = (22050, 16000)  # Hz, of the systems

# System -> the configs of each encoder that it trains.
SYSTEMS: dict[str, list[tuple[str, ...]]] = {
    "SemiSupCon": [("pretraining/pretrain_smsl", "pretraining/demo")],
    "CLMR": [("pretraining/clmr", "small/samplecnn")],
    "COLA": [("pretraining/cola", "small/efficientnet")],
    "multi-format": [
        ("pretraining/multi_format_audio", "small/samplecnn"),
        ("pretraining/multi_format_mel", "small/resnet"),
    ],
    "CPC": [("pretraining/cpc", "small/cpc")],
}

# What each should do better than its like with fresh weights, written on 2026-11-27 before the first whole run (and
# after trials of 90 s with one seed, which showed how many steps there are: two to four hundred).
# - SemiSupCon has the labels of the instruments, and views whose chain leaves timbre alone.
# - CLMR is made deaf to filters, echoes, rooms and pitch, which is what instruments and pitches are known by: tags are
#   left, half of which are of articulation, motion and mode.
# - COLA changes nothing in its crops; whatever lasts for the length of a clip should help, pitch and timbre above all.
# - Multi-format: an untrained ResNet on log-mel knows instruments and pitches surprisingly well already (.71 and .51 in
#   a trial); tags should gain.
# - CPC predicts the next 120 ms: spectrum and motion, so instruments and tags.
# Of nobody keys or moods: the key of a phrase, told from 0.9 s at a time, is beyond a few hundred steps.
EXPECTED: dict[str, tuple[str, ...]] = {
    "SemiSupCon": ("synth_instrument", "synth_tags"),
    "CLMR": ("synth_tags",),
    "COLA": ("synth_instrument", "synth_pitch", "synth_tags"),
    "multi-format": ("synth_tags",),
    "CPC": ("synth_instrument", "synth_tags"),
}


class Comparison:
    """Runs below one folder.

    Args:
        options: of the command line.
    """

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.tasks: Sequence[str] = options.tasks or ((options.dataset,) if options.dataset else SYNTH)
        self.kwargs = {"root": options.root} if options.root else {}
        self.threads = max(1, (os.cpu_count() or 1) // options.jobs)

    def data(self, which: str, task: str) -> list[str]:
        """The corpus, as an option."""
        root = [f"--data.{which}_kwargs.root={self.options.root}"] if self.options.root else []
        return [f"--data.{which}_task={task}", *root]

    def pretrain(self, system: str, seed: int) -> None:
        """All encoders of a system."""
        encoders = SYSTEMS[system]
        limit = self.options.seconds / len(encoders)
        corpus = self.options.dataset or SYNTH[0]
        for number, files in enumerate(encoders):
            name = f"{system}-{seed}-{number}"
            if (self.options.out / name / "last.ckpt").exists():
                continue
            labels = self.data("sl", corpus) if system == "SemiSupCon" else []
            unlabelled = ["--data.ssl_task=same"] if labels else self.data("ssl", corpus)
            clock = f"--trainer.max_time={{seconds: {round(limit)}}}"
            length = [clock, "--trainer.max_steps=-1", "--trainer.limit_val_batches=0", "--picture.every_n_steps=0"]
            run = [f"--seed_everything={seed}", f"--ckpt_path={self.options.out}", f"--run_name={name}"]
            call(self.threads, "pretrain.py", *configs(*files), *labels, *unlabelled, *length, *run)

    def probe(self, system: str, seed: int, untrained: bool) -> None:
        """A linear probe of the encoder on every task."""
        found = [f"{self.options.out / f'{system}-{seed}-{n}' / 'last.ckpt'}" for n in range(len(SYSTEMS[system]))]
        encoder = [f"--model.checkpoint={found[0] if len(found) == 1 else json.dumps(found)}"]
        encoder += ["--model.untrained=true"] if untrained else []
        runs = []
        for task in self.tasks:
            folder = self.folder(system, seed, untrained, task)
            if not (folder / "metrics.json").exists():
                kept = [f"--seed_everything={seed}", f"--ckpt_path={folder.parent}", f"--run_name={folder.name}"]
                runs.append([*configs("finetuning/probe"), *encoder, *self.data("sl", task), *kept])
        test(self.threads, runs)

    def folder(self, system: str, seed: int, untrained: bool, task: str) -> Path:
        """Of a probe's run."""
        return self.options.out / f"probe-{system}-{seed}{'-untrained' if untrained else ''}-{Path(task).stem}"

    def run(self) -> None:
        """Everything, ``jobs`` at a time."""
        prepare(self.options.dataset or SYNTH[0], self.kwargs, RATES)
        cases = [(system, seed) for seed in range(self.options.seeds) for system in SYSTEMS]
        jobs = [lambda case=case: self.pretrain(*case) for case in cases]
        probes = [lambda case=case, u=u: self.probe(*case, u) for case in cases for u in (False, True)]
        for what, some in (("pretraining", jobs), ("probing", probes)):
            with ThreadPoolExecutor(self.options.jobs) as pool, tqdm(total=len(some), desc=what, unit="run") as bar:
                for _ in pool.map(lambda job: job(), some):
                    bar.update()

    def results(self) -> dict[tuple[str, str, bool], Estimate]:
        """(system, task, untrained) -> the main metric over all seeds."""
        found = {}
        for task in self.tasks:
            truth = Truth(task, self.kwargs)
            for system in SYSTEMS:
                for untrained in (False, True):
                    runs = [self.folder(system, seed, untrained, task) for seed in range(self.options.seeds)]
                    found[system, task, untrained] = truth.estimate(runs)
        return found


def cell(estimate: Estimate) -> str:
    """``0.766 [0.719, 0.807]``."""
    low, high = estimate.bounds
    return f"{estimate.value:.3f} [{low:.3f}, {high:.3f}]"


def verdict(system: str, task: str, trained: Estimate, untrained: Estimate) -> str:
    """What came of the expectation; ``beyond`` where both intervals lie apart, which is more than the difference."""
    low, high = (trained - untrained).bounds
    apart = trained.bounds[0] > untrained.bounds[1]
    found = "better, intervals apart" if apart else "better" if low > 0 else "worse" if high < 0 else "no difference"
    expected = task in EXPECTED.get(system, ())
    return f"{found}{', as expected' if expected and low > 0 else ', EXPECTED better' if expected else ''}"


def show(comparison: Comparison, found: dict[tuple[str, str, bool], Estimate]) -> None:
    """Tables: every system on every task, and what it gained."""
    rows, gains = [], []
    for untrained in (False, True):
        for system in SYSTEMS:
            row = {task: cell(found[system, task, untrained]) for task in comparison.tasks}
            rows.append({"system": f"{system}, fresh weights" if untrained else system, **row})
    table(rows, {"system": ("system", ""), **{task: (task, "") for task in comparison.tasks}})
    for system in SYSTEMS:
        for task in comparison.tasks:
            trained, untrained = found[system, task, False], found[system, task, True]
            gain = trained - untrained
            verdicts = verdict(system, task, trained, untrained)
            gains.append({"system": system, "task": task, "gain": f"{cell(gain)}", "verdict": verdicts})
    print()
    table(gains, {name: (name, "") for name in ("system", "task", "gain", "verdict")})


def picture(comparison: Comparison, found: dict[tuple[str, str, bool], Estimate], path: Path) -> None:
    """A panel for each task: each system with its interval and its seeds, fresh weights beside it in grey."""
    from matplotlib.figure import Figure

    names = list(SYSTEMS)
    figure = Figure(figsize=(3.1 * len(comparison.tasks) + 1.2, 3.6), layout="constrained", dpi=110)
    panels = figure.subplots(1, len(comparison.tasks), sharey=True, squeeze=False)[0]
    for axes, task in zip(panels, comparison.tasks, strict=True):
        for place, system in enumerate(names):
            for untrained, colour, shift in ((True, "0.6", 0.17), (False, f"C{place}", -0.17)):
                estimate = found[system, task, untrained]
                low, high = estimate.bounds
                y = place + shift
                axes.plot([low, high], [y, y], color=colour, lw=2.5, solid_capstyle="round")
                axes.plot(estimate.seeds, [y] * len(estimate.seeds), "|", color=colour, ms=9)
                axes.plot(estimate.value, y, "o", color=colour, ms=6)
        axes.set_title(task, fontsize=10)
        axes.set_yticks(range(len(names)), names)
        axes.grid(axis="x", color="0.9")
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].invert_yaxis()
    figure.suptitle(
        f"Linear probes after {comparison.options.seconds:.0f} s of pretraining (grey: fresh weights); "
        f"mean of {comparison.options.seeds} seeds with 95 % interval, ticks are seeds",
        fontsize=10,
    )
    figure.savefig(path)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run, print the tables, draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=240, help="of pretraining, for each system and seed")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=2, help="runs at a time; the cores are shared among them")
    parser.add_argument("--dataset", help="a task of README.md or a manifest, in place of the embedded corpus")
    parser.add_argument("--root", help="its folder")
    parser.add_argument("--tasks", nargs="+", help="what is probed; all embedded tasks, or the dataset's own")
    parser.add_argument("--out", type=Path, default=Path("runs/compare"))
    options = parser.parse_args(arguments)
    start = time.monotonic()
    comparison = Comparison(options)
    comparison.run()
    found = comparison.results()
    show(comparison, found)
    picture(comparison, found, ROOT / options.out / "compare.png")
    print(f"\n{time.monotonic() - start:.0f} s in all; the picture: {options.out / 'compare.png'}")


if __name__ == "__main__":
    main()
