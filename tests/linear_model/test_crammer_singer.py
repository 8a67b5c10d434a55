"""The joint multi-class machine against a quadratic program and its optimality conditions."""

import numpy as np
import pytest
from scipy import optimize, sparse

from sklearn_dl.linear_model.augmented_rows import AugmentedRows
from sklearn_dl.linear_model.crammer_singer import _best_of_row, crammer_singer_fit


def problem(n_rows=30, n_columns=4, n_classes=3):
    random = np.random.RandomState(0)
    codes = np.arange(n_rows) % n_classes
    X = random.randn(n_rows, n_columns) + np.eye(n_classes, n_columns)[codes]
    return X, codes, random.rand(n_rows) + 0.2


def objective(W, A, codes, cost):
    scores = A @ W.T
    margin = scores + 1 - scores[np.arange(len(codes)), codes][:, None]
    margin[np.arange(len(codes)), codes] = 0
    return (W**2).sum() / 2 + cost @ margin.max(1)


def minimum_by_slsqp(A, codes, cost, n_classes):
    """Minimum over W and slacks, the loss written as linear constraints."""
    n_rows, n_columns = A.shape
    G, h = [], []
    for i in range(n_rows):
        for m in range(n_classes):
            row = np.zeros(n_classes * n_columns + n_rows)
            if m != codes[i]:
                row[codes[i] * n_columns : (codes[i] + 1) * n_columns] = A[i]
                row[m * n_columns : (m + 1) * n_columns] = -A[i]
            row[n_classes * n_columns + i] = 1
            G.append(row)
            h.append(float(m != codes[i]))
    G, h, n_w = np.array(G), np.array(h), n_classes * n_columns
    result = optimize.minimize(
        lambda v: v[:n_w] @ v[:n_w] / 2 + cost @ v[n_w:],
        np.concatenate([np.zeros(n_w), np.ones(n_rows)]),
        jac=lambda v: np.concatenate([v[:n_w], cost]),
        constraints={"type": "ineq", "fun": lambda v: G @ v - h, "jac": lambda v: G},
        method="SLSQP",
        options={"maxiter": 1000, "ftol": 1e-13},
    )
    return result.x[:n_w].reshape(n_classes, n_columns), result.fun


@pytest.mark.parametrize("make", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("constant", [0.0, 2.0])
def test_reaches_the_minimum_of_a_quadratic_program(make, constant):
    X, codes, cost = problem()
    W, n_iter = crammer_singer_fit(
        AugmentedRows(make(X), constant), codes, cost, 3, seed=0, tol=1e-8, max_iter=100_000
    )
    A = np.column_stack([X, np.full(len(X), constant)]) if constant else X
    other, least = minimum_by_slsqp(A, codes, cost, 3)
    assert objective(W[:, : A.shape[1]], A, codes, cost) == pytest.approx(least, rel=1e-7)
    np.testing.assert_allclose(W[:, : A.shape[1]], other, atol=1e-4)
    assert n_iter < 100_000


def test_coefficients_of_the_classes_sum_to_zero():
    X, codes, cost = problem(60, 5, 4)
    W, _ = crammer_singer_fit(AugmentedRows(X, 1.0), codes, cost, 4, seed=0)
    np.testing.assert_allclose(W.sum(0), 0, atol=1e-12)


def test_rows_of_weight_zero_do_not_count():
    X, codes, cost = problem()
    cost[::3] = 0
    kept = cost > 0
    options = {"seed": 0, "tol": 1e-9, "max_iter": 100_000}
    W, _ = crammer_singer_fit(AugmentedRows(X), codes, cost, 3, **options)
    other, _ = crammer_singer_fit(AugmentedRows(X[kept]), codes[kept], cost[kept], 3, **options)
    np.testing.assert_allclose(W, other, atol=1e-6)


def test_dual_variables_of_a_row_minimize_their_quadratic():
    random = np.random.RandomState(0)
    for _ in range(20):
        slopes, y, cost, norm = random.randn(4), random.randint(4), random.rand() + 0.1, random.rand() + 0.1
        best = np.empty(4)
        _best_of_row(slopes, np.zeros(4), y, cost, norm, best)
        bounds = [(None, cost if m == y else 0.0) for m in range(4)]
        other = optimize.minimize(
            lambda a, norm=norm, slopes=slopes: norm * a @ a / 2 + slopes @ a,
            np.zeros(4),
            bounds=bounds,
            constraints={"type": "eq", "fun": np.sum},
            method="SLSQP",
            options={"ftol": 1e-14},
        )
        np.testing.assert_allclose(best, other.x, atol=1e-5)


def test_many_rows_left_out_of_passes_change_nothing():
    X, codes, cost = problem(200, 4)
    W, n_iter = crammer_singer_fit(AugmentedRows(X, 1.0), codes, cost, 3, seed=0, tol=1e-6, max_iter=100_000)
    other, _ = crammer_singer_fit(AugmentedRows(X, 1.0), codes, cost, 3, seed=1, tol=1e-9, max_iter=1_000_000)
    np.testing.assert_allclose(W, other, atol=1e-4)
    assert n_iter < 100_000
