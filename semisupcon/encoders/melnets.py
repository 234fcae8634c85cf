"""Networks made for pictures, on log-mel spectrograms; the networks themselves are timm's.

Both halve their input five times: the columns of their final map are 32 spectrogram frames apart. The shortest input
they take is from the middle of one column to that of the next, 33 spectrogram frames; from there on any length does.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from semisupcon.encoders.base import Encoder
from semisupcon.encoders.logmel import LogMel
from semisupcon.errors import UserError

STRIDE = 32  # spectrogram frames from column to column of the final map


class MelNetwork(Encoder):
    """Log-mel spectrogram, network, pooling over the bands and the columns of its final map, dropout.

    Column j of the map is centred on spectrogram frame 32 j, and there are as many as begun: L' = ceil(L / 32) of L
    spectrogram frames. What a column hears of is wider than that and has no sharp end; ``receptive_field`` is what
    the network is sensible on, from one column's centre to the next's: win_length + 32 * hop_length samples.

    Args:
        network: timm's name of it.
        dropout: probability that a component of an embedding is zeroed in training.
        log_mel: the front end.

    Raises:
        UserError: timm is not installed.
    """

    def __init__(self, network: str, dropout: float, log_mel: LogMel) -> None:
        super().__init__()
        self.log_mel = log_mel
        # No classifier and no pooling: neither has weights that would be trained, and pooling is ours.
        self.network, self.dim = _create(network)
        self.dropout = nn.Dropout(dropout)
        self.sample_rate = log_mel.sample_rate
        # With one spectrogram frame less, ResNet's last convolution with a stride takes two columns to one, which goes
        # wrong in bfloat16 on CPUs with AMX: oneDNN then multiplies whatever lies in memory behind the columns.
        self.receptive_field = log_mel.win_length + STRIDE * log_mel.hop_length
        self.hop = STRIDE * log_mel.hop_length

    def pool(self, features: Tensor, dim: tuple[int, ...]) -> Tensor:
        """The final map (N, D, M', L') without the axes of ``dim``."""
        raise NotImplementedError(f"{type(self).__name__} has no pooling")

    def map(self, audio: Tensor) -> Tensor:
        """(N, 1, T) -> (N, D, M', L'), what the network ends in."""
        features: Tensor = self.network(self.log_mel(self.padded(audio)))
        return features

    def frames(self, audio: Tensor) -> Tensor:
        """(N, 1, T) -> (N, L', D), pooled over the bands only; one for every 32 spectrogram frames."""
        return self.dropout(self.pool(self.map(audio), dim=(-2,)).transpose(1, 2))

    def frame_centres(self, frames: int) -> Tensor:
        """(L',) in samples: the middle of every 32nd spectrogram frame, from the first on."""
        return super().frame_centres(frames) + (self.log_mel.win_length - self.receptive_field) / 2

    def forward(self, audio: Tensor) -> Tensor:
        """(N, 1, T) -> (N, D)."""
        return self.dropout(self.pool(self.map(audio), dim=(-2, -1)))


class ResNet18(MelNetwork):
    """ResNet-18 on log-mel, mean over the final map: D = 512 (He et al., CVPR 2016), the multi-format report's second.

    The report has 5 s at 22,050 Hz and does not say how its mel spectrograms were made; the front end is a common one
    for music. Its augmentations, which are off by default: ``frequency_masking`` and ``time_masking`` 0.1 (better than
    0.05) and ``noise_mixing``.

    Args:
        sample_rate: Hz of the audio.
        n_fft: length of the Fourier transform, in samples; a shorter window is filled up with zeros.
        win_length: samples of a spectrogram frame.
        hop_length: samples from spectrogram frame to spectrogram frame.
        n_mels: mel bands.
        f_min: lower edge of the lowest band, in Hz.
        f_max: upper edge of the highest band, in Hz; None = half the sample rate.
        power: what the bands sum: 2 = power, 1 = magnitude.
        dropout: probability that a component of an embedding is zeroed in training.
        frequency_masking: in training, the largest share of the bands that is masked, 0 to 1.
        time_masking: in training, the largest share of the spectrogram frames that is masked, 0 to 1.
        masking_p: the probability that an example is masked, for bands and for frames.
        noise_mixing: in training, the probability that an example gets another one of the batch as noise.
        noise_snr: bounds of the signal-to-noise ratio of that, in dB.

    Raises:
        UserError: timm is not installed, or the arguments do not go together.
    """

    def __init__(
        self,
        sample_rate: int = 22050,
        n_fft: int = 2048,
        win_length: int = 2048,
        hop_length: int = 512,
        n_mels: int = 128,
        f_min: float = 0.0,
        f_max: float | None = None,
        power: float = 2.0,
        dropout: float = 0.0,
        frequency_masking: float = 0.0,
        time_masking: float = 0.0,
        masking_p: float = 1.0,
        noise_mixing: float = 0.0,
        noise_snr: tuple[float, float] = (3.0, 20.0),
    ) -> None:
        picture = (sample_rate, n_fft, win_length, hop_length, n_mels, f_min, f_max, power)
        changes = (frequency_masking, time_masking, masking_p, noise_mixing, noise_snr)
        super().__init__("resnet18", dropout, LogMel(*picture, *changes))

    def pool(self, features: Tensor, dim: tuple[int, ...]) -> Tensor:
        """The mean."""
        return features.mean(dim)


class EfficientNetB0(MelNetwork):
    """EfficientNet-B0 on log-mel, maximum over the final map: D = 1280 (Tan & Le, ICML 2019), as COLA has it.

    The front end is COLA's (Saeed, Grangier & Zeghidour, ICASSP 2021), which takes crops of 1 s at 16 kHz.

    Args:
        sample_rate: Hz of the audio.
        n_fft: length of the Fourier transform, in samples; a shorter window is filled up with zeros.
        win_length: samples of a spectrogram frame.
        hop_length: samples from spectrogram frame to spectrogram frame.
        n_mels: mel bands.
        f_min: lower edge of the lowest band, in Hz.
        f_max: upper edge of the highest band, in Hz; None = half the sample rate.
        power: what the bands sum: 2 = power, 1 = magnitude, as COLA's authors do.
        dropout: probability that a component of an embedding is zeroed in training.
        frequency_masking: in training, the largest share of the bands that is masked, 0 to 1.
        time_masking: in training, the largest share of the spectrogram frames that is masked, 0 to 1.
        masking_p: the probability that an example is masked, for bands and for frames.
        noise_mixing: in training, the probability that an example gets another one of the batch as noise.
        noise_snr: bounds of the signal-to-noise ratio of that, in dB.

    Raises:
        UserError: timm is not installed, or the arguments do not go together.
    """

    def __init__(
        self,
        sample_rate: int = 16000,
        n_fft: int = 1024,
        win_length: int = 400,
        hop_length: int = 160,
        n_mels: int = 64,
        f_min: float = 60.0,
        f_max: float | None = 7800.0,
        power: float = 1.0,
        dropout: float = 0.0,
        frequency_masking: float = 0.0,
        time_masking: float = 0.0,
        masking_p: float = 1.0,
        noise_mixing: float = 0.0,
        noise_snr: tuple[float, float] = (3.0, 20.0),
    ) -> None:
        picture = (sample_rate, n_fft, win_length, hop_length, n_mels, f_min, f_max, power)
        changes = (frequency_masking, time_masking, masking_p, noise_mixing, noise_snr)
        super().__init__("efficientnet_b0", dropout, LogMel(*picture, *changes))
        # Its depthwise convolutions train 1.4 times as fast so on a CPU; ResNet's are slower that way.
        self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def pool(self, features: Tensor, dim: tuple[int, ...]) -> Tensor:
        """The maximum."""
        return features.amax(dim)


def _create(network: str) -> tuple[nn.Module, int]:
    """timm's network of one input channel and random weights, without its pooling and classifier, and its D.

    Raises:
        UserError: timm is not installed.
    """
    try:
        import timm
    except ImportError as error:
        raise UserError(
            f"{network} is a network of timm, which cannot be imported ({error}). "
            "Install it: pip install timm 'torchvision==0.26.*'"
        ) from error
    model: Any = timm.create_model(network, in_chans=1, num_classes=0, global_pool="", pretrained=False)
    return model, model.num_features
