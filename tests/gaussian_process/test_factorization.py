"""Factor and inverse by tiles, beside LAPACK's and by what they are to satisfy."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy.linalg import lapack
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, DotProduct, WhiteKernel

from sklearn_dl.gaussian_process import (
    GaussianProcessClassifier,
    GaussianProcessRegressor,
    factorization,
    huge_pages,
)
from sklearn_dl.gaussian_process import tiles as registers
from sklearn_dl.gaussian_process.cholesky import factor_upper, invert_upper

# About the sizes of vectors, tiles, panels and blocks of rows.
SIZES = [1, 2, 3, 4, 5, 7, 8, 9, 11, 12, 13, 23, 24, 25, 47, 49, 95, 97, 143, 144, 145, 167, 169, 289, 300]
PRECISION = np.finfo(float).eps


def positive_definite(n, condition=10.0):
    """A matrix whose eigenvalues fall from 1 to the inverse of the condition number."""
    rng = np.random.default_rng(n)
    Q, _ = np.linalg.qr(rng.normal(size=(n, n)))
    A = (Q * np.geomspace(1, 1 / condition, n)) @ Q.T
    return (A + A.T) / 2


def upper_only(A):
    """The matrix with a lower triangle that spoils whatever it gets into."""
    return np.where(np.tri(len(A), k=-1) > 0, np.nan, A)


def symmetric(upper):
    return np.triu(upper) + np.triu(upper, k=1).T


def backward_error(L, A):
    return np.linalg.norm(L @ L.T - A) / np.linalg.norm(A)


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("condition", [10.0, 1e6, 1e12])
def test_factor_is_as_exact_as_that_of_lapack_and_the_inverse_as_the_matrix_allows(n, condition):
    A = positive_definite(n, condition)
    expected = lapack.dpotrf(A, lower=1, clean=1)[0]
    matrix = upper_only(A)
    assert factor_upper(matrix) == 0
    assert backward_error(np.triu(matrix).T, A) <= 2 * backward_error(expected, A) + 2 * PRECISION
    assert np.isnan(matrix[np.tri(n, k=-1) > 0]).all()
    invert_upper(matrix)
    assert np.linalg.norm(A @ symmetric(matrix) - np.eye(n)) <= n * PRECISION * condition
    assert np.isnan(matrix[np.tri(n, k=-1) > 0]).all()


def test_a_factor_of_integers_is_exact():
    n = 301
    U = np.triu(np.random.default_rng(0).integers(-3, 4, size=(n, n)).astype(float), k=1)
    U += np.diag(2.0 ** (np.arange(n) % 3))  # whose reciprocals are exact
    matrix = upper_only(U.T @ U)
    assert factor_upper(matrix) == 0
    np.testing.assert_array_equal(np.triu(matrix), U)


@pytest.mark.parametrize("place", [0, 1, 8, 23, 24, 143, 144, 150, 298])
@pytest.mark.parametrize("pivot", [-1e-3, 0.0])
def test_the_leading_minor_that_is_not_positive_definite_is_that_of_lapack(place, pivot):
    U = np.triu(np.random.default_rng(0).integers(-1, 2, size=(299, 299)).astype(float), k=1)
    np.fill_diagonal(U, 2.0)
    A = U.T @ U
    A[place, place] += pivot - 4.0
    expected = lapack.dpotrf(A, lower=1)[1]
    assert factor_upper(upper_only(A)) == expected == place + 1


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("place", [(0, 0), (0, 170), (30, 30), (150, 151), (170, 170)])
def test_what_is_not_finite_is_not_positive_definite(value, place):
    A = positive_definite(171)
    A[place] = value
    info = factor_upper(upper_only(A))
    if value == np.inf and place[0] == place[1]:  # a pivot like others: what lies beside it is 0 next to it
        assert info == lapack.dpotrf(A, lower=0)[1] == 0
    else:
        assert info == place[1] + 1


@pytest.mark.parametrize(
    "matrix", [np.eye(4)[:, ::2], np.eye(3, dtype=np.float32), np.ones((3, 4)), np.ones((2, 3)).T]
)
@pytest.mark.parametrize("function", [factor_upper, invert_upper])
def test_what_is_no_square_in_c_order_is_refused(function, matrix):
    with pytest.raises(ValueError, match="float64 array in C order"):
        function(matrix)


@pytest.mark.parametrize("clean", [False, True])
@pytest.mark.parametrize("by_tiles", [False, True])
def test_both_ways_leave_or_clean_the_other_triangle(by_tiles, clean):
    A = positive_definite(200)
    matrix = np.triu(A) + np.tril(np.full_like(A, 7.0), k=-1)
    L, info = factorization.factor(matrix, by_tiles=by_tiles, clean=clean)
    assert info == 0
    assert np.shares_memory(L, matrix)
    np.testing.assert_allclose(np.tril(L), np.linalg.cholesky(A), atol=1e-14)
    assert (L[np.tri(200) == 0] == (0.0 if clean else 7.0)).all()
    factorization.invert(L, by_tiles=by_tiles)
    np.testing.assert_allclose(symmetric(matrix), np.linalg.inv(A), rtol=1e-11, atol=1e-12)


@pytest.fixture
def pretend(monkeypatch):
    def be(architecture="Haswell", n_threads=1, internal_api="openblas", has_avx512=True):
        blas = SimpleNamespace(internal_api=internal_api, architecture=architecture, num_threads=n_threads)
        monkeypatch.setattr(factorization, "blas_libraries", lambda: [blas])
        monkeypatch.setattr(registers, "HAS_AVX512", has_avx512)

    return be


def test_tiles_are_for_avx512_that_blas_leaves_unused(pretend):
    pretend()
    assert factorization.tiles_pay(500, loaded=True)
    assert not factorization.tiles_pay(50, loaded=True)
    assert not factorization.tiles_pay(500, loaded=False)
    assert factorization.tiles_pay(1000, loaded=False)
    for other in (
        {"architecture": "SkylakeX"},
        {"architecture": "armv8"},
        {"internal_api": "mkl"},
        {"n_threads": 8},
        {"has_avx512": False},
    ):
        pretend(**other)
        assert not factorization.tiles_pay(1000, loaded=True)


@pytest.mark.parametrize("kernel", [ConstantKernel() * RBF([2.0, 3.0]), DotProduct() + RBF()])
@pytest.mark.parametrize("cls", [GaussianProcessRegressor, GaussianProcessClassifier])
def test_likelihood_and_gradient_are_the_same_both_ways(monkeypatch, cls, kernel):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(150, 2))
    y = np.sin(3 * X[:, 0]) + rng.normal(size=150)
    regresses = cls is GaussianProcessRegressor
    kernel = kernel + WhiteKernel(0.1) if regresses else kernel
    model = cls(kernel, optimizer=None).fit(X, y if regresses else y > 0)
    outcomes = {}
    for by_tiles in (False, True):
        monkeypatch.setattr(factorization, "tiles_pay", lambda n_rows, loaded, answer=by_tiles: answer)
        outcomes[by_tiles] = model.log_marginal_likelihood(kernel.theta, eval_gradient=True)
    for one, other in zip(*outcomes.values(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9)


@pytest.mark.parametrize("shape", [(0, 3), (5, 7), (181, 181), (1000, 1000), (42, 144, 24)])
def test_large_arrays_start_at_a_large_page(shape):
    array = huge_pages.empty(*shape)
    assert array.shape == shape
    assert array.dtype == np.float64
    assert array.flags.c_contiguous
    assert array.flags.writeable
    assert array.nbytes < 2**18 or array.ctypes.data % 2**21 == 0
    array[...] = 1.0
    assert array.sum() == np.prod(shape)
