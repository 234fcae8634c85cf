"""A killed and resumed run ends with the weights of one that never stopped, bit for bit, by the real command line."""

import contextlib
import csv
import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import torch

REPOSITORY = Path(__file__).parents[2]
STEPS, EVERY, KILLED_AT = 60, 10, 37

TRACE = '''
import hashlib, json, os, signal
from pytorch_lightning.callbacks import Callback

class Trace(Callback):
    """Writes a line for each batch that the model is about to see; dies hard before a given optimizer step."""

    def __init__(self, path: str, kill_at: int = -1):
        self.path, self.kill_at = path, kill_at

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        if trainer.global_step == self.kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        seen = hashlib.sha256(batch.audio.numpy().tobytes()).hexdigest()
        line = [batch.step, trainer.global_step, trainer.current_epoch, batch_idx, batch.file.tolist(),
                batch.draw.tolist(), batch.labelled.tolist(), seen]
        with open(self.path, "a") as file:
            file.write(json.dumps(line) + "\\n")
'''


@pytest.fixture(scope="module")
def corpora(tmp_path_factory, write_wav, nsynth):
    """A folder of 40 wav files, 36 of them to train on, and NSynth in miniature."""
    music = tmp_path_factory.mktemp("music")
    rng = np.random.default_rng(0)
    for number in range(40):
        write_wav(music / f"{number:02d}.wav", 0.2 * rng.standard_normal(rng.integers(300, 3000)))
    return {"music": music, "nsynth": nsynth}


@dataclass
class Case:
    """One way to train: epochs of nine batches (18 with labels) unless it says otherwise, a validation after each."""

    workers: int = 0
    dropout: float = 0.0
    accumulate: int = 1
    labels: bool = False
    batch_size: int = 4
    more: list[str] = field(default_factory=list)

    def start(self, corpora, runs, name, kill_at=-1, resume=None):
        """The command as a process of its own."""
        (runs / "trace.py").write_text(TRACE)
        callback = {"path": str(runs / f"{name}.trace"), "kill_at": kill_at}
        labelled = ["--data.sl_task=nsynth_instr_family", f"--data.sl_kwargs.root={corpora['nsynth']}"]
        options = [
            f"--config={REPOSITORY / 'config/pretraining/pretrain_ssl.yaml'}",
            f"--data.data_dir={corpora['music']}",
            *(labelled if self.labels else []),
            *("--data.target_sr=8000", "--data.target_len=0.05", f"--data.batch_size={self.batch_size}"),
            f"--data.num_workers={self.workers}",
            "--model.encoder.init_args.channels=[8,8,8,8]",
            *("--model.encoder.init_args.out=8", "--model.encoder.init_args.stem=8"),
            f"--model.encoder.init_args.dropout={self.dropout}",
            *("--model.projection.init_args.hidden=8", "--model.projection.init_args.out=8"),
            *("--model.scheduler=CosineAnnealingLR", f"--model.scheduler.T_max={STEPS}"),
            *(f"--trainer.max_steps={STEPS}", f"--trainer.accumulate_grad_batches={self.accumulate}"),
            *("--trainer.accelerator=cpu", "--trainer.log_every_n_steps=1", "--trainer.enable_progress_bar=false"),
            "--trainer.callbacks=" + json.dumps([{"class_path": "trace.Trace", "init_args": callback}]),
            *(f"--checkpoint.every_n_steps={EVERY}", "--picture.every_n_steps=0"),
            f"--ckpt_path={runs}",
            f"--resume_from_ckpt={resume}" if resume else f"--run_name={name}",
            *self.more,
        ]
        environment = {**os.environ, "PYTHONPATH": f"{runs}:{REPOSITORY}", "OMP_NUM_THREADS": "1"}
        with (runs / f"{name}.out").open("a") as out:
            return subprocess.Popen(
                [sys.executable, str(REPOSITORY / "pretrain.py"), *options],
                env=environment,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )


