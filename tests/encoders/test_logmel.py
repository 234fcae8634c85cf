import math

import numpy as np
import pytest
import torch
import torchaudio

from semisupcon.encoders import LogMel
from semisupcon.errors import UserError

MUSIC = {"sample_rate": 22050, "n_fft": 2048, "win_length": 2048, "hop_length": 512, "n_mels": 128}
MUSIC |= {"f_min": 0.0, "f_max": None, "power": 2.0}


def noise(count, samples, seed=0):
    return torch.randn(count, 1, samples, generator=torch.Generator().manual_seed(seed)) * 0.1


def tone(hertz, rate, seconds=0.5):
    return 0.5 * torch.sin(2 * math.pi * hertz * torch.arange(int(rate * seconds)) / rate)[None, None]


def mel(hertz):
    """HTK's scale."""
    return 2595 * np.log10(1 + np.asarray(hertz) / 700)


def by_hand(audio, rate, n_fft, window, hop, bands, low, high, power, floor=1e-5):
    """(M, L) by loops, in float64: every bin of every frame, and every triangle."""
    audio = audio.double().numpy()
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)
    edges = 700 * (10 ** (np.linspace(mel(low), mel(high), bands + 2) / 2595) - 1)
    hertz = np.arange(n_fft // 2 + 1) * rate / n_fft
    columns = []
    for start in range(0, len(audio) - window + 1, hop):
        level = np.abs(np.fft.rfft(audio[start : start + window] * hann, n_fft)) ** power
        column = []
        for below, centre, above in zip(edges, edges[1:], edges[2:], strict=False):
            triangle = np.minimum((hertz - below) / (centre - below), (above - hertz) / (above - centre)).clip(0)
            column.append(max((triangle * level).sum(), floor))
        columns.append(np.log(column))
    return torch.tensor(np.array(columns).T)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [({}, (16000, 1024, 400, 160, 64, 60, 7800, 1)), (MUSIC, (22050, 2048, 2048, 512, 128, 0, 11025, 2))],
    ids=["cola", "music"],
)
def test_against_the_definition_by_hand(arguments, expected):
    audio = noise(2, 8000)
    audio[1] *= torch.linspace(0, 1e-3, 8000)  # down to the floor
    found = LogMel(**arguments).eval()(audio)
    assert found.dtype == torch.float32
    for example, spectrogram in zip(audio, found, strict=True):
        torch.testing.assert_close(
            spectrogram[0].double(), by_hand(example[0], *expected), rtol=1e-4, atol=2e-3 if expected[-1] == 2 else 5e-4
        )


@pytest.mark.parametrize("power", [1.0, 2.0])
def test_against_torchaudio(power):
    audio = noise(3, 16000)
    theirs = torchaudio.transforms.MelSpectrogram(
        16000, 1024, 400, 160, f_min=60.0, f_max=7800.0, n_mels=64, power=power, center=False
    )
    # Its window stands in the middle of the transform's frame, and ours at the beginning.
    expected = theirs(torch.nn.functional.pad(audio, (312, 312))).clamp(min=1e-5).log()
    torch.testing.assert_close(LogMel(power=power)(audio), expected, rtol=1e-4, atol=1e-3)


def test_colas_second_is_98_frames_of_64_bands():
    assert LogMel()(noise(2, 16000)).shape == (2, 1, 64, 98)


@pytest.mark.parametrize("samples", [400, 401, 559, 560, 561, 3333])
def test_frames_are_the_whole_ones(samples):
    assert LogMel()(noise(1, samples)).shape[-1] == 1 + (samples - 400) // 160


def test_less_than_a_frame_is_an_error():
    with pytest.raises(ValueError, match="a log-mel frame takes 400 samples, and there are 399"):
        LogMel()(noise(1, 399))


@pytest.mark.parametrize("arguments", [{}, MUSIC], ids=["cola", "music"])
@pytest.mark.parametrize("hertz", [100.0, 440.0, 1000.0, 3000.0, 7000.0])
def test_a_tone_is_loudest_in_its_own_band(arguments, hertz):
    log_mel = LogMel(**arguments)
    low, high = (60, 7800) if not arguments else (0, 11025)
    width = (mel(high) - mel(low)) / (log_mel.bank.shape[1] + 1)
    band = log_mel(tone(hertz, log_mel.sample_rate))[0, 0].mean(dim=1).argmax().item()
    centre = mel(low) + (band + 1) * width
    assert abs(mel(hertz) - centre) < 0.75 * width  # bins are about as wide as low bands


