"""Ridge, ridge_path and RidgeCV against closed forms, slow loops and scikit-learn."""

import warnings

import numpy as np
import pytest
from scipy import sparse
from scipy.optimize import nnls
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import Ridge as PeerRidge
from sklearn.linear_model import RidgeCV as PeerRidgeCV
from sklearn.metrics import make_scorer, mean_absolute_error
from sklearn.model_selection import KFold, LeaveOneOut, cross_val_predict

from sklearn_dl.linear_model import Ridge, RidgeCV, ridge_path
from sklearn_dl.linear_model.ridge_solvers import _TRUST_EIGENVALUES

SHAPES = [(60, 5), (12, 30), (20, 20), (1, 4)]
DIRECT = ["auto", "cholesky", "svd"]
ITERATIVE = ["lsqr", "sparse_cg", "sag", "saga"]


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def closed_form(X, y, alpha, weight=None, fit_intercept=True):
    """Coefficients and intercept from the normal equations of an augmented system."""
    n_features = X.shape[1]
    root = np.sqrt(np.ones(len(X)) if weight is None else weight)[:, None]
    A = np.hstack([X, np.ones((len(X), 1))]) if fit_intercept else X
    penalty = np.sqrt(alpha) * np.eye(n_features, A.shape[1])
    target = np.concatenate([root[:, 0] * y, np.zeros(n_features)])
    solution = np.linalg.lstsq(np.vstack([root * A, penalty]), target, rcond=None)[0]
    return solution[:n_features], solution[n_features] if fit_intercept else 0.0


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("solver", DIRECT + ITERATIVE)
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("weighted", [False, True])
def test_every_solver_minimises_the_penalised_squares(rng, shape, solver, fit_intercept, weighted):
    X, y = rng.standard_normal(shape) + 1, rng.standard_normal(shape[0])
    weight = rng.random(shape[0]) + 0.1 if weighted else None
    model = Ridge(0.7, solver=solver, fit_intercept=fit_intercept, tol=1e-12).fit(X, y, weight)
    coef, intercept = closed_form(X, y, 0.7, weight, fit_intercept)
    np.testing.assert_allclose(model.coef_, coef, rtol=1e-7, atol=1e-10)
    np.testing.assert_allclose(model.intercept_, intercept, rtol=1e-7, atol=1e-10)
    assert model.solver_ == ("cholesky" if solver == "auto" else solver)


@pytest.mark.parametrize("solver", DIRECT)
@pytest.mark.parametrize("shape", [(60, 5), (12, 30)])
def test_each_target_may_have_a_penalty_of_its_own(rng, solver, shape):
    X, Y, alphas = rng.standard_normal(shape), rng.standard_normal((shape[0], 3)), [0.1, 5.0, 0.1]
    model = Ridge(alphas, solver=solver).fit(X, Y)
    for k, alpha in enumerate(alphas):
        np.testing.assert_allclose(model.coef_[k], Ridge(alpha).fit(X, Y[:, k]).coef_, rtol=1e-9)
    with pytest.raises(
        ValueError, match="Number of targets and number of penalties do not correspond: 2 != 3"
    ):
        Ridge([1, 2]).fit(X, Y)


def test_shapes_are_scikit_learns(rng):
    X, y = rng.standard_normal((9, 3)), rng.standard_normal(9)
    for target in (y, y[:, None], np.column_stack([y, y])):
        for ours, peer in ((Ridge(), PeerRidge()), (RidgeCV(), PeerRidgeCV())):
            ours.fit(X, target)
            peer.fit(X, target)
            assert ours.coef_.shape == peer.coef_.shape
            assert np.shape(ours.intercept_) == np.shape(peer.intercept_)
            assert ours.predict(X).shape == peer.predict(X).shape


