"""Embeddings of tracks are what their definition says, however they are batched and decoded."""

from pathlib import Path

import badfiles
import numpy as np
import pytest
import soundfile
import torch
from torch import nn

from semisupcon.downstream.embed import Embeddings
from semisupcon.embed import Embedder, TrackEmbedding
from semisupcon.encoders.base import Encoder
from semisupcon.errors import BadAudio, UserError
from semisupcon.inference.inputs import find

RATE, T = 8000, 400


def equal(ours: TrackEmbedding, theirs: TrackEmbedding) -> bool:
    return (
        all((getattr(ours, name) == getattr(theirs, name)).all() for name in ("mean", "segments", "starts"))
        and ours.seconds == theirs.seconds
    )


def test_three_lines_are_enough(saved, music, reference, tiny_encoder):
    embedder = Embedder(saved())
    track = embedder(music / "c.mp3")

    expected = reference(tiny_encoder(), music / "c.mp3")
    assert track.mean.shape == (8,)
    assert track.mean.dtype == track.segments.dtype == np.float32
    np.testing.assert_allclose(track.segments, expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize("num_workers", [0, 2])
@pytest.mark.parametrize("batch_size", [1, 3, 64])
def test_every_format_and_length_gives_what_the_definition_says(
    saved, music, reference, tiny_encoder, num_workers, batch_size
):
    found = dict(Embedder(saved(), "cpu", batch_size).tracks(music, num_workers))

    assert list(found) == [
        *("a/low.flac", "a/stereo.wav", "b.ogg", "c.mp3", "one.wav", "one_more.wav", "short.wav"),
    ]
    for name, track in found.items():
        expected = reference(tiny_encoder(), music / name)
        np.testing.assert_allclose(track.segments, expected, atol=1e-6, rtol=0)
        rows = Embeddings(track.segments, np.zeros(len(track.segments), np.int64))
        assert (track.mean == rows.means()[0][0]).all()


def test_segments_start_one_after_another_and_the_last_ends_with_the_track(saved, music):
    found = dict(Embedder(saved()).tracks(music, num_workers=0))

    assert found["short.wav"].starts.tolist() == [0]
    assert found["short.wav"].seconds == T / 2 / RATE
    assert found["one.wav"].starts.tolist() == [0]
    assert found["one_more.wav"].starts.tolist() == [0, 1 / RATE]
    assert found["a/low.flac"].starts.tolist() == [*(n * T / RATE for n in range(7)), (2900 - T) / RATE]
    for track in found.values():
        assert track.starts.dtype == np.float64
        assert track.starts[-1] == pytest.approx(max(0, track.seconds - T / RATE))


def test_a_hop_gives_the_segments_in_between_too(saved, music):
    plain = Embedder(saved())(music / "a/low.flac")
    hopped = Embedder(saved(), hop=T / 4 / RATE)(music / "a/low.flac")

    assert hopped.starts.tolist() == [n * T / 4 / RATE for n in range(26)]
    np.testing.assert_allclose(hopped.segments[0:25:4], plain.segments[:7], atol=1e-6, rtol=0)


def test_the_length_is_that_of_the_training_unless_given(saved, music, tiny_encoder):
    assert Embedder(saved()).length == T
    assert Embedder(saved(samples=None)).length == round(2.7 * RATE)
    assert Embedder(tiny_encoder()).length == round(2.7 * RATE)
    assert Embedder(saved(), length=0.1).length == 800
    assert Embedder(saved(), length=0.1).hop == 800
    assert len(Embedder(saved(), length=0.1)(music / "a/low.flac").segments) == 4


class Watching(Encoder):
    """An encoder that notes how many examples it gets, and the state it runs in."""

    def __init__(self) -> None:
        super().__init__()
        self.sample_rate, self.dim, self.receptive_field = RATE, 2, 1
        self.norm = nn.BatchNorm1d(2)
        self.seen: list[tuple[int, bool, bool, bool, torch.dtype]] = []

    def forward(self, audio):
        modes = self.training, torch.is_inference_mode_enabled(), torch.is_autocast_enabled("cpu")
        self.seen.append((len(audio), *modes, audio.dtype))
        return self.norm(torch.cat([audio.amax(-1), audio.amin(-1)], 1)).to(torch.float64)


def test_short_tracks_share_batches_and_long_ones_are_split(many):
    encoder = Watching()
    found = dict(Embedder(encoder, length=T / RATE, batch_size=8).tracks(many, num_workers=0))

    total = sum(len(track.segments) for track in found.values() if isinstance(track, TrackEmbedding))
    assert [count for count, *_ in encoder.seen] == [8] * (total // 8) + [total % 8]


def test_the_encoder_is_in_eval_mode_without_gradients_in_float32(many):
    encoder = Watching().train()
    embedder = Embedder(encoder)
    embedder(many / "00.wav")
    encoder.train()  # by somebody who goes on with it
    with torch.autocast("cpu", torch.bfloat16):
        track = embedder(many / "00.wav")

    assert [each[1:] for each in encoder.seen] == [(False, True, False, torch.float32)] * 2
    assert track.mean.dtype == track.segments.dtype == np.float32


def test_an_encoder_serves_in_place_of_its_checkpoint(saved, music, tiny_encoder):
    assert equal(Embedder(tiny_encoder(), length=T / RATE)(music / "b.ogg"), Embedder(saved())(music / "b.ogg"))


def test_bad_files_come_in_their_place_with_the_reason(saved, tmp_path):
    good = badfiles.good(tmp_path / "music", 2)
    bad = badfiles.unusable(tmp_path / "bad")
    inputs = [good[0], *bad.values(), good[1]]
    del inputs[inputs.index(bad["folder"])]

    found = list(Embedder(saved()).tracks(inputs, num_workers=1))

    assert [name for name, _ in found] == [str(path) for path in inputs]
    assert [type(each) for _, each in found] == [TrackEmbedding, *[BadAudio] * (len(inputs) - 2), TrackEmbedding]
    reasons = {Path(name).name: each.reason for name, each in found[1:-1]}
    assert reasons["zero_bytes.wav"] == "is empty (0 bytes)"
    assert reasons["nan.wav"] == "holds NaN or infinite samples"
    assert reasons["missing.wav"] == "cannot be read (No such file or directory)"


def test_a_single_bad_file_raises(saved, tmp_path):
    with pytest.raises(BadAudio, match="No such file"):
        Embedder(saved())(tmp_path / "nowhere.wav")


def test_tracks_may_be_left_in_the_middle(saved, many):
    tracks = Embedder(saved(), batch_size=4).tracks(many, num_workers=2)
    assert next(tracks)[0] == "00.wav"
    tracks.close()


def test_samples_in_memory_give_what_their_file_gives(saved, music):
    embedder = Embedder(saved())
    exact, rate = soundfile.read(music / "a/low.flac", dtype="int16")
    floats, _ = soundfile.read(music / "a/low.flac", dtype="float64")

    expected = embedder(music / "a/low.flac")

    assert equal(embedder.array(exact, rate), expected)
    assert equal(embedder.array(floats, rate), expected)
    assert equal(embedder.array(floats.astype(np.float32), rate), expected)


def test_samples_in_memory_are_resampled_as_a_file_is(saved, music):
    embedder = Embedder(saved())
    sound, rate = soundfile.read(music / "b.ogg")

    ours, theirs = embedder.array(sound, rate), embedder(music / "b.ogg")

    assert ours.seconds == theirs.seconds
    np.testing.assert_allclose(ours.segments, theirs.segments, atol=1e-3)


def test_samples_in_memory_are_not_changed(saved):
    for sound in (
        np.linspace(-2, 2, 1000),
        np.linspace(-1, 1, 1000, dtype=np.float32),
        np.arange(1000, dtype=np.int16),
    ):
        kept = sound.copy()
        Embedder(saved()).array(sound, RATE)
        assert (sound == kept).all()


@pytest.mark.parametrize(
    ("samples", "rate", "said"),
    [
        (np.zeros((2, 100)), RATE, "(2, 100)"),
        (np.zeros(0), RATE, "(0,)"),
        (np.zeros(100, np.int32), RATE, "int32"),
        (np.full(100, np.nan), RATE, "NaN"),
        (np.zeros(100), 0, "rate=0"),
        (np.zeros(1), 10**6, "none at 8,000 Hz"),
    ],
)
def test_what_is_no_audio_in_memory_is_said(saved, samples, rate, said):
    with pytest.raises(UserError) as error:
        Embedder(saved()).array(samples, rate)
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"device": "gpu"}, "device=gpu: there is no such kind of device"),
        ({"device": "cuda:77"}, "device=cuda:77: cannot be used"),
        ({"batch_size": 0}, "batch_size=0"),
        ({"length": 0.0}, "length=0.0"),
        ({"hop": float("nan")}, "hop=nan"),
    ],
)
def test_what_cannot_be_is_said(saved, options, said):
    with pytest.raises(UserError) as error:
        Embedder(saved(), **options)
    assert str(error.value).startswith(said)


@pytest.mark.parametrize("batch_size", [4, 7])
def test_what_comes_behind_others_is_the_same_to_the_last_bit_without_them(saved, many, tmp_path, batch_size):
    embedder = Embedder(saved(), batch_size=batch_size)
    found = find([many])
    whole = list(embedder.results(found, 0, str(tmp_path)))

    before = 0
    for done in range(len(found)):
        rest = list(embedder.results(found[done:], 0, str(tmp_path), before))
        for ours, theirs in zip(rest, whole[done:], strict=True):
            assert isinstance(ours, BadAudio) or equal(ours, theirs)
        before += 0 if isinstance(whole[done], BadAudio) else len(whole[done].segments)
