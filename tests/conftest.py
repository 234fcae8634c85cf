"""What tests of several packages need: a cache of their own, small audio files, small corpora, a small encoder."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from semisupcon import datasets
from semisupcon.encoders.samplecnn import SampleCNN
from semisupcon.table import Table, Task

RATE = 8000


@pytest.fixture(autouse=True, scope="session")
def _own_cache(tmp_path_factory):
    """Nothing is read from or left in the user's cache; and tensors this small are slowed down by threads."""
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEMISUPCON_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def write_wav():
    """A function that writes int16 or float samples as a wav file of 8,000 Hz and returns its path."""

    def write(path: Path, samples: np.ndarray) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, samples, RATE, subtype="PCM_16")
        return path

    return write


@pytest.fixture
def ramps(tmp_path, write_wav):
    """A function that writes files of given lengths in which sample i is i + 1, so that a crop tells where it is from.

    Zero is in no file: it can only be padding.
    """

    def write(*lengths: int) -> list[str]:
        return [
            str(write_wav(tmp_path / "ramps" / f"{number:03d}.wav", np.arange(1, length + 1, dtype=np.int16)))
            for number, length in enumerate(lengths)
        ]

    return write


@pytest.fixture
def register(monkeypatch):
    """A function that makes a table known under a task's name, beside the tasks there are."""
    known: dict[str, tuple[Table, Task]] = {}
    load = datasets.load

    def find(name, option="--data.sl_task", **kwargs):
        return known[name] if name in known and not kwargs else load(name, option, **kwargs)

    monkeypatch.setattr(datasets, "load", find)

    def add(table: Table, task: Task) -> str:
        known[task.name] = (table, task)
        return task.name

    return add


@pytest.fixture
def tiny_encoder():
    """A function that makes a SampleCNN of 8 channels, with weights by its seed, for segments of 243 samples and up."""

    def make(seed: int = 0, **options) -> SampleCNN:
        torch.manual_seed(seed)
        return SampleCNN(**{"sample_rate": RATE, "channels": [8, 8, 8, 8], "out": 8, "stem": 8, **options})

    return make


@pytest.fixture(scope="session")
def tones(tmp_path_factory, write_wav):
    """48 files whose pitch tells which of three classes they are: 24 to train, 12 to validate, 12 to test on.

    As a table with columns to make labels from: ``number`` counts within the split, the class is ``number % 3``.
    """
    root = tmp_path_factory.mktemp("tones")
    rng = np.random.default_rng(0)
    path, split = [], []
    for part, files in (("train", 24), ("val", 12), ("test", 12)):
        for number in range(files):
            time = np.arange(rng.integers(400, 1200)) / RATE
            tone = 0.5 * np.sin(2 * np.pi * (200, 800, 3000)[number % 3] * time + rng.uniform(0, 6))
            path.append(f"{part}/{number:02d}.wav")
            split.append(part)
            write_wav(root / path[-1], tone + 0.01 * rng.standard_normal(len(time)))
    return root, path, split


@pytest.fixture(scope="session")
def nsynth(tmp_path_factory, write_wav):
    """NSynth in miniature, in its own format: three families, 12 notes to train, 6 to validate and 6 to test on."""
    root = tmp_path_factory.mktemp("nsynth")
    rng = np.random.default_rng(0)
    for folder, files in (("nsynth-train", 12), ("nsynth-valid", 6), ("nsynth-test", 6)):
        notes = {}
        for number in range(files):
            family = number % 3
            player = f"{('bass', 'brass', 'flute')[family]}_acoustic_{number:03d}"
            note = {"instrument_str": player, "instrument_family": family, "pitch": 60 + number, "sample_rate": RATE}
            notes[f"{player}-{60 + number:03d}-100"] = note
            time = np.arange(800) / RATE
            tone = 0.5 * np.sin(2 * np.pi * (200, 800, 3000)[family] * time) + 0.01 * rng.standard_normal(800)
            write_wav(root / folder / "audio" / f"{player}-{60 + number:03d}-100.wav", tone)
        (root / folder / "examples.json").write_text(json.dumps(notes))
    return root
