"""What is found, and what it is called."""

import logging
import os
from pathlib import Path

import pytest

from semisupcon.errors import UserError
from semisupcon.inference.inputs import find


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """A folder of files that are called as audio is, the current folder above it."""
    for name in ("music/b.wav", "music/a/c.MP3", "music/a/d.txt", "music/.hidden.wav", "more/a/c.MP3", "single.raw"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def names(found):
    return [each.name for each in found]


def test_in_one_folder_names_are_relative_to_it_and_in_order(tree):
    found = find(["music/"])

    assert [(each.name, each.path) for each in found] == [("a/c.MP3", "music/a/c.MP3"), ("b.wav", "music/b.wav")]


def test_of_several_inputs_names_tell_which_they_are_of(tree):
    found = find(["more", tree / "music", "./single.raw"])

    assert names(found) == ["more/a/c.MP3", f"{tree}/music/a/c.MP3", f"{tree}/music/b.wav", "./single.raw"]
    assert all(Path(each.path).exists() and not each.reason for each in found)


def test_a_file_is_found_once(tree):
    assert names(find(["music/b.wav", "music", "music/../music/b.wav"])) == ["music/b.wav", "music/a/c.MP3"]


def test_links_in_circles_end(tree):
    (tree / "music" / "a" / "up").symlink_to(tree / "music")
    (tree / "music" / "self").symlink_to(tree / "music" / "self")
    (tree / "music" / "more").symlink_to(tree / "more")

    assert names(find(["music"])) == ["a/c.MP3", "b.wav", "more/a/c.MP3"]


def test_a_missing_file_stays_to_be_named(tree):
    assert find(["nowhere.wav"]) == [("nowhere.wav", "nowhere.wav", "")]


def test_a_folder_without_audio_is_named_with_the_reason(tree):
    (tree / "empty").mkdir()

    (found,) = find(["empty"])

    assert found.name == "empty"
    assert found.reason == "is a folder without an audio file (it holds no file at all)"


def test_a_folder_that_cannot_be_read_is_named_and_the_rest_is_found(tree, monkeypatch, caplog):
    scan = os.scandir

    def refuse(path):
        if str(path).rstrip("/").endswith("music/a"):
            raise PermissionError(13, "Permission denied")
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with caplog.at_level(logging.WARNING):
        found = find(["music"])

    assert names(found) == ["b.wav"]
    assert "Permission denied" in caplog.text


def test_a_name_that_no_file_can_hold_is_bad(tree):
    strange = os.fsdecode(b"stra\xffnge.wav")

    (found,) = find([strange])

    assert found.reason == "has a name that is not UTF-8; rename it"
    found.name.encode()


def test_a_folder_whose_name_has_a_colon_and_a_stop_is_named_with_the_reason(tree):
    (tree / "a: b. c").mkdir()
    (tree / "a: b. c" / "x.txt").write_text("x")

    (found,) = find(["a: b. c"])

    assert found == ("a: b. c", "a: b. c", "is a folder without an audio file (1 files: 1 .txt)")


def test_a_name_in_a_folder_that_no_file_can_hold_is_bad_and_the_rest_is_found(tree):
    Path(os.fsdecode(b"music/stra\xffnge.wav")).write_bytes(b"x")

    found = find(["music"])

    assert [each.reason for each in found] == ["", "", "has a name that is not UTF-8; rename it"]
    assert names(found)[2] == "stra\\xffnge.wav"


def test_kinds_that_are_not_read_are_counted_and_others_than_audio_are_not(tree, caplog):
    for name in ("a.m4a", "b.M4A", "a/c.wma", "cover.jpg"):
        (tree / "music" / name).write_bytes(b"x")

    with caplog.at_level(logging.INFO):
        assert names(find(["music"])) == ["a/c.MP3", "b.wav"]
    assert caplog.messages == ["left out, not read by libsndfile: 2 .m4a, 1 .wma"]


@pytest.mark.parametrize("suffix", ["aifc", "snd", "rf64", "wave"])
def test_all_that_libsndfile_reads_is_found(tree, suffix):
    (tree / "music" / f"a.{suffix}").write_bytes(b"x")
    assert f"a.{suffix}" in names(find(["music"]))


def test_empty_text_is_not_the_working_folder(tree):
    with pytest.raises(UserError, match="empty text"):
        find(["music", ""])
