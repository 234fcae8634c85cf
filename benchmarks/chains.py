"""The paper's chain by both libraries, and the memory it takes.

    python -m benchmarks.chains '{"name": "semisupcon", "views": 192, "samples": 59049, "threads": 1}'

prints the memory of one on the CPU, in batches; ``benchmarks.augment`` calls it so, to have a fresh process for each.
"""

from __future__ import annotations

import ctypes
import json
import os
import random
import subprocess
import sys
from pathlib import Path

import torch
from torch import Tensor

from benchmarks.clock import held
from benchmarks.objective import ROOT, resident
from benchmarks.sound import RATE, music
from benchmarks.theirs import EQUIVALENT, Effect, Theirs
from semisupcon.augment import TRANSFORMS, Chain
from semisupcon.running.screen import keep_memory

PAPER = ("gain", "polarity_inversion", "add_colored_noise", "filtering", "pitch_shift", "delay")
SHARED = [name for name in PAPER if name == "filtering" or name in EQUIVALENT]
OURS, FIVE, THEIRS = "semisupcon", "semisupcon without delay", "torch-audiomentations without delay"
ABSENT = (
    "torch-audiomentations cannot be imported ({}): ours alone. For both: pip install torch-audiomentations==0.12.0"
)


def theirs_or_none(rate: int = RATE) -> Theirs | None:
    """Theirs with the ranges of ours, or None after saying that it is not there."""
    try:
        return Theirs({name: make() for name, make in TRANSFORMS.items()}, rate)
    except ImportError as error:
        print(ABSENT.format(error), file=sys.stderr)
        return None


def chains(theirs: Theirs | None) -> dict[str, tuple[Effect, float]]:
    """Name -> a chain, and the share of its time that counts."""
    found: dict[str, tuple[Effect, float]] = {}
    for name, members in ((OURS, list(PAPER)), (FIVE, SHARED)):
        chain = Chain(members, severity=2.0, p=0.8)
        found[name] = (lambda audio, chain=chain: chain(audio, RATE)), 1.0
    if theirs is not None:
        found[THEIRS] = theirs.chain(SHARED), 0.8
    return found


def batches(effect: Effect, audio: Tensor) -> float:
    """What an effect holds, the batch itself included, in batches."""
    return 1 + held(lambda: effect(audio), audio.device) / audio.nbytes


def memory(name: str, views: int, samples: int, threads: int) -> dict[str, float]:
    """The memory of one chain on the CPU, in this process, which should be fresh."""
    torch.set_num_threads(threads)
    audio = music(views, samples)
    effect, _ = chains(theirs_or_none() if name == THEIRS else None)[name]
    effect(audio[:2])  # load libraries before memory is looked at
    ctypes.CDLL("libc.so.6").malloc_trim(0)  # and give back what that took
    Path("/proc/self/clear_refs").write_text("5")  # the high water mark starts anew
    before = resident("VmRSS")
    effect(audio)
    grown = resident("VmHWM") - before
    return {"held": batches(effect, audio), "resident": 1 + grown / audio.nbytes}


def fresh(name: str, audio: Tensor, threads: int) -> dict[str, float]:
    """``memory`` in a process of its own."""
    wanted = {"name": name, "views": len(audio), "samples": audio.shape[-1], "threads": threads}
    command = [sys.executable, "-m", "benchmarks.chains", json.dumps(wanted)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=os.environ)
    if done.returncode:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def seed() -> None:
    """Everything that either library draws from."""
    torch.manual_seed(0)
    random.seed(0)


if __name__ == "__main__":
    keep_memory()  # as training does
    seed()
    print(json.dumps(memory(**json.loads(sys.argv[1]))))
