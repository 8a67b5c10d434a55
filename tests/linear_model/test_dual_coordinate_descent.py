"""Dual coordinate descent against the interior-point method, which shares no code with it."""

import numpy as np
import pytest
from scipy import sparse

from sklearn_dl.linear_model.augmented_rows import AugmentedRows
from sklearn_dl.linear_model.dual_coordinate_descent import dual_coordinate_descent
from sklearn_dl.linear_model.interior_point import interval_fit
from sklearn_dl.linear_model.squared_hinge import squared_interval_fit


def problem(kind, n_rows=60, n_columns=80):
    random = np.random.RandomState(0)
    X = random.randn(n_rows, n_columns)
    X[np.abs(X) < 0.7] = 0
    y = X[:, 0] + random.randn(n_rows)
    cost = 0.1 * random.rand(n_rows) + 0.01
    if kind == "hinge":
        return X, np.where(y > 0, 1.0, -np.inf), np.where(y > 0, np.inf, -1.0), cost
    epsilon = {"absolute": 0.0, "insensitive": 0.5}[kind]
    return X, y - epsilon, y + epsilon, cost


@pytest.mark.parametrize("kind", ["hinge", "absolute", "insensitive"])
@pytest.mark.parametrize("make", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("constant", [0.0, 2.0])
def test_reaches_the_interior_points_answer(kind, make, constant):
    X, lower, upper, cost = problem(kind)
    rows = AugmentedRows(make(X), constant)
    expected, _, _ = interval_fit(rows, lower, upper, cost)
    w, n_iter = dual_coordinate_descent(rows, lower, upper, cost, seed=0, tol=1e-9)
    np.testing.assert_allclose(w, expected, atol=1e-6)
    assert n_iter < 1000


def test_rows_left_out_of_passes_are_checked_again():
    X, lower, upper, cost = problem("hinge", 500, 10)
    rows = AugmentedRows(X, 1.0)
    w, n_iter = dual_coordinate_descent(rows, lower, upper, cost, seed=0, tol=1e-6, max_iter=20_000)
    expected, _, _ = interval_fit(rows, lower, upper, cost)
    np.testing.assert_allclose(w, expected, atol=1e-4)
    assert n_iter < 20_000


def test_the_seed_decides_the_order_and_equal_seeds_give_equal_bits():
    X, lower, upper, cost = problem("hinge")
    fits = [
        dual_coordinate_descent(AugmentedRows(X), lower, upper, cost, seed=seed, max_iter=3)[0]
        for seed in (1, 1, 2)
    ]
    np.testing.assert_array_equal(fits[0], fits[1])
    assert (fits[0] != fits[2]).any()


def test_a_row_of_zeros_moves_nothing():
    X, lower, upper, cost = problem("insensitive")
    expected, _ = dual_coordinate_descent(AugmentedRows(X), lower, upper, cost, seed=0, tol=1e-9)
    X, cost = np.vstack([X, np.zeros(80)]), np.append(cost, 5.0)
    lower, upper = np.append(lower, 3.0), np.append(upper, 4.0)
    w, n_iter = dual_coordinate_descent(AugmentedRows(X), lower, upper, cost, seed=0, tol=1e-9)
    np.testing.assert_allclose(w, expected, atol=1e-7)
    assert n_iter < 1000


def test_numpys_global_stream_stays_where_it_was():
    X, lower, upper, cost = problem("hinge")
    before = np.random.get_state()[1].copy()
    dual_coordinate_descent(AugmentedRows(X), lower, upper, cost, seed=0)
    np.testing.assert_array_equal(np.random.get_state()[1], before)


def test_the_objective_is_reported():
    X, lower, upper, cost = problem("insensitive")
    seen = []
    w, n_iter = dual_coordinate_descent(
        AugmentedRows(X), lower, upper, cost, seed=0, on_step=lambda *step: seen.append(step)
    )
    distance = np.abs(X @ w - np.clip(X @ w, lower, upper))
    assert seen == [(n_iter, pytest.approx(w @ w / 2 + cost @ distance))]


@pytest.mark.parametrize("kind", ["hinge", "absolute", "insensitive"])
@pytest.mark.parametrize("make", [np.asarray, sparse.csr_array])
def test_squared_distances_have_newtons_answer(kind, make):
    X, lower, upper, cost = problem(kind)
    rows = AugmentedRows(make(X), 2.0)
    expected, _ = squared_interval_fit(rows, lower, upper, cost)
    w, n_iter = dual_coordinate_descent(rows, lower, upper, cost, seed=0, squared=True, tol=1e-9)
    np.testing.assert_allclose(w, expected, atol=1e-7)
    assert n_iter < 1000
