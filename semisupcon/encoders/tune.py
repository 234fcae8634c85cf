"""TUNe+, the tailed U-Net on raw audio (Vélez Vázquez & Burgoyne, ISMIR 2022).

A U-Net looks at the audio at several resolutions and brings them together at the finest; a tail then reduces that to
frames as SampleCNN does, and is shown the U-Net's own view of each resolution on its way down.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from semisupcon.encoders.base import Encoder

POOL = 3


class TUNe(Encoder):
    """U-Net down and up, tail down with links from the way up, mean over frames: D = 512, 2.2 M parameters.

    With w = ``width``, d = ``depth`` and every block a convolution of kernel 3, batch normalisation and ReLU::

        down   blocks of w, 2w, 4w, ... 2^d w channels, max pooling by 3 between them
        up     transposed convolution by 3 that halves the channels, the block of that resolution on the way down
               beside it, a block; d times, back to w channels at the audio's own rate
        tail   max pooling by 3, what the U-Net has at that resolution beside it (blocks of the way up, its bottom at
               last), a block of 2w, 4w, ... 2^d w channels; d times
               max pooling by 3, a block of 2^(d+1) w channels; ``tail`` - 1 times
               max pooling by 3, a block of ``out`` channels

    A frame stands for 3^(d + tail) samples, 19,683 by default, which is also the shortest input; three of them make
    the 59,049 samples of the paper. It hears more than that: about one and a half frames to either side, half of it
    for the last convolutions being over frames. Where the paper's numbers leave a choice: pooling is by maximum and in
    front of a block, the links of the tail join behind its pooling, and no convolution has a bias, which the batch
    normalisation behind it would take away again. Samples at the end that fill no frame are dropped, so that all
    resolutions fit on each other.

    Args:
        sample_rate: Hz of the audio; the network itself has no notion of it.
        width: channels of the first block.
        out: D, the channels of the last block.
        dropout: probability that a component of a frame is zeroed in training; 0 in the paper.
        depth: poolings on the way down.
        tail: blocks of the tail below the U-Net's bottom.
    """

    def __init__(
        self,
        sample_rate: int = 22050,
        width: int = 11,
        out: int = 512,
        dropout: float = 0.0,
        depth: int = 4,
        tail: int = 5,
    ) -> None:
        super().__init__()
        if min(width, out, depth, tail) < 1:
            raise ValueError(
                f"width, out, depth and tail must be at least 1, not width {width}, out {out}, depth {depth}, "
                f"tail {tail}"
            )
        self.sample_rate = sample_rate
        self.dim = out
        self.receptive_field = self.hop = POOL ** (depth + tail)
        widths = [width * 2**level for level in range(depth + 1)]  # by level, the number of poolings above it
        below = [2 * widths[-1]] * (tail - 1)
        self.down = nn.ModuleList(_block(*pair) for pair in pairwise([1, *widths]))
        self.widen = nn.ModuleList(_widening(*pair) for pair in pairwise(widths[::-1]))
        self.up = nn.ModuleList(_block(2 * channels, channels) for channels in widths[-2::-1])
        self.linked = nn.ModuleList(_block(before + channels, channels) for before, channels in pairwise(widths))
        self.last = nn.ModuleList(_block(*pair) for pair in pairwise([widths[-1], *below, out]))
        self.dropout = nn.Dropout(dropout)

    def frames(self, audio: Tensor) -> Tensor:
        """(N, 1, T) -> (N, L, D) with L = T // receptive_field, at least 1."""
        audio = self.padded(audio)
        x = audio[..., : audio.shape[-1] // self.hop * self.hop]
        # One entry a level: the way down, then in its place the way up; the bottom belongs to both.
        levels: list[Tensor] = []
        for block in self.down:
            x = block(F.max_pool1d(x, POOL) if levels else x)  # (N, C, T / 3^level)
            levels.append(x)
        for level, widen, block in zip(reversed(range(len(self.up))), self.widen, self.up, strict=True):
            x = levels[level] = block(torch.cat([widen(x), levels[level]], dim=1))
        for link, block in zip(levels[1:], self.linked, strict=True):
            x = block(torch.cat([F.max_pool1d(x, POOL), link], dim=1))
        for block in self.last:
            x = block(F.max_pool1d(x, POOL))
        return self.dropout(x.transpose(1, 2))  # (N, D, L) -> (N, L, D)

    def forward(self, audio: Tensor) -> Tensor:
        """(N, 1, T) -> (N, D), the mean over the frames."""
        return self.frames(audio).mean(dim=1)


def _block(channels: int, out: int) -> nn.Sequential:
    """(N, channels, L) -> (N, out, L)."""
    return nn.Sequential(nn.Conv1d(channels, out, 3, padding=1, bias=False), nn.BatchNorm1d(out), nn.ReLU())


def _widening(channels: int, out: int) -> nn.ConvTranspose1d:
    """(N, channels, L) -> (N, out, 3 L)."""
    return nn.ConvTranspose1d(channels, out, POOL, stride=POOL, bias=False)
