"""Echoes."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from semisupcon.augment.base import Transform, uniform
from semisupcon.errors import UserError


class Delay(Transform):
    """Adds the sound again, some time later: y(t) = x(t) + sum over k of gain * feedback^(k - 1) * x(t - k * delay).

    One echo by default, as in CLMR. The dry sound stays as it is, so the sum may leave [-1, 1]; what would come after
    the end is cut off. Strength scales the gain of the echo, up to 1.

    Args:
        delay: bounds in seconds, drawn evenly over all of the range.
        gain: of the first echo against the dry sound, 0.5 is -6 dB.
        feedback: of each further echo against the one before it.
        echoes: how many.
        p: the probability that an example is changed.

    Raises:
        UserError: the first echo has no delay, or there is none.
    """

    def __init__(
        self,
        delay: tuple[float, float] = (0.1, 0.5),
        gain: float = 0.5,
        feedback: float = 0.5,
        echoes: int = 1,
        p: float = 0.6,
    ) -> None:
        super().__init__(p)
        if delay[0] <= 0 or echoes < 1:
            raise UserError(f"Delay: it takes a delay above 0 s and at least one echo, not {delay} and {echoes}")
        self.delay = delay
        self.gain = gain
        self.feedback = feedback
        self.echoes = echoes

    def effect(self, audio: Tensor, sample_rate: int, strength: float) -> Tensor:
        """(n, 1, T) -> (n, 1, T)."""
        count, _, samples = audio.shape
        delay = (uniform(count, self.delay, audio.device) * sample_rate).round().long().clamp(min=1).squeeze(1)
        before = min(samples, self.echoes * math.ceil(self.delay[1] * sample_rate))
        # (n, before + 1, T), a view: the window that starts d samples before the sound is the sound delayed by d.
        windows = F.pad(audio.squeeze(1), (before, 0)).unfold(1, samples, 1)
        rows = torch.arange(count, device=audio.device)
        gain = min(1.0, self.gain * strength)
        for echo in range(1, self.echoes + 1):
            # Where a delay is longer than the clip, `before` is T: the window holds zeros only.
            starts = (before - echo * delay).clamp(min=0)
            audio.add_(windows[rows, starts][:, None], alpha=gain * self.feedback ** (echo - 1))
        return audio
