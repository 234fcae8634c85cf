"""SincNet (Ravanelli & Bengio, SLT 2018, arXiv 1808.00158): a first layer of band-pass filters with learned edges."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from semisupcon.encoders.base import Encoder
from semisupcon.errors import UserError

LOWEST = 30.0  # Hz, the lowest edge before training, and how far the highest is from half the sample rate
MARGIN = 1.0  # Hz that a band is wide at least, and that its edges stay away from 0 and half the sample rate


class SincConv(nn.Module):
    """A convolution whose filters are band-passes; all that is learned of each are its two cut-off frequencies.

    Filter i is the ideal band-pass between its cut-offs (equation 4) under a Hamming window (equations 7 and 8),
    divided by its gain in the middle of the band: without that, a band narrower than the window resolves
    (3.3 / kernel of the sample rate, 210 Hz by default) would hardly be heard. The cut-offs start as neighbouring
    points of the mel scale. They are learned through a sigmoid each, where the paper takes absolute values, so that
    0 < low < high < half the sample rate whatever the optimizer does. 2 F parameters.

    Args:
        filters: F.
        kernel: samples of a filter, an odd number.
        stride: samples from output to output.
        sample_rate: Hz of the audio.

    Raises:
        UserError: the kernel is even, or there are so many filters that the lowest bands would be under 1 Hz wide.
    """

    window: Tensor
    place: Tensor

    def __init__(self, filters: int = 80, kernel: int = 251, stride: int = 5, sample_rate: int = 16000) -> None:
        super().__init__()
        if kernel < 3 or kernel % 2 == 0:
            raise UserError(f"SincNet: a filter of {kernel} samples has no middle; take an odd number from 3 on.")
        self.kernel, self.stride, self.sample_rate = kernel, stride, sample_rate
        low, high = mel_cutoffs(filters, sample_rate).double().unbind(dim=1)
        if filters < 1 or float((high - low).min()) <= MARGIN:
            raise UserError(f"SincNet: {filters} filters at {sample_rate} Hz, where the lowest band must be over 1 Hz.")
        top = sample_rate / 2 - 2 * MARGIN
        self.low = nn.Parameter(torch.logit((low - MARGIN) / (top - MARGIN)).float())
        self.width = nn.Parameter(torch.logit((high - low - MARGIN) / (top - low)).float())
        self.register_buffer("window", torch.hamming_window(kernel, periodic=False), persistent=False)
        self.register_buffer("place", torch.arange(kernel) - kernel // 2.0, persistent=False)

    def cutoffs(self) -> Tensor:
        """(F, 2) Hz, where each band begins and ends."""
        top = self.sample_rate / 2 - 2 * MARGIN
        low = MARGIN + (top - MARGIN) * torch.sigmoid(self.low)
        return torch.stack([low, low + MARGIN + (top - low) * torch.sigmoid(self.width)], dim=1)

    def filters(self) -> Tensor:
        """(F, kernel) impulse responses, float32 whatever the autocast."""
        with torch.autocast(self.low.device.type, enabled=False):
            low, high = (self.cutoffs() / self.sample_rate).unsqueeze(2).unbind(dim=1)  # (F, 1), cycles a sample
            carrier = torch.cos(math.pi * (low + high) * self.place)
            # Equation 4, 2 f2 sinc(2π f2 n) − 2 f1 sinc(2π f1 n), as a product: the difference of two nearly equal
            # numbers would be lost in float32. Its factor 2 (f2 − f1) goes with the division by the gain.
            bands = torch.sinc((high - low) * self.place) * carrier * self.window
            return bands / (bands * carrier).sum(dim=1, keepdim=True)

    def response(self, hertz: Tensor) -> Tensor:
        """Gain of each filter at some frequencies: (H,) Hz -> (F, H), 1 in the middle of a band."""
        # Symmetric filters have a real response around their middle.
        waves = torch.cos(2 * math.pi / self.sample_rate * self.place[:, None] * hertz.to(self.place))
        return (self.filters() @ waves).abs()

    def forward(self, audio: Tensor) -> Tensor:
        """(N, 1, T) -> (N, F, 1 + (T - kernel) // stride), float32: bfloat16 would fill the stop bands with noise."""
        filters = self.filters().unsqueeze(1)
        with torch.autocast(audio.device.type, enabled=False):
            return functional.conv1d(audio.float(), filters, stride=self.stride)


class SincNet(Encoder):
    """Sinc layer, then blocks of convolution and max pooling by 3, mean over frames.

    Nothing is padded. After the sinc layer with its kernel and stride each of B blocks (convolution of kernel 3, batch
    normalisation, ReLU, max pooling 3) takes three times as long steps: hop = stride · 3^B, 1,215 samples by default,
    and receptive_field = kernel + 2 · stride · (3^B - 1), 2,671.

    Args:
        sample_rate: Hz of the audio.
        filters: band-pass filters.
        kernel: samples of a filter, an odd number.
        stride: samples from one output of the sinc layer to the next.
        channels: output channels of each block; the last is D.
        dropout: probability that a component of a frame is zeroed in training.

    Raises:
        UserError: see ``SincConv``; or there is no block.
    """

    def __init__(
        self,
        sample_rate: int = 16000,
        filters: int = 80,
        kernel: int = 251,
        stride: int = 5,
        channels: Sequence[int] = (128, 128, 256, 256, 512),
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if not channels or min(channels) < 1:
            raise UserError(f"SincNet: channels {list(channels)}; at least one block of one channel is needed.")
        self.sample_rate, self.dim = sample_rate, channels[-1]
        self.hop = stride * 3 ** len(channels)
        self.receptive_field = kernel + 2 * (self.hop - stride)
        self.sinc = SincConv(filters, kernel, stride, sample_rate)
        self.layers = nn.Sequential(
            nn.BatchNorm1d(filters),
            nn.ReLU(),
            *(_block(below, width) for below, width in pairwise([filters, *channels])),
            nn.Dropout(dropout),
        )

    def frames(self, audio: Tensor) -> Tensor:
        """(N, 1, T) -> (N, L, D) with L = 1 + (T - receptive_field) // hop."""
        frames: Tensor = self.layers(self.sinc(self.padded(audio)))  # (N, 1, T) -> (N, D, L)
        return frames.transpose(1, 2)

    def forward(self, audio: Tensor) -> Tensor:
        """(N, 1, T) -> (N, D), the mean over the frames."""
        return self.frames(audio).mean(dim=1)


def mel_cutoffs(filters: int, sample_rate: int) -> Tensor:
    """(F, 2) Hz, float32: where the bands lie before training, each from one of F + 1 mel-spaced points to the next."""
    low, high = (2595 * math.log10(1 + hertz / 700) for hertz in (LOWEST, sample_rate / 2 - LOWEST))
    edges = 700 * (10 ** (torch.linspace(low, high, filters + 1, dtype=torch.float64) / 2595) - 1)
    return torch.stack([edges[:-1], edges[1:]], dim=1).float()


def _block(channels: int, out: int) -> nn.Sequential:
    """(N, channels, L) -> (N, out, (L - 2) // 3)."""
    # No bias: the batch normalisation behind it would take it away again.
    return nn.Sequential(nn.Conv1d(channels, out, 3, bias=False), nn.BatchNorm1d(out), nn.ReLU(), nn.MaxPool1d(3))
