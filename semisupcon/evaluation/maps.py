"""Embeddings in the plane: PCA and t-SNE, the same for the same seed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE

FEWEST = 5
"""Points that t-SNE needs to have neighbours to choose from."""


@dataclass(frozen=True)
class Maps:
    """Where n of N clips lie in the plane.

    Args:
        pca: (n, 2) float32, the first two principal components.
        tsne: (n, 2) float32; None of fewer than five points, or where all are the same.
        explained: the shares of the variance that the two components hold.
        rows: (n,) int64 ascending, which of the N these are: all of them, or a sample.
    """

    pca: npt.NDArray[np.float32]
    tsne: npt.NDArray[np.float32] | None
    explained: tuple[float, float]
    rows: npt.NDArray[np.int64]


def project(embedding: npt.NDArray[np.float32], seed: int, most: int = 3000) -> Maps:
    """Lay embeddings into the plane, by PCA and by t-SNE (van der Maaten & Hinton 2008).

    They are normalised first: what is trained with cosines lives on a sphere, a clip's length says little but how loud
    or how full it is, and the zero-shot classes and the neighbours of this package are found by cosines too. The rows
    that are drawn depend on N, ``seed`` and ``most`` alone, so that maps of several encoders show the same clips.

    Args:
        embedding: (N, D), N >= 1.
        seed: of the sample and of t-SNE.
        most: points; of more than these a sample is drawn. t-SNE of 3,000 takes about 20 s.

    Raises:
        ValueError: no embeddings, or not of two axes.
    """
    if embedding.ndim != 2 or not len(embedding):
        raise ValueError(f"embeddings are (N, D) with N >= 1, these are {embedding.shape}")
    rows = np.arange(len(embedding))
    if len(rows) > most:
        rows = np.sort(np.random.default_rng(seed).choice(len(rows), most, replace=False))
    drawn = embedding[rows].astype(np.float64)
    length = np.linalg.norm(drawn, axis=1, keepdims=True)
    points = drawn / np.where(length > 0, length, 1)
    if points.shape[1] < 2:
        points = np.pad(points, ((0, 0), (0, 2 - points.shape[1])))
    pca, explained = _pca(points)
    apart = len(points) >= FEWEST and np.ptp(pca[:, 0]) > 0  # where all are the same, it divides by their deviation
    return Maps(pca, _tsne(points, seed) if apart else None, explained, rows)


def _pca(points: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.float32], tuple[float, float]]:
    # Of points that are all the same, up to rounding, there are no directions, and shares of nothing.
    if np.ptp(points, axis=0).max() < 1e-12:
        return np.zeros((len(points), 2), np.float32), (0.0, 0.0)
    model = PCA(n_components=2, svd_solver="full")  # with its signs fixed by the largest weights
    places = model.fit_transform(points).astype(np.float32)
    first, second = model.explained_variance_ratio_.tolist()
    return places, (first, second)


def _tsne(points: npt.NDArray[np.float64], seed: int) -> npt.NDArray[np.float32]:
    perplexity = min(30.0, (len(points) - 1) / 3)
    model = TSNE(init="pca", random_state=seed, perplexity=perplexity, n_jobs=1)
    return np.asarray(model.fit_transform(points), np.float32)
