"""Logistic regression solved to its optimum, for one weight decay after the other.

For exclusive classes the softmax cross-entropy is minimised, for tags K independent binary ones:

    Σ_s w_s (log Σ_k exp z_sk − Σ_k y_sk z_sk) + decay/2 ‖W‖²
    Σ_k [Σ_s w_sk (log(1 + exp z_sk) − y_sk z_sk) + decay/2 ‖W_k‖²]

with z = W x + b. The biases are free but for a trace: ``BIAS_DECAY`` / 2 ‖b‖² keeps the bias of a class without clips
(or of a tag that is always or never there), whose optimum is at minus infinity, near -20, a probability of about 2e-9.

By L-BFGS (Nocedal & Wright 2006, algorithm 7.5; the code of scipy) on transformed weights. x is turned onto the axes of
its covariance, of variance λ_j, which leaves ‖W‖ as it is, and the weight of an axis is counted in units of
1/√(c λ_j + decay) with c the mean of p (1 − p): in these units the curvature is about one in every direction, where
embeddings, correlated as they are, have one that spans many orders of magnitude.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from scipy.optimize import OptimizeResult, minimize
from torch import Tensor
from torch.nn import functional

from semisupcon.evaluation.readout import Values
from semisupcon.evaluation.rows import Rows

BIAS_DECAY = 1e-10

# The loss curves at least by ``decay`` in every direction of W, so that ‖gradient‖ <= TOLERANCE · decay · ‖W‖ says that
# W is within TOLERANCE · ‖W‖ of its optimum. For a bias, whose loss curves by π (1 − π) or
# less once the classes are told apart, a tenth of that is asked in logits.
TOLERANCE = 1e-4

# Past steps that L-BFGS knows; more save hardly a step and cost more than they save.
MEMORY = 10
ITERATIONS = 10_000


MEMORY = 10
ITERATIONS = 10_000


class Logistic:
    """The loss of one training set, as a function of theta (K, r + 1): the weights of the axes, and the biases.

    Args:
        rows: its segments.
        labels: (K, M) 0 or 1; anything where the weight is 0.
        weight: (K, M), or (1, M) where all classes have the same: how much each segment of a clip counts.
        exclusive: softmax over the classes, not a sigmoid of each.
    """

    def __init__(self, rows: Rows, labels: Tensor, weight: Tensor, exclusive: bool) -> None:
        self.rows, self.weight, self.exclusive = rows, weight, exclusive
        self.pull = rows.totals(labels * weight)  # (K, r + 1) Σ w y x
        self.share = self.pull[:, -1].cpu().numpy()  # (K,) π
        spread, axes = torch.linalg.eigh(rows.moments(weight.mean(dim=0))[:-1, :-1])
        self.spread = torch.cat([spread.clamp_min(0), spread.new_ones(1)])  # (r + 1,) λ
        self.axes = torch.block_diag(axes, axes.new_ones(1, 1))

    def start(self) -> Tensor:
        """The optimum without features: no weights, and the classes' frequencies as biases."""
        share = torch.from_numpy(self.share).to(self.pull.device).clamp(2e-9, 1 - 2e-9)
        bias = share.log() - share.log().mean() if self.exclusive else torch.logit(share)
        known = (self.weight > 0).any(dim=1)  # a tag without known labels has nothing to say: probability one half
        return torch.cat([torch.zeros_like(self.pull[:, :-1]), torch.where(known, bias, 0.0)[:, None]], dim=1)

    def curvature(self, theta: Tensor) -> Tensor:
        """(K, 1) Σ w p (1 − p) of each tag; of exclusive classes the mean over them, so that Σ_k W_k stays 0."""
        total = self.pull.new_zeros(len(theta))
        for x, clip in self.rows:
            z = theta @ self.axes.T @ x.T  # (K, n)
            p = z.softmax(dim=0) if self.exclusive else z.sigmoid()
            total += (p * (1 - p) * self.weight[:, clip]).sum(dim=1)
        return (total.mean().expand_as(total) if self.exclusive else total)[:, None]

    def __call__(self, theta: Tensor, ridge: Tensor) -> tuple[Tensor, Tensor]:
        """The loss and its (K, r + 1) gradient, with the decay of each column of theta, ridge (r + 1,)."""
        weight, shrink = theta @ self.axes.T, ridge * theta
        loss = (shrink * theta).sum() / 2 - (weight * self.pull).sum()
        slope = -self.pull
        for x, clip in self.rows:
            z, w = weight @ x.T, self.weight[:, clip]  # (K, n), (K or 1, n)
            if self.exclusive:
                top = z.amax(dim=0)
                p = z.sub_(top).exp_()
                total = p.sum(dim=0)
                loss = loss + (w[0] * (top + total.log())).sum()
                p *= w[0] / total
            else:
                loss = loss + (w * functional.softplus(z, threshold=40.0)).sum()
                p = z.sigmoid_().mul_(w)
            slope = torch.addmm(slope, p, x)
        return loss, torch.addmm(shrink, slope, self.axes)

    def settled(self, theta: Values, gradient: Values, decay: float) -> bool:
        """Whether weights and biases are as near to the optimum as ``TOLERANCE`` says."""
        if np.linalg.norm(gradient[:, :-1]) > TOLERANCE * decay * np.linalg.norm(theta[:, :-1]):
            return False
        curvature = self.share * (1 - self.share)
        # The bias of a class without clips has nearly no curvature, and nobody asks where exactly it ends.
        return bool(((np.abs(gradient[:, -1]) <= TOLERANCE / 10 * curvature) | (curvature < 1e-12)).all())

    def solve(self, theta: Tensor, decay: float) -> Tensor:
        """The optimum, looked for from theta on."""
        ridge = torch.full_like(self.spread, decay)
        ridge[-1] = BIAS_DECAY
        unit = (self.curvature(theta) * self.spread + ridge).rsqrt()  # (K, r + 1)
        units = unit.cpu().numpy()
        slope = np.zeros(unit.numel())

        def evaluate(point: Values) -> tuple[float, Values]:
            nonlocal slope
            loss, gradient = self(torch.from_numpy(point).to(unit.device).view_as(unit) * unit, ridge)
            slope = (gradient * unit).view(-1).cpu().numpy()
            return float(loss), slope

        def stop(intermediate_result: OptimizeResult) -> None:
            point = intermediate_result.x.reshape(units.shape)  # the one that was evaluated last
            if self.settled(point * units, slope.reshape(units.shape) / units, decay):
                raise StopIteration

        options = {"maxcor": MEMORY, "gtol": 1e-10, "ftol": 0.0, "maxiter": ITERATIONS, "maxfun": 2 * ITERATIONS}
        first = (theta / unit).view(-1).cpu().numpy()
        found = minimize(evaluate, first, jac=True, method="L-BFGS-B", callback=stop, options=options)
        return torch.from_numpy(found.x).to(unit.device).view_as(unit) * unit


def logistic(
    rows: Rows, labels: Tensor, weight: Tensor, exclusive: bool, decays: Sequence[float]
) -> list[tuple[Values, Values]]:
    """(D, K) weights and (K,) biases for each decay; solved from the strongest to the weakest, each from the last.

    Args:
        rows: the training segments.
        labels: (K, M) 0 or 1, NaN = unknown.
        weight: (K, M) or (1, M), see :class:`Logistic`.
        exclusive: see :class:`Logistic`.
        decays: greater than 0.
    """
    loss = Logistic(rows, labels.nan_to_num(0.0), weight, exclusive)
    theta = loss.start()
    found: dict[float, tuple[Values, Values]] = {}
    for decay in sorted(set(decays), reverse=True):
        theta = loss.solve(theta, decay)
        found[decay] = rows.layer(theta @ loss.axes.T)
    return [found[decay] for decay in decays]
