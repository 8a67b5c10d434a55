"""Gaussian process classification against scikit-learn, minimisers, quadrature and finite differences."""

import warnings

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import approx_fprime, minimize
from scipy.special import expit
from scipy.stats import norm
from sklearn.datasets import load_iris
from sklearn.gaussian_process import GaussianProcessClassifier as ScikitLearnClassifier
from sklearn.gaussian_process.kernels import (
    RBF,
    CompoundKernel,
    ConstantKernel,
    DotProduct,
    Matern,
    PairwiseKernel,
    RationalQuadratic,
    WhiteKernel,
)

from sklearn_dl.gaussian_process import GaussianProcessClassifier
from sklearn_dl.gaussian_process.covariance import compile_covariance
from sklearn_dl.gaussian_process.laplace import LaplaceLikelihood, mean_probability

SCALES = [0.8, 1.5, 2.5]
KERNELS = {
    "rbf": ConstantKernel(2.0) * RBF(0.7),
    "rbf-ard": ConstantKernel(2.0) * RBF(SCALES),
    "matern-1/2": ConstantKernel(4.0) * Matern(1.3, nu=0.5),
    "matern-5/2-ard": Matern(SCALES, nu=2.5) + WhiteKernel(0.1),
    "rational-quadratic": RationalQuadratic(1.2, 0.6),
    "dot-product": 2.0 * DotProduct(0.7) ** 2 + WhiteKernel(0.3),
    "own": 3.0 * PairwiseKernel(metric="rbf", gamma=0.5),
}
each_kernel = pytest.mark.parametrize("kernel", KERNELS.values(), ids=KERNELS)


@pytest.fixture
def rows():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(90, 3))
    return X, np.sin(2 * X[:, 0]) + X[:, 1] * X[:, 2] + 0.3 * rng.normal(size=90) > 0


def peer(kernel, X, y, **params):
    return ScikitLearnClassifier(kernel, optimizer=None, **params).fit(X, y)


def ours(kernel, X, y, **params):
    return GaussianProcessClassifier(kernel, optimizer=None, **params).fit(X, y)


@each_kernel
def test_likelihood_and_gradient_are_those_of_scikit_learn(kernel, rows):
    model, reference = ours(kernel, *rows), peer(kernel, *rows)
    for shift in (0.0, 0.5, -1.0):
        value, gradient = model.log_marginal_likelihood(kernel.theta + shift, eval_gradient=True)
        expected, expected_gradient = reference.log_marginal_likelihood(kernel.theta + shift, True)
        assert value == pytest.approx(expected, rel=1e-8)
        np.testing.assert_allclose(
            gradient, expected_gradient, rtol=1e-6, atol=1e-6 * np.abs(expected_gradient).max()
        )


@each_kernel
def test_gradient_of_the_likelihood_is_that_of_finite_differences(kernel, rows):
    model = ours(kernel, *rows)
    _, gradient = model.log_marginal_likelihood(kernel.theta, eval_gradient=True)
    numeric = approx_fprime(kernel.theta, model.log_marginal_likelihood, 1e-6)
    np.testing.assert_allclose(gradient, numeric, rtol=1e-4, atol=1e-4)


def test_gradient_over_several_blocks_of_rows_is_that_of_scikit_learn(rows):
    X = np.random.default_rng(1).normal(size=(300, 3))
    y, kernel = np.sin(3 * X).sum(axis=1) > 0, KERNELS["rbf-ard"]
    gradients = [
        fit(kernel, X, y).log_marginal_likelihood(kernel.theta, eval_gradient=True)[1] for fit in (ours, peer)
    ]
    np.testing.assert_allclose(gradients[0], gradients[1], rtol=1e-8)


@each_kernel
def test_predictions_are_those_of_scikit_learn(kernel, rows):
    X, y = rows
    queries = np.vstack([X[::3] + 0.1, 10 * X[:5]])
    labels = np.where(y, "yes", "no")
    model, reference = ours(kernel, X, labels), peer(kernel, X, labels)
    np.testing.assert_array_equal(model.predict(queries), reference.predict(queries))
    np.testing.assert_allclose(model.predict_proba(queries), reference.predict_proba(queries), atol=1e-8)
    for got, wanted in zip(
        model.latent_mean_and_variance(queries), reference.latent_mean_and_variance(queries), strict=True
    ):
        np.testing.assert_allclose(got, wanted, rtol=1e-7, atol=1e-8)
    for name in ("L_", "pi_", "W_sr_"):
        got, wanted = (getattr(fitted.base_estimator_, name) for fitted in (model, reference))
        np.testing.assert_allclose(got, wanted, atol=1e-5)  # theirs are of the step before the last


