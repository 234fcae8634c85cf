"""Several augmentations in a row, and one number for how hard they are."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from semisupcon.augment.base import Transform, check, choose
from semisupcon.augment.registry import named
from semisupcon.errors import UserError


class Chain(nn.Module):
    """Augmentations in the given order; each example goes through with probability ``p`` or is left alone.

    An example that goes through still gets each augmentation with that one's own probability. Views of one clip are
    examples like any others. ``eval()`` does not turn it off: whoever has it decides when to augment.

    Args:
        aug_list: names of ``registry.TRANSFORMS``, or transforms.
        severity: 0 (off) to 5. Half of it is the strength that scales the ranges and the probabilities (up to 1) of
            every augmentation, and ``p``; 2 is the paper (Guinot et al., ISMIR 2024).
        p: the probability that an example goes through, at severity 2.

    Raises:
        UserError: an unknown name, a severity outside 0..5, or ``p`` is no probability.
    """

    def __init__(self, aug_list: Sequence[str | Transform], severity: float = 2.0, p: float = 0.8) -> None:
        super().__init__()
        if not 0 <= severity <= 5:
            raise UserError(f"--data.aug_severity={severity}: severity goes from 0 (off) to 5; 2 is the paper's")
        if not 0 <= p <= 1:
            raise UserError(f"augmentation chain: p is a probability, 0 to 1, not {p}")
        if isinstance(aug_list, str):
            raise UserError(f"--data.aug_list={aug_list}: it takes a list, [{aug_list}] for a single augmentation")
        self.transforms = nn.ModuleList(named(item) if isinstance(item, str) else item for item in aug_list)
        self.severity = severity
        self.p = p

    def forward(self, audio: Tensor, sample_rate: int) -> Tensor:
        """(N, 1, T) float32 at ``sample_rate`` Hz -> (N, 1, T); the given tensor is not written to.

        Raises:
            ValueError: the audio is not (N, 1, T) float32.
        """
        check(audio)
        if self.severity == 0 or not len(self.transforms):
            return audio
        strength = self.severity / 2
        among = choose(len(audio), self.p * strength, audio.device)
        changed = audio.clone()
        for transform in self.transforms:
            assert isinstance(transform, Transform)  # a ModuleList forgets what it holds
            transform.change_(changed, sample_rate, strength, among)
        return changed
