"""A batch moves as one thing, and int16 becomes float exactly once."""

import torch

from semisupcon.batch import Batch, to_float


def _batch():
    return Batch(
        audio=torch.tensor([-32768, 0, 16384, 32767], dtype=torch.int16).view(2, 1, 1, 2),
        labels=torch.tensor([[1.0], [float("nan")]]),
        labelled=torch.tensor([True, False]),
        file=torch.tensor([3, 5]),
        draw=torch.tensor([0, 1]),
        step=4,
        bad=(("a.wav", "is empty"),),
    )


def test_all_tensors_move_and_what_is_no_tensor_stays():
    moved = _batch().to("meta")
    tensors = {name: getattr(moved, name) for name in ("audio", "labels", "labelled", "file", "draw")}
    assert {tensor.device.type for tensor in tensors.values()} == {"meta"}
    assert {name: tensor.dtype for name, tensor in tensors.items()} == {
        "audio": torch.int16,
        "labels": torch.float32,
        "labelled": torch.bool,
        "file": torch.int64,
        "draw": torch.int64,
    }
    assert (moved.step, moved.bad, len(moved)) == (4, (("a.wav", "is empty"),), 2)


def test_int16_is_scaled_to_one_once():
    batch = _batch()
    once = to_float(batch.audio)
    assert once.flatten().tolist() == [-1.0, 0.0, 0.5, 32767 / 32768]
    assert once.dtype == torch.float32
    assert to_float(once) is once  # float audio has been scaled before


def test_other_audio_leaves_the_rest_alone_and_the_old_batch_too():
    batch = _batch()
    other = batch.with_audio(to_float(batch.audio))
    assert batch.audio.dtype == torch.int16
    assert other.audio.dtype == torch.float32
    assert (other.file is batch.file, other.step, other.bad) == (True, 4, batch.bad)