def test_mode_and_likelihood_are_those_of_a_general_minimiser(rows):
    X, y = rows
    kernel = KERNELS["rbf"]
    K, signs = kernel(X), np.where(y, 1.0, -1.0)

    def negative_log_posterior(dual):
        latent = K @ dual
        value = 0.5 * dual @ latent + np.logaddexp(0, -signs * latent).sum()
        return value, K @ (dual - signs * expit(-signs * latent))

    found = minimize(negative_log_posterior, np.zeros(90), jac=True, method="BFGS", options={"gtol": 1e-10})
    latent = K @ found.x
    curvature = expit(latent) * expit(-latent)
    _, log_determinant = np.linalg.slogdet(np.eye(90) + K * curvature)
    model = ours(kernel, X, y)
    assert model.log_marginal_likelihood_value_ == pytest.approx(-found.fun - 0.5 * log_determinant, rel=1e-9)
    np.testing.assert_allclose(model.latent_mean_and_variance(X)[0], latent, atol=1e-5)


@pytest.mark.parametrize("theta", [[12.0, 0.0], [12.0, 5.0], [-12.0, 3.0], [8.0, -6.0]])
def test_mode_is_stationary_at_extreme_hyper_parameters_wherever_the_search_starts(theta, rows):
    X, y = rows
    kernel = ConstantKernel() * RBF()
    K = kernel.clone_with_theta(theta)(X)
    for start in (0.0, 5.0, -100.0):
        dual = np.full(len(y), start)
        likelihood = LaplaceLikelihood(compile_covariance(kernel), X, y.astype(int), 100, dual)
        mode = likelihood.mode(np.array(theta))
        np.testing.assert_allclose(mode.dual, y - expit(K @ mode.dual), atol=2e-5)


def test_a_search_that_starts_at_the_mode_of_other_hyper_parameters_ends_at_the_same_mode():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(40, 1)), rng.integers(2, size=40)
    kernel = compile_covariance(ConstantKernel() * RBF())
    warm = LaplaceLikelihood(kernel, X, y, 100, np.zeros(40))
    for theta in rng.uniform([-5, -6], [14, 4], size=(200, 2)):  # full steps overshoot from some
        cold = LaplaceLikelihood(kernel, X, y, 100, np.zeros(40))
        assert warm.value(theta) == pytest.approx(cold.value(theta), abs=1e-6)


def test_probabilities_are_means_of_the_logistic_function():
    for mean, variance in ((0.0, 1.0), (1.5, 0.3), (-2.0, 4.0), (3.0, 0.0)):
        expected = expit(mean)
        if variance > 0:
            density = norm(mean, np.sqrt(variance)).pdf
            expected, _ = quad(lambda f, p=density: expit(f) * p(f), mean - 20, mean + 20)
        got = mean_probability(np.array([mean]), np.array([variance]))
        np.testing.assert_allclose(got, expected, atol=5e-4)


@pytest.mark.parametrize("multi_class", ["one_vs_rest", "one_vs_one"])
def test_several_classes_are_told_apart_as_by_scikit_learn(multi_class):
    X, y = load_iris(return_X_y=True)
    X, y = X[::2], np.array(["c", "a", "b"])[y[::2]]
    kernel = 2.0 * RBF(1.0)
    model, reference = (fit(kernel, X, y, multi_class=multi_class) for fit in (ours, peer))
    np.testing.assert_array_equal(model.predict(X), reference.predict(X))
    assert model.log_marginal_likelihood_value_ == pytest.approx(reference.log_marginal_likelihood_value_)
    assert isinstance(model.kernel_, CompoundKernel)
    if multi_class == "one_vs_rest":
        np.testing.assert_allclose(model.predict_proba(X), reference.predict_proba(X), atol=1e-8)
    else:
        for named in ("one_vs_one", "one_vs_rest"):  # what counts is how it was fitted
            with pytest.raises(ValueError, match="Use one_vs_rest mode"):
                model.set_params(multi_class=named).predict_proba(X)
    apart = model.kernel_.theta + np.arange(6)
    for theta in (np.array([0.5, 1.0]), apart):
        value, gradient = model.log_marginal_likelihood(theta, eval_gradient=True)
        assert value == pytest.approx(reference.log_marginal_likelihood(theta), rel=1e-8)
        numeric = approx_fprime(theta, model.log_marginal_likelihood, 1e-6)
        np.testing.assert_allclose(gradient, numeric, atol=1e-4)
    with pytest.raises(ValueError, match=r"\(2,\) or \(6,\)"):
        model.log_marginal_likelihood(np.zeros(3))


