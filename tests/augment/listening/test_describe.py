"""What the page says of an augmentation is what its docstring and its arguments say."""

from typing import ClassVar

import pytest

from semisupcon.augment import BandStop, Filtering, Gain, HighPass, LowPass, OneOf, Transform
from semisupcon.augment.listening.describe import Parameter, called, describe, number, sentences
from semisupcon.augment.registry import TRANSFORMS


class Family(Transform):
    """Does something.

    Strength makes it more so (see Fig. 2 of the paper).

    Args:
        width: bounds in seconds,
            drawn evenly.
        p: the probability.

    Raises:
        UserError: width: never.
    """

    def __init__(self, width: tuple[float, float] = (-0.5, 2.0), deep: bool = False, p: float = 0.25) -> None:
        super().__init__(p)
        self.width = width
        self.deep = deep


class Member(Family):
    """Does this, e.g. with ``code``. And that."""

    alters: ClassVar[tuple[str, ...]] = ("pitch", "key")


def test_a_docstring_gives_sentence_strength_and_parameters():
    about = describe(Family((3.0, 3.0)))

    assert about.sentence == "Does something."
    assert about.strength == "Strength makes it more so (see Fig. 2 of the paper)."
    assert about.parameters == (
        Parameter("width", "3", "bounds in seconds, drawn evenly."),
        Parameter("deep", "False", ""),
    )
    assert (about.name, about.p, about.alters) == ("Family", 0.25, ())


def test_what_a_class_does_not_say_its_base_says():
    about = describe(Member())

    assert about.sentence == "Does this, e.g. with ``code``."
    assert about.strength.startswith("Strength makes")
    assert about.parameters[0] == Parameter("width", "−0.5 to 2", "bounds in seconds, drawn evenly.")
    assert about.alters == ("pitch", "key")


def test_one_of_several_says_which():
    assert [each.name for each in describe(Filtering()).members] == ["band_pass", "band_stop", "high_pass", "low_pass"]
    pair = OneOf([HighPass((100.0, 200.0)), LowPass()], p=0.5)
    assert called(pair) == "one of high_pass, low_pass"
    assert describe(pair).members[0].parameters[0].value == "100 to 200"


def test_names_are_those_of_the_command_line():
    assert [called(transform) for transform in (Gain(), BandStop(), Member())] == ["gain", "band_stop", "Member"]


@pytest.mark.parametrize("name", TRANSFORMS)
def test_all_of_them_can_be_described(name):
    about = describe(TRANSFORMS[name]())

    assert about.name == name
    assert about.sentence
    assert all(parameter.meaning for parameter in about.parameters)


def test_numbers_are_printed_as_one_writes_them():
    assert number((-15.0, 5.0)) == "−15 to 5"
    assert number((0.5, 0.5)) == "0.5"
    assert number((1, 2, 3)) == "1, 2, 3"
    assert number("sox") == "sox"


def test_sentences_end_where_they_end():
    assert sentences("One\nof 2.5 dB. Two ``x``. ``y`` three.\n\nFour.\n\nArgs:\n    five: Six.") == [
        "One of 2.5 dB.",
        "Two ``x``.",
        "``y`` three.",
        "Four.",
    ]
