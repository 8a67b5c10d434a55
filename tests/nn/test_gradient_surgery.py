"""Gradients that are turned round, and gradients that oppose one another."""

import numpy as np
import pytest
import torch
from torch import nn

from sklearn_dl.nn import PCGrad, reverse_gradient


def test_a_reversed_gradient_is_minus_the_finite_difference():
    X = torch.linspace(-1, 1, 6, dtype=torch.float64).reshape(2, 3).requires_grad_()

    def loss(rows):
        return (rows.sin() * torch.arange(6.0).reshape(2, 3)).sum()

    (gradient,) = torch.autograd.grad(loss(reverse_gradient(X, 0.7)), X)
    for place in np.ndindex(2, 3):
        step = torch.zeros_like(X)
        step[place] = 1e-6
        slope = (loss(X + step) - loss(X - step)) / 2e-6
        assert gradient[place].item() == pytest.approx(-0.7 * slope.item(), abs=1e-8)
    assert torch.equal(reverse_gradient(X), X)


def backward(*gradients):
    """What PCGrad writes for losses with the given gradients."""
    weight = nn.Parameter(torch.zeros(len(gradients[0]), dtype=torch.float64))
    PCGrad([weight]).backward([weight @ torch.tensor(g, dtype=torch.float64) for g in gradients])
    return weight.grad.tolist()


def test_gradients_that_agree_are_added():
    assert backward([1.0, 0.0], [1.0, 1.0]) == [2.0, 1.0]


def test_gradients_that_oppose_are_projected_before():
    # (1, 0) + 1/2 (-1, 1) = (1/2, 1/2); (-1, 1) + (1, 0) = (0, 1)
    assert backward([1.0, 0.0], [-1.0, 1.0]) == pytest.approx([0.5, 1.5])
    assert backward([1.0, 0.0], [-2.0, 0.0]) == pytest.approx([0.0, 0.0])
    assert backward([1.0, 0.0], [0.0, 0.0]) == [1.0, 0.0]


def test_the_result_of_two_opposes_neither():
    rng = np.random.default_rng(0)
    for _ in range(20):
        one, other = rng.normal(size=(2, 3))
        combined = np.array(backward(one.tolist(), other.tolist()))
        if one @ other < 0:
            assert combined @ one >= -1e-12
            assert combined @ other >= -1e-12
        else:
            np.testing.assert_allclose(combined, one + other)


def test_three_gradients_are_projected_one_after_the_other():
    gradients = [[1.0, 0.0, 0.0], [-1.0, 1.0, 0.0], [0.0, -1.0, 1.0]]
    seen = set()
    for seed in range(8):
        torch.manual_seed(seed)
        orders = [[j for j in torch.randperm(3).tolist() if j != i] for i in range(3)]
        expected = np.zeros(3)
        for i, order in enumerate(orders):
            g = np.array(gradients[i])
            for j in order:
                other = np.array(gradients[j])
                g = g - min(g @ other, 0) / (other @ other) * other
            expected += g
        torch.manual_seed(seed)
        assert backward(*gradients) == pytest.approx(expected.tolist())
        seen.add(tuple(np.round(expected, 6)))
    assert len(seen) > 1  # the order is drawn


def test_what_one_term_alone_reaches_keeps_its_gradient():
    shared, head = nn.Parameter(torch.ones(2)), nn.Parameter(torch.ones(1))
    unused = nn.Parameter(torch.ones(1))
    losses = [shared[0] * 1.0, -2 * shared[0] + shared[1] + 5 * head.sum()]
    PCGrad([shared, head, unused]).backward(losses)
    assert head.grad.tolist() == [5.0]
    assert unused.grad is None
    assert shared.grad.tolist() == pytest.approx(backward([1.0, 0.0], [-2.0, 1.0]))


def test_losses_that_are_not_numbers_are_refused():
    weight = nn.Parameter(torch.ones(2))
    with pytest.raises(ValueError, match=r"a single number each; got shapes \[\(2,\)\]"):
        PCGrad([weight]).backward([2 * weight])
    with pytest.raises(ValueError, match=r"got shapes \[\]"):
        PCGrad([weight]).backward([])
