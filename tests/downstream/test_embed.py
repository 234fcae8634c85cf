"""Embeddings of whole clips: what a plain loop gives, computed once; and the statistics of an untrained encoder."""

import importlib
import inspect
import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from semisupcon import audio
from semisupcon.batch import segments_at_once
from semisupcon.cache import cache_folder
from semisupcon.downstream import embed as embed_module
from semisupcon.downstream import kept
from semisupcon.downstream.embed import Embeddings, calibrate, embed, encode
from semisupcon.loading.reader import Reader
from semisupcon.loading.segments import WholeClips

CPU = torch.device("cpu")
T = 243


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SEMISUPCON_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def clips(tones, tmp_path):
    """Eleven files of 400 to 1,200 samples, at places of their own, so that a test may change them."""
    paths = []
    for number in range(11):
        paths.append(str(shutil.copy(tones[0] / f"train/{number:02d}.wav", tmp_path)))
    return WholeClips(Reader(np.array(paths), 8000), np.zeros((11, 2), np.float32), np.array([10, 0, 5, 3]), T, size=3)


@pytest.fixture
def forwards(monkeypatch):
    """Counts how often an encoder is run."""

    def watch(encoder):
        encoder.register_forward_hook(lambda *_: calls.append(1))
        return encoder

    calls: list[int] = []
    watch.calls = calls
    return watch


def _plain(encoder, clips):
    """One clip after another, one segment after another."""
    encoder.eval()
    segment, owner = [], []
    for row in clips.rows.tolist():
        sound = audio.read(str(clips.reader.paths[row]), 8000).astype(np.float32) / 32768
        starts = [*range(0, len(sound) - T, T), len(sound) - T] if len(sound) > T else [0]
        for start in starts:
            with torch.no_grad():
                segment.append(encoder(torch.from_numpy(sound[start : start + T])[None, None])[0].numpy())
            owner.append(row)
    return np.array(segment), np.array(owner)


def test_embeddings_are_those_of_a_plain_loop(clips, tiny_encoder):
    encoder = tiny_encoder()
    found = embed(encoder, clips, CPU, 0, "test")
    segment, owner = _plain(encoder, clips)
    np.testing.assert_allclose(found.segment, segment, atol=1e-6)
    np.testing.assert_array_equal(found.clip, owner)
    assert len(owner) > 10


def test_the_mean_of_each_clip_is_that_of_a_plain_loop(clips, tiny_encoder):
    found = embed(tiny_encoder(), clips, CPU, 0, "test")
    means, rows = found.means()
    assert rows.tolist() == [10, 0, 5, 3]
    for mean, row in zip(means, rows, strict=True):
        np.testing.assert_allclose(mean, found.segment[found.clip == row].mean(axis=0), atol=1e-6)


def test_no_clips_have_no_means():
    means, rows = Embeddings(np.zeros((0, 4), np.float32), np.zeros(0, np.int64)).means()
    assert (means.shape, rows.shape) == ((0, 4), (0,))


def test_a_second_call_does_not_run_the_encoder(clips, tiny_encoder, forwards):
    encoder = forwards(tiny_encoder())
    first = embed(encoder, clips, CPU, 0, "test")
    ran = len(forwards.calls)
    assert ran > 0
    again = embed(encoder, clips, CPU, 0, "test")
    assert len(forwards.calls) == ran
    np.testing.assert_array_equal(first.segment, again.segment)
    np.testing.assert_array_equal(first.clip, again.clip)
    assert again.bad == first.bad == ()
    embed(forwards(tiny_encoder()), clips, CPU, 0, "test")  # an equal encoder, built anew
    assert len(forwards.calls) == ran


