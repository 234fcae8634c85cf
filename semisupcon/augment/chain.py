"""Several augmentations in a row, and one number for how hard they are."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import cast

from torch import Tensor, nn

from semisupcon.augment.base import Transform, check, choose
from semisupcon.augment.registry import named
from semisupcon.errors import UserError


class Chain(nn.Module):
    """Augmentations in the given order; each example goes through with probability ``p`` or is left alone.

    An example that goes through still gets each augmentation with that one's own probability. Views of one clip are
    examples like any others. ``eval()`` does not turn it off: whoever has it decides when to augment.

    Args:
        aug_list: names of ``registry.TRANSFORMS`` or ``presets.PRESETS``, or transforms.
        severity: 0 (off) to 5. Half of it is the strength that scales the ranges and the probabilities (up to 1) of
            every augmentation, and ``p``; 2 is the paper (Guinot et al., ISMIR 2024).
        p: the probability that an example goes through, at severity 2. None = that of the preset where a preset is
            all there is, else 0.8.

    Raises:
        UserError: an unknown name, a severity outside 0..5, or ``p`` is no probability.
    """

    def __init__(self, aug_list: Sequence[str | Transform], severity: float = 2.0, p: float | None = None) -> None:
        super().__init__()
        if not 0 <= severity <= 5:
            raise UserError(f"--data.aug_severity={severity}: severity goes from 0 (off) to 5; 2 is the paper's")
        if isinstance(aug_list, str):
            raise UserError(f"--data.aug_list={aug_list}: it takes a list, [{aug_list}] for a single augmentation")
        found, own = named(aug_list)
        self.transforms = nn.ModuleList(found)
        self.severity = severity
        self.p = own if p is None else p
        if not 0 <= self.p <= 1:
            raise UserError(f"augmentation chain: p is a probability, 0 to 1, not {p}")

    def __iter__(self):  # type: ignore[no-untyped-def]
        return iter(cast(list[Transform], self.transforms))

    @property
    def strength(self) -> float:
        """What every range and probability is multiplied by."""
        return self.severity / 2

    def split(self) -> tuple[Chain, Chain]:
        """What stands at the head and cannot run on a GPU, and the rest; one after the other they are the whole.

        Both must be given the same ``among``.
        """
        head = next((place for place, item in enumerate(self) if not item.on_host), len(self.transforms))
        transforms = list(self)
        return Chain(transforms[:head], self.severity, self.p), Chain(transforms[head:], self.severity, self.p)

    def among(self, count: int) -> Tensor:
        """Which of ``count`` examples go through, (count,) bool on the host."""
        return choose(count, self.p * self.strength)

    def objections(self, about: Collection[str]) -> list[str]:
        """What is doubtful of it, a sentence each: that labels are of what it changes, that it stands badly.

        Args:
            about: what the labels that clips are compared by are of (``Task.about``).
        """
        if self.severity == 0:
            return []
        spoilt = [
            f"{type(item).__name__} changes the {what}, and the labels are of the {what}: the views of a clip would "
            "have other labels than the clip. Take it out of --data.aug_list."
            for item in self
            for what in sorted(set(about) & set(item.alters))
        ]
        return spoilt + [
            f"{type(item).__name__} has no GPU version. Behind others in --data.aug_list it holds up every step, some "
            "15 to 18 ms a view and core; put in front of all it runs in the loading workers."
            for item in self.split()[1]
            if item.on_host
        ]

    def forward(self, audio: Tensor, sample_rate: int, among: Tensor | None = None) -> Tensor:
        """(N, 1, T) float32 at ``sample_rate`` Hz -> (N, 1, T); the given tensor is not written to.

        Args:
            audio: (N, 1, T) float32.
            sample_rate: Hz.
            among: (N,) bool on the host, which examples go through; None = drawn before anything else.

        Raises:
            ValueError: the audio is not (N, 1, T) float32.
        """
        check(audio)
        if self.severity == 0 or not len(self.transforms):
            return audio
        among = self.among(len(audio)) if among is None else among
        changed = audio.clone()
        for transform in self:
            transform.change_(changed, sample_rate, self.strength, among)
        return changed
