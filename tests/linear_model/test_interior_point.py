"""The minimum of linear losses beyond an interval, with a duality gap from scratch and a linear program."""

import warnings

import numpy as np
import pytest
from scipy import optimize, sparse

from sklearn_dl.linear_model.augmented_rows import AugmentedRows
from sklearn_dl.linear_model.interior_point import interval_fit


def problem(kind, n_rows, n_columns, seed=0):
    random = np.random.RandomState(seed)
    X = random.randn(n_rows, n_columns)
    y = X[:, 0] + random.randn(n_rows)
    cost = random.rand(n_rows) + 0.1
    if kind == "hinge":
        return X, np.where(y > 0, 1.0, -np.inf), np.where(y > 0, np.inf, -1.0), cost
    epsilon = {"absolute": 0.0, "insensitive": 0.5}[kind]
    return X, y - epsilon, y + epsilon, cost


def objective(w, A, lower, upper, cost):
    scores = A @ w
    return w @ w / 2 + cost @ np.abs(scores - np.clip(scores, lower, upper))


def solution_by_bounded_lbfgs(A, lower, upper, cost):
    """Dual with one variable an end of the interval, by another solver."""
    ends = [(lower, 1.0), (upper, -1.0)]
    target = np.concatenate([end[np.isfinite(end)] for end, _ in ends])
    sign = np.concatenate([np.full(np.isfinite(end).sum(), s) for end, s in ends])
    rows = np.concatenate([A[np.isfinite(end)] for end, _ in ends])
    bound = np.concatenate([cost[np.isfinite(end)] for end, _ in ends])
    signed = rows * sign[:, None]

    def dual(alpha):
        w = signed.T @ alpha
        return w @ w / 2 - (sign * target) @ alpha, signed @ w - sign * target

    result = optimize.minimize(
        dual,
        np.zeros(len(bound)),
        jac=True,
        method="L-BFGS-B",
        bounds=[(0, b) for b in bound],
        options={"maxiter": 20_000, "maxfun": 40_000, "ftol": 1e-16, "gtol": 1e-9},
    )
    return signed.T @ result.x, -result.fun


@pytest.mark.parametrize("kind", ["hinge", "absolute", "insensitive"])
@pytest.mark.parametrize(("n_rows", "n_columns"), [(80, 4), (12, 30), (40, 39), (1, 2), (50, 1)])
@pytest.mark.parametrize("C", [0.01, 10.0])
def test_primal_objective_meets_the_dual_one_of_another_solver(kind, n_rows, n_columns, C):
    X, lower, upper, cost = problem(kind, n_rows, n_columns)
    A = np.column_stack([X, np.full(n_rows, 3.0)])
    w, _, _ = interval_fit(AugmentedRows(X, 3.0), lower, upper, C * cost)
    other, bound = solution_by_bounded_lbfgs(A, lower, upper, C * cost)
    ours = objective(w, A, lower, upper, C * cost)
    assert ours <= objective(other, A, lower, upper, C * cost) * (1 + 1e-9)
    assert ours - bound <= 1e-3 * ours


@pytest.mark.parametrize("kind", ["hinge", "insensitive"])
def test_csr_and_dense_rows_have_one_answer(kind):
    X, lower, upper, cost = problem(kind, 100, 8)
    X[np.abs(X) < 1] = 0
    expected, _, _ = interval_fit(AugmentedRows(X, 1.0), lower, upper, cost)
    w, _, _ = interval_fit(AugmentedRows(sparse.csr_array(X), 1.0), lower, upper, cost)
    np.testing.assert_allclose(w, expected, atol=1e-7)


def test_a_start_from_every_tenth_row_changes_nothing():
    X, lower, upper, cost = problem("hinge", 20_000, 2)
    w, _, _ = interval_fit(AugmentedRows(X), lower, upper, cost)
    value = objective(w, X, lower, upper, cost)
    for move in np.random.RandomState(1).randn(20, 2) * 1e-3:
        assert objective(w + move, X, lower, upper, cost) > value


def test_separable_rows_at_a_huge_cost_have_the_hard_margin_solution():
    X = np.array([[1.0, 0.0], [3.0, 2.0], [-1.0, 0.5], [-2.0, -1.0]])
    sign = np.array([1.0, 1.0, -1.0, -1.0])
    lower, upper = np.where(sign > 0, 1.0, -np.inf), np.where(sign > 0, np.inf, -1.0)
    w, _, _ = interval_fit(AugmentedRows(X), lower, upper, np.full(4, 1e6), tol=1e-8)
    hard = optimize.minimize(
        lambda v: v @ v / 2,
        np.ones(2),
        constraints={"type": "ineq", "fun": lambda v: sign * (X @ v) - 1},
        tol=1e-12,
    )
    np.testing.assert_allclose(w, hard.x, atol=1e-6)


def test_repeated_rows_weigh_as_much_as_their_number():
    X, lower, upper, cost = problem("insensitive", 30, 3)
    repeats = np.random.RandomState(0).randint(1, 4, 30)
    w, _, _ = interval_fit(AugmentedRows(X, 1.0), lower, upper, cost * repeats)
    index = np.repeat(np.arange(30), repeats)
    other, _, _ = interval_fit(AugmentedRows(X[index], 1.0), lower[index], upper[index], cost[index])
    np.testing.assert_allclose(w, other, atol=1e-7)


def test_columns_of_very_different_scales_reach_the_objective_of_equal_ones_at_a_huge_cost():
    X, lower, upper, cost = problem("hinge", 200, 3)
    scale = np.array([1e8, 1e-3, 1.0])
    w, _, _ = interval_fit(AugmentedRows(X * scale), lower, upper, 1e3 * cost)
    slope = optimize.minimize(
        lambda move: objective(w + move / scale, X * scale, lower, upper, 1e3 * cost),
        np.zeros(3),
        method="Nelder-Mead",
        options={"xatol": 1e-6, "fatol": 1e-9},
    )
    assert objective(w, X * scale, lower, upper, 1e3 * cost) <= slope.fun * (1 + 1e-7)


def test_max_iter_bounds_the_steps():
    X, lower, upper, cost = problem("hinge", 100, 3)
    assert interval_fit(AugmentedRows(X), lower, upper, cost, max_iter=2)[1] == 2


def test_intervals_that_all_hold_0_need_no_coefficients_and_no_step():
    X, lower, upper, cost = problem("insensitive", 20, 2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        w, n_iter, gap = interval_fit(AugmentedRows(X, 1.0), lower - 10, upper + 10, cost)
    np.testing.assert_array_equal(w, 0)
    assert (n_iter, gap) == (0, 0)
