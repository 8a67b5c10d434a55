"""The minimum under an L1 penalty, by its optimality condition: dense, CSR, many columns, a working set."""

import warnings

import numpy as np
import pytest
import sklearn.svm
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning

from sklearn_dl.linear_model import l1_column_descent, l1_quadratic, l1_squared_hinge
from sklearn_dl.linear_model.augmented_rows import AugmentedRows
from sklearn_dl.linear_model.l1_squared_hinge import l1_squared_interval_fit


def problem(n_rows, n_columns, C=1.0):
    random = np.random.RandomState(0)
    X = random.randn(n_rows, n_columns)
    positive = X[:, 0] - X[:, -1] + random.randn(n_rows) > 0.3
    lower, upper = np.where(positive, 1.0, -np.inf), np.where(positive, np.inf, -1.0)
    return X, lower, upper, C * (random.rand(n_rows) + 0.1)


def objective(w, A, lower, upper, cost):
    scores = A @ w
    return np.abs(w).sum() + cost @ (scores - np.clip(scores, lower, upper)) ** 2


def largest_violation(w, A, lower, upper, cost):
    """Distance of 0 from the subdifferential, in the maximum norm."""
    scores = A @ w
    gradient = 2 * A.T @ (cost * (scores - np.clip(scores, lower, upper)))
    return np.where(w != 0, np.abs(gradient + np.sign(w)), np.maximum(np.abs(gradient) - 1, 0)).max()


@pytest.mark.parametrize(("n_rows", "n_columns"), [(300, 6), (20, 50), (1, 3), (100, 1)])
@pytest.mark.parametrize("C", [1e-4, 0.05, 1.0, 100.0])
def test_zero_is_a_subgradient_at_the_answer(n_rows, n_columns, C):
    X, lower, upper, cost = problem(n_rows, n_columns, C)
    w, _ = l1_squared_interval_fit(AugmentedRows(X, 2.0), lower, upper, cost)
    A = np.column_stack([X, np.full(n_rows, 2.0)])
    assert largest_violation(w, A, lower, upper, cost) < 1e-4


def test_a_small_cost_leaves_nothing_and_a_larger_one_the_columns_that_matter():
    X, lower, upper, cost = problem(500, 20)
    nonzero = [
        np.flatnonzero(l1_squared_interval_fit(AugmentedRows(X), lower, upper, C * cost)[0])
        for C in (1e-6, 6e-3, 10.0)
    ]
    assert next(len(columns) for columns in nonzero) == 0
    assert {0, 19} <= set(nonzero[1])
    assert len(nonzero[1]) < len(nonzero[2])


@pytest.mark.parametrize("make", [np.asarray, sparse.csr_array])
def test_a_working_set_reaches_the_answer_of_all_columns(make, monkeypatch):
    X, lower, upper, cost = problem(80, 300)
    X[np.abs(X) < 1] = 0
    expected, _ = l1_squared_interval_fit(AugmentedRows(X, 1.0), lower, upper, cost, tol=1e-6)
    monkeypatch.setattr(l1_squared_hinge, "_LARGEST_GRAM", 50)
    w, _ = l1_squared_interval_fit(AugmentedRows(make(X), 1.0), lower, upper, cost, tol=1e-6)
    np.testing.assert_allclose(w, expected, atol=1e-6)


def test_compiled_and_plain_descent_have_one_answer(monkeypatch):
    X, lower, upper, cost = problem(200, 10)
    expected, _ = l1_squared_interval_fit(AugmentedRows(X, 1.0), lower, upper, cost)
    monkeypatch.setattr(l1_squared_hinge, "_COMPILED_FROM", 0)
    w, _ = l1_squared_interval_fit(AugmentedRows(X, 1.0), lower, upper, cost)
    np.testing.assert_allclose(w, expected, rtol=1e-9, atol=1e-12)


def sparse_problem(n_rows, n_columns, density, C):
    random = np.random.RandomState(0)
    X = sparse.random(n_rows, n_columns, density, format="csr", random_state=0)
    positive = X @ random.randn(n_columns) > 0
    lower, upper = np.where(positive, 1.0, -np.inf), np.where(positive, np.inf, -1.0)
    return X, lower, upper, C * (random.rand(n_rows) + 0.1)


