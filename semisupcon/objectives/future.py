"""Predict the future of a sequence among negatives (van den Oord, Li & Vinyals 2018, arXiv 1807.03748)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from semisupcon.errors import UserError
from semisupcon.objectives.kernel import rows

Source = Literal["any", "same_sequence", "same_category", "sequential"]
"""Which windows of the batch negatives are drawn from; see ``neighbourhoods``."""


@dataclass(frozen=True)
class Steps:
    """What came of each of the K steps.

    Args:
        loss: (K,) float32, mean over the step's anchors; log(1 + n) where nothing is told apart.
        accuracy: (K,) float32, the share of anchors whose true future scores above every negative.
    """

    loss: Tensor
    accuracy: Tensor


class Future(nn.Module):
    """A linear predictor W_k for each step k: logits scale · z_{t+k} · W_k c_t, the true future against n negatives.

    The predictors begin at 0, so that what they learn first is what the untrained latents and contexts have in common.
    From random ones the quickest way down is to make all latents alike, where the loss stays at log(1 + n).

    Args:
        dim: D, the size of a context c.
        channels: C, the size of a latent z.
        steps: K, how many frames ahead is predicted.
        negatives: n, drawn for each anchor and step.
        scale: 1 is the log-bilinear model of equation 3; None = 1 / C, the mean over the channels as in public code.
    """

    def __init__(self, dim: int, channels: int, steps: int = 12, negatives: int = 128, scale: float | None = 1.0):
        super().__init__()
        if steps < 1 or negatives < 1:
            raise UserError(f"predicting the future takes steps={steps} and negatives={negatives} of at least 1.")
        self.negatives = negatives
        self.scale = 1 / channels if scale is None else scale
        self.predictors = nn.ModuleList(nn.Linear(dim, channels, bias=False) for _ in range(steps))
        for parameter in self.predictors.parameters():
            nn.init.zeros_(parameter)

    def forward(self, contexts: Tensor, latents: Tensor, neighbourhood: Tensor) -> Steps:
        """The loss of each step, with negatives drawn from torch's generator.

        Args:
            contexts: c, (N, L, D) of N windows.
            latents: z, (N, L, C).
            neighbourhood: (N,) int64; negatives come from windows with the same number.

        Returns:
            Steps of K.

        Raises:
            UserError: the windows are too short to hold a frame K steps ahead.
        """
        frames, steps = latents.shape[1], len(self.predictors)
        if frames <= steps:
            raise UserError(
                f"windows of {frames} frames hold no frame that is {steps} steps ahead of another. "
                "Raise --data.target_len, or lower --model.steps."
            )
        found = [
            self.step(step, contexts, latents, draw_negatives(neighbourhood, frames, step, self.negatives))
            for step in range(1, steps + 1)
        ]
        loss, accuracy = (torch.stack(values) for values in zip(*found, strict=True))
        return Steps(loss, accuracy)

    def step(self, step: int, contexts: Tensor, latents: Tensor, negatives: Tensor) -> tuple[Tensor, Tensor]:
        """Loss and accuracy k = ``step`` frames ahead; equation 4, the mean over the A = N (L - k) anchors.

        Args:
            step: k, from 1 on.
            contexts: (N, L, D).
            latents: (N, L, C).
            negatives: (A, n) int64, as ``draw_negatives`` gives them.
        """
        logits = self.logits(step, contexts[:, :-step].flatten(0, 1), latents.flatten(0, 1))  # (A, N L)
        futures = future_frames(len(latents), latents.shape[1], step, latents.device)
        # All latents at once and then those that were drawn. Gathering (A, n, C) negatives first would move 3 GB a step
        # by default, 20 times as slow on a CPU; it is faster only from some 20,000 latents on.
        logits = logits.gather(1, torch.cat([futures[:, None], negatives], dim=1))  # (A, 1 + n)
        targets = torch.zeros_like(logits)
        targets[:, 0] = 1
        accuracy = (logits[:, 0] > logits[:, 1:].amax(dim=1)).to(logits.dtype).mean()
        return rows(logits, targets, torch.ones_like(logits, dtype=torch.bool)).loss.mean(), accuracy

    def logits(self, step: int, contexts: Tensor, latents: Tensor) -> Tensor:
        """How well each of M latents fits A predictions k = ``step`` frames ahead: (A, D), (M, C) -> (A, M) float32."""
        predicted = self.predictors[step - 1](contexts)
        with torch.autocast(contexts.device.type, enabled=False):
            return (self.scale * predicted.float()) @ latents.float().T


def future_frames(windows: int, frames: int, step: int, device: torch.device) -> Tensor:
    """The true future of each anchor: (A,) int64, where frame l of window w has the number w L + l."""
    return torch.arange(windows * frames, device=device).view(windows, frames)[:, step:].flatten()


def draw_negatives(neighbourhood: Tensor, frames: int, step: int, count: int) -> Tensor:
    """Frames that are not the true future, drawn with replacement, each as likely as any other: (A, n) int64.

    Anchors are the frames 0 to L - k - 1 of window after window; frame l of window w has the number w L + l.

    Args:
        neighbourhood: (N,) int64; frames of windows with the anchor's number may be drawn, its own window's too.
        frames: L of a window.
        step: k, how far ahead the true future is.
        count: n.

    Raises:
        UserError: there are no other frames.
    """
    device, windows = neighbourhood.device, len(neighbourhood)
    if frames < 2:
        raise UserError(
            f"windows of {frames} frames leave no negatives beside the true future; raise --data.target_len"
        )
    same = neighbourhood[:, None] == neighbourhood
    members = torch.argsort((~same).byte(), dim=1, stable=True)  # (N, N), a window's neighbours in front, in order
    earlier = same.tril(-1).sum(dim=1)  # (N,) neighbours in front of the window itself
    # Among the frames of a neighbourhood, one window behind the other: (N, L - k, 1) the true future, and how many.
    true = (earlier[:, None] * frames + torch.arange(step, frames, device=device)).unsqueeze(2)
    others = (same.sum(dim=1) * frames - 1)[:, None, None]
    # The remainder of so large a number is even enough; no generator takes a bound for each row.
    drawn = torch.randint(2**62, (windows, frames - step, count), device=device) % others
    drawn += drawn >= true  # so that the true future is left out
    window = members.gather(1, (drawn // frames).flatten(1)).view_as(drawn)
    return (window * frames + drawn % frames).flatten(0, 1)


def neighbourhoods(source: Source, labels: Tensor, labelled: Tensor, views: int) -> Tensor:
    """Which windows lend each other negatives: (B V,) int64, equal numbers do.

    ``any``: all windows of the batch. ``same_sequence``: a window only itself. ``same_category``: windows of clips of
    one class, the first column of the labels that is set; a clip without a class lends to none, and each of its windows
    is alone. ``sequential``: the V windows of a clip, neighbours in its file with --data.view_layout=adjacent.

    Args:
        source: which of these.
        labels: (B, K) float32, NaN = unknown.
        labelled: (B,) bool, whether the clip came with its labels.
        views: V windows a clip.

    Raises:
        UserError: ``sequential`` with a single window a clip.
    """
    clips, device = len(labelled), labels.device
    alone = torch.arange(clips * views, device=device)
    if source == "any":
        return torch.zeros_like(alone)
    if source == "same_sequence":
        return alone
    if source == "sequential":
        if views < 2:
            raise UserError(
                "negatives_from=sequential takes them from neighbouring windows of a file, and there is one of each. "
                "Pass --data.views=2 or more with --data.view_layout=adjacent, or --model.negatives_from=same_sequence."
            )
        return alone // views
    positive = torch.nn.functional.pad((labels > 0) & labelled[:, None], (0, 1), value=True)  # the last: none is set
    category = positive.byte().argmax(dim=1).repeat_interleave(views)  # of several maxima the first
    return torch.where(category < labels.shape[1], category, labels.shape[1] + alone)
