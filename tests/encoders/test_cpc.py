"""CPC's encoder: what each frame hears, and above all what it does not."""

import itertools

import pytest
import torch

from semisupcon.encoders import CPC, build
from semisupcon.encoders.cpc import ChannelNorm, sinusoids
from semisupcon.errors import UserError

KINDS = list(itertools.product(("conv", "sinc"), ("gru", "transformer")))
kinds = pytest.mark.parametrize(("front", "context"), KINDS)


def tiny(front="conv", context="gru", **options):
    torch.manual_seed(0)
    options = {"channels": 32, "dim": 16, "heads": 2, "feedforward": 24, "filters": 10, "sinc_kernel": 41, **options}
    return CPC(front=front, context=context, **options)


def test_size_of_the_papers_network():
    """Counted by hand: weights and biases of five convolutions, a gain and a bias each channel, a GRU of 256."""
    convolutions = 512 * 10 + 512 * 512 * (8 + 4 + 4 + 4) + 5 * 512
    gru = 3 * 256 * (512 + 256) + 6 * 256
    assert sum(p.numel() for p in CPC().parameters()) == convolutions + 5 * 1024 + gru == 5_847_040


def test_size_with_a_transformer():
    enter, attention = 512 * 256 + 256, 4 * (256 * 256 + 256)
    perceptron, norms = 2 * 256 * 2048 + 2048 + 256, 3 * 512
    convolutions = 512 * 10 + 512 * 512 * 20 + 5 * 512 + 5 * 1024
    wanted = convolutions + enter + attention + perceptron + norms
    assert sum(p.numel() for p in CPC(context="transformer").parameters()) == wanted == 6_702_592


def test_size_with_a_sinc_layer():
    """Instead of 512 filters of 10 samples 80 filters of two cut-offs; the second convolution takes 80 channels."""
    first, second = 160 + 2 * 80, 512 * 80 * 8 + 512
    wanted = 5_847_040 - (512 * 10 + 512 + 1024) - (512 * 512 * 8 + 512) + first + second
    assert sum(p.numel() for p in CPC(front="sinc").parameters()) == wanted == 4_071_232


@kinds
def test_shapes_of_a_window_of_1_28_seconds(front, context):
    encoder = CPC(front=front, context=context).eval()
    assert (encoder.sample_rate, encoder.dim, encoder.channels, encoder.hop) == (16000, 256, 512, 160)
    assert encoder.receptive_field == {"conv": 465, "sinc": 706}[front]
    audio = torch.randn(1, 1, 20480)
    with torch.no_grad():
        latents = encoder.latents(audio)
        frames = {"conv": 126, "sinc": 124}[front]
        assert latents.shape == (1, frames, 512)
        assert encoder.contexts(latents).shape == encoder.frames(audio).shape == (1, frames, 256)
        torch.testing.assert_close(encoder(audio), encoder.frames(audio).mean(dim=1))