@pytest.mark.parametrize("constant", [0.0, 2.0])
@pytest.mark.parametrize("C", [0.01, 0.5, 10.0])
@pytest.mark.parametrize(("n_rows", "n_columns"), [(600, 1100), (2000, 1100), (100, 1500)])
def test_descent_on_sparse_columns_alone_reaches_the_minimum(n_rows, n_columns, C, constant, monkeypatch):
    X, lower, upper, cost = sparse_problem(n_rows, n_columns, 0.02, C)
    monkeypatch.setattr(l1_squared_hinge, "_proximal_newton", None)
    w, n_iter = l1_squared_interval_fit(AugmentedRows(X, constant), lower, upper, cost)
    assert n_iter < 200
    A = sparse.hstack([X, np.full((n_rows, int(constant > 0)), constant)], format="csr")
    assert largest_violation(w, A, lower, upper, cost) < 1e-4
    peer = sklearn.svm.LinearSVC(
        penalty="l1", dual=False, fit_intercept=False, tol=1e-8, max_iter=3000, random_state=0
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        peer.set_params(C=C).fit(A, np.isfinite(lower), cost / C)
    best = objective(peer.coef_[0], A, lower, upper, cost)
    assert objective(w, A, lower, upper, cost) <= best * (1 + 1e-10)


def test_where_descent_on_sparse_columns_ends_early_all_columns_end_it(monkeypatch):
    X, lower, upper, cost = sparse_problem(300, 1100, 0.02, 10.0)
    expected, _ = l1_squared_interval_fit(AugmentedRows(X, 1.0), lower, upper, cost)
    monkeypatch.setattr(l1_column_descent, "_DIRECT_ROUNDS", 2)
    monkeypatch.setattr(l1_column_descent, "_MOST_ROUNDS", 3)
    seen = []
    w, n_iter = l1_squared_interval_fit(
        AugmentedRows(X, 1.0), lower, upper, cost, on_step=lambda step, value: seen.append((step, value))
    )
    assert n_iter > 3
    assert [step for step, _ in seen] == list(range(len(seen)))
    np.testing.assert_allclose(w, expected, atol=1e-6)


def test_compiled_and_plain_sweeps_over_sparse_columns_have_one_answer():
    X, lower, upper, cost = sparse_problem(40, 30, 0.3, 5.0)
    columns, answers = sparse.csc_array(X), []
    for sweeps in (l1_column_descent.l1_sweeps, l1_column_descent.l1_sweeps.py_func):
        w, scores = np.zeros(30), np.zeros(40)
        parts = columns.indptr, columns.indices, columns.data
        sweeps(*parts, lower, upper, cost, w, scores, np.arange(30), 4)
        np.testing.assert_allclose(scores, X @ w, atol=1e-12)
        answers.append(w)
    np.testing.assert_allclose(answers[0], answers[1], rtol=1e-9, atol=1e-12)
    assert objective(w, X, lower, upper, cost) < objective(0 * w, X, lower, upper, cost)


def test_max_iter_bounds_the_steps():
    X, lower, upper, cost = problem(100, 5)
    assert l1_squared_interval_fit(AugmentedRows(X), lower, upper, cost, max_iter=1)[1] == 1
    X, lower, upper, cost = sparse_problem(300, 1100, 0.02, 10.0)
    for max_iter in (0, 1, 16, 20):
        assert l1_squared_interval_fit(AugmentedRows(X), lower, upper, cost, max_iter=max_iter)[1] == max_iter


@pytest.fixture
def calls(monkeypatch):
    """Grows by one with each bout of sweeps, compiled or not."""
    counts = []
    descend = l1_squared_hinge.l1_quadratic_descent

    def counted(*arguments):
        counts.append(1)
        return descend(*arguments)

    counted.py_func = lambda *arguments: (counts.append(1), descend.py_func(*arguments))[1]
    monkeypatch.setattr(l1_squared_hinge, "l1_quadratic_descent", counted)
    return counts


@pytest.mark.parametrize("hard", ["scales", "offset"])
def test_ill_scaled_columns_end_at_the_minimum_within_few_sweeps(hard, calls):
    X, lower, upper, cost = problem(60, 30, 100.0)
    scale = np.logspace(-8, 8, 30) if hard == "scales" else np.ones(30)
    A = X * scale if hard == "scales" else np.where(np.abs(X) > 0.5, X + 1e4, 0.0)
    w, n_iter = l1_squared_interval_fit(AugmentedRows(A), lower, upper, cost, tol=1e-8, max_iter=3000)
    assert n_iter < 300
    assert len(calls) < 3000
    peer = sklearn.svm.LinearSVC(penalty="l1", dual=False, fit_intercept=False, tol=1e-8, max_iter=3000)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        peer.set_params(C=100.0).fit(A, np.isfinite(lower), cost / 100)
    assert objective(w, A, lower, upper, cost) <= objective(peer.coef_[0], A, lower, upper, cost) * (1 + 1e-6)


def test_exact_steps_solve_a_quadratic_of_nearly_equal_columns():
    random = np.random.RandomState(0)
    B = random.randn(50, 1) + 1e-4 * random.randn(50, 8)
    hessian, gradient = B.T @ B, -B.T @ B @ random.randn(8) * 1e3
    descend = l1_quadratic.l1_quadratic_descent.py_func
    v = l1_quadratic.l1_quadratic_minimizer(hessian, gradient, np.zeros(8), 1e-20, descend)
    slopes = gradient + hessian @ v
    assert np.where(v != 0, np.abs(slopes + np.sign(v)), np.maximum(np.abs(slopes) - 1, 0)).max() < 1e-6


def test_models_far_from_the_minimum_are_not_minimized_to_the_last_digit(calls):
    X, lower, upper, _ = problem(200, 120)
    A, cost = X * np.logspace(-3, 3, 120), np.full(200, 1e4)
    w, _ = l1_squared_interval_fit(AugmentedRows(A, 1.0), lower, upper, cost, tol=1e-8, max_iter=3000)
    assert len(calls) < 1500
    A = np.column_stack([A, np.ones(200)])
    assert largest_violation(w, A, lower, upper, cost) < 1e-4


def test_a_column_that_no_active_row_has_falls_to_0():
    # The first step takes row 0 beyond its margin, and then only row 1, which lacks column 1, has a loss.
    X, lower, upper = np.array([[-2.0, -1.0], [1.0, 0.0]]), np.array([1.0, -np.inf]), np.array([np.inf, -1.0])
    w, _ = l1_squared_interval_fit(AugmentedRows(X), lower, upper, np.full(2, 100.0))
    np.testing.assert_allclose(w, [-0.995, 0.0], atol=1e-7)


@pytest.mark.parametrize("seed", [28, 32, 46])
def test_few_rows_without_a_loss_on_the_way_end_at_the_minimum(seed):
    random = np.random.RandomState(seed)
    X, positive = random.randn(3, 60), np.array([True, False, False])
    lower, upper, cost = np.where(positive, 1, -np.inf), np.where(positive, np.inf, -1), np.full(3, 1000.0)
    w, _ = l1_squared_interval_fit(AugmentedRows(X), lower, upper, cost)
    assert largest_violation(w, X, lower, upper, cost) < 1e-4
