"""Two gloo processes with batches of B are one process with batches of 2B; and the command line runs on both."""

import contextlib
import csv
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from semisupcon.batch import Batch
from semisupcon.encoders import Encoder, SampleCNN
from semisupcon.loading.sampler import MixedBatchSampler
from semisupcon.objectives.projection import MLP
from semisupcon.objectives.similarity import Cosine
from semisupcon.training.contrastive import Contrastive

REPOSITORY = Path(__file__).parents[2]
LABELLED, UNLABELLED, CLASSES, SAMPLES, HALF = np.arange(10), np.arange(10, 31), 3, 300, 6


class Plain(Encoder):
    """Two layers without batch normalisation."""

    def __init__(self) -> None:
        super().__init__()
        self.sample_rate, self.dim, self.receptive_field = 8000, 16, SAMPLES
        self.layers = nn.Sequential(nn.Linear(SAMPLES, 32), nn.Tanh(), nn.Linear(32, 16))

    def forward(self, audio):
        return self.layers(audio[:, 0])


class Step(nn.Module):
    """The training step as a forward pass, for DistributedDataParallel to wrap."""

    def __init__(self, module):
        super().__init__()
        self.module = module

    def forward(self, batch):
        return self.module.training_step(batch, 0)["loss"]


def contrastive(encoder, chunk=512):
    torch.manual_seed(1)
    network = Plain() if encoder == "plain" else SampleCNN(channels=[8, 8, 8, 8], out=16, stem=8)
    module = Contrastive(network, lambda dim: MLP(dim, 16, 8), Cosine(0.1), chunk=chunk).eval()
    module._trainer = SimpleNamespace(log_every_n_steps=1, global_step=0, max_steps=-1)
    module.logged = {}
    module.log = lambda name, value, **_: module.logged.update({name: float(value)})
    module.log_dict = lambda values, **_: module.logged.update({name: float(v) for name, v in values.items()})
    return module


def batch(draws, broken=()):
    """Audio and labels as a function of file and draw."""
    rows = [row for row, file in enumerate(draws.file.tolist()) if file not in broken]
    clips = [
        torch.randn(2, 1, SAMPLES, generator=torch.Generator().manual_seed(1000 * file + draw))
        for file, draw in zip(draws.file[rows].tolist(), draws.draw[rows].tolist(), strict=True)
    ]
    labelled = torch.from_numpy(draws.labelled[rows])
    labels = nn.functional.one_hot(torch.from_numpy(draws.file[rows]) % CLASSES, CLASSES).float()
    return Batch(
        audio=torch.stack(clips) if clips else torch.zeros(0, 2, 1, SAMPLES),
        labels=labels.masked_fill(~labelled[:, None], torch.nan),
        labelled=labelled,
        file=torch.from_numpy(draws.file[rows]),
        draw=torch.from_numpy(draws.draw[rows]),
        step=draws.step,
    )


