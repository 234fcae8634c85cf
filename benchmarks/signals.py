"""What each kind of signal makes of labels: target matrices of a batch of the embedded corpus, as docs/signals.png.

python -m benchmarks.signals [--out docs/signals.png]
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from benchmarks.runs import ROOT
from semisupcon import datasets
from semisupcon.objectives.signals import (
    ClassSimilarity,
    LabelOverlap,
    RegressionKernel,
    Several,
    SharedLabels,
    Signal,
)

CLIPS = 48

# What stands above a panel, the tasks, the signal.
PANELS: list[tuple[str, tuple[str, ...], Signal]] = [
    ("synth_instrument: SharedLabels", ("synth_instrument",), SharedLabels()),
    ("synth_tags: SharedLabels(threshold=3)", ("synth_tags",), SharedLabels(3)),
    ("synth_tags: LabelOverlap(dice, rarity)", ("synth_tags",), LabelOverlap("dice", rarity=True)),
    ("synth_mood: RegressionKernel(gaussian)", ("synth_mood",), RegressionKernel("gaussian")),
    ("synth_key: ClassSimilarity(mirex)", ("synth_key",), ClassSimilarity("mirex")),
    ("synth_key: ClassSimilarity(fifths)", ("synth_key",), ClassSimilarity("fifths")),
    ("synth_pitch: ClassSimilarity(octaves)", ("synth_pitch",), ClassSimilarity("octaves")),
    (
        "instrument + mood: Several(mean)",
        ("synth_instrument", "synth_mood"),
        Several({"synth_instrument": SharedLabels(), "synth_mood": RegressionKernel()}),
    ),
]


def matrix(tasks: Sequence[str], signal: Signal) -> Tensor:
    """(n, n) of some labelled training clips, in the order of their first task's labels."""
    loaded = [datasets.load(name) for name in tasks]
    train = np.asarray(loaded[0][0].split == "train")
    labels = torch.from_numpy(np.hstack([table.labels for table, _ in loaded])[train])
    first = labels[:, : loaded[0][0].labels.shape[1]]
    labels, first = labels[~first.isnan().any(dim=1)], first[~first.isnan().any(dim=1)]
    signal.prepare(labels, [task for _, task in loaded])
    some = torch.from_numpy(np.random.default_rng(0).permutation(len(labels))[:CLIPS])
    # A number of one's own for each class, or the first target: enough to bring like to like.
    weight = torch.arange(first.shape[1]).float() if loaded[0][1].exclusive else 2.0 ** -torch.arange(first.shape[1])
    order = some[(first[some] @ weight).argsort()]
    return signal(labels[order], labels[order])


def main(arguments: Sequence[str] | None = None) -> None:
    """Draw."""
    from matplotlib.figure import Figure

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "signals.png")
    options = parser.parse_args(arguments)
    figure = Figure(figsize=(13, 6.6), layout="constrained", dpi=90)
    for axes, (title, tasks, signal) in zip(figure.subplots(2, 4).flat, PANELS, strict=True):
        drawn = axes.imshow(matrix(tasks, signal), vmin=0, vmax=1, cmap="magma", interpolation="nearest")
        axes.set_facecolor("0.6")
        axes.set_title(title, fontsize=10)
        axes.set_xticks([])
        axes.set_yticks([])
    figure.colorbar(drawn, ax=figure.axes, shrink=0.6, label="target (grey: cannot be judged)")
    figure.savefig(options.out)


if __name__ == "__main__":
    main()
