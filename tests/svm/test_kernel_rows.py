"""Kernel rows against the kernels of scikit-learn, with memory for all, some and few of them."""

import numpy as np
import pytest
from sklearn.metrics.pairwise import pairwise_kernels

from sklearn_dl.svm.kernel_rows import Kernel, KernelRows
from sklearn_dl.svm.scores import kernel_scores, one_vs_one_coef, votes

PARAMETERS = {
    "linear": {},
    "rbf": {"gamma": 0.3},
    "poly": {"gamma": 0.3, "coef0": 0.7, "degree": 3},
    "sigmoid": {"gamma": 0.3, "coef0": 0.7},
}


def of(name):
    return Kernel(name, **{"gamma": 1.0, "coef0": 0.0, "degree": 3, **PARAMETERS[name]})


@pytest.fixture(scope="module")
def X():
    return np.random.default_rng(0).normal(5.0, 1.0, size=(150, 4))


@pytest.mark.parametrize("name", PARAMETERS)
@pytest.mark.parametrize("cache_bytes", [0, 8 * 150 * 100, 1e9])
def test_sums_of_rows_are_those_of_the_whole_matrix(X, name, cache_bytes):
    rng = np.random.default_rng(1)
    rows = KernelRows(of(name), X, np.float64, cache_bytes)
    matrix = pairwise_kernels(X, metric=name, **PARAMETERS[name])
    for _ in range(5):
        chosen = rng.permutation(150)[:110]
        factors = rng.normal(size=110)
        first, second = np.zeros(40), np.ones(30)
        rows.add_products(chosen, factors, [(0, first), (100, second)])
        np.testing.assert_allclose(first, factors @ matrix[chosen, :40], rtol=1e-9, atol=1e-8)
        np.testing.assert_allclose(second, 1 + factors @ matrix[chosen, 100:130], rtol=1e-9, atol=1e-8)


@pytest.mark.parametrize("n_columns", [4, 80])
def test_the_square_is_part_of_the_matrix_before_and_after_its_rows_are_kept(n_columns):
    X = np.random.default_rng(0).normal(size=(90, n_columns))
    rows = KernelRows(of("rbf"), X, np.float64, 1e9)
    chosen = np.arange(10, 50, 2)
    expected = pairwise_kernels(X[chosen], metric="rbf", gamma=0.3)
    np.testing.assert_allclose(rows.square(chosen), expected, atol=1e-13)
    rows.add_products(chosen[::2], np.ones(10), [(0, np.zeros(90))])
    np.testing.assert_allclose(rows.square(chosen), expected, atol=1e-13)


@pytest.mark.parametrize("name", PARAMETERS)
def test_rounding_bounds_the_error_of_float32(X, name):
    kernel = of(name)
    square = KernelRows(kernel, X, np.float32, 1e9).square(np.arange(150))
    error = np.abs(square - pairwise_kernels(X, metric=name, **PARAMETERS[name])).max()
    assert error < 8 * kernel.rounding(X)  # an inner product of four terms adds up as many roundings


@pytest.mark.parametrize("name", PARAMETERS)
def test_scores_are_kernel_times_coefficients(X, name):
    coef = np.random.default_rng(2).normal(size=(20, 3))
    expected = pairwise_kernels(X, X[:20], metric=name, **PARAMETERS[name]) @ coef
    np.testing.assert_allclose(kernel_scores(of(name), X, X[:20], coef), expected, rtol=1e-9, atol=1e-9)


def test_coefficients_of_pairs_are_where_libsvm_keeps_them():
    # One vector of each of three classes; column k of dual_coef holds those against the two other classes.
    dual_coef = np.array([[1.0, 3.0, 5.0], [2.0, 4.0, 6.0]])
    expected = [[1.0, 2.0, 0.0], [3.0, 0.0, 4.0], [0.0, 5.0, 6.0]]
    np.testing.assert_array_equal(one_vs_one_coef(dual_coef, np.array([1, 1, 1])), expected)


def test_the_first_of_the_classes_with_most_votes_wins():
    scores = np.array([[1.0, 1.0, 1.0], [-1.0, -1.0, 1.0], [1.0, -1.0, 1.0]])
    np.testing.assert_array_equal(votes(scores, 3), [0, 1, 0])
