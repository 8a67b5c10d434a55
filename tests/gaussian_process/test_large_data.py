"""The regressor keeps every promise whichever way it is conditioned on its rows."""

import warnings

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process.kernels import RBF, WhiteKernel

from sklearn_dl.gaussian_process import GaussianProcessRegressor
from sklearn_dl.testing import estimator_checks

WAYS = [GaussianProcessRegressor(inference=inference) for inference in ("sgpr", "cg")]

pytestmark = [
    pytest.mark.filterwarnings("ignore:X (has|does not have valid) feature names"),
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.DataConversionWarning"),
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
]


@pytest.mark.parametrize(
    ("estimator", "check"),
    [
        pytest.param(estimator, check, id=f"{estimator.inference}-{name}")
        for estimator in WAYS
        for name, check in estimator_checks(estimator)
    ],
)
def test_every_way_keeps_every_promise(estimator, check):
    check(estimator)


@pytest.fixture
def rows():
    rng = np.random.default_rng(0)
    X = rng.uniform(0, 6, size=(80, 2))
    return X, np.sin(X.sum(axis=1)) + 0.1 * rng.normal(size=80)


def test_nothing_of_an_earlier_way_is_left_behind(rows):
    kernel = RBF() + WhiteKernel(0.1)
    model = GaussianProcessRegressor(kernel, inference="sgpr", random_state=0).fit(*rows)
    assert hasattr(model, "inducing_points_")
    model.set_params(inference="cg").fit(*rows)
    assert not hasattr(model, "L_")
    assert not hasattr(model, "inducing_points_")
    model.set_params(inference="exact")
    np.testing.assert_array_equal(model.predict(rows[0]), model.set_params(inference="cg").predict(rows[0]))


@pytest.mark.parametrize("inference", ["sgpr", "cg"])
def test_a_fit_that_fails_leaves_the_earlier_one(inference, rows):
    X, y = rows
    model = GaussianProcessRegressor(RBF() + WhiteKernel(0.1), inference=inference, random_state=0).fit(X, y)
    before = model.predict(X)
    with pytest.raises(ValueError, match="needs noise"):
        model.set_params(kernel=RBF()).fit(X, y)
    np.testing.assert_array_equal(model.predict(X), before)


@pytest.mark.parametrize("inference", ["sgpr", "cg"])
def test_further_rows_without_noise_are_refused_and_leave_the_fit(inference, rows):
    X, y = rows
    model = GaussianProcessRegressor(RBF(), alpha=0.0, inference=inference, random_state=0)
    model.fit(X, y, sample_noise=np.full(len(y), 0.1))
    before = model.predict(X)
    with pytest.raises(ValueError, match=r"every row needs noise above 0 .*; 2 of 2 have none"):
        model.partial_fit(X[:2], y[:2])
    assert_array_equal(model.predict(X), before)


@pytest.mark.parametrize("inference", ["sgpr", "cg"])
def test_a_kernel_of_noise_alone_is_refused(inference, rows):
    with pytest.raises(ValueError, match="a kernel that relates the rows to each other"):
        GaussianProcessRegressor(WhiteKernel() * RBF(), inference=inference).fit(*rows)


@pytest.mark.parametrize("inference", ["sgpr", "cg"])
def test_default_kernel_starts_at_the_scale_of_the_rows(inference, rows):
    X, y = rows
    for scale in (1e-3, 1.0, 1e3):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model = GaussianProcessRegressor(inference=inference, random_state=0).fit(scale * X, y)
        assert model.score(scale * X, y) > 0.95


@pytest.mark.parametrize("inference", ["sgpr", "cg"])
def test_samples_have_the_mean_and_covariance_of_the_predictions(inference, rows):
    X, y = rows
    model = GaussianProcessRegressor(RBF() + WhiteKernel(0.1), inference=inference, random_state=0).fit(X, y)
    mean, covariance = model.predict(X[:4] + 1, return_cov=True)
    draws = model.sample_y(X[:4] + 1, n_samples=20_000, random_state=0)
    np.testing.assert_allclose(draws.mean(axis=1), mean, atol=0.05)
    np.testing.assert_allclose(np.cov(draws), covariance, atol=0.05)
