"""Losses of stochastic gradient descent: values and slopes, on arrays, tensors and in compiled code."""

import numpy as np
import pytest
from sklearn.linear_model import SGDClassifier as Peer
from sklearn.linear_model import _sgd_fast as peer_losses

from sklearn_dl.linear_model.sgd_losses import CLASSIFICATION_LOSSES, LOSS_CODES, REGRESSION_LOSSES
from sklearn_dl.linear_model.sgd_row_losses import row_gradient, row_loss

EPSILON = 0.3
LOSSES = pytest.mark.parametrize("name", CLASSIFICATION_LOSSES)


def points(name):
    """Targets and scores on both sides of every kink, and away from them."""
    scores = np.concatenate([np.linspace(-3.03, 3.05, 61), [-40.0, 40.0]])
    targets = [-1.0, 1.0] if name not in REGRESSION_LOSSES else [-1.0, 0.0, 0.71]
    y, p = np.meshgrid(targets, scores)
    return y.ravel(), p.ravel()


@LOSSES
def test_the_slope_is_the_difference_quotient(name):
    y, p = points(name)
    loss, h = CLASSIFICATION_LOSSES[name][0], 1e-6
    slope = (loss(y, p + h, EPSILON)[0] - loss(y, p - h, EPSILON)[0]) / (2 * h)
    np.testing.assert_allclose(loss(y, p, EPSILON)[1], slope, atol=2e-7 * 80)


@LOSSES
def test_compiled_code_computes_the_loss_of_arrays(name):
    y, p = points(name)
    value, gradient = CLASSIFICATION_LOSSES[name][0](y, p, EPSILON)
    code = LOSS_CODES[name]
    np.testing.assert_allclose(
        [row_loss(code, EPSILON, *at) for at in zip(y, p, strict=True)], value, rtol=1e-14
    )
    slopes = [row_gradient(code, EPSILON, *at) for at in zip(y, p, strict=True)]
    np.testing.assert_allclose(slopes, gradient, rtol=1e-14)


@LOSSES
def test_tensors_have_the_loss_of_arrays(name):
    torch = pytest.importorskip("torch")
    y, p = points(name)
    loss = CLASSIFICATION_LOSSES[name][0]
    for ours, expected in zip(
        loss(torch.from_numpy(y), torch.from_numpy(p), EPSILON), loss(y, p, EPSILON), strict=True
    ):
        np.testing.assert_allclose(ours.numpy(), expected, rtol=1e-14)


@pytest.mark.parametrize(
    ("name", "peer"),
    [
        ("hinge", peer_losses.Hinge(1.0)),
        ("perceptron", peer_losses.Hinge(0.0)),
        ("squared_hinge", peer_losses.SquaredHinge(1.0)),
        ("modified_huber", peer_losses.ModifiedHuber()),
        ("epsilon_insensitive", peer_losses.EpsilonInsensitive(EPSILON)),
        ("squared_epsilon_insensitive", peer_losses.SquaredEpsilonInsensitive(EPSILON)),
    ],
)
def test_losses_and_slopes_are_scikit_learns_at_kinks_too(name, peer):
    y, p = points(name)
    y, p = np.append(y, [1.0, -1.0, 1.0]), np.append(p, [1.0, -1.0, 0.0])
    value, gradient = CLASSIFICATION_LOSSES[name][0](y, p, EPSILON)
    np.testing.assert_allclose(value, [peer.py_loss(*at) for at in zip(p, y, strict=True)], atol=1e-15)
    np.testing.assert_allclose(gradient, [peer.py_dloss(*at) for at in zip(p, y, strict=True)], atol=1e-15)


def test_log_loss_is_finite_and_exact_far_out():
    loss = CLASSIFICATION_LOSSES["log_loss"][0]
    value, gradient = loss(np.array([1.0, -1.0, 1.0]), np.array([-1e4, -1e4, 1e4]), 0.0)
    np.testing.assert_array_equal(value, [1e4, 0, 0])
    np.testing.assert_array_equal(gradient, [-1, 0, 0])


def test_the_names_are_scikit_learns():
    assert CLASSIFICATION_LOSSES.keys() == Peer.loss_functions.keys() == LOSS_CODES.keys()
