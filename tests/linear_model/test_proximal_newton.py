"""Absolute penalties: optimality conditions, and a slow method that knows nothing but the gradient."""

import warnings

import numpy as np
import pytest
import sklearn.linear_model
from scipy import sparse
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.preprocessing import StandardScaler

import sklearn_dl.linear_model.proximal_newton as module
from sklearn_dl.linear_model import LogisticRegression, proximal_step
from sklearn_dl.linear_model.logistic_loss import LogisticLoss
from sklearn_dl.linear_model.proximal_newton import minimize_l1_logistic, smallest_subgradient
from sklearn_dl.linear_model.proximal_step import minimize_l1_quadratic


def _problem(n_samples, n_features, n_classes=2, *, l1, l2=0.0, seed=0, kind=np.asarray):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_samples, n_features))
    scores = X[:, :5] @ rng.normal(size=(5, n_classes)) + rng.gumbel(size=(n_samples, n_classes))
    loss = LogisticLoss(
        kind(X), scores.argmax(1), None, n_classes=n_classes, l2=l2, fit_intercept=True, center=None
    )
    strengths = np.full(loss.shape, l1)
    strengths[:, -1] = 0
    return loss, strengths.ravel()


def _proximal_gradient(loss, l1, n_steps):
    """Soft thresholding of gradient steps as long as the largest curvature allows."""
    lipschitz = np.linalg.norm(loss.X, 2) ** 2 / loss.n_samples
    x = np.zeros(l1.size)
    for _ in range(n_steps):
        target = x - loss(x)[1] / lipschitz
        x = np.sign(target) * np.maximum(np.abs(target) - l1 / lipschitz, 0)
    return x


def _rare_features(n_samples, n_features, n_classes, rate):
    """Rows with few features that are not 0, which a pilot shows once or never, and their classes."""
    rng = np.random.default_rng(1)
    X = (rng.random((n_samples, n_features)) < rate) * rng.normal(size=(n_samples, n_features))
    scores = X @ rng.normal(size=(n_features, n_classes)) * 3 + rng.gumbel(size=(n_samples, n_classes))
    return X, scores.argmax(1)


@pytest.mark.parametrize("n_classes", [2, 5])
@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("offset", [0.0, 3.0])
def test_features_that_a_pilot_hardly_shows_reach_the_minimum(n_classes, kind, offset):
    X, y = _rare_features(20_000, 100, n_classes, 0.002)
    model = LogisticRegression(C=10.0, l1_ratio=1.0, solver="saga", max_iter=200)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.fit(kind(X + offset if kind is np.asarray else X), y)
    loss = LogisticLoss(X, y, None, n_classes=n_classes, l2=0.0, fit_intercept=True, center=None)
    shift = offset if kind is np.asarray else 0.0
    flat = np.column_stack([model.coef_, model.intercept_ + shift * model.coef_.sum(1)]).ravel()
    strength = np.full(loss.shape, 0.1 / len(X))
    strength[:, -1] = 0
    assert np.abs(smallest_subgradient(loss(flat)[1], flat, strength.ravel())).max() < 1e-4


@pytest.mark.parametrize("C", [0.1, 1.0])
def test_digits_reach_an_objective_that_slow_steps_only_approach(C):
    X, y = load_digits(return_X_y=True)
    X = StandardScaler().fit_transform(X)

    def objective(model):
        own = model.predict_log_proba(X)[np.arange(len(y)), y]
        return np.abs(model.coef_).sum() - C * own.sum()

    ours = LogisticRegression(C=C, l1_ratio=1.0, solver="saga", max_iter=200).fit(X, y)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        peer = sklearn.linear_model.LogisticRegression(
            C=C, l1_ratio=1.0, solver="saga", max_iter=200, random_state=0
        ).fit(X, y)
    assert objective(ours) < objective(peer)
    assert objective(ours) > 0.85 * objective(peer)


def test_quadratic_step_satisfies_the_optimality_conditions():
    rng = np.random.default_rng(0)
    A = rng.normal(size=(30, 12))
    hessian, gradient, x, l1 = A.T @ A, rng.normal(size=12) * 9, rng.normal(size=12), np.full(12, 5.0)
    z = minimize_l1_quadratic(hessian, gradient, x, l1, 1e-12)
    slope = gradient + hessian @ (z - x)
    assert 0 < (z == 0).sum() < 12
    np.testing.assert_allclose(slope[z != 0], -5 * np.sign(z[z != 0]), rtol=1e-9)
    assert (np.abs(slope[z == 0]) <= 5).all()


