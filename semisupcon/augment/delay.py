"""Echoes."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from semisupcon.augment.base import Transform, uniform
from semisupcon.errors import UserError

WHOLE = 1e-6  # of a step: (0.5 - 0.2) / 0.05 is a little less than 6


class Delay(Transform):
    """Adds the sound again, some time later: y(t) = x(t) + sum over k of gain * feedback^(k - 1) * x(t - k * delay).

    One echo by default, as in CLMR. The dry sound stays as it is, so the sum may leave [-1, 1]; what would come after
    the end is cut off. Strength scales the gain, up to 1.

    Args:
        delay: bounds in seconds, rounded to whole samples.
        gain: bounds of the first echo's amplitude against the dry sound, at most 1; 0.5 is -6 dB.
        feedback: bounds of each further echo's amplitude against the one before it, at most 1.
        echoes: how many.
        step: seconds; where above 0, the delays are delay[0], delay[0] + step, ... up to delay[1], each as likely.
        p: the probability that an example is changed.

    Raises:
        UserError: the first echo has no delay, there is none, the step is negative, or bounds are not in order.
    """

    def __init__(
        self,
        delay: tuple[float, float] = (0.1, 0.5),
        gain: tuple[float, float] = (0.3, 0.7),
        feedback: tuple[float, float] = (0.3, 0.7),
        echoes: int = 1,
        step: float = 0.0,
        p: float = 0.6,
    ) -> None:
        super().__init__(p)
        if not 0 < delay[0] <= delay[1] or echoes < 1 or step < 0:
            raise UserError(
                "Delay: it takes delays above 0 s from low to high, at least one echo and no step below 0 s, "
                f"not {delay}, {echoes} and {step}"
            )
        if not (0 <= gain[0] <= gain[1] <= 1 and 0 <= feedback[0] <= feedback[1] <= 1):
            raise UserError(f"Delay: gain and feedback go from low to high within 0 to 1, not {gain} and {feedback}")
        self.delay = delay
        self.gain = gain
        self.feedback = feedback
        self.echoes = echoes
        self.step = step
        self.takes = 3.0 if echoes == 1 else 4.0

    def effect(self, audio: Tensor, sample_rate: int, strength: float) -> Tensor:
        """(n, 1, T) -> (n, 1, T)."""
        count, device = len(audio), audio.device
        delay = (self._seconds(count, device) * sample_rate).round_().long().clamp_(min=1).squeeze(1)
        level = uniform(count, self.gain, device).mul_(strength).clamp_(max=1)
        feedback = uniform(count, self.feedback, device)
        longest = max(1, math.ceil(self.delay[1] * sample_rate))
        echo = audio.squeeze(1)
        for _ in range(self.echoes):
            echo = delayed(echo, delay, longest).mul_(level)
            audio.add_(echo[:, None])
            level = feedback
        return audio

    def _seconds(self, count: int, device: torch.device) -> Tensor:
        """(count, 1)."""
        if self.step == 0:
            return uniform(count, self.delay, device)
        low, high = self.delay
        steps = math.floor((high - low) / self.step + WHOLE) + 1
        return torch.randint(steps, (count, 1), device=device) * self.step + low


def delayed(audio: Tensor, delay: Tensor, longest: int) -> Tensor:
    """Each row later by so many samples, with zeros before: (n, T), (n,) whole numbers up to ``longest`` -> (n, T).

    Rows are read at an offset, which is half of the time of ``gather`` and a third of that of plain indices.
    """
    samples = audio.shape[1]
    before = min(samples, longest)
    # (n, before + 1, T), a view: the window that starts d samples before the sound is the sound delayed by d. Where a
    # delay is longer than the clip, `before` is T, and the first window holds zeros only.
    windows = F.pad(audio, (before, 0)).unfold(1, samples, 1)
    return windows[torch.arange(len(audio), device=audio.device), (before - delay).clamp_(min=0)]
