"""The tailed U-Net, against its layers called one by one, and what a frame hears."""

from itertools import pairwise

import pytest
import torch
from torch.nn import functional as F

from semisupcon.encoders import TUNe


def tiny(**options):
    return TUNe(**{"width": 2, "out": 6, "depth": 2, "tail": 2, **options})


def parameters(width, out, depth, tail):
    """Counted by hand: kernel 3 convolutions without bias, a scale and a shift for each channel of a block."""
    w = [width * 2**level for level in range(depth + 1)]

    def block(below, above):
        return 3 * below * above + 2 * above

    down = sum(block(*pair) for pair in pairwise([1, *w]))
    up = sum(3 * wide * narrow + block(2 * narrow, narrow) for narrow, wide in pairwise(w))
    linked = sum(block(narrow + wide, wide) for narrow, wide in pairwise(w))
    rest = sum(block(*pair) for pair in pairwise([w[-1], *[2 * w[-1]] * (tail - 1), out]))
    return down + up + linked + rest


def test_the_papers_network_has_2_2_million_parameters():
    count = sum(p.numel() for p in TUNe().parameters())
    assert count == parameters(11, 512, 4, 5) == 2_217_469
    assert sum(p.numel() for p in tiny().parameters()) == parameters(2, 6, 2, 2)


def test_the_papers_widths():
    encoder = TUNe()
    assert [block[0].out_channels for block in encoder.down] == [11, 22, 44, 88, 176]
    assert [widen.out_channels for widen in encoder.widen] == [88, 44, 22, 11]
    assert [block[0].out_channels for block in encoder.linked] == [22, 44, 88, 176]
    assert [block[0].out_channels for block in encoder.last] == [352, 352, 352, 352, 512]


def test_the_papers_59049_samples_are_the_mean_of_three_frames_of_512():
    encoder = TUNe().eval()
    with torch.no_grad():
        audio = 0.1 * torch.randn(1, 1, 59049)
        frames = encoder.frames(audio)
        assert frames.shape == (1, 3, 512)
        torch.testing.assert_close(encoder(audio), frames.mean(dim=1))


@torch.no_grad()
def test_it_is_a_u_net_with_a_tail_layer_by_layer():
    """Depth 2, every link spelt out."""
    encoder = tiny()
    encoder(torch.randn(8, 1, 162))  # running statistics other than 0 and 1
    encoder.eval()

    def block(layers, x):
        convolution, norm, _ = layers
        x = F.conv1d(x, convolution.weight, padding=1)
        x = (x - norm.running_mean[:, None]) / (norm.running_var[:, None] + norm.eps).sqrt()
        return (x * norm.weight[:, None] + norm.bias[:, None]).clamp_min(0)

    def pool(x):
        return x.unflatten(-1, (-1, 3)).amax(-1)

    audio = torch.randn(3, 1, 162)
    d0 = block(encoder.down[0], audio)
    d1 = block(encoder.down[1], pool(d0))
    bottom = block(encoder.down[2], pool(d1))
    up1 = block(encoder.up[0], torch.cat([F.conv_transpose1d(bottom, encoder.widen[0].weight, stride=3), d1], 1))
    up0 = block(encoder.up[1], torch.cat([F.conv_transpose1d(up1, encoder.widen[1].weight, stride=3), d0], 1))
    t1 = block(encoder.linked[0], torch.cat([pool(up0), up1], 1))
    t2 = block(encoder.linked[1], torch.cat([pool(t1), bottom], 1))
    out = block(encoder.last[1], pool(block(encoder.last[0], pool(t2))))
    torch.testing.assert_close(encoder.frames(audio), out.transpose(1, 2), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("samples", [81, 82, 107, 161, 162, 500])
def test_any_length_from_one_receptive_field_on(samples):
    encoder = tiny().eval()
    assert encoder.receptive_field == encoder.hop == 81
    audio = torch.randn(2, 1, samples)
    frames = encoder.frames(audio)
    assert frames.shape == (2, samples // 81, 6)
    torch.testing.assert_close(encoder.frames(audio[..., : samples // 81 * 81]), frames)


def test_a_frame_hears_all_of_itself_and_one_and_a_half_frames_to_either_side():
    torch.manual_seed(0)
    encoder = TUNe(width=4, out=8, depth=2, tail=3).eval()
    audio = torch.randn(200, 1, 7 * encoder.hop, requires_grad=True)
    (encoder.frames(audio)[:, 3] ** 2).sum().backward()
    heard = audio.grad.abs().sum(dim=(0, 1)) > 0
    assert heard[3 * encoder.hop : 4 * encoder.hop].all()
    first, last = (int(i) for i in heard.nonzero()[[0, -1], 0])
    for reach in (3 * encoder.hop - first, last - 4 * encoder.hop + 1):
        assert 1.2 * encoder.hop < reach < 1.7 * encoder.hop


def test_dropout_is_off_by_default_and_acts_in_training_only():
    audio = torch.randn(16, 1, 81)
    plain, dropped = tiny(), tiny(dropout=0.5)
    assert torch.equal(plain(audio), plain(audio))
    assert not torch.equal(dropped(audio), dropped(audio))
    assert torch.equal(dropped.eval()(audio), dropped(audio))


@pytest.mark.parametrize("wrong", [{"width": 0}, {"out": 0}, {"depth": 0}, {"tail": 0}])
def test_what_cannot_be_built_is_refused(wrong):
    with pytest.raises(ValueError, match=f"must be at least 1, not .*{next(iter(wrong))} 0"):
        tiny(**wrong)