def test_ten_times_as_loud_is_log_ten_in_magnitude_and_twice_that_in_power():
    audio = noise(1, 4000)
    for power in (1.0, 2.0):
        step = LogMel(power=power)(10 * audio) - LogMel(power=power)(audio)
        torch.testing.assert_close(step, torch.full_like(step, power * math.log(10)), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("arguments", [{}, MUSIC], ids=["cola", "music"])
@pytest.mark.parametrize("training", [True, False])
def test_silence_impulse_and_full_scale_are_finite(arguments, training):
    square = torch.sign(torch.sin(torch.arange(4000) / 7))
    audio = torch.stack([torch.zeros(4000), torch.eye(4000)[2000], square, torch.zeros(4000)])[:, None]
    log_mel = LogMel(**arguments, frequency_masking=0.2, time_masking=0.2, noise_mixing=1.0).train(training)
    for _ in range(10 if training else 1):
        found = log_mel(audio)
        assert found.isfinite().all()
        assert (found[[0, 3]] - math.log(1e-5)).abs().max() < 1e-4


def test_the_gradient_of_silence_is_a_number():
    audio = torch.zeros(1, 1, 1000, requires_grad=True)
    LogMel()(audio).sum().backward()
    assert audio.grad.isfinite().all()


def test_augmented_in_training_mode_only_and_by_the_seed():
    log_mel, audio = LogMel(frequency_masking=0.3, time_masking=0.3, noise_mixing=0.5), noise(16, 4000)
    clean = LogMel()(audio)
    assert torch.equal(LogMel().train()(audio), clean)
    assert torch.equal(log_mel.eval()(audio), clean)
    log_mel.train()
    outs = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        outs.append(log_mel(audio))
    assert torch.equal(outs[0], outs[1])
    assert not torch.equal(outs[0], outs[2])
    assert ((outs[0] != clean).flatten(1).any(dim=1)).sum() >= 14


def test_each_argument_turns_on_its_own_change():
    audio = noise(64, 8000) * torch.linspace(0.1, 1, 64)[:, None, None]
    clean = LogMel()(audio)
    shares = {}
    for name, value in (("frequency_masking", 0.25), ("time_masking", 0.25), ("noise_mixing", 0.5)):
        torch.manual_seed(0)
        changed = (LogMel(**{name: value})(audio) != clean).squeeze(1)
        shares[name] = changed.all(dim=1).any(dim=1), changed.all(dim=2).any(dim=1), changed.all(dim=2).all(dim=1)
        assert changed.flatten(1).any(dim=1).sum() > 20
    assert shares["frequency_masking"][1].any()  # whole bands
    assert not shares["frequency_masking"][0].any()
    assert shares["time_masking"][0].any()  # whole frames
    assert not shares["time_masking"][1].any()
    assert 20 < shares["noise_mixing"][2].sum() < 44  # all of it
    torch.manual_seed(0)
    some = (LogMel(time_masking=1.0, masking_p=0.3)(audio) != clean).flatten(1).any(dim=1).sum()
    assert 8 < some < 32


def test_noise_comes_before_the_masks_which_hold_one_value():
    torch.manual_seed(0)
    out = LogMel(time_masking=0.5, noise_mixing=1.0)(noise(32, 8000))
    flat = out.squeeze(1).std(dim=1) < 1e-5  # (N, L)
    assert flat.any(dim=1).sum() > 25


def test_the_ratio_of_noise_is_that_of_powers_for_magnitudes_too():
    audio = noise(8, 8000) * torch.logspace(-1, 0, 8)[:, None, None]
    for power in (1.0, 2.0):
        log_mel = LogMel(power=power, noise_mixing=1.0, noise_snr=(10.0, 10.0))
        level = [(spectrogram * 2 / power).exp() for spectrogram in (log_mel.eval()(audio), log_mel.train()(audio))]
        ratio = level[0].mean(dim=(1, 2, 3)) / (level[1] - level[0]).mean(dim=(1, 2, 3))
        torch.testing.assert_close(10 * ratio.log10(), torch.full((8,), 10.0), rtol=0, atol=0.05)


@pytest.mark.parametrize("training", [True, False])
def test_autocast_changes_nothing_and_half_of_everything_little(training):
    audio = noise(4, 8000)
    log_mel = LogMel(frequency_masking=0.2, noise_mixing=0.5).train(training)
    outs = []
    for enabled in (False, True):
        torch.manual_seed(0)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=enabled):
            outs.append(log_mel(audio))
    assert outs[1].dtype == torch.float32
    assert torch.equal(*outs)
    half = log_mel.eval().bfloat16()(audio.bfloat16())
    assert half.dtype == torch.bfloat16
    assert (half.float() - log_mel.float()(audio)).abs().mean() < 0.05


def test_it_has_nothing_to_save():
    assert not LogMel(time_masking=0.1).state_dict()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"win_length": 2000}, "n_fft=1024, win_length=2000, hop_length=160: win_length goes from 1 to n_fft"),
        ({"hop_length": 0}, "hop_length is at least 1"),
        ({"sample_rate": 8000}, "f_min=60 and f_max=7800 Hz: bands must lie between 0 Hz and half .* of 8000 Hz"),
        ({"f_min": 8000.0, "f_max": None}, "f_min=8000 and f_max=8000 Hz"),
        ({"n_mels": 256, "n_fft": 512}, r"of 256 mel bands .* of 512 samples, 31.2 Hz apart. Raise n_fft or lower"),
        ({"power": 3.0}, "power is 1 or 2"),
        ({"floor": 0.0}, "floor is above 0"),
        ({"time_masking": 2.0}, "TimeMasking: share goes from 0 to 1, and is 2.0"),
        ({"noise_mixing": 2.0}, "NoiseMixing: p is a probability"),
    ],
)
def test_arguments_that_do_not_go_together(arguments, message):
    with pytest.raises(UserError, match=message):
        LogMel(**arguments)