@pytest.fixture
def own_encoder(tmp_path, monkeypatch):
    """A user's encoder, in a file of its own."""
    (tmp_path / "mine.py").write_text(
        "from semisupcon.encoders.samplecnn import SampleCNN\n\n\nclass Mine(SampleCNN):\n    pass\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "mine", raising=False)
    yield importlib.import_module("mine").Mine(sample_rate=8000, channels=[8, 8, 8, 8], out=8, stem=8)
    sys.modules.pop("mine", None)


def test_files_embedded_for_another_task_or_split_are_not_embedded_again(clips, tiny_encoder, forwards):
    encoder = forwards(tiny_encoder())
    whole = embed(encoder, clips, CPU, 0, "test")
    ran = len(forwards.calls)
    clips.rows = np.array([3, 10])
    part = embed(encoder, clips, CPU, 0, "train")
    assert len(forwards.calls) == ran
    assert part.clip.tolist() == [3] * (whole.clip == 3).sum() + [10] * (whole.clip == 10).sum()
    np.testing.assert_array_equal(part.segment[part.clip == 10], whole.segment[whole.clip == 10])
    clips.rows = np.array([7, 10, 8])
    embed(encoder, clips, CPU, 0, "val")
    assert len(forwards.calls) == ran + 1  # the two new ones, together


def test_an_embedding_that_is_stopped_keeps_what_it_had(clips, tiny_encoder, forwards, monkeypatch):
    monkeypatch.setattr(embed_module, "KEPT_AT_ONCE", 1)
    clips.size = 1
    whole = clips.reader.whole

    def stop(row):
        if row == 5:
            raise KeyboardInterrupt
        return whole(row)

    monkeypatch.setattr(clips.reader, "whole", stop)
    with pytest.raises(KeyboardInterrupt):
        embed(tiny_encoder(), clips, CPU, 0, "test")
    monkeypatch.setattr(clips.reader, "whole", whole)
    encoder = forwards(tiny_encoder())
    found = embed(encoder, clips, CPU, 0, "test")
    assert len(forwards.calls) == 2  # of 10, 0, 5, 3 the last two
    np.testing.assert_allclose(found.segment, _plain(tiny_encoder(), clips)[0], atol=1e-6)


def test_the_encoders_used_least_recently_go_when_the_cache_is_full(clips, tiny_encoder, monkeypatch):
    folder = cache_folder() / "embeddings"
    for age in range(4):
        (folder / f"{age}").mkdir(parents=True)
        (folder / f"{age}" / "a.npy").write_bytes(bytes(10_000))
        os.utime(folder / f"{age}", (1000 - age, 1000 - age))
    monkeypatch.setattr(kept, "BYTES", 25_000)
    embed(tiny_encoder(), clips, CPU, 0, "test")
    left = {path.name for path in folder.iterdir()}
    assert {"0", "1"} < left
    assert len(left) == 3
    monkeypatch.setattr(kept, "BYTES", 0)
    clips.length = T + 1
    before = left
    embed(tiny_encoder(), clips, CPU, 0, "test")
    [path] = folder.iterdir()  # never the one that is used
    assert path.name not in before


def test_the_encoder_runs_in_float32_within_autocast_too(tiny_encoder):
    encoder = tiny_encoder().eval()
    sound = torch.randn(3, 1, T)
    with torch.autocast("cpu", torch.bfloat16):
        found = encode(encoder, sound)
    assert found.dtype == torch.float32
    assert torch.equal(found, encode(encoder, sound))


def _weight(encoder, clips):
    with torch.no_grad():
        encoder.layers[0][0].weight[0, 0, 0] += 1e-6


def _statistics(encoder, clips):
    encoder.layers[0][1].running_mean[0] += 1e-6


def _rate(encoder, clips):
    clips.reader.sample_rate = 4000


def _length(encoder, clips):
    clips.length = T + 1


def _file(encoder, clips):
    path = Path(str(clips.reader.paths[10]))
    path.write_bytes(path.read_bytes()[:-2])


def _time(encoder, clips):
    os.utime(clips.reader.paths[10], ns=(0, 1))


def _another(encoder, clips):
    clips.reader.paths = clips.reader.paths.copy()
    clips.reader.paths[10] = clips.reader.paths[1]


def _version(encoder, clips):
    embed_module.CACHE_VERSION += 1


def _release(encoder, clips):
    embed_module.__version__ += ".1"


def _source(encoder, clips):
    """Its file is edited while the name, the arguments and the weights stay."""
    file = Path(inspect.getsourcefile(type(encoder)))
    file.write_text(file.read_text() + "\n# another forward pass\n")


@pytest.mark.parametrize(
    "change", [_weight, _statistics, _rate, _length, _file, _time, _another, _version, _release, _source]
)
def test_whatever_the_embeddings_depend_on_makes_them_anew(clips, forwards, own_encoder, monkeypatch, change):
    monkeypatch.setattr(embed_module, "CACHE_VERSION", embed_module.CACHE_VERSION)  # put back afterwards
    monkeypatch.setattr(embed_module, "__version__", embed_module.__version__)
    encoder = forwards(own_encoder)
    embed(encoder, clips, CPU, 0, "test")
    ran = len(forwards.calls)
    change(encoder, clips)
    found = embed(encoder, clips, CPU, 0, "test")
    assert len(forwards.calls) > ran
    assert set(found.clip.tolist()) == {10, 0, 5, 3}


@pytest.mark.parametrize("which", ["*.npy", "*.index.npz"])
@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut off", b"text"])
def test_a_broken_cache_file_is_made_anew(clips, tiny_encoder, content, which):
    first = embed(tiny_encoder(), clips, CPU, 0, "test")
    [file] = (cache_folder() / "embeddings").glob(f"*/{which}")
    file.write_bytes(content)
    np.testing.assert_array_equal(embed(tiny_encoder(), clips, CPU, 0, "test").segment, first.segment)
    assert len(list((cache_folder() / "embeddings").glob("*/*.index.npz"))) == 1


def test_broken_clips_are_named_from_the_cache_too_and_mended_ones_are_seen(clips, tiny_encoder):
    path = Path(str(clips.reader.paths[5]))
    whole = path.read_bytes()
    path.write_bytes(b"nothing")
    for _ in range(2):
        found = embed(tiny_encoder(), clips, CPU, 0, "test")
        assert 5 not in found.clip
        assert [name for name, _ in found.bad] == [str(path)]
    path.write_bytes(whole)
    assert 5 in embed(tiny_encoder(), clips, CPU, 0, "test").clip
    path.unlink()
    assert 5 not in embed(tiny_encoder(), clips, CPU, 0, "test").clip


def test_embedding_leaves_the_encoder_as_it_was(clips, tiny_encoder):
    encoder = tiny_encoder().train()
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    embed(encoder, clips, CPU, 0, "test")
    assert encoder.training
    assert all(torch.equal(value, before[name]) for name, value in encoder.state_dict().items())


def test_a_track_of_any_length_is_encoded_whole_some_segments_at_a_time(tiny_encoder):
    encoder = tiny_encoder().eval()
    sound = torch.randint(-32768, 32767, (2 * segments_at_once(CPU) + 3, 1, T), dtype=torch.int16)
    found = encode(encoder, sound)
    with torch.no_grad():
        torch.testing.assert_close(found, encoder(sound.float() / 32768), atol=1e-6, rtol=1e-5)
    assert encode(encoder, sound[:0]).shape == (0, 8)


def test_calibrated_statistics_of_one_batch_are_those_of_its_data(tiny_encoder):
    encoder = tiny_encoder()
    weights = [parameter.clone() for parameter in encoder.parameters()]
    batch = 3 * torch.randn(16, 1, 486) + 1
    calibrate(encoder, [batch], CPU)
    norms = [module for module in encoder.modules() if isinstance(module, nn.BatchNorm1d)]
    statistics = [(norm.running_mean.clone(), norm.running_var.clone()) for norm in norms]
    inputs = []
    for norm in norms:
        norm.train()  # as they were calibrated
        norm.register_forward_pre_hook(lambda _, given: inputs.append(given[0]))
    with torch.no_grad():
        encoder(batch)
    assert len(inputs) == 6
    for (mean, variance), given in zip(statistics, inputs, strict=True):
        torch.testing.assert_close(mean, given.mean(dim=(0, 2)), atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(variance, given.transpose(0, 1).flatten(1).var(dim=1), atol=1e-5, rtol=1e-4)
    assert all(torch.equal(now, before) for now, before in zip(encoder.parameters(), weights, strict=True))


def test_batches_of_equal_size_count_alike_whatever_was_there_before(tiny_encoder):
    batches = [scale * torch.randn(8, 1, 486) for scale in (1, 2, 5)]
    encoder = tiny_encoder()
    with torch.no_grad():
        encoder.train()(100 * torch.randn(8, 1, 486))  # statistics that must be forgotten
    momentum = [module.momentum for module in encoder.modules() if isinstance(module, nn.BatchNorm1d)]
    calibrate(encoder, batches, CPU)
    first = encoder.layers[0][1]
    stem = encoder.layers[0][0]
    with torch.no_grad():
        pooled = stem(torch.cat(batches))
    torch.testing.assert_close(first.running_mean, pooled.mean(dim=(0, 2)), atol=1e-6, rtol=1e-4)
    torch.testing.assert_close(
        first.running_var, pooled.transpose(0, 1).flatten(1).var(dim=1), rtol=0.02, atol=0
    )  # but for the means of the batches, which differ a little
    assert not encoder.training
    assert not any(module.training for module in encoder.modules())
    assert [module.momentum for module in encoder.modules() if isinstance(module, nn.BatchNorm1d)] == momentum


def test_a_batch_of_one_clip_of_one_frame_is_left_out(tiny_encoder):
    encoder = tiny_encoder()
    batch = torch.randn(4, 1, T)
    calibrate(encoder, [batch, torch.randn(1, 1, T)], CPU)
    alone = tiny_encoder()
    calibrate(alone, [batch], CPU)
    assert all(torch.equal(a, b) for a, b in zip(encoder.buffers(), alone.buffers(), strict=True))
