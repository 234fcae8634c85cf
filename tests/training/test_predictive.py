"""CPC's training step: what it computes and logs, that it sees no future, that ranks add up, and that it learns."""

import itertools
import math
from types import SimpleNamespace

import pytest
import torch
from pytorch_lightning import Trainer
from torch.utils.data import DataLoader

from semisupcon import checkpoint
from semisupcon.batch import Batch
from semisupcon.encoders import CPC, SampleCNN
from semisupcon.errors import UserError
from semisupcon.objectives import future as objective
from semisupcon.objectives.future import draw_negatives
from semisupcon.table import Task
from semisupcon.training import predictive as training
from semisupcon.training.predictive import Predictive

NAN = math.nan
SAMPLES = 465 + 160 * 15 + 20  # 16 frames
KINDS = list(itertools.product(("conv", "sinc"), ("gru", "transformer")))


def network(front="conv", context="gru", **options):
    small = {"channels": 24, "dim": 16, "heads": 2, "feedforward": 32, "filters": 12, "sinc_kernel": 41}
    return CPC(front=front, context=context, **{**small, **options})


def predictive(encoder=None, **options):
    """A small module outside any trainer, that notes what it logs."""
    torch.manual_seed(0)
    module = Predictive(encoder or network(), **{"steps": 3, "negatives": 10, **options})
    module._trainer = SimpleNamespace(log_every_n_steps=1, global_step=0, max_steps=-1)
    for predictor in module.future.predictors:
        predictor.reset_parameters()  # they begin at 0
    module.logged = {}
    module.log = lambda name, value, **_: module.logged.update({name: float(value)})
    module.log_dict = lambda values, **_: module.logged.update({name: float(v) for name, v in values.items()})
    return module


