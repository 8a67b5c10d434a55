"""Where searches from several starts end, beside scikit-learn's from the same starts."""

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.datasets import load_diabetes
from sklearn.gaussian_process import GaussianProcessRegressor as ScikitLearnRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, ExpSineSquared, WhiteKernel

from sklearn_dl.gaussian_process import GaussianProcessRegressor


def diabetes():
    X, y = load_diabetes(return_X_y=True)
    X = X / X.std(axis=0)
    return ConstantKernel() * RBF(np.ones(10)) + WhiteKernel(), X[:342], y[:342], X[342:], y[342:]


def season():
    """Trend, season and noise at 300 times, and at 150 between them."""
    time = np.linspace(0, 15, 450)
    y = 0.3 * time + np.sin(2 * np.pi * time) + 0.2 * np.random.default_rng(0).normal(size=450)
    rest = np.arange(450) % 3 == 1
    periodic = ExpSineSquared(1.0, 1.05, periodicity_bounds=(0.8, 1.25))
    kernel = ConstantKernel() * RBF(10.0) + ConstantKernel() * periodic * RBF(10.0) + WhiteKernel(0.1)
    return kernel, time[~rest, None], y[~rest], time[rest, None], y[rest]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("data", [diabetes, season])
def test_best_of_ten_starts_is_not_below_that_of_scikit_learn(data):
    kernel, X, y, X_test, y_test = data()
    likelihoods, errors, losses = [], [], []
    for cls in (GaussianProcessRegressor, ScikitLearnRegressor):
        model = cls(kernel, normalize_y=True, n_restarts_optimizer=9, random_state=0).fit(X, y)
        mean, std = model.predict(X_test, return_std=True)
        likelihoods.append(model.log_marginal_likelihood_value_)
        errors.append(np.sqrt(np.mean((mean - y_test) ** 2)))
        losses.append(-norm.logpdf(y_test, mean, std).mean())
    # Both stop where a step gains 2e-9 of the likelihood, so theta is open by the root of that.
    assert likelihoods[0] >= likelihoods[1] - 1e-4
    assert errors[0] <= errors[1] * (1 + 1e-3)
    assert losses[0] <= losses[1] + 1e-3
