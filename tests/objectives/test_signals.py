"""Each signal pair by pair, against loops, scipy, scikit-learn and mir_eval."""

import logging
import math
from itertools import product

import mir_eval
import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist
from sklearn.metrics.pairwise import laplacian_kernel, rbf_kernel

from semisupcon.errors import UserError
from semisupcon.objectives.signals import ClassSimilarity, Custom, LabelOverlap, RegressionKernel, Several, SharedLabels
from semisupcon.table import Task

NAN = math.nan
TONICS = ("C", "Db", "D", "Eb", "E", "F", "Gb", "G", "Ab", "A", "Bb", "B")
KEYS = tuple(f"{tonic} {mode}" for mode in ("major", "minor") for tonic in TONICS)
KEY_TASK = Task("keys", "key", KEYS)
MOOD = Task("mood", "regression", ("arousal", "valence"))


def numbers(n=20, k=2, seed=0):
    return torch.randn(n, k, generator=torch.Generator().manual_seed(seed))


def test_regression_kernels_equal_scikit_learns():
    a, c = numbers(7), numbers(9, seed=1)
    gaussian = RegressionKernel("gaussian", 0.7)(a, c)
    laplacian = RegressionKernel("laplacian", 0.7)(a, c)
    np.testing.assert_allclose(gaussian, rbf_kernel(a, c, gamma=1 / (2 * 0.7**2)), atol=1e-6)
    np.testing.assert_allclose(laplacian, laplacian_kernel(a, c, gamma=1 / 0.7), atol=1e-6)


def test_each_target_has_its_bandwidth():
    a, c = numbers(7), numbers(9, seed=1)
    found = RegressionKernel("gaussian", [0.5, 2.0])(a, c)
    np.testing.assert_allclose(
        found, np.exp(-0.5 * cdist(a.numpy() / [0.5, 2.0], c.numpy() / [0.5, 2.0]) ** 2), atol=1e-6
    )
    assert torch.equal(RegressionKernel("gaussian", 0.3)(a, a).diagonal(), torch.ones(7))


def test_the_bandwidth_of_the_data_is_scotts():
    labels = numbers(500) * torch.tensor([1.0, 3.0])
    labels[::7, 1] = NAN
    kernel = RegressionKernel()
    kernel.fit(labels, MOOD)
    for column in range(2):
        known = labels[:, column][~labels[:, column].isnan()].numpy()
        assert kernel.bandwidth[column].item() == pytest.approx(known.std(ddof=1) * len(known) ** (-1 / 6), rel=1e-4)


def test_far_numbers_keep_their_small_differences():
    a = torch.tensor([[1000.0], [1000.5]])
    assert RegressionKernel("laplacian", 1.0)(a, a)[0, 1].item() == pytest.approx(math.exp(-0.5), rel=1e-5)


def test_a_pair_is_judged_by_the_targets_known_of_both():
    a, c = torch.tensor([[1.0, NAN], [NAN, NAN]]), torch.tensor([[2.0, 5.0], [NAN, 5.0]])
    found = RegressionKernel("laplacian", 1.0)(a, c)
    assert found[0, 0].item() == pytest.approx(math.exp(-1))
    assert found[0, 1].isnan()
    assert found[1].isnan().all()


def test_bandwidths_that_do_not_fit():
    with pytest.raises(UserError, match="3 bandwidths, and mood has 2 targets"):
        RegressionKernel(bandwidth=[1.0, 2.0, 3.0]).fit(numbers(), MOOD)
    with pytest.raises(UserError, match="have the same valence"):
        RegressionKernel().fit(numbers() * torch.tensor([1.0, 0.0]), MOOD)
    unknown = numbers()
    unknown[1:, 1] = NAN
    with pytest.raises(UserError, match="of mood but 1 are without their valence"):
        RegressionKernel().fit(unknown, MOOD)
    with pytest.raises(RuntimeError, match="no bandwidth"):
        RegressionKernel()(numbers(), numbers())
    for wrong in (0.0, -1.0, [], NAN):
        with pytest.raises(ValueError, match="a bandwidth is a number above 0"):
            RegressionKernel(bandwidth=wrong)


TAGS = torch.rand(40, 6, generator=torch.Generator().manual_seed(2)) < torch.tensor([0.9, 0.5, 0.3, 0.2, 0.1, 0.05])
TAG_TASK = Task("tags", "multilabel", tuple("abcdef"))