def test_compiled_sweeps_are_the_interpreted_ones(monkeypatch):
    rng = np.random.default_rng(0)
    A = rng.normal(size=(90, 50))
    arguments = A.T @ A, rng.normal(size=50) * 9, rng.normal(size=50), np.full(50, 5.0), 1e-9
    compiled = minimize_l1_quadratic(*arguments)
    monkeypatch.setattr("sklearn_dl.linear_model.proximal_step._COMPILED_SIZE", 99)
    np.testing.assert_allclose(minimize_l1_quadratic(*arguments), compiled, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("l2", [0.0, 0.02])
def test_minimum_is_that_of_proximal_gradient_steps(n_classes, l2):
    loss, l1 = _problem(300, 8, n_classes, l1=0.02, l2=l2)
    result = minimize_l1_logistic(loss, l1, None, tol=1e-10, max_iter=500)
    found, expected = (x.reshape(loss.shape) for x in (result.x, _proximal_gradient(loss, l1, 3000)))
    np.testing.assert_allclose(found[:, :-1], expected[:, :-1], atol=1e-6)
    differences = (found - expected)[:, -1]
    np.testing.assert_allclose(differences, differences[0], atol=1e-6)  # equal changes change nothing


@pytest.mark.parametrize(
    ("n_samples", "n_features", "n_classes"),
    [(20_000, 30, 2), (3_000, 20, 12), (150, 2_000, 2), (150, 700, 4)],
    ids=["pilot", "model of many classes", "working sets", "working sets of classes"],
)
def test_every_route_ends_where_no_subgradient_exceeds_the_tolerance(n_samples, n_features, n_classes):
    loss, l1 = _problem(n_samples, n_features, n_classes, l1=0.03)
    result = minimize_l1_logistic(loss, l1, None, tol=1e-6, max_iter=500)
    assert result.converged
    assert np.abs(smallest_subgradient(loss(result.x)[1], result.x, l1)).max() < 2e-6
    assert 0 < (result.x == 0).mean() < 1


def test_steps_with_momentum_reach_the_minimum_of_working_sets(monkeypatch):
    loss, l1 = _problem(100, 400, l1=0.05, l2=0.01)
    expected = minimize_l1_logistic(loss, l1, None, tol=1e-8, max_iter=500).x
    monkeypatch.setattr(module, "_ALL_FEATURES", 0)
    monkeypatch.setattr(module, "_MAX_SIZE", 0)
    result = minimize_l1_logistic(loss, l1, None, tol=1e-8, max_iter=20_000)
    assert result.converged
    np.testing.assert_allclose(result.x, expected, atol=1e-5)


def test_sparse_rows_give_the_minimum_of_dense_ones():
    dense, l1 = _problem(200, 1_800, l1=0.03)
    compressed, _ = _problem(200, 1_800, l1=0.03, kind=sparse.csr_array)
    results = [minimize_l1_logistic(loss, l1, None, tol=1e-8, max_iter=500).x for loss in (dense, compressed)]
    np.testing.assert_allclose(results[0], results[1], atol=1e-6)


def test_a_penalty_above_the_largest_slope_leaves_intercepts_alone():
    loss, l1 = _problem(200, 10, l1=10.0)
    result = minimize_l1_logistic(loss, l1, None, tol=1e-10, max_iter=100)
    share = loss.codes.mean()
    assert (result.x[:-1] == 0).all()
    assert result.x[-1] == pytest.approx(np.log(share / (1 - share)), abs=1e-9)


@pytest.mark.parametrize(("l1_strength", "l2_strength"), [(0.3, 0.0), (0.3, 0.2), (0.3, 5.0), (0.0, 0.5)])
@pytest.mark.parametrize("n_classes", [3, 4])
def test_balanced_parameters_have_the_least_penalty(l1_strength, l2_strength, n_classes):
    rows = np.random.default_rng(0).normal(size=(n_classes, 6))
    l1, l2 = np.full(rows.shape, l1_strength), np.full(rows.shape, l2_strength)
    found = module.balanced(rows.ravel(), l1.ravel(), l2.ravel(), rows.shape).reshape(rows.shape)

    def penalty(rows):
        return (l1 * np.abs(rows) + l2 / 2 * rows**2).sum(0)

    np.testing.assert_allclose(found - found[0], rows - rows[0], atol=1e-14)
    for shift in np.linspace(-3, 3, 601):
        assert (penalty(found) <= penalty(rows - shift) + 1e-12).all()


@pytest.mark.parametrize("l2", [0.0, 1e-3])
@pytest.mark.parametrize("fit_intercept", [False, True])
def test_multinomial_steps_are_few_to_a_tight_tol(l2, fit_intercept):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(1500, 7))
    codes = (X @ rng.normal(size=(7, 3))).argmax(1)
    loss = LogisticLoss(X, codes, None, n_classes=3, l2=l2, fit_intercept=fit_intercept)
    l1 = np.full(loss.shape, 1e-3)
    l1[:, 7:] = 0
    result = minimize_l1_logistic(loss, l1.ravel(), None, tol=1e-8, max_iter=100)
    assert result.converged
    assert result.n_iter < 20
    assert np.abs(smallest_subgradient(loss(result.x)[1], result.x, l1.ravel())).max() < 1e-8


