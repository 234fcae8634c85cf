"""Is a pretrained context worth anything to transcription? Frozen and tuned, each also untrained, and the base rate.

    python -m benchmarks.transcription [--steps 600] [--epochs 20] [--jobs 2] [--out FOLDER]

Writes a corpus in MusicNet's format, pretrains a small CPC on its training recordings (config/small/cpc.yaml), and
transcribes its test recordings with each encoder. All of it is kept below --out, a run that is there already is not
made again; the picture of the best is ``transcription.png`` in its folder.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks.runs import ROOT, call, configs
from benchmarks.show import table
from semisupcon.datasets.synth.musicnet import write_musicnet

FIGURES = {"ap": "AP", "f1": "F1", "note_ap": "AP, any instrument", "note_f1": "F1, any instrument"}
SYSTEMS = {
    "frozen, pretrained": (),
    "frozen, untrained": ("--model.untrained=true",),
    "tuned, pretrained": ("--model.frozen=false",),
    "tuned, untrained": ("--model.frozen=false", "--model.untrained=true"),
}


def row(context: str, figures: dict[str, Any]) -> dict[str, str]:
    """AP and F1 with their intervals."""
    cells = {name: "{value:.3f} [{low:.3f}, {high:.3f}]".format(**figures[name]) for name in FIGURES}
    return {"context": context, **cells}


def main() -> None:
    """Run, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--recordings", type=int, nargs=2, default=(60, 18), help="to train and to test on")
    parser.add_argument("--seconds", type=float, default=20.0, help="length of each")
    parser.add_argument("--steps", type=int, default=600, help="of pretraining")
    parser.add_argument("--epochs", type=int, default=20, help="of transcription")
    parser.add_argument("--jobs", type=int, default=2, help="runs at a time; the cores are shared among them")
    parser.add_argument("--out", type=Path, default=Path("runs/transcription"))
    options = parser.parse_args()
    start = time.monotonic()
    out = ROOT / options.out
    corpus, cores = out / "corpus", os.cpu_count() or 1
    if not (corpus / "musicnet_metadata.csv").exists():
        write_musicnet(corpus, tuple(options.recordings), options.seconds)
    pretrained = out / "pretrained" / "last.ckpt"
    if not pretrained.exists():
        given = ["--data.ssl_task=musicnet", f"--data.ssl_kwargs.root={corpus}"]
        run = [f"--trainer.max_steps={options.steps}", f"--ckpt_path={out}", "--run_name=pretrained"]
        call(cores, "pretrain.py", *configs("pretraining/cpc", "small/cpc"), *given, *run)

    def transcribe(system: str) -> dict[str, Any]:
        name = system.replace(", ", "-")
        if not (out / name / "transcription.png").exists():
            given = [f"--data.sl_kwargs.root={corpus}", f"--model.checkpoint={pretrained}", *SYSTEMS[system]]
            run = [f"--trainer.max_epochs={options.epochs}", f"--ckpt_path={out}", f"--run_name={name}"]
            threads = max(1, cores // options.jobs)
            call(threads, "finetune.py", *configs("finetuning/transcribe"), *given, "--data.num_workers=1", *run)
        return json.loads((out / name / "metrics.json").read_text())

    with ThreadPoolExecutor(options.jobs) as pool:
        found = dict(zip(SYSTEMS, pool.map(transcribe, SYSTEMS), strict=True))
    one = found["frozen, pretrained"]
    rows = [row("base rate, its best F1", one["base_rate"])]
    rows += [row(system, content["test"]) for system, content in found.items()]
    table(rows, {"context": ("context", ""), **{name: (heading, "") for name, heading in FIGURES.items()}})
    print(f"\n{one['clips']} recordings, {one['frames']:,} frames; {one['interval']}")
    print(f"{options.steps} steps of pretraining, {options.epochs} epochs; {time.monotonic() - start:.0f} s in all")


if __name__ == "__main__":
    main()
