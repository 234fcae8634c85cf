"""A look at the heart of the method: the similarity matrix beside the one it should become."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import Callback

from semisupcon.batch import Batch
from semisupcon.training.pretraining import Matrices, Pretraining


class SimilarityPicture(Callback):
    """Draws a batch's similarity matrix beside its target matrix, into the run's folder and every logger that is on.

    Args:
        every_n_steps: optimizer steps between pictures; 0 for none. The first step has one too, and the last where
            max_steps says which it is.
        views: views shown at most.
    """

    def __init__(self, every_n_steps: int = 1000, views: int = 128) -> None:
        self.every_n_steps, self.views = every_n_steps, views
        self.folder: Path | None = None
        self._drawn = -1

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Batch, batch_idx: int
    ) -> None:
        """Draw when it is time."""
        step = trainer.global_step
        wanted = step == 1 or step % max(1, self.every_n_steps) == 0 or step == trainer.max_steps
        if not self.every_n_steps or not wanted or step == self._drawn or not trainer.is_global_zero:
            return
        self._drawn = step
        assert self.folder is not None
        assert isinstance(pl_module, Pretraining)
        shown = pl_module.pictured(outputs, batch, self.views)
        if shown is None:
            return
        (self.folder / "pictures").mkdir(exist_ok=True)
        path = self.folder / "pictures" / f"similarity-{step:07d}.png"
        figure = draw(shown, f"step {step:,}")
        figure.savefig(path)
        for logger in trainer.loggers:
            _send(logger, figure, path, step)


def draw(shown: Matrices, title: str) -> Any:
    """Three panels: similarities (A, C), the row-wise softmax that the loss compares with the targets, the targets."""
    from matplotlib.figure import Figure

    logits = shown.logits.float().cpu()
    keep = shown.keep.cpu()
    softmax = torch.softmax(logits.masked_fill(~keep, -torch.inf), dim=1)
    wanted = shown.targets.float().cpu()
    wanted = wanted / wanted.sum(dim=1, keepdim=True).clamp_min(1e-9)
    both = torch.cat([softmax, wanted]).flatten()
    both = both[:: math.ceil(both.numel() / 2**24) or 1]  # quantile takes no more
    top = float(both.quantile(0.995).clamp_min(1e-3)) if both.numel() else 1.0
    figure = Figure(figsize=(13, 4.6), layout="constrained", dpi=100)
    panels = (
        ("similarity (logits)", logits.masked_fill(~keep, torch.nan), None, "viridis"),
        ("what the loss sees: softmax of each row", softmax.masked_fill(~keep, torch.nan), top, "magma"),
        ("target contrastive matrix (rows sum to 1)", wanted.masked_fill(~keep, torch.nan), top, "magma"),
    )
    for axes, (name, matrix, most, colours) in zip(figure.subplots(1, 3), panels, strict=True):
        drawn = axes.imshow(matrix, cmap=colours, vmin=None if most is None else 0, vmax=most, interpolation="nearest")
        axes.set_title(name, fontsize=10)
        axes.set_xlabel(shown.candidate)
        axes.set_ylabel(shown.anchor)
        axes.set_facecolor("0.85")
        figure.colorbar(drawn, ax=axes, shrink=0.8)
    figure.suptitle(": ".join(part for part in (title, shown.order) if part), fontsize=11)
    return figure


def _send(logger: Any, figure: Any, path: Path, step: int) -> None:
    """To W&B and TensorBoard, recognised by what they can do, so that neither is imported."""
    if hasattr(logger, "log_image"):
        logger.log_image(key="similarity", images=[str(path)])
    elif hasattr(getattr(logger, "experiment", None), "add_figure"):
        logger.experiment.add_figure("similarity", figure, step)
