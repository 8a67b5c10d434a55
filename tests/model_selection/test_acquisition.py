"""Acquisition functions against 50 digits, draws, and finite differences."""

import math

import numpy as np
import pytest
from scipy.optimize import approx_fprime

from sklearn_dl.model_selection.acquisition import (
    ACQUISITIONS,
    confidence_bound,
    expected_improvement,
    log_expected_improvement,
    log_probability_of_improvement,
)

mpmath = pytest.importorskip("mpmath")

FAR_AND_NEAR = [-1e6, -1e3, -60.0, -50.001, -49.999, -12.0, -3.0, -0.5, 0.0, 0.7, 4.0, 24.99, 25.01, 80.0]


def exact_log_ei(z):
    """Logarithm of phi(z) + z Phi(z) in 400 digits."""
    with mpmath.workdps(400):
        if z < -500:  # asymptotic series of Mills' ratio; the next term is below 1e-15 of the sum
            t = mpmath.mpf(z) ** -2
            return float(
                -(mpmath.mpf(z) ** 2) / 2 - mpmath.log(2 * mpmath.pi) / 2 + mpmath.log(t * (1 - 3 * t))
            )
        return float(mpmath.log(mpmath.npdf(z) + z * mpmath.erfc(-mpmath.mpf(z) / mpmath.sqrt(2)) / 2))


@pytest.mark.parametrize("z", FAR_AND_NEAR)
def test_log_ei_agrees_with_many_digits_however_far_from_improvement(z):
    std = 0.3
    worth = log_expected_improvement(np.array([-z * std]), np.array([std]), 0.0)
    assert worth.value[0] == pytest.approx(math.log(std) + exact_log_ei(z), rel=1e-11, abs=1e-11)


@pytest.mark.parametrize("name", ["log_ei", "ei", "log_pi", "ucb"])
@pytest.mark.parametrize("z", [-300.0, -50.0, -7.0, -0.1, 0.0, 1.3, 25.0, 40.0])
def test_derivatives_are_those_of_the_values(name, z):
    function = ACQUISITIONS[name].worth
    at = np.array([-0.4 * z, 0.4])

    def value(mean_and_std):
        return float(function(mean_and_std[:1], mean_and_std[1:], 0.0).value[0])

    worth = function(at[:1], at[1:], 0.0)
    step = 1e-6 * max(1.0, abs(z))
    central = [
        (value(at + step * direction) - value(at - step * direction)) / (2 * step) for direction in np.eye(2)
    ]
    assert [worth.by_mean[0], worth.by_std[0]] == pytest.approx(central, rel=1e-5, abs=1e-7)


def test_derivatives_hold_in_the_series_where_differences_cancel():
    near, far = (log_expected_improvement(np.array([-z]), np.array([1.0]), 0.0) for z in (-49.9999, -50.0001))
    assert near.by_mean == pytest.approx(far.by_mean, rel=1e-5)
    assert near.by_std == pytest.approx(far.by_std, rel=1e-5)


def test_improvement_and_its_probability_are_those_of_draws():
    mean, std, best = np.array([0.5, -0.2, 1.5]), np.array([0.4, 1.0, 0.7]), 0.3
    draws = mean + std * np.random.default_rng(0).standard_normal((400_000, 3))
    improvement = np.maximum(best - draws, 0)
    assert expected_improvement(mean, std, best).value == pytest.approx(improvement.mean(axis=0), rel=0.02)
    assert np.exp(log_expected_improvement(mean, std, best).value) == pytest.approx(
        improvement.mean(axis=0), rel=0.02
    )
    share = (draws < best).mean(axis=0)
    assert np.exp(log_probability_of_improvement(mean, std, best).value) == pytest.approx(share, rel=0.02)


def test_confidence_bound_is_the_quantile_of_its_deviations():
    worth = confidence_bound(np.array([1.0]), np.array([0.5]), 0.0, kappa=1.96)
    assert -worth.value == pytest.approx(1.0 - 1.96 * 0.5)
    assert approx_fprime([1.0, 0.5], lambda p: float(confidence_bound(p[:1], p[1:], 0.0).value[0])) == (
        pytest.approx([worth.by_mean[0], 2.0])
    )
