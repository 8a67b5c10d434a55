"""Least squares of minimum norm: each route against singular values of the centred rows."""

import numpy as np
import pytest
from scipy import linalg, sparse

from sklearn_dl.linear_model import least_squares
from sklearn_dl.linear_model.centered import CenteredRows, column_means
from sklearn_dl.linear_model.gram import compute_gram
from sklearn_dl.linear_model.least_squares import (
    cholesky,
    solve_iteratively,
    solve_least_squares,
    triangular_factor,
)

TOL = 1e-6


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def problem(X, Y, weight=None):
    gram = compute_gram(X, Y, weight, center=True)
    root = None if weight is None else np.sqrt(weight)
    return gram, CenteredRows(X, Y, root, gram.mean, gram.target_mean)


def minimum_norm(X, Y):
    centred = X - X.mean(0)
    return linalg.lstsq(centred, Y - Y.mean(0), cond=TOL)[0]


def with_condition(rng, condition, shape=(400, 6)):
    """Rows whose singular values, once centred, run from 1 down to 1 / condition."""
    U = rng.standard_normal(shape)
    U = linalg.qr(U - U.mean(0), mode="economic")[0]
    V = linalg.qr(rng.standard_normal((shape[1], shape[1])))[0]
    return U * np.logspace(0, -np.log10(condition), shape[1]) @ V.T


@pytest.mark.parametrize("condition", [1, 1e2, 1e4, 1e5, 4e5])
def test_digits_do_not_go_with_the_square_of_the_condition(rng, condition):
    X = with_condition(rng, condition)
    true = rng.standard_normal((6, 2))
    gram, rows = problem(X, X @ true)
    error = abs(solve_least_squares(gram, rows, TOL).coef - true).max()
    assert error < 1e-14 * condition * 10


def test_refinement_brings_digits_back_that_cholesky_lost(rng, monkeypatch):
    X = with_condition(rng, 1e4)
    true = rng.standard_normal((6, 1))
    gram, rows = problem(X, X @ true)
    refined = abs(solve_least_squares(gram, rows, TOL).coef - true).max()
    monkeypatch.setattr(least_squares, "_REFINE_BELOW", 0.0)
    assert refined < 0.01 * abs(solve_least_squares(gram, rows, TOL).coef - true).max()


def rank_deficient(rng, kind):
    X = rng.standard_normal((300, 5))
    return {
        "duplicated": np.hstack([X, X[:, :2]]),
        "constant": np.hstack([X, np.full((300, 1), 7.3)]),
        "combination": np.hstack([X, X @ rng.standard_normal((5, 2))]),
        "almost": np.hstack([X, X[:, :1] + 1e-9 * rng.standard_normal((300, 1))]),
        "near the cut-off": np.hstack([X, X[:, :1] + 3e-6 * rng.standard_normal((300, 1))]),
        "one of each class": np.eye(5)[rng.integers(0, 5, 300)],
        "zeros": np.zeros((300, 3)),
        "scales": X * np.array([1e-8, 1e-4, 1.0, 1e4, 1e8]),
    }[kind]


@pytest.mark.parametrize(
    "kind",
    [
        "duplicated",
        "constant",
        "combination",
        "almost",
        "near the cut-off",
        "one of each class",
        "zeros",
        "scales",
    ],
)
def test_the_solution_is_the_one_of_minimum_norm(rng, kind):
    X, Y = rank_deficient(rng, kind), rng.standard_normal((300, 2))
    solution = solve_least_squares(*problem(X, Y), TOL)
    expected = minimum_norm(X, Y)
    np.testing.assert_allclose(solution.coef, expected, rtol=1e-6, atol=1e-9 * abs(expected).max())


@pytest.mark.parametrize("kind", ["duplicated", "combination", "one of each class"])
def test_eigenvectors_and_triangle_agree_on_dependent_columns(rng, kind, monkeypatch):
    X, Y = rank_deficient(rng, kind), rng.standard_normal((300, 1))
    by_eigenvectors = solve_least_squares(*problem(X, Y), TOL).coef
    monkeypatch.setattr(least_squares, "_solve_by_eigenvectors", lambda *_: None)
    by_triangle = solve_least_squares(*problem(X, Y), TOL).coef
    np.testing.assert_allclose(by_eigenvectors, by_triangle, rtol=1e-9, atol=1e-12)


def test_values_whose_squares_overflow_are_solved_by_the_triangle(rng):
    X, Y = rng.standard_normal((300, 3)), rng.standard_normal((300, 1))
    coef = solve_least_squares(*problem(X * 1e200, Y), TOL).coef
    np.testing.assert_allclose(coef * 1e200, minimum_norm(X, Y), rtol=1e-10)


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
def test_the_triangle_of_blocks_of_rows_is_that_of_all_rows(rng, container):
    X, Y = rng.standard_normal((2500, 4)) + 5, rng.standard_normal((2500, 1))
    weight = rng.random(2500)
    R, right = triangular_factor(problem(container(X), Y, weight)[1])
    gram = compute_gram(X, Y, weight, center=True)
    np.testing.assert_allclose(R.T @ R, gram.products, rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(R.T @ right, gram.cross, rtol=1e-10, atol=1e-10)


def test_condition_numbers_are_estimated_with_and_without_scale(rng):
    X = with_condition(rng, 10.0)
    scale = np.logspace(-3, 3, 6)
    root = cholesky((X * scale).T @ (X * scale))
    exact = 1 / np.linalg.cond((X * scale).T @ (X * scale), 1)
    assert 0.99 * exact <= root.rcond <= 10 * exact
    assert root.scaled_rcond > 1e-3


@pytest.mark.parametrize("matrix", [np.zeros((2, 2)), np.array([[1.0, 2.0], [2.0, 1.0]]), np.ones((3, 3))])
def test_matrices_that_are_not_positive_definite_have_no_factor(matrix):
    assert cholesky(matrix) is None


def test_centred_products_are_those_of_the_centred_matrix(rng):
    X, Y, weight = rng.standard_normal((50, 4)) + 2, rng.standard_normal((50, 1)), rng.random(50)
    w, r = rng.standard_normal((4, 2)), rng.standard_normal((50, 2))
    Z = np.sqrt(weight)[:, None] * (X - np.average(X, axis=0, weights=weight))
    for container in (np.asarray, sparse.csr_array):
        means = column_means(container(X), Y, weight, center=True)
        rows = CenteredRows(container(X), Y, np.sqrt(weight), *means)
        np.testing.assert_allclose(rows.matmat(w), Z @ w, atol=1e-12)
        np.testing.assert_allclose(rows.rmatmat(r), Z.T @ r, atol=1e-12)
        np.testing.assert_allclose(rows.row_products(), Z @ Z.T, atol=1e-12)


def test_lsqr_iterates_to_the_penalised_solution(rng):
    X, Y = rng.standard_normal((60, 5)), rng.standard_normal((60, 2))
    _, rows = problem(sparse.csr_array(X), Y)
    coef, n_iter = solve_iteratively(rows, 1e-12, alpha=np.array([1.0, 10.0]))
    Z = X - X.mean(0)
    for k, alpha in enumerate([1.0, 10.0]):
        expected = np.linalg.solve(Z.T @ Z + alpha * np.eye(5), Z.T @ (Y[:, k] - Y[:, k].mean()))
        np.testing.assert_allclose(coef[:, k], expected, rtol=1e-8)
    assert (n_iter > 0).all()
