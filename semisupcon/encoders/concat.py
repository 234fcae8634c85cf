"""Several encoders side by side, such as one that hears the waveform and one that sees its spectrogram."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from semisupcon.encoders.base import Encoder
from semisupcon.errors import UserError


class Concat(Encoder):
    """The embeddings of several encoders, one behind the other: D is the sum of theirs.

    Each may come trained out of a checkpoint, given as ``class_path: semisupcon.checkpoint.pretrained`` with
    ``init_args: {path: RUN/last.ckpt}``. The shortest input taken unpadded is that of the encoder that needs most; one
    that needs less hears no padding. There are frames only where the encoders' lie at the same moments.

    Args:
        encoders: of one sample rate.

    Raises:
        UserError: there is none, or their sample rates differ.
    """

    def __init__(self, encoders: list[Encoder]) -> None:
        super().__init__()
        if not encoders:
            raise UserError("Concat: the list of encoders is empty; give --model.encoder.init_args.encoders")
        if len({encoder.sample_rate for encoder in encoders}) > 1:
            rates = ", ".join(f"{type(encoder).__name__} {encoder.sample_rate} Hz" for encoder in encoders)
            raise UserError(f"Concat: its encoders must take one sample rate, but found {rates}")
        self.encoders: Any = nn.ModuleList(encoders)
        self.parts = [encoder.dim for encoder in encoders]
        """D of each encoder, in their order."""
        self.sample_rate = encoders[0].sample_rate
        self.dim = sum(self.parts)
        self.receptive_field = max(encoder.receptive_field for encoder in encoders)
        places = {(encoder.hop, float(encoder.frame_centres(1)) if encoder.hop else None) for encoder in encoders}
        self.hop = encoders[0].hop if len(places) == 1 else 0

    def forward(self, audio: Tensor) -> Tensor:
        """(N, 1, T) -> (N, D)."""
        return torch.cat([encoder(audio) for encoder in self.encoders], dim=-1)

    def frames(self, audio: Tensor) -> Tensor:
        """(N, 1, T) -> (N, L, D), as many as the encoder with the fewest has.

        Raises:
            UserError: an encoder has no frames, or they lie at other moments than another one's.
        """
        self._need_frames()
        each = [encoder.frames(audio) for encoder in self.encoders]
        shortest = min(frames.shape[1] for frames in each)
        return torch.cat([frames[:, :shortest] for frames in each], dim=-1)

    def frame_centres(self, frames: int) -> Tensor:
        """(L,) in samples, those that the encoders agree on.

        Raises:
            UserError: as for ``frames``.
        """
        self._need_frames()
        centres: Tensor = self.encoders[0].frame_centres(frames)
        return centres

    def _need_frames(self) -> None:
        if not self.hop:
            places = ", ".join(f"{type(encoder).__name__} {_place(encoder)}" for encoder in self.encoders)
            raise UserError(
                "Concat: frames can be put together only where they lie at the same moments, and frame l of each is "
                f"centred on sample: {places}. Choose one of these encoders as --model.encoder"
            )


def _place(encoder: Encoder) -> str:
    """Where an encoder's frames lie, for people."""
    return f"{float(encoder.frame_centres(1)):g} + {encoder.hop} l" if encoder.hop else "none"
