import pytest
import torch

from semisupcon.augment import TRANSFORMS, Chain, Delay, Gain, OneOf, Transform, base
from semisupcon.augment.spectrum import fast_length
from semisupcon.errors import UserError

RATE = 8000
ALL = [*TRANSFORMS.values()]


def noise(count, samples=4400):  # at 8 kHz longer than any delay
    return torch.randn(count, 1, samples, generator=torch.Generator().manual_seed(0)) * 0.2


def changed(before, after):
    """(N,) whether any bit of an example differs."""
    return (before.view(torch.int32) != after.view(torch.int32)).flatten(1).any(dim=1)


@pytest.mark.parametrize("kind", ALL)
def test_some_examples_change_and_the_others_stay_bit_by_bit(kind):
    torch.manual_seed(1)
    transform, audio = kind(p=0.5), noise(400)
    before = audio.clone()
    out = transform(audio, RATE)
    assert torch.equal(audio, before)  # the caller's tensor is left alone
    assert out.shape == audio.shape
    assert out.dtype == torch.float32
    assert 160 < changed(audio, out).sum() < 240


@pytest.mark.parametrize("kind", ALL)
def test_probability_and_strength(kind):
    audio = noise(400)
    torch.manual_seed(2)
    assert changed(audio, kind(p=1.0)(audio, RATE)).all()
    assert not changed(audio, kind(p=0.0)(audio, RATE)).any()
    assert not changed(audio, kind(p=1.0)(audio, RATE, strength=0.0)).any()
    parameters = kind not in (TRANSFORMS["polarity_inversion"], TRANSFORMS["reverse"])  # these have none
    strong = changed(audio, kind(p=0.5)(audio, RATE, strength=2.5))
    assert strong.all() if parameters else 160 < strong.sum() < 240
    assert 60 < changed(audio, kind(p=0.5)(audio, RATE, strength=0.4)).sum() < 100  # 80 of 400


@pytest.mark.parametrize("kind", ALL)
def test_the_seed_decides_everything(kind):
    audio, outs = noise(64), []
    for seed in (3, 3, 4):
        torch.manual_seed(seed)
        outs.append(kind()(audio, RATE))
    assert torch.equal(outs[0], outs[1])
    assert not torch.equal(outs[0], outs[2])


@pytest.mark.parametrize("kind", ALL)
@pytest.mark.parametrize("rate", [8000, 11025, 16000, 22050, 44100, 48000])
@pytest.mark.parametrize("strength", [0.1, 1.0, 2.5])
def test_nothing_but_numbers_comes_out(kind, rate, strength):
    silence, impulse = torch.zeros(1, 1, 5000), torch.zeros(1, 1, 5000)
    impulse[..., 2500] = 1
    full = torch.sign(torch.sin(torch.arange(5000) / 7))[None, None]
    audio = torch.cat([silence, impulse, full, -torch.ones_like(full)]).repeat(6, 1, 1)
    torch.manual_seed(5)
    transform = kind(p=1.0)
    out = transform(audio, rate, strength)
    assert out.isfinite().all()
    assert not out[::4].any()  # silence stays silent
    assert out.abs().max() < 100
    for samples in (1, 2, 17):
        assert transform(audio[..., -samples:], rate, strength).isfinite().all()


@pytest.mark.parametrize("kind", ALL)
def test_what_an_example_becomes_does_not_depend_on_the_others_sound(kind):
    audio = noise(8)
    other = audio.clone()
    other[1:] = torch.sin(torch.arange(4400) / 5)
    outs = []
    for batch in (audio, other):
        torch.manual_seed(6)
        outs.append(kind(p=1.0)(batch, RATE)[0])
    torch.testing.assert_close(outs[0], outs[1])


