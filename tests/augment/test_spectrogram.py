import math

import pytest
import torch

from semisupcon.augment.spectrogram import FrequencyMasking, NoiseMixing, TimeMasking
from semisupcon.errors import UserError

FLOOR = 1e-5
ALL = [FrequencyMasking(0.2), TimeMasking(0.2), NoiseMixing(p=1.0)]


def pictures(count, bands=64, frames=100, seed=0):
    """(N, 1, M, L), all values different."""
    return torch.randn(count, 1, bands, frames, generator=torch.Generator().manual_seed(seed)) * 2 - 3


def changed(transform, spectrogram, seed=0):
    torch.manual_seed(seed)
    out = transform.train()(spectrogram)
    return out, out != spectrogram


def masked(transform, spectrogram, seed=0):
    """(N, M) or (N, L): the bands or frames that are masked, of which all is."""
    mask = changed(transform, spectrogram, seed)[1].squeeze(1)
    across = -1 if isinstance(transform, FrequencyMasking) else -2
    share = mask.float().mean(dim=across)
    assert ((share == 0) | (share > 0.9)).all()  # a value may happen to be the mean
    return share > 0


@pytest.mark.parametrize("transform", ALL)
def test_nothing_happens_in_eval_mode(transform):
    spectrogram = pictures(8)
    assert transform.eval()(spectrogram) is spectrogram


@pytest.mark.parametrize("transform", ALL)
def test_the_seed_decides_and_every_example_has_a_draw_of_its_own(transform):
    same = pictures(1).expand(20, -1, -1, -1) + torch.arange(20)[:, None, None, None] * 0.1
    before = same.clone()
    first = changed(transform, same)[0]
    assert torch.equal(same, before)  # it is not written to
    assert torch.equal(first, changed(transform, same)[0])
    assert not torch.equal(first, changed(transform, same, seed=1)[0])
    change = (first - same).flatten(1)
    assert len({tuple(row.tolist()) for row in change}) > 15


@pytest.mark.parametrize("kind", [FrequencyMasking, TimeMasking])
def test_one_stripe_of_any_width_up_to_the_share_and_anywhere(kind):
    transform, spectrogram = kind(0.1), pictures(2000, bands=60, frames=60)
    stripes = masked(transform, spectrogram)
    width = stripes.sum(dim=1)
    rises = (stripes[:, 1:] & ~stripes[:, :-1]).sum(dim=1) + stripes[:, 0]
    assert rises.max() == 1  # neighbours
    counts = torch.bincount(width, minlength=7)
    assert len(counts) == 7  # 0 to 10 % of 60
    assert counts.min() > 2000 / 7 * 0.8
    starts = torch.bincount(stripes[width == 6].int().argmax(dim=1), minlength=55)
    assert len(starts) == 55  # 0 to 60 - 6
    assert starts[[0, -1]].all()
    expected = len(stripes[width == 6]) * 10 / 55
    assert starts[:10].sum().item() == pytest.approx(expected, rel=0.4)
    assert starts[-10:].sum().item() == pytest.approx(expected, rel=0.4)


@pytest.mark.parametrize("kind", [FrequencyMasking, TimeMasking])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_mask_holds_the_mean_of_its_own_example(kind, dtype):
    spectrogram = (pictures(50, 60, 600) + torch.arange(50)[:, None, None, None]).to(dtype)
    out, where = changed(kind(0.5), spectrogram)
    assert out.dtype == dtype
    assert where.any()
    mean = spectrogram.float().mean(dim=(1, 2, 3), keepdim=True).expand_as(out)
    rough = 1e-2 if dtype == torch.bfloat16 else 1e-5
    torch.testing.assert_close(out[where].float(), mean[where], rtol=rough, atol=1e-4)


@pytest.mark.parametrize("kind", [FrequencyMasking, TimeMasking])
def test_a_share_of_all_and_of_nothing(kind):
    spectrogram = pictures(500, 10, 10)
    assert masked(kind(1.0), spectrogram).sum(dim=1).bincount(minlength=11).min() > 20
    assert not masked(kind(0.0), spectrogram).any()
    assert not masked(kind(0.09), spectrogram).any()  # of ten bands
    assert masked(kind(0.29), pictures(300, 100, 100)).sum(dim=1).max() == 29  # .29 * 100 < 29


@pytest.mark.parametrize("kind", [FrequencyMasking, TimeMasking])
def test_the_probability_of_a_mask(kind):
    some = masked(kind(1.0, p=0.3), pictures(2000, 30, 30)).any(dim=1)
    assert some.float().mean().item() == pytest.approx(0.3 * 30 / 31, abs=0.04)


def test_long_spectrograms_are_masked_to_the_frame_in_bfloat16():
    """bfloat16 counts in steps of 16 from 2,048 on."""
    width = masked(TimeMasking(1.0), pictures(200, 4, 4000).bfloat16().float()).sum(dim=1)
    half = changed(TimeMasking(1.0), (pictures(200, 4, 4000) + 100).bfloat16())[0]
    assert (width % 2 == 1).sum() > 50
    assert half.isfinite().all()


