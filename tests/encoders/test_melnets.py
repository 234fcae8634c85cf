import io
import json
import subprocess
import sys
import warnings

import pytest
import torch

from semisupcon.encoders import EfficientNetB0, LogMel, ResNet18, build
from semisupcon.errors import UserError

BOTH = [ResNet18, EfficientNetB0]
# As fast as it gets: a column for each 32 frames of 10 samples.
QUICK = {"n_fft": 256, "win_length": 64, "hop_length": 10, "n_mels": 16, "f_max": 4000.0}


def noise(count, samples, seed=0):
    return torch.randn(count, 1, samples, generator=torch.Generator().manual_seed(seed)) * 0.1


def clips(count, samples, seed=0):
    """Of all loudnesses, silence among them, that come and go."""
    beats = torch.sin(torch.arange(samples) / 3000 + torch.arange(count)[:, None]).square()[:, None]
    return (
        noise(count, samples, seed)
        * beats
        * torch.logspace(-3, 1, count)[:, None, None]
        * (torch.arange(count) > 0)[:, None, None]
    )


@pytest.fixture(scope="module", params=BOTH)
def encoder(request):
    """In eval mode, with running statistics other than 0 and 1; nobody may change it."""
    torch.manual_seed(0)
    encoder = request.param()
    with torch.no_grad():
        for module in encoder.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.momentum = None  # the plain mean of what is seen
                module.weight.fill_(1)  # timm begins with zero in some
        for seed in range(3):
            encoder(clips(8, 3 * encoder.receptive_field, seed))
    return encoder.eval()


def test_resnet18_is_the_reports():
    encoder = ResNet18()
    assert (encoder.sample_rate, encoder.dim, encoder.receptive_field) == (22050, 512, 2048 + 32 * 512)
    # 11,176,512 of three channels in and without the classifier, less two channels of 64 kernels of 7 x 7
    assert sum(p.numel() for p in encoder.parameters()) == 11_176_512 - 2 * 64 * 7 * 7 == 11_170_240
    assert encoder.log_mel(noise(1, 5 * 22050)).shape == (1, 1, 128, 212)
    assert encoder.eval()(noise(1, 5 * 22050)).shape == (1, 512)


def test_efficientnet_b0_is_colas():
    encoder = EfficientNetB0()
    assert (encoder.sample_rate, encoder.dim, encoder.receptive_field) == (16000, 1280, 400 + 32 * 160)
    # 5,288,548 of torchvision and timm, less the classifier and two channels of 32 kernels of 3 x 3
    assert sum(p.numel() for p in encoder.parameters()) == 5_288_548 - 1281 * 1000 - 2 * 32 * 9 == 4_006_972
    audio = noise(2, 16000)
    assert torch.equal(encoder.log_mel(audio), LogMel()(audio))
    assert encoder.eval()(audio).shape == (2, 1280)


