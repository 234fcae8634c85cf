"""From the options to the pools: what each combination means, and that no test clip is ever in one of them."""

import csv
import hashlib
import shutil
from dataclasses import replace

import numpy as np
import pytest

from semisupcon import datasets
from semisupcon.errors import UserError
from semisupcon.loading.pools import make_pools
from semisupcon.loading.request import Request
from semisupcon.table import TEXT, Table, Task

TASK = Task("toy", "multiclass", ("a", "b"))
OTHER = Task("other", "multiclass", ("x", "y", "z"))


@pytest.fixture
def toy(register, tmp_path):
    """40 clips to train (4 of them unlabelled), 8 to validate, 8 to test (2 unlabelled)."""
    split = ["train"] * 40 + ["val"] * 8 + ["test"] * 8
    labels = np.eye(2)[np.arange(56) % 2]
    labels[[0, 1, 2, 3, 54, 55]] = np.nan
    table = Table.build(tmp_path / "toy", [f"{row:02d}.wav" for row in range(56)], split, labels)
    register(table, TASK)
    return table


@pytest.fixture
def other(register, tmp_path):
    """20 clips to train, 5 to validate, 5 to test on."""
    split = ["train"] * 20 + ["val"] * 5 + ["test"] * 5
    table = Table.build(
        tmp_path / "other", [f"{row:02d}.wav" for row in range(30)], split, np.eye(3)[np.arange(30) % 3]
    )
    register(table, OTHER)
    return table


@pytest.fixture
def music(tmp_path):
    """A folder of 20 files."""
    for number in range(20):
        path = tmp_path / "music" / f"{number:02d}.wav"
        path.parent.mkdir(exist_ok=True)
        path.touch()
    return str(tmp_path / "music")


def _names(pools, rows):
    return {"/".join(pools.short(int(row))) for row in rows}


def _sizes(pools):
    return len(pools.labelled), len(pools.unlabelled), len(pools.val), pools.share


# What each combination means


def test_a_labelled_task_alone_is_fully_supervised_on_its_share(toy):
    pools = make_pools(Request(sl_task="toy"))
    assert _sizes(pools) == (36, 0, 8, 1.0)
    assert pools.val_labelled.all()
    assert _sizes(make_pools(Request(sl_task="toy", supervised_data_p=0.25))) == (9, 0, 8, 1.0)
    noted = make_pools(Request(sl_task="toy", intrabatch_supervised_p=0.3))
    assert noted.share == 1.0
    assert "no effect" in noted.notes[0]


def test_an_unlabelled_task_alone_is_self_supervised(toy):
    pools = make_pools(Request(ssl_task="toy"))
    assert _sizes(pools) == (0, 40, 8, 0.0)
    assert not pools.val_labelled.any()
    assert not pools.tasks
    assert pools.labels.shape == (len(pools.paths), 0)


def test_a_folder_is_self_supervised_and_split_by_val_split(music):
    assert _sizes(make_pools(Request(data_dir=music))) == (0, 18, 2, 0.0)
    assert _sizes(make_pools(Request(data_dir=music, val_split=0.5))) == (0, 10, 10, 0.0)
    assert _sizes(make_pools(Request(data_dir=music, val_split=0))) == (0, 20, 0, 0.0)


def test_two_tasks_are_mixed_half_and_half_unless_said_otherwise(toy, other):
    pools = make_pools(Request(sl_task="toy", ssl_task="other"))
    assert _sizes(pools) == (36, 20, 13, 0.5)
    assert {name.split("/")[0] for name in _names(pools, pools.unlabelled)} == {"other"}
    assert pools.val_labelled.sum() == 8
    # other's labels are not the task's and nowhere to be seen
    assert np.isnan(pools.labels[pools.unlabelled]).all()
    assert pools.labels.shape[1] == 2
    assert make_pools(Request(sl_task="toy", ssl_task="other", intrabatch_supervised_p=0.05)).share == 0.05


def test_a_task_and_a_folder_are_mixed(toy, music):
    pools = make_pools(Request(sl_task="toy", data_dir=music))
    assert _sizes(pools) == (36, 18, 10, 0.5)
    assert {name.split("/")[0] for name in _names(pools, pools.unlabelled)} == {"folder"}


