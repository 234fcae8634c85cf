"""CLMR and COLA, as their papers write the loss and as their configs build it."""

import math
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from semisupcon.batch import Batch
from semisupcon.objectives.projection import MLP, LinearTanh
from semisupcon.objectives.similarity import Bilinear, Cosine
from semisupcon.objectives.targets import Pairing
from semisupcon.training.cli import Pretrain
from semisupcon.training.contrastive import Contrastive

CONFIG = Path(__file__).parents[2] / "config" / "pretraining"


def batch_of(clips, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return Batch(
        audio=torch.randn(clips, 2, 1, 300, generator=generator) * 0.1,
        labels=torch.zeros(clips, 0),
        labelled=torch.zeros(clips, dtype=torch.bool),
        file=torch.arange(clips),
        draw=torch.zeros(clips, dtype=torch.long),
    )


@pytest.fixture
def system(tiny_encoder):
    def make(projection, similarity, **options):
        torch.manual_seed(0)
        module = Contrastive(tiny_encoder(), projection, similarity, **options).eval()
        module._trainer = SimpleNamespace(log_every_n_steps=0, global_step=0, max_steps=-1)
        module.log = module.log_dict = lambda *_, **__: None
        return module

    return make


def test_clmr_is_nt_xent(system):
    """Eq. 1 of Spijkervet & Burgoyne 2021, l(i, j) over both orders of each pair of views."""
    module, batch = system(lambda dim: MLP(dim, 8, 6), Cosine(0.5)), batch_of(5)
    with torch.no_grad():
        z = module.projection(module.encoder(batch.audio.flatten(0, 1))).double()

    def similar(a, b):
        return float(a @ b / (a.norm() * b.norm()))

    total = 0.0
    for i in range(10):
        j = i + 1 if i % 2 == 0 else i - 1  # the other view of the clip
        others = [math.exp(similar(z[i], z[k]) / 0.5) for k in range(10) if k != i]
        total -= math.log(math.exp(similar(z[i], z[j]) / 0.5) / sum(others))
    assert module.training_step(batch, 0)["loss"].item() == pytest.approx(total / 10, rel=1e-5)


def test_cola_is_cross_entropy_over_the_other_crops(system):
    """Eq. 2 of Saeed et al. 2021: the first crops are anchors, the second ones of all clips the candidates."""
    module = system(lambda dim: LinearTanh(dim, 6), Bilinear(6), pairing=Pairing([0], [1]))
    batch = batch_of(5)
    with torch.no_grad():
        g = module.projection(module.encoder(batch.audio.flatten(0, 1))).double()
        anchors, others, w = g[0::2], g[1::2], module.similarity.weight.double()
    total = 0.0
    for i in range(5):
        scores = [math.exp(anchors[i] @ w @ others[k]) for k in range(5)]
        total -= math.log(scores[i] / sum(scores))
    assert module.training_step(batch, 0)["loss"].item() == pytest.approx(total / 5, rel=1e-5)


def test_colas_other_order_is_not_trained_on(system):
    """Second crops are no anchors: what the loss of a clip depends on is its own first crop and all second ones."""
    module = system(lambda dim: LinearTanh(dim, 6), Bilinear(6), pairing=Pairing([0], [1]))
    batch = batch_of(3)
    audio = batch.audio.clone().requires_grad_()
    views = module._views(batch, module.projection(module.encoder(audio.flatten(0, 1))))
    loss = module._rows(views, 2)[0].loss
    (gradient,) = torch.autograd.grad(loss[1], audio)
    heard = gradient.abs().sum(dim=(2, 3)) > 0
    assert heard.tolist() == [[False, True], [True, True], [False, True]]


def test_views_that_are_paired_must_be_there(system):
    assert system(lambda dim: MLP(dim, 8, 6), Cosine(0.5)).least_views == 2
    assert system(lambda dim: MLP(dim, 8, 6), Cosine(0.5), pairing=Pairing([0], [3])).least_views == 4


def test_an_encoder_out_of_a_checkpoint_goes_on_learning(tiny_encoder):
    module = Contrastive(tiny_encoder().eval(), lambda dim: MLP(dim, 8, 6), Cosine(0.5))
    assert all(part.training for part in module.modules())


def test_all_its_parameters_learn(system):
    module = system(lambda dim: LinearTanh(dim, 6), Bilinear(6), pairing=Pairing([0], [1])).train()
    module.training_step(batch_of(4), 0)["loss"].backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in module.similarity.parameters())
    assert all(parameter.grad is not None for parameter in module.parameters())


def built(name, *options):
    class Built(Pretrain):
        def instantiate_trainer(self, **kwargs):
            return None

    return Built([f"--config={CONFIG / name}.yaml", *options])


def test_the_config_of_clmr():
    command = built("clmr")
    model, data = command.model, command.datamodule
    assert (model.similarity.temperature, model.projection[2].out_features, model.pairing.anchors) == (0.5, 64, None)
    assert command.config["model.optimizer.init_args.lr"] == 3e-4
    assert (data.length, data.sample_rate, data.batch_size, data.views) == (59535, 22050, 48, 2)
    assert data.view_layout == "independent"
    names = [type(each).__name__ for each in data.chain]
    assert names == ["PolarityInversion", "WhiteNoise", "Gain", "Filtering", "Delay", "PitchShift", "Reverb"]
    assert data.request.sl_task is None


def test_the_config_of_cola():
    command = built("cola")
    model, data = command.model, command.datamodule
    assert type(model.encoder).__name__ == "EfficientNetB0"
    assert (type(model.projection).__name__, model.projection[0].in_features) == ("LinearTanh", 1280)
    assert (model.similarity.weight.shape, model.pairing.anchors, model.pairing.candidates) == ((512, 512), [0], [1])
    assert (data.length, data.sample_rate, len(list(data.chain))) == (16000, 16000, 0)


def test_the_configs_of_the_multi_format_system():
    audio, mel = built("multi_format_audio"), built("multi_format_mel")
    assert [type(each.model.encoder).__name__ for each in (audio, mel)] == ["SampleCNN", "ResNet18"]
    for each in (audio, mel):
        assert each.model.similarity.temperature == 0.5
        assert each.config["model.optimizer.init_args.weight_decay"] == 1e-6
        assert each.datamodule.length == 2 * 59_049 + 90
    assert len(list(audio.datamodule.chain)) == 4
    assert len(list(mel.datamodule.chain)) == 0
    assert len(mel.model.encoder.log_mel.augment) == 3
