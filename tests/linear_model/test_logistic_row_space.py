"""Logistic regression of fewer rows than features: the same loss in fewer coordinates, the same minimum."""

import warnings

import numpy as np
import pytest
import sklearn.linear_model
from scipy import sparse

from sklearn_dl.linear_model import LogisticRegression, logistic_newton
from sklearn_dl.linear_model.logistic_loss import LogisticLoss
from sklearn_dl.linear_model.logistic_row_space import RowSpace, rows_are_few


def _rows(n_samples=12, n_features=40, n_classes=3):
    rng = np.random.default_rng(0)
    return rng.normal(size=(n_samples, n_features)) + 3, np.arange(n_samples) % n_classes


def _loss(X, codes, weight=None, n_classes=3, fit_intercept=True):
    center = X.mean(0) if fit_intercept else None
    options = {"l2": 0.3, "fit_intercept": fit_intercept, "center": center}
    return LogisticLoss(X, codes, weight, n_classes=n_classes, **options)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_expanded_parameters_keep_loss_and_slopes(n_classes, fit_intercept):
    X, codes = _rows(n_classes=n_classes)
    loss = _loss(X, codes, np.linspace(0, 1, 12), n_classes, fit_intercept)
    space = RowSpace(loss)
    flat = np.random.default_rng(1).normal(size=space.loss.shape).ravel()
    expanded = space.expand(flat)
    assert loss(expanded)[0] == pytest.approx(space.loss(flat)[0], rel=1e-12)
    np.testing.assert_allclose(space.project(expanded), flat, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(space.expand(space.loss(flat)[1]), loss(expanded)[1], atol=1e-12)


def test_only_few_rows_of_many_features_are_taken_so():
    assert rows_are_few(_loss(*_rows()))
    assert not rows_are_few(_loss(*_rows(n_samples=40)))
    assert not rows_are_few(_loss(*_rows(n_samples=400, n_features=500)))
    assert rows_are_few(_loss(*_rows(n_samples=400, n_features=500, n_classes=2), n_classes=2))
    assert not rows_are_few(_loss(*_rows(n_samples=701, n_features=900, n_classes=2), n_classes=2))


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("make", [np.asarray, np.float32, sparse.csr_array])
def test_the_minimum_is_that_of_scikit_learn(make, n_classes):
    X, y = _rows(n_classes=n_classes)
    X, weight = make(X), np.linspace(0, 2, 12)
    ours = LogisticRegression(tol=1e-9).fit(X, y, weight)
    peer = sklearn.linear_model.LogisticRegression(tol=1e-12, max_iter=10_000, solver="newton-cholesky")
    theirs = peer.fit(X.astype(np.float64), y, weight)
    rtol, atol = (1e-4, 1e-6) if ours.coef_.dtype == np.float32 else (1e-7, 1e-10)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=rtol, atol=atol)
    np.testing.assert_allclose(ours.intercept_, theirs.intercept_, rtol=rtol, atol=10 * atol)
    again = LogisticRegression(tol=1e-9, warm_start=True)
    again.coef_, again.intercept_, again.classes_ = ours.coef_, ours.intercept_, ours.classes_
    assert again.fit(X, y, weight).n_iter_[0] <= 2


def _objective(model, X, y, C):
    return (model.coef_**2).sum() / 2 - C * model.predict_log_proba(X)[np.arange(len(y)), y].sum()


@pytest.mark.parametrize(("n_samples", "exponent"), [(5, 8), (40, 8), (5, 3), (60, 3), (100, 3)])
def test_columns_of_unlike_scales_converge_below_the_objective_of_scikit_learn(n_samples, exponent):
    X = np.random.default_rng(0).normal(size=(n_samples, 120)) * np.logspace(-exponent, exponent, 120)
    y = np.arange(n_samples) % 3
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ours = LogisticRegression(C=100, tol=1e-6).fit(X, y)
    theirs = sklearn.linear_model.LogisticRegression(C=100, tol=1e-6, max_iter=1000).fit(X, y)
    assert _objective(ours, X, y, 100) < _objective(theirs, X, y, 100)


@pytest.mark.parametrize("n_samples", [5, 40])
def test_coefficients_are_the_sum_of_rows_that_the_optimality_condition_says(n_samples):
    X = np.random.default_rng(0).normal(size=(n_samples, 120)) * np.logspace(-3, 3, 120)
    y = np.arange(n_samples) % 3
    model = LogisticRegression(C=0.01, tol=1e-9).fit(X, y)
    expected = 0.01 * (np.eye(3)[y] - model.predict_proba(X)).T @ X
    np.testing.assert_allclose(model.coef_, expected, rtol=1e-6, atol=1e-9 * np.abs(expected).max())


def test_features_and_coordinates_lead_to_one_answer(monkeypatch):
    X, y = _rows(n_samples=100, n_features=150)
    fewer = LogisticRegression(tol=1e-10).fit(X, y)
    monkeypatch.setattr(logistic_newton, "rows_are_few", lambda loss: False)
    plain = LogisticRegression(tol=1e-10, max_iter=1000).fit(X, y)
    np.testing.assert_allclose(fewer.coef_, plain.coef_, rtol=1e-6, atol=1e-9)


def test_steps_are_told_in_features():
    X, y = _rows()
    seen = []
    loss = _loss(X, y)
    logistic_newton.minimize_logistic(
        loss, None, tol=1e-8, max_iter=50, on_step=lambda n_iter, value, x: seen.append((value, loss(x)[0]))
    )
    np.testing.assert_allclose(*np.array(seen).T, rtol=1e-10)


def _binary_objective(model, X, y):
    margins = np.where(y > 0, 1, -1) * model.decision_function(X)
    return model.C * np.logaddexp(0, -margins).sum() + np.sum(model.coef_**2) / 2


def test_rows_of_like_scales_take_no_inner_products(monkeypatch):
    X, y = _rows(250, 600, n_classes=2)
    expected = LogisticRegression(tol=1e-9).fit(X, y)
    monkeypatch.setattr(logistic_newton, "RowSpace", None)
    fitted = LogisticRegression().fit(X, y)
    assert _binary_objective(fitted, X, y) <= _binary_objective(expected, X, y) * (1 + 1e-3)


@pytest.mark.parametrize("shape", [(250, 600), (400, 900)])
def test_columns_of_unlike_scales_lead_on_to_the_row_space(shape):
    rng = np.random.default_rng(0)
    X = rng.normal(size=shape) * 10.0 ** rng.uniform(-3, 3, shape[1])
    y = rng.integers(0, 2, shape[0])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fitted = LogisticRegression(C=1e-3).fit(X, y)
    expected = LogisticRegression(C=1e-3, tol=1e-10, max_iter=1000).fit(X, y)
    assert _binary_objective(fitted, X, y) <= _binary_objective(expected, X, y) * (1 + 1e-3)
    assert fitted.n_iter_[0] > logistic_newton._PATIENCE
