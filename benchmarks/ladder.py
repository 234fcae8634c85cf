"""Does pretraining help, and do labels help it? Untrained, self-supervised and semi-supervised encoders, probed.

Equal steps, equal encoder, several seeds; the two scripts are called as a user would call them.

    python -m benchmarks.ladder [--seeds 3] [--steps 300] [--share 0.5] [--jobs 2] [--out FOLDER]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.runs import ROOT, call

DEMO = ("--config", "config/pretraining/demo.yaml")
SYSTEMS = {
    "self-supervised": ("--config", "config/pretraining/pretrain_ssl.yaml", *DEMO),
    "semi-supervised": ("--config", "config/pretraining/pretrain_smsl.yaml", *DEMO),
}


def climb(system: str, seed: int, options: argparse.Namespace, threads: int) -> float:
    """Pretrain one encoder and probe it: the main metric on the test split.

    The untrained one is that of the self-supervised run, which must be there, with fresh weights.
    """
    kept, named = f"--ckpt_path={options.out}", f"{system}-{seed}"
    if system == "untrained":
        source = options.out / f"self-supervised-{seed}" / "last.ckpt"
        encoder: tuple[str, ...] = (f"--model.checkpoint={source}", "--model.untrained=true")
    else:
        labels = (f"--data.supervised_data_p={options.share}",) if system == "semi-supervised" else ()
        task = f"--data.{'sl' if labels else 'ssl'}_task={options.task}"
        length = (f"--trainer.max_steps={options.steps}", "--picture.every_n_steps=0")
        run = (f"--seed_everything={seed}", kept, f"--run_name={named}")
        call(threads, "pretrain.py", *SYSTEMS[system], *labels, task, *length, *run)
        encoder = (f"--model.checkpoint={options.out / named / 'last.ckpt'}",)
    probe = ("--config", "config/finetuning/probe.yaml", *encoder, f"--data.sl_task={options.task}")
    call(threads, "finetune.py", *probe, f"--seed_everything={seed}", kept, f"--run_name={named}-probe")
    content = json.loads((ROOT / options.out / f"{named}-probe" / "metrics.json").read_text())
    return content["test"][content["main"]]["value"]


def main() -> None:
    """Run, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--task", default="synth_instrument")
    parser.add_argument("--share", type=float, default=0.5, help="p_s of the semi-supervised runs")
    parser.add_argument("--jobs", type=int, default=2, help="runs at a time; the cores are shared among them")
    parser.add_argument("--out", type=Path, default=Path("runs/ladder"))
    options = parser.parse_args()
    start = time.monotonic()
    threads = max(1, (os.cpu_count() or 1) // options.jobs)
    values: dict[tuple[str, int], float] = {}
    with ThreadPoolExecutor(options.jobs) as pool:
        for systems in (list(SYSTEMS), ["untrained"]):
            wanted = [(system, seed) for seed in range(options.seeds) for system in systems]
            values |= zip(wanted, pool.map(lambda one: climb(*one, options, threads), wanted), strict=True)
    print(f"| encoder | {' | '.join(f'seed {seed}' for seed in range(options.seeds))} | mean | spread |")
    print("| --- |" + " --- |" * (options.seeds + 2))
    for system in ("untrained", *SYSTEMS):
        found = [values[system, seed] for seed in range(options.seeds)]
        cells = " | ".join(f"{value:.3f}" for value in found)
        print(f"| {system} | {cells} | {statistics.mean(found):.3f} | {max(found) - min(found):.3f} |")
    print(f"\n{options.task}, {options.steps} steps, p_s = {options.share}; {time.monotonic() - start:.0f} s in all")


if __name__ == "__main__":
    main()
