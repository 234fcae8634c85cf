"""What ``python -m semisupcon.embed`` costs beyond the encoder itself, and how much memory it takes.

    python -m benchmarks.embed [--segments 10000] [--device cpu] [--small] [--rounds 5] [--folder FOLDER]

1. Time: as many segments from wav files of 44.1 kHz stereo, ten segments each, from loading the checkpoint to the
   finished Parquet file, against the encoder's forward alone over as many segments in batches of the same size, from
   tensors in memory; in turns, in several rounds. The published SampleCNN, or with --small the demo's.
2. Memory: the peak resident set of the command and its children together, from 10 and from 1,000 files of 6 s.
3. The same, and the time, for one track of one hour.

The files are in the page cache; distinct ones are few, the others links to them. Memory is measured with the small
encoder, whose own is little, and of pages that processes share each counts its own.
"""

from __future__ import annotations

import argparse
import logging
import math
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import soundfile
import torch

from benchmarks.clock import seconds
from semisupcon.batch import segments_at_once
from semisupcon.checkpoint import KEY, describe
from semisupcon.command import keep_memory
from semisupcon.encoders import Encoder, SampleCNN
from semisupcon.inference.command import embed
from semisupcon.inference.options import Options

RATE, CHANNELS, SEGMENTS, DISTINCT = 44_100, 2, 10, 8
SMALL = {"channels": (32, 32, 32, 64, 64, 64, 128, 128), "out": 128, "stem": 32}
SHORT = 6.0  # seconds; ten such files fill a batch
_EVERY = 0.02  # seconds from one look at the memory to the next


def make_encoder(small: bool) -> Encoder:
    """The encoder with fresh weights, for speed does not depend on them."""
    torch.manual_seed(0)
    return SampleCNN(**SMALL).eval() if small else SampleCNN().eval()  # type: ignore[arg-type]


def save(encoder: Encoder, path: Path) -> str:
    """A checkpoint of segments as long as the encoder's receptive field."""
    weights = {f"encoder.{name}": value for name, value in encoder.state_dict().items()}
    torch.save({"state_dict": weights, KEY: describe(encoder, encoder.receptive_field)}, path)
    return str(path)


def make_files(folder: Path, count: int, length: float) -> Path:
    """Noise-like music, ``count`` files of ``length`` seconds; all but a few are links to those."""
    folder.mkdir(parents=True)
    time_, rng = np.arange(round(length * RATE))[:, None] / RATE, np.random.default_rng(0)
    for number in range(count):
        path = folder / f"{number:06}.wav"
        if number >= DISTINCT:
            path.hardlink_to(folder / f"{number % DISTINCT:06}.wav")
            continue
        tones = sum(
            np.sin(2 * np.pi * f * time_ * (1 + 0.002 * np.arange(CHANNELS))) for f in rng.uniform(100, 4000, 5)
        )
        noise = rng.standard_normal((len(time_), CHANNELS), np.float32)
        soundfile.write(path, 0.1 * tones + 0.05 * noise, RATE, subtype="PCM_16")
    return folder


def make_hour(path: Path) -> Path:
    """One track of an hour."""
    rng = np.random.default_rng(0)
    with soundfile.SoundFile(path, "w", RATE, CHANNELS, "PCM_16") as file:
        for _ in range(360):
            file.write(0.1 * rng.standard_normal((10 * RATE, CHANNELS), np.float32))
    return path