def loud(count, bands=8, frames=50, seed=0):
    """(N, 1, M, L) log power, far above the floor."""
    generator = torch.Generator().manual_seed(seed)
    level = torch.randn(count, 1, 1, 1, generator=generator) * 2
    return (torch.rand(count, 1, bands, frames, generator=generator) + 0.1).log() + level


@pytest.mark.parametrize("power", [1.0, 2.0])
@pytest.mark.parametrize("snr", [0.0, 10.0, 20.0])
def test_noise_is_another_example_at_an_exact_ratio(snr, power):
    """What was added is found, and compared with each of the others."""
    spectrogram = loud(12).double() * power / 2  # of magnitudes, the logarithm is half of that of powers
    out = changed(NoiseMixing((snr, snr), 1.0, power=power), spectrogram.float())[0].double()
    clean = (spectrogram * 2 / power).exp().flatten(1)
    noise = (out * 2 / power).exp().flatten(1) - clean
    ratio = 10 * (clean.mean(dim=1) / noise.mean(dim=1)).log10()
    assert (ratio - snr).abs().max() < 0.05
    alike = torch.corrcoef(torch.cat([noise, clean]))[:12, 12:]
    assert (alike.max(dim=1).values > 0.999).all()
    source = alike.argmax(dim=1)
    assert (source != torch.arange(12)).all()
    assert len(set(source.tolist())) > 4


def test_the_ratio_is_even_over_its_range_and_the_probability_as_given():
    spectrogram = loud(2000, 4, 4)
    out = changed(NoiseMixing((3.0, 20.0), 0.4), spectrogram)[0]
    mixed = (out != spectrogram).flatten(1).any(dim=1)
    assert mixed.float().mean().item() == pytest.approx(0.4, abs=0.04)
    clean = spectrogram[mixed].exp()
    ratio = 10 * (clean.mean(dim=(1, 2, 3)) / (out[mixed].exp() - clean).mean(dim=(1, 2, 3))).log10()
    assert ratio.min().item() == pytest.approx(3, abs=0.1)
    assert ratio.max().item() == pytest.approx(20, abs=0.1)
    assert ratio.mean().item() == pytest.approx(11.5, abs=0.6)


def test_every_other_example_is_as_likely():
    spectrogram = torch.eye(5).reshape(5, 1, 5, 1).clamp(min=FLOOR).log()  # one loud band each
    transform, found = NoiseMixing((0.0, 0.0), 1.0), torch.zeros(5, 5)
    for seed in range(300):
        found += changed(transform, spectrogram, seed)[0].squeeze().exp() > 0.5
    others = found[~torch.eye(5, dtype=torch.bool)]
    assert others.sum() == 5 * 300
    assert others.min() > 75 * 0.6
    assert others.max() < 75 * 1.4


@pytest.mark.parametrize("power", [1.0, 2.0])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_silence_gets_no_noise_and_makes_none(power, dtype):
    silence = torch.full((1, 1, 8, 50), math.log(FLOOR))
    faint = silence + 1e-3
    full_scale = torch.full((1, 1, 8, 50), 14.0)
    spectrogram = torch.cat([silence, full_scale, faint, loud(1), silence]).to(dtype)
    transform = NoiseMixing((0.0, 20.0), 1.0, FLOOR, power)
    for seed in range(20):
        out = changed(transform, spectrogram, seed)[0]
        assert out.dtype == dtype
        assert out.isfinite().all()
        assert (out[[0, 4]] - spectrogram[[0, 4]]).abs().max() < (0.07 if dtype == torch.bfloat16 else 1e-3)
    for other in (silence, faint):
        pair = torch.cat([full_scale, other]).to(dtype)
        assert (changed(transform, pair)[0][0] - pair[0]).abs().max() < 0.1


def test_an_example_that_is_alone_stays_as_it_is():
    spectrogram = pictures(1)
    assert torch.equal(changed(NoiseMixing(p=1.0), spectrogram)[0], spectrogram)
    assert changed(NoiseMixing(p=1.0), pictures(0))[0].shape == (0, 1, 64, 100)


@pytest.mark.parametrize("transform", ALL)
def test_an_example_that_is_skipped_is_bit_by_bit_what_it_was(transform):
    transform = type(transform)(p=0.0)
    assert not changed(transform, pictures(20))[1].any()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: FrequencyMasking(1.5), "FrequencyMasking: share goes from 0 to 1, and is 1.5"),
        (lambda: TimeMasking(0.1, p=-1), "TimeMasking: p goes from 0 to 1, and is -1"),
        (lambda: NoiseMixing((20.0, 3.0)), r"NoiseMixing: snr goes from low to high, not \(20.0, 3.0\)"),
        (lambda: NoiseMixing(p=2), "NoiseMixing: p is a probability, 0 to 1, not 2"),
    ],
)
def test_arguments_that_make_no_sense(make, message):
    with pytest.raises(UserError, match=message):
        make()
