"""The display of a process shows what the regressor predicts."""

import numpy as np
import pytest
from sklearn.gaussian_process.kernels import RBF, WhiteKernel

from sklearn_dl.gaussian_process import GaussianProcessRegressor
from sklearn_dl.plotting import GaussianProcessDisplay

pytest.importorskip("matplotlib").use("Agg")

X = np.linspace(0, 6, 12)[:, None]
MODEL = GaussianProcessRegressor(RBF() + WhiteKernel(0.1), optimizer=None, normalize_y=True).fit(
    X, 5 + np.sin(X[:, 0])
)


def test_mean_band_and_observations_are_those_of_the_estimator():
    display = GaussianProcessDisplay.from_estimator(MODEL, grid=[1.0, 2.0, 3.0], n_functions=2, n_std=1)
    mean, std = MODEL.predict([[1.0], [2.0], [3.0]], return_std=True)
    np.testing.assert_allclose(display.mean_line_.get_ydata(), mean)
    corners = display.band_.get_paths()[0].vertices
    assert corners[:, 1].max() == pytest.approx((mean + std).max())
    assert corners[:, 1].min() == pytest.approx((mean - std).min())
    np.testing.assert_allclose(display.rows_.get_xydata(), np.column_stack([X, 5 + np.sin(X[:, 0])]))
    drawn = np.column_stack([line.get_ydata() for line in display.sample_lines_])
    np.testing.assert_allclose(drawn, MODEL.sample_y([[1.0], [2.0], [3.0]], 2))


def test_the_grid_goes_beyond_the_observations_on_both_sides():
    display = GaussianProcessDisplay.from_estimator(MODEL)
    assert display.grid[0] < 0 < 6 < display.grid[-1]
    assert display.sample_lines_ == []


def test_given_rows_take_the_place_of_the_training_rows():
    assert GaussianProcessDisplay.from_estimator(MODEL, X[:2]).rows_ is None
    shown = GaussianProcessDisplay.from_estimator(MODEL, X[:2], [4.0, 5.0]).rows_
    np.testing.assert_allclose(shown.get_ydata(), [4.0, 5.0])


def test_two_features_are_refused():
    model = GaussianProcessRegressor(optimizer=None).fit(np.hstack([X, X]), X[:, 0])
    with pytest.raises(ValueError, match="one feature"):
        GaussianProcessDisplay.from_estimator(model)
