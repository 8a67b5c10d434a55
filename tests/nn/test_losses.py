import math
from functools import partial

import numpy as np
import pytest
import torch

from sklearn_dl.nn import absolute_error, cross_entropy, huber, quantile, squared_error, weighted_mean

REAL_LOSSES = [squared_error, absolute_error, huber, quantile]


def rows(*values):
    return torch.tensor(values, dtype=torch.float64)


def best_constant(loss, target):
    """Constant prediction with the least mean loss, by a fine grid."""
    grid = torch.linspace(target.min(), target.max(), 20_001, dtype=torch.float64)
    means = torch.stack([loss(constant.expand(len(target)), target).mean() for constant in grid])
    return grid[means.argmin()].item()


def test_cross_entropy_of_equal_logits_is_the_logarithm_of_the_number_of_classes():
    torch.testing.assert_close(
        cross_entropy(torch.zeros(3, 8).double(), torch.tensor([0, 3, 7])), rows(*[math.log(8)] * 3)
    )


def test_cross_entropy_of_two_classes_is_the_logistic_loss():
    margin = torch.linspace(-50, 50, 21, dtype=torch.float64)
    logits = torch.stack([torch.zeros(21), margin], dim=1)
    expected = np.logaddexp(0, -margin.numpy())
    np.testing.assert_allclose(cross_entropy(logits, torch.ones(21, dtype=torch.int64)), expected, atol=1e-14)


def test_label_smoothing_is_cross_entropy_with_a_share_spread_over_all_classes():
    logits, target = torch.randn(9, 5, dtype=torch.float64), torch.arange(9) % 5
    spread = 0.8 * torch.eye(5, dtype=torch.float64)[target] + 0.2 / 5
    expected = -(spread * torch.log_softmax(logits, 1)).sum(1)
    torch.testing.assert_close(cross_entropy(logits, target, label_smoothing=0.2), expected)
    torch.testing.assert_close(cross_entropy(logits, spread), expected)


def test_errors_of_one_row_by_hand():
    pred, target = rows([1.0, 4.0]), rows([3.0, 4.5])
    torch.testing.assert_close(squared_error(pred, target), rows((4 + 0.25) / 2))
    torch.testing.assert_close(absolute_error(pred, target), rows((2 + 0.5) / 2))
    torch.testing.assert_close(huber(pred, target, delta=1.0), rows((1 * (2 - 0.5) + 0.5 * 0.25) / 2))
    torch.testing.assert_close(quantile(pred, target, q=0.9), rows((0.9 * 2 + 0.9 * 0.5) / 2))
    torch.testing.assert_close(quantile(target, pred, q=0.9), rows((0.1 * 2 + 0.1 * 0.5) / 2))


def test_huber_is_half_the_squared_error_for_large_delta_and_the_absolute_error_for_small():
    pred, target = torch.randn(2, 50, dtype=torch.float64)
    torch.testing.assert_close(huber(pred, target, delta=100.0), squared_error(pred, target) / 2)
    torch.testing.assert_close(
        huber(pred, target, delta=1e-9) / 1e-9, absolute_error(pred, target), atol=1e-8, rtol=0
    )


def test_median_loss_is_half_the_absolute_error():
    pred, target = torch.randn(2, 50, dtype=torch.float64)
    torch.testing.assert_close(quantile(pred, target, q=0.5), absolute_error(pred, target) / 2)


@pytest.mark.parametrize("q", [0.1, 0.5, 0.83])
def test_quantile_loss_is_least_at_the_empirical_quantile(q):
    target = torch.randn(201, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    expected = np.quantile(target.numpy(), q, method="inverted_cdf")
    assert best_constant(partial(quantile, q=q), target) == pytest.approx(expected, abs=1e-3)


def test_squared_error_is_least_at_the_mean_and_absolute_error_at_the_median():
    target = torch.randn(201, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).exp()
    assert best_constant(squared_error, target) == pytest.approx(target.mean().item(), abs=1e-3)
    assert best_constant(absolute_error, target) == pytest.approx(target.median().item(), abs=1e-3)


@pytest.mark.parametrize("loss", REAL_LOSSES)
def test_real_losses_give_one_value_a_row_the_mean_over_the_outputs(loss):
    pred, target = torch.randn(2, 7, 3, dtype=torch.float64)
    columns = [loss(pred[:, j], target[:, j]) for j in range(3)]
    torch.testing.assert_close(loss(pred, target), sum(columns) / 3)


@pytest.mark.parametrize("loss", REAL_LOSSES)
@pytest.mark.parametrize(("pred", "target"), [((7,), (7, 1)), ((7, 1), (7,)), ((7, 2), (7, 1)), ((7,), (1,))])
def test_shapes_that_would_broadcast_are_rejected(loss, pred, target):
    with pytest.raises(ValueError, match=rf"{loss.__name__} needs pred and target of one shape"):
        loss(torch.zeros(pred), torch.zeros(target))


@pytest.mark.parametrize(
    ("logits", "target"), [((7, 3), (7, 1)), ((7, 3), (6,)), ((7,), (7,)), ((7, 3), (7, 2))]
)
def test_cross_entropy_rejects_targets_of_other_shapes(logits, target):
    with pytest.raises(ValueError, match=r"cross_entropy needs logits of shape \(n_samples, n_classes\)"):
        cross_entropy(torch.zeros(logits), torch.zeros(target, dtype=torch.int64))


def test_integer_weights_count_repetitions():
    losses, times = torch.randn(6, dtype=torch.float64), torch.tensor([1, 0, 3, 2, 1, 5])
    repeated = losses.repeat_interleave(times).mean()
    torch.testing.assert_close(weighted_mean(losses, times.double()), repeated)


def test_mean_without_weights_is_plain():
    losses = torch.randn(6, dtype=torch.float64)
    torch.testing.assert_close(weighted_mean(losses), losses.sum() / 6)


def test_weights_that_are_all_zero_give_neither_loss_nor_gradient():
    losses = torch.randn(6, requires_grad=True)
    mean = weighted_mean(losses, torch.zeros(6))
    mean.backward()
    assert mean == 0
    assert (losses.grad == 0).all()


def test_weights_of_another_shape_are_rejected():
    with pytest.raises(ValueError, match="weighted_mean needs one weight a loss"):
        weighted_mean(torch.zeros(6), torch.zeros(6, 1))
