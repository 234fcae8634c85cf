"""The classic timbre features, as a baseline that every learned encoder should beat."""

from __future__ import annotations

import torch
import torchaudio
from torch import Tensor

from semisupcon.encoders.base import Encoder


class MFCC(Encoder):
    """Mean and standard deviation over time of mel-frequency cepstral coefficients. It has nothing to learn.

    The mel spectrogram is in dB, clamped at 80 dB below its own loudest bin and at -100 dB, so silence is finite.
    ``dim`` is twice ``n_mfcc``: the means, then the deviations.

    Args:
        sample_rate: Hz of the audio.
        n_mfcc: coefficients of a frame.
        n_fft: samples of a frame, also of the shortest input it takes unpadded.
        hop_length: samples from frame to frame.
        n_mels: mel bands between 0 Hz and half the sample rate.
    """

    def __init__(
        self, sample_rate: int = 22050, n_mfcc: int = 20, n_fft: int = 2048, hop_length: int = 512, n_mels: int = 64
    ) -> None:
        super().__init__()
        self.sample_rate = sample_rate
        self.dim = 2 * n_mfcc
        self.receptive_field = n_fft
        self.coefficients = torchaudio.transforms.MFCC(
            sample_rate, n_mfcc, melkwargs={"n_fft": n_fft, "hop_length": hop_length, "n_mels": n_mels}
        )

    def forward(self, audio: Tensor) -> Tensor:
        """(N, 1, T) -> (N, 2 * n_mfcc), in float32 whatever the autocast."""
        with torch.autocast(audio.device.type, enabled=False):
            # The channel stays: without it torchaudio clamps at 80 dB below the loudest bin of the whole batch.
            mfcc = self.coefficients(self.padded(audio).float()).squeeze(1)  # (N, 1, T) -> (N, n_mfcc, L)
        return torch.cat([mfcc.mean(dim=-1), mfcc.std(dim=-1, correction=0)], dim=-1)
