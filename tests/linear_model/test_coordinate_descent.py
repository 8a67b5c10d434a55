"""Sweeps against a slow loop from the definition, and against each other."""

import numpy as np
import pytest
from scipy import sparse

from sklearn_dl.linear_model.coordinate_descent import sweep_csc, sweep_gram, sweep_rows
from sklearn_dl.linear_model.elastic_net_gram import _sweep_gram_plainly

PENALTIES = [(3.0, 0.0, False), (3.0, 2.0, True), (0.0, 1.0, False)]


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((30, 8)) * (rng.random((30, 8)) < 0.6)
    root_weight = np.sqrt(rng.uniform(0.5, 2, 30))
    mean = (root_weight**2 @ X) / (root_weight @ root_weight)
    centred = (X - mean) * root_weight[:, None]
    y = root_weight * rng.standard_normal(30) + 2 * centred[:, 0] - centred[:, 3]
    return X, root_weight, mean, centred, y - root_weight * (root_weight @ y) / (root_weight @ root_weight)


def swept_slowly(X, y, n_sweeps, l1, l2, positive, order):
    w = np.zeros(X.shape[1])
    for _ in range(n_sweeps):
        for j in order:
            z = X[:, j] @ (y - X @ w + X[:, j] * w[j])
            size = max(z - l1, 0) if positive else np.sign(z) * max(abs(z) - l1, 0)
            w[j] = size / (X[:, j] @ X[:, j] + l2)
    return w


def histories(n_sweeps, w, state):
    return np.empty((n_sweeps + 1, len(w))), np.empty((n_sweeps + 1, len(state)))


@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("sweep", [sweep_gram, sweep_gram.py_func])
def test_sweeps_of_the_gram_matrix_follow_the_definition(data, sweep, penalty):
    *_, X, y = data
    order = np.random.default_rng(1).permutation(8)
    w, correlation = np.zeros(8), X.T @ y
    n_done, small = sweep(X.T @ X, w, correlation, *penalty, order, 0.0, *histories(3, w, correlation))
    assert (n_done, small) == (3, False)
    np.testing.assert_allclose(w, swept_slowly(X, y, 3, *penalty, order), atol=1e-12)
    np.testing.assert_allclose(correlation, X.T @ (y - X @ w), atol=1e-11)


@pytest.mark.parametrize("penalty", PENALTIES)
def test_sweeps_in_numpy_end_where_the_compiled_ones_do(data, penalty):
    *_, X, y = data
    ends = []
    for sweep in (sweep_gram, _sweep_gram_plainly):
        w, correlation = np.zeros(8), X.T @ y
        _, small = sweep(
            X.T @ X, w, correlation, *penalty, np.arange(8), 1e-13, *histories(500, w, correlation)
        )
        assert small
        np.testing.assert_allclose(correlation, X.T @ (y - X @ w), atol=1e-11)
        ends.append(w)
    np.testing.assert_allclose(*ends, atol=1e-11)


@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("sweep", [sweep_rows, sweep_rows.py_func])
def test_sweeps_of_dense_columns_follow_the_definition(data, sweep, penalty):
    *_, X, y = data
    columns = np.ascontiguousarray(X.T)
    w, residual, order = np.zeros(8), y.copy(), np.arange(8)
    sweep(columns, np.square(columns).sum(1), w, residual, *penalty, order, 0.0, *histories(3, w, residual))
    np.testing.assert_allclose(w, swept_slowly(X, y, 3, *penalty, order), atol=1e-12)
    np.testing.assert_allclose(residual, y - X @ w, atol=1e-12)


@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("sweep", [sweep_csc, sweep_csc.py_func])
def test_sweeps_of_sparse_columns_take_out_means_and_weight_rows(data, sweep, penalty):
    X, root_weight, mean, centred, y = data
    scaled = sparse.csc_array(X * root_weight[:, None])
    w, residual, order = np.zeros(8), np.append(y, 0.0), np.arange(8)
    sweep(
        scaled.data, scaled.indices, scaled.indptr, scaled.T @ root_weight, mean, np.square(centred).sum(0),
        w, residual, *penalty, order, 0.0, *histories(3, w, residual),
    )  # fmt: skip
    np.testing.assert_allclose(w, swept_slowly(centred, y, 3, *penalty, order), atol=1e-12)
    np.testing.assert_allclose(residual[:-1] + residual[-1] * root_weight, y - centred @ w, atol=1e-12)


@pytest.mark.parametrize("sweep", [sweep_gram, _sweep_gram_plainly])
def test_sweeps_end_at_the_first_small_one(sweep):
    gram, w, correlation = np.eye(2), np.zeros(2), np.array([3.0, -2.0])
    w_history, state_history = histories(5, w, correlation)
    assert sweep(gram, w, correlation, 1.0, 0.0, False, np.arange(2), 1e-4, w_history, state_history) == (
        2,
        True,
    )
    np.testing.assert_array_equal(w_history[:3], [[0, 0], [2, -1], [2, -1]])
    np.testing.assert_array_equal(state_history[1], [1, -1])
