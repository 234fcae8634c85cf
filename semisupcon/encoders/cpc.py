"""Contrastive predictive coding's encoder (van den Oord, Li & Vinyals 2018, arXiv 1807.03748, section 3.1).

Strided convolutions turn audio into latents, one every 160 samples, and a network that never looks ahead turns the
latents up to each moment into a context. Latents are what is predicted, contexts what predicts and what is used later.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn

from semisupcon.encoders.base import Encoder
from semisupcon.encoders.sincnet import SincConv
from semisupcon.errors import UserError

KERNELS, STRIDES = (10, 8, 4, 4, 4), (5, 4, 2, 2, 2)


class CPC(Encoder):
    """Five strided convolutions, each with channel normalisation and ReLU, and a causal context network.

    Nothing is padded: latent l depends on the samples [160 l, 160 l + receptive_field) and no others, context l on
    the latents up to l. The receptive field is 465 samples. With ``front="sinc"`` the first convolution (10 samples,
    any shape) is a SincNet layer with the same stride; its kernel of 251 makes that 706.

    Args:
        sample_rate: Hz of the audio.
        front: the first layer: ``conv``, or ``sinc`` for band-pass filters with learned cut-offs.
        context: ``gru``, or a causal ``transformer`` with positions by sinusoids.
        channels: C, the size of a latent and of every convolution.
        dim: D, the size of a context.
        layers: of the context network.
        heads: of the transformer.
        feedforward: hidden width of the transformer's perceptrons.
        dropout: probability that a component of a context is zeroed in training; within the transformer too.
        filters: of the sinc layer.
        sinc_kernel: samples of a filter of the sinc layer, an odd number.

    Raises:
        UserError: the arguments do not go together.
    """

    def __init__(
        self,
        sample_rate: int = 16000,
        front: Literal["conv", "sinc"] = "conv",
        context: Literal["gru", "transformer"] = "gru",
        channels: int = 512,
        dim: int = 256,
        layers: int = 1,
        heads: int = 8,
        feedforward: int = 2048,
        dropout: float = 0.0,
        filters: int = 80,
        sinc_kernel: int = 251,
    ) -> None:
        super().__init__()
        if front not in ("conv", "sinc") or context not in ("gru", "transformer"):
            raise UserError(f"CPC: front {front!r}, context {context!r}; there are conv and sinc, gru and transformer.")
        self.sample_rate, self.dim, self.channels = sample_rate, dim, channels
        sinc = front == "sinc"
        kernels = (sinc_kernel, *KERNELS[1:]) if sinc else KERNELS
        steps = [math.prod(STRIDES[:layer]) for layer in range(len(STRIDES) + 1)]  # samples from output to output
        self.hop = steps[-1]
        self.receptive_field = 1 + sum((kernel - 1) * step for kernel, step in zip(kernels, steps, strict=False))
        first = (
            _block(SincConv(filters, sinc_kernel, STRIDES[0], sample_rate), filters)
            if sinc
            else _block(nn.Conv1d(1, channels, KERNELS[0], STRIDES[0]), channels)
        )
        second = _block(nn.Conv1d(filters if sinc else channels, channels, KERNELS[1], STRIDES[1]), channels)
        rest = zip(KERNELS[2:], STRIDES[2:], strict=True)
        self.convolutions = nn.Sequential(
            first, second, *(_block(nn.Conv1d(channels, channels, *shape), channels) for shape in rest)
        )
        self.context = (
            Recurrence(channels, dim, layers)
            if context == "gru"
            else CausalTransformer(channels, dim, layers, heads, feedforward, dropout)
        )
        self.dropout = nn.Dropout(dropout)

    def latents(self, audio: Tensor) -> Tensor:
        """z: (N, 1, T) -> (N, L, C) with L = 1 + (T - receptive_field) // 160."""
        latents: Tensor = self.convolutions(self.padded(audio))  # (N, 1, T) -> (N, C, L)
        return latents.transpose(1, 2)

    def contexts(self, latents: Tensor) -> Tensor:
        """c: (N, L, C) -> (N, L, D), each of its latent and those before it."""
        contexts: Tensor = self.dropout(self.context(latents))
        return contexts

    def frames(self, audio: Tensor) -> Tensor:
        """(N, 1, T) -> (N, L, D), the contexts."""
        return self.contexts(self.latents(audio))

    def forward(self, audio: Tensor) -> Tensor:
        """(N, 1, T) -> (N, D), the mean over the contexts."""
        return self.frames(audio).mean(dim=1)


class ChannelNorm(nn.LayerNorm):
    """Normalises the channels of each frame by their own mean and deviation, so that nothing leaks through time."""

    def forward(self, features: Tensor) -> Tensor:
        """(N, C, L) -> (N, C, L)."""
        return super().forward(features.transpose(1, 2)).transpose(1, 2)


class Recurrence(nn.Module):
    """A GRU, in float32 whatever the autocast: rounding would add up over the frames."""

    def __init__(self, channels: int, dim: int, layers: int) -> None:
        super().__init__()
        self.gru = nn.GRU(channels, dim, layers, batch_first=True)

    def forward(self, latents: Tensor) -> Tensor:
        """(N, L, C) -> (N, L, D)."""
        with torch.autocast(latents.device.type, enabled=False):
            contexts: Tensor = self.gru(latents.float())[0]
        return contexts


class CausalTransformer(nn.Module):
    """A transformer encoder in which no frame attends to a later one (Vaswani et al. 2017, normalising first)."""

    def __init__(self, channels: int, dim: int, layers: int, heads: int, feedforward: int, dropout: float) -> None:
        super().__init__()
        if dim % heads:
            raise UserError(f"CPC: a context of dim={dim} cannot be shared by heads={heads}; take a multiple of it.")
        self.enter = nn.Linear(channels, dim)
        layer = nn.TransformerEncoderLayer(dim, heads, feedforward, dropout, batch_first=True, norm_first=True)
        self.layers = nn.TransformerEncoder(layer, layers, nn.LayerNorm(dim), enable_nested_tensor=False)

    def forward(self, latents: Tensor) -> Tensor:
        """(N, L, C) -> (N, L, D)."""
        entered = self.enter(latents)
        frames, dim = entered.shape[1:]
        later = torch.ones(frames, frames, dtype=torch.bool, device=latents.device).triu(1)
        positions = sinusoids(frames, dim, latents.device)
        contexts: Tensor = self.layers(entered + positions.to(entered.dtype), mask=later, is_causal=True)
        return contexts


def sinusoids(frames: int, dim: int, device: torch.device) -> Tensor:
    """(L, D) positions as sines and cosines of wavelengths from 2π to 20,000π frames (Vaswani et al. 2017, 3.5)."""
    half = torch.arange((dim + 1) // 2, device=device)
    angle = torch.arange(frames, device=device)[:, None] * 10000 ** (-2 * half / dim)
    return torch.cat([angle.sin(), angle.cos()], dim=1)[:, :dim]


def _block(convolution: nn.Conv1d | SincConv, channels: int) -> nn.Sequential:
    if isinstance(convolution, nn.Conv1d) and convolution.bias is not None:
        nn.init.zeros_(convolution.bias)  # audio is quiet: beside the usual biases all frames would begin nearly alike
    return nn.Sequential(convolution, ChannelNorm(channels), nn.ReLU())