def times(encoder: Encoder, scratch: Path, segments: int, rounds: int, device: torch.device, batch: int) -> None:
    """Time of embedding and of the forward alone, round by round."""
    each = math.ceil(segments / rounds / SEGMENTS)
    length = encoder.receptive_field / encoder.sample_rate
    music = make_files(scratch / "music", each, SEGMENTS * length)
    checkpoint, here = save(encoder, scratch / "timed.ckpt"), encoder.to(device)
    audio = torch.randn(2, batch, 1, encoder.receptive_field, device=device)  # two batches in turn, as in two caches
    options = Options(
        (str(music),), checkpoint, scratch / "timed.parquet", device=str(device), batch_size=batch, overwrite=True
    )

    @torch.inference_mode()
    def forward() -> None:
        for first in range(0, each * SEGMENTS, batch):
            here(audio[first // batch % 2][: each * SEGMENTS - first])

    found = []
    forward()
    embed(options)
    print(f"\n{each * SEGMENTS:,} segments of {length:.2f} s a round, batches of {batch}, {device}\n")
    print("| round | forward alone (s) | embedding (s) | ratio |\n| --- | --- | --- | --- |")
    for number in range(rounds):
        calls = [forward, lambda: embed(options)]
        took = [seconds(call, device) for call in (calls if number % 2 else calls[::-1])]
        alone, ours = took if number % 2 else took[::-1]
        found.append((alone, ours))
        print(f"| {number + 1} | {alone:.2f} | {ours:.2f} | {ours / alone:.3f} |", flush=True)
    alone, ours = (sum(each) for each in zip(*found, strict=True))
    print(f"| all | {alone:.2f} | {ours:.2f} | **{ours / alone:.3f}** |", flush=True)


def resident(process: int) -> int:
    """Bytes of a process and all below it."""
    try:
        pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
        tasks = Path(f"/proc/{process}/task").iterdir()
        below = [int(child) for task in tasks for child in (task / "children").read_text().split()]
    except (OSError, IndexError):  # it has just ended
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE") + sum(map(resident, below))


def watched(source: Path, checkpoint: str, scratch: Path, device: torch.device) -> tuple[float, int]:
    """Seconds and peak bytes of the command in a process of its own."""
    out = scratch / "watched.parquet"
    command = [sys.executable, "-m", "semisupcon.embed", str(source), f"--checkpoint={checkpoint}", f"--out={out}"]
    began, peak = time.perf_counter(), 0
    process = subprocess.Popen([*command, f"--device={device}", "--overwrite=true"], stderr=subprocess.DEVNULL)
    ended = threading.Event()
    threading.Thread(target=lambda: (process.wait(), ended.set()), daemon=True).start()
    while not ended.wait(_EVERY):
        peak = max(peak, resident(process.pid))
    if process.returncode:
        raise RuntimeError(f"the command ended with {process.returncode}")
    return time.perf_counter() - began, peak


def memory(scratch: Path, counts: tuple[int, ...], hour: bool, device: torch.device) -> None:
    """Peak memory from few and from many files, and from one long one."""
    checkpoint = save(make_encoder(small=True), scratch / "small.ckpt")
    sources = [(f"{count:,} files of {SHORT:g} s", make_files(scratch / f"{count}", count, SHORT)) for count in counts]
    if hour:
        sources.append(("one track of one hour", make_hour(scratch / "hour.wav")))
    print("\n| from | wall time (s) | peak memory (MB) |\n| --- | --- | --- |")
    for name, source in sources:
        took, peak = watched(source, checkpoint, scratch, device)
        print(f"| {name} | {took:.1f} | {peak / 1e6:,.0f} |", flush=True)


def main(args: list[str] | None = None) -> None:
    """Make, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--segments", type=int, default=10_000, help="over all rounds")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batch_size", type=int, default=None, help="16 on a CPU, else 64")
    parser.add_argument("--device", default="cpu", type=torch.device)
    parser.add_argument("--small", action="store_true", help="the demo's SampleCNN instead of the published one")
    parser.add_argument("--files", type=int, nargs="*", default=[10, 1000], help="for the memory; none = leave it out")
    parser.add_argument("--no-hour", action="store_true", help="leave the long track out")
    parser.add_argument("--folder", type=Path, help="where files are made and removed again; a temporary one else")
    options = parser.parse_args(args)
    keep_memory()  # as the command does
    logging.getLogger("semisupcon").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory(dir=options.folder) as scratch:
        encoder = make_encoder(options.small)
        times(
            encoder,
            Path(scratch),
            options.segments,
            options.rounds,
            options.device,
            options.batch_size or segments_at_once(options.device),
        )
        memory(Path(scratch), tuple(options.files), not options.no_hour, options.device)


if __name__ == "__main__":
    main()
