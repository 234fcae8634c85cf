"""The one contract between training and everything after it: a file that an encoder can be built from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from semisupcon import __version__
from semisupcon.encoders.base import Encoder, Origin, build
from semisupcon.encoders.concat import Concat
from semisupcon.errors import UserError

Content = dict[str, Any]
"""What ``load`` gives; the functions that take it beside a path read the file only where it is not given."""

KEY = "semisupcon"
"""Where a checkpoint says what its encoder is."""

_SHOWN = 12  # differing names listed in an error


def describe(encoder: Encoder, samples: int | None) -> dict[str, Any]:
    """What a checkpoint has to say under ``KEY`` beside its weights; plain values only.

    Args:
        encoder: what the weights belong to.
        samples: length of the views it was trained on.
    """
    # In full, for who reads them may be started in another folder.
    origins = [str(Path(path).absolute()) for path in encoder.sources()]
    about = {"format": 1, "version": __version__, "encoder": encoder.spec, "samples": samples}
    return {**about, "origins": list(dict.fromkeys(origins))}


def view_samples(path: str | Path, content: Content | None = None) -> int | None:
    """Length in samples of the views that a checkpoint's encoder was trained on, where it says so."""
    return (content or load(path)).get(KEY, {}).get("samples")


def load(path: str | Path) -> Content:
    """The content of a checkpoint, read without running any code in it.

    Raises:
        UserError: the file is missing, broken, or holds more than tensors and plain values.
    """
    path = Path(path)
    if not path.is_file():
        found = sorted(p.name for p in path.glob("*.ckpt")) if path.is_dir() else []
        hint = f"It is a folder; its checkpoints are: {', '.join(found) or 'none'}." if path.is_dir() else ""
        raise UserError(f"{path}: no such checkpoint file. {hint}".rstrip())
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # on a file of another kind the unpickler fails in whatever way comes first
        text = str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
        reason = "no weights, or more than weights" if text.startswith("Weights only load failed") else text
        raise UserError(
            f"{path}: cannot be read as a checkpoint ({path.stat().st_size:,} bytes; {reason}).\n"
            "It may be cut off, or hold more than weights and plain values. Use another checkpoint of the same run."
        ) from None
    if not isinstance(content, dict) or "state_dict" not in content:
        raise UserError(f"{path}: is no checkpoint of a training run (no state_dict in it).")
    return content


def pretrained(path: str | Path, content: Content | None = None) -> Encoder:
    """The encoder that a checkpoint holds, with its weights, in eval mode; its ``origin`` says where from.

    Only subclasses of ``Encoder`` are ever built, and every weight must fit: none missing, none left over. In a config
    it stands where an encoder does: ``class_path: semisupcon.checkpoint.pretrained``, ``init_args: {path: FILE}``.

    Args:
        path: the checkpoint.
        content: what ``load`` gave, in Python.

    Raises:
        UserError: the file is no checkpoint of this project, or does not fit the encoder it names.
    """
    content = content or load(path)
    encoder = untrained(path, content)
    load_weights(encoder, content["state_dict"], str(path))
    before = tuple(content[KEY].get("origins", ()))
    encoder.origin = Origin(str(path), view_samples(path, content), before)
    return encoder.eval()


def untrained(path: str | Path, content: Content | None = None) -> Encoder:
    """The encoder that a checkpoint holds with fresh weights, drawn from torch's generator.

    Raises:
        UserError: the file is no checkpoint of this project, or its encoder cannot be built.
    """
    spec = _spec(content or load(path), path)
    try:
        return build(spec)
    except UserError as error:
        raise UserError(f"{path}: {error}") from error


