import copy
import json
import pickle
import warnings

import numpy as np
import pytest
import torch
from torch import nn

from semisupcon.encoders import MFCC, Encoder, SampleCNN, build
from semisupcon.encoders.base import Origin
from semisupcon.errors import UserError


class Pair(Encoder):
    """Two encoders side by side, with every kind of constructor argument."""

    def __init__(self, left, others, scale=1.0, options=None, **more):
        super().__init__()
        self.left, self.others = left, nn.ModuleList(others)
        self.sample_rate, self.dim, self.receptive_field = left.sample_rate, left.dim, 10
        self.scale, self.options, self.more = scale, options, more

    def forward(self, audio):
        return self.left(audio) * self.scale


class Anything(Encoder):
    def __init__(self, thing=None):
        super().__init__()


class Starred(Encoder):
    def __init__(self, *things):
        super().__init__()


def small(**kwargs):
    return SampleCNN(channels=(4, 4), out=6, stem=3, **kwargs)


def test_spec_holds_every_argument_defaults_included_and_survives_json():
    spec = SampleCNN(16000, out=6, channels=(4, 4)).spec
    assert spec == {
        "class_path": "semisupcon.encoders.samplecnn.SampleCNN",
        "init_args": {"sample_rate": 16000, "channels": [4, 4], "out": 6, "stem": 128, "dropout": 0.0},
    }
    assert json.loads(json.dumps(spec)) == spec


def test_build_undoes_spec_and_takes_the_weights():
    encoder = small().eval()
    again = build(json.loads(json.dumps(encoder.spec))).eval()
    again.load_state_dict(encoder.state_dict())
    audio = torch.randn(2, 1, 60)
    assert torch.equal(encoder(audio), again(audio))


def test_spec_survives_copy_and_pickle():
    for encoder in (small(), Pair(small(), [MFCC()])):  # Pair cannot be made without arguments, as unpickling does
        assert copy.deepcopy(encoder).spec == encoder.spec
        assert pickle.loads(pickle.dumps(encoder)).spec == encoder.spec


def test_nested_encoders_become_nested_specs():
    encoder = Pair(small(), [MFCC(8000)], options={"a": [1, None]}, extra="x")
    args = encoder.spec["init_args"]
    assert args["left"] == small().spec
    assert args["others"] == [MFCC(8000).spec]
    assert args["extra"] == "x"
    again = build(encoder.spec)
    assert isinstance(again, Pair)
    assert isinstance(again.others[0], MFCC)
    assert again.options == {"a": [1, None]}
    assert again.spec == encoder.spec


def test_spec_is_not_changed_through_what_it_returned_or_was_given():
    channels = [4, 4]
    encoder = SampleCNN(channels=channels, out=6, stem=3)
    channels.append(9)
    encoder.spec["init_args"]["channels"].append(9)
    assert encoder.spec["init_args"]["channels"] == [4, 4]


@pytest.mark.parametrize("thing", [torch.zeros(1), len, np.float64(1.0), nn.Linear(1, 1), [object()]])
def test_an_argument_that_no_checkpoint_can_hold_is_named_when_the_spec_is_asked_for(thing):
    encoder = Anything(thing)
    with pytest.raises(TypeError, match=r"Anything: the argument thing is a \w+"):
        _ = encoder.spec


def test_arguments_without_a_keyword_cannot_be_described():
    with pytest.raises(TypeError, match="argument things has no keyword"):
        _ = Starred(1).spec


def test_a_misspelt_argument_is_the_constructors_own_error():
    with pytest.raises(TypeError, match="chanels"):
        SampleCNN(chanels=(4,))


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (
            {"class_path": "torch.nn.Linear", "init_args": {}},
            r"'torch.nn.Linear' is the class torch.*Linear, not a sub",
        ),
        ({"class_path": "semisupcon.encoders.build"}, "is a function, not a subclass"),
        ({"class_path": "semisupcon.encoders.SampleNN"}, "cannot be imported"),
        ({"class_path": "no_such_package.Net"}, "cannot be imported: No module named 'no_such_package'"),
        ({"class_path": "Net"}, "cannot be imported"),
        (
            {"class_path": "semisupcon.encoders.SampleCNN", "init_args": {"wide": 1}},
            "'wide'; it takes sample_rate, cha",
        ),
        ({"class_path": "semisupcon.encoders.SampleCNN", "init": {}}, "described by class_path and init_args; found"),
        ("SampleCNN", "described by class_path and init_args; found 'SampleCNN'"),
    ],
)
def test_build_refuses_what_is_no_encoder_and_says_what_it_was(spec, message):
    with pytest.raises(UserError, match=message):
        build(spec)


def test_short_audio_is_padded_at_the_end_and_said_once(monkeypatch):
    monkeypatch.setattr("semisupcon.encoders.base._warned", set())
    encoder = SampleCNN(16000, channels=(4,) * 9, out=6, stem=3).eval()
    audio = torch.randn(2, 1, 43200)  # 2.7 s at 16 kHz
    with pytest.warns(UserWarning, match=r"59049 samples \(3.69 s at 16000 Hz\) and was given 43200 \(2.70 s\)"):
        padded = encoder.padded(audio)
    assert padded.shape == (2, 1, 59049)
    assert torch.equal(padded[..., :43200], audio)
    assert not padded[..., 43200:].any()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert encoder(audio).shape == (2, 6)  # not said again
        long = torch.randn(1, 1, 59050)
        assert encoder.padded(long) is long


@pytest.mark.parametrize("shape", [(100,), (2, 100), (2, 2, 100)])
def test_audio_of_another_shape_is_refused(shape):
    with pytest.raises(ValueError, match=r"shape \(N, 1, T\), not"):
        small()(torch.zeros(shape))


def test_an_encoder_without_frames_says_so():
    with pytest.raises(UserError, match="MFCC embeds a whole clip and has no frames"):
        MFCC().frames(torch.zeros(1, 1, 4096))


def test_frames_lie_a_hop_apart_and_stand_for_the_middle_of_what_they_cover():
    encoder = small()
    assert (encoder.receptive_field, encoder.hop) == (27, 27)
    assert encoder.frame_centres(3).tolist() == [13.5, 40.5, 67.5]
    encoder.hop = 10  # overlapping frames
    assert encoder.frame_centres(3).tolist() == [13.5, 23.5, 33.5]
    with pytest.raises(UserError, match=r"MFCC does not say where its frames lie \(no hop\)"):
        MFCC().frame_centres(1)


def test_origins_are_its_own_or_those_of_the_encoders_in_it():
    left, right = small(), small()
    both = Pair(left, [right])
    assert both.origins() == []
    right.origin = Origin("right.ckpt", 5)
    assert both.origins() == [Origin("right.ckpt", 5)]
    left.origin = Origin("left.ckpt", None)
    assert both.origins() == [Origin("left.ckpt", None), Origin("right.ckpt", 5)]
    both.origin = Origin("both.ckpt", 7)
    assert both.origins() == [Origin("both.ckpt", 7)]
    assert build(both.spec).origins() == []
