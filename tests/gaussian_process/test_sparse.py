"""Sparse Gaussian processes against whole matrices, the exact process and finite differences."""

import tracemalloc

import numpy as np
import pytest
from scipy.optimize import approx_fprime
from scipy.stats import multivariate_normal
from sklearn.base import clone
from sklearn.gaussian_process.kernels import (
    RBF,
    ConstantKernel,
    DotProduct,
    ExpSineSquared,
    Matern,
    RationalQuadratic,
    WhiteKernel,
)

from sklearn_dl.gaussian_process import GaussianProcessRegressor
from sklearn_dl.gaussian_process.signal import SignalCovariance
from sklearn_dl.gaussian_process.sparse import VariationalBound

SCALES = [0.8, 1.5, 2.5]
KERNELS = {
    "rbf-ard": ConstantKernel(2.0) * RBF(SCALES) + WhiteKernel(0.1),
    "matern-1/2": Matern(1.3, nu=0.5) + WhiteKernel(0.1),
    "matern-3/2": Matern(SCALES, nu=1.5) + WhiteKernel(0.1),
    "matern-5/2": Matern(1.3, nu=2.5) + WhiteKernel(0.1),
    "rational-quadratic": RationalQuadratic(1.2, 0.6) + WhiteKernel(0.1),
    "periodic": ExpSineSquared(0.9, 25.0) * RBF(3.0) + WhiteKernel(0.1),
    "noise-by-row": DotProduct(0.7) * (RBF(2.0) + WhiteKernel(0.2)),
    "power": (ConstantKernel(0.5) + RBF(1.0) + WhiteKernel(0.2)) ** 1.5,
    "nested": ConstantKernel(3.0, "fixed") * (RBF(SCALES) + 0.5 * Matern(2.0, nu=1.5)) * DotProduct(2.0)
    + WhiteKernel(0.3),
}
each_kernel = pytest.mark.parametrize("kernel", KERNELS.values(), ids=KERNELS)


@pytest.fixture
def rows():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(120, 3))
    return X, np.column_stack([np.sin(X.sum(axis=1)), X[:, 0]]) + 0.1 * rng.normal(size=(120, 2))


def sparse(kernel, X, y, Z=None, **params):
    if Z is not None:
        params["inducing_points"] = Z
    return GaussianProcessRegressor(kernel, inference="sgpr", optimizer=None, random_state=0, **params).fit(
        X, y
    )


def matrices(kernel, X, Z, noise):
    """K_ff, K_uf, K_uu of the function alone, and the noise of each row, by scikit-learn's own code."""
    ghost = X + 0.0  # another array: a kernel of two arrays leaves the noise out
    K = kernel(X, ghost)
    return K, kernel(Z, X), kernel(Z, Z + 0.0), kernel.diag(X) - K.diagonal() + noise


