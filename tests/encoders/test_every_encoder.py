"""What holds for every encoder of the package: one table pins their figures, and none may lack a row."""

import json
import math
import sys
import warnings
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import pytest
import torch

from semisupcon import encoders
from semisupcon.encoders import CPC, Concat, Encoder, ResNet18, SampleCNN, build
from semisupcon.errors import UserError


class Row(NamedTuple):
    """An encoder with its figures as it comes, and the arguments that make it quick.

    ``centre`` is the moment of its first frame in samples; ``hop`` 0 = it has no frames.
    """

    cls: type[Encoder]
    parameters: int
    dim: int
    sample_rate: int
    receptive_field: int
    hop: int
    centre: float
    quick: dict[str, Any]
    given: Mapping[str, Any] = MappingProxyType({})


MEL = {"n_fft": 256, "win_length": 64, "hop_length": 10, "n_mels": 16, "f_max": 4000.0}
CNN = {"channels": [4, 4, 4], "out": 6, "stem": 5}
CODES = {"channels": 4, "dim": 6, "filters": 5, "heads": 2, "feedforward": 7}
SINC = {"front": "sinc"}
TRANSFORMER = {"context": "transformer"}


def pair():
    return [SampleCNN(), ResNet18()]


def quick_pair():
    return [SampleCNN(**CNN), ResNet18(**MEL)]


ROWS = {
    "SampleCNN": Row(SampleCNN, 2_365_568, 512, 22050, 59049, 59049, 29524.5, CNN),
    "SampleCNNXL": Row(encoders.SampleCNNXL, 25_182_336, 2048, 22050, 59049, 59049, 29524.5, CNN),
    "TUNe": Row(
        encoders.TUNe, 2_217_469, 512, 22050, 19683, 19683, 9841.5, {"width": 2, "out": 6, "depth": 2, "tail": 2}
    ),
    "ResNet18": Row(ResNet18, 11_170_240, 512, 22050, 18432, 16384, 1024, MEL),
    "EfficientNetB0": Row(encoders.EfficientNetB0, 4_006_972, 1280, 16000, 5520, 5120, 200, MEL),
    "MFCC": Row(encoders.MFCC, 0, 40, 22050, 2048, 0, math.nan, {"n_fft": 256, "hop_length": 64, "n_mels": 20}),
    "SincNet": Row(encoders.SincNet, 770_880, 512, 16000, 2671, 1215, 1335.5, {"filters": 5, "channels": [4, 6]}),
    "CPC": Row(CPC, 5_847_040, 256, 16000, 465, 160, 232.5, CODES),
    "CPC-sinc": Row(CPC, 4_071_232, 256, 16000, 706, 160, 353, {**CODES, **SINC}, SINC),
    "CPC-transformer": Row(CPC, 6_702_592, 256, 16000, 465, 160, 232.5, {**CODES, **TRANSFORMER}, TRANSFORMER),
    "Concat": Row(
        Concat, 13_535_808, 1024, 22050, 59049, 0, math.nan, {"encoders": quick_pair}, given={"encoders": pair}
    ),
}


def make(cls, arguments):
    torch.manual_seed(0)
    return cls(**{name: value() if callable(value) else value for name, value in arguments.items()})


@pytest.fixture(params=ROWS)
def row(request):
    return ROWS[request.param]


@pytest.fixture
def encoder(row):
    """A quick one, with statistics as after some training."""
    encoder = make(row.cls, row.quick)
    with torch.no_grad():
        encoder(0.1 * torch.randn(8, 1, 2 * encoder.receptive_field))
    return encoder.eval()


def test_every_encoder_has_a_row():
    known = {getattr(encoders, name) for name in encoders.__all__}
    assert {row.cls for row in ROWS.values()} == {
        each for each in known if isinstance(each, type) and issubclass(each, Encoder) and each is not Encoder
    }


def test_its_figures(row):
    encoder = make(row.cls, row.given)
    assert sum(p.numel() for p in encoder.parameters()) == row.parameters
    found = (encoder.dim, encoder.sample_rate, encoder.receptive_field, encoder.hop)
    assert found == (row.dim, row.sample_rate, row.receptive_field, row.hop)
    assert all(type(number) is int for number in found)
    with torch.no_grad():
        assert encoder.eval()(torch.zeros(1, 1, encoder.receptive_field)).shape == (1, row.dim)
    if row.hop:
        assert encoder.frame_centres(3).tolist() == [row.centre + frame * row.hop for frame in range(3)]


