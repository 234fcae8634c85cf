"""Where the time of a pretraining step goes: waiting for data, augmentation, encoder, objective, optimizer.

    python -m benchmarks.train_step [--device cpu|cuda] [--precision 32|bf16] [--compile] [--all] [--data store|memory]

The step is that of pretrain.py with SemiSupCon's settings (96 clips x 2 views of 2.7 s, half of them labelled, the
paper's chain, SampleCNN, SharedLabels), by the same data module, loading processes and LightningModule, with a loop in
place of the Trainer. The clips are synthetic, and read from a store that ``semisupcon.prepare`` makes of them, or with
``--data memory`` a few batches go round that are there already, so that nothing is waited for.

On a CPU the whole batch takes about 28 GB in float32, since glibc is told to keep what a step frees, as in pretrain.py;
with MALLOC_MMAP_THRESHOLD_=65536 in the environment it is 14 GB, and slower. --batch 24 needs a quarter.

On a GPU the parts are timed with the device waited for behind each, which makes them add up and the step slower; its
rate is of a second stretch, between two events, in which nothing is waited for that training does not wait for. From a
store, whose loader has time to get ahead while the device is waited for, a third stretch follows with batches from
memory: ``lost to data`` is by how much the second rate falls short of that of the third. On a CPU all are the same, and
measured once. The share of the peak counts the products of the encoder, forward once and backward twice, against what
the maker says the device does in dense bfloat16, whatever the precision.
"""

from __future__ import annotations

import argparse
import gc
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.corpus import batches, corpus, datamodule
from benchmarks.runs import prepare
from benchmarks.show import table, write
from benchmarks.sound import RATE
from benchmarks.step import PARTS, Step, rate, waiting
from semisupcon.encoders import SampleCNN
from semisupcon.loading.datamodule import MixedDataModule
from semisupcon.running.screen import keep_memory

# 10^12 operations a second in dense bfloat16, from data sheets; the first name that is part of the device's counts.
PEAKS = {"B200": 2250, "H200": 989, "H100 PCIe": 756, "H100 NVL": 835, "H100": 989, "A100": 312, "L40S": 362,
         "L40": 181, "L4": 121, "RTX 4090": 165, "RTX 3090": 71}  # fmt: skip


TINY: dict[str, Any] = {"channels": [8, 8], "out": 8, "stem": 8}


def operations(encoder: SampleCNN, samples: int) -> int:
    """Of one view forward, in the products of the layers."""
    device = next(encoder.parameters()).device
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        encoder.eval()(torch.zeros(1, 1, samples, device=device))
    encoder.train()
    return counter.get_total_flops()


def peak(device: torch.device) -> float | None:
    """Operations a second that the device is sold for, where it is one of ``PEAKS``."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else ""
    return next((1e12 * figure for part, figure in PEAKS.items() if part in name), None)


def variant(data: MixedDataModule, precision: str, compiled: bool, options: argparse.Namespace) -> dict[str, Any]:
    """All figures of one way to train; only ``error`` where it cannot be compiled."""
    device = torch.device(options.device)
    gc.collect()  # the way before refers to itself
    torch.manual_seed(0)
    encoder = SampleCNN(**TINY if options.tiny else {}).to(device)
    found: dict[str, Any] = {"way": f"{'compiled ' if compiled else ''}{precision}"}
    count = operations(encoder, data.length)
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)
    try:
        step, source = Step(data, encoder, precision, compiled), batches(data, options)
        for _ in range(options.warm):
            step(source)
    except Exception as error:
        if not compiled:
            raise
        return {**found, "error": str(error).strip().splitlines()[0]}
    parts, seconds = rate(step, source, options.steps)
    found |= parts | {"seconds": seconds, "rate": options.batch * options.views / seconds}
    if device.type == "cuda" and options.data == "store":
        found["lost"] = waiting(step, source, options.steps, seconds)
    if (most := peak(device)) is not None:
        found["peak"] = 3 * count * found["rate"] / most  # backward takes two products for each one forward
    if device.type == "cuda":
        found["bytes"] = torch.cuda.max_memory_allocated(device)
    return found


def show(rows: Sequence[dict[str, Any]]) -> None:
    """A column for each way, a line for each part: milliseconds and share of the step."""
    lines: list[dict[str, str]] = []
    for part in PARTS:
        line = {"what": part}
        for row in rows:
            if part in row:
                line[row["way"]] = f"{1e3 * row[part]:,.1f} ({row[part] / sum(row[p] for p in PARTS):.1%})"
        lines.append(line)
    for what, key, scale, how in (
        ("ms a step", "seconds", 1e3, ",.1f"),
        ("views/s", "rate", 1, ",.0f"),
        ("lost to data", "lost", 1, ".1%"),
        ("of the bf16 peak", "peak", 1, ".1%"),
        ("peak memory, GB", "bytes", 1e-9, ".2f"),
    ):
        if key in ("bytes", "lost") and not any(key in row for row in rows):
            continue
        line = {"what": what}
        for row in rows:
            missing = "failed" if "error" in row else "unknown"
            line[row["way"]] = format(scale * row[key], how) if key in row else missing
        lines.append(line)
    table(lines, {"what": ("ms (share)", ""), **{row["way"]: (row["way"], "") for row in rows}})
    for row in rows:
        if "error" in row:
            print(f"\n{row['way']} failed: {row['error']}")


def main(arguments: Sequence[str] | None = None) -> None:
    """Make the data, measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--batch", type=int, default=96, help="clips")
    parser.add_argument("--views", type=int, default=2, help="of each clip")
    parser.add_argument("--seconds", type=float, default=2.7, help="of a view")
    parser.add_argument("--precision", choices=["32", "bf16"], default="32")
    parser.add_argument("--compile", action="store_true", help="the encoder")
    parser.add_argument("--all", action="store_true", help="both precisions, each with and without compiling")
    parser.add_argument("--steps", type=int, help="to measure; 2 on a CPU, 50 on a GPU")
    parser.add_argument("--warm", type=int, help="steps before; 1 on a CPU, 10 on a GPU")
    parser.add_argument("--workers", type=int, default=2, help="loading processes")
    parser.add_argument("--data", choices=["store", "memory"], default="store")
    parser.add_argument("--csv", type=Path, help="where to write all that was found, too")
    parser.add_argument("--tiny", action="store_true", help="a network of 8 channels, to try the script itself")
    options = parser.parse_args(arguments)
    on_gpu = options.device == "cuda"
    options.steps = options.steps or (50 if on_gpu else 2)
    options.warm = options.warm or (10 if on_gpu else 1)
    keep_memory()  # as pretrain.py does
    ways = (
        [(p, c) for p in ("32", "bf16") for c in (False, True)]
        if options.all
        else [(options.precision, options.compile)]
    )
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch) / "clips"
        root.mkdir()
        manifest = corpus(root, 2 * options.batch, 2.2 * options.views * options.seconds)
        store = Path(scratch) / "store"
        if options.data == "store":
            prepare(str(manifest), {}, [RATE], store)
        where = torch.cuda.get_device_name() if on_gpu else f"CPU, {torch.get_num_threads()} thread(s)"
        views = f"{options.batch} clips x {options.views} views of {options.seconds:g} s"
        print(f"{views}, data from {options.data}, {where}\n")
        rows = []
        for precision, compiled in ways:
            torch.compiler.reset()
            rows.append(variant(datamodule(manifest, store, options), precision, compiled, options))
    show(rows)
    if options.csv:
        write(options.csv, [{"device": where, **row} for row in rows])


if __name__ == "__main__":
    main()
