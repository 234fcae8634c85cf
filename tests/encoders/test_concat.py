"""Encoders side by side: each part is what its encoder gives alone."""

import re

import pytest
import torch

from semisupcon.encoders import MFCC, Concat, Encoder, ResNet18, SampleCNN, build
from semisupcon.errors import UserError


def small(blocks=2, out=6, **options):
    return SampleCNN(channels=(4,) * blocks, out=out, stem=3, **options)


class Ticks(Encoder):
    """Frames as far apart as those of ``small``, but elsewhere."""

    def __init__(self):
        super().__init__()
        self.sample_rate, self.dim, self.receptive_field, self.hop = 22050, 1, 54, 27

    def forward(self, audio):
        return self.frames(audio).mean(dim=1)

    def frames(self, audio):
        return audio.unfold(-1, 54, 27).mean(-1).transpose(1, 2)


def test_an_embedding_is_those_of_the_encoders_one_behind_the_other():
    encoders = [small(3), MFCC(n_mfcc=5, n_fft=256, n_mels=16), small(out=2)]
    both = Concat(encoders).eval()
    assert (both.dim, both.parts, both.sample_rate, both.receptive_field) == (18, [6, 10, 2], 22050, 256)
    audio = torch.randn(4, 1, 700)
    parts = both(audio).split(both.parts, dim=-1)
    for part, encoder in zip(parts, encoders, strict=True):
        assert torch.equal(part, encoder(audio))


def test_an_encoder_that_needs_less_hears_no_padding():
    short, long = small(2), small(4)
    audio = torch.randn(3, 1, 100)  # 27 and 243 are needed
    both = Concat([short, long]).eval()
    with pytest.warns(UserWarning, match="SampleCNN needs 243 samples"):
        found = both(audio)
    assert torch.equal(found[:, :6], short(audio))
    assert torch.equal(found[:, 6:], long(torch.nn.functional.pad(audio, (0, 143))))


def test_different_sample_rates_are_refused_and_both_named():
    with pytest.raises(UserError, match="one sample rate, but found SampleCNN 22050 Hz, MFCC 8000 Hz"):
        Concat([small(), MFCC(8000)])
    with pytest.raises(UserError, match="the list of encoders is empty"):
        Concat([])


def test_frames_that_lie_at_the_same_moments_are_put_together():
    left, right = small(), small(out=2)
    both = Concat([left, right]).eval()
    audio = torch.randn(2, 1, 100)
    assert both.hop == 27
    assert torch.equal(both.frames(audio), torch.cat([left.frames(audio), right.frames(audio)], dim=-1))
    assert both.frame_centres(2).tolist() == [13.5, 40.5]


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (small(3), "SampleCNN 13.5 + 27 l, SampleCNN 40.5 + 81 l"),
        (MFCC(), "SampleCNN 13.5 + 27 l, MFCC none"),
        (Ticks(), "SampleCNN 13.5 + 27 l, Ticks 27 + 27 l"),
    ],
    ids=["other hop", "no frames", "other moments"],
)
def test_frames_at_other_moments_are_refused(other, said):
    both = Concat([small(), other])
    for ask in (lambda: both.frames(torch.zeros(1, 1, 5000)), lambda: both.frame_centres(3)):
        with pytest.raises(UserError, match=re.escape(said)):
            ask()


def test_it_can_be_built_from_its_spec_which_holds_those_of_its_encoders():
    both = Concat([small(), small(out=2, dropout=0.25)])
    again = build(both.spec)
    assert [encoder["class_path"] for encoder in both.spec["init_args"]["encoders"]] == [
        "semisupcon.encoders.samplecnn.SampleCNN"
    ] * 2
    assert again.spec == both.spec
    again.load_state_dict(both.state_dict())
    audio = torch.randn(2, 1, 60)
    assert torch.equal(again.eval()(audio), both.eval()(audio))


def test_a_concatenation_of_concatenations_is_one():
    nested = Concat([Concat([small(), small(out=2)]), small(3)])
    assert nested.parts == [8, 6]
    assert build(nested.spec).spec == nested.spec


def test_waveform_and_spectrogram_as_in_the_multi_format_report():
    both = Concat([SampleCNN(), ResNet18()])
    assert (both.parts, both.dim, both.receptive_field) == ([512, 512], 1024, 3**10)