def restored(paths: Sequence[str], given: Encoder | None = None, fresh: bool = False) -> tuple[Encoder, int | None]:
    """The encoder of a checkpoint, or those of several as a ``Concat``, and the length of the longest views, if known.

    Args:
        paths: the checkpoints.
        given: an encoder by the user, which must be the same.
        fresh: whether to leave the weights out.

    Raises:
        UserError: there is none, or as ``pretrained`` and ``check_same``.
    """
    if not paths:
        raise UserError("--model.checkpoint=[]: names no checkpoint. Leave it out for an untrained encoder.")
    contents = [load(path) for path in paths]
    if given is not None:
        members: list[Any] = [given] * len(paths)
        if isinstance(given, Concat) and len(given.parts) == len(paths) > 1:
            members = list(given.encoders)
        for path, content, member in zip(paths, contents, members, strict=True):
            check_same(path, member, content)
    make = untrained if fresh else pretrained
    encoders = [make(path, content) for path, content in zip(paths, contents, strict=True)]
    lengths = [view_samples(path, content) or 0 for path, content in zip(paths, contents, strict=True)]
    return encoders[0] if len(encoders) == 1 else Concat(encoders), max(lengths) or None


def _spec(content: Content, path: str | Path) -> dict[str, Any]:
    """What the content of a checkpoint says of its encoder."""
    held = content.get(KEY)
    spec = held.get("encoder") if isinstance(held, dict) else None
    if not (isinstance(spec, dict) and {type(spec.get("class_path")), type(spec.get("init_args"))} == {str, dict}):
        raise UserError(
            f"{path}: does not say what encoder it holds (no encoder under '{KEY}'). It was not written by this "
            "project's pretrain.py or finetune.py."
        )
    return spec


def load_weights(module: nn.Module, state: dict[str, Any], source: str, part: str = "encoder") -> None:
    """Copy the weights of one part, such as the encoder, out of a whole module's ``state_dict``.

    Args:
        module: what they are copied into.
        state: of the whole.
        source: for people.
        part: the name of the part in the whole.

    Raises:
        UserError: listing what is missing, left over, or of another shape.
    """
    weights = weights_of(part, state)
    wanted = module.state_dict()
    wrong = [f"  missing: {name}" for name in wanted if name not in weights]
    wrong += [f"  not in the {part}: {name}" for name in weights if name not in wanted]
    wrong += [
        f"  other shape: {name} is {tuple(weights[name].shape)}, the {part} has {tuple(value.shape)}"
        for name, value in wanted.items()
        if name in weights and weights[name].shape != value.shape
    ]
    if wrong:
        more = [f"  ... and {len(wrong) - _SHOWN} more"] if len(wrong) > _SHOWN else []
        raise UserError(
            f"{source}: its weights do not fit {type(module).__name__} ({len(wrong)} differences):\n"
            + "\n".join(wrong[:_SHOWN] + more)
        )
    module.load_state_dict(weights)


def weights_of(part: str, state: dict[str, Any]) -> dict[str, Any]:
    """The weights of one part of a whole module, by their names in the part."""
    return {name.removeprefix(f"{part}."): value for name, value in state.items() if name.startswith(f"{part}.")}


def check_same(path: str | Path, encoder: Encoder, content: Content | None = None) -> None:
    """Refuse an encoder given by the user that differs from the one a checkpoint holds.

    Raises:
        UserError: listing each option that differs, with both values.
    """
    held = _spec(content or load(path), path)
    given = encoder.spec
    if held == given:
        return
    wrong = []
    if held["class_path"] != given["class_path"]:
        wrong.append(f"  class_path: {held['class_path']} in the checkpoint, {given['class_path']} given")
    else:
        options = {**held["init_args"], **given["init_args"]}
        wrong += [
            f"  {name}: {held['init_args'].get(name)} in the checkpoint, {given['init_args'].get(name)} given"
            for name in options
            if held["init_args"].get(name) != given["init_args"].get(name)
        ]
    raise UserError(
        f"{path}: holds another encoder than the one given:\n"
        + "\n".join(wrong)
        + "\nLeave the encoder (and target_sr) out: the checkpoint decides them."
    )
