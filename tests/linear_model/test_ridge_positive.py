"""Ridge regression with coefficients of at least 0, against non-negative least squares on augmented rows."""

import numpy as np
import pytest
from scipy import optimize, sparse

from sklearn_dl.linear_model import Ridge, ridge_positive


def _rows(n_samples, n_features, offset=0.0):
    random = np.random.RandomState(0)
    X = random.randn(n_samples, n_features)
    y = X[:, :3].sum(1) + random.randn(n_samples)
    return X + offset, y, random.rand(n_samples) * (random.rand(n_samples) < 0.9)


def _minimum(X, y, weight, alpha):
    """Coefficients by non-negative least squares, with a row for each that pulls it to 0."""
    X, y = X - weight @ X / weight.sum(), y - weight @ y / weight.sum()
    root = np.sqrt(weight)
    A = np.vstack([X * root[:, None], np.sqrt(alpha) * np.eye(X.shape[1])])
    return optimize.nnls(A, np.append(y * root, np.zeros(X.shape[1])), maxiter=10_000)[0]


@pytest.mark.parametrize(("n_samples", "n_features"), [(20, 40), (50, 200), (5, 120), (30, 30), (100, 20)])
@pytest.mark.parametrize("alpha", [1e-3, 1.0, 100.0])
@pytest.mark.parametrize("offset", [0.0, 1e4])
def test_the_minimum_is_reached_at_the_default_tolerance(n_samples, n_features, alpha, offset):
    X, y, weight = _rows(n_samples, n_features, offset)
    model = Ridge(alpha=alpha, positive=True).fit(X, y, weight)
    expected = _minimum(X, y, weight, alpha)
    np.testing.assert_allclose(model.coef_, expected, rtol=1e-7, atol=1e-8 * expected.max())


def test_sparse_rows_and_several_targets_reach_it_too():
    X, y, weight = _rows(20, 40)
    X[np.abs(X) < 0.5] = 0
    model = Ridge(alpha=[0.1, 2.0], positive=True).fit(sparse.csr_array(X), np.column_stack([y, -y]), weight)
    for coef, target, alpha in zip(model.coef_, (y, -y), (0.1, 2.0), strict=True):
        np.testing.assert_allclose(coef, _minimum(X, target, weight, alpha), atol=1e-9)


@pytest.mark.parametrize("alpha", [1e-3, 1.0, 100.0])
@pytest.mark.parametrize("shape", [(60, 400), (120, 40)])
def test_pivots_alone_reach_the_minimum_with_more_free_coefficients_than_rows(alpha, shape, monkeypatch):
    random = np.random.RandomState(1)
    X = random.randn(*shape)
    y = X @ random.rand(shape[1]) + random.randn(shape[0])
    monkeypatch.setattr(ridge_positive.optimize, "minimize", None)
    monkeypatch.setattr(ridge_positive, "_MOST_CHANGES", 0)
    model = Ridge(alpha=alpha, positive=True).fit(X, y)
    assert shape[0] > shape[1] or np.count_nonzero(model.coef_) > shape[0]
    slopes = (X - X.mean(0)).T @ (model.predict(X) - y) + alpha * model.coef_
    largest = np.abs(X.T @ y).max()
    assert model.coef_.min() == 0
    np.testing.assert_allclose(slopes[model.coef_ > 0], 0, atol=1e-11 * largest)
    assert slopes.min() > -1e-11 * largest
    np.testing.assert_allclose(
        model.coef_, _minimum(X, y, np.ones(len(y)), alpha), atol=1e-8 * model.coef_.max()
    )


def test_a_start_far_from_the_minimum_is_left(monkeypatch):
    X, y, weight = _rows(20, 40)
    ends = iter([np.ones(40), np.zeros(40)])

    def stopped_at_once(*args, **options):
        return optimize.OptimizeResult(x=next(ends), nit=0, success=True, status=0)

    monkeypatch.setattr(ridge_positive, "_WORSE_PIVOTS", 0)
    monkeypatch.setattr(ridge_positive.optimize, "minimize", stopped_at_once)
    expected = _minimum(X, y, weight, 1.0)
    for _ in range(2):
        np.testing.assert_allclose(Ridge(positive=True).fit(X, y, weight).coef_, expected, atol=1e-9)


def test_without_changes_the_answer_of_lbfgs_stays(monkeypatch):
    monkeypatch.setattr(ridge_positive, "_MOST_CHANGES", 0)
    monkeypatch.setattr(ridge_positive, "_WORSE_PIVOTS", 0)
    X, y, weight = _rows(20, 40)
    model = Ridge(positive=True, tol=1e-12).fit(X, y, weight)
    np.testing.assert_allclose(model.coef_, _minimum(X, y, weight, 1.0), atol=1e-4)
