"""Labels that a task cannot have are refused when a corpus is loaded, with the name of the first file."""

import numpy as np
import pytest

from semisupcon import datasets
from semisupcon.datasets import synth
from semisupcon.errors import UserError
from semisupcon.table import Kind, Table, Task, check_labels

NAN, INF = np.nan, np.inf


def _table(labels):
    return Table.build("/music", [f"{n}.wav" for n in range(len(labels))], ["train"] * len(labels), labels)


def _task(kind: Kind, classes=("a", "b", "c")):
    return Task("toy", kind, classes)


@pytest.mark.parametrize("kind", ["multiclass", "key", "multilabel", "regression"])
def test_one_class_and_unknown_rows_suit_every_kind(kind):
    check_labels(_table([[0, 1, 0], [NAN] * 3, [1, 0, 0]]), _task(kind))
    check_labels(_table(np.zeros((0, 3))), _task(kind))


@pytest.mark.parametrize(
    ("kind", "labels"), [("multilabel", [0, 0, 0]), ("multilabel", [1, NAN, 1]), ("regression", [-2.5, NAN, 1e9])]
)
def test_what_else_a_kind_allows(kind, labels):
    check_labels(_table([labels]), _task(kind))


@pytest.mark.parametrize(
    ("kind", "labels"),
    [
        *(
            ("multiclass", wrong)
            for wrong in ([0, 0, 0], [1, 1, 0], [2, 0, 0], [0.5, 1, 0], [1, NAN, NAN], [1, INF, 0])
        ),
        *(("key", wrong) for wrong in ([0, 0, 0], [1, 0, 1], [NAN, 0, 0])),
        *(("multilabel", wrong) for wrong in ([0.5, 0, 0], [-1, 0, 1], [INF, NAN, 0])),
        *(("regression", wrong) for wrong in ([INF, 0, 0], [0, -INF, NAN])),
    ],
)
def test_the_first_file_with_wrong_labels_is_named(kind, labels):
    good = [0, 1, 0]
    with pytest.raises(UserError, match=rf"toy \({kind}\): the labels of 2 of 4 files .*\n.*: /music/1\.wav \("):
        check_labels(_table([good, labels, good, labels]), _task(kind))


def test_a_column_for_each_class():
    with pytest.raises(UserError, match="toy: 3 columns of labels for 2 classes"):
        check_labels(_table([[0, 1, 0]]), _task("multiclass", ("a", "b")))


def test_a_corpus_is_checked_when_it_is_loaded(monkeypatch):
    monkeypatch.setattr(synth, "broken", lambda: (_table([[1, 1, 0]]), _task("multiclass")), raising=False)
    monkeypatch.setitem(datasets.TASKS, "broken", "synth:broken")
    with pytest.raises(UserError, match=r"/music/0\.wav"):
        datasets.load("broken")
