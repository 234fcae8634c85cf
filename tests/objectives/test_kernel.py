"""The kernel against slow loops, closed forms, finite differences and pytorch-metric-learning."""

import math

import pytest
import torch
from torch.nn import functional

from semisupcon.objectives import kernel
from semisupcon.objectives.kernel import mean, rows, rows_in_chunks


def slow_loss(logits, targets, keep):
    """The equation of the loss read aloud, one anchor and one candidate at a time, in float64."""
    losses = []
    for a in range(len(logits)):
        total = sum(float(targets[a, c]) for c in range(logits.shape[1]) if keep[a, c])
        if total == 0:
            continue
        denominator = math.log(sum(math.exp(float(logits[a, c])) for c in range(logits.shape[1]) if keep[a, c]))
        losses.append(
            -sum(
                float(targets[a, c]) / total * (float(logits[a, c]) - denominator)
                for c in range(logits.shape[1])
                if keep[a, c]
            )
        )
    return sum(losses) / len(losses) if losses else 0.0


def random_case(seed, anchors=7, candidates=11):
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(anchors, candidates, generator=generator) * 3
    targets = torch.rand(anchors, candidates, generator=generator)
    targets = targets * (torch.rand(anchors, candidates, generator=generator) < 0.3)
    keep = torch.rand(anchors, candidates, generator=generator) < 0.8
    return logits, targets, keep


@pytest.mark.parametrize("seed", range(5))
def test_equals_the_slow_loop(seed):
    logits, targets, keep = random_case(seed)
    assert mean(rows(logits, targets, keep)).item() == pytest.approx(slow_loss(logits, targets, keep), rel=1e-5)


def test_closed_form_of_equal_logits():
    """If nothing is distinguished, the loss is the log of the number of candidates."""
    everyone = torch.ones(4, 9, dtype=torch.bool)
    loss = mean(rows(torch.full((4, 9), 2.5), torch.eye(4, 9), everyone))
    assert loss.item() == pytest.approx(math.log(9), rel=1e-6)


def test_closed_form_of_two_candidates():
    loss = mean(rows(torch.tensor([[1.0, 3.0]]), torch.tensor([[1.0, 0.0]]), torch.ones(1, 2, dtype=torch.bool)))
    assert loss.item() == pytest.approx(math.log(1 + math.exp(2)), rel=1e-6)


def test_gradient_by_finite_differences(monkeypatch):
    monkeypatch.setattr(torch.Tensor, "float", lambda self: self)  # let float64 through, for this check only
    logits, targets, keep = (x.double() if x.is_floating_point() else x for x in random_case(3, 4, 6))
    keep[2] = False  # a row that keeps nobody
    logits.requires_grad_()
    assert torch.autograd.gradcheck(lambda x: mean(rows(x, targets, keep)), (logits,))


def test_gradient_in_closed_form():
    """d loss / d logits = (softmax − normalised targets) / anchors."""
    logits, targets, keep = random_case(4)
    logits.requires_grad_()
    mean(rows(logits, targets, keep)).backward()
    weights = targets * keep
    counted = weights.sum(1, keepdim=True) > 0
    softmax = torch.softmax(logits.detach().masked_fill(~keep, -torch.inf), 1)
    expected = (softmax - weights / weights.sum(1, keepdim=True).clamp_min(1e-12)) * counted / counted.sum()
    torch.testing.assert_close(logits.grad, expected, atol=1e-6, rtol=1e-5)


def test_equals_supcon_of_pytorch_metric_learning():
    losses = pytest.importorskip("pytorch_metric_learning.losses")
    z = torch.randn(24, 16, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(24) % 5
    unit = functional.normalize(z, dim=1)
    keep = ~torch.eye(24, dtype=torch.bool)
    ours = mean(rows(unit @ unit.T / 0.1, (labels[:, None] == labels).float(), keep))
    theirs = losses.SupConLoss(temperature=0.1)(z, labels)
    assert ours.item() == pytest.approx(theirs.item(), abs=1e-5)


def test_finite_at_a_temperature_of_a_hundredth():
    z = functional.normalize(torch.randn(32, 8, generator=torch.Generator().manual_seed(1)), dim=1).requires_grad_()
    keep = ~torch.eye(32, dtype=torch.bool)
    targets = torch.zeros(32, 32)
    targets[torch.arange(32), torch.arange(32) ^ 1] = 1
    loss = mean(rows(z @ z.T / 0.01, targets, keep))
    loss.backward()
    assert loss.item() > 13.9  # where log(x + 1e-6) would have stopped
    assert z.grad.isfinite().all()


def test_small_losses_survive_half_precision_logits():
    """A loss of .01 is computed in float32 even where the logits arrive in bfloat16."""
    logits = torch.tensor([[10.0, 5.625]], dtype=torch.bfloat16)
    loss = mean(rows(logits, torch.tensor([[1.0, 0.0]]), torch.ones(1, 2, dtype=torch.bool)))
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(math.log1p(math.exp(-4.375)), rel=1e-4)


def test_anchors_without_a_positive_are_left_out():
    logits, _, _ = random_case(0, 3, 3)
    keep = torch.ones(3, 3, dtype=torch.bool)
    targets = torch.tensor([[0.0, 1, 0], [0, 0, 0], [1, 0, 0]])
    found = rows(logits, targets, keep)
    assert found.counted.tolist() == [True, False, True]
    assert mean(found).item() == pytest.approx(slow_loss(logits, targets, keep), rel=1e-5)


def test_no_anchor_at_all_is_zero_with_a_gradient_of_zero():
    logits = torch.randn(3, 4, requires_grad=True)
    loss = mean(rows(logits, torch.zeros(3, 4), torch.zeros(3, 4, dtype=torch.bool)))
    loss.backward()
    assert loss.item() == 0
    assert logits.grad.abs().sum() == 0


@pytest.mark.parametrize("chunk", [1, 3, 7, 100])
def test_chunks_change_neither_loss_nor_gradient(chunk):
    generator = torch.Generator().manual_seed(2)
    z = torch.randn(13, 6, generator=generator)
    targets = (torch.rand(13, 13, generator=generator) < 0.3).float()
    keep = ~torch.eye(13, dtype=torch.bool)
    whole, parts = z.clone().requires_grad_(), z.clone().requires_grad_()
    mean(rows(whole @ whole.T, targets, keep)).backward()
    loss = mean(rows_in_chunks(13, lambda s: parts[s] @ parts.T, lambda s: (targets[s], keep[s]), chunk))
    loss.backward()
    assert loss.item() == pytest.approx(mean(rows(z @ z.T, targets, keep)).item(), rel=1e-6)
    torch.testing.assert_close(parts.grad, whole.grad, atol=1e-6, rtol=1e-5)


def test_no_anchors():
    found = kernel.rows_in_chunks(0, lambda s: torch.zeros(0, 3), lambda s: (torch.zeros(0, 3), torch.zeros(0, 3) > 0))
    assert mean(found).item() == 0
