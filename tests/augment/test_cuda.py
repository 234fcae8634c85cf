"""On a GPU the augmentations do the same, and never make it wait."""

import pytest
import torch

from semisupcon.augment import PRESETS, TRANSFORMS, Chain

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")

RATE = 22050


@pytest.fixture
def audio():
    generator = torch.Generator().manual_seed(0)
    return (torch.randn(24, 1, 59049, generator=generator) * 0.1).cuda()


@pytest.mark.parametrize("name", [*TRANSFORMS, *PRESETS])
def test_nothing_waits_for_the_gpu(name, audio):
    if name == "mp3":
        pytest.skip("the codec runs on the host")
    chain = Chain([name], severity=3, p=1.0)
    chain(audio, RATE)  # tables are made, and libraries loaded
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        out = chain(audio, RATE)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert out.isfinite().all()


@pytest.mark.parametrize("name", [*TRANSFORMS, *PRESETS])
def test_the_seed_decides_everything(name, audio):
    chain, outs = Chain([name]), []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        outs.append(chain(audio, RATE))
    torch.testing.assert_close(outs[0], outs[1])
    assert name == "cola" or not torch.equal(outs[0], outs[2])


@pytest.mark.parametrize("name", TRANSFORMS)
def test_the_same_parameters_give_the_same_sound_as_on_the_cpu(name, audio, monkeypatch):
    """With every random number a half, or zero where it is Gaussian."""
    monkeypatch.setattr(torch, "rand", lambda *size, device=None, **_: torch.full(size, 0.5, device=device))
    monkeypatch.setattr(torch, "randn", lambda *size, device=None, **_: torch.ones(size, device=device))
    effect = TRANSFORMS[name]().effect
    torch.testing.assert_close(
        effect(audio.clone(), RATE, 1.0).cpu(), effect(audio.cpu(), RATE, 1.0), rtol=0, atol=1e-3
    )