@pytest.mark.parametrize("shape", [(300, 6), (10, 40)])
def test_singular_normal_equations_are_solved_by_singular_values(rng, shape):
    X = rng.standard_normal(shape)
    X = np.hstack([X, X])
    y = rng.standard_normal(shape[0])
    model = Ridge(0.0, solver="cholesky").fit(X, y)
    assert model.solver_ == "svd"
    expected = np.linalg.pinv(X - X.mean(0), rcond=1e-12) @ (y - y.mean())
    np.testing.assert_allclose(model.coef_, expected, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("solver", DIRECT)
def test_columns_of_very_different_scale_and_offset_keep_their_digits(rng, solver):
    scale, offset = np.array([1e-4, 1.0, 1e4]), np.array([0.0, 1e7, -1e3])
    X, y = rng.standard_normal((400, 3)), rng.standard_normal(400)
    model = Ridge(1e-9, solver=solver).fit(X * scale + offset, y)
    exact = (X * scale + offset - offset) - (X * scale + offset - offset).mean(0)
    # Long doubles are the second route: 64 bits of mantissa instead of 53.
    A = np.longdouble(exact).T @ np.longdouble(exact) + np.longdouble(1e-9) * np.eye(3)
    residual = np.float64(A @ model.coef_ - np.longdouble(exact).T @ (y - y.mean()))
    assert (abs(residual) < 1e-9 * np.sqrt(np.diagonal(np.float64(A)))).all()


@pytest.mark.parametrize("shape", [(200, 8), (15, 8), (8, 20)])
@pytest.mark.parametrize("solver", ["auto", "lsqr", "sparse_cg", "sag"])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_sparse_rows_give_the_model_of_their_dense_form(rng, shape, solver, fit_intercept):
    X = sparse.random_array(shape, density=0.4, rng=rng, format="csr")
    y, weight = rng.standard_normal(shape[0]), rng.random(shape[0])
    model = Ridge(0.5, solver=solver, tol=1e-12, fit_intercept=fit_intercept).fit(X, y, weight)
    coef, intercept = closed_form(X.toarray(), y, 0.5, weight, fit_intercept)
    np.testing.assert_allclose(model.coef_, coef, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(model.intercept_, intercept, rtol=1e-7, atol=1e-9)


def test_wide_sparse_rows_are_iterated_on():
    X = sparse.random_array((3000, 2000), density=0.002, rng=np.random.default_rng(0), format="csr")
    y = X @ np.ones(2000)
    model = Ridge(1.0, tol=1e-10).fit(X, y)
    assert model.solver_ == "sparse_cg"
    residual = y - model.predict(X)
    gradient = X.T @ residual - X.mean(0) * residual.sum() - model.coef_
    assert abs(gradient).max() < 1e-6


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("shape", [(80, 6), (6, 15)])
@pytest.mark.parametrize("alpha", [1e-3, 1.0])
def test_positive_solves_penalised_non_negative_squares(rng, container, shape, alpha):
    X, y = rng.random(shape), rng.standard_normal(shape[0])
    model = Ridge(alpha, positive=True, tol=1e-12).fit(container(X), y)
    Z = np.vstack([X - X.mean(0), np.sqrt(alpha) * np.eye(shape[1])])
    expected = nnls(Z, np.concatenate([y - y.mean(), np.zeros(shape[1])]))[0]
    np.testing.assert_allclose(model.coef_, expected, atol=1e-5)
    assert model.solver_ == "lbfgs"


def test_running_out_of_iterations_is_told():
    X, y = np.array([[1.0, -1], [1, 1]]), np.array([-1e10, 1e10])
    with pytest.warns(ConvergenceWarning, match="lbfgs solver did not converge"):
        Ridge(0.01, positive=True, max_iter=1, tol=1e-12, fit_intercept=False).fit(X, y)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"solver": "lbfgs"}, "only when positive=True"),
        ({"solver": "svd", "positive": True}, "does not support positive fitting"),
        ({"alpha": -1.0}, "alpha must be"),
        ({"solver": "qr"}, "solver must be"),
    ],
)
def test_what_does_not_go_together_is_refused(params, message):
    with pytest.raises(ValueError, match=message):
        Ridge(**params).fit(np.eye(3), np.ones(3))


def test_sparse_rows_refuse_solvers_that_would_have_to_fill_them():
    for solver in ("svd", "cholesky", "saga"):
        with pytest.raises(ValueError, match=f"solver='{solver}' does not support"):
            Ridge(solver=solver).fit(sparse.eye_array(4).tocsr(), np.arange(4.0))


