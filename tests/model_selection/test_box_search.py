"""Climbs in the unit box against known maxima and scipy."""

import numpy as np
import pytest
from scipy.optimize import minimize

from sklearn_dl.model_selection.box_search import maximize_rows


def test_finds_the_maximum_of_a_quadratic_inside_and_at_the_border():
    curvature = np.array([[3.0, 1.0, 0.2], [1.0, 2.0, 0.4], [0.2, 0.4, 1.0]])
    peak = np.array([0.4, 1.3, 0.2])

    def function(rows):
        away = rows - peak
        return -0.5 * np.einsum("ij,jk,ik->i", away, curvature, away), -away @ curvature

    rows, values = maximize_rows(function, np.random.default_rng(0).random((5, 3)), np.ones(3, bool))
    expected = minimize(
        lambda x: -function(x[None])[0][0], np.full(3, 0.5), bounds=[(0, 1)] * 3, options={"ftol": 1e-14}
    )
    assert rows == pytest.approx(np.tile(expected.x, (5, 1)), abs=1e-4)
    assert values == pytest.approx(np.full(5, -expected.fun), rel=1e-7)


def test_climbs_a_curved_ridge_as_scipy_does():
    def function(rows):
        x, y = (4 * rows - 2).T
        value = -(100 * (y - x**2) ** 2 + (1 - x) ** 2)
        by_x, by_y = 400 * x * (y - x**2) + 2 * (1 - x), -200 * (y - x**2)
        return value, 4 * np.stack([by_x, by_y], axis=1)

    rows, values = maximize_rows(function, np.array([[0.2, 0.3], [0.5, 0.9]]), np.ones(2, bool), max_iter=200)
    assert rows == pytest.approx(np.full((2, 2), 0.75), abs=1e-3)
    assert (values > -1e-5).all()


def test_fixed_columns_stay_and_no_row_gets_worse():
    rng = np.random.default_rng(0)
    start, free = rng.random((6, 4)), np.array([True, False, True, False])

    def function(rows):
        return np.sin(5 * rows).sum(axis=1), 5 * np.cos(5 * rows)

    rows, values = maximize_rows(function, start, free)
    assert (rows[:, ~free] == start[:, ~free]).all()
    assert (values >= function(start)[0]).all()
    assert ((rows >= 0) & (rows <= 1)).all()
    assert np.abs(5 * np.cos(5 * rows[:, free]))[(rows[:, free] > 0) & (rows[:, free] < 1)].max() < 1e-4
