"""Masks and noise on log-mel spectrograms, for encoders that make one.

They belong to the encoder's front end and not to the chain, which knows waveforms only: they act in training mode and
do nothing in eval mode. Each example gets a draw of its own, from torch's global generator of its device; nothing is
read back, so that a GPU is never waited for.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from semisupcon.augment.base import uniform
from semisupcon.errors import UserError


class Masking(nn.Module):
    """Fills one stripe across each spectrogram with that spectrogram's mean (SpecAugment, Park et al., 2019).

    The width is drawn evenly from 0 to ``share`` of the axis, in whole bands or frames, and so is the place. The mean
    is what a network expects where it knows nothing: SpecAugment's zeros are the mean of its normalised spectrograms.
    In a log-mel spectrogram zero would be a loud stripe and the floor a deep notch, edges that say where the mask is.

    Args:
        share: the largest share of the axis that is masked, 0 to 1; 0.05 to 0.1 in the multi-format report.
        p: the probability that an example is masked.

    Raises:
        UserError: ``share`` or ``p`` is not from 0 to 1.
    """

    axis: ClassVar[int]

    def __init__(self, share: float = 0.1, p: float = 1.0) -> None:
        super().__init__()
        for name, value in (("share", share), ("p", p)):
            if not 0 <= value <= 1:
                raise UserError(f"{type(self).__name__}: {name} goes from 0 to 1, and is {value}")
        self.share = share
        self.p = p

    def forward(self, spectrogram: Tensor) -> Tensor:
        """Log-mel (N, 1, M, L) -> (N, 1, M, L)."""
        if not self.training:
            return spectrogram
        size = spectrogram.shape[self.axis]
        most = int(self.share * size + 1e-6)  # .29 * 100 is a little less than 29
        # float32 whatever the spectrogram is: bfloat16 cannot count to 257.
        wide, where, chosen = torch.rand(3, len(spectrogram), 1, 1, 1, device=spectrogram.device)
        width = (wide * (most + 1)).floor() * (chosen < self.p)
        start = (where * (size - width + 1)).floor()
        place = torch.arange(size, device=spectrogram.device)
        place = place[:, None] if self.axis == -2 else place
        inside = (place >= start) & (place < start + width)  # (N, 1, M, 1) or (N, 1, 1, L)
        return torch.where(inside, spectrogram.mean(dim=(-2, -1), keepdim=True), spectrogram)


class FrequencyMasking(Masking):
    """Masks neighbouring mel bands; how, and its arguments, are as for ``Masking``."""

    axis = -2


class TimeMasking(Masking):
    """Masks neighbouring frames; how, and its arguments, are as for ``Masking``."""

    axis = -1


class NoiseMixing(nn.Module):
    """Mixes another example of the batch into each, softer: what else might sound in the room.

    The multi-format report's "mixing audio noise", after Wang & van den Oord (arXiv 2103.06508), who mix the examples
    of a batch. Other clips are noise as a recording has it, with beats and harmonics, and they cost nothing to load;
    noise of a colour is what the transforms of the waveform are for. The other example may be another view of the
    same clip: among the 2 B views of B clips, once in 2 B - 1 times.

    The powers add, as those of sounds that know nothing of each other do: log(exp(x) + g exp(noise)), with g such
    that the mean powers of both, over all bands and frames, stand in the ratio drawn. What counts is power above
    ``floor``, so that silence gets no noise, and a silent example makes none.

    Args:
        snr: bounds of the signal-to-noise ratio in dB.
        p: the probability that an example is mixed.
        floor: what the spectrogram was clipped at before its logarithm.
        power: 2 where the spectrogram is the logarithm of power, 1 where it is that of magnitude.

    Raises:
        UserError: ``p`` is no probability, or the bounds are not in order.
    """

    def __init__(
        self, snr: tuple[float, float] = (3.0, 20.0), p: float = 0.5, floor: float = 1e-5, power: float = 2.0
    ) -> None:
        super().__init__()
        if not 0 <= p <= 1:
            raise UserError(f"NoiseMixing: p is a probability, 0 to 1, not {p}")
        if not snr[0] <= snr[1]:
            raise UserError(f"NoiseMixing: snr goes from low to high, not {snr}")
        self.snr = snr
        self.p = p
        self.floor = floor
        self.power = power

    def forward(self, spectrogram: Tensor) -> Tensor:
        """Log-mel (N, 1, M, L) -> (N, 1, M, L); an example that is alone in its batch stays as it is."""
        count, device = len(spectrogram), spectrogram.device
        if not self.training or count < 2:
            return spectrogram
        to_power = 2 / self.power
        floor = self.floor**to_power
        # Any but the example itself.
        other = (torch.arange(count, device=device) + torch.randint(1, count, (count,), device=device)) % count
        ratio = 10 ** (uniform(count, self.snr, device) / 10)[..., None, None]  # (N, 1, 1, 1)
        chosen = torch.rand(count, 1, 1, 1, device=device) < self.p
        power = (spectrogram.float() * to_power).exp()
        heard = power - floor
        loudness = heard.mean(dim=(-2, -1), keepdim=True)
        # Noise below the floor is none, and must not be raised to where it is.
        gain = loudness / (loudness[other].clamp(min=floor) * ratio)
        mixed = power.addcmul(heard[other], gain).clamp(min=floor).log() / to_power
        return torch.where(chosen, mixed.to(spectrogram.dtype), spectrogram)
