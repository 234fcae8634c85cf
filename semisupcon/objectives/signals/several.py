"""Several signals at once, for clips with labels of several kinds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from semisupcon.errors import UserError
from semisupcon.objectives.signals.base import Signal
from semisupcon.table import Task


class Several(Signal):
    """A signal for each task of ``--data.sl_task=a+b``; each pair is judged by those that can judge it.

    Args:
        signals: task name -> its signal.
        combine: what several judgements of a pair become: their ``mean``, or their ``max`` (alike in one respect is
            alike).
    """

    def __init__(self, signals: dict[str, Signal], combine: Literal["mean", "max"] = "mean") -> None:
        if combine not in ("mean", "max"):
            raise ValueError(f"combine must be mean or max, not {combine}")
        if not signals:
            raise ValueError("no signals to combine")
        self.signals, self.combine = signals, combine
        self.columns: list[tuple[Signal, slice]] = []
        """The signals in the order of the label columns, once they are known."""

    def prepare(self, labels: Tensor, tasks: Sequence[Task]) -> None:
        """Give each signal the labels of its task."""
        names = [task.name for task in tasks]
        if set(names) != set(self.signals):
            raise UserError(
                f"--model.signal: Several has signals for {', '.join(self.signals)}, and the labels are of "
                f"{', '.join(names)}. Each task of --data.sl_task needs one."
            )
        self.columns, start = [], 0
        for task in tasks:
            part = slice(start, start := start + len(task.classes))
            self.signals[task.name].prepare(labels[:, part], [task])
            self.columns.append((self.signals[task.name], part))

    def __call__(self, anchors: Tensor, candidates: Tensor) -> Tensor:
        """(A, K), (C, K) -> (A, C)."""
        if not self.columns:
            raise RuntimeError("Several does not know which columns are whose: call prepare first")
        total = best = anchors.new_zeros(len(anchors), len(candidates))
        judges = torch.zeros_like(total)
        for signal, part in self.columns:
            judged = signal(anchors[:, part], candidates[:, part])
            judges = judges + ~judged.isnan()
            total = total + judged.nan_to_num(0.0)
            best = torch.maximum(best, judged.nan_to_num(0.0))
        return torch.where(judges > 0, total / judges if self.combine == "mean" else best, torch.nan)
