"""On a GPU the augmentations do the same, and never make it wait."""

import pytest
import torch

from semisupcon.augment import PRESETS, TRANSFORMS, Chain, noise, reverb

needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")

RATE = 22050
VOCODER = ("pitch_shift", "timestretch")


@pytest.fixture
def audio():
    return torch.randn(24, 1, 59049, generator=torch.Generator().manual_seed(0)) * 0.1


@needs_gpu
@pytest.mark.parametrize("name", [*TRANSFORMS, *PRESETS])
def test_nothing_waits_for_the_gpu(name, audio):
    if name == "mp3":
        pytest.skip("the codec runs on the host")
    chain, audio = Chain([name], severity=3, p=1.0), audio.cuda()
    chain(audio, RATE)  # tables are made, and libraries loaded
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        out = chain(audio, RATE)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert out.isfinite().all()


@needs_gpu
@pytest.mark.parametrize("name", [*TRANSFORMS, *PRESETS])
def test_the_seed_decides_everything(name, audio):
    chain, outs = Chain([name]), []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        outs.append(chain(audio.cuda(), RATE))
    assert torch.equal(outs[0], outs[1])
    assert name == "cola" or not torch.equal(outs[0], outs[2])


@pytest.fixture
def drawn_alike(monkeypatch):
    """All that is drawn comes from one generator on the host; the function begins it anew."""
    generator = torch.Generator()

    def on_host(draw):
        return lambda *args, device=None, **_: draw(*args, generator=generator).to(device or "cpu")

    def white(count, values, device):
        return torch.randint(-128, 128, (count, values), generator=generator).add(0.5).to(device)

    for module in (noise, reverb):
        monkeypatch.setattr(module, "white", white)
    monkeypatch.setattr(torch, "randint", on_host(torch.randint))
    for draw in ("rand", "randn"):
        monkeypatch.setattr(torch, draw, on_host(getattr(torch, draw)))
    return lambda: generator.manual_seed(0)


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=needs_gpu)])
@pytest.mark.parametrize("name", TRANSFORMS)
def test_the_same_parameters_give_the_same_sound_as_on_the_cpu(name, audio, drawn_alike, device):
    """On the CPU itself it says that nothing is drawn in a way that ``drawn_alike`` does not know of."""
    effect, outs = TRANSFORMS[name]().effect, []
    for place in ("cpu", device):
        drawn_alike()
        outs.append(effect(audio.clone().to(place), RATE, 1.0).cpu())
    if device == "cpu":
        assert torch.equal(outs[0], outs[1])
    elif name in VOCODER:  # of two bins as loud, rounding decides which is the peak
        assert (outs[1] - outs[0]).norm() < 0.03 * outs[0].norm()
    else:
        torch.testing.assert_close(outs[1], outs[0], rtol=0, atol=1e-3)
