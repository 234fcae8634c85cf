"""Seconds and bytes of a call, on a CPU and on a GPU."""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Callable, Mapping
from itertools import accumulate
from pathlib import Path
from statistics import median
from typing import Any

import torch

Call = Callable[[], Any]
WARM = 4  # calls on a GPU before it counts: clocks rise, and libraries choose their ways


def synchronize(device: torch.device) -> None:
    """Wait until the device has done what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def seconds(call: Call, device: torch.device) -> float:
    """Of one call, from an idle device to an idle device."""
    synchronize(device)
    start = time.perf_counter()
    call()
    synchronize(device)
    return time.perf_counter() - start


def alternate(calls: Mapping[str, Call], device: torch.device, repeats: int, budget: float) -> dict[str, float]:
    """Median seconds of each call after a warm-up, in turns, so that a machine that slows down does so for all.

    Args:
        calls: name -> what is timed.
        device: where it runs.
        repeats: how many times, and at least once.
        budget: seconds for each call beyond its warm-up; slow ones are repeated less often, and as evenly spread.
    """
    warm = 1 if device.type == "cpu" else WARM
    least = {name: [seconds(call, device) for _ in range(warm)][-1] for name, call in calls.items()}
    counts = {name: max(1, min(repeats, int(budget / max(first, 1e-6)))) for name, first in least.items()}
    rounds, found = max(counts.values()), {name: [] for name in calls}  # type: dict[str, list[float]]
    for number in range(rounds):
        for name, call in calls.items():
            if number * counts[name] // rounds < (number + 1) * counts[name] // rounds:
                found[name].append(seconds(call, device))
    return {name: median(times) for name, times in found.items()}


def held(call: Call, device: torch.device) -> int:
    """Bytes of tensors that a call holds at once, at most, what it returns included.

    On a GPU as the allocator counts them; on a CPU from the profiler's record of every block. Buffers that a library
    takes from the system by itself are not among them: for those see how far the process grows.
    """
    if device.type == "cuda":
        synchronize(device)
        before = torch.cuda.memory_allocated(device)
        torch.cuda.reset_peak_memory_stats(device)
        call()
        synchronize(device)
        return torch.cuda.max_memory_allocated(device) - before
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # it would report as an error that there is no GPU
    kinds = [torch.profiler.ProfilerActivity.CPU]
    with torch.profiler.profile(activities=kinds, profile_memory=True, acc_events=True) as record:
        call()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trace.json"
        record.export_chrome_trace(str(path))
        events = [event for event in json.loads(path.read_text())["traceEvents"] if event.get("name") == "[memory]"]
    # Each says by how much it changes the sum; the sum itself goes on from one profile to the next.
    changes = (event["args"]["Bytes"] for event in sorted(events, key=lambda event: event["args"]["Ev Idx"]))
    return max(accumulate(changes), default=0)