@pytest.mark.parametrize("shape", SHAPES[:3])
def test_float32_stays_float32(rng, shape):
    X, y = rng.standard_normal(shape), rng.standard_normal(shape[0])
    single, double = Ridge().fit(X.astype(np.float32), y), Ridge().fit(X, y)
    assert single.coef_.dtype == single.predict(X.astype(np.float32)).dtype == np.float32
    np.testing.assert_allclose(single.coef_, double.coef_, atol=1e-5)


@pytest.mark.parametrize("shape", [(60, 5), (5, 12)])
@pytest.mark.parametrize("solver", ["auto", "svd", "lsqr"])
def test_tensors_give_the_model_of_their_arrays(rng, shape, solver):
    torch = pytest.importorskip("torch")
    X, y = rng.standard_normal(shape), rng.standard_normal(shape[0])
    model = Ridge(solver=solver).fit(torch.from_numpy(X), torch.from_numpy(y))
    np.testing.assert_allclose(model.coef_, Ridge(solver="svd").fit(X, y).coef_, rtol=1e-9)
    chosen = RidgeCV().fit(torch.from_numpy(X), torch.from_numpy(y))
    peer = PeerRidgeCV().fit(X, y)
    assert chosen.alpha_ == peer.alpha_
    np.testing.assert_allclose(chosen.coef_, peer.coef_, rtol=1e-8)


