from itertools import pairwise

import pytest
import torch

from semisupcon.encoders import SampleCNN, SampleCNNXL, build


def tiny(blocks=3, **kwargs):
    return SampleCNN(channels=(4,) * blocks, out=6, stem=5, **kwargs)


def parameters(channels, out, stem):
    """Counted by hand: kernel 3 convolutions without bias, and a scale and a shift for each of their channels."""
    widths = [1, stem, *channels, out]
    convolutions = sum(3 * below * above for below, above in pairwise(widths))
    return convolutions + 2 * sum(widths[1:])


def test_parameter_count_of_the_papers_network():
    encoder = SampleCNN()
    count = sum(p.numel() for p in encoder.parameters())
    # The 2.43 M of public code are these, 2,944 biases in front of batch normalisations and an unused 512 -> 128.
    assert count == parameters((128, 128, *(256,) * 6, 512), 512, 128) == 2_365_568
    assert count + 2_944 + 512 * 128 + 128 == 2_434_176


def test_parameter_count_of_the_xl():
    encoder = SampleCNNXL()
    channels = (128, 128, 256, 256, 512, 512, 1024, 1024, 2048)
    assert sum(p.numel() for p in encoder.parameters()) == parameters(channels, 2048, 128) == 25_182_336
    assert (encoder.dim, encoder.receptive_field) == (2048, 3**10)


def test_the_xl_is_samplecnn_with_other_defaults_and_describes_itself_as_such():
    narrow = {"sample_rate": 8000, "channels": [4, 4], "out": 6, "stem": 3, "dropout": 0.5}
    xl = SampleCNNXL(**narrow)
    assert xl.spec == {"class_path": "semisupcon.encoders.samplecnn.SampleCNNXL", "init_args": narrow}
    again = build(xl.spec)
    plain = SampleCNN(**narrow)
    for other in (again, plain):
        other.load_state_dict(xl.state_dict())
        assert torch.equal(other.eval()(torch.ones(1, 1, 60)), xl.eval()(torch.ones(1, 1, 60)))


def test_parameter_count_of_a_small_network():
    assert sum(p.numel() for p in tiny().parameters()) == parameters((4, 4, 4), 6, 5)


def test_the_papers_network_takes_59049_samples_to_one_frame_of_512():
    encoder = SampleCNN().eval()
    assert (encoder.sample_rate, encoder.dim, encoder.receptive_field) == (22050, 512, 3**10)
    with torch.no_grad():
        assert encoder(torch.randn(1, 1, 59049)).shape == (1, 512)
        assert encoder.frames(torch.randn(1, 1, 118098)).shape == (1, 2, 512)
        assert encoder.frames(torch.randn(1, 1, 118097)).shape == (1, 1, 512)


@pytest.mark.parametrize(("blocks", "clips", "stretch"), [(3, 300, 1), (9, 4, 3**6)])
def test_one_frame_listens_to_all_of_its_receptive_field(blocks, clips, stretch):
    """Max pooling lets one sample of three through, a different one in each clip: hence many clips, or stretches."""
    torch.manual_seed(0)
    encoder = tiny(blocks).eval()
    audio = torch.randn(clips, 1, encoder.receptive_field, requires_grad=True)
    frames = encoder.frames(audio)
    assert encoder.receptive_field == 3 ** (blocks + 1)
    assert frames.shape[1] == 1
    (frames**2).sum().backward()
    heard = audio.grad.abs().sum(dim=(0, 1)).reshape(-1, stretch).sum(dim=1)
    assert (heard > 0).all()


@pytest.mark.parametrize("samples", [81, 82, 100, 161, 162, 500])
def test_any_length_from_one_receptive_field_on(samples):
    encoder = tiny().eval()
    assert encoder.receptive_field == encoder.hop == 81
    audio = torch.randn(2, 1, samples)
    assert encoder.frames(audio).shape == (2, samples // 81, 6)
    torch.testing.assert_close(encoder(audio), encoder.frames(audio).mean(dim=1))


def test_eight_blocks_serve_on_19683_samples():
    encoder = tiny(blocks=8)
    assert encoder.receptive_field == 19683
    assert encoder.eval().frames(torch.randn(1, 1, 19683)).shape == (1, 1, 6)


def test_an_embedding_does_not_depend_on_the_rest_of_the_batch_in_eval():
    encoder = SampleCNN(channels=(32,) * 6, out=16, stem=16)
    encoder(torch.randn(4, 1, 2187))  # running statistics other than 0 and 1
    encoder.eval()
    audio = torch.randn(5, 1, 2500)
    alone = torch.cat([encoder(clip[None]) for clip in audio])
    torch.testing.assert_close(encoder(audio), alone, rtol=0, atol=1e-5)


def test_gradient_reaches_every_parameter():
    encoder = tiny()
    (encoder(torch.randn(8, 1, 200)) * torch.randn(8, 6)).sum().backward()
    dead = [name for name, p in encoder.named_parameters() if p.grad is None or p.grad.abs().max() < 1e-6]
    assert not dead


def test_dropout_is_off_by_default_and_acts_in_training_only():
    audio = torch.randn(64, 1, 81)
    assert not any(m.p for m in tiny().modules() if isinstance(m, torch.nn.Dropout))
    encoder = tiny(dropout=0.5)
    with torch.no_grad():
        torch.manual_seed(0)
        first, second = encoder(audio), encoder(audio)
        assert not torch.equal(first, second)
        encoder.eval()
        assert torch.equal(encoder(audio), encoder(audio))
