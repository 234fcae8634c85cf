"""What an encoder is, how it describes itself for a checkpoint, and how it is built from that description."""

from __future__ import annotations

import importlib
import inspect
import warnings
from collections.abc import Mapping
from typing import Any, NamedTuple, Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from semisupcon.errors import UserError

_warned: set[tuple[type, int]] = set()  # what was already said about short input; a warning a batch would drown a log


class Origin(NamedTuple):
    """Where an encoder's weights came from.

    Args:
        checkpoint: the file.
        samples: length of the views that they were trained on, where it says so.
        before: the checkpoints that the training of those weights began from, and those before them.
    """

    checkpoint: str
    samples: int | None
    before: tuple[str, ...] = ()


class Encoder(nn.Module):
    """Waveform in, embedding out: the front end (a log-mel spectrogram, say) belongs to the encoder.

    A subclass sets the first three attributes in its constructor and writes ``forward``; one with frames sets ``hop``
    and writes ``frames`` as well. Its constructor takes plain values (numbers, text, lists and dicts of them) or other
    encoders, so that ``spec`` can say how it was built.

    Attributes:
        sample_rate: Hz, of the audio it takes.
        dim: D, the size of an embedding.
        receptive_field: samples that one output frame stands for, which is also the shortest input it takes unpadded.
        hop: samples from one frame to the next: frame l stands for samples l * hop to l * hop + receptive_field.
            0 = it has no frames.
        origin: where its weights came from; None = they are fresh, or only those of encoders in it came from somewhere.
    """

    sample_rate: int
    dim: int
    receptive_field: int
    hop: int = 0
    origin: Origin | None = None
    _init_args: dict[str, Any] | TypeError

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """Notes the constructor's arguments, so that no subclass has to."""
        encoder = super().__new__(cls)
        # Not by setattr: nn.Module's own needs the constructor, which comes later.
        encoder.__dict__["_init_args"] = _arguments(cls, args, kwargs)
        return encoder

    def forward(self, audio: Tensor) -> Tensor:
        """One embedding for each example: (N, 1, T) -> (N, D)."""
        raise NotImplementedError(f"{type(self).__name__} has no forward")

    def frames(self, audio: Tensor) -> Tensor:
        """One embedding for each frame: (N, 1, T) -> (N, L, D).

        Raises:
            UserError: the encoder has no frames.
        """
        raise UserError(f"{type(self).__name__} embeds a whole clip and has no frames; choose another --model.encoder")

    def frame_centres(self, frames: int) -> Tensor:
        """The moment that each of the first ``frames`` frames stands for, in samples from the start: (L,) float64.

        Raises:
            UserError: the encoder has no frames, or does not say how far apart they are.
        """
        if not self.hop:
            raise UserError(
                f"{type(self).__name__} does not say where its frames lie (no hop); choose another --model.encoder, or "
                "set self.hop in its constructor: the samples from one frame to the next"
            )
        return torch.arange(frames, dtype=torch.float64) * self.hop + self.receptive_field / 2

    def origins(self) -> list[Origin]:
        """Where its weights came from, or those of the encoders in it; empty where all are fresh."""
        if self.origin is not None:
            return [self.origin]
        inner = (module for module in self.modules() if isinstance(module, Encoder) and module is not self)
        return [module.origin for module in inner if module.origin is not None]

    def sources(self) -> list[str]:
        """The checkpoints that its weights came from, and those before them, each once; none = all is fresh."""
        return list(dict.fromkeys(path for each in self.origins() for path in (each.checkpoint, *each.before)))

    @property
    def spec(self) -> dict[str, Any]:
        """``{"class_path": ..., "init_args": ...}``, all defaults filled in, tuples as lists; ``build`` undoes it.

        Raises:
            TypeError: an argument of the constructor was no plain value, which a checkpoint cannot hold.
        """
        if isinstance(self._init_args, TypeError):
            raise self._init_args
        # A fresh copy: what a caller does to it must not change the encoder's story.
        return {"class_path": _path(type(self)), "init_args": _plain(self._init_args, _path(type(self)))}

    def padded(self, audio: Tensor) -> Tensor:
        """The audio (N, 1, T), with zeros at the end where T is below ``receptive_field`` (warns once per process).

        Raises:
            ValueError: the audio is not (N, 1, T).
        """
        if audio.dim() != 3 or audio.shape[1] != 1:
            raise ValueError(f"{type(self).__name__} takes audio of shape (N, 1, T), not {tuple(audio.shape)}")
        missing = self.receptive_field - audio.shape[-1]
        if missing <= 0:
            return audio
        if (type(self), self.receptive_field) not in _warned:
            _warned.add((type(self), self.receptive_field))
            warnings.warn(
                f"{type(self).__name__} needs {self.receptive_field} samples "
                f"({self.receptive_field / self.sample_rate:.2f} s at {self.sample_rate} Hz) and was given "
                f"{audio.shape[-1]} ({audio.shape[-1] / self.sample_rate:.2f} s): the rest is filled with zeros. "
                "Longer crops (--data.target_len) or an encoder with a shorter receptive field avoid it.",
                stacklevel=2,
            )
        return F.pad(audio, (0, missing))


