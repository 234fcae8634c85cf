"""What an augmentation is: a change to some examples of a batch, drawn anew for each of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar, cast

import torch
from torch import Tensor, nn

from semisupcon.errors import UserError

# What the effects of a batch may hold at once, in batches: with the batch and its copy this makes 5.5 of at most 6.
MEMORY = 3.5
# Numbers of float32 that an effect may hold on a CPU; more are slower, as they are farther from its caches.
NEAR = 12_000_000


class Transform(nn.Module):
    """Changes each example with probability ``p``, by parameters of its own.

    A subclass writes ``effect``. Whatever is random is drawn from torch's global generators, so that the seed set at
    the start of a batch decides all of it: which examples are changed on the host, so that a GPU need not be waited
    for, and how, on the audio's device. Nothing clips or normalises unless an effect says so: where it makes the
    audio louder it may leave [-1, 1].

    Args:
        p: the probability that an example is changed, at strength 1.

    Attributes:
        alters: which of pitch, key, tempo and time the effect changes; a signal made of such labels contradicts it.
        takes: the most memory that ``effect`` takes for an example, in multiples of that example; see ``working``.
        likeliest: the probability up to which strength raises a lower ``p``. For an effect without parameters it is a
            half: where it were certain, all views would be changed in the same way, and none differ by it.
        on_host: it cannot run on a GPU, and belongs into the loading workers.

    Raises:
        UserError: ``p`` is no probability.
    """

    alters: ClassVar[tuple[str, ...]] = ()
    takes: float = 4.0
    likeliest: ClassVar[float] = 1.0
    on_host: bool = False

    def __init__(self, p: float) -> None:
        super().__init__()
        if not 0 <= p <= 1:
            raise UserError(f"{type(self).__name__}: p is a probability, 0 to 1, not {p}")
        self.p = p

    def effect(self, audio: Tensor, sample_rate: int, strength: float) -> Tensor:
        """All of the (n, 1, T) examples changed; ``audio`` is a copy that may be written to."""
        raise NotImplementedError(f"{type(self).__name__} has no effect")

    def working(self, samples: int, sample_rate: int, strength: float, device: torch.device) -> float:
        """The most memory that ``effect`` takes for an example of so many samples, in multiples of that example.

        On a GPU that includes what its Fourier transforms take for themselves.
        """
        return self.takes

    def effect_(self, audio: Tensor, rows: Tensor, sample_rate: int, strength: float) -> None:
        """Puts the effect in place of some of the (N, 1, T) examples: ``rows`` (n,), ascending, on the host."""
        first, last = int(rows[0]), int(rows[-1])
        if last - first + 1 == len(rows):  # then nothing need be picked out
            part = audio[first : last + 1]
            changed = self.effect(part, sample_rate, strength)
            if changed.data_ptr() != part.data_ptr():
                part.copy_(changed)
            return
        here = rows.to(audio.device, non_blocking=True)
        audio.index_copy_(0, here, self.effect(audio.index_select(0, here), sample_rate, strength))

    def forward(self, audio: Tensor, sample_rate: int, strength: float = 1.0) -> Tensor:
        """(N, 1, T) float32 -> (N, 1, T) of the same length; skipped examples come out bit by bit as they went in.

        Args:
            audio: (N, 1, T) float32; it is not written to.
            sample_rate: Hz.
            strength: scales ``p`` (see ``chance``) and the range of the effect; 1 is as constructed, 0 is off.
        """
        return self.change_(check(audio).clone(), sample_rate, strength)

    def change_(self, audio: Tensor, sample_rate: int, strength: float = 1.0, among: Tensor | None = None) -> Tensor:
        """As ``forward``, in place, and only where ``among`` (N,) bool, on the host, says so."""
        chosen = choose(len(audio), self.chance(strength))
        return replace_(self, audio, chosen if among is None else chosen & among, sample_rate, strength)

    def chance(self, strength: float) -> float:
        """The probability that an example is changed: ``p`` times strength, but not above ``likeliest`` or ``p``."""
        return min(self.p * strength, max(self.p, self.likeliest))


class OneOf(Transform):
    """One of several transforms, each as likely as the others; ``p`` decides whether, and the members' own is unused.

    Args:
        transforms: to choose from.
        p: the probability that an example gets one of them.
    """

    def __init__(self, transforms: Sequence[Transform], p: float) -> None:
        super().__init__(p)
        if not transforms:
            raise UserError(f"{type(self).__name__}: no transforms to choose from")
        self.transforms = nn.ModuleList(transforms)
        self.alters = tuple(sorted({what for transform in transforms for what in transform.alters}))  # type: ignore[misc]
        self.on_host = any(transform.on_host for transform in transforms)

    def __iter__(self) -> Iterator[Transform]:
        return iter(cast(list[Transform], self.transforms))  # a ModuleList forgets what it holds

    def working(self, samples: int, sample_rate: int, strength: float, device: torch.device) -> float:
        """As of ``Transform``: that of the greediest, and the copy that it is given."""
        return 1 + max(transform.working(samples, sample_rate, strength, device) for transform in self)

    def effect(self, audio: Tensor, sample_rate: int, strength: float) -> Tensor:
        """(n, 1, T) -> (n, 1, T), each example by the transform drawn for it."""
        drawn = torch.randint(len(self.transforms), (len(audio),))
        for number, transform in enumerate(self):
            replace_(transform, audio, drawn == number, sample_rate, strength)
        return audio


def replace_(transform: Transform, audio: Tensor, which: Tensor, sample_rate: int, strength: float) -> Tensor:
    """Puts the effect in place of the examples of ``which`` (N,) bool on the host, so that the others cost nothing.

    As many examples are taken at a time as ``MEMORY`` and ``NEAR`` allow, and at least one, which may be more than that
    in a batch of very few.
    """
    rows = which.nonzero().squeeze(1)
    if not len(rows):
        return audio
    samples, device = audio.shape[-1], audio.device
    most = MEMORY * len(audio)
    if device.type == "cpu":
        most = min(most, NEAR / samples)
    most = max(1, int(most / (1 + transform.working(samples, sample_rate, strength, device))))
    for some in rows.chunk(-(-len(rows) // most)):
        transform.effect_(audio, some, sample_rate, strength)
    return audio


def choose(count: int, p: float) -> Tensor:
    """(count,) bool on the host, each true with probability ``p`` (1 where it is more)."""
    return torch.rand(count) < p


def uniform(count: int, bounds: tuple[float, float], device: torch.device) -> Tensor:
    """(count, 1), each drawn evenly between the bounds."""
    low, high = bounds
    return torch.rand(count, 1, device=device) * (high - low) + low


def check(audio: Tensor) -> Tensor:
    """The audio, if it is (N, 1, T) float32.

    Raises:
        ValueError: it is not.
    """
    if audio.dim() != 3 or audio.shape[1] != 1 or audio.dtype != torch.float32:
        raise ValueError(f"expected audio (N, 1, T) torch.float32, not {tuple(audio.shape)} {audio.dtype}")
    return audio
