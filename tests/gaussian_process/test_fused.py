"""Covariances of a search in compiled code, beside scikit-learn's."""

import subprocess
import sys
from unittest import mock

import numpy as np
import pytest
from sklearn.gaussian_process import GaussianProcessClassifier as ScikitLearnClassifier
from sklearn.gaussian_process import GaussianProcessRegressor as ScikitLearnRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, Matern, WhiteKernel

from sklearn_dl.gaussian_process import GaussianProcessClassifier, GaussianProcessRegressor, fused
from sklearn_dl.gaussian_process.covariance import compile_covariance
from sklearn_dl.gaussian_process.in_place import invert_triangle
from sklearn_dl.gaussian_process.stationary_kernels import _exponentials

NOISE = WhiteKernel(0.1)
KERNELS = {
    "gaussian": ConstantKernel(2.0) * RBF(0.7) + NOISE,
    "by feature": RBF(np.linspace(0.5, 3, 6)) * ConstantKernel(2.0) * ConstantKernel(0.3) + NOISE,
    "matern 1/2": ConstantKernel() * Matern(np.linspace(0.5, 3, 6), nu=0.5) + NOISE,
    "matern 3/2": Matern(np.linspace(0.5, 3, 6), nu=1.5) + NOISE,
    "matern 5/2": NOISE + ConstantKernel() * Matern(1.5, nu=2.5),
    "two signals": RBF(np.linspace(1, 4, 6)) + NOISE + ConstantKernel(0.2) * Matern(0.3, nu=2.5) + NOISE,
    "fixed": ConstantKernel(2.0, "fixed") * RBF(np.full(6, 2.0), "fixed") + NOISE + RBF(0.1),
}


@pytest.fixture
def always_compiled(monkeypatch):
    monkeypatch.setattr(fused, "_LEAST_WORK", 0)


def rows(n_samples, n_features=6, n_targets=1):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n_samples, n_features))
    X[1] = X[0]  # a repetition, and a near one
    X[3] = X[2] + 1e-9
    y = np.sin(X.sum(axis=1))[:, None] + 0.3 * rng.normal(size=(n_samples, n_targets))
    return X, y if n_targets > 1 else y[:, 0]


@pytest.mark.parametrize("name", KERNELS)
@pytest.mark.parametrize("n_targets", [1, 3])
def test_likelihood_and_gradient_are_those_of_scikit_learn(name, n_targets, always_compiled):
    X, y = rows(151, n_targets=n_targets)
    with mock.patch.object(
        fused.FusedSum, "contract", autospec=True, side_effect=fused.FusedSum.contract
    ) as used:
        value, gradient = evaluate(GaussianProcessRegressor, KERNELS[name], X, y)
    expected, slope = evaluate(ScikitLearnRegressor, KERNELS[name], X, y)
    assert used.call_count == 1
    np.testing.assert_allclose(value, expected, rtol=1e-10)
    np.testing.assert_allclose(gradient, slope, rtol=1e-8, atol=1e-8 * np.abs(slope).max())


@pytest.mark.parametrize("name", ["by feature", "two signals"])
def test_likelihood_of_labels_is_that_of_scikit_learn(name, always_compiled):
    X, y = rows(151)
    value, gradient = evaluate(GaussianProcessClassifier, KERNELS[name], X, y > 0)
    expected, slope = evaluate(ScikitLearnClassifier, KERNELS[name], X, y > 0)
    np.testing.assert_allclose(value, expected, rtol=1e-8)
    np.testing.assert_allclose(gradient, slope, rtol=1e-4, atol=1e-5 * np.abs(slope).max())


@pytest.mark.parametrize("n_features", [6, 33])  # compiled, and by products of matrices
def test_gradient_at_short_length_scales_is_that_of_scikit_learn(n_features, always_compiled):
    X, y = np.random.default_rng(0).normal(size=(120, n_features)), np.ones(120)
    kernel = ConstantKernel() * RBF(np.full(n_features, 1e-5)) + NOISE
    _, gradient = evaluate(GaussianProcessRegressor, kernel, X, y)
    _, slope = evaluate(ScikitLearnRegressor, kernel, X, y)
    np.testing.assert_allclose(gradient, slope, rtol=1e-8, atol=1e-8 * np.abs(slope).max())


def evaluate(cls, kernel, X, y):
    model = cls(kernel, optimizer=None).fit(X, y)
    return model.log_marginal_likelihood(kernel.theta, eval_gradient=True)


def test_near_duplicates_far_from_the_centre_keep_their_digits():
    X, _ = rows(301, n_features=1)
    X[0], X[1] = 1e6, 1e6 + 2**-10  # exact in binary
    term = fused.fuse(compiled(RBF(2**-8)))
    out = np.zeros((301, 301))
    term.fill(X, np.array([-8 * np.log(2)]), out)
    assert out[0, 1] == pytest.approx(np.exp(-1 / 32), rel=1e-14)


def compiled(kernel):
    return compile_covariance(kernel).term


@pytest.mark.parametrize("kernel", [ConstantKernel() + RBF(), RBF() * RBF(), NOISE * RBF(), RBF() ** 2])
def test_other_expressions_are_not_fused(kernel):
    assert fused.fuse(compiled(kernel)) is None


def test_exponential_is_right_to_a_unit_in_the_last_place():
    x = -np.concatenate([[0.0, 1e-300, 1e-17], np.geomspace(1e-10, 708, 4001)])
    exact, values = np.exp(x.astype(np.longdouble)), np.empty_like(x)
    _exponentials(1.0, x, values)
    assert float(np.abs((values - exact) / np.spacing(values)).max()) <= 1.0
    beyond = np.array([-709.0, -1e300, -np.inf, np.nan])
    _exponentials(1.0, beyond, beyond)
    np.testing.assert_array_equal(beyond, [0, 0, 0, np.nan])


@pytest.mark.parametrize("n_rows", [1, 2, 63, 65, 130, 333])
def test_triangle_is_inverted_where_it_lies(n_rows):
    rng = np.random.default_rng(n_rows)
    L = np.asfortranarray(np.tril(rng.normal(size=(n_rows, n_rows))) / n_rows + 2 * np.eye(n_rows))
    L += np.triu(np.full_like(L, 7.0), k=1)  # the other triangle is neither read nor written
    inverse = L.copy(order="F")
    invert_triangle(inverse)
    np.testing.assert_allclose(np.tril(inverse) @ np.tril(L), np.eye(n_rows), atol=1e-13)
    np.testing.assert_array_equal(np.triu(inverse, 1), np.triu(L, 1))


@pytest.mark.parametrize("array", [np.eye(3)[::2], np.eye(3, dtype=np.float32), np.ones((3, 4))])
def test_what_is_no_triangle_in_fortran_order_is_refused(array):
    with pytest.raises(ValueError, match="float64 array in Fortran order"):
        invert_triangle(array)


def test_small_searches_and_fits_without_one_load_no_compiled_code():
    script = (
        "import sys, numpy as np; from sklearn_dl.gaussian_process import GaussianProcessRegressor as G;"
        "from sklearn.gaussian_process.kernels import RBF, ConstantKernel;"
        "X = np.random.default_rng(0).normal(size=(1200, 2)); y = np.sin(X[:, 0]);"
        "G(ConstantKernel() * RBF(), alpha=0.1).fit(X[:400], y[:400]);"
        "G(optimizer=None, alpha=0.1).fit(X, y).predict(X);"
        "assert 'numba' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
