"""The picture of a checkpoint's sinc filters."""

import torch

from semisupcon import checkpoint, filters
from semisupcon.encoders import SampleCNN, SincNet


def held(encoder, path):
    weights = {f"encoder.{name}": value for name, value in encoder.state_dict().items()}
    torch.save({"state_dict": weights, checkpoint.KEY: checkpoint.describe(encoder, 4000)}, path)
    return str(path)


def test_filters_are_drawn_beside_their_checkpoint(tmp_path, capsys):
    path = held(SincNet(filters=8, channels=[4, 4]), tmp_path / "last.ckpt")
    assert filters.main([path]) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "filters.png")
    assert (tmp_path / "filters.png").read_bytes()[1:4] == b"PNG"
    assert filters.main([path, "--out", str(tmp_path / "other.png")]) == 0
    assert (tmp_path / "other.png").is_file()


def test_what_has_none_is_said(tmp_path, capsys):
    path = held(SampleCNN(channels=[4, 4], out=4, stem=4), tmp_path / "last.ckpt")
    assert filters.main([path]) == 2
    assert "SampleCNN, has no sinc layer" in capsys.readouterr().err
    assert filters.main([held(SincNet(filters=8, channels=[4]), tmp_path / "a.ckpt"), "--out", "nowhere/a.png"]) == 2
    assert "there is no folder nowhere" in capsys.readouterr().err
    assert filters.main([str(tmp_path / "none.ckpt")]) == 2
