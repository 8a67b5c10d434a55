"""Gaussian process regression against closed forms, scikit-learn, refits and finite differences."""

import subprocess
import sys
import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import approx_fprime
from scipy.stats import multivariate_normal, norm
from sklearn.datasets import load_diabetes
from sklearn.gaussian_process import GaussianProcessRegressor as ScikitLearnRegressor
from sklearn.gaussian_process.kernels import (
    RBF,
    CompoundKernel,
    ConstantKernel,
    DotProduct,
    ExpSineSquared,
    Matern,
    PairwiseKernel,
    RationalQuadratic,
    WhiteKernel,
)

from sklearn_dl.gaussian_process import GaussianProcessRegressor
from sklearn_dl.gaussian_process.covariance import CompiledCovariance, OwnCovariance, compile_covariance

SCALES = [0.8, 1.5, 2.5]
KERNELS = {
    "rbf": ConstantKernel(2.0) * RBF(0.7),
    "rbf-ard": ConstantKernel(2.0) * RBF(SCALES),
    "matern-1/2": Matern(1.3, nu=0.5),
    "matern-1/2-ard": Matern(SCALES, nu=0.5),
    "matern-3/2-ard": Matern(SCALES, nu=1.5),
    "matern-5/2-ard": Matern(SCALES, nu=2.5),
    "matern-5/2": Matern(1.3, nu=2.5),
    "matern-inf": Matern(1.3, nu=np.inf),
    "rational-quadratic": RationalQuadratic(1.2, 0.6),
    "periodic": ExpSineSquared(0.9, 25.0) * RBF(3.0),
    "dot-product": DotProduct(0.7) + RBF(2.0, "fixed"),
    "power": (ConstantKernel(0.5) + RBF(1.0)) ** 1.5,
    "nested": ConstantKernel(3.0, "fixed") * (RBF(SCALES) + 0.5 * Matern(2.0, nu=1.5)) * DotProduct(2.0),
}
NOISY = {name: kernel + WhiteKernel(0.3) for name, kernel in KERNELS.items()}
ROUGH = {"matern-1/2", "matern-1/2-ard"}

each_kernel = pytest.mark.parametrize("kernel", NOISY.values(), ids=NOISY)


@pytest.fixture
def rows():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(70, 3))
    return X, np.sin(X @ [1.0, 0.5, 0.0]) + 0.3 * rng.normal(size=70)


def peer(kernel, X, y, **params):
    return ScikitLearnRegressor(kernel, optimizer=None, **params).fit(X, y)


def ours(kernel, X, y, **params):
    return GaussianProcessRegressor(kernel, optimizer=None, **params).fit(X, y)


@each_kernel
def test_likelihood_and_gradient_are_those_of_scikit_learn(kernel, rows):
    X, y = rows
    X = np.vstack([X] * 10) + 1e-3 * np.random.default_rng(1).normal(size=(700, 3))  # several blocks
    Y = np.column_stack([np.tile(y, 10), np.tile(y, 10) ** 2])
    theta = kernel.theta + 0.1
    value, gradient = ours(kernel, X, Y).log_marginal_likelihood(theta, eval_gradient=True)
    expected, expected_gradient = peer(kernel, X, Y).log_marginal_likelihood(theta, eval_gradient=True)
    np.testing.assert_allclose(value, expected, rtol=1e-10)
    np.testing.assert_allclose(
        gradient, expected_gradient, rtol=1e-8, atol=1e-8 * np.abs(expected_gradient).max()
    )


@each_kernel
def test_gradient_of_the_likelihood_is_that_of_finite_differences(kernel, rows):
    model = ours(kernel, *rows)
    _, gradient = model.log_marginal_likelihood(kernel.theta, eval_gradient=True)
    numeric = approx_fprime(kernel.theta, model.log_marginal_likelihood, 1e-6)
    np.testing.assert_allclose(gradient, numeric, rtol=1e-4, atol=1e-4)


