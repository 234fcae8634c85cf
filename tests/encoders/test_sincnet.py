"""SincNet's filters against scipy's, what their cut-offs can become, and the encoder on top of them."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy.signal import firwin

from semisupcon.encoders import SincNet, build
from semisupcon.encoders.plots import draw_filters
from semisupcon.encoders.sincnet import SincConv, mel_cutoffs
from semisupcon.errors import UserError


def learned(filters=12, **options):
    """A layer whose cut-offs are no longer where they began."""
    layer = SincConv(filters, **options)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter += torch.randn(filters, generator=generator)
    return layer


@pytest.mark.parametrize(("kernel", "rate"), [(251, 16000), (101, 22050), (33, 8000)])
def test_filters_are_windowed_ideal_band_passes(kernel, rate):
    """scipy designs the same by another way: sampled sines, Hamming window, gain 1 in the middle of the band."""
    layer = learned(kernel=kernel, sample_rate=rate)
    found = layer.filters().detach().numpy()
    for filter_, cutoffs in zip(found, layer.cutoffs().detach().double().numpy(), strict=True):
        wanted = firwin(kernel, cutoffs, window="hamming", pass_zero=False, fs=rate)
        np.testing.assert_allclose(filter_, wanted, atol=2e-5 * np.abs(wanted).max())


def test_equation_4_for_bands_wider_than_the_window_resolves():
    """g[n] = 2 f2 sinc(2π f2 n) − 2 f1 sinc(2π f1 n): in the middle of such a band its gain is 1 by itself."""
    layer = SincConv(6)
    low, high = (layer.cutoffs().detach().double().T[:, 4:] / 16000).numpy()
    n = np.arange(251) - 125
    window = 0.54 - 0.46 * np.cos(2 * np.pi * np.arange(251) / 250)
    for band in range(2):
        wanted = 2 * high[band] * np.sinc(2 * high[band] * n) - 2 * low[band] * np.sinc(2 * low[band] * n)
        np.testing.assert_allclose(layer.filters()[4 + band].detach(), wanted * window, atol=1e-3)


def test_the_bands_begin_as_neighbours_on_the_mel_scale():
    layer = SincConv()
    cutoffs = layer.cutoffs().detach()
    torch.testing.assert_close(cutoffs, mel_cutoffs(80, 16000), rtol=1e-4, atol=0.05)
    torch.testing.assert_close(cutoffs[1:, 0], cutoffs[:-1, 1], rtol=1e-4, atol=0.05)
    mel = 2595 * torch.log10(1 + cutoffs[:, 0] / 700)
    torch.testing.assert_close(mel.diff(), mel.diff().mean().expand(79), rtol=1e-3, atol=1e-3)
    assert cutoffs[0, 0] == pytest.approx(30, abs=0.01)
    assert cutoffs[-1, 1] == pytest.approx(7970, abs=1)


@pytest.mark.parametrize("filters", [1, 8, 80])
def test_two_parameters_a_filter(filters):
    assert sum(p.numel() for p in SincConv(filters).parameters()) == 2 * filters


@pytest.mark.parametrize("push", [1e4, -1e4, "apart", "steps"])
def test_cutoffs_stay_in_order_and_in_range_whatever_the_optimizer_does(push):
    torch.manual_seed(0)
    layer = SincConv(16)
    if push == "steps":
        optimizer = torch.optim.SGD(layer.parameters(), lr=1e6)
        for _ in range(5):
            optimizer.zero_grad()
            (layer(torch.randn(2, 1, 600)) * torch.randn(1, 16, 1)).sum().backward()
            optimizer.step()
    else:
        with torch.no_grad():
            layer.low += 1e4 if push == "apart" else push
            layer.width += -1e4 if push == "apart" else push
    low, high = layer.cutoffs().unbind(1)
    assert (low > 0).all()
    assert (high - low > 0.5).all()
    assert (high < 8000).all()
    assert layer.filters().isfinite().all()


def test_gain_is_that_of_the_filters_and_one_in_the_middle():
    layer = learned()
    hertz = torch.fft.rfftfreq(4096, 1 / 16000)
    wanted = torch.fft.rfft(layer.filters(), n=4096).abs()
    torch.testing.assert_close(layer.response(hertz), wanted, atol=1e-4, rtol=1e-3)
    middle = layer.response(layer.cutoffs().mean(dim=1)).diagonal()
    torch.testing.assert_close(middle, torch.ones(12), atol=1e-4, rtol=0)


def test_a_tone_is_heard_by_the_filter_whose_band_holds_it():
    layer = SincConv(20, stride=1)
    for band, (low, high) in list(enumerate(layer.cutoffs().tolist()))[8:]:
        tone = torch.sin(2 * torch.pi * (low + high) / 2 / 16000 * torch.arange(2000))
        heard = layer(tone[None, None]).square().mean(dim=2)[0]
        assert heard.argmax() == band
        assert heard[band].item() == pytest.approx(0.5, rel=0.05)  # as loud as the tone itself


def test_the_layer_is_a_plain_convolution():
    layer = learned(3, kernel=9, stride=4, sample_rate=8000)
    audio = torch.randn(2, 1, 30)
    found = layer(audio)
    filters = layer.filters()
    assert found.shape == (2, 3, 1 + (30 - 9) // 4)
    for clip in range(2):
        for each in range(3):
            for place in range(found.shape[2]):
                wanted = sum(filters[each, k] * audio[clip, 0, 4 * place + k] for k in range(9))
                assert found[clip, each, place].item() == pytest.approx(wanted.item(), abs=1e-5)


def test_gradients_of_the_cutoffs_by_finite_differences(monkeypatch):
    monkeypatch.setattr(torch.Tensor, "float", lambda self: self)  # let float64 through, for this check only
    layer, audio = learned(3, kernel=21).double(), torch.randn(1, 1, 40, dtype=torch.float64)
    values = [parameter.detach().clone().requires_grad_() for parameter in (layer.low, layer.width)]

    def heard(low, width):
        return torch.func.functional_call(layer, {"low": low, "width": width}, (audio,))

    assert torch.autograd.gradcheck(heard, values)


def test_filters_are_float32_under_autocast():
    layer, audio = learned(), torch.randn(1, 1, 900)
    with torch.autocast("cpu", torch.bfloat16):
        found = layer(audio)
    assert found.dtype == torch.float32
    assert torch.equal(found, layer(audio))


@pytest.mark.parametrize(("filters", "kernel", "message"), [(8, 250, "250"), (8, 1, "odd"), (4000, 251, "4000")])
def test_what_cannot_be_is_refused(filters, kernel, message):
    with pytest.raises(UserError, match=message):
        SincConv(filters, kernel)


def tiny(**options):
    torch.manual_seed(0)
    return SincNet(sample_rate=8000, filters=6, kernel=31, stride=2, channels=(12, 16), **options)


def test_size_and_shapes_of_the_default_encoder():
    encoder = SincNet().eval()
    widths = [80, 128, 128, 256, 256, 512]
    convolutions = sum(3 * below * above for below, above in pairwise(widths))
    assert sum(p.numel() for p in encoder.parameters()) == 160 + convolutions + 2 * sum(widths) == 770_880
    assert (encoder.sample_rate, encoder.dim, encoder.receptive_field, encoder.hop) == (16000, 512, 2671, 1215)
    with torch.no_grad():
        assert encoder(torch.randn(2, 1, 2671)).shape == (2, 512)
        assert encoder.frames(torch.randn(1, 1, 43200)).shape == (1, 34, 512)


@pytest.mark.parametrize("extra", [0, 1, 17, 18, 200])
def test_any_length_from_one_receptive_field_on(extra):
    encoder = tiny().eval()
    assert (encoder.receptive_field, encoder.hop) == (31 + 2 * 16, 18)
    audio = torch.randn(2, 1, encoder.receptive_field + extra)
    assert encoder.frames(audio).shape == (2, 1 + extra // 18, 16)
    torch.testing.assert_close(encoder(audio), encoder.frames(audio).mean(dim=1))


def test_a_frame_hears_its_receptive_field_and_nothing_else():
    encoder = tiny().eval()
    audio = torch.randn(60, 1, 140, requires_grad=True)  # max pooling lets one of three through, another in each clip
    encoder.frames(audio)[:, 2].square().sum().backward()
    heard = audio.grad.abs().sum(dim=(0, 1)).nonzero().flatten()
    assert heard.tolist() == list(range(2 * encoder.hop, 2 * encoder.hop + encoder.receptive_field))


@pytest.mark.parametrize("level", [0.0, 1.0])
def test_silence_and_full_scale_are_finite(level):
    encoder = tiny()
    audio = level * torch.ones(3, 1, 100).cumprod(0)
    encoder(audio).sum().backward()
    assert encoder(audio).isfinite().all()
    assert all(p.grad.isfinite().all() for p in encoder.parameters())


def test_it_is_built_again_from_what_it_says_of_itself():
    first = tiny(dropout=0.1)
    second = build(first.spec)
    second.load_state_dict(first.state_dict())
    audio = torch.randn(2, 1, 300)
    assert torch.equal(first.eval()(audio), second.eval()(audio))


def test_gradient_reaches_every_parameter():
    encoder = tiny()
    (encoder(torch.randn(8, 1, 200)) * torch.randn(8, 16)).sum().backward()
    assert not [name for name, p in encoder.named_parameters() if p.grad is None or not p.grad.abs().max() > 0]


def test_a_picture_of_the_filters(tmp_path):
    layer = learned(10)
    figure = draw_filters(layer)
    gains, bands, total = figure.axes[:3]
    shown = torch.as_tensor(np.asarray(gains.images[0].get_array()))
    order = layer.cutoffs().mean(dim=1).argsort()
    assert order.tolist() != list(range(10))
    wanted = 20 * layer.response(torch.linspace(0, 8000, 1024)).log10()
    torch.testing.assert_close(shown, wanted[order].clamp(min=-80).detach(), atol=1e-3, rtol=1e-3)
    before, after = bands.collections
    torch.testing.assert_close(
        torch.from_numpy(after.get_offsets().data).float()[:, 0], layer.cutoffs().mean(1).detach()
    )
    torch.testing.assert_close(
        torch.from_numpy(before.get_offsets().data).float()[:, 0], mel_cutoffs(10, 16000).mean(1)
    )
    assert len(total.lines) == 2
    figure.savefig(tmp_path / "filters.png")
    moved = draw_filters(layer, initial=layer.cutoffs()).axes[1].collections[0]
    torch.testing.assert_close(
        torch.from_numpy(moved.get_offsets().data).float()[:, 0], layer.cutoffs().mean(1).detach()
    )
