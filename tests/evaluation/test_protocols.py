"""What is tested under each protocol, and which readout is chosen, against loops over clips."""

from dataclasses import replace

import numpy as np
import pytest

from semisupcon.downstream.intervals import units
from semisupcon.downstream.metrics import evaluate
from semisupcon.evaluation.clips import EmbeddedClips
from semisupcon.evaluation.protocols import MARBLE, PROTOCOLS, SENTENCES, choose, scored
from semisupcon.evaluation.readout import Readout
from semisupcon.table import TEXT, Task

GENRE = Task("genre", "multiclass", ("a", "b", "c"))
TAGS = Task("tags", "multilabel", ("a", "b", "c"))
MOOD = Task("mood", "regression", ("x", "y", "z"))
TASKS = pytest.mark.parametrize("task", [GENRE, TAGS, MOOD], ids=lambda task: task.kind)


def _readout(task, decay=1.0, weight=None, hidden=False):
    """Passes three numbers on as they are, or through a rectifier."""
    layer = (np.eye(3) if weight is None else weight, np.zeros(3))
    layers = (layer, (np.eye(3), np.zeros(3))) if hidden else (layer,)
    return Readout(task.kind, np.zeros(3), np.ones(3), layers, np.zeros(3), np.ones(3), decay)


def _clips(segment, counts, labels=None, groups=None):
    count = len(counts)
    labels = np.eye(3)[np.arange(count) % 3] if labels is None else labels
    names = np.array([f"{number}.wav" for number in range(count)], dtype=TEXT)
    groups = np.array([""] * count if groups is None else groups, dtype=TEXT)
    clip = np.repeat(np.arange(count), counts)
    return EmbeddedClips(np.asarray(segment, np.float32), clip, np.asarray(labels, np.float32), names, groups)


def _some(seed=0, counts=(2, 1, 4, 3)):
    return _clips(np.random.default_rng(seed).normal(0, 3, (sum(counts), 3)), counts)


def _of(clips, number):
    return clips.segment[clips.clip == number].astype(np.float64)


@TASKS
def test_the_mean_embedding_is_read_out(task):
    clips, readout = _some(), _readout(task, hidden=True)
    found = scored(readout, clips, "embedding")
    wanted = [np.maximum(_of(clips, number).mean(axis=0), 0) for number in range(4)]
    np.testing.assert_allclose(found.scores, wanted, rtol=1e-5)
    assert found.names.tolist() == clips.names.tolist()
    assert np.array_equal(found.labels, clips.labels)


@TASKS
def test_the_probabilities_of_segments_are_averaged(task):
    clips = _some()
    found = scored(_readout(task), clips, "score").scores
    for number in range(4):
        each = _of(clips, number)
        if task is MOOD:
            np.testing.assert_allclose(found[number], each.mean(axis=0), rtol=1e-5)
        elif task is TAGS:
            p = (1 / (1 + np.exp(-each))).mean(axis=0)
            np.testing.assert_allclose(1 / (1 + np.exp(-found[number])), p, rtol=1e-5)
        else:
            p = (np.exp(each) / np.exp(each).sum(axis=1, keepdims=True)).mean(axis=0)
            np.testing.assert_allclose(np.exp(found[number]) / np.exp(found[number]).sum(), p, rtol=1e-5)


def test_averaging_probabilities_is_not_averaging_logits():
    clips = _clips([[9, 0, 0], [-2, 1, -2], [-2, 1, -2]], [3])
    assert scored(_readout(GENRE), clips, "score").scores.argmax() == 1  # two of three say so, less sure
    assert scored(_readout(GENRE), clips, MARBLE).scores.argmax() == 0
    np.testing.assert_allclose(scored(_readout(GENRE), clips, MARBLE).scores, [[5 / 3, 2 / 3, -4 / 3]], rtol=1e-6)


@TASKS
def test_certain_segments_stay_in_their_order(task):
    clips = _clips([[60, 80, -900], [70, 90, -900], [50, -800, 900]], [1, 1, 1])
    found = scored(_readout(task), clips, "score").scores
    assert np.isfinite(found).all()
    if task is TAGS:
        assert found[1, 0] > found[0, 0] > found[2, 0]
        assert found[1, 1] > found[0, 1] > found[2, 1]
        single = _some(counts=(1, 1, 1))
        np.testing.assert_allclose(scored(_readout(task), single, "score").scores, single.segment, rtol=1e-5)


@TASKS
def test_segments_are_drawn_with_their_group_or_their_clip(task):
    clips = _clips(np.arange(30).reshape(10, 3), [2, 1, 4, 3], groups=["", "artist", "", "artist"])
    found = scored(_readout(task), clips, "segment")
    np.testing.assert_array_equal(found.scores, clips.segment)
    assert np.array_equal(found.labels, clips.labels[clips.clip])
    assert found.names.tolist() == clips.names[clips.clip].tolist()
    assert found.groups.tolist() == ["0.wav"] * 2 + ["artist"] + ["2.wav"] * 4 + ["artist"] * 3
    assert len(set(units(found.groups, 10))) == 3
    assert scored(_readout(task), clips, "embedding").groups.tolist() == ["", "artist", "", "artist"]


