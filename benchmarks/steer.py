"""Does supervision steer? Four signals, each the only difference of a pretraining, and a probe of each on four tasks.

    python -m benchmarks.steer [--steps 240] [--seeds 3] [--jobs 2] [--control] [--out FOLDER]

Semi-supervised pretraining on a corpus of the embedded kind with 24 clips a player in place of 8 (3,744 files), with
all labels of one task, half of each batch: instruments and pitches by SharedLabels, keys by ClassSimilarity (MIREX),
mood by RegressionKernel. The same small SampleCNN and as many steps for all; no pitch shift. Each should give the best
probe on its own task: the diagonal of the table. Keys are those of sustained chords. With --control a fifth pretraining
has no labels.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tqdm import tqdm

from benchmarks.compare import cell
from benchmarks.runs import ROOT, Estimate, Truth, call, configs, prepare, test
from benchmarks.show import table
from semisupcon.datasets.synth.corpus import ensure
from semisupcon.datasets.synth.plan import Params

SIGNALS = {
    "synth_pitch": ("SharedLabels",),
    "synth_instrument": ("SharedLabels",),
    "synth_key": ("ClassSimilarity", "--model.signal.init_args.table=mirex"),
    "synth_mood": ("RegressionKernel",),
}
WITHOUT = "no labels"
OPTIONS = {"synth_key": {"chords": True}}


class Steering:
    """Runs below one folder.

    Args:
        options: of the command line.
        root: of the corpus.
    """

    def __init__(self, options: argparse.Namespace, root: Path) -> None:
        self.options, self.root = options, root
        self.signals = (*SIGNALS, WITHOUT) if options.control else tuple(SIGNALS)
        self.threads = max(1, (os.cpu_count() or 1) // options.jobs)

    def corpus(self, which: str, task: str) -> list[str]:
        """A task of the corpus, as options."""
        given = {"root": self.root, **OPTIONS.get(task, {})} if which == "sl" else {"root": self.root}
        return [f"--data.{which}_task={task}", *(f"--data.{which}_kwargs.{name}={v}" for name, v in given.items())]

    def pretrain(self, signal: str, seed: int) -> None:
        """With one signal, or none."""
        if (self.options.out / f"{signal}-{seed}" / "last.ckpt").exists():
            return
        labels = ["--data.intrabatch_supervised_p=0"]
        if signal != WITHOUT:
            name, *more = SIGNALS[signal]
            labels = [*self.corpus("sl", signal), f"--model.signal.class_path={name}", *more]
            labels += ["--data.supervised_data_p=1", "--data.intrabatch_supervised_p=0.5"]
        length = [
            f"--trainer.max_steps={self.options.steps}",
            "--trainer.limit_val_batches=0",
            "--picture.every_n_steps=0",
            "--data.leak_check=off",
        ]
        run = [f"--seed_everything={seed}", f"--ckpt_path={self.options.out}", f"--run_name={signal}-{seed}"]
        files = configs("pretraining/pretrain_smsl", "pretraining/demo")
        call(self.threads, "pretrain.py", *files, *self.corpus("ssl", "synth_instrument"), *labels, *length, *run)

    def probe(self, signal: str, seed: int) -> None:
        """On all four tasks."""
        runs = []
        encoder = [f"--model.checkpoint={self.options.out / f'{signal}-{seed}' / 'last.ckpt'}"]
        for task in SIGNALS:
            folder = self.folder(signal, seed, task)
            if not (folder / "metrics.json").exists():
                kept = [f"--seed_everything={seed}", f"--ckpt_path={folder.parent}", f"--run_name={folder.name}"]
                data = [*self.corpus("sl", task), "--data.leak_check=off"]
                runs.append([*configs("finetuning/probe"), *encoder, *data, *kept])
        test(self.threads, runs)

    def folder(self, signal: str, seed: int, task: str) -> Path:
        """Of a probe's run."""
        return self.options.out / f"probe-{signal}-{seed}-{task}"

    def run(self) -> None:
        """Everything, ``jobs`` at a time."""
        prepare("synth_instrument", {"root": self.root}, [22050])
        cases = [(signal, seed) for seed in range(self.options.seeds) for signal in self.signals]
        for what, job in (("pretraining", self.pretrain), ("probing", self.probe)):
            with ThreadPoolExecutor(self.options.jobs) as pool, tqdm(total=len(cases), desc=what, unit="run") as bar:
                for _ in pool.map(lambda case, job=job: job(*case), cases):
                    bar.update()

    def results(self) -> dict[tuple[str, str], Estimate]:
        """(signal, task) -> the main metric over all seeds."""
        found = {}
        for task in SIGNALS:
            truth = Truth(task, {"root": str(self.root), **OPTIONS.get(task, {})})
            for signal in self.signals:
                runs = [self.folder(signal, seed, task) for seed in range(self.options.seeds)]
                found[signal, task] = truth.estimate(runs)
        return found


