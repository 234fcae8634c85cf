"""`make demo`: pretrain on the embedded corpus, probe what came out beside two baselines, show table and pictures.

It runs the same two scripts as a user would, and prints the commands.
"""

from __future__ import annotations

import shlex
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from semisupcon.downstream.comparison import summary, write_comparison
from semisupcon.running.folder import run_folder

ROOT = Path(__file__).parents[1]

PRETRAIN = ("--config", "config/pretraining/pretrain_smsl.yaml", "--config", "config/pretraining/demo.yaml")
PROBE = ("--config", "config/finetuning/probe.yaml")
MFCC = ("--model.encoder.class_path=semisupcon.encoders.MFCC", "--data.target_len=0.9")


def call(script: str, arguments: Sequence[str]) -> None:
    """Run one of the two scripts, showing the command; a failure ends the demo with its status."""
    sys.stdout.write(f"\n$ python {shlex.join([script, *arguments])}\n")
    sys.stdout.flush()
    status = subprocess.run([sys.executable, script, *arguments], cwd=ROOT, check=False).returncode
    if status:
        sys.exit(status)


def main() -> None:
    """The demo, under four minutes on two cores once installed."""
    start = time.monotonic()
    folder = run_folder(ROOT / "runs", None, "demo").relative_to(ROOT)
    kept = f"--ckpt_path={folder}"
    call("pretrain.py", [*PRETRAIN, kept, "--run_name=pretrain"])
    pretrained = f"--model.checkpoint={folder / 'pretrain' / 'last.ckpt'}"
    call("finetune.py", [*PROBE, pretrained, "--model.untrained=true", kept, "--run_name=untrained"])
    call("finetune.py", [*PROBE, *MFCC, kept, "--run_name=mfcc"])
    call("finetune.py", [*PROBE, pretrained, kept, "--run_name=pretrained"])

    runs = [ROOT / folder / name for name in ("untrained", "mfcc", "pretrained")]
    names = ["untrained encoder", "MFCC statistics", "pretrained encoder"]
    write_comparison(ROOT / folder, runs, names)
    picture = sorted((ROOT / folder / "pretrain" / "pictures").glob("*.png"))[-1]
    sys.stdout.write(
        f"\nA linear probe on three kinds of embedding, after {time.monotonic() - start:.0f} s:\n\n"
        f"{summary(runs, names)}\n\n"
        f"The comparison as a picture    {folder / 'comparison.png'}\n"
        f"Similarity and target matrix   {picture.relative_to(ROOT)}\n"
        f"Which instruments are mixed up {folder / 'pretrained' / 'confusion.png'}\n"
        f"Everything else                {folder}/\n"
    )


if __name__ == "__main__":
    main()
