"""What mp3 leaves of the sound."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import numpy.typing as npt
import soundfile
import torch
from torch import Tensor

from semisupcon.augment.base import Transform, uniform
from semisupcon.errors import UserError

# Hz, of MPEG 1, 2 and 2.5. Audio at another rate is coded as though it had the nearest of these.
RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)

WORST = 9.0  # of LAME's scale of variable bit rates


class Mp3(Transform):
    """Codes each example as mp3 with LAME at a variable bit rate, and decodes it again.

    It is the real codec (of libsndfile), for which there is no GPU: at the head of an ``aug_list`` it runs in the
    loading workers, elsewhere on the host while the device waits. The decoded sound has its place and length back.
    Sound beyond [-1, 1] is coded at a lower level, which is undone. Strength multiplies the quality number up to 9.

    Args:
        quality: bounds of LAME's V number, 0 (best) to 9 (worst), drawn evenly.
        p: the probability that an example is changed.

    Raises:
        UserError: a quality outside 0..9.
    """

    on_host = True

    def __init__(self, quality: tuple[float, float] = (5.0, 9.0), p: float = 0.5) -> None:
        super().__init__(p)
        if not 0 <= quality[0] <= quality[1] <= WORST:
            raise UserError(f"Mp3: quality goes from 0 (best) to {WORST:.0f} (worst), not {quality}")
        self.quality = quality

    def effect(self, audio: Tensor, sample_rate: int, strength: float) -> Tensor:
        """(n, 1, T) -> (n, 1, T)."""
        quality = (strength * uniform(len(audio), self.quality, torch.device("cpu"))).clamp(max=WORST)
        rate = min(RATES, key=lambda known: abs(known - sample_rate))
        with ThreadPoolExecutor(torch.get_num_threads()) as threads:
            coded = threads.map(partial(_through, rate=rate), audio.cpu().numpy(), quality.flatten().tolist())
            return torch.from_numpy(np.stack(list(coded))).to(audio.device)


def _through(audio: npt.NDArray[np.float32], quality: float, rate: int) -> npt.NDArray[np.float32]:
    """There and back again: (1, T) -> (1, T)."""
    level = max(1.0, float(np.abs(audio).max(initial=0.0)))
    file = io.BytesIO()
    # libsndfile takes a tenth of LAME's number.
    soundfile.write(file, audio[0] / level, rate, format="MP3", bitrate_mode="VARIABLE", compression_level=quality / 10)
    file.seek(0)
    decoded, _ = soundfile.read(file, dtype="float32")
    out = np.zeros_like(audio)
    count = min(len(decoded), audio.shape[1])
    out[0, :count] = decoded[:count] * level
    return out