def test_labels_that_the_share_leaves_out_make_their_clips_unlabelled(toy):
    pools = make_pools(Request(sl_task="toy", ssl_task="toy", supervised_data_p=0.25))
    assert _sizes(pools) == (9, 31, 8, 0.5)
    both = _names(pools, pools.labelled) | _names(pools, pools.unlabelled)
    assert both == {f"toy/{row:02d}.wav" for row in range(40)}
    assert {f"toy/{row:02d}.wav" for row in range(4)} <= _names(pools, pools.unlabelled)


def test_with_all_labels_taken_only_clips_without_any_are_left(toy):
    pools = make_pools(Request(sl_task="toy", ssl_task="toy"))
    assert _sizes(pools) == (36, 4, 8, 0.5)


def test_where_nothing_is_left_the_same_clips_serve_without_labels_and_that_is_said(other):
    pools = make_pools(Request(sl_task="other", ssl_task="other"))
    assert _sizes(pools) == (20, 20, 5, 0.5)
    np.testing.assert_array_equal(pools.labelled, pools.unlabelled)
    assert "every clip is labelled" in pools.notes[0]


@pytest.mark.parametrize("without", [{"supervised_data_p": 0.0}, {"intrabatch_supervised_p": 0.0}])
@pytest.mark.parametrize(("ssl_task", "clips", "val"), [("other", 20, 5), ("toy", 40, 8), (None, 40, 8)])
def test_a_share_of_nothing_is_self_supervised(toy, other, without, ssl_task, clips, val):
    pools = make_pools(Request(sl_task="toy", ssl_task=ssl_task, **without))
    assert _sizes(pools) == (0, clips, val, 0.0)
    assert not pools.val_labelled.any()


@pytest.mark.parametrize("only", [{"intrabatch_supervised_p": 1.0}, {"fully_supervised": True}])
def test_fully_supervised_draws_labelled_clips_only(toy, other, only):
    pools = make_pools(Request(sl_task="toy", ssl_task="other", supervised_data_p=0.5, **only))
    assert _sizes(pools) == (18, 0, 8, 1.0)


def test_the_share_of_labels_is_applied_once_to_training_and_never_to_validation(register, tmp_path):
    # left as it was, squared, and applied to validation too in earlier implementations
    labels = np.eye(2)[np.arange(1100) % 2]
    table = Table.build(tmp_path, [f"{row}.wav" for row in range(1100)], ["train"] * 1000 + ["val"] * 100, labels)
    register(table, TASK)
    pools = make_pools(Request(sl_task="toy", supervised_data_p=0.1))
    assert _sizes(pools) == (100, 0, 100, 1.0)
    assert pools.val_labelled.all()
    again = make_pools(Request(sl_task="toy", supervised_data_p=0.1, split_seed=1))
    assert set(again.labelled) != set(pools.labelled)
    assert set(pools.labelled) < set(make_pools(Request(sl_task="toy", supervised_data_p=0.3)).labelled)


def test_two_tasks_at_once_have_their_columns_side_by_side(toy, other):
    pools = make_pools(Request(sl_task="toy+other"))
    assert [task.name for task in pools.tasks] == ["toy", "other"]
    assert pools.labels.shape == (86, 5)
    known = ~np.isnan(pools.labels)
    assert known[:, :2].all(axis=1).sum() == 50
    assert known[:, 2:].all(axis=1).sum() == 30
    assert not (known[:, 0] & known[:, 2]).any()  # no file is in both
    assert _sizes(pools) == (36 + 20, 0, 13, 1.0)
    assert not _names(pools, _used(pools)) & _names(pools, pools.test)


def test_two_tasks_of_the_same_files_share_their_rows_and_each_gives_its_share_of_labels(register, toy):
    table = replace(toy, labels=np.eye(3, dtype=np.float32)[np.arange(56) % 3], split=toy.split.copy())
    table.split[5] = "test"  # of one task is of both
    register(table, OTHER)
    pools = make_pools(Request(sl_task="toy+other", ssl_task="same", supervised_data_p=0.25))
    assert len(pools.paths) == 56
    held = {f"toy/{row:02d}.wav" for row in (5, *range(40, 56))}
    assert not _names(pools, _used(pools)) & held - _names(pools, pools.val)
    known = ~np.isnan(pools.labels)
    train = np.concatenate([pools.labelled, pools.unlabelled])
    assert known[train, 0].sum() in (8, 9)  # a quarter of 36, one of which may be the test file
    assert known[train, 2].sum() == 10  # a quarter of 39
    assert known[pools.unlabelled].sum() == 0