@pytest.mark.parametrize("shape", SHAPES[:3])
@pytest.mark.parametrize("n_targets", [None, 2])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
def test_a_path_is_a_fit_for_each_penalty(rng, shape, n_targets, fit_intercept, container):
    X, weight = rng.standard_normal(shape), rng.random(shape[0])
    y = rng.standard_normal(shape[0] if n_targets is None else (shape[0], n_targets))
    alphas = [1e-3, 0.5, 1e4]
    coefs, intercepts = ridge_path(container(X), y, alphas, sample_weight=weight, fit_intercept=fit_intercept)
    for coef, intercept, alpha in zip(coefs, intercepts, alphas, strict=True):
        model = Ridge(alpha, fit_intercept=fit_intercept, solver="svd").fit(X, y, weight)
        np.testing.assert_allclose(coef, model.coef_, rtol=1e-8, atol=1e-12)
        np.testing.assert_allclose(intercept, model.intercept_, rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("shape", [(100, 4), (4, 10)])
def test_a_path_reaches_to_penalty_zero_on_dependent_columns(rng, shape):
    X, y = rng.standard_normal(shape), rng.standard_normal(shape[0])
    X = np.hstack([X, X[:, :2]])
    coefs, _ = ridge_path(X, y, [0.0, 1e-12 * _TRUST_EIGENVALUES])
    expected = np.linalg.pinv(X - X.mean(0), rcond=1e-12) @ (y - y.mean())
    np.testing.assert_allclose(coefs, [expected, expected], rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("shape", [(30, 4), (10, 25), (9, 9)])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("gcv_mode", ["eigen", "svd"])
def test_leave_one_out_predictions_are_those_of_a_loop(rng, shape, fit_intercept, gcv_mode):
    X, y = rng.standard_normal(shape) + 2, rng.standard_normal(shape[0])
    alphas = [1e-3, 1.0, 50.0]
    model = RidgeCV(
        alphas,
        scoring="neg_mean_squared_error",
        store_cv_results=True,
        fit_intercept=fit_intercept,
        gcv_mode=gcv_mode,
    ).fit(X, y)
    for k, alpha in enumerate(alphas):
        ridge = Ridge(alpha, fit_intercept=fit_intercept)
        loop = cross_val_predict(ridge, X, y, cv=LeaveOneOut())
        np.testing.assert_allclose(model.cv_results_[:, k], loop, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("shape", [(40, 5), (12, 30)])
@pytest.mark.parametrize(("n_targets", "per_target"), [(None, False), (1, False), (3, False), (3, True)])
@pytest.mark.parametrize("scoring", [None, "r2", make_scorer(mean_absolute_error, greater_is_better=False)])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_choice_is_scikit_learns(rng, shape, n_targets, per_target, scoring, weighted):
    X = rng.standard_normal(shape)
    noise = rng.standard_normal(shape[0] if n_targets is None else (shape[0], n_targets))
    y = X[:, 0] + noise if n_targets is None else X[:, :n_targets] + noise * np.arange(1, n_targets + 1)
    weight = rng.random(shape[0]) + 0.1 if weighted else None
    params = {
        "alphas": np.logspace(-2, 3, 9),
        "scoring": scoring,
        "alpha_per_target": per_target,
        "store_cv_results": True,
    }
    model, peer = RidgeCV(**params).fit(X, y, weight), PeerRidgeCV(**params).fit(X, y, weight)
    np.testing.assert_array_equal(model.alpha_, peer.alpha_)
    np.testing.assert_allclose(model.best_score_, peer.best_score_, rtol=1e-8)
    np.testing.assert_allclose(model.coef_, peer.coef_, rtol=1e-8, atol=1e-12)
    np.testing.assert_allclose(model.cv_results_, peer.cv_results_, rtol=1e-7, atol=1e-12)


@pytest.mark.parametrize("shape", [(300, 4), (15, 40)])
def test_leave_one_out_on_sparse_rows_is_that_of_their_dense_form(rng, shape):
    X = sparse.random_array(shape, density=0.4, rng=rng, format="csr")
    y, weight = rng.standard_normal(shape[0]), rng.random(shape[0])
    model = RidgeCV(store_cv_results=True).fit(X, y, weight)
    dense = RidgeCV(store_cv_results=True).fit(X.toarray(), y, weight)
    np.testing.assert_allclose(model.cv_results_, dense.cv_results_, rtol=1e-8, atol=1e-12)
    np.testing.assert_allclose(model.coef_, dense.coef_, rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("scoring", [None, "neg_mean_absolute_error", make_scorer(mean_absolute_error)])
@pytest.mark.parametrize("weighted", [False, True])
def test_folds_choose_what_scikit_learns_grid_search_chooses(rng, scoring, weighted):
    X, y = rng.standard_normal((60, 8)), rng.standard_normal(60)
    y += X[:, 0]
    weight = rng.random(60) if weighted else None
    params = {"alphas": np.logspace(-2, 3, 9), "cv": KFold(4), "scoring": scoring}
    model, peer = RidgeCV(**params).fit(X, y, weight), PeerRidgeCV(**params).fit(X, y, weight)
    assert model.alpha_ == peer.alpha_
    assert model.best_score_ == pytest.approx(peer.best_score_, rel=1e-9)
    np.testing.assert_allclose(model.coef_, peer.coef_, rtol=1e-9)


def test_rows_of_weight_zero_do_not_disturb_scores(rng):
    X, y, weight = rng.standard_normal((40, 3)), rng.standard_normal(40), np.ones(40)
    y[::4], weight[::4] = 1e6, 0.0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = RidgeCV(scoring="neg_mean_squared_error").fit(X, y, weight)
    kept = weight > 0
    alone = RidgeCV(scoring="neg_mean_squared_error").fit(X[kept], y[kept])
    assert model.alpha_ == alone.alpha_
    np.testing.assert_allclose(model.coef_, alone.coef_, rtol=1e-9)


@pytest.mark.parametrize(
    ("params", "error", "message"),
    [
        ({"alphas": [0.0, 1.0]}, ValueError, r"alphas\[0\] == 0.0, must be > 0.0"),
        ({"alphas": [1.0, "1"]}, TypeError, r"alphas\[1\] must be an instance of float"),
        ({"cv": 3, "store_cv_results": True}, ValueError, "cv!=None and store_cv_results=True"),
        ({"cv": 3, "alpha_per_target": True}, ValueError, "cv!=None and alpha_per_target=True"),
    ],
)
def test_choices_that_cannot_be_made_are_refused(params, error, message):
    with pytest.raises(error, match=message):
        RidgeCV(**params).fit(np.eye(6), np.arange(6.0))


def test_the_only_column_of_y_has_a_penalty_that_is_a_number():
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((20, 3)), rng.standard_normal((20, 1))
    ours, theirs = (cls(alpha_per_target=True).fit(X, y) for cls in (RidgeCV, PeerRidgeCV))
    assert np.shape(ours.alpha_) == np.shape(theirs.alpha_) == ()
    assert np.shape(ours.best_score_) == np.shape(theirs.best_score_) == (1,)
    assert ours.alpha_ == theirs.alpha_