@torch.no_grad()
def test_an_embedding_pools_the_frames(encoder):
    """ResNet's by the mean, COLA's by the maximum."""
    audio = noise(2, encoder.receptive_field + 32 * encoder.log_mel.hop_length)
    frames = encoder.frames(audio)
    assert frames.shape == (2, 3, encoder.dim)
    pooled = frames.mean(dim=1) if isinstance(encoder, ResNet18) else frames.amax(dim=1)
    torch.testing.assert_close(encoder(audio), pooled, rtol=1e-4, atol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("extra", [0, 1, 30, 31, 32, 63, 77])
def test_any_length_from_one_receptive_field_up_and_a_frame_for_each_32_begun(encoder, extra):
    audio = noise(1, encoder.receptive_field + extra * encoder.log_mel.hop_length)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert encoder(audio).shape == (1, encoder.dim)
        assert encoder.frames(audio).shape == (1, -(-(33 + extra) // 32), encoder.dim)


@torch.no_grad()
def test_shorter_audio_is_filled_up_and_said(encoder, monkeypatch):
    monkeypatch.setattr("semisupcon.encoders.base._warned", set())
    audio = noise(1, encoder.receptive_field // 2)
    with pytest.warns(UserWarning, match=f"needs {encoder.receptive_field} samples"):
        assert encoder(audio).shape == (1, encoder.dim)


@torch.no_grad()
def test_a_frame_hears_most_of_where_it_is_centred(encoder):
    """Frame j is centred on spectrogram frame 32 j."""
    hop = encoder.log_mel.hop_length
    audio = noise(1, encoder.log_mel.win_length + 32 * 8 * hop)
    frames = encoder.frames(audio)
    assert frames.shape[1] == 9
    for middle in (3, 5):
        other = audio.clone()
        start = (32 * middle - 8) * hop
        other[..., start : start + 16 * hop + encoder.log_mel.win_length] *= -0.01
        change = (encoder.frames(other) - frames)[0].norm(dim=1)
        heard = change - change.min()  # EfficientNet's gates hear all of it everywhere
        assert (heard * torch.arange(9)).sum() / heard.sum() == pytest.approx(middle, abs=0.9)


@torch.no_grad()
def test_an_embedding_does_not_depend_on_the_rest_of_the_batch_in_eval(encoder):
    audio = clips(4, encoder.receptive_field)
    alone = torch.cat([encoder(clip[None]) for clip in audio])
    assert ((encoder(audio) - alone).norm(dim=1) < 1e-3 * alone.norm(dim=1)).all()  # random weights, large numbers
    assert torch.equal(encoder(audio), encoder(audio))
    assert torch.pdist(alone).min() > 0.1 * alone.norm(dim=1).min()


@torch.no_grad()
def test_silence_and_full_scale_are_finite(encoder):
    audio = torch.stack([torch.zeros(encoder.receptive_field), noise(1, encoder.receptive_field)[0, 0].sign()])
    assert encoder(audio[:, None]).isfinite().all()


@torch.no_grad()
@pytest.mark.parametrize("kind", BOTH)
@pytest.mark.parametrize("frames", [33, 65])
def test_bfloat16_by_autocast(kind, frames):
    encoder = kind().eval()
    for module in encoder.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.weight.fill_(1)
    audio = clips(4, encoder.receptive_field + (frames - 33) * encoder.log_mel.hop_length)
    junk = [torch.full((10**6,), float("inf")) for _ in range(4)]
    del junk  # so that whoever reads what is not its own finds it
    with torch.autocast("cpu", dtype=torch.bfloat16):
        half = encoder(audio).float()
    assert half.isfinite().all()
    full = encoder(audio)
    assert ((half - full).norm(dim=1) < 0.1 * full.norm(dim=1)).all()


def test_bfloat16_of_everything():
    encoder = EfficientNetB0(**QUICK).eval().bfloat16()
    assert encoder(noise(2, 1000).bfloat16()).dtype == torch.bfloat16


@pytest.mark.parametrize("kind", BOTH)
def test_a_checkpoint_brings_it_back(kind):
    encoder = kind(**QUICK, dropout=0.1, frequency_masking=0.1, noise_mixing=0.3, noise_snr=(5.0, 6.0))
    encoder(noise(2, 1000))
    file = io.BytesIO()
    torch.save({"spec": encoder.spec, "weights": encoder.state_dict()}, file)
    file.seek(0)
    held = torch.load(file, weights_only=True)
    assert held["spec"] == encoder.spec == json.loads(json.dumps(encoder.spec))
    again = build(held["spec"])
    again.load_state_dict(held["weights"])
    assert again.spec == encoder.spec
    audio = noise(3, 1000)
    with torch.no_grad():
        assert torch.equal(again.eval()(audio), encoder.eval()(audio))


@pytest.mark.parametrize("kind", BOTH)
def test_every_argument_reaches_the_front_end(kind):
    arguments = {"sample_rate": 11025, "n_fft": 500, "win_length": 300, "hop_length": 70, "n_mels": 20, "f_min": 33.0}
    arguments |= {"f_max": 4444.0, "power": 1.0, "frequency_masking": 0.21, "time_masking": 0.32, "masking_p": 0.43}
    arguments |= {"noise_mixing": 0.54, "noise_snr": (6.5, 7.6)}
    ours, expected = kind(**arguments, dropout=0.25), LogMel(**arguments)
    for seed in range(3):
        torch.manual_seed(seed)
        theirs = expected(noise(5, 5000))
        torch.manual_seed(seed)
        assert torch.equal(ours.log_mel(noise(5, 5000)), theirs)
    assert (ours.log_mel.power, ours.log_mel.augment[2].p, ours.log_mel.augment[0].snr) == (1.0, 0.43, (6.5, 7.6))
    assert ours.dropout.p == 0.25
    assert (ours.sample_rate, ours.receptive_field) == (11025, 300 + 32 * 70)


@pytest.mark.parametrize("kind", BOTH)
def test_training_reaches_every_parameter_and_is_augmented_and_dropped_out(kind):
    encoder, audio = kind(**QUICK, frequency_masking=0.5), noise(4, 1000)
    (encoder(audio) * torch.randn(4, encoder.dim)).sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in encoder.parameters())
    assert not torch.equal(encoder(audio), encoder(audio))
    plain = kind(**QUICK)
    assert torch.equal(plain(audio), plain(audio))
    dropped = kind(**QUICK, dropout=0.5)
    for out in (dropped(audio), dropped.frames(audio)):
        assert (out == 0).float().mean() > 0.4
    assert torch.equal(dropped.eval()(audio), dropped(audio))


def test_timm_is_asked_for_only_when_it_is_needed():
    program = "import sys; import semisupcon.encoders as e; assert 'timm' not in sys.modules; e.LogMel()"
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.parametrize("kind", BOTH)
def test_without_timm_one_is_told_what_to_install(kind, monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(UserError, match=r"pip install timm 'torchvision==0\.26\.\*'"):
        kind()