def test_options_of_several_tasks_say_whose_they_are(toy, other):
    with pytest.raises(UserError, match=r"--data.sl_kwargs.root: of several tasks.*--data.sl_kwargs.toy.root"):
        make_pools(Request(sl_task="toy+other", sl_kwargs={"root": "x"}))
    with pytest.raises(UserError, match=r"names toy twice"):
        make_pools(Request(sl_task="toy+toy"))


# What makes no sense


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, r"(?s)sl_task, ssl_task and data_dir are all None.*--data.data_dir=FOLDER.*synth_instrument"),
        ({"intrabatch_supervised_p": 0.5, "ssl_task": "toy"}, r"(?s)intrabatch_supervised_p=0.5 .*no sl_task is given"),
        ({"fully_supervised": True, "ssl_task": "toy"}, "fully_supervised=true asks for labelled clips"),
        ({"ssl_task": "toy", "data_dir": "x"}, r"(?s)Two sources.*--data.ssl_task=None for the folder"),
        ({"sl_task": "toy", "supervised_data_p": 1.5}, "supervised_data_p=1.5: a share, between 0 and 1"),
        ({"sl_task": "toy", "intrabatch_supervised_p": -0.1}, "intrabatch_supervised_p=-0.1: a share"),
        ({"sl_task": "tpy"}, "--data.sl_task=tpy: no such task"),
        ({"sl_task": "gtzan", "sl_kwargs": {"rot": "x"}}, r"--data.sl_kwargs.rot: .*Did you mean root"),
        ({"ssl_task": "gtzan", "ssl_kwargs": {"rot": "x"}}, r"--data.ssl_kwargs.rot"),
    ],
)
def test_contradictions_are_refused_in_words(toy, options, said):
    with pytest.raises(UserError, match=said):
        make_pools(Request(**options))


def test_nothing_is_loaded_before_the_options_make_sense(monkeypatch):
    monkeypatch.setattr(datasets, "load", lambda *_, **__: pytest.fail("loaded"))
    with pytest.raises(UserError):
        make_pools(Request())


def test_labels_wanted_of_a_corpus_without_any_are_missed(register, tmp_path):
    register(Table.build(tmp_path, ["a.wav", "b.wav"], ["train", "test"], [[np.nan, np.nan], [0, 1]]), TASK)
    with pytest.raises(UserError, match=r"no training clip of toy under .* has a label \(1 training clips found\)"):
        make_pools(Request(sl_task="toy"))


def test_a_corpus_that_gives_up_all_its_clips_says_why(register, tmp_path, music):
    # a folder of which every file is a test clip of the labelled corpus
    paths = [f"{number:02d}.wav" for number in range(20)]
    table = Table.build(music, [*paths, "more/x.wav"], ["test"] * 20 + ["train"], np.eye(2)[np.arange(21) % 2])
    register(table, TASK)
    with pytest.raises(UserError, match=r"(?s)No unlabelled clip is left.*18 unlabelled files are left out"):
        make_pools(Request(sl_task="toy", data_dir=music))


# No test clip in any pool


def _used(pools):
    return np.concatenate([pools.labelled, pools.unlabelled, pools.val])


@pytest.mark.parametrize("options", [{}, {"ssl_task": "toy"}, {"ssl_task": "other"}, {"intrabatch_supervised_p": 0.0}])
@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_no_test_clip_and_no_validation_clip_is_trained_on(toy, other, options, share):
    # the labelled test set moved into training in an earlier implementation
    pools = make_pools(Request(sl_task="toy", supervised_data_p=share, **options))
    held = {f"toy/{row:02d}.wav" for row in range(48, 56)} | {f"other/{row:02d}.wav" for row in range(25, 30)}
    assert not _names(pools, _used(pools)) & held
    assert not set(pools.val) & {*pools.labelled, *pools.unlabelled}
    assert _names(pools, pools.test) == {f"toy/{row:02d}.wav" for row in range(48, 54)}


