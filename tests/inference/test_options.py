"""The command line."""

from pathlib import Path

import pytest

from semisupcon.errors import UserError
from semisupcon.inference.options import Options, parse

NEEDED = ("--checkpoint=a.ckpt", "--out=b.npz")


def test_what_is_not_given_has_its_default():
    assert parse(["music", *NEEDED]) == Options(("music",), "a.ckpt", Path("b.npz"))


def test_every_option_arrives():
    args = ["--segments=true", "--hop=0.5", "--length", "2", "--device=cpu", "--num_workers=3", "--batch_size=8"]

    found = parse(["a.wav", *NEEDED, "b.wav", *args, "--overwrite=true", "c"])

    assert found == Options(("a.wav", "b.wav", "c"), "a.ckpt", Path("b.npz"), True, 0.5, 2.0, "cpu", 3, 8, True)


def test_none_is_what_is_not_given():
    assert parse(["music", *NEEDED, "--hop=None", "--length=null", "--num_workers=None"]) == parse(["music", *NEEDED])


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["music", *NEEDED, "--hpo=1"], "--hpo=1: there is no such option. Did you mean --hop?"),
        (["music", *NEEDED, "--num_worker", "2"], "Did you mean --num_workers?"),
        (["music", *NEEDED, "--seg=true"], "Did you mean --segments?"),
        (["music", "--out=b.npz"], "Not given: --checkpoint."),
        ([*NEEDED], "Not given: INPUT."),
        ([], "Not given: INPUT, --checkpoint, --out."),
        (["music", *NEEDED, "--hop=0"], "--hop: 0 given, and a length in seconds expected"),
        (["music", *NEEDED, "--hop=3601"], "--hop: 3601 given, and at most 3600 seconds are possible"),
        (["music", *NEEDED, "--max_bad_share=2"], "--max_bad_share: 2 given, and a share from 0 to 1 expected"),
        (["music", *NEEDED, "--length=nan"], "--length: nan given"),
        (["music", *NEEDED, "--segments=perhaps"], "--segments: perhaps given, and true or false expected"),
        (["music", *NEEDED, "--batch_size=0"], "--batch_size: 0 given, and a whole number expected, at least 1"),
        (["music", *NEEDED, "--num_workers=x"], "--num_workers: x given"),
    ],
)
def test_what_is_wrong_is_said_in_its_words(args, said):
    with pytest.raises(UserError) as error:
        parse(args)
    assert said in str(error.value)
    assert len(str(error.value).splitlines()) <= 4
    assert "python -m semisupcon.embed --help" in str(error.value)
