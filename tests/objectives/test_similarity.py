"""Similarity, projection head and the numbers that describe an embedding."""

import math

import pytest
import torch

from semisupcon.errors import UserError
from semisupcon.objectives.diagnostics import alignment, effective_rank, uniformity
from semisupcon.objectives.projection import MLP, LinearTanh
from semisupcon.objectives.similarity import Bilinear, Cosine


def test_cosine_is_the_angle_over_the_temperature():
    a, c = torch.tensor([[3.0, 0.0]]), torch.tensor([[0.5, 0.5], [-2.0, 0.0]])
    torch.testing.assert_close(Cosine(0.1)(a, c), torch.tensor([[10 / math.sqrt(2), -10.0]]))


def test_cosine_stays_in_float32_under_autocast():
    a = torch.randn(8, 16, generator=torch.Generator().manual_seed(0))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = Cosine(0.01)(a.bfloat16(), a.bfloat16())
    assert found.dtype == torch.float32
    assert found.diagonal().sub(100).abs().max() < 1e-3


def test_bilinear_by_loops():
    torch.manual_seed(0)
    similarity, a, c = Bilinear(3), torch.randn(4, 3), torch.randn(5, 3)
    w = similarity.weight
    expected = [[sum(x[i] * w[i, j] * y[j] for i in range(3) for j in range(3)) for y in c] for x in a]
    torch.testing.assert_close(similarity(a, c), torch.tensor(expected))


def test_bilinear_has_the_right_gradient_and_stays_in_float32_under_autocast():
    torch.manual_seed(0)
    a, c, w = (torch.randn(n, 3, dtype=torch.float64, requires_grad=True) for n in (4, 5, 3))

    def of(a, c, w):
        similarity = Bilinear(3)
        return torch.func.functional_call(similarity, {"weight": w}, (a, c))

    # The product itself is in float32, whose rounding asks for a wide step.
    assert torch.autograd.gradcheck(of, (a, c, w), eps=1e-2, atol=1e-3)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert of(a.bfloat16(), c.bfloat16(), w.float()).dtype == torch.float32


def test_bilinear_logits_begin_at_the_size_of_a_projection():
    torch.manual_seed(0)
    z = torch.rand(400, 512) * 2 - 1
    assert Bilinear(512)(z[:200], z[200:]).std().item() == pytest.approx((512 / 9) ** 0.5, rel=0.05)


def test_bilinear_of_another_size_is_refused():
    with pytest.raises(UserError, match=r"dim=512.*the projection gives 64\. Make .*the same"):
        Bilinear(512)(torch.zeros(1, 64), torch.zeros(1, 64))
    with pytest.raises(ValueError, match="at least 1"):
        Bilinear(0)


def test_colas_projection():
    head = LinearTanh(1280)
    assert sum(p.numel() for p in head.parameters()) == 1280 * 512 + 512 + 2 * 512
    x = torch.randn(3, 1280)
    linear = x @ head[0].weight.T + head[0].bias
    normal = (linear - linear.mean(1, keepdim=True)) / (linear.var(1, correction=0, keepdim=True) + 1e-5).sqrt()
    torch.testing.assert_close(head(x), normal.tanh())


def test_projection_of_the_paper():
    head = MLP(512)
    assert sum(p.numel() for p in head.parameters()) == 512 * 512 + 512 * 128
    assert head(torch.randn(3, 512)).shape == (3, 128)


def test_alignment_by_loops():
    x = torch.randn(6, 4, generator=torch.Generator().manual_seed(0))
    file = torch.tensor([0, 0, 1, 1, 1, 2])
    unit = x / x.norm(dim=1, keepdim=True)
    pairs = [(i, j) for i in range(6) for j in range(6) if i != j and file[i] == file[j]]
    expected = sum(((unit[i] - unit[j]) ** 2).sum() for i, j in pairs) / len(pairs)
    torch.testing.assert_close(alignment(x, file), expected)


def test_uniformity_by_loops():
    x = torch.randn(5, 4, generator=torch.Generator().manual_seed(1))
    unit = x / x.norm(dim=1, keepdim=True)
    pairs = [(i, j) for i in range(5) for j in range(i)]
    expected = torch.stack([torch.exp(-2 * ((unit[i] - unit[j]) ** 2).sum()) for i, j in pairs]).mean().log()
    torch.testing.assert_close(uniformity(x), expected)


def test_effective_rank():
    assert effective_rank(torch.ones(10, 4)).item() == pytest.approx(1)  # collapsed
    line = torch.randn(50, 1) @ torch.randn(1, 8)
    assert effective_rank(line).item() == pytest.approx(1, abs=1e-2)
    cross = torch.cat([torch.eye(4), -torch.eye(4)])
    assert effective_rank(cross).item() == pytest.approx(4, rel=1e-4)
