"""Many MLPs of one hidden layer as one batch of tensors: N models in front, trained by Adam, each stopped on its own.

One matrix product of all models costs what the sum of them costs, without the overhead of N small steps.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim.adam import adam

from semisupcon.evaluation.readout import BLOCK, Values
from semisupcon.table import Task

# (N, D, H) and (N, 1, H), (N, H, K) and (N, 1, K)
Weights = list[Tensor]


def initial(dim: int, hidden: int, classes: int, seed: int) -> Weights:
    """The weights that two ``nn.Linear`` made after ``torch.manual_seed(seed)`` have; N = 1."""
    generator = torch.Generator().manual_seed(seed)
    weights = []
    for into, out in ((dim, hidden), (hidden, classes)):
        weight, bias, bound = torch.empty(out, into), torch.empty(out), 1 / math.sqrt(into)
        nn.init.kaiming_uniform_(weight, a=math.sqrt(5), generator=generator)
        nn.init.uniform_(bias, -bound, bound, generator=generator)
        weights += [weight.T[None], bias[None, None]]
    return weights


def scores(weights: Weights, x: Tensor, kept: Tensor | None = None) -> Tensor:
    """(N, B, D) embeddings -> (N, B, K); ``kept`` (N, B, H) is what dropout multiplies the hidden units by."""
    units = torch.baddbmm(weights[1], x, weights[0]).relu_()
    return torch.baddbmm(weights[3], units if kept is None else units * kept, weights[2])


def summed(task: Task, found: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Σ loss over known labels and how many there are, (N,) each: over them it is the loss of ``downstream.Head``.

    Args:
        task: decides the loss.
        found: (N, B, K) logits, or standardised predictions.
        labels: (N, B, K) 0 or 1, or standardised targets, NaN = unknown; rows of classes are known as a whole.
    """
    if task.exclusive:
        each = -found.log_softmax(dim=2).gather(2, labels.argmax(dim=2, keepdim=True))
        return each.sum(dim=(1, 2)), torch.full((len(found),), labels.shape[1], device=found.device)
    known = ~labels.isnan()
    wanted = torch.where(known, labels, 0.0)
    if task.kind == "multilabel":
        each = functional.binary_cross_entropy_with_logits(found, wanted, reduction="none")
    else:
        each = (found - wanted) ** 2
    return torch.where(known, each, 0.0).sum(dim=(1, 2)), known.sum(dim=(1, 2))


