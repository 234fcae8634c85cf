"""The projection head comes out of a checkpoint as it went in, by what the file says or by its weights."""

import functools
import os

import numpy as np
import pytest
import torch
from commandline import ROOT, SMALL
from pytorch_lightning import Trainer
from torch import nn

from semisupcon import checkpoint
from semisupcon.encoders import CPC
from semisupcon.errors import UserError
from semisupcon.objectives.projection import MLP, LinearTanh
from semisupcon.objectives.similarity import Bilinear, Cosine
from semisupcon.projection import described, held, projected
from semisupcon.training.cli import Pretrain
from semisupcon.training.contrastive import Contrastive
from semisupcon.training.predictive import Predictive

MLP_PATH = "semisupcon.objectives.projection.MLP"


class Normed(nn.Module):
    """A user's own head, with statistics and an argument that no weight tells of."""

    def __init__(self, dim, sizes=(4,), power: float = 1.0, **more):
        super().__init__()
        self.layer, self.norm, self.power, self.more = nn.Linear(dim, sizes[0]), nn.BatchNorm1d(sizes[0]), power, more

    def forward(self, embedding):
        return self.norm(self.layer(embedding)) * self.power


class Bare(MLP):
    """Weights as an MLP has them, but another function."""

    def forward(self, embedding):
        return -super().forward(embedding)


@pytest.fixture
def saved(tmp_path):
    """A function that writes the checkpoint that Lightning would, changed by what it is given."""

    def save(module, **changes):
        content = {"state_dict": module.state_dict(), "global_step": 3}
        module.on_save_checkpoint(content)
        content[checkpoint.KEY] |= changes
        torch.save(content, tmp_path / "last.ckpt")
        return tmp_path / "last.ckpt"

    return save


def contrastive(encoder, projection, similarity=None):
    """A module whose head is not as it was drawn: its statistics were moved."""
    module = Contrastive(encoder, projection, similarity or Cosine(0.1))
    with torch.no_grad():
        module.projection(torch.randn(7, encoder.dim) + 1)
    return module


def same(found, head, dim=8):
    rows = torch.randn(5, dim)
    assert type(found) is type(head)
    assert not found.training
    assert list(found.state_dict()) == list(head.state_dict())
    with torch.no_grad():
        assert torch.equal(found(rows), head.eval()(rows))


@pytest.mark.parametrize(
    "factory",
    [
        MLP,
        functools.partial(MLP, hidden=5, out=3, bias=True),
        functools.partial(LinearTanh, out=6),
        functools.partial(Normed, sizes=(3,), power=np.float64(2.5), extra=[1]),
        functools.partial(nn.Linear, out_features=4),
    ],
)
def test_a_head_is_built_from_what_the_checkpoint_says(saved, tiny_encoder, factory):
    module = contrastive(tiny_encoder(), factory)
    path = saved(module)
    head, reason = held(path)
    assert reason == ""
    same(head, module.projection)
    assert torch.load(path, weights_only=True)[checkpoint.KEY]["projection"]["init_args"] is not None
    checkpoint.pretrained(path)  # the encoder beside it is as it was


def test_all_arguments_are_said_with_their_defaults():
    factory = functools.partial(MLP, out=3)
    assert described(factory, 8, factory(8)) == {
        "class_path": MLP_PATH,
        "init_args": {"dim": 8, "hidden": 512, "out": 3, "bias": False},
    }
    factory = functools.partial(Normed, sizes=(3,), power=np.float64(2.5), extra=[1])
    args = described(factory, 8, factory(8))["init_args"]
    assert args == {"dim": 8, "sizes": [3], "power": 2.5, "extra": [1]}
    assert type(args["power"]) is float  # torch.load(weights_only=True) refuses numpy's


@pytest.mark.parametrize(
    ("head", "args"),
    [(MLP_PATH, ["hidden=7", "out=4"]), ("torch.nn.Linear", ["out_features=4"])],
    ids=["MLP", "Linear"],
)
def test_a_head_by_the_command_line(saved, head, args, monkeypatch):
    class Built(Pretrain):
        def instantiate_trainer(self, **kwargs):
            return None

    monkeypatch.chdir(ROOT)
    options = [option for option in SMALL if "projection" not in option]
    options += [f"--model.projection.class_path={head}", *(f"--model.projection.init_args.{arg}" for arg in args)]
    model = Built(["--config=config/pretraining/pretrain_ssl.yaml", *options]).model
    path = saved(model)
    assert torch.load(path, weights_only=True)[checkpoint.KEY]["projection"]["init_args"] is not None
    same(projected(path), model.projection)