@pytest.mark.parametrize("offset", [0.0, 1e4])
def test_step_is_exact_where_columns_are_nearly_parallel(offset):
    rng = np.random.default_rng(0)
    A = rng.normal(size=(5, 40)) + offset
    hessian, l1 = A.T @ A / 5 + 1e-2 * np.eye(40), np.full(40, 1e-2)
    gradient = A.T @ rng.normal(size=5)
    z = minimize_l1_quadratic(hessian, gradient, np.zeros(40), l1, 1e-6)
    left = np.abs(smallest_subgradient(gradient + hessian @ z, z, l1)).max()
    assert left < 1e-6 * np.abs(gradient).max()


@pytest.mark.parametrize("weighted", [False, True])
def test_float32_rows_far_from_0_without_an_intercept_end_after_few_steps(weighted):
    random = np.random.RandomState(0)
    X = (random.randn(5, 120) + 1e4).astype(np.float32)
    y, weight = np.arange(5) % 2, random.rand(5).astype(np.float32) if weighted else None
    params = {"solver": "saga", "C": 100, "l1_ratio": 0.5, "fit_intercept": False, "max_iter": 1000}
    single = LogisticRegression(**params).fit(X, y, weight)
    double = LogisticRegression(**params).fit(X.astype(float), y, weight)
    assert single.n_iter_[0] == double.n_iter_[0] < 100
    np.testing.assert_array_equal(single.coef_, double.coef_.astype(np.float32))


def test_many_coordinates_stop_at_zero_by_few_solutions(monkeypatch):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 120)) + 1e4
    hessian, gradient = X.T @ X / 60, rng.normal(size=120)
    hessian[np.diag_indices(120)] += 1e-2
    solve, sizes = proximal_step._solve, []

    def counting(matrix, right):
        sizes.append(len(right))
        return solve(matrix, right)

    monkeypatch.setattr(proximal_step, "_solve", counting)
    l1, z = np.full(120, 0.3), rng.normal(size=120)
    slope = gradient + hessian @ z
    proximal_step._solve_within_signs(hessian, slope, z, l1)
    assert 2 <= len(sizes) <= 20
    assert sum(z != 0) < 100
    np.testing.assert_allclose(slope, gradient + hessian @ z, atol=1e-4)
    free = z != 0
    np.testing.assert_allclose(slope[free], -0.3 * np.sign(z[free]), atol=1e-3)


def test_working_sets_need_no_intercept():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, module._ALL_FEATURES + 1))
    y = (X[:, 0] > 0).astype(int)
    fitted = LogisticRegression(solver="saga", l1_ratio=1, fit_intercept=False, tol=1e-6).fit(X, y)
    margins = np.where(y > 0, 1, -1) * fitted.decision_function(X)
    slopes = -X.T @ (np.where(y > 0, 1, -1) / (1 + np.exp(margins)))
    used = fitted.coef_[0] != 0
    np.testing.assert_allclose(slopes[used], -np.sign(fitted.coef_[0, used]), atol=1e-3)
    assert np.abs(slopes).max() <= 1 + 1e-3
