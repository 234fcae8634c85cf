"""Another order of the same sounds: backwards, or with pieces missing."""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from semisupcon.augment.base import Transform, uniform
from semisupcon.errors import UserError


class Reverse(Transform):
    """Plays the clip backwards. Pitch, key and tempo stay. Strength scales the probability only, and a lower
    one up to 1/2: where all views were reversed, none would differ by it.

    Args:
        p: the probability that an example is changed.
    """

    alters: ClassVar[tuple[str, ...]] = ("time",)
    takes = 1.0
    likeliest: ClassVar[float] = 0.5

    def __init__(self, p: float = 0.5) -> None:
        super().__init__(p)

    def effect(self, audio: Tensor, sample_rate: int, strength: float) -> Tensor:
        """(n, 1, T) -> (n, 1, T)."""
        return audio.flip(-1)


class Splice(Transform):
    """Cuts pieces out and closes the gaps, after SpliceOut (Jain et al., arXiv 2110.00046); zeros fill up the end.

    Over each cut the sound before it fades linearly into the sound after it. Between two fades there is as much whole
    sound as the longest fade takes. Where the cuts would take more than half of the clip, all of its cuts are narrowed
    to take just that. Strength multiplies their widths. The output stays in [-1, 1] where the input does.

    Args:
        cuts: bounds of their number, both included.
        width: bounds in seconds of each, drawn evenly.
        fade: bounds in seconds of the cross-fades of a clip.
        p: the probability that an example is changed.

    Raises:
        UserError: bounds are not in order, there is no cut, a width is negative, or a fade takes no time.
    """

    alters: ClassVar[tuple[str, ...]] = ("time",)
    takes = 2.6

    def __init__(
        self,
        cuts: tuple[int, int] = (4, 12),
        width: tuple[float, float] = (0.02, 0.2),
        fade: tuple[float, float] = (0.002, 0.01),
        p: float = 0.5,
    ) -> None:
        super().__init__(p)
        if not (1 <= cuts[0] <= cuts[1] and 0 <= width[0] <= width[1] and 0 < fade[0] <= fade[1]):
            raise UserError(
                "Splice: it takes at least one cut, widths from 0 s and fades above 0 s, the lower bound first, "
                f"not {cuts}, {width} and {fade}"
            )
        self.cuts = cuts
        self.width = width
        self.fade = fade

    def effect(self, audio: Tensor, sample_rate: int, strength: float) -> Tensor:
        """(n, 1, T) -> (n, 1, T), put together from blocks as long as the longest fade; a cut comes before a block."""
        count, _, samples = audio.shape
        block = math.ceil(self.fade[1] * sample_rate)
        blocks = -(-samples // block)
        most = min(self.cuts[1], blocks // 4 - 1)  # at least half is left, and every other block of it whole
        if most < 1:
            return audio  # shorter than a few fades
        widths = self._widths(count, most, samples, strength * sample_rate, audio.device)
        joints = self._joints(widths, samples, block)  # (n, most)
        taken = torch.zeros(count, blocks, dtype=torch.long, device=audio.device).scatter_(1, joints, widths).cumsum_(1)
        starts = torch.arange(0, samples, block, device=audio.device) + taken  # (n, blocks) where each comes from
        rows = torch.arange(count, device=audio.device)[:, None]
        # (n, T + 1, block), a view: what begins at each sample. After the end there are zeros.
        windows = F.pad(audio.squeeze(1), (0, block)).unfold(1, block, 1)
        out = windows[rows, starts.clamp(max=samples)]  # (n, blocks, block)
        before = windows[rows, starts.gather(1, joints) - widths]  # (n, most, block), as if not cut
        fade = uniform(count, self.fade, audio.device)[:, None] * sample_rate  # (n, 1, 1)
        ramp = ((torch.arange(block, device=audio.device) + 0.5) / fade).clamp_(max=1)
        out[rows, joints] = before.lerp_(out[rows, joints], ramp.expand_as(before))
        return out.view(count, 1, -1)[..., :samples]

    def _widths(self, count: int, most: int, samples: int, per_second: float, device: torch.device) -> Tensor:
        """(count, most) whole samples, 0 but for as many cuts as were drawn, anywhere among them."""
        low, high = self.width
        number = torch.randint(self.cuts[0], self.cuts[1] + 1, (count, 1), device=device)
        widths = (torch.rand(count, most, device=device) * (high - low) + low) * per_second
        widths = widths.round_() * (torch.rand(count, most, device=device).argsort(1) < number)
        return (widths * (samples / 2 / widths.sum(1, keepdim=True).clamp_(min=1)).clamp_(max=1)).long()

    def _joints(self, widths: Tensor, samples: int, block: int) -> Tensor:
        """(n, most) -> (n, most), blocks of what stays, in rising order, with others before, between and after them."""
        count, most = widths.shape
        left = torch.div(samples - widths.sum(1, keepdim=True), block, rounding_mode="floor")  # (n, 1), whole blocks
        spread = torch.rand(count, most, device=widths.device).sort(1).values * (left - 2 * most)
        return spread.long() + torch.arange(1, 2 * most, 2, device=widths.device)
