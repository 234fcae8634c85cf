"""What the tests of embedding need: a checkpoint of a small encoder, tracks of many formats, a plain reference."""

import itertools

import numpy as np
import pytest
import soundfile
import torch

from semisupcon import audio, checkpoint
from semisupcon.downstream.embed import encode
from semisupcon.loading.segments import segments

RATE = 8000
T = 400  # samples of a segment, 0.05 s


@pytest.fixture
def saved(tiny_encoder, tmp_path):
    """A function that saves a small encoder, by its seed, with the length of its views, and returns the path."""

    def save(seed=0, samples=T):
        encoder = tiny_encoder(seed)
        weights = {f"encoder.{key}": value for key, value in encoder.state_dict().items()}
        path = tmp_path / f"{seed}-{samples}.ckpt"
        torch.save({"state_dict": weights, checkpoint.KEY: checkpoint.describe(encoder, samples)}, path)
        return str(path)

    return save


@pytest.fixture(scope="session")
def track():
    """A function that writes noise into an audio file, whose suffix decides the format, and returns the path."""

    def write(path, frames, rate=RATE, channels=1, seed=0):
        path.parent.mkdir(parents=True, exist_ok=True)
        sound = 0.2 * np.random.default_rng(seed).standard_normal((frames, channels))
        soundfile.write(path, sound.clip(-1, 1), rate)
        return path

    return write


@pytest.fixture
def music(tmp_path, track):
    """A folder of seven tracks of several formats, rates, lengths and channels."""
    folder = tmp_path / "music"
    track(folder / "a" / "low.flac", 2900, seed=2)
    track(folder / "a" / "stereo.wav", 44100, 44100, 2, 1)
    track(folder / "b.ogg", 22050, 22050, 1, 3)
    track(folder / "c.mp3", 30000, 44100, 2, 4)
    track(folder / "one.wav", T, seed=6)
    track(folder / "one_more.wav", T + 1, seed=7)
    track(folder / "short.wav", T // 2, seed=5)
    return folder


@pytest.fixture
def many(tmp_path, track):
    """Thirty short tracks of one to four segments, two files without audio among them."""
    lengths = itertools.cycle((T - 100, 4 * T, 2 * T + 7, T, 3 * T - 1))
    for number, frames in zip(range(30), lengths, strict=False):
        track(tmp_path / "many" / f"{number:02}.wav", frames, seed=number)
    (tmp_path / "many" / "07.wav").write_bytes(b"")
    (tmp_path / "many" / "29.wav").write_text("no audio")
    return tmp_path / "many"


@pytest.fixture(scope="session")
def reference():
    """A function that embeds a file by definition: decoded as a whole, cut, and encoded in one go, (S, D)."""

    def embed(encoder, path, length=T):
        cut = segments(audio.decode(path, encoder.sample_rate).samples, length)
        return encode(encoder.eval(), torch.from_numpy(cut)[:, None]).numpy()

    return embed