@pytest.fixture
def mtat(tmp_path):
    """MagnaTagATune in miniature: two clips in each folder, one with tags and one without any."""
    tags = [f"tag {number:03d}" for number in range(188)]
    rows = [["clip_id", *tags, "mp3_path"]]
    for number, folder in enumerate("0123456789abcdef"):
        for tagged in (True, False):
            path = f"{folder}/artist{folder}-album-0{int(tagged)}-song-0-29.mp3"
            rows.append([str(2 * number + tagged), *["1" if tagged else "0"] * 188, path])
            (tmp_path / "mtat" / folder).mkdir(parents=True, exist_ok=True)
            (tmp_path / "mtat" / path).touch()
    text = "\r\n".join("\t".join(f'"{field}"' for field in row) for row in rows)
    (tmp_path / "mtat/annotations_final.csv").write_text(text)
    return tmp_path / "mtat"


def test_untagged_clips_of_test_folders_are_in_no_pool(mtat):
    # they went to unlabelled training even when the test set was on
    options = {"sl_task": "mtat_top50", "sl_kwargs": {"root": str(mtat)}}
    pools = make_pools(Request(**options, ssl_task="mtat_top50", supervised_data_p=0.5))
    assert _sizes(pools) == (6, 18, 2, 0.5)
    assert {name.split("/")[1] for name in _names(pools, _used(pools))} == set("0123456789abc")
    assert len(pools.test) == 3  # those with tags
    # the other way round the corpus is loaded as unlabelled only
    alone = make_pools(Request(ssl_task="mtat_all", ssl_kwargs={"root": str(mtat)}))
    assert {name.split("/")[1] for name in _names(alone, _used(alone))} == set("0123456789abc")


@pytest.mark.parametrize("how", ["inside", "linked folder", "linked files", "root is a link"])
def test_a_folder_that_holds_the_labelled_corpus_gives_up_its_test_files(mtat, tmp_path, how):
    music = tmp_path / "music"
    music.mkdir()
    for number in range(5):
        (music / f"own{number}.mp3").touch()
    root = mtat
    if how == "inside":
        root = music / "mtat"
        shutil.move(mtat, root)
    elif how == "linked folder":
        (music / "elsewhere").symlink_to(mtat)
    elif how == "linked files":
        for path in sorted(mtat.glob("?/*.mp3")):
            (music / path.name).symlink_to(path)
    else:
        shutil.move(mtat, music / "mtat")
        root = tmp_path / "link"
        root.symlink_to(music / "mtat")
    request = Request(sl_task="mtat_top50", sl_kwargs={"root": str(root)}, data_dir=str(music), val_split=0)
    pools = make_pools(request)
    used = [str(pools.paths[row]) for row in _used(pools)]
    assert len(used) - len(pools.labelled) >= 12 + 5  # the folder's own files and the rest of the corpus are there
    assert not [path for path in used if path.rsplit("/artist", 1)[-1][0] in "def" and "artist" in path]
    # 6 files of test folders, 2 of the validation folder
    assert "8 unlabelled files are left out" in pools.notes[0]
    assert "testing (6) or validation (2)" in pools.notes[0]
    assert len(set(pools.paths.tolist())) == 32 + 5  # each file once, whatever its names


def test_labelled_clips_that_a_folder_holds_for_validation_are_left_out(toy, tmp_path):
    for row in range(56):
        path = tmp_path / "toy" / f"{row:02d}.wav"
        path.parent.mkdir(exist_ok=True)
        path.touch()
    pools = make_pools(Request(sl_task="toy", data_dir=str(tmp_path / "toy"), val_split=0.5))
    assert not set(pools.val) & {*pools.labelled, *pools.unlabelled}
    assert len(pools.labelled) < 36
    assert any("labelled files are left out" in note for note in pools.notes)


# What is written of it


