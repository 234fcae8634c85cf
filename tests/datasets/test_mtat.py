"""MagnaTagATune in miniature: annotations_final.csv of http://mirg.city.ac.uk/codeapps/the-magnatagatune-dataset
(tab-separated, every field in quotes), lists of github.com/minzwon/sota-music-tagging-models (npy) and
github.com/jordipons/musicnn-training (tsv)."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from semisupcon.datasets import load, mtat
from semisupcon.errors import UserError

# The first columns of the published file; the others are filled up to 188.
TAGS = ["no voice", "singer", "duet", "plucking", "hard rock", "world", "bongos", "harpsichord", "female singing"]
TAGS += [f"tag {number:03d}" for number in range(188 - len(TAGS))]
RARE = "tag 178"  # the last column: with every other tag more frequent it is in no top 50

CLIPS = {
    2: ("f/american_bach_soloists-j_s__bach_solo_cantatas-01-bwv54__i_aria-30-59.mp3", ["singer", "no voice"]),
    6: ("f/american_bach_soloists-j_s__bach_solo_cantatas-01-bwv54__i_aria-146-175.mp3", []),
    14: ("c/lvx_nova-lvx_nova-01-contimune-30-59.mp3", ["no voice"]),
    25: ("0/american_bach_soloists-j_s__bach__cantatas_volume_v-01-gleichwie_der_regen-0-29.mp3", ["duet"]),
    39: ("b/janine_johnson-bach_goldberg_variations-01-aria-30-59.mp3", [RARE]),
    90: ("9/the_wretch-ambulatory-01-admission-30-59.mp3", []),
    115: ("d/seismic_anamoly-afterburner-01-afterburner-0-29.mp3", ["harpsichord"]),
    171: ("e/solace-balance-06-kimono_mojo-30-59.mp3", []),
}
PATHS = {clip: path for clip, (path, _) in CLIPS.items()}


def _write(root: Path, clips: dict[int, tuple[str, list[str]]], place: str = "") -> Path:
    lines = [["clip_id", *TAGS, "mp3_path"]]
    for clip, (path, tags) in clips.items():
        lines.append([str(clip), *("1" if tag in tags else "0" for tag in TAGS), path])
        (root / place / path).parent.mkdir(parents=True, exist_ok=True)
        (root / place / path).write_bytes(b"ID3")
    text = "\r\n".join("\t".join(f'"{field}"' for field in line) for line in lines)
    (root / "annotations_final.csv").write_text(text + "\r\n")
    return root


@pytest.fixture
def corpus(tmp_path) -> Path:
    # A clip that all but the rarest tag apply to.
    filler = ("3/tilopa-turkishauch-01-1x3-0-29.mp3", TAGS[:-1])
    return _write(tmp_path / "mtat", {**CLIPS, 500: filler})


def _split(table) -> dict[str, str]:
    return dict(zip(table.path.tolist(), table.split.tolist(), strict=True))


def _tags(table, task, clip: int, prefix: str = "") -> list[str] | None:
    label = table.labels[table.path.tolist().index(prefix + PATHS[clip])]
    if np.isnan(label).any():
        assert np.isnan(label).all()
        return None
    return [tag for tag, value in zip(task.classes, label, strict=True) if value]


def test_folders_say_the_split(corpus):
    split = _split(load("mtat_all", root=str(corpus))[0])
    wanted = {2: "test", 6: "test", 14: "val", 25: "train", 39: "train", 90: "train", 115: "test", 171: "test"}
    assert {clip: split[PATHS[clip]] for clip in CLIPS} == wanted
    assert "".join(mtat.FOLDERS) == "0123456789abcdef"
    assert list(mtat.FOLDERS.values()) == ["train"] * 12 + ["val"] + ["test"] * 3


def test_all_tags_keep_the_order_of_the_file(corpus):
    table, task = load("mtat_all", root=str(corpus))
    assert (task.name, task.kind, task.classes) == ("mtat_all", "multilabel", tuple(TAGS))
    assert table.labels.shape == (9, 188)
    assert _tags(table, task, 2) == ["no voice", "singer"]
    assert _tags(table, task, 39) == [RARE]


def test_top_50_is_by_count_then_by_name(corpus):
    # counts: no voice 3; duet, harpsichord and singer 2; all others 1, the rare one too but last by name
    _, task = load("mtat_top50", root=str(corpus))
    others = sorted(set(TAGS) - {"no voice", "duet", "harpsichord", "singer"})
    assert task.classes == ("no voice", "duet", "harpsichord", "singer", *others[:46])


def test_top_50_counts_the_whole_file_and_not_what_is_on_the_disk(corpus):
    before = load("mtat_top50", root=str(corpus))[1].classes
    shutil.rmtree(corpus / "f")
    assert load("mtat_top50", root=str(corpus))[1].classes == before


def test_clips_without_tags_keep_their_split_and_have_no_labels(corpus):
    table, task = load("mtat_top50", root=str(corpus))
    assert [_tags(table, task, clip) for clip in (6, 90, 171, 39)] == [None] * 4
    assert _tags(table, task, 115) == ["harpsichord"]
    unlabelled = _split(table.rows(~table.labelled))
    assert {path for path, split in unlabelled.items() if split == "test"} == {PATHS[6], PATHS[171]}
    assert set(table.of("test").rows(table.of("test").labelled).path.tolist()) == {PATHS[2], PATHS[115]}


def test_the_artist_is_the_group(corpus):
    table, task = load("mtat_all", root=str(corpus))
    group = dict(zip(table.path.tolist(), table.group.tolist(), strict=True))
    assert task.group == "artist"
    assert group[PATHS[2]] == group[PATHS[25]] == "american_bach_soloists"
    assert group[PATHS[14]] == "lvx_nova"


@pytest.mark.parametrize("place", ["mp3", "MagnaTagATune/"])
def test_clips_may_be_in_a_folder_below(tmp_path, place):
    place = place.rstrip("/")
    (tmp_path / "0_other").mkdir()
    _write(tmp_path, CLIPS, place)
    table, task = load("mtat_all", root=str(tmp_path))
    assert _tags(table, task, 25, f"{place}/") == ["duet"]
    assert all(table.file(row).is_file() for row in range(len(table)))
    assert table.split.tolist().count("test") == 4


def test_the_three_empty_files_are_left_out_and_only_if_they_are_empty(tmp_path, caplog):
    _write(tmp_path, {**CLIPS, **{1000 + i: (path, ["duet"]) for i, path in enumerate(mtat.EMPTY)}})
    for path in mtat.EMPTY[:2]:
        (tmp_path / path).write_bytes(b"")
    (tmp_path / PATHS[25]).write_bytes(b"")  # unknown to be empty: found and named when it is read
    paths = load("mtat_all", root=str(tmp_path))[0].path.tolist()
    assert set(paths) == {*PATHS.values(), mtat.EMPTY[2]}
    assert not caplog.text


def test_missing_clips_are_left_out_and_counted(corpus, caplog):
    (corpus / PATHS[25]).unlink()
    assert PATHS[25] not in load("mtat_all", root=str(corpus))[0].path.tolist()
    assert f"left out 1 of the 9 clips, not found under {corpus}" in caplog.text


def _npy(folder: Path, **lists: list[int]) -> str:
    folder.mkdir(exist_ok=True)
    for name, clips in lists.items():
        # what is beside the path is the row of another array, not the clip_id
        np.save(folder / f"{name}.npy", [f"{row}\t{PATHS[clip]}" for row, clip in enumerate(clips, 6)])
    return str(folder)


def test_npy_lists_give_the_cleaned_split(corpus, tmp_path):
    lists = _npy(tmp_path / "lists", train=[25], valid=[14], test=[2])
    table, task = load("mtat_top50", root=str(corpus), split_file=lists)
    labelled = table.rows(table.labelled)
    assert _split(labelled) == {PATHS[25]: "train", PATHS[14]: "val", PATHS[2]: "test"}
    assert _tags(table, task, 25) == ["duet"]
    # Left out of the lists: of the test folders, kept as unlabelled test clips (115 though it has a tag); else gone.
    assert _split(table.rows(~table.labelled)) == dict.fromkeys([PATHS[6], PATHS[115], PATHS[171]], "test")


def test_tsv_lists_name_clips_by_their_id(corpus, tmp_path):
    lists = tmp_path / "lists"
    lists.mkdir()
    gt = "\t[0.0, 1.0, 0.0]\n"
    (lists / "train_gt_mtt.tsv").write_text(f"25{gt}90{gt}")
    (lists / "val_gt_mtt.tsv").write_text(f"14{gt}")
    (lists / "test_gt_mtt.tsv").write_text(f"2{gt}6{gt}")
    table, task = load("mtat_all", root=str(corpus), split_file=str(lists))
    split = _split(table)
    assert (split[PATHS[25]], split[PATHS[90]], split[PATHS[14]], split[PATHS[6]]) == ("train", "train", "val", "test")
    assert _tags(table, task, 25) == ["duet"]
    assert PATHS[39] not in split


def test_one_list_of_all(corpus, tmp_path):
    file = tmp_path / "split.csv"
    file.write_text(f"mp3_path,split\n{PATHS[25]},train\nmp3/{PATHS[14]},valid\n{PATHS[115]},test\n")
    table, _ = load("mtat_top50", root=str(corpus), split_file=str(file))
    assert _split(table.rows(table.labelled)) == {PATHS[25]: "train", PATHS[14]: "val", PATHS[115]: "test"}
    file.write_text(f"{PATHS[25]},train\n{PATHS[14]},left\n")
    with pytest.raises(UserError, match=r"split.csv: the line '.*left' does not end in train, val or test"):
        load("mtat_top50", root=str(corpus), split_file=str(file))
    file.write_text(f"{PATHS[25]},train\n{PATHS[14]},val\n")
    with pytest.raises(UserError, match="no clip of test"):
        load("mtat_top50", root=str(corpus), split_file=str(file))


def test_another_stretch_of_a_tested_song_stays_out_of_training(tmp_path):
    one, other = (f"9/the_wretch-ambulatory-01-admission-{span}.mp3" for span in ("30-59", "59-88"))
    _write(tmp_path, {**CLIPS, 91: (other, ["duet"])})
    file = tmp_path / "split.tsv"
    file.write_text(f"{PATHS[25]}\ttrain\n{PATHS[14]}\tval\n{other}\ttest\n")
    table, _ = load("mtat_all", root=str(tmp_path), split_file=str(file))
    assert _split(table)[one] == "test"
    assert PATHS[39] not in _split(table)


def test_bad_lists_are_refused(corpus, tmp_path):
    lists = _npy(tmp_path / "lists", train=[25, 2], valid=[14], test=[2])
    with pytest.raises(UserError, match=r"bwv54__i_aria-30-59.mp3 is in two lists .*train and test"):
        load("mtat_top50", root=str(corpus), split_file=lists)
    np.save(tmp_path / "lists/train.npy", np.array([PATHS[25]], dtype=object))
    with pytest.raises(UserError, match=r"train.npy cannot be read as a list .*pickled"):
        load("mtat_top50", root=str(corpus), split_file=lists)
    np.save(tmp_path / "lists/train.npy", [f"0\t{PATHS[25]}", "1\tf/nobody-nothing-01-no-0-29.mp3"])
    with pytest.raises(UserError, match=r"1 of the 2 clips of the train list .*nobody-nothing"):
        load("mtat_top50", root=str(corpus), split_file=lists)
    (tmp_path / "lists/test_gt_mtt.tsv").write_text("2\t[0.0]\n")
    with pytest.raises(UserError, match=r"test.npy and test_gt_mtt.tsv under .* could all be the test list"):
        load("mtat_top50", root=str(corpus), split_file=lists)
    with pytest.raises(UserError, match=r"no list train\*.npy.* \(there is no such folder\)"):
        load("mtat_top50", root=str(corpus), split_file=str(tmp_path / "no"))


def test_wrong_folders_and_files_are_named(corpus, tmp_path):
    with pytest.raises(UserError, match=r"mtat_all: no annotations_final.csv under .*\(found: mtat/\)"):
        load("mtat_all", root=str(tmp_path))
    (tmp_path / "annotations_final.csv").write_text("clip_id,no voice,mp3_path\n2,0,f/x.mp3\n")
    with pytest.raises(UserError, match=r"not as published .no column clip_id or mp3_path"):
        load("mtat_all", root=str(tmp_path))
    (tmp_path / "annotations_final.csv").write_bytes(b"")
    with pytest.raises(UserError, match=r"not as published .No columns to parse"):
        load("mtat_all", root=str(tmp_path))
    shutil.copy(corpus / "annotations_final.csv", tmp_path)
    shutil.rmtree(corpus)
    (tmp_path / "mp3.zip.001").touch()
    with pytest.raises(UserError, match=r"the first is f/american_bach.*found: annotations_final.csv, mp3.zip.001"):
        load("mtat_all", root=str(tmp_path))


def test_fifty_tags_are_wanted_of_the_file(tmp_path):
    path = PATHS[25]
    (tmp_path / "0").mkdir()
    (tmp_path / path).touch()
    (tmp_path / "annotations_final.csv").write_text(f"clip_id\tduet\tmp3_path\n25\t1\t{path}\n")
    assert load("mtat_all", root=str(tmp_path))[1].classes == ("duet",)
    with pytest.raises(UserError, match="has 1 tags, at least 50"):
        load("mtat_top50", root=str(tmp_path))