@each_kernel
def test_predictions_are_those_of_scikit_learn(kernel, rows):
    X, y = rows
    queries = X[::3] + 0.1
    model, reference = (fit(kernel, X, y, normalize_y=True) for fit in (ours, peer))
    for options in ({"return_std": True}, {"return_cov": True}):
        for got, wanted in zip(
            model.predict(queries, **options), reference.predict(queries, **options), strict=True
        ):
            np.testing.assert_allclose(got, wanted, rtol=1e-9, atol=1e-10)
    np.testing.assert_allclose(model.L_, reference.L_, atol=1e-12)
    np.testing.assert_allclose(model.alpha_, reference.alpha_, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("kernel", KERNELS.values(), ids=KERNELS)
def test_derivative_of_the_mean_is_that_of_finite_differences(kernel, rows):
    X, y = rows
    model = ours(kernel, X, np.column_stack([y, y**2]), alpha=0.1, normalize_y=True)
    x = np.array([0.3, -0.2, 0.5])
    numeric = approx_fprime(x, lambda x: model.predict(x[None])[0], 1e-6)
    np.testing.assert_allclose(model.mean_gradient(x[None])[0], numeric.T, rtol=1e-4, atol=1e-4)


def test_derivative_of_the_mean_is_finite_at_training_rows(rows):
    X, y = rows
    for name in ROUGH | {"periodic"}:
        assert np.isfinite(ours(NOISY[name], X, y).mean_gradient(X)).all()


def test_posterior_is_the_closed_form_in_fifty_digits():
    mpmath = pytest.importorskip("mpmath")
    mpmath.mp.dps = 50
    X, y, queries = [0.0, 0.4, 1.1, 3.0], [1.0, -0.5, 0.25, 2.0], [0.2, 2.0]
    scale, variance, noise = mpmath.mpf("0.7"), mpmath.mpf(2), mpmath.mpf("0.01")

    def covariance(a, b):
        distance = mpmath.sqrt(5) * abs(mpmath.mpf(a) - mpmath.mpf(b)) / scale
        return variance * (1 + distance + distance**2 / 3) * mpmath.exp(-distance)

    K = mpmath.matrix([[covariance(a, b) + (noise if a == b else 0) for b in X] for a in X])
    cross = mpmath.matrix([[covariance(a, b) for b in X] for a in queries])
    prior = mpmath.matrix([[covariance(a, b) for b in queries] for a in queries])
    target = mpmath.matrix(y)
    mean, posterior = cross * K**-1 * target, prior - cross * K**-1 * cross.T
    likelihood = (
        -((target.T * K**-1 * target)[0] + mpmath.log(mpmath.det(K)) + 4 * mpmath.log(2 * mpmath.pi)) / 2
    )

    kernel = ConstantKernel(2.0) * Matern(0.7, nu=2.5)
    model = ours(kernel, np.array(X)[:, None], np.array(y), alpha=0.01)
    got_mean, got_covariance = model.predict(np.array(queries)[:, None], return_cov=True)
    np.testing.assert_allclose(got_mean, np.array(mean.tolist(), dtype=float)[:, 0], rtol=1e-12)
    np.testing.assert_allclose(got_covariance, np.array(posterior.tolist(), dtype=float), rtol=1e-11)
    assert model.log_marginal_likelihood_value_ == pytest.approx(float(likelihood), rel=1e-13)


def test_likelihood_at_extreme_hyper_parameters_is_that_of_fifty_digits():
    mpmath = pytest.importorskip("mpmath")
    mpmath.mp.dps = 50
    X, y = np.linspace(0, 1, 9), np.cos(np.arange(9.0))
    for theta in ([11.0, 6.0, -5.0], [-11.0, -9.0, -11.0], [11.0, 0.0, -2.0]):
        constant, scale, noise = (mpmath.exp(mpmath.mpf(value)) for value in theta)
        K = mpmath.matrix(
            [
                [
                    constant * mpmath.exp(-(((mpmath.mpf(a) - mpmath.mpf(b)) / scale) ** 2) / 2)
                    + (noise if a == b else 0)
                    for b in X
                ]
                for a in X
            ]
        )
        target = mpmath.matrix(y.tolist())
        expected = (
            -((target.T * K**-1 * target)[0] + mpmath.log(mpmath.det(K)) + 9 * mpmath.log(2 * mpmath.pi)) / 2
        )
        kernel = ConstantKernel() * RBF() + WhiteKernel()
        value = ours(kernel, X[:, None], y, alpha=0.0).log_marginal_likelihood(theta)
        assert value == pytest.approx(float(expected), rel=1e-7)


def test_optimum_is_that_of_scikit_learn_on_diabetes():
    X, y = load_diabetes(return_X_y=True)
    X = X[:150] / X.std(axis=0)
    kernel = ConstantKernel() * RBF(np.ones(10)) + WhiteKernel()
    fits = [
        cls(kernel, normalize_y=True).fit(X, y[:150]).log_marginal_likelihood_value_
        for cls in (GaussianProcessRegressor, ScikitLearnRegressor)
    ]
    assert fits[0] == pytest.approx(fits[1], abs=1e-3)


def test_restarts_take_the_best_start_whatever_the_number_of_threads(rows, monkeypatch):
    X, y = rows[0][:, :1], rows[1]  # the periodic kernel is positive definite for one feature
    model = GaussianProcessRegressor(NOISY["periodic"], n_restarts_optimizer=5, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        monkeypatch.setattr("sklearn_dl._base.threads.effective_n_threads", lambda: 1)
        one = model.fit(X, y).log_marginal_likelihood_value_
        monkeypatch.setattr("sklearn_dl._base.threads.effective_n_threads", lambda: 3)
        three = model.fit(X, y).log_marginal_likelihood_value_
        single = model.set_params(n_restarts_optimizer=0).fit(X, y).log_marginal_likelihood_value_
    assert one == pytest.approx(three, abs=1e-6)
    assert one >= single - 1e-9


def test_leave_one_out_is_what_refits_without_the_row_predict(rows):
    X, y = rows
    Y = np.column_stack([y, y**2])
    kernel = KERNELS["rbf-ard"]
    mean, std = ours(kernel, X, Y, alpha=0.2).leave_one_out()
    for i in (0, 13, 69):
        rest = np.arange(len(X)) != i
        left_mean, left_std = ours(kernel, X[rest], Y[rest], alpha=0.2).predict(X[[i]], return_std=True)
        np.testing.assert_allclose(mean[i], left_mean[0], rtol=1e-9)
        np.testing.assert_allclose(std[i], np.sqrt(left_std[0] ** 2 + 0.2), rtol=1e-9)


def test_partial_fit_is_a_refit_with_the_hyper_parameters_held(rows):
    X, y = rows
    noise = np.linspace(0.1, 1, 70)
    model = ours(NOISY["nested"], X[:40], y[:40]).partial_fit(X[40:], y[40:])
    whole = ours(NOISY["nested"], X, y)
    np.testing.assert_allclose(model.L_, whole.L_, atol=1e-11)
    np.testing.assert_allclose(model.predict(X + 0.1), whole.predict(X + 0.1), rtol=1e-9)
    assert model.log_marginal_likelihood_value_ == pytest.approx(whole.log_marginal_likelihood_value_)

    noisy = GaussianProcessRegressor(KERNELS["rbf"], optimizer=None, alpha=0.1)
    by_parts = noisy.fit(X[:40], y[:40], sample_noise=noise[:40]).partial_fit(
        X[40:], y[40:], sample_noise=noise[40:]
    )
    np.testing.assert_allclose(
        by_parts.alpha_, ours(KERNELS["rbf"], X, y, alpha=0.1 + noise).alpha_, rtol=1e-8
    )


def test_partial_fit_of_repeated_rows_without_noise_adds_a_jitter(rows):
    X, y = rows
    model = ours(KERNELS["rbf"], X, y, alpha=0.0)
    with pytest.warns(UserWarning, match="added to its diagonal"):
        model.partial_fit(X[:5], y[:5])
    assert model.jitter_ > 0
    np.testing.assert_allclose(model.predict(X), y, atol=1e-3)


def test_noise_of_a_row_counts_as_alpha_of_the_row(rows):
    X, y = rows
    noise = np.linspace(0.01, 2, len(y))
    model = GaussianProcessRegressor(KERNELS["rbf"]).fit(X, y, sample_noise=noise)
    reference = ScikitLearnRegressor(KERNELS["rbf"], alpha=1e-10 + noise).fit(X, y)
    assert model.log_marginal_likelihood_value_ == pytest.approx(reference.log_marginal_likelihood_value_)
    np.testing.assert_allclose(model.predict(X), reference.predict(X), rtol=1e-3, atol=1e-3)


def test_noise_free_rows_are_interpolated(rows):
    X, y = rows
    mean, std = ours(KERNELS["matern-5/2"], X, y).predict(X, return_std=True)
    np.testing.assert_allclose(mean, y, atol=1e-6)
    assert std.max() < 1e-4


def test_repeated_rows_and_equal_columns_get_the_least_jitter_that_does(rows):
    X, y = rows
    X, y = np.vstack([X, X]), np.concatenate([y, y + 1])
    with pytest.warns(UserWarning, match=r"jitter_.*repeat.*alpha"):
        model = ours(ConstantKernel(4.0) * RBF(2.0), np.column_stack([X, X]), y, alpha=0.0)
    assert 0 < model.jitter_ < 1e-8
    np.testing.assert_allclose(model.predict(np.column_stack([X, X])), np.tile(y[:70] + 0.5, 2), atol=0.05)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert ours(NOISY["rbf"], X, y, alpha=0.0).jitter_ == 0


def test_samples_have_the_mean_and_covariance_of_the_predictions(rows):
    X, y = rows
    model = ours(NOISY["rbf"], X, np.column_stack([y, 3 * y]), normalize_y=True)
    mean, covariance = model.predict(X[:4] + 1, return_cov=True)
    draws = model.sample_y(X[:4] + 1, n_samples=20_000, random_state=0)
    assert draws.shape == (4, 2, 20_000)
    np.testing.assert_allclose(draws.mean(axis=2), mean, atol=0.1)
    np.testing.assert_allclose(np.cov(draws[:, 1]), covariance[..., 1], atol=0.3)


def test_predictive_density_is_that_of_the_joint_normal_conditioned(rows):
    X, y = rows
    kernel, noise = KERNELS["rbf"], 0.2
    density = ours(kernel, X[:-1], y[:-1], alpha=noise).score_samples(X[-1:], y[-1:])
    joint = kernel(X) + noise * np.eye(len(X))
    expected = multivariate_normal(cov=joint).logpdf(y) - multivariate_normal(cov=joint[:-1, :-1]).logpdf(
        y[:-1]
    )
    np.testing.assert_allclose(density, expected, rtol=1e-9)


def test_score_without_targets_is_its_mean_over_what_is_predicted(rows):
    X, y = rows
    model = ours(NOISY["rbf"], X, np.column_stack([y, 3 * y]), normalize_y=True, alpha=0.1)
    further = X[:5] + 0.3
    mean, std = model.predict(further, return_std=True)
    noise = np.sqrt(std**2 + 0.1 * model._y_train_std**2)
    nodes, shares = np.polynomial.hermite_e.hermegauss(4)  # exact, as the score is quadratic
    scores = np.stack([model.score_samples(further, mean + node * noise) for node in nodes], axis=-1)
    expected = scores @ shares / shares.sum()
    np.testing.assert_allclose(model.score_samples(further), expected, rtol=1e-10)


@pytest.mark.filterwarnings("ignore:Predicted variances smaller than 0")
def test_score_without_targets_does_not_depend_on_rounding(rows):
    X, y = rows
    model = ours(KERNELS["rbf"], X, y, alpha=0.0)
    together, alone = model.score_samples(X), [model.score_samples(row[None])[0] for row in X]
    np.testing.assert_allclose(together, alone, rtol=1e-7)
    assert np.isfinite(together).all()


def test_priors_are_added_to_what_is_maximised(rows):
    X, y = rows
    kernel = ConstantKernel(1.0, "fixed") * RBF(1.0, (1e-3, 1e3)) + WhiteKernel(0.3)
    priors = {"length_scale": (1.0, 0.2), "noise_level": (-3.0, 0.5)}
    model = GaussianProcessRegressor(kernel, priors=priors).fit(X, y)

    def posterior(theta):
        log_prior = norm.logpdf(theta[0], 1.0, 0.2) + norm.logpdf(theta[1], -3.0, 0.5)
        return model.log_marginal_likelihood(theta) + log_prior

    found = model.kernel_.theta
    np.testing.assert_allclose(approx_fprime(found, posterior, 1e-6), 0, atol=1e-2)
    assert model.log_marginal_likelihood_value_ == pytest.approx(model.log_marginal_likelihood(found))


def test_priors_by_dimension_keep_length_scales_of_few_rows_off_the_bounds():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(8, 6)), rng.normal(size=8)
    kernel = RBF(np.ones(6)) + WhiteKernel()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        free = GaussianProcessRegressor(kernel).fit(X, y).kernel_.k1.length_scale
        kept = GaussianProcessRegressor(kernel, priors="dimension").fit(X, y).kernel_.k1.length_scale
    assert free.max() > 1e4
    assert 0.1 < kept.min() < kept.max() < 100


@pytest.mark.parametrize(
    "priors",
    [{"scale": (0, 1)}, {"length_scale": 3}, {"length_scale": (0, -1)}, {"length_scale": ("a", "b")}],
)
def test_priors_that_mean_nothing_are_refused(priors, rows):
    with pytest.raises(ValueError, match="priors"):
        GaussianProcessRegressor(RBF(), priors=priors).fit(*rows)


def test_warm_start_searches_from_the_last_optimum(rows):
    X, y = rows
    model = GaussianProcessRegressor(NOISY["rbf-ard"], warm_start=True).fit(X, y)
    starts = []

    def stay(objective, theta, bounds):
        starts.append(theta)
        return theta, objective(theta, eval_gradient=False)

    found = model.kernel_.theta
    model.set_params(optimizer=stay).fit(X, y)
    np.testing.assert_allclose(starts, [found])


class Halved(RBF):
    def __call__(self, X, Y=None, eval_gradient=False):
        if eval_gradient:
            K, gradient = super().__call__(X, Y, True)
            return K / 2, gradient / 2
        return super().__call__(X, Y) / 2


@pytest.mark.parametrize("leaf", [Halved(0.8), Matern(1.0, nu=2.0), PairwiseKernel(metric="rbf", gamma=0.5)])
def test_other_kernels_run_by_their_own_code(leaf, rows):
    X, y = rows
    kernel = ConstantKernel(2.0) * leaf + WhiteKernel(0.3)
    assert isinstance(compile_covariance(kernel), OwnCovariance)
    model, reference = ours(kernel, X, y), peer(kernel, X, y)
    value, gradient = model.log_marginal_likelihood(kernel.theta, eval_gradient=True)
    expected, expected_gradient = reference.log_marginal_likelihood(kernel.theta, eval_gradient=True)
    assert value == pytest.approx(expected, rel=1e-12)
    np.testing.assert_allclose(gradient, expected_gradient, rtol=1e-6)
    np.testing.assert_allclose(model.predict(X + 1), reference.predict(X + 1), rtol=1e-9, atol=1e-12)
    with pytest.raises(NotImplementedError, match="RationalQuadratic"):
        model.mean_gradient(X)


def test_known_kernels_are_compiled():
    assert all(isinstance(compile_covariance(kernel), CompiledCovariance) for kernel in NOISY.values())
    assert isinstance(compile_covariance(CompoundKernel([RBF()])), OwnCovariance)


def test_near_duplicates_far_from_the_origin_keep_their_differences():
    x = 1e7 + np.array([0.0, 1e-3, 1.0, 1.001])[:, None]
    kernel = Matern(0.5, nu=0.5) + WhiteKernel(1e-6)
    np.testing.assert_allclose(
        ours(kernel, x, np.arange(4.0)).alpha_, peer(kernel, x, np.arange(4.0)).alpha_, rtol=1e-6
    )
    shifted = np.hstack([x, x])
    ard = RBF([0.5, 2.0]) + WhiteKernel(0.1)
    gradients = [
        fit(ard, X, np.arange(4.0)).log_marginal_likelihood(ard.theta, eval_gradient=True)[1]
        for fit, X in ((ours, shifted), (ours, shifted - 1e7), (peer, shifted - 1e7))
    ]
    np.testing.assert_allclose(gradients[0], gradients[2], rtol=1e-6)
    np.testing.assert_allclose(gradients[1], gradients[2], rtol=1e-10)


def test_features_of_very_different_scales(rows):
    X, y = rows
    scales = np.array([1e-8, 1.0, 1e8])
    kernel = RBF([1.0, 2.0, 3.0]) + WhiteKernel(0.1)
    scaled = RBF(scales * [1.0, 2.0, 3.0], (1e-12, 1e12)) + WhiteKernel(0.1)
    expected = ours(kernel, X, y).log_marginal_likelihood(kernel.theta, eval_gradient=True)
    got = ours(scaled, X * scales, y).log_marginal_likelihood(scaled.theta, eval_gradient=True)
    assert got[0] == pytest.approx(expected[0], rel=1e-10)
    np.testing.assert_allclose(got[1], expected[1], rtol=1e-8)


def test_wrong_numbers_of_noise_values_are_refused(rows):
    X, y = rows
    for model, noise in (
        (GaussianProcessRegressor(alpha=np.ones(3)), None),
        (GaussianProcessRegressor(), np.ones(3)),
    ):
        with pytest.raises(ValueError, match="same number of entries as y"):
            model.fit(X, y, sample_noise=noise)
    with pytest.raises(ValueError, match="at least 0"):
        GaussianProcessRegressor().fit(X, y, sample_noise=-np.ones(len(y)))
    fitted = GaussianProcessRegressor(alpha=np.ones(len(y))).fit(X, y)
    with pytest.raises(ValueError, match="sample_noise"):
        fitted.partial_fit(X, y)


@pytest.mark.parametrize("normalize_y", [True, False])
def test_a_column_of_targets_is_one_target(normalize_y, rows):
    X, y = rows
    params = {"kernel": NOISY["rbf"], "optimizer": None, "normalize_y": normalize_y}
    one = GaussianProcessRegressor(**params).fit(X, y)
    column = GaussianProcessRegressor(**params).fit(X, y[:, None])
    for mine, theirs in zip(column.leave_one_out(), one.leave_one_out(), strict=True):
        assert_allclose(mine, theirs, rtol=1e-12)
    assert_allclose(column.mean_gradient(X), one.mean_gradient(X), rtol=1e-12)
    density = one.score_samples(X, y)
    assert_allclose(column.score_samples(X, y[:, None]), density, rtol=1e-12)
    assert_allclose(column.score_samples(X, y), density, rtol=1e-12)


def test_hyper_parameters_of_another_number_are_refused(rows):
    model = ours(NOISY["rbf"], *rows)
    theta = model.kernel_.theta
    for wrong in (theta[:-1], np.append(theta, 0.0), theta[None]):
        with pytest.raises(ValueError, match=r"theta must have shape \(\d,\), as kernel_.theta has; got"):
            model.log_marginal_likelihood(wrong, eval_gradient=True)


@pytest.mark.parametrize("inference", ["exact", "sgpr", "cg"])
def test_kernels_for_other_rows_are_refused(inference, rows):
    X, y = rows
    n_others = X.shape[1] + 1
    scales = 2.0 * RBF(np.ones(n_others)) + WhiteKernel()
    with pytest.raises(ValueError, match=rf"dimensions as data \({n_others}!={X.shape[1]}\); got RBF"):
        GaussianProcessRegressor(scales, inference=inference).fit(X, y)
    with pytest.raises(ValueError, match="kernel cannot be a CompoundKernel"):
        GaussianProcessRegressor(CompoundKernel([RBF(), RBF()]), inference=inference).fit(X, y)


@pytest.mark.parametrize("answer", [None, (np.zeros(2), 0.0), np.zeros(2)])
def test_what_an_optimizer_must_return_is_said(answer, rows):
    with pytest.raises(ValueError, match=r"optimizer must return \(theta, value\)"):
        GaussianProcessRegressor(RBF(), optimizer=lambda objective, theta, bounds: answer).fit(*rows)


def test_random_starts_are_those_of_the_generator_that_is_given(rows):
    def stay(objective, theta, bounds):
        starts.append(theta)
        return theta, 0.0

    starts: list[np.ndarray] = []
    params = {"kernel": NOISY["rbf"], "optimizer": stay, "n_restarts_optimizer": 2, "alpha": 0.1}
    GaussianProcessRegressor(**params, random_state=np.random.RandomState(3)).fit(*rows)
    seeded, starts = starts, []
    GaussianProcessRegressor(**params, random_state=3).fit(*rows)
    assert_array_equal(seeded, starts)


def test_tensors_are_answered_with_tensors(rows):
    torch = pytest.importorskip("torch")
    X, y = rows
    model = GaussianProcessRegressor(NOISY["rbf"]).fit(torch.from_numpy(X), torch.from_numpy(y))
    mean, std = model.predict(torch.from_numpy(X).float(), return_std=True)
    assert mean.dtype == std.dtype == torch.float32
    np.testing.assert_allclose(mean.numpy(), model.predict(X), rtol=1e-4, atol=1e-5)


def test_importing_the_family_loads_neither_torch_nor_numba():
    code = "import sys, sklearn_dl.gaussian_process; assert not {'torch', 'numba'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
