"""Minimisation of smooth convex functions against closed forms."""

import numpy as np
import pytest

from sklearn_dl.linear_model.preconditioned_lbfgs import minimize


def _quadratic(condition, size=20):
    rng = np.random.default_rng(0)
    basis = np.linalg.qr(rng.normal(size=(size, size)))[0]
    matrix = basis * np.logspace(0, np.log10(condition), size) @ basis.T
    target = rng.normal(size=size)
    return matrix, target, lambda x: (x @ matrix @ x / 2 - target @ x, matrix @ x - target)


def _plain(_):
    return lambda gradient: gradient.copy()


def test_minimum_of_a_quadratic_is_the_solution_of_its_linear_system():
    matrix, target, objective = _quadratic(1e3)
    result = minimize(objective, np.zeros(20), _plain, tol=1e-9, decrease_tol=np.inf, max_iter=500)
    assert result.converged
    np.testing.assert_allclose(result.x, np.linalg.solve(matrix, target), rtol=1e-5)


def test_the_inverse_hessian_makes_one_step_of_a_quadratic():
    matrix, _, objective = _quadratic(1e8)
    inverse = np.linalg.inv(matrix)
    result = minimize(
        objective, np.zeros(20), lambda x: lambda g: inverse @ g, tol=1e-6, decrease_tol=np.inf, max_iter=9
    )
    assert result.converged
    assert result.n_iter == 1


def test_memory_of_steps_saves_iterations_over_plain_descent():
    _, _, objective = _quadratic(100)
    options = {"tol": 1e-6, "decrease_tol": np.inf, "max_iter": 2000}
    with_memory = minimize(objective, np.zeros(20), lambda x: lambda g: g / 100, **options)
    without = minimize(objective, np.zeros(20), lambda x: lambda g: g / 100, memory=0, **options)
    assert with_memory.n_iter < without.n_iter / 4


def test_newton_steps_converge_quadratically_on_a_strictly_convex_function():
    def objective(x):
        return float(np.cosh(x).sum()), np.sinh(x)

    result = minimize(
        objective, np.full(3, 2.0), lambda x: lambda g: g / np.cosh(x), tol=1e-6, decrease_tol=1, max_iter=9,
        memory=0,
    )  # fmt: skip
    assert result.converged
    np.testing.assert_allclose(result.x, 0, atol=1e-15)


@pytest.mark.parametrize("scale", [1e-6, 1e6])
def test_line_search_mends_an_inverse_hessian_of_the_wrong_size(scale):
    matrix, target, objective = _quadratic(10)
    result = minimize(
        objective, np.zeros(20), lambda x: lambda g: scale * g, tol=1e-8, decrease_tol=np.inf, max_iter=200
    )
    assert result.converged
    np.testing.assert_allclose(result.x, np.linalg.solve(matrix, target), rtol=1e-6)


def test_a_tolerance_below_rounding_ends_in_a_stall_and_counts_as_converged():
    _, _, objective = _quadratic(10)
    result = minimize(objective, np.zeros(20), _plain, tol=0.0, decrease_tol=0.0, max_iter=10_000)
    assert result.converged
    assert result.n_iter < 200


def test_too_few_iterations_are_told():
    _, _, objective = _quadratic(1e3)
    result = minimize(objective, np.zeros(20), _plain, tol=1e-9, decrease_tol=np.inf, max_iter=3)
    assert not result.converged
    assert result.n_iter == 3
