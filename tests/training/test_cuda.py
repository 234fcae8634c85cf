"""A pretraining step on a GPU; skipped where there is none."""

import pytest
import torch
from pytorch_lightning import Trainer

from semisupcon.encoders import SampleCNN
from semisupcon.loading.datamodule import MixedDataModule
from semisupcon.objectives.projection import MLP
from semisupcon.objectives.similarity import Cosine
from semisupcon.training.contrastive import Contrastive

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")


def train(music, folder, steps=3):
    torch.manual_seed(0)
    encoder = SampleCNN(sample_rate=8000, channels=[8, 8, 8, 8], out=8, stem=8, dropout=0.1)
    module = Contrastive(encoder, lambda dim: MLP(dim, 16, 8), Cosine(0.1))
    data = MixedDataModule(
        data_dir=str(music),
        aug_list=["gain", "polarity_inversion", "add_colored_noise", "filtering", "delay"],
        target_sr=8000,
        target_len=0.05,
        batch_size=4,
    )
    trainer = Trainer(
        accelerator="gpu",
        devices=1,
        precision="bf16-mixed",
        max_steps=steps,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        default_root_dir=folder,
        use_distributed_sampler=False,
    )
    trainer.fit(module, data)
    return trainer, module


@pytest.fixture
def music(tmp_path):
    import numpy as np
    import soundfile

    folder = tmp_path / "music"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(16):
        soundfile.write(folder / f"{number:02d}.wav", 0.1 * rng.standard_normal(1600), 8000)
    return folder


def test_a_step_in_bf16(music, tmp_path):
    trainer, module = train(music, tmp_path)
    assert trainer.global_step == 3
    assert next(module.parameters()).is_cuda
    assert torch.isfinite(trainer.callback_metrics["train/loss"])
    assert torch.isfinite(trainer.callback_metrics["val/loss"]) or "val/loss" not in trainer.callback_metrics
    assert all(torch.isfinite(value).all() for value in module.state_dict().values())


def test_what_is_random_on_the_device_is_seeded(music, tmp_path):
    """Augmentation and dropout on the GPU follow the batch's seed, whatever the generator did before."""
    losses = []
    for disturbance in range(2):
        torch.cuda.manual_seed_all(disturbance)
        trainer, _ = train(music, tmp_path, steps=1)
        losses.append(float(trainer.callback_metrics["train/loss"]))
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)
