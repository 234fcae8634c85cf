"""SampleCNN, a convolutional network on raw audio (Lee et al., SMC 2017, arXiv 1703.01789).

In the form that CLMR (Spijkervet & Burgoyne, ISMIR 2021, arXiv 2103.09410) and SemiSupCon train: every layer sees
three samples of the one below, so that ten layers take 3^10 = 59,049 samples, 2.68 s at 22,050 Hz, to one frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn

from semisupcon.encoders.base import Encoder


class SampleCNN(Encoder):
    """Strided stem, blocks of convolution and max pooling by 3, one last convolution, mean over frames.

    With B blocks a frame stands for 3^(B + 1) samples: 59,049 by default, 19,683 with eight blocks. Longer input
    gives T // 3^(B + 1) frames (the remainder at the end is dropped); shorter input is filled up with zeros.

    Args:
        sample_rate: Hz of the audio; the network itself has no notion of it.
        channels: output channels of each block.
        out: D, the channels of the last convolution.
        stem: channels of the strided first convolution.
        dropout: probability that a component of a frame is zeroed in training; 0 in the papers.
    """

    def __init__(
        self,
        sample_rate: int = 22050,
        channels: Sequence[int] = (128, 128, 256, 256, 256, 256, 256, 256, 512),
        out: int = 512,
        stem: int = 128,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if not channels or min(stem, out, *channels) < 1:
            raise ValueError(f"widths must be at least 1: stem {stem}, channels {list(channels)}, out {out}")
        self.sample_rate = sample_rate
        self.dim = out
        self.receptive_field = self.hop = 3 ** (len(channels) + 1)
        widths = [stem, *channels]
        # No convolution has a bias: the batch normalisation behind it would take it away again.
        self.layers = nn.Sequential(
            nn.Sequential(nn.Conv1d(1, stem, 3, stride=3, bias=False), nn.BatchNorm1d(stem), nn.ReLU()),
            *(_block(below, width, pool=3) for below, width in pairwise(widths)),
            _block(widths[-1], out),
            nn.Dropout(dropout),
        )

    def frames(self, audio: Tensor) -> Tensor:
        """(N, 1, T) -> (N, L, D) with L = T // receptive_field, at least 1."""
        # (N, 1, T) -> (N, D, L) -> (N, L, D)
        return self.layers(self.padded(audio)).transpose(1, 2)

    def forward(self, audio: Tensor) -> Tensor:
        """(N, 1, T) -> (N, D), the mean over the frames."""
        return self.frames(audio).mean(dim=1)


class SampleCNNXL(SampleCNN):
    """SampleCNN up to 2,048 channels wide: 25 M parameters, D = 2048.

    Args:
        sample_rate: Hz of the audio; the network itself has no notion of it.
        channels: output channels of each block.
        out: D, the channels of the last convolution.
        stem: channels of the strided first convolution.
        dropout: probability that a component of a frame is zeroed in training.
    """

    def __init__(
        self,
        sample_rate: int = 22050,
        channels: Sequence[int] = (128, 128, 256, 256, 512, 512, 1024, 1024, 2048),
        out: int = 2048,
        stem: int = 128,
        dropout: float = 0.0,
    ) -> None:
        super().__init__(sample_rate, channels, out, stem, dropout)


def _block(channels: int, out: int, pool: int = 1) -> nn.Sequential:
    """(N, channels, L) -> (N, out, L // pool): convolution, normalisation, rectifier, pooling.

    Pooling stands before the rectifier, which comes to the same number and the same gradient, for a third of the work.
    """
    layers: list[nn.Module] = [nn.Conv1d(channels, out, 3, padding=1, bias=False), nn.BatchNorm1d(out)]
    return nn.Sequential(*layers, *([nn.MaxPool1d(pool)] if pool > 1 else []), nn.ReLU())
