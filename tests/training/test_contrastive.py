"""The training step against slow loops and a closed form, what it logs, and that it learns."""

import math
from types import SimpleNamespace

import pytest
import torch
from pytorch_lightning import Trainer
from torch import nn
from torch.utils.data import DataLoader

from semisupcon import checkpoint
from semisupcon.batch import Batch
from semisupcon.encoders import SampleCNN
from semisupcon.objectives.projection import MLP
from semisupcon.objectives.signals import LabelOverlap
from semisupcon.objectives.similarity import Cosine
from semisupcon.objectives.targets import Pairing
from semisupcon.training import contrastive as training
from semisupcon.training.contrastive import Contrastive

NAN = math.nan
SAMPLES = 300


def network():
    return SampleCNN(sample_rate=8000, channels=[8, 8, 8, 8], out=8, stem=8)


def contrastive(**options):
    """A small module outside any trainer, that notes what it logs."""
    torch.manual_seed(0)
    options = {"similarity": Cosine(0.1), **options}
    module = Contrastive(network(), lambda dim: MLP(dim, 16, 8), **options)
    module._trainer = SimpleNamespace(log_every_n_steps=1, global_step=0, max_steps=-1)
    module.logged = {}
    module.log = lambda name, value, **_: module.logged.update({name: float(value)})
    module.log_dict = lambda values, **_: module.logged.update({name: float(v) for name, v in values.items()})
    return module


def make_batch(labels, views=2, files=None, seed=0):
    """B clips of noise; ``labels`` are rows of tags, or None for a clip without."""
    generator = torch.Generator().manual_seed(seed)
    clips = len(labels)
    tags = max((len(row) for row in labels if row is not None), default=3)
    return Batch(
        audio=torch.randn(clips, views, 1, SAMPLES, generator=generator) * 0.1,
        labels=torch.tensor([[NAN] * tags if row is None else row for row in labels]).reshape(clips, tags).float(),
        labelled=torch.tensor([row is not None for row in labels], dtype=torch.bool),
        file=torch.arange(clips) if files is None else torch.tensor(files),
        draw=torch.zeros(clips, dtype=torch.long),
    )


MIXED = [[1, 0, 0], [1, 1, 0], [0, 0, 1], None, [0, 1, 1], None, [0, 0, 0]]


def slow_loss(module, batch, weight):
    """The semi-supervised loss read aloud (Guinot et al. 2024, section 3): one pair of views at a time, in float64.

    Returns:
        the loss over all anchors, over the labelled ones, over the others, and the share of positive pairs.
    """
    with torch.no_grad():
        z = module.projection(module.encoder(batch.audio.flatten(0, 1))).double()
    per_clip = batch.audio.shape[1]
    count = len(z)
    losses, positives, pairs = {True: [], False: []}, 0, 0
    for a in range(count):
        clip_a = a // per_clip
        exponents, targets = {}, {}
        for c in range(count):
            if c == a:
                continue
            clip_c = c // per_clip
            cosine = sum(z[a] * z[c]) / (sum(z[a] ** 2).sqrt() * sum(z[c] ** 2).sqrt())
            exponents[c] = float(cosine) / 0.1
            if batch.file[clip_a] == batch.file[clip_c]:
                targets[c] = 1.0
            elif batch.labelled[clip_a] and batch.labelled[clip_c]:
                targets[c] = weight(batch.labels[clip_a].tolist(), batch.labels[clip_c].tolist())
            else:
                targets[c] = 0.0
        denominator = math.log(sum(math.exp(value) for value in exponents.values()))
        total = sum(targets.values())
        positives += sum(value > 0 for value in targets.values())
        pairs += len(targets)
        if total:
            loss = -sum(targets[c] / total * (exponents[c] - denominator) for c in targets)
            losses[bool(batch.labelled[clip_a])].append(loss)
    everyone = losses[True] + losses[False]
    parts = [sum(some) / len(some) for some in (everyone, losses[True], losses[False])]
    return [*parts, positives / pairs]


def shared(a, c):
    return float(sum(x * y for x, y in zip(a, c, strict=True)) >= 1)


def dice(a, c):
    both = sum(a) + sum(c)
    return 2 * sum(x * y for x, y in zip(a, c, strict=True)) / both if both else 0.0


