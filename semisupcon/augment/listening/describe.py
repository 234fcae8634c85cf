"""What an augmentation says of itself: its docstring, its parameters, its probability."""

from __future__ import annotations

import inspect
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from semisupcon.augment.base import OneOf, Transform
from semisupcon.augment.registry import TRANSFORMS

_NOT_SHOWN = ("self", "p")  # the probability has a place of its own
_ARGUMENT = re.compile(r"^ {4}(\w+): (.*(?:\n {5,}.*)*)", re.MULTILINE)


@dataclass(frozen=True)
class Parameter:
    """A constructor argument.

    Args:
        name: of the argument.
        value: its range, or its value, as text.
        meaning: what the docstring says of it, with the unit.
    """

    name: str
    value: str
    meaning: str


@dataclass(frozen=True)
class Description:
    """What there is to know of an augmentation before one hears it.

    Args:
        name: see ``called``.
        sentence: what it does.
        strength: what the severity changes; empty where the docstring does not say.
        parameters: those of the constructor but ``p``.
        p: the probability at severity 2; None = of no meaning.
        alters: which labels it would spoil.
        members: where it is made of others.
        source: where it was published; empty where the docstring is all there is.
    """

    name: str
    sentence: str
    strength: str = ""
    parameters: tuple[Parameter, ...] = ()
    p: float | None = None
    alters: tuple[str, ...] = ()
    members: tuple[Description, ...] = ()
    source: str = ""


def describe(transform: Transform) -> Description:
    """The description of one augmentation as it was made, members and all."""
    said = sentences(inspect.cleandoc(type(transform).__doc__ or ""))
    # Without a probability of their own: it is ``OneOf`` that decides.
    members = tuple(describe(each) for each in _members(transform))
    return Description(
        called(transform),
        said[0] if said else "",
        _strength(type(transform)),
        tuple(_parameters(transform)),
        transform.p,
        tuple(transform.alters),
        members,
    )


def called(transform: Transform) -> str:
    """Its name on the command line; that of its class where it has none there."""
    if type(transform) is OneOf:
        return f"one of {', '.join(called(each) for each in _members(transform))}"
    names = (name for name, make in TRANSFORMS.items() if make is type(transform))
    return next(names, type(transform).__name__)


def sentences(docstring: str) -> list[str]:
    """Those before the first section of a docstring, each on one line."""
    text = re.split(r"^(?:Args|Attributes|Raises|Returns|Yields):$", docstring, maxsplit=1, flags=re.MULTILINE)[0]
    return [each for each in re.split(r"(?<=[.!?]) (?=[A-Z`(])", " ".join(text.split())) if each]


def number(value: Any) -> str:
    """A parameter's value: a range from its lower to its upper bound, with signs as they are printed."""
    if isinstance(value, Sequence) and not isinstance(value, str):
        bounds = [number(each) for each in value]
        if len(bounds) == 2:
            return bounds[0] if bounds[0] == bounds[1] else " to ".join(bounds)
        return ", ".join(bounds)
    if isinstance(value, float):
        return f"{value:g}".replace("-", "\N{MINUS SIGN}")
    return str(value)


def _strength(cls: type[Transform]) -> str:
    """The sentences about it, of the nearest class that has one: those of a family may leave it to their base."""
    for each in cls.__mro__:
        said = sentences(inspect.cleandoc(each.__doc__ or "")) if issubclass(each, Transform) else []
        if about := [sentence for sentence in said if sentence.startswith("Strength")]:
            return " ".join(about)
    return ""


def _members(transform: Transform) -> list[Transform]:
    return (
        [each for each in transform.transforms if isinstance(each, Transform)] if isinstance(transform, OneOf) else []
    )


def _parameters(transform: Transform) -> list[Parameter]:
    if isinstance(transform, OneOf):
        return []  # its members say it all
    meanings: dict[str, str] = {}
    for cls in reversed(type(transform).__mro__):  # a docstring may leave the arguments to that of a base class
        if issubclass(cls, Transform) and "Args:" in (doc := inspect.cleandoc(cls.__doc__ or "")):
            listed = re.split(r"^\w+:$", doc.split("Args:\n", 1)[1], maxsplit=1, flags=re.MULTILINE)[0]
            meanings |= {name: " ".join(text.split()) for name, text in _ARGUMENT.findall(listed)}
    signature = inspect.signature(type(transform).__init__).parameters
    return [
        Parameter(name, number(getattr(transform, name, argument.default)), meanings.get(name, ""))
        for name, argument in signature.items()
        if name not in _NOT_SHOWN
    ]
