"""Newton-Stein curvature against exact Hessians and slopes, and fits that use it against scikit-learn's."""

import numpy as np
import pytest
import sklearn.linear_model

from sklearn_dl.linear_model import LogisticRegression
from sklearn_dl.linear_model.logistic_hessians import binary_hessian
from sklearn_dl.linear_model.logistic_loss import LogisticLoss
from sklearn_dl.linear_model.logistic_pilot import size_along
from sklearn_dl.linear_model.logistic_stein import SteinCurvature, gram_pays


def _loss(X, slope=1.0, weight=None, l2=0.01):
    rng = np.random.default_rng(1)
    codes = (rng.logistic(size=len(X)) < slope * X @ np.linspace(-1, 1, X.shape[1])).astype(np.int64)
    center = X.mean(0)
    return LogisticLoss(X, codes, weight, n_classes=2, l2=l2, fit_intercept=True, center=center)


def _matrix(inverse, size):
    return np.linalg.inv(np.column_stack([inverse(column) for column in np.eye(size)]))


def test_curvature_of_normal_rows_is_nearly_the_hessian():
    rng = np.random.default_rng(0)
    loss = _loss(rng.normal(size=(100_000, 4)) @ rng.normal(size=(4, 4)))
    flat = np.array([1.0, -2.0, 0.5, 1.0, 0.0])
    hessian = binary_hessian(loss, flat)
    found = _matrix(SteinCurvature(loss, loss).inverse_at(flat), 5)
    np.testing.assert_allclose(found, hessian, atol=0.03 * np.abs(hessian).max())


def test_curvature_along_the_parameters_is_exact_for_any_rows():
    X = np.exp(np.random.default_rng(0).normal(size=(500, 3)))
    loss = _loss(X, weight=np.random.default_rng(2).uniform(size=500))
    flat = np.array([1.0, -0.5, 0.2, 0.7])
    found = _matrix(SteinCurvature(loss, loss).inverse_at(flat), 4)
    assert flat @ found @ flat == pytest.approx(flat @ binary_hessian(loss, flat) @ flat, rel=1e-9)


@pytest.mark.parametrize("length", [0.01, 1.0, 10.0])
def test_first_step_ends_where_the_slope_nearly_vanishes(length):
    loss = _loss(np.random.default_rng(0).normal(size=(2000, 3)), slope=3.0)
    start = np.zeros(4)
    gradient = loss(start)[1]
    direction = -length * gradient
    size = size_along(loss, loss, start, direction)
    assert abs(loss(start + size * direction)[1] @ direction) < 0.02 * abs(gradient @ direction)


def test_a_sample_knows_the_slope_of_all_rows_where_it_starts():
    X = np.random.default_rng(0).normal(size=(20_000, 30))
    loss, sample = _loss(X, slope=0.03), _loss(X[:500], slope=0.03)
    direction = -SteinCurvature(loss, sample).inverse_at(np.zeros(31))(loss(np.zeros(31))[1])
    # Noise is as large as the signal here: the sample alone would choose a size that is half as large again.
    assert size_along(loss, sample, np.zeros(31), direction) == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("make", ["normal", "skewed", "strong", "weighted", "constant", "float32"])
def test_fit_finds_the_minimum_of_newton_steps(make):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(9000, 50))
    if make == "skewed":
        X = np.exp(X)
    if make == "constant":
        X[:, :2] = 3.0
    scores = (X - X.mean(0)) / np.maximum(X.std(0), 1e-300) @ rng.normal(size=50)
    y = (rng.logistic(size=9000) < scores * (2 if make == "strong" else 0.3)).astype(int)
    weight = rng.integers(0, 3, 9000).astype(float) if make == "weighted" else None
    X = X.astype(np.float32) if make == "float32" else X
    loss = LogisticLoss(X, y, None, n_classes=2, l2=1.0, fit_intercept=True)
    assert gram_pays(loss)
    model = LogisticRegression(tol=1e-6).fit(X, y, weight)
    peer = sklearn.linear_model.LogisticRegression(solver="newton-cholesky", tol=1e-9, max_iter=1000)
    peer.fit(X.astype(float), y, weight)
    np.testing.assert_allclose(
        model.decision_function(X),
        peer.decision_function(X.astype(float)),
        atol=2e-3 if make == "float32" else 1e-4,
    )


def test_fit_of_rows_far_from_the_origin_is_that_of_rows_near_it():
    rng = np.random.default_rng(0)
    X = np.round(rng.normal(size=(9000, 50)) * 1024) / 1024
    y = (rng.logistic(size=9000) < X[:, 0]).astype(int)
    near, far = LogisticRegression(tol=1e-6).fit(X, y), LogisticRegression(tol=1e-6).fit(X + 2**23, y)
    np.testing.assert_allclose(far.coef_, near.coef_, atol=1e-6)
