"""How fast views are augmented, and with how much memory, beside torch-audiomentations in the same run.

    python -m benchmarks.augment [--device cpu|cuda] [--threads 1] [--views 192] [--quick] [--csv FILE]

First the paper's chain (Guinot et al., ISMIR 2024, at severity 2), then each transform alone, on every example (p = 1)
and with its own p, then the presets; on a GPU the training step of the encoder alone as well, for the proportion.
A time is the median of several repeats after a warm-up, both libraries in turns, with the same threads and the same
settings of malloc; each is as long as it takes for a batch, divided by the views.

Both have the same ranges and probabilities. Theirs has no delay, which is left out on their side only, in their
favour. Their chain draws once for the whole batch whether to do anything, so that a time is that of all or of
nothing: what is given is the share p of the time that it takes when it does, as if doing nothing took none.

Memory is of tensors, in multiples of the batch, with the batch itself; ``resident`` is what a fresh process grows by
at its peak, plus the batch, with all that the heap does not hand back.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.chains import batches, chains, fresh, seed, theirs_or_none
from benchmarks.clock import alternate
from benchmarks.show import table, write
from benchmarks.sound import RATE, music
from benchmarks.theirs import Effect, Theirs
from semisupcon.augment import TRANSFORMS, Chain, Transform
from semisupcon.augment.presets import PRESETS
from semisupcon.encoders import SampleCNN
from semisupcon.running.screen import keep_memory

Row = dict[str, Any]


def alone(transform: Transform, p: float) -> Effect:
    """One of ours on each example with probability ``p``, at severity 2."""
    transform.p = p
    return lambda audio: transform(audio, RATE)


def measure(effects: dict[str, Effect], audio: Tensor, repeats: int, budget: float) -> dict[str, float]:
    """Median milliseconds a view of each."""
    calls = {name: (lambda effect=effect: effect(audio)) for name, effect in effects.items()}
    return {name: 1e3 * s / len(audio) for name, s in alternate(calls, audio.device, repeats, budget).items()}


def whole(theirs: Theirs | None, audio: Tensor, options: argparse.Namespace) -> list[Row]:
    """The paper's chain."""
    found = chains(theirs)
    times = measure({name: effect for name, (effect, _) in found.items()}, audio, options.repeats, 12 * options.budget)
    rows = []
    for name, (effect, share) in found.items():
        memory = {"held": batches(effect, audio)} if audio.is_cuda else fresh(name, audio, options.threads)
        rows.append({"what": name, "ms": share * times[name], **memory})
    return rows


def each(theirs: Theirs | None, audio: Tensor, options: argparse.Namespace) -> list[Row]:
    """Every transform alone."""
    rows = []
    for name, make in TRANSFORMS.items():
        row: Row = {"what": name, "own_p": make().p}
        for p, key in ((1.0, ""), (make().p, "own_")):
            effects = {"ours": alone(make(), p)}
            if theirs is not None and (effect := theirs.effect(name, p)):
                effects["theirs"] = effect
            try:
                times = measure(effects, audio, options.repeats, options.budget)
            except Exception as error:
                if "theirs" not in effects:
                    raise
                print(f"{name}: ours alone, theirs ended in {type(error).__name__}: {error}", file=sys.stderr)
                times = measure({"ours": effects["ours"]}, audio, options.repeats, options.budget)
            row[f"{key}ms"], row[f"{key}theirs_ms"] = times["ours"], times.get("theirs")
        rows.append({**row, "held": batches(alone(make(), 1.0), audio)})
    return rows


def presets(audio: Tensor, options: argparse.Namespace) -> list[Row]:
    """The chains that have a name."""
    rows = []
    for name in PRESETS:
        chain = Chain([name])
        if not len(chain.transforms):  # COLA has none
            continue
        times = measure({name: lambda audio, chain=chain: chain(audio, RATE)}, audio, options.repeats, options.budget)
        rows.append({"what": name, "ms": times[name], "rate": 1e3 / times[name]})
    return rows


