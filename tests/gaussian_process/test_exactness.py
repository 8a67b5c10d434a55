"""How exact the likelihood is where rounding bites, against fifty digits and against slower ways."""

import numpy as np
import pytest
from scipy.linalg import lapack
from scipy.spatial.distance import cdist
from sklearn.gaussian_process import GaussianProcessRegressor as ScikitLearnRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, Matern, WhiteKernel

from sklearn_dl.gaussian_process import GaussianProcessRegressor
from sklearn_dl.gaussian_process.factorization import invert
from sklearn_dl.gaussian_process.pairs import Pairs


def fitted(kernel, X, y, **params):
    return GaussianProcessRegressor(kernel, optimizer=None, **params).fit(X, y)


@pytest.mark.parametrize(
    "theta",
    [[11.0, 6.0, 6.0, -5.0], [-11.0, -9.0, -7.0, -11.0], [11.0, 0.0, 1.0, -2.0], [3.0, -1.0, 11.0, 8.0]],
)
def test_likelihood_and_gradient_at_extreme_hyper_parameters_are_those_of_fifty_digits(theta):
    mpmath = pytest.importorskip("mpmath")
    mpmath.mp.dps = 50
    X = np.column_stack([np.linspace(0, 1, 8), np.cos(np.arange(8.0))])
    y = np.sin(np.arange(8.0))
    target = mpmath.matrix(y.tolist())

    def likelihood(*theta):
        constant, *scales, noise = map(mpmath.exp, theta)

        def covariance(a, b):
            squared = sum(
                ((mpmath.mpf(i) - mpmath.mpf(j)) / scale) ** 2
                for i, j, scale in zip(a, b, scales, strict=True)
            )
            return constant * mpmath.exp(-squared / 2)

        K = mpmath.matrix([[covariance(a, b) for b in X] for a in X]) + noise * mpmath.eye(8)
        fit = (target.T * K**-1 * target)[0]
        return -(fit + mpmath.log(mpmath.det(K)) + 8 * mpmath.log(2 * mpmath.pi)) / 2

    kernel = ConstantKernel() * RBF([1.0, 1.0]) + WhiteKernel()
    value, gradient = fitted(kernel, X, y, alpha=0.0).log_marginal_likelihood(theta, eval_gradient=True)
    # theta as the logarithms that doubles hold; derivatives by differences of 1e-15 in 50 digits
    exact = [float(mpmath.diff(likelihood, theta, tuple(int(i == j) for i in range(4)))) for j in range(4)]
    assert value == pytest.approx(float(likelihood(*theta)), rel=1e-8)
    np.testing.assert_allclose(gradient, exact, rtol=1e-6, atol=1e-7 * np.abs(exact).max())


def test_near_duplicate_columns_and_rows_round_as_in_scikit_learn():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 3))
    X = np.vstack([X, X + 1e-9 * rng.normal(size=X.shape)])
    X = np.column_stack([X, X + 1e-9 * rng.normal(size=X.shape)])
    y = np.sin(X.sum(axis=1)) + 0.1 * rng.normal(size=120)
    for kernel in (
        ConstantKernel(2.0) * RBF(np.full(6, 3.0)) + WhiteKernel(0.1),
        Matern(np.full(6, 3.0), nu=0.5) + WhiteKernel(0.1),
        Matern(3.0, nu=2.5) + WhiteKernel(0.1),
    ):
        model = fitted(kernel, X, y)
        reference = ScikitLearnRegressor(kernel, optimizer=None).fit(X, y)
        value, gradient = model.log_marginal_likelihood(kernel.theta, eval_gradient=True)
        expected, expected_gradient = reference.log_marginal_likelihood(kernel.theta, eval_gradient=True)
        assert value == pytest.approx(expected, rel=1e-10)
        np.testing.assert_allclose(
            gradient, expected_gradient, rtol=1e-8, atol=1e-8 * np.abs(expected_gradient).max()
        )


@pytest.mark.parametrize("n_features", [1, 3, 4, 20])
def test_distances_are_those_of_differences_however_far_the_rows_are(n_features):
    rng = np.random.default_rng(0)
    rows, scale = rng.normal(size=(50, n_features)), np.linspace(1, 4, n_features)
    rows[1] = rows[0] + 1e-10
    for shift in (0.0, 1e6):
        for stretch in (1.0, 1e4):
            X = stretch * rows + shift
            got = Pairs(X, X).block(slice(0, 20), slice(5, 50)).scaled_squared_distances(scale)
            differences = (X[:20, None] - X[5:50]) / scale
            expected = (differences**2).sum(axis=2)
            np.testing.assert_allclose(got, expected, rtol=1e-9, atol=2e-14)
            assert (got >= 0).all()


def test_near_duplicates_far_off_have_their_distances():
    X = np.zeros((3, 6))
    X[0] += 1e5
    X[1] = X[0] + 1e-4
    squared = Pairs(X, X).scaled_squared_distances(np.ones(6))
    np.testing.assert_allclose(squared[0, 1], 6e-8, rtol=1e-5)
    np.testing.assert_allclose(squared, cdist(X, X, "sqeuclidean"), rtol=1e-12)


@pytest.mark.parametrize("n_rows", [1, 2, 64, 65, 129, 700, 1600])
def test_inverse_by_halves_is_that_of_lapack(n_rows):
    A = np.random.default_rng(0).normal(size=(n_rows, n_rows))
    L = np.asfortranarray(np.linalg.cholesky(A @ A.T / n_rows + np.eye(n_rows)))
    expected = np.tril(lapack.dpotri(L, lower=1)[0])
    invert(L)
    np.testing.assert_allclose(np.tril(L), expected, atol=1e-13)


def test_alpha_by_row_is_the_variance_of_its_noise():
    rng = np.random.default_rng(0)
    X, alpha = rng.normal(size=(40, 2)), np.geomspace(1e-3, 10, 40)
    y, queries, kernel = np.sin(X[:, 0]), rng.normal(size=(7, 2)), ConstantKernel(2.0) * RBF(0.8)
    K = kernel(X) + np.diag(alpha)
    cross = kernel(queries, X)
    mean, covariance = fitted(kernel, X, y, alpha=alpha).predict(queries, return_cov=True)
    np.testing.assert_allclose(mean, cross @ np.linalg.solve(K, y), rtol=1e-9)
    expected = kernel(queries) - cross @ np.linalg.solve(K, cross.T)
    np.testing.assert_allclose(covariance, expected, rtol=1e-8, atol=1e-12)


def test_rows_added_one_by_one_give_the_refit():
    rng = np.random.default_rng(0)
    X, y, kernel = rng.normal(size=(30, 2)), rng.normal(size=30), Matern(1.0, nu=1.5) + WhiteKernel(0.2)
    model = fitted(kernel, X[:20], y[:20])
    for i in range(20, 30):
        model.partial_fit(X[i : i + 1], y[i : i + 1])
    whole = fitted(kernel, X, y)
    np.testing.assert_allclose(model.L_, whole.L_, atol=1e-13)
    np.testing.assert_allclose(model.alpha_, whole.alpha_, rtol=1e-10)
    assert model.log_marginal_likelihood_value_ == pytest.approx(
        whole.log_marginal_likelihood_value_, rel=1e-12
    )
