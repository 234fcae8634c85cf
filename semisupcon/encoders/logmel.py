"""The log-mel spectrogram, front end of the encoders that look at sound as a picture."""

from __future__ import annotations

import warnings

import torch
from torch import Tensor, nn
from torchaudio.functional import melscale_fbanks

from semisupcon.augment.spectrogram import FrequencyMasking, NoiseMixing, TimeMasking
from semisupcon.errors import UserError

SILENT = 1e-20  # power below any sample of 24 bits; the root's gradient at zero would be infinite


class LogMel(nn.Module):
    """Waveform in, log-mel spectrogram out; by default that of COLA (Saeed, Grangier & Zeghidour, ICASSP 2021).

    Frame i begins at sample i * ``hop_length`` and is ``win_length`` long, under a Hann window; nothing is padded, and
    samples at the end that fill no frame are dropped: L = 1 + (T - win_length) // hop_length. The bands are triangles
    on the mel scale of HTK, not normalised. The logarithm is the natural one.

    In training mode, and there only, the spectrogram is augmented where arguments say so: first noise is mixed in,
    then bands and frames are masked (``semisupcon.augment.spectrogram``). It has no weights, and its tables are in no
    checkpoint.

    Args:
        sample_rate: Hz of the audio.
        n_fft: length of the Fourier transform, in samples; a shorter window is filled up with zeros.
        win_length: samples of a frame.
        hop_length: samples from frame to frame.
        n_mels: M, the mel bands.
        f_min: lower edge of the lowest band, in Hz.
        f_max: upper edge of the highest band, in Hz; None = half the sample rate.
        power: what the bands sum: 2 = power, 1 = magnitude, as COLA's authors do.
        frequency_masking: the largest share of the bands that is masked, 0 to 1.
        time_masking: the largest share of the frames that is masked, 0 to 1.
        masking_p: the probability that an example is masked, for bands and for frames.
        noise_mixing: the probability that an example gets another one of the batch as noise.
        noise_snr: bounds of the signal-to-noise ratio of that, in dB.
        floor: what the bands are clipped at before the logarithm.

    Raises:
        UserError: the arguments do not go together.
    """

    window: Tensor
    bank: Tensor

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
        frequency_masking: float = 0.0,
        time_masking: float = 0.0,
        masking_p: float = 1.0,
        noise_mixing: float = 0.0,
        noise_snr: tuple[float, float] = (3.0, 20.0),
        floor: float = 1e-5,
    ) -> None:
        super().__init__()
        top = sample_rate / 2 if f_max is None else f_max
        if not 1 <= win_length <= n_fft or hop_length < 1:
            raise UserError(
                f"log-mel: n_fft={n_fft}, win_length={win_length}, hop_length={hop_length}: win_length goes from 1 to "
                "n_fft, and hop_length is at least 1"
            )
        if not 0 <= f_min < top <= sample_rate / 2:
            raise UserError(
                f"log-mel: f_min={f_min:g} and f_max={top:g} Hz: bands must lie between 0 Hz and half the sample rate "
                f"of {sample_rate} Hz. f_max=None takes all there is"
            )
        if power not in (1, 2) or not floor > 0 or n_mels < 1:
            raise UserError(
                f"log-mel: power={power}, floor={floor}, n_mels={n_mels}: power is 1 or 2, floor is above 0, n_mels is "
                "at least 1"
            )
        self.sample_rate = sample_rate
        self.n_fft = n_fft
        self.win_length = win_length
        self.hop_length = hop_length
        self.power = power
        self.floor = floor
        # Both follow from the arguments, so that a checkpoint need not hold them.
        self.register_buffer("window", torch.hann_window(win_length), persistent=False)
        self.register_buffer("bank", _bank(n_fft, f_min, top, n_mels, sample_rate), persistent=False)
        augmentations: list[nn.Module] = []
        if noise_mixing:
            augmentations.append(NoiseMixing(noise_snr, noise_mixing, floor, power))
        if frequency_masking:
            augmentations.append(FrequencyMasking(frequency_masking, masking_p))
        if time_masking:
            augmentations.append(TimeMasking(time_masking, masking_p))
        self.augment = nn.Sequential(*augmentations)

    def forward(self, audio: Tensor) -> Tensor:
        """(N, 1, T) -> (N, 1, M, L), computed in float32 whatever the autocast.

        Raises:
            ValueError: T is below ``win_length``.
        """
        if audio.shape[-1] < self.win_length:
            raise ValueError(f"a log-mel frame takes {self.win_length} samples, and there are {audio.shape[-1]}")
        with torch.autocast(audio.device.type, enabled=False):
            frames = audio.float().squeeze(1).unfold(-1, self.win_length, self.hop_length)  # (N, L, win_length)
            spectrum = torch.fft.rfft(frames * self.window.float(), n=self.n_fft)  # (N, L, F)
            # Three times as fast as abs(), which guards against overflows that audio cannot reach.
            level = spectrum.real.square().addcmul(spectrum.imag, spectrum.imag)
            if self.power == 1:
                level = level.clamp_(min=SILENT).sqrt_()
            mel = level @ self.bank.float()  # (N, L, M)
            logarithm = mel.clamp(min=self.floor).log().transpose(1, 2).unsqueeze(1)
            return self.augment(logarithm).to(audio.dtype)


def _bank(n_fft: int, f_min: float, f_max: float, n_mels: int, sample_rate: int) -> Tensor:
    """The bands as columns, (F, M).

    Raises:
        UserError: a band is so narrow that it lies between two bins, and would hear nothing.
    """
    with warnings.catch_warnings():  # it warns of empty bands, which are refused below
        warnings.simplefilter("ignore")
        bank = melscale_fbanks(n_fft // 2 + 1, f_min, f_max, n_mels, sample_rate)
    empty = int((bank.sum(dim=0) == 0).sum())
    if empty:
        raise UserError(
            f"log-mel: {empty} of {n_mels} mel bands between {f_min:g} and {f_max:g} Hz lie between two bins of a "
            f"Fourier transform of {n_fft} samples, {sample_rate / n_fft:.1f} Hz apart. Raise n_fft or lower n_mels"
        )
    return bank