@pytest.mark.parametrize(
    "factory",
    [lambda dim: MLP(dim, 5, 3), lambda dim: MLP(dim, 8, 8, bias=True), lambda dim: LinearTanh(dim, 6)],
)
@pytest.mark.parametrize("older", [False, True])
def test_a_shipped_head_is_told_by_its_weights(saved, tiny_encoder, factory, older):
    module = contrastive(tiny_encoder(), factory)
    path = saved(module)
    assert torch.load(path, weights_only=True)[checkpoint.KEY]["projection"]["init_args"] is None
    content = checkpoint.load(path)
    if older:
        del content[checkpoint.KEY]["projection"]
    head, reason = held(path, content)
    assert reason == ""
    same(head, module.projection)


def test_colas_head_and_that_of_a_predictive_system(saved, tiny_encoder):
    module = contrastive(tiny_encoder(), functools.partial(LinearTanh, out=6), Bilinear(6))
    same(projected(saved(module)), module.projection)
    head, reason = held(saved(Predictive(CPC(sample_rate=8000, channels=8, dim=8), steps=2)))
    assert head is None
    assert "last.ckpt: holds no projection head" in reason


@pytest.mark.parametrize("factory", [lambda dim: Bare(dim, 5, 3), lambda dim: Normed(dim), lambda dim: nn.Identity()])
def test_an_own_head_out_of_a_function_is_not_guessed_at(saved, tiny_encoder, factory):
    module = contrastive(tiny_encoder(), factory)
    head, reason = held(saved(module))
    assert head is None
    assert f"its projection head, {type(module.projection).__module__}.{type(module.projection).__qualname__}" in reason


@pytest.mark.parametrize(
    "layers",
    [
        [nn.Linear(8, 4), nn.ReLU(), nn.LayerNorm(4)],
        [nn.Linear(8, 4), nn.ReLU(), nn.Linear(4, 4, bias=False)],
        [nn.Linear(8, 4), nn.ReLU(), nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4)],
        [nn.Linear(8, 4)],
    ],
)
def test_weights_of_no_shipped_head_are_shown(saved, tiny_encoder, layers):
    path = saved(contrastive(tiny_encoder(), lambda dim: nn.Sequential(*layers)))
    content = checkpoint.load(path)
    del content[checkpoint.KEY]["projection"]
    head, reason = held(path, content)
    assert head is None
    assert "(weights: 0.weight (4, 8)" in reason


class Picky(nn.Module):
    """Takes an argument that is no plain value."""

    def __init__(self, dim, activation):
        super().__init__()
        self.layer = nn.Linear(dim, 2)


def test_an_argument_that_is_no_plain_value_is_not_pickled(saved, tiny_encoder):
    path = saved(Contrastive(tiny_encoder(), functools.partial(Picky, activation=nn.ReLU), Cosine(0.1)))
    assert torch.load(path, weights_only=True)[checkpoint.KEY]["projection"]["init_args"] is None
    assert projected(path) is None


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"class_path": "os.system", "init_args": {"command": "true"}}, "os.system is no subclass of torch.nn.Module"),
        ({"class_path": "os.PathLike", "init_args": {}}, "os.PathLike is no subclass of torch.nn.Module"),
        ({"class_path": "nowhere.Head", "init_args": {}}, "nowhere.Head cannot be imported"),
        ({"class_path": "Head", "init_args": {}}, "Head cannot be imported"),
        ({"class_path": MLP_PATH, "init_args": {"dim": 8, "depth": 2}}, r"MLP: .*'depth'; it was given {'dim': 8"),
        ({"class_path": MLP_PATH, "init_args": {"dim": 8, "hidden": 5, "out": 4}}, "do not fit MLP"),
        ("MLP", "describes its projection head by 'MLP'"),
        ({"init_args": {}}, "describes its projection head by"),
    ],
)
def test_what_cannot_be_built_is_refused(saved, tiny_encoder, monkeypatch, said, message):
    ran = []
    monkeypatch.setattr(os, "system", ran.append)
    path = saved(contrastive(tiny_encoder(), functools.partial(MLP, hidden=5, out=3)), projection=said)
    with pytest.raises(UserError, match=message) as error:
        projected(path)
    assert str(error.value).startswith(str(path))
    assert not ran


def test_weights_that_do_not_fit_are_listed(saved, tiny_encoder):
    module = contrastive(tiny_encoder(), functools.partial(MLP, hidden=5, out=3))
    path = saved(
        module, projection={"class_path": MLP_PATH, "init_args": {"dim": 8, "hidden": 5, "out": 4, "bias": True}}
    )
    with pytest.raises(UserError) as error:
        projected(path)
    assert str(error.value).splitlines() == [
        f"{path}: its weights do not fit MLP (3 differences):",
        "  missing: 0.bias",
        "  missing: 2.bias",
        "  other shape: 2.weight is (3, 5), the projection has (4, 5)",
    ]


def test_a_checkpoint_that_lightning_wrote(tmp_path, tiny_encoder):
    module = contrastive(tiny_encoder(), functools.partial(MLP, hidden=5, out=3))
    trainer = Trainer(accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False)
    trainer.strategy.connect(module)
    trainer.save_checkpoint(tmp_path / "last.ckpt")
    same(projected(tmp_path / "last.ckpt"), module.projection)
