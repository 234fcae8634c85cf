"""A test set under augmentations: of known severity, the same for everybody, and nothing else changed by it."""

import numpy as np
import pytest
import torch

from semisupcon.augment import TRANSFORMS, Gain, OneOf, PolarityInversion, Transform
from semisupcon.errors import UserError
from semisupcon.evaluation.corruption import ROBUSTNESS, CorruptedClips, Corruption
from semisupcon.loading.reader import Reader
from semisupcon.loading.segments import WholeClips, clips_loader, segments

RATE = 8000
T = 1000


def sound(samples=6000, level=6000, seed=0):
    """Noise with a tone, soft enough that 12 dB more do not clip."""
    noise = np.random.default_rng(seed).normal(0, level / 12, samples)
    return (noise + level / 2 * np.sin(np.arange(samples) / 5)).astype(np.int16)


def decibels(before, after):
    """By how much the second is louder."""
    return 20 * np.log10(np.linalg.norm(after.astype(float)) / np.linalg.norm(before.astype(float)))


@pytest.fixture
def corpus(tmp_path, write_wav):
    """Six files of several lengths: a function that makes the dataset of some rows."""
    names = [f"{part}/{number}.wav" for part in "ab" for number in range(3)]
    lengths = (T, 2500, 700, 4 * T, 1001, 3333)
    for seed, (name, length) in enumerate(zip(names, lengths, strict=True)):
        write_wav(tmp_path / name, sound(length, seed=seed))
    reader = Reader(np.array([str(tmp_path / name) for name in names]), RATE)
    labels = np.eye(6, dtype=np.float32)

    def make(corruptions, rows=range(6), size=4, given=reader, **options):
        return CorruptedClips(given, labels, np.array(rows), T, names, corruptions, size, **options)

    make.reader, make.names, make.labels = reader, names, labels
    return make


def by_clip(dataset, corruption):
    """Row -> segments under one of the corruptions."""
    found = {}
    for index in range(len(dataset)):
        if dataset.corruption(index) is corruption:
            clips = dataset[index]
            found |= {int(row): clips.audio[clips.clip == row] for row in clips.rows}
    return found


@pytest.mark.parametrize("name", TRANSFORMS)
def test_severity_0_is_the_file_to_the_bit(name):
    np.testing.assert_array_equal(Corruption(name, 0)(sound(), RATE, "a.wav"), sound())