def show(found: dict[tuple[str, str], Estimate]) -> None:
    """The table, and for each task how far its own signal is ahead of the best of the others."""
    signals = dict.fromkeys(signal for signal, _ in found)
    rows = [{"signal": s, **{task: cell(found[s, task]) for task in SIGNALS}} for s in signals]
    ahead = {}
    for task in SIGNALS:
        best = max((s for s in SIGNALS if s != task), key=lambda s, task=task: found[s, task].value)
        ahead[task] = f"{cell(found[task, task] - found[best, task])} on {best.removeprefix('synth_')}"
    table([*rows, {"signal": "own ahead by", **ahead}], {"signal": ("signal", ""), **{t: (t, "") for t in SIGNALS}})


def picture(found: dict[tuple[str, str], Estimate], path: Path) -> None:
    """The table as colours: how far a probe is between the worst and the best signal on its task."""
    from matplotlib.figure import Figure

    signals = list(dict.fromkeys(signal for signal, _ in found))
    figure = Figure(figsize=(6.4, 4.4), layout="constrained", dpi=110)
    axes = figure.subplots()
    for column, task in enumerate(SIGNALS):
        values = [found[signal, task].value for signal in signals]
        low, high = min(values), max(values)
        for row, value in enumerate(values):
            shade = (value - low) / max(high - low, 1e-9)
            axes.add_patch(_square(column, row, shade))
            mark = "bold" if value == high else "normal"
            colour = "white" if shade < 0.6 else "black"
            axes.text(column, row, f"{value:.3f}", ha="center", va="center", color=colour, fontweight=mark)
    axes.set_xlim(-0.5, len(SIGNALS) - 0.5)
    axes.set_ylim(len(signals) - 0.5, -0.5)
    axes.set_xticks(range(len(SIGNALS)), [f"probe on\n{task}" for task in SIGNALS], fontsize=9)
    axes.set_yticks(
        range(len(signals)), [f"signal of\n{signal}" if signal in SIGNALS else signal for signal in signals]
    )
    axes.set_title("Which labels steer pretraining, and what the encoder is then good at", fontsize=10)
    figure.savefig(path)


def _square(x: int, y: int, shade: float):  # type: ignore[no-untyped-def]
    from matplotlib import colormaps
    from matplotlib.patches import Rectangle

    return Rectangle((x - 0.5, y - 0.5), 1, 1, color=colormaps["viridis"](shade))


def main(arguments: Sequence[str] | None = None) -> None:
    """Make the corpus, run, print the table, draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=240, help="of pretraining, for each signal and seed")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=2, help="runs at a time; the cores are shared among them")
    parser.add_argument("--control", action="store_true", help="a pretraining without labels, too")
    parser.add_argument("--out", type=Path, default=Path("runs/steer"))
    options = parser.parse_args(arguments)
    start = time.monotonic()
    steering = Steering(options, ensure(Params(files=24)))
    steering.run()
    found = steering.results()
    show(found)
    picture(found, ROOT / options.out / "steer.png")
    print(f"\n{time.monotonic() - start:.0f} s in all; the picture: {options.out / 'steer.png'}")


if __name__ == "__main__":
    main()
