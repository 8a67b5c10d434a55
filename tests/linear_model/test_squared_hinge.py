"""The minimum of squared losses beyond an interval, against scipy and the optimality condition."""

from fractions import Fraction

import numpy as np
import pytest
from scipy import optimize, sparse

from sklearn_dl.linear_model import squared_hinge
from sklearn_dl.linear_model.augmented_rows import AugmentedRows
from sklearn_dl.linear_model.squared_hinge import root_along, solve_positive, squared_interval_fit


def hinge_problem(n_rows, n_columns, seed=0):
    random = np.random.RandomState(seed)
    X = random.randn(n_rows, n_columns)
    positive = X[:, 0] + random.randn(n_rows) > 0.3
    lower, upper = np.where(positive, 1.0, -np.inf), np.where(positive, np.inf, -1.0)
    return X, lower, upper, random.rand(n_rows) + 0.1


def value_and_gradient(w, X, lower, upper, cost, constant):
    A = np.column_stack([X, np.full(len(X), constant)])
    scores = A @ w
    excess = scores - np.clip(scores, lower, upper)
    return w @ w / 2 + cost @ excess**2, w + 2 * A.T @ (cost * excess)


@pytest.mark.parametrize(("n_rows", "n_columns"), [(300, 5), (30, 5), (5, 40), (1, 3), (200, 1), (60, 59)])
@pytest.mark.parametrize("C", [1e-4, 1.0, 1e4])
def test_the_gradient_vanishes_at_the_minimum(n_rows, n_columns, C):
    X, lower, upper, cost = hinge_problem(n_rows, n_columns)
    w, _ = squared_interval_fit(AugmentedRows(X, 2.0), lower, upper, C * cost)
    _, at_zero = value_and_gradient(np.zeros(len(w)), X, lower, upper, C * cost, 2.0)
    _, gradient = value_and_gradient(w, X, lower, upper, C * cost, 2.0)
    assert np.abs(gradient).max() < 1e-8 * max(1.0, np.abs(at_zero).max())


def test_scipy_finds_no_lower_objective():
    X, lower, upper, cost = hinge_problem(200, 6)
    w, _ = squared_interval_fit(AugmentedRows(X, 1.0), lower, upper, cost)
    other = optimize.minimize(
        value_and_gradient, np.zeros(7), (X, lower, upper, cost, 1.0), jac=True, options={"gtol": 1e-10}
    )
    np.testing.assert_allclose(w, other.x, atol=1e-7)


def test_an_interval_of_length_zero_is_ridge_regression():
    X, _, _, cost = hinge_problem(100, 7)
    y = X @ np.arange(7.0) + 1
    w, n_iter = squared_interval_fit(AugmentedRows(X), y, y, cost)
    expected = np.linalg.solve(np.eye(7) + 2 * X.T * cost @ X, 2 * X.T @ (cost * y))
    np.testing.assert_allclose(w, expected, rtol=1e-10)
    assert n_iter <= 2


def test_conjugate_gradients_reach_the_answer_of_the_factored_hessian(monkeypatch):
    X, lower, upper, cost = hinge_problem(400, 30)
    expected, _ = squared_interval_fit(AugmentedRows(X, 1.0), lower, upper, cost)
    monkeypatch.setattr(squared_hinge, "_LARGEST_GRAM", 10)
    w, _ = squared_interval_fit(AugmentedRows(X, 1.0), lower, upper, cost, tol=1e-6)
    np.testing.assert_allclose(w, expected, rtol=1e-6, atol=1e-9)


def test_a_start_from_every_tenth_row_changes_nothing():
    X, lower, upper, cost = hinge_problem(30_000, 4)
    w, n_iter = squared_interval_fit(AugmentedRows(X, 1.0), lower, upper, cost)
    _, gradient = value_and_gradient(w, X, lower, upper, cost, 1.0)
    assert np.abs(gradient).max() < 1e-6
    assert n_iter <= 6  # from 0 it takes more


def test_csr_and_dense_rows_have_one_answer():
    X, lower, upper, cost = hinge_problem(200, 12)
    X[np.abs(X) < 1.5] = 0
    expected, _ = squared_interval_fit(AugmentedRows(X, 1.0), lower, upper, cost)
    for rows in (sparse.csr_array(X), sparse.csr_matrix(X)):
        w, _ = squared_interval_fit(AugmentedRows(rows, 1.0), lower, upper, cost)
        np.testing.assert_allclose(w, expected, rtol=1e-9, atol=1e-12)