@each_kernel
def test_bound_and_predictions_are_those_of_titsias_with_whole_matrices(kernel, rows):
    X, Y = rows
    Z, queries, alpha = X[:15] + 0.1, X[:7] - 0.2, np.linspace(0.01, 0.3, len(X))
    K, cross, inner, noise = matrices(kernel, X, Z, alpha)
    Q = cross.T @ np.linalg.solve(inner, cross)
    expected = sum(
        multivariate_normal(cov=Q + np.diag(noise)).logpdf(y) - 0.5 * ((K - Q).diagonal() / noise).sum()
        for y in Y.T
    )
    model = sparse(kernel, X, Y, Z, alpha=alpha)
    assert model.log_marginal_likelihood_value_ == pytest.approx(expected, rel=1e-7)

    posterior = np.linalg.inv(inner + cross / noise @ cross.T)
    to_queries = kernel(queries, Z)
    expected_mean = to_queries @ posterior @ (cross / noise @ Y)
    expected_covariance = kernel(queries) - to_queries @ (np.linalg.inv(inner) - posterior) @ to_queries.T
    mean, covariance = model.predict(queries, return_cov=True)
    np.testing.assert_allclose(mean, expected_mean, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(covariance[..., 1], expected_covariance, rtol=1e-5, atol=1e-7)
    std = model.predict(queries, return_std=True)[1]
    np.testing.assert_allclose(std[:, 0] ** 2, covariance[..., 0].diagonal(), rtol=1e-9)


@each_kernel
def test_with_the_rows_as_inducing_points_the_process_is_exact(kernel, rows):
    X, y = rows
    exact = GaussianProcessRegressor(kernel, optimizer=None, alpha=0.01, normalize_y=True).fit(X, y)
    model = sparse(kernel, X, y, alpha=0.01, normalize_y=True)  # fewer rows than n_inducing_points
    likelihood = exact.log_marginal_likelihood_value_
    assert model.log_marginal_likelihood_value_ == pytest.approx(likelihood, rel=1e-7)
    for got, wanted in zip(
        model.predict(X[:9] + 0.2, return_cov=True), exact.predict(X[:9] + 0.2, return_cov=True), strict=True
    ):
        np.testing.assert_allclose(got, wanted, atol=1e-6)


@each_kernel
def test_gradient_by_theta_and_inducing_points_is_that_of_finite_differences(kernel, rows):
    X, y = rows
    bound = VariationalBound(SignalCovariance(kernel), X, y, np.linspace(0.01, 0.1, len(X)))
    theta, Z = kernel.theta, X[:12] + 0.1
    _, gradient = bound.value_and_gradient(theta, Z, by_inducing_points=True)

    def value(point):
        return bound.value(point[: len(theta)], point[len(theta) :].reshape(Z.shape))

    numeric = approx_fprime(np.concatenate([theta, Z.ravel()]), value, 1e-6)
    np.testing.assert_allclose(gradient, numeric, rtol=1e-4, atol=2e-5 * np.abs(numeric).max())
    np.testing.assert_allclose(bound.value_and_gradient(theta, Z)[1], gradient[: len(theta)], rtol=1e-9)


def test_bound_lies_below_the_likelihood_and_rises_with_inducing_points(rows):
    X, y = rows
    kernel = KERNELS["matern-3/2"]
    exact = GaussianProcessRegressor(kernel, optimizer=None).fit(X, y).log_marginal_likelihood_value_
    bounds = [sparse(kernel, X, y, X[:m]).log_marginal_likelihood_value_ for m in (5, 20, 60, 119)]
    assert np.all(np.diff([*bounds, exact]) > 0)


def test_blocks_of_rows_add_up(rows, monkeypatch):
    kernel, (X, y) = KERNELS["nested"], rows
    model = sparse(kernel, X, y, X[:9])
    expected = model.log_marginal_likelihood(kernel.theta, eval_gradient=True)
    monkeypatch.setattr("sklearn_dl.gaussian_process.sparse._ROWS_AT_A_TIME", 7)
    monkeypatch.setattr(
        "sklearn_dl.gaussian_process.sparse.block_slices",
        lambda X, n_columns: [slice(i, i + 7) for i in range(0, len(X), 7)],
    )
    value, gradient = model.log_marginal_likelihood(kernel.theta, eval_gradient=True)
    assert value == pytest.approx(expected[0], rel=1e-12)
    np.testing.assert_allclose(gradient, expected[1], rtol=1e-9)


def test_no_matrix_of_rows_by_inducing_points_is_held():
    rng = np.random.default_rng(0)
    n_samples, n_inducing = 40_000, 200
    X = rng.normal(size=(n_samples, 2))
    kernel = RBF() + WhiteKernel(0.1)
    model = sparse(kernel, X, X[:, 0], X[:n_inducing])
    tracemalloc.start()
    model.log_marginal_likelihood(kernel.theta, eval_gradient=True)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 0.25 * 8 * n_samples * n_inducing


def test_search_reaches_the_optimum_of_the_exact_process_where_the_function_is_smooth():
    rng = np.random.default_rng(0)
    X = rng.uniform(0, 6, size=(600, 1))
    y = 5 + 2 * np.sin(2 * X[:, 0]) + 0.3 * rng.normal(size=600)
    exact = GaussianProcessRegressor(ConstantKernel() * RBF() + WhiteKernel(), normalize_y=True).fit(X, y)
    model = GaussianProcessRegressor(
        ConstantKernel() * RBF() + WhiteKernel(), normalize_y=True, inference="sgpr", n_inducing_points=30,
        random_state=0,
    ).fit(X, y)  # fmt: skip
    np.testing.assert_allclose(model.kernel_.theta, exact.kernel_.theta, atol=0.02)
    np.testing.assert_allclose(model.predict(X), exact.predict(X), atol=0.01)
    again = clone(model).fit(X, y)
    np.testing.assert_array_equal(again.alpha_, model.alpha_)


def test_inducing_points_that_are_searched_raise_the_bound(rows):
    X, y = rows
    held, moved = (
        GaussianProcessRegressor(
            KERNELS["rbf-ard"], inference="sgpr", n_inducing_points=8, optimize_inducing_points=moving,
            random_state=0,
        ).fit(X, y[:, 0])
        for moving in (False, True)
    )  # fmt: skip
    assert moved.log_marginal_likelihood_value_ > held.log_marginal_likelihood_value_ + 1
    assert moved.inducing_points_.shape == held.inducing_points_.shape == (8, 3)


def test_partial_fit_is_a_refit_with_hyper_parameters_and_inducing_points_held(rows):
    X, y = rows
    noise = np.linspace(0.01, 0.2, len(X))
    kernel, Z = KERNELS["noise-by-row"], X[:20]
    model = GaussianProcessRegressor(kernel, inference="sgpr", optimizer=None, inducing_points=Z)
    model.fit(X[:70], y[:70], noise[:70]).partial_fit(X[70:], y[70:], noise[70:])
    whole = sparse(kernel, X, y, Z, alpha=1e-10 + noise)
    np.testing.assert_allclose(model.predict(X), whole.predict(X), atol=1e-8)
    assert model.log_marginal_likelihood_value_ == pytest.approx(whole.log_marginal_likelihood_value_)


def test_derivative_of_the_mean_is_that_of_finite_differences(rows):
    X, y = rows
    model = sparse(KERNELS["rbf-ard"], X, y[:, 0], X[:30])
    x = np.array([0.3, -0.2, 0.5])
    numeric = approx_fprime(x, lambda x: model.predict(x[None])[0], 1e-6)
    np.testing.assert_allclose(model.mean_gradient(x[None])[0], numeric, rtol=1e-4, atol=1e-5)


@each_kernel
def test_tensors_give_the_bound_of_arrays(kernel, rows):
    torch = pytest.importorskip("torch")
    X, y = rows
    noise, Z, signal = np.full(len(X), 0.01), X[:12] + 0.1, SignalCovariance(kernel)
    value, gradient = VariationalBound(signal, X, y, noise).value_and_gradient(
        kernel.theta, Z, by_inducing_points=True
    )
    tensors = VariationalBound(signal, *map(torch.from_numpy, (X, y, noise)))
    got, got_gradient = tensors.value_and_gradient(kernel.theta, torch.from_numpy(Z), by_inducing_points=True)
    assert got == pytest.approx(value, rel=1e-9)
    np.testing.assert_allclose(got_gradient, gradient, rtol=1e-7, atol=1e-7 * np.abs(gradient).max())


def test_rows_without_noise_are_refused_with_what_to_do(rows):
    with pytest.raises(ValueError, match=r"needs noise.*WhiteKernel.*alpha.*exact"):
        sparse(RBF(), *rows)


def test_what_only_the_exact_process_does_says_what_to_use_instead(rows):
    X, y = rows
    with pytest.raises(NotImplementedError, match="cross_val_predict"):
        sparse(KERNELS["rbf-ard"], X, y).leave_one_out()
    with pytest.raises(NotImplementedError, match='inference="exact"'):
        sparse(Matern(nu=2.0) + WhiteKernel(), X, y)


@pytest.mark.parametrize(
    "points",
    [np.zeros((4, 2)), np.zeros(3), np.zeros((0, 3)), np.full((4, 3), np.nan), np.full((4, 3), "a")],
)
def test_inducing_points_of_another_shape_are_refused(points, rows):
    with pytest.raises(ValueError, match="inducing_points must be finite numbers, of shape"):
        sparse(KERNELS["rbf-ard"], *rows, points)
