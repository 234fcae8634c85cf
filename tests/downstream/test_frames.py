"""Excerpts and their rolls lie where they say they lie; whole recordings are heard frame by frame, each once."""

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from semisupcon.downstream.frames import WINDOWS, Grid, NoteCrops, NotePieces
from semisupcon.downstream.rolls import roll
from semisupcon.encoders.base import Encoder
from semisupcon.errors import UserError
from semisupcon.loading.reader import Reader
from semisupcon.loading.sampler import Draws
from semisupcon.table import NOTE

RATE, T, HOP, FIELD = 8000, 400, 20, 60
PROGRAMS = (1, 41)


class Mean(Encoder):
    """Frame l is the mean of its samples, so that a frame is the same wherever the window lies about it."""

    def __init__(self) -> None:
        super().__init__()
        self.sample_rate, self.dim, self.receptive_field, self.hop = RATE, 1, FIELD, HOP

    def frames(self, audio):
        return self.padded(audio)[:, 0].unfold(-1, FIELD, HOP).mean(dim=-1, keepdim=True)


class Begun(Mean):
    """Frame l is sample l * HOP, and there are as many as begun: more than lie in the window."""

    def frames(self, audio):
        return self.padded(audio)[:, 0, ::HOP, None]


@pytest.fixture
def grid():
    return Grid.of(Mean(), T)


