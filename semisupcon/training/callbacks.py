"""A look at the heart of the method: the similarity matrix beside the one it should become."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import Callback
from torch import Tensor

from semisupcon.batch import Batch
from semisupcon.objectives.targets import Views


class SimilarityPicture(Callback):
    """Draws a batch's similarity matrix beside its target matrix, into the run's folder and every logger that is on.

    Labelled clips come first, sorted by their first label; so the blocks of a class show.

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
        if not self.every_n_steps or not wanted or step == self._drawn or not trainer.is_global_zero or not len(batch):
            return
        self._drawn = step
        assert self.folder is not None
        (self.folder / "pictures").mkdir(exist_ok=True)
        path = self.folder / "pictures" / f"similarity-{step:07d}.png"
        per_clip = batch.audio.shape[1]
        clips = _in_order(batch)[: max(1, self.views // per_clip)]
        rows = (clips[:, None] * per_clip + torch.arange(per_clip, device=clips.device)).flatten()
        shown: Views = outputs["views"][rows]
        logits, targets, keep = pl_module.matrices(shown, per_clip)  # type: ignore[operator]
        figure = draw(logits, targets, keep, f"step {step:,}")
        figure.savefig(path)
        for logger in trainer.loggers:
            _send(logger, figure, path, step)


def draw(logits: Tensor, targets: Tensor, keep: Tensor, title: str) -> Any:
    """Three panels: similarities (A, C), targets (A, C), and the row-wise softmax that the loss compares with them."""
    from matplotlib.figure import Figure

    logits = logits.float().cpu()
    keep = keep.cpu()
    softmax = torch.softmax(logits.masked_fill(~keep, -torch.inf), dim=1)
    wanted = targets.float().cpu()
    wanted = wanted / wanted.sum(dim=1, keepdim=True).clamp_min(1e-9)
    shown = torch.cat([softmax, wanted]).flatten()
    shown = shown[:: math.ceil(shown.numel() / 2**24) or 1]  # quantile takes no more
    top = float(shown.quantile(0.995).clamp_min(1e-3)) if shown.numel() else 1.0
    figure = Figure(figsize=(13, 4.6), layout="constrained", dpi=100)
    panels = (
        ("similarity (logits)", logits.masked_fill(~keep, torch.nan), None, "viridis"),
        ("what the loss sees: softmax of each row", softmax.masked_fill(~keep, torch.nan), top, "magma"),
        ("target contrastive matrix (rows sum to 1)", wanted.masked_fill(~keep, torch.nan), top, "magma"),
    )
    for axes, (name, matrix, most, colours) in zip(figure.subplots(1, 3), panels, strict=True):
        drawn = axes.imshow(matrix, cmap=colours, vmin=None if most is None else 0, vmax=most, interpolation="nearest")
        axes.set_title(name, fontsize=10)
        axes.set_xlabel("candidate view")
        axes.set_ylabel("anchor view")
        axes.set_facecolor("0.85")
        figure.colorbar(drawn, ax=axes, shrink=0.8)
    figure.suptitle(f"{title}: labelled clips first, by label; then unlabelled ones", fontsize=11)
    return figure


def _in_order(batch: Batch) -> Tensor:
    """(B,) clips, labelled ones first and sorted by their first label."""
    if not batch.labels.shape[1]:
        return torch.arange(len(batch), device=batch.file.device)
    first = torch.where(batch.labels > 0, 1.0, 0.0).argmax(dim=1)
    return torch.argsort(first + (~batch.labelled) * (batch.labels.shape[1] + 1), stable=True)


def _send(logger: Any, figure: Any, path: Path, step: int) -> None:
    """To W&B and TensorBoard, recognised by what they can do, so that neither is imported."""
    if hasattr(logger, "log_image"):
        logger.log_image(key="similarity", images=[str(path)])
    elif hasattr(getattr(logger, "experiment", None), "add_figure"):
        logger.experiment.add_figure("similarity", figure, step)