def build(spec: Mapping[str, Any]) -> Encoder:
    """An encoder with fresh weights from its ``spec``. It imports the class's module, so trust where it came from.

    Raises:
        UserError: the spec is malformed, its class cannot be imported or is no Encoder, or its arguments do not fit.
    """
    if not isinstance(spec, Mapping) or "class_path" not in spec or set(spec) - {"class_path", "init_args"}:
        raise UserError(f"an encoder is described by class_path and init_args; found {spec!r}")
    path, given = spec["class_path"], spec.get("init_args") or {}
    cls = _class(path)
    # Of __init__, not of the class, whose signature some Pythons take from __new__.
    signature = inspect.signature(cls.__init__)
    try:
        signature.bind(None, **given)
    except TypeError as error:
        takes = ", ".join(list(signature.parameters)[1:]) or "nothing"
        raise UserError(f"{path}: {error}; it takes {takes}, and was given {given!r}") from error
    return cls(**{name: _revived(value) for name, value in given.items()})


def _class(path: str) -> type[Encoder]:
    module, _, name = str(path).rpartition(".")
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise UserError(f"encoder {path!r} cannot be imported: {error}") from error
    if not (isinstance(found, type) and issubclass(found, Encoder)):
        what = f"the class {_path(found)}" if isinstance(found, type) else f"a {type(found).__name__}"
        raise UserError(f"{path!r} is {what}, not a subclass of {_path(Encoder)}")
    return found


def _path(cls: type) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"


def _arguments(cls: type[Encoder], args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any] | TypeError:
    """The constructor's arguments by name as plain values, or why they cannot be had."""
    signature = inspect.signature(cls.__init__)
    try:
        bound = signature.bind(None, *args, **kwargs)
    except TypeError as error:
        return error  # the constructor is about to say so itself, or we are being unpickled and __dict__ will come
    bound.apply_defaults()
    named: dict[str, Any] = {}
    for name, parameter in list(signature.parameters.items())[1:]:
        if parameter.kind is parameter.VAR_KEYWORD:
            named.update(bound.arguments[name])
        elif parameter.kind in (parameter.VAR_POSITIONAL, parameter.POSITIONAL_ONLY):
            return TypeError(f"{_path(cls)}: the argument {name} has no keyword, so no checkpoint can describe it")
        else:
            named[name] = bound.arguments[name]
    try:
        return {name: _plain(value, f"{_path(cls)}: the argument {name}") for name, value in named.items()}
    except TypeError as error:
        return error


def _plain(value: Any, where: str) -> Any:
    # By exact type: a numpy.float64 is a float too, but torch.load(weights_only=True) refuses it.
    if value is None or type(value) in (bool, int, float, str):
        return value
    if isinstance(value, Encoder):
        return value.spec
    if type(value) in (list, tuple):
        return [_plain(item, where) for item in value]
    if type(value) is dict:
        return {_plain(key, where): _plain(item, where) for key, item in value.items()}
    raise TypeError(
        f"{where} is a {type(value).__name__}; a checkpoint describes an encoder by plain values "
        "(None, bool, int, float, str, lists and dicts of them) and other encoders"
    )


def _revived(value: Any) -> Any:
    """The argument with the nested specs built."""
    if isinstance(value, Mapping):
        is_spec = set(value) == {"class_path", "init_args"}
        return build(value) if is_spec else {key: _revived(item) for key, item in value.items()}
    return [_revived(item) for item in value] if isinstance(value, list) else value
