"""The bar of a training that is limited by its steps."""

import pytest
import torch
from pytorch_lightning import Trainer
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.demos.boring_classes import BoringModel

from semisupcon.running.progress import StepsBar


class Shown(Callback):
    """What the bar shows after each batch: step, total, where it began, epoch."""

    def __init__(self, bar):
        self.bar, self.seen = bar, []

    def on_train_batch_end(self, *args):
        bar = self.bar.train_progress_bar
        self.seen.append((bar.n, bar.total, bar.initial, bar.desc))


def shown(folder, resume=None, **options):
    bar = StepsBar()
    watch = Shown(bar)
    trainer = Trainer(
        accelerator="cpu", logger=False, callbacks=[bar, watch], enable_checkpointing=False, limit_val_batches=0,
        enable_model_summary=False, limit_train_batches=4, default_root_dir=folder, **options,
    )  # fmt: skip
    trainer.fit(BoringModel(), ckpt_path=resume, weights_only=True)
    trainer.save_checkpoint(folder / "last.ckpt")
    return watch.seen


@pytest.mark.filterwarnings("ignore")
def test_it_runs_once_over_all_epochs_and_a_resumed_run_starts_at_its_step(tmp_path, capfd):
    first = shown(tmp_path, max_steps=6)
    assert [seen[:3] for seen in first] == [(step, 6, 0) for step in range(1, 7)]
    assert [seen[3] for seen in first] == ["epoch 0, step: "] * 4 + ["epoch 1, step: "] * 2
    assert "6/6" in capfd.readouterr().out
    again = shown(tmp_path, resume=tmp_path / "last.ckpt", max_steps=9)
    assert [seen[:3] for seen in again] == [(step, 9, 6) for step in (7, 8, 9)]


@pytest.mark.filterwarnings("ignore")
def test_accumulated_batches_are_one_step(tmp_path):
    seen = shown(tmp_path, max_steps=4, accumulate_grad_batches=2)
    assert [each[0] for each in seen] == [0, 1, 1, 2, 2, 3, 3, 4]
    assert not torch.is_inference_mode_enabled()


@pytest.mark.filterwarnings("ignore")
def test_the_device_is_not_asked_for_numbers_at_every_step(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(StepsBar, "get_metrics", lambda self, trainer, module: asked.append(trainer.global_step) or {})
    monkeypatch.setattr(StepsBar, "seconds", 1000.0)
    shown(tmp_path, max_steps=6)
    assert not {2, 3, 5} & set(asked)
    assert {1, 6} <= set(asked)
