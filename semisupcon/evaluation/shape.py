"""What shape an embedding has: how tight, how spread, of how many dimensions, and whether it has collapsed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from semisupcon.errors import UserError
from semisupcon.evaluation.clips import EmbeddedClips, Floats32
from semisupcon.objectives import diagnostics

DEAD = 1e-5
"""A dimension whose deviation is at most this share of the largest one says nothing: float32 has seven digits."""

COLLAPSED = 0.999
"""Mean cosine of different clips (2.6 degrees) above which embeddings are called nearly the same.

Untrained encoders have theirs in a narrow cone, 0.96 was measured of a SampleCNN, and probes tell them apart.
"""

FEW = 0.05
"""Share of the dimensions there could be, below which the effective rank is called a dimensional collapse."""


@dataclass(frozen=True)
class Shape:
    """Numbers that need no labels.

    Args:
        alignment: mean squared distance on the unit sphere of two segments of one clip, 0 to 4, 0 = identical (Wang &
            Isola 2020, eq. 4); every clip of at least two segments counts alike; NaN where there is none.
        uniformity: log of the mean Gaussian potential of two segments on the unit sphere, 0 = all in one point, about
            −4 = spread (Wang & Isola 2020, eq. 5); NaN of fewer than two segments.
        effective_rank: exp of the entropy of ``spectrum`` (Roy & Vetterli 2007), from 1, a line, to D.
        dims: D.
        spectrum: (D,) float64, singular values of the centred embeddings, descending, as shares of their sum; all 0
            where there is nothing but one point.
        dead: how many dimensions deviate by at most ``DEAD`` times what the most deviating one does.
        mean_cosine: of the segments of two different clips, every pair of clips counting alike; NaN of one clip.
        warnings: what is wrong, in words.
    """

    alignment: float
    uniformity: float
    effective_rank: float
    dims: int
    spectrum: npt.NDArray[np.float64]
    dead: int
    mean_cosine: float
    warnings: tuple[str, ...]


def shape(clips: EmbeddedClips, seed: int = 0, most: int = 4096) -> Shape:
    """Measure an embedding.

    Alignment, mean cosine and dead dimensions are exact, of all segments, since they are sums over clips. Uniformity,
    spectrum and effective rank are of at most ``most`` segments, drawn by ``seed``: the one takes all pairs, and the
    others a singular value decomposition.

    Args:
        clips: M clips with their S segments.
        seed: of the sample.
        most: segments in it.

    Raises:
        UserError: an embedding is not finite.
    """
    _check(clips)
    segments, dims = clips.segment.shape
    drawn = clips.segment
    if segments > most:
        drawn = drawn[np.sort(np.random.default_rng(seed).choice(segments, most, replace=False))]
    sample = torch.from_numpy(np.ascontiguousarray(drawn))
    spectrum = _spectrum(sample, dims)
    # As in objectives.diagnostics.effective_rank, of the singular values that are at hand.
    rank = torch.special.entr(spectrum).sum().exp().item()
    unit = functional.normalize(torch.from_numpy(clips.segment), dim=1).numpy()
    cosine = _mean_cosine(clips.with_segments(unit))
    dead = _dead(clips.segment) if segments > 1 else 0
    return Shape(
        alignment=_alignment(clips.with_segments(unit)),
        uniformity=diagnostics.uniformity(sample).item(),
        effective_rank=rank,
        dims=dims,
        spectrum=spectrum.numpy(),
        dead=dead,
        mean_cosine=cosine,
        warnings=tuple(_warnings(len(sample), dims, cosine, rank, dead)) if segments > 1 else (),
    )


def _check(clips: EmbeddedClips) -> None:
    finite = np.isfinite(clips.segment).all(axis=1)
    if not finite.all():
        broken = np.unique(clips.clip[~finite])
        raise UserError(
            f"The embeddings of {len(broken):,} of {len(clips):,} clips hold NaN or infinity, the first of "
            f"{clips.names[broken[0]]}. The encoder's weights have diverged: take an earlier checkpoint, or train with "
            "a lower learning rate."
        )


def _alignment(clips: EmbeddedClips) -> float:
    """Eq. 4 over the pairs of each clip: the mean of |a − b|² over pairs is 2 n / (n − 1) · mean of |a − centre|²."""
    several = clips.counts > 1
    if not several.any():
        return float("nan")
    apart = np.square(clips.segment - clips.means()[clips.clip]).sum(axis=1, dtype=np.float64)
    n = clips.counts[several]
    return float((2 * n / (n - 1) * clips.average(apart)[several]).mean())


def _mean_cosine(clips: EmbeddedClips) -> float:
    """The cosines of the segments of two clips have the mean (centre · other centre): all pairs from two sums."""
    if len(clips) < 2:
        return float("nan")
    centre = clips.average(clips.segment.astype(np.float64))
    pairs = np.square(centre.sum(axis=0)).sum() - np.square(centre).sum()
    return float(pairs / (len(clips) * (len(clips) - 1)))


def _spectrum(sample: torch.Tensor, dims: int) -> torch.Tensor:
    """(N, D) -> (D,) float64."""
    values = torch.zeros(dims, dtype=torch.float64)
    if len(sample):
        found = torch.linalg.svdvals(sample - sample.mean(dim=0)).double()
        values[: len(found)] = found
    return values / values.sum().clamp_min(torch.finfo(torch.float64).tiny)


def _dead(segment: Floats32) -> int:
    deviation = segment.std(axis=0, dtype=np.float64)  # in which equal numbers have a mean without rounding
    return int((deviation <= DEAD * deviation.max(initial=0)).sum())


def _warnings(segments: int, dims: int, cosine: float, rank: float, dead: int) -> list[str]:
    if dead == dims:
        return [f"collapsed: all {dims:,} dimensions are the same in every segment"]
    found = []
    if cosine > COLLAPSED:
        found.append(
            f"collapsed: all embeddings are nearly the same, with a mean cosine of {cosine:.5f} between different "
            f"clips (1 = the same direction; more than {COLLAPSED:g} is warned of)"
        )
    could_be = min(segments - 1, dims)
    if could_be > 1 and rank < max(FEW * could_be, 1.05):
        found.append(
            f"dimensional collapse: an effective rank of {rank:.1f} where it could be {could_be:,} (less than "
            f"{FEW:.0%} is warned of)"
        )
    if dead:
        found.append(f"dimensional collapse: {dead:,} of {dims:,} dimensions are the same in every segment")
    return found