def make_batch(clips=4, views=1, labels=None, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return Batch(
        audio=torch.randn(clips, views, 1, SAMPLES, generator=generator) * 0.1,
        labels=torch.full((clips, 2), NAN) if labels is None else torch.tensor(labels),
        labelled=torch.full((clips,), labels is not None),
        file=torch.arange(clips),
        draw=torch.zeros(clips, dtype=torch.long),
    )


@pytest.mark.parametrize("views", [1, 2])
def test_the_loss_is_the_sum_over_the_steps_of_cross_entropies(views):
    module = predictive()
    batch = make_batch(3, views)
    torch.manual_seed(4)
    loss = module.training_step(batch, 0)["loss"]
    latents = module.encoder.latents(batch.audio.flatten(0, 1))
    contexts = module.encoder.contexts(latents)
    windows, frames = latents.shape[:2]
    everyone = latents.flatten(0, 1)
    torch.manual_seed(4)
    wanted, right = 0.0, []
    for step in (1, 2, 3):
        negatives = draw_negatives(torch.zeros(windows), frames, step, 10)
        anchors = list(itertools.product(range(windows), range(frames - step)))
        logits = torch.stack(
            [
                torch.stack([latents[w, t + step], *everyone[drawn]])
                @ module.future.predictors[step - 1](contexts[w, t])
                for (w, t), drawn in zip(anchors, negatives, strict=True)
            ]
        )
        wanted += torch.nn.functional.cross_entropy(logits, torch.zeros(len(anchors), dtype=torch.long))
        right.append((logits.argmax(dim=1) == 0).float().mean().item())
    assert loss.item() == pytest.approx(wanted.item(), rel=1e-5)
    assert module.logged["train/loss"] == pytest.approx(wanted.item(), rel=1e-5)
    assert module.logged["train/accuracy_1"] == pytest.approx(right[0])
    assert module.logged["train/accuracy_3"] == pytest.approx(right[2])
    assert module.logged["train/accuracy"] == pytest.approx(sum(right) / 3)


@pytest.mark.parametrize(("front", "context"), KINDS)
@pytest.mark.parametrize("in_training", [True, False])
def test_predictions_do_not_see_the_future(front, context, in_training):
    """A later sample changes: predictions made before it stay as they are to the last bit, those behind it do not."""
    module = predictive(network(front, context, dropout=0.1)).train(in_training)
    field, frame = module.encoder.receptive_field, 6
    audio = torch.randn(2, 1, field + 160 * 12)
    changed = audio.clone()
    changed[:, :, 160 * (frame - 1) + field] += 1  # the first sample that frame 5 does not hear
    found = []
    for each in (audio, changed):
        torch.manual_seed(0)
        contexts = module.encoder.frames(each)
        found.append(torch.stack([predictor(contexts) for predictor in module.future.predictors]))
    assert torch.equal(found[0][:, :, :frame], found[1][:, :, :frame])
    assert not torch.equal(found[0][:, :, frame], found[1][:, :, frame])


def test_targets_are_the_true_futures():
    """Latents are planted that say in which window and frame they are; the logits must compare with the right one."""
    module = predictive(network(channels=64), steps=2, scale=50.0)
    planted = torch.eye(64).view(4, 16, 64)
    module.encoder.latents = lambda audio: planted
    module.encoder.contexts = lambda latents: torch.zeros(4, 16, 16)
    for step, predictor in enumerate(module.future.predictors, start=1):
        # What a clairvoyant would predict at window w, frame l: that it is frame l + k of window w.
        answers = planted[:, step:].flatten(0, 1).detach()
        predictor.forward = lambda contexts, answers=answers: answers
    module.training_step(make_batch(4), 0)
    assert module.logged["train/accuracy"] == 1
    assert module.logged["train/loss"] < 1e-6


@pytest.mark.parametrize(
    ("source", "views"), [("any", 1), ("same_sequence", 1), ("same_category", 2), ("sequential", 2)]
)
def test_each_source_of_negatives_trains(source, views):
    module = predictive(negatives_from=source)
    seen = []
    module.future.forward = lambda contexts, latents, near: (
        seen.append(near) or type(module.future).forward(module.future, contexts, latents, near)
    )
    out = module.training_step(make_batch(3, views, labels=[[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]]), 0)
    out["loss"].backward()
    assert out["loss"].isfinite()
    wanted = {"any": [0, 0, 0], "same_sequence": [0, 1, 2], "same_category": [0, 0, 1, 1, 0, 0]}
    assert seen[0].tolist() == wanted.get(source, [0, 0, 1, 1, 2, 2])


def test_what_is_logged():
    module = predictive()
    module.training_step(make_batch(), 0)
    module.validation_step(make_batch(), 0)
    names = {"loss", "accuracy", "accuracy_1", "accuracy_3"}
    assert set(module.logged) == {f"{stage}/{name}" for stage in ("train", "val") for name in names}
    assert module.samples == SAMPLES
    assert module.logged["train/loss"] == pytest.approx(3 * math.log(11), rel=0.1)  # nothing is told apart yet


def test_numbers_are_read_back_in_the_steps_that_are_logged():
    module = predictive()
    module._trainer = SimpleNamespace(log_every_n_steps=3, global_step=0, max_steps=-1)
    module.training_step(make_batch(), 0)
    assert set(module.logged) == {"train/loss"}


def test_validation_draws_the_same_negatives_every_time_and_disturbs_no_generator():
    module = predictive()
    losses = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        before = torch.get_rng_state()
        module.validation_step(make_batch(), 3)
        assert torch.equal(before, torch.get_rng_state())
        losses.append(module.logged["val/loss"])
    assert losses[0] == losses[1]
    module.validation_step(make_batch(), 4)
    assert losses[0] != module.logged["val/loss"]


def test_the_same_seed_gives_the_same_loss():
    module = predictive()
    losses = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        losses.append(module.training_step(make_batch(), 0)["loss"].item())
    assert losses[0] == losses[1] != losses[2]


@pytest.mark.parametrize("source", ["any", "same_category", "sequential"])
def test_a_batch_of_broken_files_alone_is_a_gradient_of_zero_and_logs_nothing(source):
    module = predictive(negatives_from=source)
    batch = make_batch(0, views=2)
    loss = module.training_step(batch, 0)["loss"]
    loss.backward()
    module.validation_step(batch, 0)
    assert loss.item() == 0
    assert all(parameter.grad.abs().max() == 0 for parameter in module.parameters())
    assert not module.logged
    assert module.pictured({}, batch, 8) is None


@pytest.mark.parametrize(("front", "context"), KINDS)
def test_every_parameter_has_a_gradient(front, context):
    module = predictive(network(front, context))
    module.training_step(make_batch(), 0)["loss"].backward()
    assert not [name for name, p in module.named_parameters() if p.grad is None or not p.grad.abs().max() > 0]


def in_own_window(neighbourhood, frames, step, count):
    """Stands in for the draw: negatives that do not depend on which windows are on the same rank."""
    anchors = torch.arange(len(neighbourhood) * frames).view(-1, frames)[:, :-step].flatten()
    return (anchors // frames * frames)[:, None] + (
        anchors[:, None] + torch.arange(step + 1, step + 1 + count)
    ) % frames


@pytest.mark.parametrize("parts", [[3, 3], [1, 5], [0, 6]], ids=str)
def test_two_ranks_are_one_with_all_windows(monkeypatch, parts):
    """The mean of their gradients, which DDP takes, is the gradient of the whole batch; and all log the same."""
    monkeypatch.setattr(objective, "draw_negatives", in_own_window)
    whole = make_batch(6)
    module = predictive()
    loss = module.training_step(whole, 0)["loss"]
    loss.backward()
    wanted = {name: p.grad.clone() for name, p in module.named_parameters()}
    logged = dict(module.logged)
    batches = [
        Batch(*(getattr(whole, name)[part] for name in ("audio", "labels", "labelled", "file", "draw")))
        for part in (slice(0, parts[0]), slice(parts[0], 6))
    ]
    sums = []
    monkeypatch.setattr(training, "sum_over_ranks", lambda values: sums.append(values) or values)
    for batch in batches:
        module.training_step(batch, 0)
    assert len(sums) == 2  # each rank exchanges once a step
    monkeypatch.setattr(training, "sum_over_ranks", lambda values: sums[0] + sums[1])
    monkeypatch.setattr(training, "world_size", lambda: 2)
    module.zero_grad()
    losses = []
    for batch in batches:
        module.logged.clear()
        losses.append(module.training_step(batch, 0)["loss"])
        assert module.logged == pytest.approx(logged, rel=1e-5)
    (sum(losses) / 2).backward()
    assert sum(losses).item() / 2 == pytest.approx(loss.item(), rel=1e-5)
    for name, parameter in module.named_parameters():
        torch.testing.assert_close(parameter.grad, wanted[name], rtol=1e-4, atol=1e-6)


def test_a_picture_of_one_window():
    module = predictive(steps=1)
    batch = make_batch(3)
    out = module.training_step(batch, 0)
    shown = module.pictured(out, batch, 100)
    latents = module.encoder.latents(batch.audio[0])[0]
    contexts = module.encoder.frames(batch.audio[0])[0]
    assert shown.logits.shape == shown.targets.shape == (15, 16)
    wanted = module.future.predictors[0](contexts[:-1]) @ latents.T
    torch.testing.assert_close(shown.logits, wanted, atol=1e-5, rtol=1e-4)
    assert shown.targets.argmax(dim=1).tolist() == list(range(1, 16))
    assert shown.targets.sum(dim=1).tolist() == [1] * 15
    assert shown.keep.all()
    assert not shown.logits.requires_grad
    assert module.pictured(out, batch, 4).logits.shape == (4, 16)


def test_categories_need_labels_that_are_classes():
    module = predictive(negatives_from="same_category")
    with pytest.raises(UserError, match=r"--data\.sl_task"):
        module.prepare(torch.zeros(0, 0), [])
    with pytest.raises(UserError, match="emomusic"):
        module.prepare(torch.zeros(4, 1), [Task("emomusic", "regression", ("arousal",))])
    module.prepare(torch.zeros(4, 2), [Task("gtzan", "multiclass", ("pop", "rock"))])
    predictive().prepare(torch.zeros(0, 0), [])


def test_sequential_negatives_need_several_windows_of_a_clip():
    with pytest.raises(UserError, match=r"--data\.views"):
        predictive(negatives_from="sequential").training_step(make_batch(3, views=1), 0)


def test_an_encoder_without_latents_is_refused():
    with pytest.raises(UserError, match="SampleCNN has no latents"):
        Predictive(SampleCNN())


def test_an_unknown_source_is_refused():
    with pytest.raises(UserError, match="same_sequence"):
        predictive(negatives_from="nearby")


def test_in_bf16_the_loss_is_float32_and_about_the_same():
    losses = []
    for half in (False, True):
        module = predictive(scale=1.0)
        torch.manual_seed(0)
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            losses.append(module.training_step(make_batch(), 0)["loss"])
    losses[1].backward()
    assert losses[1].dtype == torch.float32
    assert losses[1].item() == pytest.approx(losses[0].item(), rel=0.02)


class Tones(torch.utils.data.Dataset):
    """Windows whose future can be heard: steady tones, each of another pitch."""

    def __len__(self):
        return 400

    def __getitem__(self, step):
        generator = torch.Generator().manual_seed(step)
        pitch = 200 * 2 ** (torch.rand(6, generator=generator)[:, None, None, None] * 4)
        tones = 0.3 * torch.sin(2 * torch.pi * pitch * torch.arange(SAMPLES) / 16000)
        batch = make_batch(6, seed=step)
        return batch.with_audio(tones + 0.1 * batch.audio)


class Steps(Predictive):
    """Keeps the loss of each step ahead, of the last training step."""

    def _sums(self, found, batch):
        self.found = found
        return super()._sums(found, batch)


def fit(module, folder, steps):
    trainer = Trainer(
        accelerator="cpu",
        max_steps=steps,
        default_root_dir=folder,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(module, DataLoader(Tones(), batch_size=None))
    return trainer


@pytest.mark.parametrize(("front", "context"), [("conv", "gru"), ("sinc", "transformer")])
def test_the_loss_of_every_step_falls_below_that_of_chance(front, context, tmp_path):
    torch.manual_seed(0)
    encoder = network(front, context, channels=48)
    module = Steps(encoder, 3, 10, optimizer=lambda parameters: torch.optim.Adam(parameters, lr=0.0005))
    cutoffs = encoder.convolutions[0][0].cutoffs().detach() if front == "sinc" else None
    fit(module, tmp_path, 100)
    assert (module.found.loss < 0.87 * math.log(11)).all()  # frames of one tone cannot be told apart: 0.5 at best
    assert module.found.accuracy.mean() > 1.3 / 11
    if cutoffs is not None:
        assert (encoder.convolutions[0][0].cutoffs() - cutoffs).abs().max() > 1  # Hz


def test_a_checkpoint_says_what_the_encoder_is(tmp_path):
    module = Predictive(network("sinc", "transformer"), 3, 10)
    trainer = fit(module, tmp_path, 2)
    trainer.save_checkpoint(tmp_path / "it.ckpt", weights_only=False)
    encoder = checkpoint.pretrained(tmp_path / "it.ckpt")
    assert checkpoint.view_samples(tmp_path / "it.ckpt") == SAMPLES
    audio = make_batch(2).audio[:, 0]
    assert torch.equal(encoder(audio), module.eval().encoder(audio))
    assert encoder.spec == module.encoder.spec
