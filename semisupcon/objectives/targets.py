"""Who is compared with whom, and the target contrastive matrix that a row of similarities should look like."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from semisupcon.objectives.signals import Signal

Unknown = Literal["negative", "ignore"]


@dataclass(frozen=True)
class Views:
    """N views and what their targets depend on.

    Args:
        embedding: (N, P) projected embeddings.
        labels: (N, K) float32, NaN = unknown.
        labelled: (N,) bool, whether the view's clip was drawn with its labels.
        file: (N,) int64, the file that a view was cut from.
        identity: (N,) int64, a number that no other view of the whole batch has, on any rank.
    """

    embedding: Tensor
    labels: Tensor
    labelled: Tensor
    file: Tensor
    identity: Tensor

    def __len__(self) -> int:
        return len(self.file)

    def __getitem__(self, which: slice | Tensor) -> Views:
        return Views(
            self.embedding[which], self.labels[which], self.labelled[which], self.file[which], self.identity[which]
        )


class Pairing:
    """Which views of each clip are anchors and which are candidates; the default is all against all others.

    Args:
        anchors: indices of the views that are anchors; None = all.
        candidates: indices of the views that are candidates; None = all. With ``[0]`` and ``[1]`` the first view
            of each clip is compared with the second view of every clip (COLA).
    """

    def __init__(self, anchors: list[int] | None = None, candidates: list[int] | None = None) -> None:
        for name, views in (("anchors", anchors), ("candidates", candidates)):
            if views is not None and (not views or min(views) < 0):
                raise ValueError(f"{name} are numbers of views, counted from 0, at least one of them, not {views}")
        self.anchors = anchors
        self.candidates = candidates

    def select(self, views: Views, per_clip: int) -> tuple[Views, Views]:
        """N = B * ``per_clip`` views, clip by clip -> (anchors, candidates)."""
        return self.pick(views, per_clip, self.anchors), self.pick(views, per_clip, self.candidates)

    @staticmethod
    def pick(views: Views, per_clip: int, wanted: list[int] | None) -> Views:
        """The wanted views of each clip, clip by clip, in their order."""
        if wanted is None:
            return views
        if len(wanted) == 1:
            return views[wanted[0] :: per_clip]
        first = torch.arange(0, len(views), per_clip, device=views.file.device)
        return views[torch.stack([first + number for number in sorted(set(wanted))], dim=1).flatten()]


def target_matrix(
    anchors: Views, candidates: Views, signal: Signal, unknown: Unknown = "negative"
) -> tuple[Tensor, Tensor]:
    """Semi-supervised targets: max(same clip, signal) where both clips are labelled, else same clip.

    This is the one place where a signal's NaN ("cannot judge") becomes a target and a place in the denominator.

    Args:
        anchors: A views.
        candidates: C views.
        signal: judges pairs of labelled clips.
        unknown: what a pair of different clips is that involves a labelled one and cannot be judged (the other is
            unlabelled, or no label is known of both): a ``negative`` as in the paper, or left out of the
            denominator (``ignore``). Two unlabelled clips are always negatives.

    Returns:
        targets (A, C) float32 in [0, 1] and keep (A, C) bool: everybody but the anchor itself and the ignored.
    """
    same = anchors.file[:, None] == candidates.file[None, :]
    keep = anchors.identity[:, None] != candidates.identity[None, :]
    if not anchors.labels.shape[1]:  # looking at the clips instead would make a GPU wait
        known, targets = torch.zeros_like(same), torch.zeros_like(same, dtype=torch.float32)
    else:
        with torch.autocast(same.device.type, enabled=False):  # half precision would round counts and shares
            judged = signal(anchors.labels, candidates.labels)
        known = anchors.labelled[:, None] & candidates.labelled[None, :] & ~judged.isnan()
        targets = torch.where(known, judged, 0.0)
    if unknown == "ignore":
        either = anchors.labelled[:, None] | candidates.labelled[None, :]
        keep &= same | known | ~either
    return targets.masked_fill_(same, 1.0).masked_fill_(~keep, 0.0), keep
