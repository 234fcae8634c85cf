"""What is found, and what it is called."""

import logging
import os
from pathlib import Path

import pytest

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
    assert found.reason.startswith("is a folder: no audio file below")
    assert "data_dir" not in found.reason


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