@pytest.mark.parametrize("chunk", [512, 3])
@pytest.mark.parametrize("views", [2, 3])
@pytest.mark.parametrize(("signal", "weight"), [(None, shared), (LabelOverlap("dice"), dice)])
def test_semi_supervised_loss_equals_slow_loops(signal, weight, views, chunk):
    module = contrastive(signal=signal, chunk=chunk).eval()
    batch = make_batch(MIXED, views, files=[0, 1, 2, 3, 4, 2, 6])  # the unlabelled sixth clip is the labelled third
    loss = module.training_step(batch, 0)["loss"]
    total, supervised, self_supervised, positive = slow_loss(module, batch, weight)
    assert loss.item() == pytest.approx(total, rel=1e-5)
    assert module.logged["train/loss"] == pytest.approx(total, rel=1e-5)
    assert module.logged["train/loss_supervised"] == pytest.approx(supervised, rel=1e-5)
    assert module.logged["train/loss_self_supervised"] == pytest.approx(self_supervised, rel=1e-5)
    assert module.logged["train/positive_pairs"] == pytest.approx(positive, rel=1e-6)
    assert module.logged["train/labelled_share"] == pytest.approx(5 / 7)


def test_without_labels_it_is_nt_xent():
    """Chen et al. 2020, eq. 1: cross-entropy of each view's similarities, the other view of its clip being right."""
    module = contrastive().eval()
    batch = make_batch([None] * 6)
    loss = module.training_step(batch, 0)["loss"]
    z = nn.functional.normalize(module.projection(module.encoder(batch.audio.flatten(0, 1))), dim=1)
    logits = (z @ z.T / 0.1).fill_diagonal_(-torch.inf)
    assert loss.item() == pytest.approx(nn.functional.cross_entropy(logits, torch.arange(12) ^ 1).item(), rel=1e-5)
    assert loss.item() == module.logged["train/loss_self_supervised"]


def test_first_views_against_second_ones():
    """COLA's pairing: cross-entropy of first views against all second ones (Saeed et al. 2021, eq. 2)."""
    module = contrastive(pairing=Pairing([0], [1])).eval()
    batch = make_batch([None] * 5)
    loss = module.training_step(batch, 0)["loss"]
    z = nn.functional.normalize(module.projection(module.encoder(batch.audio.flatten(0, 1))), dim=1)
    wanted = nn.functional.cross_entropy(z[0::2] @ z[1::2].T / 0.1, torch.arange(5))
    assert loss.item() == pytest.approx(wanted.item(), rel=1e-5)


ALWAYS = {"loss", "positive_pairs", "labelled_share"}
SHAPE = {"alignment", "uniformity", "effective_rank"}


@pytest.mark.parametrize(
    ("labels", "parts"),
    [
        (MIXED, {"loss_supervised", "loss_self_supervised"}),
        ([None] * 4, {"loss_self_supervised"}),
        ([[1, 0], [0, 1], [1, 1]], {"loss_supervised"}),
    ],
    ids=["both kinds", "unlabelled", "labelled"],
)
def test_what_is_logged(labels, parts):
    module = contrastive()
    batch = make_batch(labels)
    module.training_step(batch, 0)
    module.validation_step(batch, 0)
    wanted = {f"train/{name}" for name in ALWAYS | SHAPE | parts} | {f"val/{name}" for name in ALWAYS | parts}
    assert set(module.logged) == wanted
    assert all(math.isfinite(value) for value in module.logged.values())


def test_the_shape_of_the_embedding_is_looked_at_in_the_steps_that_are_logged():
    """Lightning logs the last of every n steps."""
    module = contrastive()
    seen = []
    for step in range(6):
        module._trainer = SimpleNamespace(log_every_n_steps=3, global_step=step, max_steps=-1)
        module.logged.clear()
        module.training_step(make_batch(MIXED), 0)
        seen.append("train/effective_rank" in module.logged)
    assert seen == [False, False, True, False, False, True]


def test_a_batch_of_broken_files_alone_is_a_gradient_of_zero_and_logs_nothing():
    module = contrastive()
    before = {name: value.clone() for name, value in module.state_dict().items() if "running" not in name}
    batch = make_batch([])
    loss = module.training_step(batch, 0)["loss"]
    loss.backward()
    module.validation_step(batch, 0)
    assert loss.item() == 0
    assert all(parameter.grad.abs().max() == 0 for parameter in module.parameters())
    assert not module.logged
    assert all(torch.isfinite(value).all() for value in module.state_dict().values())
    torch.optim.SGD(module.parameters(), lr=1.0).step()
    after = module.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items() if value.is_floating_point())