def test_optimum_is_that_of_scikit_learn(rows):
    kernel = ConstantKernel() * RBF(np.ones(3))
    values = [
        cls(kernel).fit(*rows).log_marginal_likelihood_value_
        for cls in (GaussianProcessClassifier, ScikitLearnClassifier)
    ]
    assert values[0] == pytest.approx(values[1], abs=1e-5)


def test_restarts_take_the_best_start_whatever_the_number_of_threads(rows, monkeypatch):
    X, y = rows
    model = GaussianProcessClassifier(RBF(1e-3) + RBF(1e3), n_restarts_optimizer=4, random_state=0)
    values, shares = [], []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for n_threads in (1, 3):
            monkeypatch.setattr("sklearn_dl._base.threads.effective_n_threads", lambda n=n_threads: n)
            values.append(model.fit(X, y).log_marginal_likelihood_value_)
            shares.append(model.predict_proba(X))
        single = model.set_params(n_restarts_optimizer=0).fit(X, y).log_marginal_likelihood_value_
    assert values[0] == pytest.approx(values[1], abs=1e-9)
    np.testing.assert_allclose(shares[0], shares[1], atol=1e-8)
    assert values[0] > single + 1


class Negative(RBF):
    def __call__(self, X, Y=None, eval_gradient=False):
        return -4 * super().__call__(X, Y)


def test_a_covariance_that_is_not_positive_definite_is_refused_and_leaves_the_last_fit(rows):
    X, y = rows
    model = ours(RBF(), X, y)
    before = model.predict_proba(X)
    with pytest.raises(np.linalg.LinAlgError, match=r"not positive definite.*WhiteKernel"):
        model.set_params(kernel=Negative()).fit(X, y)
    np.testing.assert_array_equal(model.set_params(kernel=RBF()).predict_proba(X), before)


def test_what_cannot_be_fitted_is_refused(rows):
    X, y = rows
    for params, labels, message in (
        ({"kernel": CompoundKernel([RBF()])}, y, "CompoundKernel"),
        ({"kernel": RBF(np.ones(2))}, y, r"dimensions as data \(2!=3\)"),
        ({"multi_class": "multinomial"}, y, "multi_class must be"),
        ({"max_iter_predict": 0}, y, "above 0"),
        ({}, np.zeros(90), "2 or more distinct classes"),
        ({}, np.eye(2, dtype=int)[y.astype(int)], "one label a row"),
        ({}, y[:-1], "equally many rows"),
        ({"n_restarts_optimizer": 1, "kernel": RBF(1.0, (1e-5, np.inf))}, y, "bounds are finite"),
    ):
        with pytest.raises(ValueError, match=message):
            GaussianProcessClassifier(**params).fit(X, labels)
    with pytest.raises(ValueError, match="theta!=None"):
        ours(RBF(), X, y).log_marginal_likelihood(eval_gradient=True)


def test_tensors_are_answered_with_tensors(rows):
    torch = pytest.importorskip("torch")
    X, y = rows
    model = GaussianProcessClassifier(RBF()).fit(torch.from_numpy(X), torch.from_numpy(y.astype(int)))
    queries = torch.from_numpy(X).float()
    assert model.predict(queries).dtype == torch.int64
    assert all(answer.dtype == torch.float32 for answer in model.latent_mean_and_variance(queries))
    np.testing.assert_allclose(model.predict_proba(queries).numpy(), model.predict_proba(X), atol=1e-5)
