"""Does pretraining help, and do labels help it? Untrained, self-supervised and semi-supervised encoders, probed.

Equal steps, equal encoder, several seeds; the two scripts are called as a user would call them.

    python benchmarks/ladder.py [--seeds 3] [--steps 300] [--task synth_instrument] [--share 0.5] [--out runs/ladder]
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
DEMO = ("--config", "config/pretraining/demo.yaml")
SYSTEMS = {
    "self-supervised": ("--config", "config/pretraining/pretrain_ssl.yaml", *DEMO, "--data.supervised_data_p=1"),
    "semi-supervised": ("--config", "config/pretraining/pretrain_smsl.yaml", *DEMO),
}


def call(*arguments: str) -> None:
    """Run one of the two scripts quietly; show its output where it fails."""
    done = subprocess.run([sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(arguments)}\n{done.stdout[-2000:]}{done.stderr[-4000:]}")


def probe(folder: Path, name: str, task: str, seed: int, *encoder: str) -> float:
    """Test accuracy (or the task's main metric) of a linear probe."""
    call(
        *("finetune.py", "--config", "config/finetuning/probe.yaml", *encoder),
        *(f"--data.sl_task={task}", f"--seed_everything={seed}", f"--ckpt_path={folder}", f"--run_name={name}"),
        "--trainer.enable_progress_bar=false",
    )
    content = json.loads((folder / name / "metrics.json").read_text())
    return content["test"][content["main"]]["value"]


def main() -> None:
    """Run, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--task", default="synth_instrument")
    parser.add_argument("--share", type=float, default=0.5, help="p_s of the semi-supervised runs")
    parser.add_argument("--out", type=Path, default=Path("runs/ladder"))
    options = parser.parse_args()
    found: dict[str, list[float]] = {"untrained": [], **{name: [] for name in SYSTEMS}}
    start = time.monotonic()
    for seed in range(options.seeds):
        untrained = ("--config", "config/finetuning/demo_untrained.yaml")
        found["untrained"].append(probe(options.out, f"untrained-{seed}-probe", options.task, seed, *untrained))
        for system, config in SYSTEMS.items():
            name = f"{system}-{seed}"
            labels = (f"--data.supervised_data_p={options.share}",) if system == "semi-supervised" else ()
            task = (f"--data.sl_task={options.task}", f"--data.ssl_task={options.task}") if labels else ()
            call(
                *("pretrain.py", *config, *labels, *task, f"--trainer.max_steps={options.steps}"),
                *(f"--seed_everything={seed}", f"--ckpt_path={options.out}", f"--run_name={name}"),
                *("--picture.every_n_steps=0", "--trainer.enable_progress_bar=false"),
            )
            checkpoint = f"--model.checkpoint={options.out / name / 'last.ckpt'}"
            found[system].append(probe(options.out, f"{name}-probe", options.task, seed, checkpoint))
        print(f"seed {seed}: " + ", ".join(f"{name} {values[-1]:.3f}" for name, values in found.items()), flush=True)
    print(f"\n| encoder | {' | '.join(f'seed {seed}' for seed in range(options.seeds))} | mean | spread |")
    print("| --- |" + " --- |" * (options.seeds + 2))
    for name, values in found.items():
        cells = " | ".join(f"{value:.3f}" for value in values)
        print(f"| {name} | {cells} | {statistics.mean(values):.3f} | {max(values) - min(values):.3f} |")
    print(f"\n{options.task}, {options.steps} steps, p_s = {options.share}; {time.monotonic() - start:.0f} s in all")


if __name__ == "__main__":
    main()