def test_examples_get_parameters_of_their_own():
    audio = noise(1).expand(32, 1, -1)
    for kind in ALL:
        if kind not in (TRANSFORMS["polarity_inversion"], TRANSFORMS["reverse"]):  # which have none
            torch.manual_seed(7)
            # At this rate LAME makes no difference between most of its numbers.
            assert len(torch.unique(kind(p=1.0)(audio, RATE), dim=0)) > (3 if kind is TRANSFORMS["mp3"] else 10)


@pytest.mark.parametrize("audio", [torch.zeros(2, 8), torch.zeros(2, 2, 8), torch.zeros(2, 1, 8, dtype=torch.int16)])
def test_other_audio_is_refused(audio):
    with pytest.raises(ValueError, match=r"expected audio \(N, 1, T\) torch.float32, not"):
        Gain()(audio, RATE)


def test_an_empty_batch_comes_back():
    assert Delay(p=1.0)(torch.zeros(0, 1, 100), RATE).shape == (0, 1, 100)


def test_no_probability():
    with pytest.raises(UserError, match=r"Gain: p is a probability, 0 to 1, not 1.5"):
        Gain(p=1.5)


class Set(Transform):
    """Writes a number, which shows what was chosen."""

    def __init__(self, number, p=0.0):
        super().__init__(p)
        self.number = number

    def effect(self, audio, sample_rate, strength):
        return audio.fill_(self.number)


def test_one_of_chooses_evenly_by_its_own_probability():
    torch.manual_seed(8)
    out = OneOf([Set(1.0), Set(2.0), Set(3.0)], p=0.6)(torch.zeros(2000, 1, 4), RATE)
    counts = out[:, 0, 0].long().bincount() / 2000
    assert counts.tolist() == pytest.approx([0.4, 0.2, 0.2, 0.2], abs=0.03)
    with pytest.raises(UserError, match="no transforms"):
        OneOf([], p=0.5)


def test_one_of_alters_what_any_of_them_alters_and_runs_where_all_of_them_can():
    assert OneOf([TRANSFORMS["pitch_shift"](), TRANSFORMS["timestretch"]()], p=0.5).alters[:2] == ("key", "pitch")
    assert not OneOf([Gain(), Delay()], p=0.5).on_host
    codec = OneOf([TRANSFORMS["mp3"](), Gain()], p=0.5)
    assert codec.on_host
    assert [len(part.transforms) for part in Chain([codec, "gain"]).split()] == [1, 1]
    [warning] = Chain(["gain", codec]).objections(())
    assert "OneOf has no GPU version" in warning


def test_fast_length_is_the_least_of_its_kind():
    kind = sorted(m << k for m in (1, 3, 5, 9, 15) for k in range(17))
    for samples in (*range(1, 200), 59049, 61254, 61440, 61441):
        assert fast_length(samples) == next(n for n in kind if n >= samples)


def test_rows_are_taken_as_many_at_a_time_as_memory_allows():
    """And of all or of some it is the same."""
    sizes = []

    class Count(Transform):
        takes = 8.0

        def effect(self, audio, sample_rate, strength):
            sizes.append(len(audio))
            return audio + 1

    assert torch.equal(Count(p=1.0)(torch.zeros(12, 1, 4), RATE), torch.ones(12, 1, 4))
    assert sizes == [4, 4, 4]
    sizes.clear()
    some = Count(p=0.5)
    torch.manual_seed(0)
    out = some(torch.zeros(12, 1, 4), RATE)[:, 0, 0]
    assert sum(sizes) == out.sum() < 12
    assert max(sizes) <= 4


def test_on_a_cpu_what_is_held_stays_near_its_caches(monkeypatch):
    monkeypatch.setattr(base, "NEAR", 100)
    sizes = []

    class Count(Transform):
        takes = 4.0

        def effect(self, audio, sample_rate, strength):
            sizes.append(len(audio))
            return audio

    Count(p=1.0)(torch.zeros(12, 1, 4), RATE)
    assert sizes == [4, 4, 4]  # of 12, whose limit is 8