def test_the_split_that_is_saved_is_what_is_used_and_its_hash_is_reproducible(toy, other):
    request = Request(sl_task="toy", ssl_task="other", supervised_data_p=0.5)
    pools = make_pools(request)
    rows = list(csv.DictReader(pools.listing().splitlines()))
    for use, part in (
        ("labelled", pools.labelled),
        ("unlabelled", pools.unlabelled),
        ("val", pools.val),
        ("test", pools.test),
    ):
        assert {f"{row['corpus']}/{row['path']}" for row in rows if row["use"] == use} == _names(pools, part)
    assert len(rows) == 18 + 20 + 13 + 6
    np.random.seed(1)
    assert make_pools(request).listing() == pools.listing()
    assert make_pools(request).digest == pools.digest == hashlib.sha256(pools.listing().encode()).hexdigest()
    other_seed = Request(sl_task="toy", ssl_task="other", supervised_data_p=0.5, split_seed=1)
    assert make_pools(other_seed).digest != pools.digest


def test_200_000_clips_are_all_accounted_for(register, tmp_path):
    count = 200_000
    rng = np.random.default_rng(0)
    path = np.array([f"{row % 256:02x}/{row}.mp3" for row in range(count)], dtype=TEXT)
    split = np.where(np.arange(count) % 10 == 0, "test", "train").astype(TEXT)
    labels = (rng.random((count, 50)) < 0.05).astype(np.float32)
    table = Table(tmp_path, path, split, labels, np.full(count, "", dtype=TEXT))
    register(table, Task("big", "multilabel", tuple(map(str, range(50)))))
    pools = make_pools(Request(sl_task="big", ssl_task="big", supervised_data_p=0.1))
    assert len(pools.listing()) > count
    assert _sizes(pools) == (18_000, 162_000, 0, 0.5)


def test_one_file_by_two_names_with_different_labels_is_refused(register, tmp_path):
    (tmp_path / "a.wav").touch()
    (tmp_path / "b.wav").symlink_to(tmp_path / "a.wav")
    register(Table.build(tmp_path, ["a.wav", "b.wav"], ["train"] * 2, np.eye(2)), TASK)
    with pytest.raises(UserError, match=r"(?s)b.wav\nand .*a.wav\nare one file, and have different labels"):
        make_pools(Request(sl_task="toy"))
    register(Table.build(tmp_path, ["a.wav", "b.wav"], ["train"] * 2, [[0, 1], [0, 1]]), TASK)
    assert len(make_pools(Request(sl_task="toy")).labelled) == 1


def test_any_name_of_a_file_comes_back_from_the_listing(register, tmp_path):
    names = ["a,b.wav", 'c"d.wav', "e\nf.wav", "g\rh.wav", " ü .wav"]
    register(Table.build(tmp_path, names, ["train"] * 5, np.eye(2)[[0, 1, 0, 1, 0]]), TASK)
    (tmp_path / "split.csv").write_text(make_pools(Request(sl_task="toy")).listing(), newline="")
    with (tmp_path / "split.csv").open(newline="") as file:
        assert {row["path"] for row in csv.DictReader(file)} == set(names)


def test_paths_that_lead_outside_the_root_are_in_no_pool_and_said(register, tmp_path):
    paths = ["a.wav", "b.wav", "c.wav", "d.wav", "../outside.wav", "/etc/passwd"]
    split = ["train", "train", "train", "test", "train", "test"]
    register(Table.build(tmp_path / "in", paths, split, np.eye(2)[[0, 1, 0, 1, 0, 1]]), TASK)
    for options in ({"ssl_task": "toy", "supervised_data_p": 0.5}, {"ssl_task": "same"}, {}):
        pools = make_pools(Request(sl_task="toy", **options))
        used = {pools.short(int(row))[1] for row in {*pools.labelled, *pools.unlabelled, *pools.test, *pools.val}}
        assert used == {"a.wav", "b.wav", "c.wav", "d.wav"}
        assert len(pools.splits) == 1
        assert [(path.rpartition("/")[2], where) for path, where in pools.refused] == [
            ("outside.wav", "train"),
            ("passwd", "test"),
        ]
        assert any("2 files are refused" in note for note in pools.notes)
        if options.get("supervised_data_p"):
            assert not {*pools.labelled} & {*pools.unlabelled}