class Models:
    """P points × seeds models under training; one that has stopped is taken out of the batch.

    Args:
        points: weight decay and learning rate of each point.
        seeds: of the initial weights; a model's seed decides which of the batches of a step are its own.
        shape: D, H and K.
        device: where they are.
    """

    def __init__(
        self,
        points: Sequence[tuple[float, float]],
        seeds: Sequence[int],
        shape: tuple[int, int, int],
        device: torch.device,
    ) -> None:
        count = len(points) * len(seeds)
        self.points, self.seeds = points, len(seeds)
        self.running = np.arange(count)  # model p · seeds + s, in ascending order
        each = [initial(*shape, seed) for seed in seeds]
        parts = [torch.cat(part) for part in zip(*each, strict=True)]  # (seeds, ...)
        self.weights: Weights = [part.repeat(len(points), 1, 1).to(device) for part in parts]
        self.moments = [[torch.zeros_like(weight) for weight in self.weights] for _ in range(2)]
        self.best = [weight.clone() for weight in self.weights]
        self.lowest, self.best_epoch = np.full(count, np.inf), np.zeros(count, np.int64)
        self.losses: list[list[float]] = [[] for _ in range(count)]
        self.steps = self.epochs = 0

    def __len__(self) -> int:
        return len(self.running)

    def step(self, task: Task, x: Tensor, labels: Tensor, kept: Tensor | None = None) -> Tensor:
        """One step of Adam (Kingma & Ba 2015, with its default β and ε) for every model; returns their losses, (N,).

        Args:
            task: decides the loss.
            x: (seeds, B, D) the batch of each seed.
            labels: (seeds, B, K).
            kept: (seeds, B, H), see :func:`scores`.
        """
        mine = torch.from_numpy(self.running % self.seeds).to(x.device)
        with torch.enable_grad():
            leaves = [weight.requires_grad_() for weight in self.weights]
            total, count = summed(task, scores(leaves, x[mine], None if kept is None else kept[mine]), labels[mine])
            loss = total / count.clamp_min(1)
            # No weight is in the loss of another model, so the gradient of the sum is that of each.
            gradients = torch.autograd.grad(loss.sum(), leaves)
        self.weights = [weight.requires_grad_(False) for weight in leaves]
        self._adam([gradient.contiguous() for gradient in gradients])
        self.steps += 1
        return loss.detach()

    def _adam(self, gradients: list[Tensor]) -> None:
        sizes = np.bincount(self.running // self.seeds, minlength=len(self.points)).tolist()
        parts = [[each.split(sizes) for each in some] for some in (self.weights, gradients, *self.moments)]
        for point, (decay, lr) in enumerate(self.points):
            if not sizes[point]:
                continue
            weight, gradient, first, second = ([part[point] for part in some] for some in parts)
            steps = list(torch.full((4,), float(self.steps), device=weight[0].device).unbind())
            adam(
                weight,
                gradient,
                first,
                second,
                max_exp_avg_sqs=[],
                state_steps=steps,
                fused=True,
                amsgrad=False,
                beta1=0.9,
                beta2=0.999,
                lr=lr,
                weight_decay=decay,
                eps=1e-8,
                maximize=False,
            )

    @torch.no_grad()
    def validate(self, task: Task, x: Tensor, labels: Tensor) -> Values:
        """(N,) loss of each model on (M, D) embeddings and (M, K) labels, a block of rows at a time."""
        total = torch.zeros(len(self), dtype=torch.float64, device=x.device)
        count = torch.zeros_like(total)
        rows = max(1, BLOCK // self.weights[1].numel())
        for x_part, y_part in zip(x.split(rows), labels.split(rows), strict=True):
            found = scores(self.weights, x_part.expand(len(self), -1, -1))
            more = summed(task, found, y_part.expand(len(self), -1, -1))
            total += more[0]
            count += more[1]
        return (total / count).cpu().numpy()

    def judge(self, losses: Values | None, patience: int) -> None:
        """End an epoch: note the validation losses (N,), keep what is better, take out what has stopped or diverged."""
        self.epochs += 1
        if losses is None:
            return
        going = np.ones(len(self), bool)
        for row, (model, loss) in enumerate(zip(self.running.tolist(), losses, strict=True)):
            self.losses[model].append(float(loss))
            if not np.isfinite(loss):
                self._keep(model, [torch.full_like(weight[row], torch.nan) for weight in self.weights])
                going[row] = False
            elif loss < self.lowest[model]:
                self.lowest[model] = loss
                self._keep(model, [weight[row] for weight in self.weights])
            else:
                going[row] = self.epochs - self.best_epoch[model] < patience
        if not going.all():
            rows = torch.from_numpy(np.flatnonzero(going)).to(self.weights[0].device)
            self.running = self.running[going]
            self.weights = [weight[rows] for weight in self.weights]
            self.moments = [[each[rows] for each in some] for some in self.moments]

    def _keep(self, model: int, weights: Weights) -> None:
        self.best_epoch[model] = self.epochs
        for best, weight in zip(self.best, weights, strict=True):
            best[model] = weight

    def finish(self) -> None:
        """Without validation: keep the last weights, where they are finite."""
        for row, model in enumerate(self.running.tolist()):
            last = [weight[row] for weight in self.weights]
            finite = all(bool(weight.isfinite().all()) for weight in last)
            self._keep(model, last if finite else [torch.full_like(weight, torch.nan) for weight in last])

    def layers(self, model: int) -> tuple[tuple[Values, Values], ...]:
        """((D, H), (H,)) and ((H, K), (K,)): what was kept of a model."""
        first, first_bias, last, last_bias = (weight[model].cpu().numpy() for weight in self.best)
        return (first, first_bias[0]), (last, last_bias[0])