@pytest.mark.parametrize("kind", ["dice", "jaccard"])
def test_rarity_weighs_each_label(kind):
    labels = TAGS.float()
    signal = LabelOverlap(kind, rarity=True)
    signal.fit(labels, TAG_TASK)
    weight = [math.log(41 / (sum(row[k] for row in labels.tolist()) + 1)) for k in range(6)]
    found = signal(labels[:9], labels[9:20])
    for a, c in product(range(9), range(11)):
        x, y = labels[a].tolist(), labels[9 + c].tolist()
        shared = sum(w * i * j for w, i, j in zip(weight, x, y, strict=True))
        both = sum(w * (i + j) for w, i, j in zip(weight, x, y, strict=True))
        if both == 0:
            assert found[a, c].isnan()
        else:
            wanted = 2 * shared / both if kind == "dice" else shared / (both - shared)
            assert found[a, c].item() == pytest.approx(wanted, abs=1e-5)


def test_a_shared_rare_tag_counts_more():
    signal = LabelOverlap(rarity=True)
    signal.fit(TAGS.float(), TAG_TASK)
    common, rare = torch.tensor([[1, 1, 0, 0, 0, 0.0]]), torch.tensor([[0, 1, 0, 0, 0, 1.0]])
    both = torch.tensor([[1, 0, 0, 0, 0, 1.0]])
    assert signal(both, rare) > signal(both, common)
    with pytest.raises(RuntimeError, match="call fit"):
        LabelOverlap(rarity=True)(common, rare)


def test_keys_by_mirex_are_mir_evals_both_ways(caplog):
    caplog.set_level(logging.INFO)
    signal = ClassSimilarity("mirex")
    signal.fit(torch.eye(24), KEY_TASK)
    found = signal(torch.eye(24), torch.eye(24))
    for a, c in product(range(24), range(24)):
        ways = [mir_eval.key.weighted_score(KEYS[x], KEYS[y]) for x, y in ((a, c), (c, a))]
        assert found[a, c].item() == pytest.approx(sum(ways) / 2)
    assert "not the same both ways: their mean is taken" in caplog.text


def test_keys_on_the_circle_of_fifths():
    signal = ClassSimilarity("fifths")
    signal.fit(torch.eye(24), KEY_TASK)
    found = dict(zip(KEYS, signal(torch.eye(24), torch.eye(24))[KEYS.index("C major")].tolist(), strict=True))
    circle = ["C major", "G major", "D major", "A major", "E major", "B major", "Gb major"]
    assert [found[key] for key in circle] == sorted((found[key] for key in circle), reverse=True)
    assert found["C major"] == 1
    assert found["F major"] == found["G major"]
    assert found["A minor"] > found["G major"] > found["E minor"] > found["C minor"]
    assert min(found.values()) == pytest.approx(found["Eb minor"], abs=1e-6)
    assert found["Eb minor"] == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("names", ["C C# D Gb B", "60 61 62 66 71", "C4 Db5 D1 F#2 B3"])
def test_pitches_an_octave_apart_are_alike(names):
    classes = tuple(names.split())
    signal = ClassSimilarity("octaves")
    signal.fit(torch.eye(5), Task("pitch", "multiclass", classes))
    found = signal(torch.eye(5), torch.eye(5))[0].tolist()
    assert found == pytest.approx([1 - distance / 6 for distance in (0, 1, 2, 6, 1)], abs=1e-6)


def test_octaves_of_midi_numbers():
    signal = ClassSimilarity("octaves")
    signal.fit(torch.eye(112), Task("nsynth", "multiclass", tuple(map(str, range(9, 121)))))
    found = signal(torch.eye(112), torch.eye(112))
    assert found[0, 12] == found[5, 101] == 1
    assert found[0, 6] == found[10, 28] == 0