def finish(process, seconds=120):
    """The exit status; what a killed process leaves running (its loading workers) is ended."""
    try:
        return process.wait(seconds)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def trace(runs, name):
    return [json.loads(line) for line in (runs / f"{name}.trace").read_text().splitlines()]


def flat(content, prefix=""):
    """A nested state as name -> leaf."""
    if isinstance(content, dict | list | tuple):
        pairs = content.items() if isinstance(content, dict) else enumerate(content)
        return {name: leaf for key, value in pairs for name, leaf in flat(value, f"{prefix}.{key}").items()}
    return {prefix: content}


def check(case, corpora, runs):
    """Train straight through, and killed and resumed; compare all that can differ."""
    straight, killed = case.start(corpora, runs, "straight"), case.start(corpora, runs, "killed", kill_at=KILLED_AT)
    ends = finish(killed), finish(straight)
    assert ends == (-signal.SIGKILL, 0), (runs / "killed.out").read_text() + (runs / "straight.out").read_text()
    last = runs / "killed" / "last.ckpt"
    reached = KILLED_AT // EVERY * EVERY
    assert torch.load(last, weights_only=True)["global_step"] == reached
    at_kill = trace(runs, "killed")
    assert finish(case.start(corpora, runs, "killed", resume=last)) == 0, (runs / "killed.out").read_text()

    # Order of clips, crops and augmented audio, and Lightning's own counts of steps, epochs and batches.
    wanted, resumed = trace(runs, "straight"), trace(runs, "killed")[len(at_kill) :]
    assert at_kill == wanted[: len(at_kill)]
    assert resumed == wanted[-len(resumed) :]
    assert resumed[0][1] == reached
    assert len({line[-1] for line in wanted}) == len(wanted)  # the hash does tell batches apart

    # Weights, optimizer, schedule: equal to the last bit.
    ends = [torch.load(runs / name / "last.ckpt", weights_only=True) for name in ("straight", "killed")]
    for part in ("state_dict", "optimizer_states", "lr_schedulers", "global_step", "epoch"):
        one, other = (flat(end[part], part) for end in ends)
        assert list(one) == list(other)
        for name, value in one.items():
            assert torch.equal(value, other[name]) if isinstance(value, torch.Tensor) else value == other[name], name
    assert next(iter(flat(ends[0]["state_dict"]).values())).abs().sum() > 0

    # The resumed run went on in the same folder, and its history is that of the straight run.
    rows = [list(csv.DictReader((runs / name / "metrics.csv").open())) for name in ("straight", "killed")]
    assert rows[0] == rows[1]
    logged = [int(row["step"]) for row in rows[0] if row["train/loss"]]
    assert logged == list(range(STEPS))
    assert len([row for row in rows[0] if row["val/loss"]]) > 2
    assert sorted(path.name for path in runs.iterdir() if path.is_dir()) == ["killed", "straight"]


def test_resumes_exactly_with_workers_and_dropout(corpora, tmp_path):
    """Epochs of 18 batches: the checkpoint at step 30 and the kill at 37 lie in the midst of two of them."""
    check(Case(workers=2, dropout=0.1, labels=True), corpora, tmp_path)


SLOW = {
    "no workers": Case(dropout=0.1),
    "self-supervised, workers, no dropout": Case(workers=2),
    "accumulated gradients": Case(workers=2, dropout=0.1, labels=True, accumulate=2),
    "checkpoint at the end of an epoch": Case(batch_size=12, dropout=0.1),
    "checkpoint at the end of an epoch, accumulated": Case(batch_size=6, accumulate=2, workers=2),
    "validation within epochs": Case(dropout=0.1, more=["--trainer.val_check_interval=4"]),
    "limited epochs": Case(labels=True, more=["--trainer.limit_train_batches=7"]),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", SLOW.values(), ids=SLOW.keys())
def test_resumes_exactly(case, corpora, tmp_path):
    check(case, corpora, tmp_path)
