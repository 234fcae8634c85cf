"""What is compared: how it is named on the command line, and which encoder that is."""

import pytest
import torch

from semisupcon import checkpoint
from semisupcon.encoders import MFCC
from semisupcon.errors import UserError
from semisupcon.evaluation.subjects import parse


@pytest.fixture
def save(tmp_path):
    def write(encoder, name="ssl/last.ckpt", samples=243):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        state = {f"encoder.{key}": value for key, value in encoder.state_dict().items()}
        torch.save({"state_dict": state, checkpoint.KEY: checkpoint.describe(encoder, samples)}, path)
        return str(path)

    return write


def test_a_checkpoint_is_called_by_its_run_or_by_what_the_user_says(save, tiny_encoder):
    path = save(tiny_encoder(3))
    assert [subject.name for subject in parse([path])] == ["ssl"]
    [subject] = parse([f"mine={path}"])
    assert subject.name == "mine"
    encoder, samples = subject.load()
    assert samples == 243
    assert not encoder.training
    wanted = tiny_encoder(3).state_dict()
    assert all(torch.equal(value, wanted[name]) for name, value in encoder.state_dict().items())


def test_runs_of_a_method_share_its_name(save, tiny_encoder):
    one, two = save(tiny_encoder(1), "a/last.ckpt"), save(tiny_encoder(2), "b/last.ckpt")
    assert [(s.name, s.run, s.source) for s in parse([f"m={one},{two}"])] == [("m", 0, one), ("m", 1, two)]


def test_untrained_ones_have_the_architecture_and_weights_by_their_number(save, tiny_encoder):
    path = save(tiny_encoder(1))
    first, second, trained = parse([path], untrained=2)
    assert (first.name, second.run, trained.name) == ("untrained", 1, "ssl")
    assert first.fresh
    assert not trained.fresh
    before = torch.get_rng_state()
    weights = [subject.load()[0].state_dict()["layers.0.0.weight"] for subject in (first, second, first)]
    assert torch.equal(before, torch.get_rng_state())
    assert torch.equal(weights[0], weights[2])
    assert not torch.equal(weights[0], weights[1])
    assert "fresh weights" in first.says
    assert first.load()[0].origin is None


def test_several_encoders_side_by_side_and_a_class(save, tiny_encoder):
    one, two = save(tiny_encoder(1), "a/last.ckpt"), save(tiny_encoder(2), "b/last.ckpt", samples=486)
    both, mfcc = parse([f"both={one}+{two}", "semisupcon.encoders.MFCC"])
    encoder, samples = both.load()
    assert (encoder.dim, samples) == (16, 486)
    assert mfcc.name == "MFCC"
    assert mfcc.fresh
    assert isinstance(mfcc.load()[0], MFCC)


@pytest.mark.parametrize(
    ("given", "untrained", "said"),
    [
        ([], 0, "Nothing to evaluate"),
        (["nowhere/last.ckpt"], 0, "no such checkpoint"),
        (["=x"], 0, "NAME=FILE"),
        (["semisupcon.encoders.MFCC"], 1, "no checkpoint whose architecture"),
        (["a=semisupcon.encoders.MFCC", "a=semisupcon.encoders.MFCC"], 0, "Two encoders are called a"),
    ],
)
def test_what_cannot_be_meant_is_said(given, untrained, said):
    with pytest.raises(UserError, match=said):
        parse(given, untrained)