def encoder_step(encoder: nn.Module, audio: Tensor) -> Callable[[], None]:
    """Forward, backward and Adam, bfloat16 where it helps, of an encoder and no objective."""
    encoder.to(audio.device).train()
    optimizer = torch.optim.Adam(encoder.parameters())

    def step() -> None:
        with torch.autocast(audio.device.type, torch.bfloat16):
            loss = encoder(audio).float().square().mean()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()

    return step


def report(audio: Tensor, theirs: Theirs | None, options: argparse.Namespace) -> list[Row]:
    """Measure and print; all that was found."""
    where = torch.cuda.get_device_name() if audio.is_cuda else f"CPU, {options.threads} thread(s)"
    print(f"\n{len(audio)} views of {audio.shape[-1]:,} samples at {RATE:,} Hz, {audio.nbytes / 1e6:.1f} MB, {where}\n")
    chain = whole(theirs, audio, options)
    for row in chain:
        row["rate"], row["factor"] = 1e3 / row["ms"], row["ms"] / chain[0]["ms"]
    if audio.is_cuda:
        step = {"encoder": encoder_step(SampleCNN(), audio)}
        seconds = alternate(step, audio.device, options.repeats, options.budget)["encoder"]
        chain.append(
            {"what": "SampleCNN, training step, bf16", "ms": 1e3 * seconds / len(audio), "rate": len(audio) / seconds}
        )
    memories = {"held": ("tensors, batches", ".2f"), "resident": ("resident, batches", ".2f")}
    rate, ms = ("views/s", ",.0f"), ("ms a view", ".3f")
    table(
        chain,
        {"what": ("the paper's chain", ""), "rate": rate, "ms": ms, "factor": ("times as long", ".2f"), **memories},
    )
    single = each(theirs, audio, options)
    for row in single:
        for key in ("", "own_"):
            row[f"{key}factor"] = row[f"{key}theirs_ms"] and row[f"{key}theirs_ms"] / row[f"{key}ms"]
    columns = {
        "what": ("alone", ""),
        "ms": ("ms a view", ".3f"),
        "theirs_ms": ("theirs", ".3f"),
        "factor": ("factor", ".1f"),
    }
    columns |= {
        "own_p": ("with p", ".2f"),
        "own_ms": ms,
        "own_theirs_ms": ("theirs", ".3f"),
        "own_factor": ("factor", ".1f"),
    }
    print()
    table(single, {**columns, "held": memories["held"]})
    named = presets(audio, options)
    print()
    table(named, {"what": ("preset", ""), "rate": rate, "ms": ms})
    about = {"device": where, "views": len(audio), "samples": audio.shape[-1]}
    parts = (("chain", chain), ("transform", single), ("preset", named))
    return [{"part": part, **about, **row} for part, rows in parts for row in rows]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--threads", type=int, default=1, help="of the CPU")
    parser.add_argument("--views", type=int, default=192)
    parser.add_argument("--sizes", type=int, nargs="+", default=[59049], help="samples of a view; several to compare")
    parser.add_argument("--repeats", type=int, default=9, help="at most; what is slow is repeated less often")
    parser.add_argument(
        "--budget", type=float, default=2.0, help="seconds for a figure, twelve times that for the chain"
    )
    parser.add_argument("--quick", action="store_true", help="fewer views and repeats: about a minute, and rough")
    parser.add_argument("--csv", type=Path, help="where to write all that was found, too")
    options = parser.parse_args(arguments)
    keep_memory()  # as pretrain.py does, and for both libraries
    seed()
    if options.quick:
        options.views, options.repeats, options.budget = min(options.views, 32), 3, 0.5
    torch.set_num_threads(options.threads)
    theirs, rows = theirs_or_none(), []
    for samples in options.sizes:
        rows += report(music(options.views, samples).to(options.device), theirs, options)
    if options.csv:
        write(options.csv, rows)


if __name__ == "__main__":
    main()
