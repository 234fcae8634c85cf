"""Where the encoder runs."""

from __future__ import annotations

import torch

from semisupcon.errors import UserError

_KINDS = ("cpu", "cuda", "mps", "xpu")


def chosen(name: str | torch.device) -> torch.device:
    """The device of this name; ``auto`` = a GPU where there is one.

    Raises:
        UserError: there is none.
    """
    if name == "auto":
        gpus = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
        name = next((kind for kind, there in gpus.items() if there), "cpu")
    hint = f"Use auto, or one of {', '.join(_KINDS)}, of several GPUs with a number: cuda:1."
    if str(name).partition(":")[0] not in _KINDS:
        raise UserError(f"device={name}: there is no such kind of device. {hint}")
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:  # AssertionError: this torch was built without it
        raise UserError(f"device={name}: cannot be used ({str(error).splitlines()[0]}). {hint}") from None
    return device