def test_under_bf16_autocast_the_loss_is_float32_and_right_at_a_small_temperature():
    """The embeddings are bf16; the loss is what float32 arithmetic makes of them, at logits of up to 100."""
    module = contrastive(similarity=Cosine(0.01)).eval()
    batch = make_batch(MIXED)
    with torch.autocast("cpu", torch.bfloat16):
        out = module.training_step(batch, 0)
    assert out["views"].embedding.dtype == torch.bfloat16
    assert out["loss"].dtype == torch.float32
    z = nn.functional.normalize(out["views"].embedding.double(), dim=1)
    logits = (z @ z.T / 0.01).fill_diagonal_(-torch.inf)
    _, targets, _ = module.matrices(out["views"], 2)
    wanted = -(targets * torch.log_softmax(logits, 1).masked_fill(targets == 0, 0)).sum(1) / targets.sum(1)
    assert out["loss"].item() == pytest.approx(wanted.mean().item(), rel=1e-4)
    out["loss"].backward()
    assert all(torch.isfinite(parameter.grad).all() for parameter in module.parameters())


class Toy(torch.utils.data.Dataset):
    """Tones of six pitches, a class each, in noise; every second clip without its label."""

    def __len__(self):
        return 60

    def __getitem__(self, step):
        generator = torch.Generator().manual_seed(step)
        pitch = torch.arange(12) % 6
        time = torch.arange(SAMPLES) / 8000
        tones = torch.sin(2 * torch.pi * (200 + 150 * pitch)[:, None, None, None] * time)
        noise = torch.randn(12, 2, 1, SAMPLES, generator=generator)
        labelled = torch.arange(12) < 6
        labels = nn.functional.one_hot(pitch, 6).float().masked_fill(~labelled[:, None], NAN)
        return Batch(0.3 * tones + 0.1 * noise, labels, labelled, torch.arange(12), torch.zeros(12).long(), step)


def fit(module, folder, steps=30, **options):
    trainer = Trainer(
        accelerator=options.pop("accelerator", "cpu"),
        max_steps=steps,
        default_root_dir=folder,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        log_every_n_steps=1,
        **options,
    )
    trainer.fit(module, DataLoader(Toy(), batch_size=None))
    return trainer


class Losses(Contrastive):
    """Keeps its loss of each step."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.losses = []

    def on_train_batch_end(self, outputs, batch, batch_idx):
        self.losses.append(float(outputs["loss"]))


def test_the_loss_falls(tmp_path):
    torch.manual_seed(0)
    module = Losses(network(), lambda dim: MLP(dim, 16, 8), Cosine(0.1), lambda p: torch.optim.Adam(p, lr=0.01))
    fit(module, tmp_path)
    assert len(module.losses) == 30
    assert sum(module.losses[-5:]) < 0.8 * sum(module.losses[:5])


def test_a_schedule_is_stepped_after_every_optimizer_step(tmp_path):
    torch.manual_seed(0)
    module = Contrastive(
        network(),
        lambda dim: MLP(dim, 16, 8),
        Cosine(0.1),
        lambda parameters: torch.optim.SGD(parameters, lr=1.0),
        lambda optimizer: torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5),
    )
    trainer = fit(module, tmp_path, steps=3, accumulate_grad_batches=2)
    assert trainer.optimizers[0].param_groups[0]["lr"] == 0.5**3


def test_a_checkpoint_says_what_the_encoder_is(tmp_path):
    module = contrastive()
    del module.log, module.log_dict
    trainer = fit(module, tmp_path, steps=2)
    trainer.save_checkpoint(tmp_path / "it.ckpt", weights_only=False)
    encoder = checkpoint.pretrained(tmp_path / "it.ckpt")
    assert checkpoint.view_samples(tmp_path / "it.ckpt") == SAMPLES
    audio = make_batch([None]).audio[0]
    assert torch.equal(encoder(audio), module.eval().encoder(audio))


def test_a_step_sums_over_the_ranks_once(monkeypatch):
    """Each sum is an exchange that all ranks wait for."""
    sums = []
    module = contrastive()
    monkeypatch.setattr(training, "sum_over_ranks", lambda values: sums.append(values) or values.detach())
    module.training_step(make_batch(MIXED), 0)
    assert len(sums) == 1
