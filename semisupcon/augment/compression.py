"""Dynamic range compression."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from semisupcon.augment.base import Transform, uniform
from semisupcon.errors import UserError

BLOCK = 0.0015  # s, about the step in which levels are measured, which is a multiple of
VECTOR = 16  # samples: a maximum over 32 of them takes a quarter of the time of one over 22
NOTHING = 1e-9  # amplitude of silence, and dB of a reduction that leaves every bit as it was


class Compression(Transform):
    """A feed-forward compressor (Giannoulis, Massberg & Reiss, JAES 60(6), 2012), without knee or make-up gain.

    What the level is above the threshold is divided by the ratio, in dB. The reduction is smoothed in dB by their
    decoupled peak detector, which has an exponential attack and release. Levels are the peaks of blocks of 1 to 2 ms;
    the gain runs linearly from one block to the next. It is never above 0 dB, so that the output stays in [-1, 1] where
    the input does; to make up for lost level is what ``Gain`` is for. Strength is an exponent of the ratio.

    Args:
        threshold: bounds in dB of full scale, drawn evenly.
        ratio: bounds, at least 1, drawn evenly on a logarithmic scale.
        attack: bounds in seconds, of the time in which 63 % of a reduction is reached, drawn likewise.
        release: bounds in seconds, of the time in which 63 % of a reduction is given up, drawn likewise.
        p: the probability that an example is changed.

    Raises:
        UserError: bounds are not in order, a ratio is below 1, or a time not above 0 s.
    """

    takes = 2.5

    def __init__(
        self,
        threshold: tuple[float, float] = (-40.0, -20.0),
        ratio: tuple[float, float] = (2.5, 10.0),
        attack: tuple[float, float] = (0.002, 0.02),
        release: tuple[float, float] = (0.05, 0.2),
        p: float = 0.5,
    ) -> None:
        super().__init__(p)
        if not (threshold[0] <= threshold[1] and 1 <= ratio[0] <= ratio[1]):
            raise UserError(
                f"Compression: thresholds in dB and ratios from 1 go from low to high, not {threshold} and {ratio}"
            )
        if not (0 < attack[0] <= attack[1] and 0 < release[0] <= release[1]):
            raise UserError(
                f"Compression: attack and release are times above 0 s, from low to high, not {attack} and {release}"
            )
        self.threshold = threshold
        self.ratio = ratio
        self.attack = attack
        self.release = release

    def effect(self, audio: Tensor, sample_rate: int, strength: float) -> Tensor:
        """(n, 1, T) -> (n, 1, T)."""
        count, _, samples = audio.shape
        block = max(1, round(BLOCK * sample_rate / VECTOR)) * VECTOR
        blocks = F.pad(audio.squeeze(1), (0, -samples % block)).view(count, -1, block)
        peak = torch.maximum(blocks.amax(dim=-1), blocks.amin(dim=-1).neg_())  # (n, K)
        decibels = peak.clamp_(min=NOTHING).log10_().mul_(20)
        threshold = uniform(count, self.threshold, audio.device)
        ratio = log_uniform(count, self.ratio, audio.device) ** strength
        reduction = (decibels - threshold).clamp_(min=0).mul_(1 - 1 / ratio)
        reduction = self._smooth(reduction, block / sample_rate)
        gain = (reduction * (-math.log(10) / 20)).exp_()  # (n, K)
        after = torch.cat([gain[:, 1:], gain[:, -1:]], dim=1)
        ramp = (torch.arange(block, device=audio.device) + 0.5) / block
        # From the gain of each block to that of the next. (A matrix product might be rounded, to TF32 or bfloat16.)
        blocks.mul_(torch.lerp(gain[..., None], after[..., None], ramp))
        return blocks.view(count, 1, -1)[..., :samples]

    def _smooth(self, reduction: Tensor, step: float) -> Tensor:
        """(n, K) dB, a step of so many seconds apart -> (n, K)."""
        count, steps = reduction.shape
        attack = step / log_uniform(count, self.attack, reduction.device)
        release = step / log_uniform(count, self.release, reduction.device)
        # y[k] = max(x[k], exp(-release) y[k - 1]) is the running maximum of log x + release * k.
        falling = release * torch.arange(steps, device=reduction.device)
        held = reduction.clamp_(min=NOTHING).log_().add_(falling).cummax(1).values.sub_(falling).exp_()
        # z[k] = (1 - a) y[k] + a z[k - 1]: twice as many terms with each round, until older ones are too small.
        smooth = held * -torch.expm1(-attack)
        lag = 1
        while lag < min(steps, 16 * self.attack[1] / step):
            smooth[:, lag:] += smooth[:, :-lag] * torch.exp(-attack * lag)
            lag *= 2
        return smooth


def log_uniform(count: int, bounds: tuple[float, float], device: torch.device) -> Tensor:
    """(count, 1), each drawn evenly between the logarithms of the bounds."""
    low, high = bounds
    return uniform(count, (math.log(low), math.log(high)), device).exp_()
