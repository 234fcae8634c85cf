"""The projection head that a checkpoint of contrastive pretraining holds: said on saving, and built again from that."""

from __future__ import annotations

import functools
import importlib
import inspect
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn

from semisupcon.checkpoint import KEY, Content, load, load_weights, weights_of
from semisupcon.errors import UserError
from semisupcon.objectives.projection import MLP, LinearTanh

PART = "projection"
"""The head's place in a module, and in what a checkpoint says under ``KEY``."""


class Projection(NamedTuple):
    """What a checkpoint holds of a head.

    Args:
        head: in eval mode, (N, D) -> (N, P); None = there is none that can be built.
        reason: why there is none, for people; empty where there is one.
    """

    head: nn.Module | None
    reason: str = ""


def described(factory: Callable[[int], nn.Module], dim: int, head: nn.Module) -> dict[str, Any]:
    """What a checkpoint says of a head: its ``class_path`` and, with all defaults, its ``init_args`` as plain values.

    The arguments are known where the factory is the class itself or a ``functools.partial`` of it, as the command line
    makes one of ``class_path`` and ``init_args``. Of a function nothing is known: ``init_args`` is None then, as where
    an argument is more than numbers, text, lists and dicts of them.

    Args:
        factory: what made the head.
        dim: D, what it was given.
        head: what it made.
    """
    cls = type(head)
    return {"class_path": _path(cls), "init_args": _arguments(cls, factory, dim)}


def projected(path: str | Path, content: Content | None = None) -> nn.Module | None:
    """The projection head of a checkpoint, (N, D) -> (N, P), in eval mode; None where :func:`held` says why.

    Args:
        path: the checkpoint.
        content: what :func:`semisupcon.checkpoint.load` gave, in Python.

    Raises:
        UserError: as ``held``.
    """
    return held(path, content).head


def held(path: str | Path, content: Content | None = None) -> Projection:
    """The projection head of a checkpoint, with its weights, in eval mode; or why there is none.

    Only subclasses of ``nn.Module`` are ever built, and every weight must fit. Older checkpoints do not say how the
    head is built: of those it is told by the names and shapes of its weights, where they are those of an ``MLP`` (whose
    ReLU has none, and is taken for granted) or a ``LinearTanh``.

    Args:
        path: the checkpoint.
        content: what :func:`semisupcon.checkpoint.load` gave, in Python.

    Raises:
        UserError: the file is no checkpoint, what it says of the head cannot be built, or the weights do not fit.
    """
    content = content or load(path)
    about = content.get(KEY)
    said = about.get(PART) if isinstance(about, dict) else None
    weights = weights_of(PART, content["state_dict"])
    if said is None and not weights:
        return Projection(
            None, f"{path}: holds no projection head (CPC trains without one; a probe has no need of it)."
        )
    if said is not None and not (isinstance(said, dict) and isinstance(said.get("class_path"), str)):
        raise UserError(f"{path}: describes its projection head by {said!r}, not by class_path and init_args.")
    spec = said if said and isinstance(said.get("init_args"), dict) else _inferred(said, weights)
    if spec is None:
        shapes = ", ".join(f"{name} {tuple(value.shape)}" for name, value in weights.items()) or "none"
        name = said["class_path"] if said else "of a class it does not name"
        return Projection(None, f"{path}: does not say how its projection head, {name}, is built (weights: {shapes}).")
    head = _built(spec, path)
    load_weights(head, content["state_dict"], str(path), PART)
    return Projection(head.eval())


def _arguments(cls: type[nn.Module], factory: Callable[[int], nn.Module], dim: int) -> dict[str, Any] | None:
    """All arguments of a constructor by name, as plain values; None = they cannot be had."""
    partial = factory if isinstance(factory, functools.partial) else functools.partial(factory)
    # A partial of the command line's is of jsonargparse's own functions, which are given the class.
    call = (partial.func, *partial.args)
    place = next((number for number, each in enumerate(call) if each is cls), None)
    if place is None:
        return None
    signature = inspect.signature(cls.__init__)
    try:
        bound = signature.bind(None, *call[place + 1 :], dim, **partial.keywords)
    except TypeError:
        return None
    bound.apply_defaults()
    named: dict[str, Any] = {}
    for name, parameter in list(signature.parameters.items())[1:]:
        if parameter.kind is parameter.VAR_KEYWORD:
            named.update(bound.arguments[name])
        elif parameter.kind in (parameter.VAR_POSITIONAL, parameter.POSITIONAL_ONLY):
            return None
        else:
            named[name] = bound.arguments[name]
    try:
        # There and back: what comes out is of Python's own types, and torch.load(weights_only=True) refuses others.
        return dict(json.loads(json.dumps(named)))
    except (TypeError, ValueError):
        return None


def _inferred(said: Mapping[str, Any] | None, weights: Mapping[str, Any]) -> dict[str, Any] | None:
    """The description of a shipped head by its weights; None = they are not those of one, or of another class."""
    shapes = {name: tuple(value.shape) for name, value in weights.items()}
    first, last = shapes.get("0.weight", ()), shapes.get("2.weight", ())
    if len(first) != 2:
        return None
    hidden, dim = first
    tried: list[tuple[type[nn.Module], dict[str, Any]]] = [(LinearTanh, {"dim": dim, "out": hidden})]
    if len(last) == 2:
        tried += [(MLP, {"dim": dim, "hidden": hidden, "out": last[0], "bias": bias}) for bias in (False, True)]
    for cls, args in tried:
        with torch.device("meta"):  # shapes alone; nothing is drawn
            fits = {name: tuple(value.shape) for name, value in cls(**args).state_dict().items()} == shapes
        if fits and (said is None or said["class_path"] == _path(cls)):
            return {"class_path": _path(cls), "init_args": args}
    return None


def _path(cls: type) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"


def _built(spec: Mapping[str, Any], path: str | Path) -> nn.Module:
    """A head with fresh weights. It imports the class's module, so trust where the checkpoint came from."""
    module, _, name = spec["class_path"].rpartition(".")
    try:
        cls = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise UserError(f"{path}: its projection head {spec['class_path']} cannot be imported: {error}") from error
    if not (isinstance(cls, type) and issubclass(cls, nn.Module)):
        raise UserError(f"{path}: its projection head {spec['class_path']} is no subclass of torch.nn.Module")
    try:
        inspect.signature(cls.__init__).bind(None, **spec["init_args"])
    except TypeError as error:
        raise UserError(f"{path}: {spec['class_path']}: {error}; it was given {spec['init_args']!r}") from error
    head: nn.Module = cls(**spec["init_args"])
    return head
