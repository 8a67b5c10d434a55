"""HuberRegressor against scikit-learn's, finite differences and its invariances."""

import numpy as np
import pytest
import sklearn.linear_model
from scipy import optimize, sparse
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from sklearn_dl.linear_model import huber_loss
from sklearn_dl.linear_model.augmented_rows import AugmentedRows
from sklearn_dl.linear_model.huber import HuberRegressor
from sklearn_dl.linear_model.huber_loss import _HuberProblem, huber_fit


def contaminated(n_rows, n_columns, noise=0.5, seed=0):
    random = np.random.RandomState(seed)
    X = random.randn(n_rows, n_columns)
    y = X @ np.arange(1.0, n_columns + 1) + 2 + noise * random.randn(n_rows)
    y[: n_rows // 10] += 10 * random.randn(n_rows // 10)
    return X, y


def objective(model, X, y, weight=None):
    weight = np.ones(len(y)) if weight is None else weight
    r = np.abs(y - X @ model.coef_ - model.intercept_)
    sigma, outlier = model.scale_, r > model.scale_ * model.epsilon
    losses = np.where(outlier, 2 * model.epsilon * r - sigma * model.epsilon**2, r**2 / sigma)
    return weight @ (sigma + losses) + model.alpha * model.coef_ @ model.coef_


@pytest.mark.parametrize("parameters", [{}, {"epsilon": 1.1}, {"alpha": 10.0}, {"fit_intercept": False}])
def test_the_answer_is_scikit_learns_at_a_tight_tolerance(parameters):
    X, y = contaminated(200, 5)
    weight = np.random.RandomState(1).rand(200)
    ours = HuberRegressor(**parameters).fit(X, y, weight)
    peer = sklearn.linear_model.HuberRegressor(tol=1e-10, max_iter=10_000, **parameters).fit(X, y, weight)
    np.testing.assert_allclose(ours.coef_, peer.coef_, rtol=1e-4)
    assert ours.scale_ == pytest.approx(peer.scale_, rel=1e-4)
    assert objective(ours, X, y, weight) <= objective(peer, X, y, weight) * (1 + 1e-12)
    np.testing.assert_array_equal(ours.outliers_, peer.outliers_)


@pytest.mark.parametrize(
    ("n_rows", "n_columns", "noise"),
    [(100, 10, 0.0), (40, 30, 0.0), (5, 20, 1.0), (20, 50, 1.0), (1, 2, 0.0)],
)
def test_rows_that_can_be_fitted_exactly_reach_scikit_learns_objective(n_rows, n_columns, noise):
    X, y = contaminated(n_rows, n_columns, noise)
    peer = sklearn.linear_model.HuberRegressor(max_iter=5000).fit(X, y)
    assert objective(HuberRegressor().fit(X, y), X, y) <= objective(peer, X, y) + 1e-9


@pytest.mark.parametrize("shift", [None, np.array([0.3, -1.0, 2.0])])
def test_gradient_and_hessian_are_finite_differences(shift):
    X, y = contaminated(60, 3)
    problem = _HuberProblem(AugmentedRows(X, 1.0, shift), y, np.arange(60) % 3 + 0.5, 1.2, 0.1)
    at = np.array([1.5, 1.0, 2.0, 1.0, 0.8])

    def point(solution):
        return problem.at(y - problem.rows.dot(solution[:-1]), solution)

    expected = optimize.approx_fprime(at, lambda v: point(v).objective, 1e-7)
    np.testing.assert_allclose(point(at).gradient, expected, rtol=1e-4)
    here = point(at)
    inliers = problem.rows.gram(problem.weight * here.inlier)
    hessian = problem._hessian(inliers, here, at[-1])
    columns = [
        (point(at + 1e-7 * e).gradient - point(at - 1e-7 * e).gradient) / 2e-7 for e in np.eye(len(at))
    ]
    np.testing.assert_allclose(hessian, np.array(columns), rtol=1e-4, atol=1e-3)


def test_lbfgs_reaches_newtons_answer(monkeypatch):
    X, y = contaminated(200, 5)
    rows = AugmentedRows(X, 1.0)
    expected, _, _ = huber_fit(rows, y, np.ones(200), 1.35, 0.1)
    monkeypatch.setattr(huber_loss, "_LARGEST_HESSIAN", 2)
    solution, _, converged = huber_fit(rows, y, np.ones(200), 1.35, 0.1, tol=1e-8)
    assert converged
    np.testing.assert_allclose(solution, expected, rtol=1e-4)


def test_scaling_y_scales_the_answer_without_a_penalty():
    X, y = contaminated(100, 4)
    one, other = HuberRegressor(alpha=0.0).fit(X, y), HuberRegressor(alpha=0.0).fit(X, 1e6 * y)
    np.testing.assert_allclose(other.coef_, 1e6 * one.coef_, rtol=1e-8)
    assert other.scale_ == pytest.approx(1e6 * one.scale_, rel=1e-8)


def test_an_offset_of_1e7_costs_no_more_digits_than_it_must():
    X, y = contaminated(300, 4)
    expected = HuberRegressor(alpha=0.0).fit(X, y)
    shifted = HuberRegressor(alpha=0.0).fit(X + 1e7, y)
    np.testing.assert_allclose(shifted.coef_, expected.coef_, rtol=1e-6)


def test_columns_of_scales_from_1e_minus_8_to_1e8_scale_the_coefficients():
    X, y = contaminated(200, 4)
    scale = np.array([1e8, 1e-8, 1.0, 1e4])
    expected = HuberRegressor(alpha=0.0).fit(X, y)
    np.testing.assert_allclose(
        HuberRegressor(alpha=0.0).fit(X * scale, y).coef_ * scale, expected.coef_, rtol=1e-6
    )


def test_repeated_columns_share_the_coefficient():
    X, y = contaminated(200, 3)
    expected = HuberRegressor(alpha=0.0).fit(X, y)
    fitted = HuberRegressor(alpha=0.0).fit(np.column_stack([X, X[:, 0], np.ones(200)]), y)
    np.testing.assert_allclose(fitted.coef_[[0, 3]], expected.coef_[0] / 2, rtol=1e-6)


def test_a_start_from_every_tenth_row_changes_nothing():
    X, y = contaminated(20_000, 3)
    fitted = HuberRegressor().fit(X, y)
    peer = sklearn.linear_model.HuberRegressor(tol=1e-8).fit(X, y)
    np.testing.assert_allclose(fitted.coef_, peer.coef_, rtol=1e-5)
    assert fitted.n_iter_ <= 6


@pytest.mark.parametrize("make", [sparse.csr_array, sparse.csr_matrix, np.asfortranarray, np.ndarray.tolist])
@pytest.mark.parametrize("n_rows", [100, 6])
def test_layouts_and_kinds_have_one_answer(make, n_rows):
    X, y = contaminated(n_rows, 10)
    X[np.abs(X) < 0.5] = 0
    expected = HuberRegressor(alpha=0.1).fit(X, y)
    fitted = HuberRegressor(alpha=0.1).fit(make(X), y)
    np.testing.assert_allclose(fitted.coef_, expected.coef_, rtol=1e-5, atol=1e-8)
    assert fitted.intercept_ == pytest.approx(expected.intercept_, rel=1e-5)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_tensor_is_answered_in_kind(dtype):
    torch = pytest.importorskip("torch")
    X, y = (array.astype(dtype) for array in contaminated(100, 4))
    expected = HuberRegressor().fit(X, y)
    fitted = HuberRegressor().fit(torch.from_numpy(X), torch.from_numpy(y))
    assert expected.coef_.dtype == fitted.coef_.dtype == np.dtype(dtype)
    np.testing.assert_allclose(fitted.coef_, expected.coef_, rtol=1e-6)
    np.testing.assert_array_equal(fitted.outliers_, expected.outliers_)


@pytest.mark.parametrize("n_rows", [100, 5])
def test_a_warm_start_at_the_answer_takes_no_step(n_rows):
    X, y = contaminated(n_rows, 8)
    model = HuberRegressor(warm_start=True, alpha=1.0, tol=1e-3).fit(X, y)
    coef = model.coef_.copy()
    assert model.fit(X, y).n_iter_ <= 1
    np.testing.assert_allclose(model.coef_, coef, rtol=1e-6)


def test_running_out_of_iterations_warns():
    X, y = contaminated(100, 4)
    with pytest.warns(ConvergenceWarning, match="HuberRegressor failed to converge after 1 iterations"):
        assert HuberRegressor(max_iter=1).fit(X, y).n_iter_ == 1


def test_negative_weights_are_refused():
    X, y = contaminated(10, 2)
    with pytest.raises(ValueError, match="Negative values"):
        HuberRegressor().fit(X, y, -np.ones(10))


@pytest.mark.parametrize(
    ("n_rows", "n_columns", "hard", "parameters"),
    [
        (5, 1, "offset 1e4", {"alpha": 0.01, "fit_intercept": False}),
        (1, 120, "offset 1e7", {"alpha": 0.01, "epsilon": 2.0, "fit_intercept": False}),
        (2, 40, "scales", {"alpha": 0.001, "epsilon": 2.0, "fit_intercept": False}),
        (5, 40, "offset 1e4", {"epsilon": 1.1}),
        (30, 7, "scales", {}),
    ],
)
def test_large_columns_leave_the_objective_at_scikit_learns_or_below(n_rows, n_columns, hard, parameters):
    for seed in range(4):
        random = np.random.RandomState(seed)
        X = random.randn(n_rows, n_columns)
        X = X * np.logspace(-8, 8, n_columns) if hard == "scales" else X + float(hard.split()[1])
        X[random.rand(*X.shape) < (0.4 if n_rows == 5 < n_columns else 0)] = 0
        y, weight = 2 + random.randn(n_rows), random.rand(n_rows) + 0.1
        ours = HuberRegressor(**parameters).fit(X, y, weight)
        peer = sklearn.linear_model.HuberRegressor(tol=1e-9, max_iter=10_000, **parameters)
        try:
            peer.fit(X, y, weight)
        except ValueError:  # its line search fails
            peer = ours
        assert objective(ours, X, y, weight) <= objective(peer, X, y, weight) * (1 + 1e-9) + 1e-10


@pytest.mark.parametrize("offset", [1e4, 1e6, 1e7, 1e8])
def test_columns_far_from_the_origin_take_few_steps_without_an_intercept(offset):
    random = np.random.RandomState(0)
    X = random.randn(300, 30) + offset
    y = X @ random.randn(30) / offset + random.randn(300)
    model = HuberRegressor(fit_intercept=False, tol=1e-9, max_iter=1000).fit(X, y)
    assert model.n_iter_ < 10
    again = clone(model).set_params(warm_start=True).fit(X, y)
    assert again.fit(X, y).n_iter_ <= 1
    np.testing.assert_allclose(again.coef_, model.coef_, rtol=1e-6, atol=1e-6)


def test_outliers_are_an_array_of_the_host_after_a_fit_on_a_tensor():
    torch = pytest.importorskip("torch")
    X, y = contaminated(50, 3)
    outliers = HuberRegressor().fit(torch.from_numpy(X), torch.from_numpy(y)).outliers_
    assert isinstance(outliers, np.ndarray)
    np.testing.assert_array_equal(outliers, HuberRegressor().fit(X, y).outliers_)


def test_a_warm_start_refuses_other_features():
    X, y = contaminated(50, 3)
    model = HuberRegressor(warm_start=True).fit(X, y)
    with pytest.raises(ValueError, match="HuberRegressor: with warm_start, X must have the features"):
        model.fit(X[:, :2], y)
