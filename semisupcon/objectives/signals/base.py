"""What a supervision signal is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from torch import Tensor

from semisupcon.errors import UserError
from semisupcon.table import Task


class Signal(ABC):
    """How alike two clips are, according to their labels.

    A subclass is a few lines: it gets the labels of A anchors and C candidates and returns an (A, C) matrix in
    [0, 1], NaN where the labels do not allow a judgement. It is given in a config by ``class_path``.
    """

    kinds: ClassVar[frozenset[str]] = frozenset({"multiclass", "multilabel", "regression", "key"})
    """The kinds of task (see ``semisupcon.table.Task``) that the signal makes sense for."""

    def prepare(self, labels: Tensor, tasks: Sequence[Task]) -> None:
        """See that the signal makes sense of the tasks, and ``fit`` it; called once, before the first step.

        Args:
            labels: (n, K) of the labelled training clips, float32 with NaN = unknown.
            tasks: what the K columns are, one task after the other.

        Raises:
            UserError: it does not, or cannot judge by these labels.
        """
        for task in tasks:
            if task.kind not in self.kinds:
                raise UserError(
                    f"{type(self).__name__} makes no sense of {task.name}: it is a {task.kind} task, and the signal is "
                    f"for {', '.join(sorted(self.kinds))}.\nGive another --model.signal.class_path; README.md has "
                    "one for each kind."
                )
        if len(tasks) == 1:
            self.fit(labels, tasks[0])
        elif self.needs_fit:
            raise UserError(
                f"{type(self).__name__} is for the labels of one task, and there are "
                f"{', '.join(task.name for task in tasks)}.\nGive each its own, "
                "--model.signal.class_path=semisupcon.objectives.signals.Several."
            )

    def fit(self, labels: Tensor, task: Task) -> None:  # noqa: B027 (most need nothing)
        """Take from the training labels what the signal needs of them.

        Args:
            labels: (n, K) of the labelled training clips, float32 with NaN = unknown.
            task: what the K columns are.

        Raises:
            UserError: the signal cannot judge by these labels.
        """

    @property
    def needs_fit(self) -> bool:
        """Whether it takes something from the labels of its one task."""
        return type(self).fit is not Signal.fit

    @abstractmethod
    def __call__(self, anchors: Tensor, candidates: Tensor) -> Tensor:
        """(A, K), (C, K) labels, float32 with NaN = unknown -> (A, C) in [0, 1] or NaN."""