def _played(seconds: float, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    start = rng.uniform(0, seconds, 30)
    rows = zip(
        start, start + rng.uniform(0.01, 0.3, 30), rng.choice(PROGRAMS, 30), rng.integers(0, 128, 30), strict=True
    )
    return np.array(list(rows), NOTE)


def _draws(file, draw=None):
    file = np.asarray(file)
    draw = np.zeros(len(file), np.int64) if draw is None else np.asarray(draw)
    return Draws(3, file, draw, np.ones(len(file), bool))


def test_the_grid_is_what_the_encoder_does(grid):
    assert (grid.frames, grid.hop, grid.first) == ((T - FIELD) // HOP + 1, HOP, FIELD / 2)
    assert [grid.count(samples) for samples in (1, FIELD, FIELD + HOP - 1, FIELD + HOP, T)] == [1, 1, 1, 2, grid.frames]
    np.testing.assert_allclose(grid.moments(100, 3), [130 / RATE, 150 / RATE, 170 / RATE])


def test_an_encoder_without_frames_is_refused(tiny_encoder):
    class Whole(Mean):
        frames = Encoder.frames

    with pytest.raises(UserError, match=r"Whole embeds a whole clip and has no frames"):
        Grid.of(Whole(), T)


def test_the_roll_of_a_crop_is_that_of_where_it_was_cut(ramps, grid):
    reader = Reader(np.array(ramps(5000, 250, 9000)), RATE)  # the second is shorter than a crop
    played = {0: _played(0.6), 1: _played(0.03, 1), 2: _played(1.1, 2)}
    crops = NoteCrops(reader, played, PROGRAMS, grid, seed=5)
    batch = crops[_draws(np.arange(len(crops)))]
    assert batch.audio.shape == (len(crops), 1, 1, T)
    assert batch.labels.shape == (len(crops), grid.frames, 2, 128)
    assert batch.labels.dtype == torch.bool
    for file, audio, labels in zip(batch.file.tolist(), batch.audio[:, 0, 0], batch.labels, strict=True):
        start = int(audio[0]) - 1  # the ramp says so
        np.testing.assert_array_equal(labels, roll(played[file], PROGRAMS, grid.moments(start, grid.frames)))
    assert batch.labels.any(dim=0).any()


def test_an_epoch_is_as_long_as_the_recordings_and_repeats_nothing(ramps, grid):
    reader = Reader(np.array(ramps(5000, 250, 9000)), RATE)
    crops = NoteCrops(reader, {0: _played(1), 2: _played(1)}, PROGRAMS, grid, seed=5)
    assert len(crops) == round(5000 / T) + round(9000 / T)
    first, second = (crops[_draws(np.arange(len(crops)), np.full(len(crops), number))] for number in (0, 1))
    assert first.file.tolist() == [0] * round(5000 / T) + [2] * round(9000 / T)
    keys = [
        (int(file), int(draw)) for batch in (first, second) for file, draw in zip(batch.file, batch.draw, strict=True)
    ]
    assert len(set(keys)) == len(keys)
    assert not torch.equal(first.audio, second.audio)
    starts = first.audio[first.file == 2][:, 0, 0, 0]
    assert len(starts.unique()) == len(starts)


def test_a_crop_is_of_seed_file_and_draw_alone(ramps, grid):
    paths = np.array(ramps(5000, 9000))
    played = {0: _played(1), 1: _played(1, 1)}

    def crops(seed):
        return NoteCrops(Reader(paths, RATE), played, PROGRAMS, grid, seed)

    together = crops(1)[_draws([3, 20, 7])]
    alone = crops(1)[_draws([20])]
    assert torch.equal(together.audio[1], alone.audio[0])
    assert torch.equal(together.labels[1], alone.labels[0])
    assert not torch.equal(crops(2)[_draws([3, 20, 7])].audio, together.audio)


def test_a_broken_file_is_missing_from_the_batch_and_named(ramps, grid, tmp_path):
    (tmp_path / "broken.wav").write_bytes(b"RIFF")
    reader = Reader(np.array([*ramps(800), str(tmp_path / "broken.wav")]), RATE)
    crops = NoteCrops(reader, {0: _played(1), 1: _played(1)}, PROGRAMS, grid, seed=0)
    assert len(crops) == 3
    batch = crops[_draws([2, 0])]
    assert batch.file.tolist() == [0]
    assert len(batch.labels) == len(batch.audio) == 1
    assert [path for path, _ in batch.bad] == [str(tmp_path / "broken.wav")]
    assert len(crops[_draws([2])]) == 0


LENGTHS = [1 + 2, FIELD, T - 1, T, T + 1, 3000, (WINDOWS - 1) * 280 + T, 17777, 40_000]


@pytest.mark.parametrize("encoder", [Mean(), Begun()], ids=["frames that lie in a window", "all begun"])
@pytest.mark.parametrize("world", [1, 2])
def test_every_frame_of_a_recording_is_heard_once_and_in_order(ramps, world, encoder):
    grid = Grid.of(encoder, T)
    assert (grid.frames > grid.count(T)) == isinstance(encoder, Begun)
    paths = ramps(*[min(length, 32_000) for length in LENGTHS])
    reader = Reader(np.array(paths), RATE)
    played = {row: _played(4, row) for row in range(len(paths))}
    parts = [NotePieces(reader, played, PROGRAMS, grid, rank, world) for rank in range(world)]
    assert len({len(part) for part in parts}) == 1  # ranks that validate together need equally many
    pieces = [piece for part in parts for piece in DataLoader(part, batch_size=None)]
    assert max(len(piece.audio) for piece in pieces) == WINDOWS  # never more in memory
    for row in range(len(paths)):
        mine = sorted((piece for piece in pieces if piece.row == row), key=lambda piece: piece.first)
        whole = torch.from_numpy(reader.whole(row)).float()[None, None]
        wanted = encoder.frames(whole)[0, : grid.count(whole.shape[-1])]
        found = [piece.kept(encoder.frames(piece.audio.float()), grid.warm_up) for piece in mine]
        assert [piece.first for piece in mine] == np.cumsum([0, *map(len, found[:-1])]).tolist()
        torch.testing.assert_close(torch.cat(found), wanted)
        rolls = torch.cat([piece.roll for piece in mine])
        np.testing.assert_array_equal(rolls, roll(played[row], PROGRAMS, grid.moments(0, len(wanted))))
    assert sum(len(piece) for piece in pieces) == len(paths)


def test_a_broken_recording_is_a_piece_without_frames(grid, tmp_path):
    reader = Reader(np.array([str(tmp_path / "none.wav")]), RATE)
    (piece,) = NotePieces(reader, {0: _played(1)}, PROGRAMS, grid)
    assert (len(piece.roll), len(piece), len(piece.bad)) == (0, 0, 1)


@pytest.mark.parametrize(("start", "length"), [(0, 10), (990, 10), (995, 20), (1000, 5), (2000, 5)])
def test_a_stretch_is_that_of_the_whole(ramps, start, length):
    reader = Reader(np.array(ramps(1000)), RATE)
    np.testing.assert_array_equal(reader.stretch(0, start, length), reader.whole(0)[start : start + length])