@kinds
@pytest.mark.parametrize("extra", [0, 1, 159, 160, 1000])
def test_any_length_from_one_receptive_field_on(front, context, extra):
    encoder = tiny(front, context)
    audio = torch.randn(2, 1, encoder.receptive_field + extra)
    assert encoder.frames(audio).shape == (2, 1 + extra // 160, 16)


def test_shorter_audio_is_filled_up():
    encoder = tiny()
    audio = torch.randn(1, 1, 300)
    with pytest.warns(UserWarning, match="465 samples"):
        found = encoder.latents(audio)
    assert torch.equal(found, encoder.latents(torch.nn.functional.pad(audio, (0, 165))))


@pytest.mark.parametrize("front", ["conv", "sinc"])
@pytest.mark.parametrize("frame", [0, 3, 5])
def test_a_latent_hears_its_receptive_field_and_nothing_else(front, frame):
    encoder = tiny(front)
    audio = torch.randn(4, 1, encoder.receptive_field + 160 * 5 + 30, requires_grad=True)
    encoder.latents(audio)[:, frame].square().sum().backward()
    heard = audio.grad.abs().sum(dim=(0, 1)).nonzero().flatten()
    assert heard.tolist() == list(range(160 * frame, 160 * frame + encoder.receptive_field))


@kinds
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("frame", [1, 6, 10])
def test_nothing_of_the_future_is_heard(front, context, training, frame):
    """One later sample changes: what comes before stays as it is to the last bit, and what hears it does not."""
    encoder = tiny(front, context, dropout=0.2, layers=2).train(training)
    audio = torch.randn(2, 1, encoder.receptive_field + 160 * 11)
    changed = audio.clone()
    changed[:, :, 160 * (frame - 1) + encoder.receptive_field] += 5  # the first that frame - 1 does not hear
    found = []
    for each in (audio, changed):
        torch.manual_seed(1)
        latents = encoder.latents(each)
        found.append((latents, encoder.contexts(latents)))
    for before, after in zip(*found, strict=True):
        assert torch.equal(before[:, :frame], after[:, :frame])
        assert not torch.equal(before[:, frame], after[:, frame])


@kinds
def test_a_context_hears_all_before_it(front, context):
    encoder = tiny(front, context).eval()
    audio = torch.randn(1, 1, encoder.receptive_field + 160 * 7)
    latents = encoder.latents(audio).detach().requires_grad_()
    encoder.contexts(latents)[0, 4].square().sum().backward()
    assert (latents.grad[0].abs().sum(dim=1) > 0).tolist() == [True] * 5 + [False] * 3


def test_channel_norm_is_over_the_channels_of_each_frame_alone():
    norm = ChannelNorm(5)
    with torch.no_grad():
        norm.weight.copy_(torch.arange(1.0, 6))
        norm.bias.copy_(torch.arange(5.0))
    features = torch.randn(2, 5, 4) * 3 + 1
    found = norm(features)
    for clip, frame in itertools.product(range(2), range(4)):
        column = features[clip, :, frame].double()
        deviation = (column - column.mean()).square().mean().sqrt()
        wanted = (column - column.mean()) / deviation * torch.arange(1, 6) + torch.arange(5)
        torch.testing.assert_close(found[clip, :, frame].double(), wanted, atol=1e-4, rtol=1e-4)


def test_sinusoids_by_the_equation():
    """sin and cos of position / 10000^(2i / D) (Vaswani et al. 2017, 3.5), the sines first."""
    found = sinusoids(7, 6, torch.device("cpu"))
    for position, i in itertools.product(range(7), range(3)):
        angle = torch.tensor(position / 10000 ** (2 * i / 6))
        torch.testing.assert_close(found[position, [i, 3 + i]], torch.stack([angle.sin(), angle.cos()]))


def test_a_transformer_knows_the_order():
    encoder = tiny(context="transformer").eval()
    latents = torch.randn(1, 6, 32)
    swapped = latents[:, [1, 0, 2, 3, 4, 5]]
    assert not torch.allclose(encoder.contexts(latents)[:, -1], encoder.contexts(swapped)[:, -1], atol=1e-4)


@kinds
@pytest.mark.parametrize("audio", ["silence", "full scale", "quiet"])
def test_no_loudness_breaks_it(front, context, audio):
    encoder = tiny(front, context)
    sound = {"silence": torch.zeros, "full scale": torch.ones, "quiet": lambda *shape: 1e-6 * torch.randn(*shape)}
    found = encoder.frames(sound[audio](2, 1, 1500))
    found.square().sum().backward()
    assert found.isfinite().all()
    assert all(p.grad.isfinite().all() for p in encoder.parameters())


@kinds
def test_under_bf16_autocast_it_says_about_the_same(front, context):
    encoder = tiny(front, context).eval()
    audio = 0.3 * torch.randn(2, 1, 2000)
    with torch.autocast("cpu", torch.bfloat16):
        found = encoder.frames(audio)
        found.float().square().sum().backward()
    wanted = encoder.frames(audio)
    assert found.isfinite().all()
    assert (found.float() - wanted).norm() < 0.05 * wanted.norm()
    assert all(p.grad.isfinite().all() and p.grad.dtype == torch.float32 for p in encoder.parameters())


@kinds
def test_gradient_reaches_every_parameter(front, context):
    encoder = tiny(front, context, layers=2)
    (encoder(torch.randn(4, 1, 2000)) * torch.randn(4, 16)).sum().backward()
    assert not [name for name, p in encoder.named_parameters() if p.grad is None or not p.grad.abs().max() > 0]


@kinds
def test_it_is_built_again_from_what_it_says_of_itself(front, context):
    first = tiny(front, context, dropout=0.1)
    second = build(first.spec)
    second.load_state_dict(first.state_dict())
    audio = torch.randn(2, 1, 1200)
    assert torch.equal(first.eval()(audio), second.eval()(audio))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"context": "transformer", "dim": 18, "heads": 4}, "dim=18"),
        ({"front": "sinc", "sinc_kernel": 40}, "40 samples"),
        ({"front": "mel"}, "'mel'"),
        ({"context": "lstm"}, "'lstm'"),
    ],
)
def test_what_cannot_be_is_refused(options, message):
    with pytest.raises(UserError, match=message):
        tiny(**options)
