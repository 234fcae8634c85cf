"""A signal that is a function of somebody's own."""

from __future__ import annotations

import importlib
from collections.abc import Callable

import torch
from torch import Tensor

from semisupcon.errors import UserError
from semisupcon.objectives.signals.base import Signal


class Custom(Signal):
    """A function by its dotted path: (A, K), (C, K) labels with NaN = unknown -> (A, C) in [0, 1], NaN = cannot say.

    Args:
        function: such as ``mine.similar`` for the function ``similar`` of ``mine.py``.

    Raises:
        UserError: it cannot be imported, or is no function.
    """

    def __init__(self, function: str) -> None:
        module, _, name = function.rpartition(".")
        try:
            found = getattr(importlib.import_module(module), name)
        except (ImportError, AttributeError, ValueError) as error:
            raise UserError(f"--model.signal: {function!r} cannot be imported: {error}") from error
        if not callable(found):
            raise UserError(f"--model.signal: {function!r} is a {type(found).__name__}, and no function.")
        self.name = function
        self.function: Callable[[Tensor, Tensor], Tensor] = found
        self._checked = False

    def __call__(self, anchors: Tensor, candidates: Tensor) -> Tensor:
        """(A, K), (C, K) -> (A, C)."""
        judged = self.function(anchors, candidates)
        if not self._checked:  # once: looking at the numbers makes a GPU wait
            self._check(judged, (len(anchors), len(candidates)))
        return judged.float()

    def _check(self, judged: Tensor, shape: tuple[int, int]) -> None:
        if not isinstance(judged, Tensor) or judged.shape != shape:
            found = f"a tensor {tuple(judged.shape)}" if isinstance(judged, Tensor) else f"a {type(judged).__name__}"
            raise UserError(f"--model.signal: {self.name} returned {found}, not a tensor {shape}.")
        if bool(((judged < 0) | (judged > 1)).any()) or bool(torch.isinf(judged).any()):
            raise UserError(f"--model.signal: {self.name} returned numbers outside [0, 1] (NaN = cannot say).")
        self._checked = True