@TASKS
def test_clips_of_one_segment_are_measured_alike_under_every_protocol(task):
    rng = np.random.default_rng(0)
    labels = np.eye(3)[rng.integers(3, size=40)] if task is GENRE else rng.integers(2, size=(40, 3)).astype(float)
    clips = _clips(rng.standard_normal((40, 3)), [1] * 40, labels)
    found = [evaluate(task, *scored(_readout(task), clips, protocol)[:2]) for protocol in (*PROTOCOLS, MARBLE)]
    for other in found[1:]:
        assert other == pytest.approx(found[0], rel=1e-6)


def test_every_protocol_has_a_sentence_and_others_are_refused():
    assert set(SENTENCES) == {*PROTOCOLS, MARBLE}
    with pytest.raises(ValueError, match="no protocol is called 'clip'"):
        scored(_readout(GENRE), _some(), "clip")


@pytest.mark.parametrize("protocol", [*PROTOCOLS, MARBLE])
@TASKS
def test_no_clips_give_no_rows(task, protocol):
    found = scored(_readout(task), _some().take(np.arange(0)), protocol)
    assert found.scores.shape == (0, 3)
    assert len(found.labels) == len(found.groups) == len(found.names) == 0


def _candidates(*shares_and_decays):
    """Readouts, given how many of 12 clips each is right on and its decay, and the clips."""
    size = 3 + len(shares_and_decays)
    labels = np.eye(3)[np.arange(12) % 3]
    segment = np.zeros((12, size))
    readouts = []
    for number, (share, decay) in enumerate(shares_and_decays):
        right = np.arange(12) < share
        segment[:, 3 + number] = np.where(right, labels.argmax(axis=1), (labels.argmax(axis=1) + 1) % 3)
        # -(x - k)² is highest for the class k that the number names; -k² + 2 x k has the same order.
        weight = np.zeros((size, 3))
        weight[3 + number] = 2 * np.arange(3)
        layer = (weight, -(np.arange(3) ** 2.0))
        readouts.append(Readout("multiclass", np.zeros(size), np.ones(size), (layer,), np.zeros(3), np.ones(3), decay))
    return readouts, _clips(segment, [1] * 12, labels)


@pytest.mark.parametrize(
    ("candidates", "best"),
    [
        (((5, 1.0), (9, 0.1), (7, 0.01)), 1),
        (((9, 0.01), (9, 1.0), (9, 0.1)), 1),  # of equals the strongest decay
        (((3, 1.0), (9, 0.1), (9, 0.1)), 1),  # and of those the earliest
        (((12, 0.1),), 0),
    ],
)
def test_the_highest_metric_is_chosen_and_ties_go_to_the_stronger_decay(candidates, best):
    readouts, val = _candidates(*candidates)
    assert choose(GENRE, readouts, val, "embedding") == best


def test_the_protocol_of_the_test_decides():
    # One sure segment against two hesitant ones: averaged as probabilities it loses, as logits it wins.
    labels = np.eye(3)[[1, 1]]
    clips = _clips([[9, 0, 0], [-2, 1, -2], [-2, 1, -2]] * 2, [3, 3], labels)
    plain, swapped = _readout(GENRE), _readout(GENRE, 2.0, np.eye(3)[[1, 0, 2]])
    assert choose(GENRE, [plain, swapped], clips, "score") == 0
    assert choose(GENRE, [plain, swapped], clips, MARBLE) == 1
    assert choose(GENRE, [plain, swapped], clips, "segment") == 0


def test_a_readout_that_diverged_and_an_undefined_metric_do_not_win():
    readouts, val = _candidates((5, 1.0), (2, 0.1), (9, 0.01))
    layer = (np.full((6, 3), np.nan), np.zeros(3))
    broken = replace(readouts[0], layers=(layer,), decay=10.0)
    assert choose(GENRE, [broken, *readouts], val, "embedding") == 3
    assert choose(GENRE, [readouts[1], broken, broken], val, "embedding") == 0
    assert choose(GENRE, [broken, broken], val, "embedding") == 0
    alike = val.with_labels(np.ones((12, 3), np.float32))  # no tag has a negative: nothing is defined
    tags = [replace(readout, kind="multilabel") for readout in readouts]
    assert choose(TAGS, tags[::-1], alike, "embedding") == 2
    assert choose(TAGS, [replace(broken, kind="multilabel"), *tags[::-1]], alike, "embedding") == 3


def test_without_validation_the_middle_of_the_grid_is_taken():
    readouts, val = _candidates(*((0, decay) for decay in (1e-3, 1.0, 1e-2, 1e-1)))
    unknown = val.with_labels(np.full((12, 3), np.nan, np.float32))
    for nothing in (val.take(np.arange(0)), unknown):
        assert choose(GENRE, readouts, nothing, "embedding") == 3
        assert choose(GENRE, readouts[:3], nothing, "embedding") == 2
        assert choose(GENRE, readouts[:1], nothing, "embedding") == 0