def test_columns_of_scales_from_1e_minus_8_to_1e8_keep_their_digits():
    X, lower, upper, cost = hinge_problem(300, 4)
    scale = np.array([1e8, 1e-8, 1.0, 1e4])
    w, _ = squared_interval_fit(AugmentedRows(X * scale), lower, upper, cost)
    scores = X * scale @ w
    excess = scores - np.clip(scores, lower, upper)
    gradient = w + 2 * (X * scale).T @ (cost * excess)
    assert (np.abs(gradient) < 1e-9 * scale * np.abs(2 * X.T @ cost).max() + 1e-12).all()


def test_steps_are_reported_with_falling_objectives():
    X, lower, upper, cost = hinge_problem(300, 5)
    seen = []
    squared_interval_fit(AugmentedRows(X), lower, upper, cost, on_step=lambda *step: seen.append(step))
    assert [n_iter for n_iter, _ in seen] == list(range(len(seen)))
    objectives = np.array([objective for _, objective in seen])
    assert (np.diff(objectives) <= 1e-12 * objectives[0]).all()


def test_max_iter_bounds_the_steps():
    X, lower, upper, cost = hinge_problem(300, 5)
    assert squared_interval_fit(AugmentedRows(X), lower, upper, cost, max_iter=1)[1] == 1
    w, n_iter = squared_interval_fit(AugmentedRows(X), lower, upper, cost, max_iter=0)
    assert n_iter == 0
    assert not w.any()


def test_a_slope_is_followed_beyond_one():
    assert root_along(lambda size: size - 37.0) == pytest.approx(37.0)
    assert root_along(lambda size: size - 0.25) == pytest.approx(0.25)


def test_a_singular_system_has_the_shortest_solution():
    column = np.random.RandomState(0).randn(20, 1)
    A = np.hstack([column, column])
    solution = solve_positive(A.T @ A, A.T @ (3 * column[:, 0]))
    np.testing.assert_allclose(solution, [1.5, 1.5])


def exact_minimum(X, signs, C):
    """Least objective of two columns without a constant: Newton's method in fractions, which do not round."""
    rows, active, objectives = [[Fraction(value) for value in row] for row in X.tolist()], signs != 0, []
    for _ in range(50):
        used = [(row, int(sign)) for row, sign, on in zip(rows, signs, active, strict=True) if on]
        a, b, d = (
            1 - (i != j) + 2 * C * sum(x[i] * x[j] for x, _ in used) for i, j in [(0, 0), (0, 1), (1, 1)]
        )
        e, f = (2 * C * sum(sign * x[j] for x, sign in used) for j in (0, 1))
        w = (d * e - b * f) / (a * d - b * b), (a * f - b * e) / (a * d - b * b)
        missing = [max(0, 1 - int(s) * (x[0] * w[0] + x[1] * w[1])) for x, s in zip(rows, signs, strict=True)]
        objectives.append(float((w[0] ** 2 + w[1] ** 2) / 2 + C * sum(value**2 for value in missing)))
        active = np.array([value > 0 for value in missing])
    return min(objectives)


@pytest.mark.parametrize("make", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("seed", range(5))
def test_an_offset_of_1e7_without_a_constant_costs_no_more_than_the_digits_of_the_scores(make, seed):
    random = np.random.RandomState(seed)
    X = random.randn(30, 2) + 1e7
    signs = np.where(X[:, 0] - 1e7 + random.randn(30) > 0, 1.0, -1.0)
    lower, upper = np.where(signs > 0, 1.0, -np.inf), np.where(signs > 0, np.inf, -1.0)
    w, _ = squared_interval_fit(AugmentedRows(make(X)), lower, upper, np.full(30, 100.0), tol=1e-6)
    value, _ = value_and_gradient(np.append(w, 0), X, lower, upper, 100.0 * np.ones(30), 0.0)
    assert value == pytest.approx(exact_minimum(X, signs, 100), rel=1e-8)


def test_a_step_by_least_squares_is_that_of_the_factored_hessian(monkeypatch):
    X, lower, upper, cost = hinge_problem(2500, 6)
    expected, n_iter = squared_interval_fit(AugmentedRows(X, 2.0), lower, upper, cost)
    monkeypatch.setattr(squared_hinge, "_COARSE", np.inf)
    w, n_steps = squared_interval_fit(AugmentedRows(X, 2.0), lower, upper, cost)
    np.testing.assert_allclose(w, expected, rtol=1e-9)
    assert n_steps == n_iter