def sampler(rank=0, world=1):
    return MixedBatchSampler(LABELLED, UNLABELLED, HALF * 2 // world, 0.4, seed=3, rank=rank, world_size=world)


EVERYTHING = frozenset(range(100))
CASES = {  # encoder, anchors in a chunk, files that are broken
    "no BatchNorm": ("plain", 512, frozenset()),
    "SampleCNN in eval mode": ("samplecnn", 512, frozenset()),
    "in chunks": ("plain", 5, frozenset()),
    "uneven": ("plain", 512, frozenset(sampler(0, 2).draws(4).file[1:4].tolist())),
    "an empty rank": ("samplecnn", 512, frozenset(sampler(0, 2).draws(4).file.tolist())),
    "all empty": ("plain", 512, EVERYTHING),
}


def run(module, step, some):
    loss = step(some)
    loss.backward()
    grads = {name: parameter.grad.clone() for name, parameter in module.named_parameters()}
    with torch.no_grad():
        module.validation_step(some, 0)
    return {"loss": loss.item(), "logged": module.logged, "grads": grads}


def worker(rank, folder):
    """What one of two processes does."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=2)
    found = {}
    for name, (encoder, chunk, broken) in CASES.items():
        module = contrastive(encoder, chunk)
        found[name] = run(module, DistributedDataParallel(Step(module)), batch(sampler(rank, 2).draws(4), broken))
    torch.save(found, Path(folder) / f"{rank}.pt")
    dist.destroy_process_group()


def start(command, log):
    """A process of its own, in a group of its own, that writes what it says into ``log``."""
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"}
    with log.open("w") as out:
        command = [sys.executable, *map(str, command)]
        return subprocess.Popen(command, env=environment, stdout=out, stderr=subprocess.STDOUT, start_new_session=True)


def finish(process, seconds=100):
    """Its exit status; killed with all that it started where it hangs."""
    try:
        return process.wait(seconds)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


@pytest.fixture(scope="module")
def ranks(tmp_path_factory):
    """What both processes found in each case."""
    folder = tmp_path_factory.mktemp("ranks")
    both = [start([__file__, rank, folder], folder / f"{rank}.log") for rank in range(2)]
    ends = [finish(process) for process in both]
    assert ends == [0, 0], (folder / "0.log").read_text() + (folder / "1.log").read_text()
    return [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in range(2)]


@pytest.mark.parametrize("name", CASES)
def test_two_ranks_give_loss_and_gradient_of_one(ranks, name):
    encoder, chunk, broken = CASES[name]
    module = contrastive(encoder, chunk)
    alone = run(module, Step(module), batch(sampler().draws(4), broken))
    sizes = [len(batch(sampler(rank, 2).draws(4), broken)) for rank in range(2)]
    assert {"uneven": [3, 6], "an empty rank": [0, 6], "all empty": [0, 0]}.get(name, [6, 6]) == sizes
    # Each rank's loss is its share times two, so that the mean that DDP takes of the gradients is the sum.
    assert (ranks[0][name]["loss"] + ranks[1][name]["loss"]) / 2 == pytest.approx(alone["loss"], rel=1e-5)
    for rank in ranks:
        assert list(rank[name]["grads"]) == list(alone["grads"])
        for parameter, gradient in alone["grads"].items():
            torch.testing.assert_close(rank[name]["grads"][parameter], gradient, rtol=1e-4, atol=1e-5)
    if name != "all empty":
        assert max(gradient.abs().max() for gradient in alone["grads"].values()) > 1e-3


@pytest.mark.parametrize("name", CASES)
def test_the_same_is_logged_on_all_ranks_as_on_one(ranks, name):
    encoder, chunk, broken = CASES[name]
    module = contrastive(encoder, chunk)
    alone = run(module, Step(module), batch(sampler().draws(4), broken))["logged"]
    local = {"train/alignment", "train/uniformity", "train/effective_rank"}
    for rank in ranks:
        shown = {key: value for key, value in rank[name]["logged"].items() if key not in local}
        assert shown == pytest.approx({key: value for key, value in alone.items() if key not in local}, rel=1e-5)
    if name == "all empty":
        assert not alone
    else:
        assert {f"{s}/{k}" for s in ("train", "val") for k in ("loss", "loss_supervised", "labelled_share")} < set(
            alone
        )


def test_ranks_draw_what_one_process_draws_and_no_file_twice_before_all():
    both, one = [sampler(rank, 2) for rank in range(2)], sampler()
    drawn = {True: [], False: []}
    for step in range(40):
        parts = [each.draws(step) for each in both]
        whole = one.draws(step)
        pairs = [set(zip(*(x.tolist() for x in (p.file, p.draw, p.labelled)), strict=True)) for p in (*parts, whole)]
        assert pairs[0] | pairs[1] == pairs[2]
        assert not pairs[0] & pairs[1]
        for part in parts:
            for file, labelled in zip(part.file.tolist(), part.labelled.tolist(), strict=True):
                drawn[labelled].append(file)
        for pool, files in ((LABELLED, drawn[True]), (UNLABELLED, drawn[False])):
            counts = np.bincount(files, minlength=31)[pool]
            assert counts.max() - counts.min() <= 1


@pytest.fixture
def music(tmp_path):
    """21 files, one of them broken; five are validated on: three by one rank, two by the other."""
    folder = tmp_path / "music"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(20):
        soundfile.write(folder / f"{number:02d}.wav", 0.1 * rng.standard_normal(1600), 8000)
    (folder / "broken.wav").write_bytes(b"RIFF, and that is all")
    return folder


def test_the_command_line_on_two_processes(music, tmp_path):
    options = [
        f"--config={REPOSITORY / 'config/pretraining/pretrain_ssl.yaml'}",
        *(f"--data.data_dir={music}", "--data.val_split=0.25", "--data.num_workers=0"),
        *("--data.target_sr=8000", "--data.target_len=0.05", "--data.batch_size=2"),
        *("--model.encoder.init_args.channels=[8,8,8,8]", "--model.encoder.init_args.out=8"),
        *("--trainer.devices=2", "--trainer.strategy=ddp", "--trainer.accelerator=cpu", "--trainer.max_steps=9"),
        *("--trainer.log_every_n_steps=1", "--trainer.enable_progress_bar=false", "--checkpoint.every_n_steps=4"),
        f"--ckpt_path={tmp_path / 'runs'}",
    ]
    process = start([REPOSITORY / "pretrain.py", *options], tmp_path / "out")
    assert finish(process) == 0, (tmp_path / "out").read_text()
    (run,) = (tmp_path / "runs").iterdir()  # one folder, and nothing beside it
    assert {"config.yaml", "last.ckpt", "step-0000004.ckpt", "metrics.csv", "split.csv"} < {
        p.name for p in run.iterdir()
    }
    rows = list(csv.DictReader((run / "metrics.csv").open()))
    assert [int(row["step"]) for row in rows] == list(range(9))
    assert all(np.isfinite(float(row["train/loss"])) for row in rows)
    assert [row["val/loss"] != "" for row in rows] == [False, False, False, True] * 2 + [False]
    assert json.loads((run / "metrics.json").read_text())["steps"] == 9
    listed = [path.read_text() for path in run.glob("bad_files*.csv")]
    assert sum("broken.wav" in text for text in listed) >= 1


if __name__ == "__main__":
    worker(int(sys.argv[1]), sys.argv[2])
