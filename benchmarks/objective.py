"""Time and memory of the loss alone: targets, forward and backward, for a batch of many views.

    python -m benchmarks.objective --views 4096 --dim 128 --labels 50

Three ways to the same loss and gradient:
    chunks      what Contrastive does: the rows of some anchors at a time
    whole       the same, all rows at once
    broadcast   N x N x D and N x N x K tensors, as a first attempt is often written

Each is measured in fresh processes, so that one's memory is not another's: the least time of several repeats, and
how far memory rose above what it was before. ``held`` is what tensors take at once: glibc is told to hand every block
back, or on a GPU the allocator's own count. ``resident`` is what the process grew to in the run that was timed, where
freed blocks are kept for the next step, as in training; it varies with how the heap falls into pieces.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from semisupcon.objectives.kernel import mean, rows_in_chunks
from semisupcon.objectives.signals import SharedLabels
from semisupcon.objectives.similarity import Cosine
from semisupcon.objectives.targets import Views, target_matrix
from semisupcon.running.screen import keep_memory

ROOT = Path(__file__).parents[1]
LIMIT = 8 * 2**30  # bytes that the broadcast version may take


def make(views: int, dim: int, labels: int, device: str) -> Views:
    """Two views each of clips of which half are labelled, with a twentieth of the tags each."""
    torch.manual_seed(0)
    clip = torch.arange(views) // 2
    tags = (torch.rand(clip.max() + 1, labels) < 0.05).float()[clip]
    labelled = clip % 2 == 0
    tags[~labelled] = torch.nan
    embedding = torch.randn(views, dim, device=device, requires_grad=True)
    on = [x.to(device) for x in (tags, labelled, clip, torch.arange(views))]
    return Views(embedding, *on)


def chunked(views: Views, chunk: int) -> Tensor:
    """As the training step does it."""
    similarity, signal = Cosine(0.1), SharedLabels()
    return mean(
        rows_in_chunks(
            len(views),
            lambda part: similarity(views.embedding[part], views.embedding),
            lambda part: target_matrix(views[part], views, signal),
            chunk,
        )
    )


def broadcast(views: Views) -> Tensor:
    """The same loss, pair by pair in one go."""
    x = views.embedding
    logits = torch.nn.functional.cosine_similarity(x[:, None], x[None], dim=2) / 0.1
    labels = views.labels.nan_to_num(0.0)
    alike = (labels[:, None] * labels[None]).sum(dim=2) >= 1
    same = views.file[:, None] == views.file[None]
    keep = ~torch.eye(len(x), dtype=torch.bool, device=x.device)
    targets = ((same | alike) & keep).float()
    exponents = logits.exp() * keep
    log_softmax = logits - exponents.sum(dim=1, keepdim=True).log()
    return -((targets * log_softmax).sum(dim=1) / targets.sum(dim=1)).mean()


def resident(name: str) -> int:
    """Bytes that /proc says this process has (VmRSS) or had at most (VmHWM)."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1]) * 1024
    raise SystemExit(f"no {name} in /proc/self/status: memory is measured on Linux only")


def measure(way: str, views: int, dim: int, labels: int, device: str, threads: int, chunk: int, repeats: int) -> dict:
    """One way, in this process: seconds, bytes, and the loss and gradient as numbers to compare."""
    torch.set_num_threads(threads)
    keep_memory()
    warm = make(64, dim, labels, device)  # load libraries and start threads before memory is looked at
    broadcast(warm).backward()
    chunked(warm, 32).backward()
    batch = make(views, dim, labels, device)
    on_gpu = device == "cuda"
    if on_gpu:
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
    else:
        Path("/proc/self/clear_refs").write_text("5")  # the high water mark starts anew
    before = torch.cuda.memory_allocated() if on_gpu else resident("VmRSS")
    seconds = []
    for _ in range(repeats):
        batch.embedding.grad = None
        start = time.perf_counter()
        loss = broadcast(batch) if way == "broadcast" else chunked(batch, chunk if way == "chunks" else views)
        loss.backward()
        if on_gpu:
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - start)
    after = torch.cuda.max_memory_allocated() if on_gpu else resident("VmHWM")
    gradient = float(batch.embedding.grad.norm())
    return {"seconds": min(seconds), "bytes": after - before, "loss": loss.item(), "gradient": gradient}


def fresh(hand_back: bool = False, **options: object) -> dict:
    """``measure`` in a process of its own; with ``hand_back`` every block that is freed goes back to the system."""
    command = [sys.executable, "-m", "benchmarks.objective", "--measure", json.dumps(options)]
    environment = {**os.environ, **({"MALLOC_MMAP_THRESHOLD_": "65536"} if hand_back else {})}
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment)
    if done.returncode:
        raise SystemExit(done.stderr or f"killed by signal {-done.returncode}; out of memory?")
    return json.loads(done.stdout)


def main() -> None:
    """Measure all three, print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--views", type=int, default=4096, help="N, views in a batch over all ranks")
    parser.add_argument("--dim", type=int, default=128, help="P, of the projection")
    parser.add_argument("--labels", type=int, default=50, help="K, label columns")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--threads", type=int, default=2, help="of the CPU")
    parser.add_argument("--chunk", type=int, nargs="+", default=[512], help="anchors at a time; several to compare")
    parser.add_argument("--repeats", type=int, default=7, help="the least time of so many is reported")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.measure:
        print(json.dumps(measure(**json.loads(args.measure))))
        return
    common: dict[str, Any] = {name: getattr(args, name) for name in ("dim", "labels", "device", "threads", "repeats")}
    small = args.views
    while 4 * small**2 * (5 * args.dim + 2 * args.labels) > LIMIT:  # about what forward and backward hold at once
        small //= 2
    runs = [("chunks", args.views, chunk) for chunk in args.chunk] + [("whole", args.views, args.views)]
    runs += [(way, small, args.chunk[0]) for way in ("chunks", "whole", "broadcast")] if small < args.views else []
    runs += [("broadcast", small, 0)] if small == args.views else []
    print(f"{'way':<16}{'views':>7}{'ms':>9}{'MB held':>10}{'resident':>10}{'loss':>10}{'|gradient|':>13}")
    for way, views, chunk in runs:
        found = fresh(way=way, views=views, chunk=chunk, **common)
        once = {**common, "repeats": 1}
        held = found if args.device == "cuda" else fresh(True, way=way, views=views, chunk=chunk, **once)
        name = f"chunks of {chunk}" if way == "chunks" else way
        print(
            f"{name:<16}{views:>7}{found['seconds'] * 1e3:>9.1f}"
            f"{held['bytes'] / 1e6:>10.0f}{found['bytes'] / 1e6:>10.0f}"
            f"{found['loss']:>10.5f}{found['gradient']:>13.6f}"
        )
    if small < args.views:
        print(f"broadcast at {args.views:,} views would need more than {LIMIT / 2**30:.0f} GB: skipped")


if __name__ == "__main__":
    main()