@torch.no_grad()
@pytest.mark.parametrize("more", [0, 1, 17, 1000])
def test_it_takes_any_length_from_one_receptive_field_on(encoder, more):
    samples = encoder.receptive_field + more
    audio = 0.1 * torch.randn(3, 1, samples)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert encoder(audio).shape == (3, encoder.dim)
        if encoder.hop:
            frames = encoder.frames(audio)
            assert frames.shape == (3, frames.shape[1], encoder.dim)
            centres = encoder.frame_centres(frames.shape[1])
            assert centres[0] >= 0
            assert centres[-1] <= samples
            assert centres.diff().eq(encoder.hop).all()
            assert samples - centres[-1] < encoder.receptive_field / 2 + encoder.hop  # no room for another


def test_one_without_frames_says_so(encoder):
    if encoder.hop:
        return
    for ask in (lambda: encoder.frames(torch.zeros(1, 1, 5000)), lambda: encoder.frame_centres(1)):
        with pytest.raises(UserError, match="frames"):
            ask()


@torch.no_grad()
def test_shorter_audio_is_filled_up_and_said(encoder, monkeypatch):
    monkeypatch.setattr("semisupcon.encoders.base._warned", set())
    audio = 0.1 * torch.randn(2, 1, encoder.receptive_field - 7)
    with pytest.warns(UserWarning, match=rf"needs {encoder.receptive_field} samples .* the rest is filled with zeros"):
        found = encoder(audio)
    torch.testing.assert_close(found, encoder(torch.nn.functional.pad(audio, (0, 7))))


@torch.no_grad()
def test_it_can_be_built_from_what_it_says_of_itself(encoder):
    again = build(json.loads(json.dumps(encoder.spec)))
    assert type(again) is type(encoder)
    assert again.spec == encoder.spec
    again.load_state_dict(encoder.state_dict())
    audio = 0.1 * torch.randn(2, 1, encoder.receptive_field + 5)
    assert torch.equal(again.eval()(audio), encoder(audio))


def test_every_parameter_gets_a_gradient(encoder):
    """One that does not stops training on several devices."""
    for module in encoder.train().modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.ones_(
                module.weight
            )  # timm begins with zeros at the end of a block, which let nothing through
    audio = 0.1 * torch.randn(8, 1, 3 * encoder.receptive_field)
    loss = (encoder(audio) * torch.randn(8, encoder.dim)).sum()
    if loss.requires_grad:  # MFCC has nothing to train
        loss.backward()
    for name, parameter in encoder.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().max() > 0, name


@torch.no_grad()
@pytest.mark.parametrize("training", [False, True], ids=["eval", "train"])
def test_silence_and_full_scale_are_finite(encoder, training):
    noise = torch.randn(encoder.receptive_field).sign()
    audio = torch.stack([torch.zeros(encoder.receptive_field), noise, noise.abs()])[:, None]
    assert encoder.train(training)(audio).isfinite().all()


MINE = """
from torch import nn
from semisupcon.encoders import Encoder


class Mine(Encoder):
    def __init__(self, width: int = 4) -> None:
        super().__init__()
        self.sample_rate, self.dim, self.receptive_field = 8000, width, 16
        self.layer = nn.Conv1d(1, width, 16, 8)

    def forward(self, audio):
        return self.layer(self.padded(audio)).mean(-1)
"""


def test_a_users_own_by_class_path(tmp_path, monkeypatch):
    (tmp_path / "mine_of_mine.py").write_text(MINE)
    monkeypatch.syspath_prepend(tmp_path)
    mine = build({"class_path": "mine_of_mine.Mine", "init_args": {"width": 3}})
    assert mine.spec == {"class_path": "mine_of_mine.Mine", "init_args": {"width": 3}}
    assert mine(torch.zeros(2, 1, 20)).shape == (2, 3)
    with pytest.raises(UserError, match=r"Mine does not say where its frames lie \(no hop\).*set self.hop"):
        mine.frame_centres(1)
    both = Concat([mine, SampleCNN(8000, **CNN)])
    assert build(both.spec)(torch.zeros(2, 1, 100)).shape == (2, 9)
    del sys.modules["mine_of_mine"]
