"""The loss of CPC against the paper's equations in loops, and what negatives are drawn."""

import math

import pytest
import torch

from semisupcon.errors import UserError
from semisupcon.objectives.future import Future, draw_negatives, future_frames, neighbourhoods

NAN = math.nan
WINDOWS, FRAMES, DIM, CHANNELS = 3, 7, 4, 5


def case(seed=0, **options):
    torch.manual_seed(seed)
    objective = Future(DIM, CHANNELS, **{"steps": 3, "negatives": 6, **options})
    for predictor in objective.predictors:
        predictor.reset_parameters()  # they begin at 0
    return objective, torch.randn(WINDOWS, FRAMES, DIM), torch.randn(WINDOWS, FRAMES, CHANNELS)


def slow_loss(objective, contexts, latents, negatives, scale):
    """Equation 4 with the f_k of equation 3, for every context and step, one number at a time, in float64.

    Args:
        negatives: for each step the (A, n) numbers of the frames that were drawn, w L + l.

    Returns:
        loss and accuracy of each step.
    """

    def score(step, window, frame, number):
        z = latents[number // FRAMES, number % FRAMES].double()
        weights = objective.predictors[step - 1].weight.double()
        c = contexts[window, frame].double()
        return scale * float(sum(z[i] * weights[i, j] * c[j] for i in range(CHANNELS) for j in range(DIM)))

    losses, accuracies = [], []
    for step, drawn in enumerate(negatives, start=1):
        total, right, anchor = 0.0, 0, 0
        for window in range(WINDOWS):
            for frame in range(FRAMES - step):
                true = score(step, window, frame, window * FRAMES + frame + step)
                others = [score(step, window, frame, number) for number in drawn[anchor].tolist()]
                total -= math.log(math.exp(true) / (math.exp(true) + sum(map(math.exp, others))))
                right += true > max(others)
                anchor += 1
        losses.append(total / anchor)
        accuracies.append(right / anchor)
    return losses, accuracies


@pytest.mark.parametrize(("scale", "factor"), [(None, 1 / CHANNELS), (1.0, 1.0), (2.5, 2.5)])
def test_equals_equation_4_in_loops(scale, factor):
    objective, contexts, latents = case(scale=scale)
    neighbourhood = torch.tensor([0, 1, 0])
    torch.manual_seed(5)
    found = objective(contexts, latents, neighbourhood)
    torch.manual_seed(5)
    negatives = [draw_negatives(neighbourhood, FRAMES, step, 6) for step in (1, 2, 3)]
    with torch.no_grad():
        loss, accuracy = slow_loss(objective, contexts, latents, negatives, factor)
    assert found.loss.tolist() == pytest.approx(loss, rel=1e-5)
    assert found.accuracy.tolist() == pytest.approx(accuracy)
    assert 0 < sum(accuracy) < 3


def test_the_loss_of_given_negatives():
    """Of whichever frames; here of all, the true future among them."""
    objective, contexts, latents = case(steps=1, scale=1.0)
    negatives = torch.arange(WINDOWS * FRAMES).expand(WINDOWS * (FRAMES - 1), -1)
    with torch.no_grad():
        loss, accuracy = objective.step(1, contexts, latents, negatives)
        wanted = slow_loss(objective, contexts, latents, [negatives], 1.0)
    assert loss.item() == pytest.approx(wanted[0][0], rel=1e-5)
    assert accuracy == 0


@pytest.mark.parametrize("count", [1, 6, 128])
def test_closed_form_where_nothing_is_told_apart(count):
    objective, contexts, latents = case(negatives=count)
    found = objective(contexts, torch.ones_like(latents), torch.zeros(WINDOWS))
    torch.testing.assert_close(found.loss, torch.full((3,), math.log(1 + count)))
    assert found.accuracy.tolist() == [0, 0, 0]  # a tie is no success


def test_an_untrained_objective_tells_nothing_apart_and_can_learn():
    objective = Future(DIM, CHANNELS, steps=3, negatives=6)
    _, contexts, latents = case()
    found = objective(contexts, latents, torch.zeros(WINDOWS))
    torch.testing.assert_close(found.loss, torch.full((3,), math.log(7)))
    found.loss.sum().backward()
    assert all(predictor.weight.grad.abs().max() > 0 for predictor in objective.predictors)


def test_closed_form_where_the_future_is_known():
    """One-hot latents at a scale of s, predicted exactly: log(1 + n exp(−s)) where no other frame is alike."""
    objective = Future(WINDOWS * FRAMES, WINDOWS * FRAMES, steps=2, negatives=10, scale=3.0)
    latents = torch.eye(WINDOWS * FRAMES).view(WINDOWS, FRAMES, -1)
    with torch.no_grad():
        for step, predictor in enumerate(objective.predictors, start=1):
            predictor.weight.copy_(torch.eye(WINDOWS * FRAMES).roll(step, dims=0))
    found = objective(latents, latents, torch.zeros(WINDOWS))
    torch.testing.assert_close(found.loss, torch.full((2,), math.log(1 + 10 * math.exp(-3))))
    assert found.accuracy.tolist() == [1, 1]


@pytest.mark.parametrize("step", [1, 2, 6])
def test_the_true_future_is_so_many_frames_later_in_the_same_window(step):
    found = future_frames(WINDOWS, FRAMES, step, torch.device("cpu"))
    assert found.tolist() == [w * FRAMES + frame + step for w in range(WINDOWS) for frame in range(FRAMES - step)]


def test_gradients_by_finite_differences(monkeypatch):
    monkeypatch.setattr(torch.Tensor, "float", lambda self: self)  # let float64 through, for this check only
    objective, contexts, latents = case(steps=2, scale=1.0)
    objective = objective.double()
    negatives = draw_negatives(torch.zeros(WINDOWS), FRAMES, 2, 4)
    weight = objective.predictors[1].weight.detach().clone().requires_grad_()

    def loss(contexts, latents, weight):
        return torch.func.functional_call(objective, {"predictors.1.weight": weight}, (contexts, latents))

    monkeypatch.setattr(objective, "forward", lambda *inputs: objective.step(2, *inputs, negatives)[0])
    assert torch.autograd.gradcheck(
        loss, [contexts.double().requires_grad_(), latents.double().requires_grad_(), weight]
    )


def test_under_autocast_logits_are_float32():
    objective, contexts, latents = case()
    with torch.autocast("cpu", torch.bfloat16):
        torch.manual_seed(0)
        found = objective(contexts.bfloat16(), latents.bfloat16(), torch.zeros(WINDOWS))
    assert found.loss.dtype == torch.float32
    torch.manual_seed(0)
    torch.testing.assert_close(found.loss, objective(contexts, latents, torch.zeros(WINDOWS)).loss, rtol=0.02, atol=0)


def test_the_same_seed_draws_the_same():
    objective, contexts, latents = case()
    losses = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        losses.append(objective(contexts, latents, torch.zeros(WINDOWS)).loss)
    assert torch.equal(losses[0], losses[1])
    assert not torch.equal(losses[0], losses[2])


LABELS = [[0, 1, 0], [NAN] * 3, [0, 1, 1], [1, 0, 0], [0, 0, 0], [NAN] * 3]  # of six clips
LABELLED = [True, False, True, True, True, True]
VIEWS = 2
LENDERS = {  # who lends to whom, clips as sets
    "any": lambda a, c: True,
    "same_sequence": lambda a, c: a == c,
    "sequential": lambda a, c: a // VIEWS == c // VIEWS,
    "same_category": lambda a, c: a == c or (a // VIEWS, c // VIEWS) in {(0, 0), (0, 2), (2, 0), (2, 2), (3, 3)},
}


@pytest.mark.parametrize("source", LENDERS)
@pytest.mark.parametrize("step", [1, 3])
def test_every_source_draws_from_all_that_it_may_and_nothing_else(source, step):
    frames, windows = 4, VIEWS * len(LABELS)
    neighbourhood = neighbourhoods(source, torch.tensor(LABELS), torch.tensor(LABELLED), VIEWS)
    assert neighbourhood.shape == (windows,)
    drawn = draw_negatives(neighbourhood, frames, step, 4000)
    assert drawn.shape == (windows * (frames - step), 4000)
    anchors = [(window, frame) for window in range(windows) for frame in range(frames - step)]
    for (window, frame), row in zip(anchors, drawn, strict=True):
        allowed = {
            other * frames + each
            for other in range(windows)
            for each in range(frames)
            if LENDERS[source](window, other) and (other, each) != (window, frame + step)
        }
        numbers, counts = row.unique(return_counts=True)
        assert set(numbers.tolist()) == allowed
        expected = 4000 / len(allowed)  # each as likely as any other, within six deviations
        assert (counts - expected).abs().max() < 6 * expected**0.5


def test_more_negatives_than_frames_are_drawn_with_replacement():
    drawn = draw_negatives(torch.arange(2), 3, 1, 50)
    assert [sorted(set(row.tolist())) for row in drawn] == [[0, 2], [0, 1], [3, 5], [3, 4]]


@pytest.mark.parametrize("windows", [[0], [0, 0], [5, 6]])
def test_a_single_other_frame_is_enough(windows):
    drawn = draw_negatives(torch.tensor(windows), 2, 1, 3)
    assert not (drawn == future_frames(len(windows), 2, 1, drawn.device)[:, None]).any()


def test_windows_without_another_frame_are_refused():
    with pytest.raises(UserError, match="target_len"):
        draw_negatives(torch.zeros(3), 1, 1, 4)


def test_windows_that_end_before_the_last_step_are_refused():
    objective, contexts, latents = case(steps=7)
    with pytest.raises(UserError, match=r"7 frames .* 7 steps"):
        objective(contexts, latents, torch.zeros(WINDOWS))


def test_sequential_negatives_need_neighbours():
    with pytest.raises(UserError, match=r"--data.views=2"):
        neighbourhoods("sequential", torch.zeros(4, 0), torch.zeros(4, dtype=torch.bool), 1)


@pytest.mark.parametrize("source", LENDERS)
def test_no_labels_at_all(source):
    found = neighbourhoods(source, torch.zeros(3, 0), torch.zeros(3, dtype=torch.bool), 2)
    assert len(found.unique()) == {"any": 1, "sequential": 3}.get(source, 6)


@pytest.mark.parametrize("options", [{"steps": 0}, {"negatives": 0}])
def test_no_steps_or_negatives_are_refused(options):
    with pytest.raises(UserError, match="at least 1"):
        case(**options)