def test_the_dataset_at_severity_0_is_that_of_whole_clips(corpus):
    clean = WholeClips(corpus.reader, corpus.labels, np.arange(6), T, size=4)
    dataset = corpus([Corruption("gain", 0), Corruption("mp3", 0)])
    assert len(dataset) == 4
    for index, found in enumerate(dataset):
        wanted = clean[index // 2]
        for part in ("audio", "clip", "labels", "rows"):
            assert torch.equal(getattr(found, part), getattr(wanted, part))


@pytest.mark.parametrize("name", TRANSFORMS)
def test_every_augmentation_changes_clips_and_keeps_their_length_and_the_generators(name):
    clean = [sound(seed=seed) for seed in range(4)]
    torch.manual_seed(5)
    np.random.seed(5)
    before = (torch.get_rng_state(), np.random.get_state()[1].copy(), torch.get_num_threads())
    found = [Corruption(name, 5)(clip, RATE, f"{number}.wav") for number, clip in enumerate(clean)]
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (np.random.get_state()[1] == before[1]).all()
    assert torch.get_num_threads() == before[2]
    assert all(each.shape == (6000,) and each.dtype == np.int16 for each in found)
    assert all((each != clip).any() for each, clip in zip(found, clean, strict=True))
    np.testing.assert_array_equal(clean, [sound(seed=seed) for seed in range(4)])  # the given ones are not written to


@pytest.mark.parametrize("name", ROBUSTNESS)
def test_the_same_seed_gives_the_same_bits_and_another_clip_others(name):
    clip = sound()
    first = Corruption(name, 1)(clip, RATE, "a/0.wav")
    torch.manual_seed(99)
    np.testing.assert_array_equal(first, Corruption(name, 1)(clip, RATE, "a/0.wav"))
    if Corruption(name, 1).transform.likeliest == 1:  # else all of them are changed alike
        assert (first != Corruption(name, 1)(clip, RATE, "a/1.wav")).any()
        assert (first != Corruption(name, 1, seed=1)(clip, RATE, "a/0.wav")).any()


def test_an_effect_runs_on_one_thread_and_leaves_no_graph():
    """So that the sums of several threads, in another order, cannot differ from those of a loading worker."""

    class Spy(Transform):
        def effect(self, audio, sample_rate, strength):
            seen.append((torch.get_num_threads(), torch.is_grad_enabled()))
            return audio

    seen = []
    torch.set_num_threads(2)
    try:
        Corruption(Spy(1.0), 2)(sound(), RATE, "a.wav")
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(1)
    assert seen == [(1, False)]


def test_a_loop_over_clips_gives_the_same_gain(corpus):
    """The oracle draws with the documented seed in plain numpy and torch, and multiplies."""
    gain = Corruption("gain", 3, seed=7)
    for row, found in by_clip(corpus([gain]), gain).items():
        clean = corpus.reader.whole(row)
        generator = torch.Generator().manual_seed(gain._seed_of(corpus.names[row]))
        u = float(torch.rand(1, 1, generator=generator))
        factor = 10 ** (1.5 * (-15 + 20 * u) / 20)
        louder = np.clip(np.round(clean * factor), -32768, 32767).astype(np.int16)
        np.testing.assert_allclose(found[:, 0].numpy(), segments(louder, T), atol=1)


def test_polarity_turns_as_many_clips_as_severity_says_and_always_the_same_first():
    clip, names = sound(50), [f"{number}.wav" for number in range(1000)]
    turned = {}
    for severity in (1, 2.5, 4, 5):
        found = [Corruption("polarity_inversion", severity)(clip, RATE, name) for name in names]
        turned[severity] = np.array([(each == -clip).all() for each in found])
        assert all((each == clip).all() or (each == -clip).all() for each in found)
        assert turned[severity].mean() == pytest.approx(severity / 5, abs=0.05)
    assert not (turned[1] & ~turned[2.5]).any()
    assert not (turned[2.5] & ~turned[4]).any()
    assert turned[5].all()


def test_half_of_the_clips_are_played_backwards_at_severity_2_5():
    clip = sound(50)
    found = [Corruption("reverse", 2.5)(clip, RATE, f"{number}.wav") for number in range(600)]
    backwards = [(each == clip[::-1]).all() for each in found]
    assert all(back or (each == clip).all() for back, each in zip(backwards, found, strict=True))
    assert np.mean(backwards) == pytest.approx(0.5, abs=0.06)


@pytest.mark.parametrize("clip", ["a.wav", "b.wav", "c.wav"])
def test_the_decibels_of_a_clip_are_in_proportion_to_severity(clip):
    changes = [decibels(sound(level=1500), Corruption("gain", s)(sound(level=1500), RATE, clip)) for s in range(1, 6)]
    np.testing.assert_allclose(changes, changes[1] / 2 * np.arange(1, 6), atol=0.02)


def test_noise_is_the_same_noise_at_every_severity():
    clip = sound(level=3000)
    added = [Corruption("add_colored_noise", s)(clip, RATE, "x.wav").astype(float) - clip for s in (1, 2, 4)]
    for each, times in ((added[0], 0.5), (added[2], 2.0)):
        assert np.corrcoef(each, added[1])[0, 1] > 0.999
        assert np.linalg.norm(each) == pytest.approx(times * np.linalg.norm(added[1]), rel=0.02)


def test_a_whole_clip_is_corrupted_and_not_its_segments(corpus, tmp_path, write_wav):
    """An echo of the first segment is heard in the second."""
    click = np.zeros(5 * T, np.int16)
    click[T - 1] = 8000
    reader = Reader(np.array([str(write_wav(tmp_path / "click.wav", click))]), RATE)
    [echo] = corpus([Corruption("delay", 2)], rows=[0], given=reader)
    assert (echo.audio[0, 0] != 0).sum() == 1
    assert (echo.audio[1:, 0] != 0).sum() == 1


def test_what_is_too_loud_clips_as_in_a_file(monkeypatch):
    loud = np.array([20000, -20000, 100, 32767, -32768], np.int16)
    found = Corruption(Gain((10.0, 10.0)), 2)(loud, RATE, "x")
    np.testing.assert_array_equal(found, [32767, -32768, round(100 * 10**0.5), 32767, -32768])


def test_mp3_leaves_a_likeness():
    clean = sound(24000)
    found = Corruption("mp3", 3)(clean, RATE, "x.wav")
    assert 0.9 < np.corrcoef(found, clean)[0, 1] < 1


def test_neither_order_nor_others_nor_workers_matter(corpus):
    corruptions = [Corruption(name, 3) for name in ("add_colored_noise", "reverb", "mp3")]
    for corruption in corruptions:
        alone = by_clip(corpus([corruption], rows=[3], size=1), corruption)
        some = by_clip(corpus(corruptions[::-1], rows=[5, 3, 1], size=2), corruption)
        everything = by_clip(corpus(corruptions), corruption)
        assert torch.equal(alone[3], everything[3])
        assert all(torch.equal(some[row], everything[row]) for row in (1, 3, 5))


def test_two_workers_give_what_none_gives(corpus):
    dataset = corpus([Corruption(name, 3) for name in ("filtering", "pitch_shift", "gain")])
    torch.set_num_threads(2)
    try:
        here, there = list(clips_loader(dataset, 0)), list(clips_loader(dataset, 2))
    finally:
        torch.set_num_threads(1)
    assert len(here) == len(there) == 6
    for one, other in zip(here, there, strict=True):
        assert all(
            torch.equal(getattr(one, part), getattr(other, part)) for part in ("audio", "clip", "labels", "rows")
        )


def test_a_clip_is_read_once_for_all_corruptions(corpus):
    read = []

    class Counting(Reader):
        def whole(self, file):
            read.append(file)
            return super().whole(file)

    counting = Counting(corpus.reader.paths, RATE)
    groups = list(corpus([Corruption("gain", severity) for severity in range(6)], given=counting, size=2))
    assert len(groups) == 18
    assert read == [0, 1, 2, 3, 4, 5]


def test_a_broken_file_is_named_under_every_corruption_and_the_others_are_there(corpus):
    broken = Reader(np.array([*corpus.reader.paths[:2], "/none.wav"]), RATE)
    dataset = corpus([Corruption("gain", 2), Corruption("delay", 2)], rows=range(3), given=broken)
    for clips in dataset:
        assert clips.rows.tolist() == [0, 1]
        assert [path for path, _ in clips.bad] == ["/none.wav"]


def test_groups_past_the_last_clip_are_empty(corpus):
    dataset = corpus([Corruption("gain", 2), Corruption("delay", 2)], rows=[0, 1], size=1, groups=3)
    assert [clips.rows.tolist() for clips in dataset] == [[0], [0], [1], [1], [], []]
    with pytest.raises(IndexError):
        dataset[6]


class Spoils(Transform):
    """Gives NaN, nothing, or half of the sound, for loud clips."""

    def __init__(self, how):
        super().__init__(1.0)
        self.how = how

    def effect(self, audio, sample_rate, strength):
        if audio.abs().amax() < 0.1:
            return audio
        if self.how == "raise":
            raise ZeroDivisionError("by the sound")
        return audio * float("nan") if self.how == "nan" else audio[..., ::2]


@pytest.mark.parametrize(
    ("how", "says", "workers"),
    [
        ("nan", "NaN", 0),
        ("raise", "ZeroDivisionError: by the sound", 0),
        ("raise", "ZeroDivisionError: by the sound", 1),
        ("half", r"\(1, 1, 350\)", 0),
    ],
)
def test_what_a_transform_spoils_is_an_error_that_names_clip_and_augmentation(corpus, how, says, workers):
    dataset = corpus([Corruption(Spoils(how), 3)], rows=[2])
    with pytest.raises(UserError, match=says) as raised:
        list(clips_loader(dataset, workers))
    assert "Spoils at severity 3" in str(raised.value)
    assert "a/2.wav" in str(raised.value)
    soft = Corruption(Spoils(how), 3)(sound(50, level=20), RATE, "soft.wav")
    np.testing.assert_array_equal(soft, sound(50, level=20))


def test_a_users_own_transform_and_a_choice_of_several():
    own = Corruption(OneOf([Gain((6.0, 6.0), p=0.0), PolarityInversion(p=0.0)], p=0.0), 2)
    found = [decibels(sound(), own(sound(), RATE, str(number))) for number in range(40)]
    assert own.name == "OneOf"
    assert {round(each, 1) for each in found} == {0.0, 6.0}, "neither its own p nor those of its members are used"


def test_the_default_list_exists_and_what_is_no_such_thing_is_refused():
    assert set(ROBUSTNESS) <= set(TRANSFORMS)
    assert len(set(ROBUSTNESS)) == len(ROBUSTNESS) == 14
    with pytest.raises(UserError, match="Did you mean reverb"):
        Corruption("reverbs", 2)
    for severity in (-1, 5.1):
        with pytest.raises(UserError, match="it goes from 0"):
            Corruption("gain", severity)