def test_a_table_of_ones_own(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    file = tmp_path / "table.csv"
    file.write_text(",rock,jazz,folk\nrock,1,0.2,0.5\njazz,0.4,1,0.1\nfolk,0.5,0.1,1\n")
    signal = ClassSimilarity(str(file))
    signal.fit(torch.eye(2), Task("genre", "multiclass", ("jazz", "rock")))
    assert signal(torch.eye(2), torch.eye(2)).tolist() == pytest.approx(torch.tensor([[1, 0.3], [0.3, 1]]))
    assert "mean is taken" in caplog.text
    unknown = torch.tensor([[NAN, NAN], [0, 1.0]])
    assert signal(unknown, torch.eye(2)).isnan().tolist() == [[True, True], [False, False]]
    with pytest.raises(UserError, match=r"no row and column for blues.*all classes of genre"):
        signal.fit(torch.eye(2), Task("genre", "multiclass", ("blues", "rock")))
    file.write_text(",rock,jazz\nrock,1,x\njazz,0,1\n")
    with pytest.raises(UserError, match="the row of 'rock'"):
        signal.fit(torch.eye(2), Task("genre", "multiclass", ("jazz", "rock")))
    file.write_text(",rock,jazz\nrock,1,2\njazz,0,1\n")
    with pytest.raises(UserError, match="a number from 0 to 1"):
        signal.fit(torch.eye(2), Task("genre", "multiclass", ("jazz", "rock")))


def test_tables_that_do_not_fit_the_classes():
    with pytest.raises(UserError, match=r"knows the tables mirex, fifths, octaves, and 'nowhere.csv' is no file"):
        ClassSimilarity("nowhere.csv")
    for table, said in (("mirex", "is no key such as"), ("octaves", "is no pitch such as")):
        with pytest.raises(UserError, match=said):
            ClassSimilarity(table).fit(torch.eye(2), Task("genre", "multiclass", ("jazz", "rock")))
    with pytest.raises(RuntimeError, match="call fit"):
        ClassSimilarity("mirex")(torch.eye(24), torch.eye(24))


def test_a_function_of_ones_own(monkeypatch, tmp_path):
    here = tmp_path / "mine.py"
    here.write_text(
        "def near(a, c):\n    return (a[:, None, 0] - c[None, :, 0]).abs().lt(1).float()\n"
        "def wrong(a, c):\n    return a\n"
        "def much(a, c):\n    return 2 * near(a, c)\n"
        "number = 3\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    a = torch.tensor([[0.0], [0.5], [3.0]])
    assert Custom("mine.near")(a, a).tolist() == [[1, 1, 0], [1, 1, 0], [0, 0, 1]]
    for function, said in (
        ("mine.wrong", r"returned a tensor \(3, 1\), not a tensor \(3, 3\)"),
        ("mine.much", r"outside \[0, 1\]"),
    ):
        with pytest.raises(UserError, match=said):
            Custom(function)(a, a)
    for function, said in (("mine.number", "is a int"), ("mine.none", "cannot be imported"), ("x", "cannot be")):
        with pytest.raises(UserError, match=said):
            Custom(function)


TASKS = (MOOD, Task("genre", "multiclass", ("a", "b", "c")))
BOTH = torch.tensor(
    [
        [0.1, 0.2, 1, 0, 0],
        [0.3, 0.1, 1, 0, 0],
        [0.3, NAN, NAN, NAN, NAN],
        [NAN, NAN, 0, 1, 0],
        [NAN, NAN, NAN, NAN, NAN],
    ]
)


@pytest.mark.parametrize("combine", ["mean", "max"])
def test_each_pair_is_judged_by_those_that_can(combine):
    kernel, shared = RegressionKernel("laplacian", 0.5), SharedLabels()
    several = Several({"genre": shared, "mood": kernel}, combine)
    several.prepare(BOTH, TASKS)
    found = several(BOTH, BOTH)
    for a, c in product(range(5), range(5)):
        one, other = BOTH[a : a + 1], BOTH[c : c + 1]
        judged = [float(kernel(one[:, :2], other[:, :2])), float(shared(one[:, 2:], other[:, 2:]))]
        judged = [value for value in judged if not math.isnan(value)]
        wanted = (sum(judged) / len(judged) if combine == "mean" else max(judged)) if judged else NAN
        assert found[a, c].item() == pytest.approx(wanted, abs=1e-6, nan_ok=True)
    assert found[4].isnan().all()
    assert found[2, 3].isnan()


def test_what_does_not_fit_the_tasks_is_said():
    with pytest.raises(UserError, match="signals for mood, and the labels are of mood, genre"):
        Several({"mood": RegressionKernel()}).prepare(BOTH, TASKS)
    with pytest.raises(UserError, match="SharedLabels makes no sense of mood: it is a regression task"):
        SharedLabels().prepare(BOTH[:, :2], [MOOD])
    with pytest.raises(UserError, match="LabelOverlap is for the labels of one task, and there are a, b"):
        LabelOverlap(rarity=True).prepare(BOTH, [Task("a", "multilabel", ("x",)), Task("b", "multilabel", ("y",))])
    LabelOverlap().prepare(BOTH, [Task("a", "multilabel", ("x",)), Task("b", "multilabel", ("y",))])  # needs nothing
    with pytest.raises(RuntimeError, match="call prepare"):
        Several({"mood": RegressionKernel()})(BOTH, BOTH)
