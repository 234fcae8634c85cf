"""Fine-tuning by two processes: uneven validation, and a batch that is broken for one of them alone."""

import contextlib
import csv
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from semisupcon.downstream.datamodule import TaskDataModule
from semisupcon.loading.sampler import MixedBatchSampler

REPOSITORY = Path(__file__).parents[2]
HALF = 2  # clips a batch of one process


@pytest.fixture
def corpus(nsynth, tmp_path):
    """17 notes to validate on: nine for one process, in two groups of eight, and eight for the other, in one.

    The second process can read nothing of its first batch and one note of its second.
    """
    root = tmp_path / "nsynth"
    shutil.copytree(nsynth, root)
    notes = json.loads((root / "nsynth-valid/examples.json").read_text())
    for number in range(11):
        old = list(notes)[number]
        new = f"{old[:-8]}-{80 + number:03d}-100"
        notes[new] = notes[old]
        shutil.copy(root / f"nsynth-valid/audio/{old}.wav", root / f"nsynth-valid/audio/{new}.wav")
    (root / "nsynth-valid/examples.json").write_text(json.dumps(notes))
    pools = TaskDataModule("nsynth_instr_family", {"root": str(root)}).pools
    assert len(pools.val) == 17
    mine = MixedBatchSampler(pools.labelled, pools.unlabelled, HALF, 1.0, seed=0, rank=1, world_size=2)
    for row in (*mine.draws(0).file, mine.draws(1).file[0]):
        Path(str(pools.paths[row])).write_bytes(b"no audio")
    return root


def test_the_command_line_on_two_processes(corpus, tmp_path):
    options = [
        f"--config={REPOSITORY / 'config/finetuning/finetune.yaml'}",
        *("--data.sl_task=nsynth_instr_family", f"--data.sl_kwargs.root={corpus}", "--data.num_workers=0"),
        *("--data.target_len=0.0304", f"--data.batch_size={HALF}", "--model.init_args.encoder=SampleCNN"),
        "--model.init_args.encoder.init_args.sample_rate=8000",
        "--model.init_args.encoder.init_args.channels=[8,8,8,8]",
        *("--model.init_args.encoder.init_args.out=8", "--model.init_args.encoder.init_args.stem=8"),
        *("--trainer.devices=2", "--trainer.strategy=ddp", "--trainer.accelerator=cpu", "--trainer.max_epochs=2"),
        *("--trainer.log_every_n_steps=1", "--trainer.enable_progress_bar=false"),
        *(f"--ckpt_path={tmp_path / 'runs'}", "--run_name=run"),
    ]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(REPOSITORY / "finetune.py"), *options]
    with (tmp_path / "out").open("w") as out:
        process = subprocess.Popen(
            command, env=environment, stdout=out, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        assert process.wait(100) == 0, (tmp_path / "out").read_text()
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    run = tmp_path / "runs" / "run"
    rows = list(csv.DictReader((run / "metrics.csv").open()))
    losses = [float(row["train/loss"]) for row in rows if row["train/loss"]]
    assert len(losses) == 6
    assert np.isfinite(losses).all()
    assert [float(row["val/clips"]) for row in rows if row["val/clips"]] == [17, 17]
    written = json.loads((run / "metrics.json").read_text())
    assert (written["clips"], written["steps"], written["epochs"]) == (6, 6, 2)
