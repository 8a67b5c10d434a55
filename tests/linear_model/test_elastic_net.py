"""ElasticNet, Lasso and their paths against optimality conditions, closed forms and scikit-learn."""

import pickle
import warnings

import numpy as np
import pytest
import sklearn.linear_model as peer
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.estimator_checks import check_estimator

from sklearn_dl.linear_model import elastic_net_dense, elastic_net_problems, elastic_net_sparse
from sklearn_dl.linear_model.elastic_net import ElasticNet, Lasso
from sklearn_dl.linear_model.elastic_net_path import enet_path, lasso_path
from sklearn_dl.linear_model.elastic_net_solver import Penalty, Subproblem

TIGHT = {"tol": 1e-12, "max_iter": 10000}


def problem(n_samples=80, n_features=12, seed=0, noise=1.0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n_samples, n_features)) + rng.standard_normal((n_samples, 1))
    coef = np.where(rng.random(n_features) < 0.4, 3 * rng.standard_normal(n_features), 0)
    return X, X @ coef + 5 + noise * rng.standard_normal(n_samples), rng.uniform(0.2, 3, n_samples)


def violation(model, X, y, weight=None):
    """Largest distance of the objective's subgradient from 0, from scratch; ||y|| sets the scale."""
    weight = np.ones(len(y)) if weight is None else weight
    weight = weight / weight.sum()
    coef, residual = model.coef_, y - X @ model.coef_ - model.intercept_
    slope = X.T @ (weight * residual) - model.alpha * (1 - model.l1_ratio) * coef
    l1 = model.alpha * model.l1_ratio
    at_zero = np.maximum((slope if model.positive else np.abs(slope)) - l1, 0)
    worst = np.where(coef != 0, np.abs(slope - l1 * np.sign(coef)), at_zero)
    return max(worst.max(), abs(weight @ residual) if model.fit_intercept else 0) / np.sqrt(weight @ y**2)


@pytest.fixture(params=["gram", "working sets", "rows", "sparse", "sparse residuals"])
def route(request, monkeypatch):
    """Each way to the solution, whatever the shape of the data."""
    if request.param != "gram":
        monkeypatch.setattr(elastic_net_problems, "_GRAM_FEATURES", 0)
    if request.param == "rows":
        monkeypatch.setattr(
            elastic_net_dense.DenseProblem,
            "restrict",
            lambda self, features, w, fit: elastic_net_dense.RowSubproblem(
                self.design.select(features), w[features], self.residual.copy(), self.y
            ),
        )
    if request.param == "sparse residuals":
        monkeypatch.setattr(elastic_net_sparse, "_GRAM_FEATURES", 0)
    return sparse.csr_array if request.param.startswith("sparse") else np.asarray


@pytest.mark.parametrize("shape", [(80, 12), (30, 70)])
@pytest.mark.parametrize(
    "options", [{"l1_ratio": 1.0}, {"l1_ratio": 0.3}, {"positive": True}, {"l1_ratio": 0}]
)
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_every_route_meets_the_optimality_conditions(route, shape, options, fit_intercept):
    X, y, weight = problem(*shape)
    model = ElasticNet(alpha=0.05, fit_intercept=fit_intercept, **options, **TIGHT)
    model.fit(route(X), y, sample_weight=weight)
    assert violation(model, X, y, weight) < 1e-6
    assert not options.get("positive") or model.coef_.min() >= 0


def test_data_on_which_sweeps_alone_do_not_end_is_solved():
    X, y, weight = problem(30, 400)
    with pytest.warns(ConvergenceWarning):
        peer.Lasso(alpha=0.1).fit(X, y, sample_weight=weight)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = Lasso(alpha=0.1, tol=1e-10).fit(X, y, sample_weight=weight)
    assert violation(model, X, y, weight) < 1e-6


def test_routes_give_the_coefficients_of_scikit_learn_at_a_tight_tolerance(route):
    X, y, weight = problem()
    expected = peer.ElasticNet(alpha=0.1, tol=1e-14, max_iter=100000).fit(X, y, sample_weight=weight)
    model = ElasticNet(alpha=0.1, **TIGHT).fit(route(X), y, sample_weight=weight)
    np.testing.assert_allclose(model.coef_, expected.coef_, rtol=1e-6, atol=1e-9)
    assert model.intercept_ == pytest.approx(expected.intercept_, rel=1e-7)


@pytest.mark.parametrize("l1_ratio", [1.0, 0.4])
def test_orthogonal_columns_are_thresholded_one_by_one(l1_ratio):
    rng = np.random.default_rng(0)
    X = 4 * np.linalg.qr(rng.standard_normal((40, 6)))[0]
    y = rng.standard_normal(40) + X[:, 0]
    z, curvature = X.T @ y / 40, 16 / 40
    alpha = 0.05
    expected = np.sign(z) * np.maximum(np.abs(z) - alpha * l1_ratio, 0) / (curvature + alpha * (1 - l1_ratio))
    model = ElasticNet(alpha=alpha, l1_ratio=l1_ratio, fit_intercept=False).fit(X, y)
    np.testing.assert_allclose(model.coef_, expected, atol=1e-12)
    assert 0 < np.count_nonzero(model.coef_) < 6 or l1_ratio < 1


def test_without_l1_penalty_it_is_ridge_regression():
    X, y, weight = problem()
    model = ElasticNet(alpha=0.2, l1_ratio=0).fit(X, y, sample_weight=weight)
    expected = peer.Ridge(alpha=0.2 * weight.sum(), solver="svd").fit(X, y, sample_weight=weight)
    np.testing.assert_allclose(model.coef_, expected.coef_, rtol=1e-9)
    assert model.intercept_ == pytest.approx(expected.intercept_, rel=1e-9)


def test_without_penalty_it_is_least_squares_and_warns():
    X, y, _ = problem()
    with pytest.warns(UserWarning, match="With alpha=0"):
        model = Lasso(alpha=0).fit(X, y)
    np.testing.assert_allclose(model.coef_, peer.LinearRegression().fit(X, y).coef_, rtol=1e-9)


def test_the_gap_bounds_what_is_left_and_vanishes_with_the_tolerance():
    X, y, _ = problem(30, 70)

    def objective(model):
        return np.mean((y - model.predict(X)) ** 2) / 2 + model.alpha * np.abs(model.coef_).sum()

    best = Lasso(alpha=0.05, **TIGHT).fit(X, y)
    assert abs(best.dual_gap_) <= 1e-12 * np.var(y)
    with pytest.warns(ConvergenceWarning, match="Objective did not converge"):
        early = Lasso(alpha=0.05, max_iter=3).fit(X, y)
    assert early.dual_gap_ >= objective(early) - objective(best) > 0


@pytest.mark.parametrize("scale", [1e-8, 1e8])
def test_units_of_features_and_target_only_rescale(scale):
    X, y, _ = problem(30, 70)
    model = Lasso(alpha=0.1, **TIGHT).fit(X, y)
    scaled = Lasso(alpha=0.1 * scale**2, **TIGHT).fit(X * scale, y * scale)
    np.testing.assert_allclose(scaled.coef_, model.coef_, atol=1e-7)


def test_an_offset_of_ten_million_costs_no_more_than_its_digits():
    X, y, _ = problem(500, 12)
    model = Lasso(alpha=0.1, **TIGHT).fit(X, y)
    shifted = Lasso(alpha=0.1, **TIGHT).fit(X + 1e7, y + 1e7)
    np.testing.assert_allclose(shifted.coef_, model.coef_, atol=1e-7)


def test_duplicated_and_constant_columns_leave_the_predictions():
    X, y, _ = problem()
    doubled = np.column_stack([X, X, np.full(len(X), 3.0)])
    model = Lasso(alpha=0.1, **TIGHT).fit(doubled, y)
    expected = Lasso(alpha=0.1, **TIGHT).fit(X, y)
    np.testing.assert_allclose(model.predict(doubled), expected.predict(X), atol=1e-8)
    assert model.coef_[-1] == 0
    assert violation(model, doubled, y) < 1e-6


def test_rows_of_weight_zero_do_not_count_and_weights_are_repetitions():
    X, y, _ = problem()
    times = np.arange(80) % 3
    spoiled = y + 1e3 * (times == 0)
    weighted = ElasticNet(alpha=0.1, **TIGHT).fit(X, spoiled, sample_weight=times)
    repeated = ElasticNet(alpha=0.1, **TIGHT).fit(np.repeat(X, times, axis=0), np.repeat(spoiled, times))
    np.testing.assert_allclose(weighted.coef_, repeated.coef_, rtol=1e-8, atol=1e-10)
    assert weighted.dual_gap_ >= -1e-12


def test_one_row_gives_zeros_and_its_target():
    model = Lasso().fit([[1.0, 2.0]], [3.0])
    np.testing.assert_array_equal(model.coef_, [0, 0])
    assert model.intercept_ == 3


def test_several_targets_are_problems_of_their_own():
    X, y, _ = problem(30, 70)
    targets = np.column_stack([y, X[:, 1] - y])
    model = Lasso(alpha=0.1, **TIGHT).fit(X, targets)
    for k in range(2):
        alone = Lasso(alpha=0.1, **TIGHT).fit(X, targets[:, k])
        np.testing.assert_allclose(model.coef_[k], alone.coef_, atol=1e-8)
    assert model.sparse_coef_.shape == (2, 70)
    assert len(model.n_iter_) == len(model.dual_gap_) == len(model.intercept_) == 2


def test_float32_stays_and_loses_no_more_than_its_digits():
    X, y, _ = problem(2000, 12)
    expected = Lasso(alpha=0.1).fit(X, y)
    model = Lasso(alpha=0.1).fit(X.astype(np.float32), y.astype(np.float32))
    assert model.coef_.dtype == model.predict(X.astype(np.float32)).dtype == np.float32
    np.testing.assert_allclose(model.coef_, expected.coef_, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("shape", [(80, 12), (30, 400)])
def test_tensors_are_computed_as_arrays_are_and_answered_in_kind(shape, dtype):
    torch = pytest.importorskip("torch")
    X, y, weight = (part.astype(dtype) for part in problem(*shape))
    expected = Lasso(alpha=0.1, tol=1e-10).fit(X, y, sample_weight=weight)
    model = Lasso(alpha=0.1, tol=1e-10).fit(
        *map(torch.from_numpy, (X, y)), sample_weight=torch.from_numpy(weight)
    )
    np.testing.assert_allclose(model.coef_, expected.coef_, rtol=1e-5, atol=1e-6)
    assert isinstance(model.coef_, np.ndarray)
    predicted = model.predict(torch.from_numpy(X))
    assert isinstance(predicted, torch.Tensor)
    np.testing.assert_allclose(predicted.numpy(), expected.predict(X), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("layout", [np.asfortranarray, np.array, sparse.csr_matrix, sparse.csc_array])
def test_layouts_agree_and_the_callers_data_stay(layout):
    X, y, weight = problem()
    given = layout(X)
    before = pickle.dumps((given, y, weight))
    for part in (y, weight):
        part.flags.writeable = False
    model = Lasso(alpha=0.1, copy_X=False, **TIGHT).fit(given, y, sample_weight=weight)
    assert pickle.dumps((given, y, weight)) == before
    np.testing.assert_allclose(model.coef_, Lasso(alpha=0.1, **TIGHT).fit(X, y, weight).coef_, atol=1e-10)


def test_a_warm_start_at_the_solution_takes_no_sweep():
    X, y, _ = problem(30, 70)
    model = Lasso(alpha=0.1, warm_start=True).fit(X, y)
    assert model.n_iter_ > 0
    assert model.fit(X, y).n_iter_ == 0


def test_random_selection_is_repeatable_and_ends_at_the_same_coefficients():
    X, y, _ = problem(200, 40)
    options = {"alpha": 0.01, "selection": "random", "random_state": 0, **TIGHT}
    model, again = (Lasso(**options).fit(X, y) for _ in range(2))
    np.testing.assert_array_equal(model.coef_, again.coef_)
    np.testing.assert_allclose(model.coef_, Lasso(alpha=0.01, **TIGHT).fit(X, y).coef_, atol=1e-9)


def test_a_given_gram_matrix_is_used_or_refused():
    X, y, _ = problem()
    centred = X - X.mean(0)
    model = Lasso(alpha=0.1, precompute=centred.T @ centred).fit(centred, y)
    np.testing.assert_allclose(model.coef_, Lasso(alpha=0.1).fit(X, y).coef_, atol=1e-10)
    with pytest.raises(ValueError, match=r"Gram matrix.*did not pass validation"):
        Lasso(precompute=np.eye(12)).fit(centred, y)
    with pytest.warns(UserWarning, match="recomputing Gram matrix"):
        Lasso(precompute=X.T @ X).fit(X, y)


@pytest.mark.parametrize("path", [enet_path, lasso_path])
@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("n_targets", [1, 3])
def test_paths_are_those_of_scikit_learn(path, kind, n_targets):
    X, y, _ = problem(60, 20)
    X, y = X - X.mean(0), y - y.mean()
    targets = y if n_targets == 1 else np.column_stack([y, X[:, 0], y + X[:, 1]])
    alphas, coefs, gaps = path(kind(X), targets, alphas=7, eps=1e-2, tol=1e-10)
    expected = getattr(peer, path.__name__)(X, targets, alphas=7, eps=1e-2, tol=1e-12, max_iter=100000)
    np.testing.assert_allclose(alphas, expected[0])
    np.testing.assert_allclose(coefs, expected[1], atol=1e-5)
    assert np.all(gaps <= 1e-9 * np.sum(targets**2))


def test_paths_take_strengths_in_any_order_and_count_sweeps():
    X, y, _ = problem(60, 20)
    alphas, coefs, _, n_iters = lasso_path(
        X, y, alphas=[0.1, 1.0], positive=True, return_n_iter=True, tol=1e-12
    )
    np.testing.assert_array_equal(alphas, [1.0, 0.1])
    assert len(n_iters) == 2
    for alpha, coef in zip(alphas, coefs.T, strict=True):
        alone = Lasso(alpha=alpha, fit_intercept=False, positive=True, **TIGHT).fit(X, y)
        np.testing.assert_allclose(coef, alone.coef_, atol=1e-8)


@pytest.mark.parametrize("n_targets", [1, 2])
def test_the_first_strength_of_a_path_is_the_least_that_leaves_nothing(n_targets):
    X, y, _ = problem(60, 20)
    targets = y if n_targets == 1 else np.column_stack([y, -y])
    largest = enet_path(X, targets, l1_ratio=0.7, alphas=3)[0][0]
    _, coefs, _ = enet_path(X, targets, l1_ratio=0.7, alphas=[largest * 1.0001, largest * 0.999], tol=1e-12)
    assert not coefs[..., 0].any()
    assert coefs[..., 1].any()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"unknown": 1}, "Unexpected parameters"),
        ({"selection": "any"}, "selection should be either random or cyclic"),
        ({"alphas": 0}, "alphas must be a number of at least 1"),
        ({"alphas": []}, "alphas must be a number of at least 1"),
        ({"eps": -1.0}, "eps must be above 0"),
        ({"coef_init": np.ones(3)}, "coef_init must have shape"),
        ({"precompute": np.eye(2)}, "precompute must have shape"),
        ({"X": [[np.nan, 1.0], [1.0, 2.0]]}, "Input X contains NaN"),
        ({"y": [1.0, np.inf]}, "Input y contains infinity"),
        ({"y": [1.0, 2.0, 3.0]}, "equally many rows"),
        ({"X": np.eye(2), "y": np.eye(2), "positive": True}, "positive=True is not allowed"),
    ],
)
@pytest.mark.parametrize("path", [enet_path, lasso_path])
def test_paths_refuse_what_they_cannot_do_in_their_own_name(path, options, message):
    X, y, _ = problem()
    with pytest.raises(ValueError, match=rf"^{path.__name__}:? .*{message}"):
        path(**{"X": X, "y": y[: len(options.get("X", X))], **options})


@pytest.mark.parametrize(
    ("l1_ratio", "message"), [(2, "l1_ratio must be from 0 to 1"), (0, "not supported for l1_ratio=0")]
)
def test_a_path_refuses_ratios_of_penalties_out_of_range(l1_ratio, message):
    X, y, _ = problem()
    with pytest.raises(ValueError, match=f"^enet_path: .*{message}"):
        enet_path(X, y, l1_ratio=l1_ratio)


@pytest.mark.parametrize("make", [sparse.csr_matrix, sparse.csc_array])
@pytest.mark.parametrize("weighted", [False, True])
def test_indices_of_64_bits_change_nothing(make, weighted):
    X, y, _ = problem()
    weight = np.arange(1.0, len(X) + 1) if weighted else None
    short = make(np.where(np.abs(X) > 1, X, 0))
    long = short.copy()
    long.indices, long.indptr = short.indices.astype(np.int64), short.indptr.astype(np.int64)
    expected = ElasticNet(alpha=0.1).fit(short, y, weight).coef_
    np.testing.assert_array_equal(ElasticNet(alpha=0.1).fit(long, y, weight).coef_, expected)
    assert long.indices.dtype == np.int64


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("model", [Lasso(alpha=0.1), ElasticNet(alpha=0.1)])
def test_numbers_too_large_are_told_from_a_solution(model):
    X = np.finfo(np.float64).max * np.random.default_rng(0).random((10, 2))
    with pytest.raises(ValueError, match="non-finite parameter values"):
        model.fit(X, np.arange(10.0))


@pytest.mark.parametrize("model", [Lasso, ElasticNet])
def test_signatures_are_those_of_scikit_learn(model):
    assert model().get_params() == getattr(peer, model.__name__)().get_params()


@pytest.mark.parametrize("model", [Lasso(), ElasticNet()])
def test_estimators_pass_scikit_learns_checks(model):
    failed = [check for check in check_estimator(model, on_fail=None) if check["status"] == "failed"]
    assert [(check["check_name"], check["exception"]) for check in failed] == []


@pytest.mark.parametrize("shape", [(30, 120), (30, 40)])
def test_steps_along_directions_that_rounding_bends_do_not_diverge(shape):
    rng = np.random.default_rng(1)
    X = rng.standard_normal(shape) + 1e7
    y = X @ (rng.standard_normal(shape[1]) / 1e7) + rng.standard_normal(shape[0])
    options = {"alpha": 1e-3, "fit_intercept": False, "tol": 1e-6, "max_iter": 1000}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        ours, theirs = Lasso(**options).fit(X, y), peer.Lasso(**options).fit(X, y)
    residual, expected = (np.mean((y - model.predict(X)) ** 2) for model in (ours, theirs))
    assert residual < 1.1 * expected


def test_a_warm_start_from_other_features_is_refused():
    X, y, _ = problem()
    model = Lasso(warm_start=True).fit(X, y)
    with pytest.raises(
        ValueError, match="Lasso: with warm_start, X must have the features of the last fit, 12"
    ):
        model.fit(X[:, :5], y)


class _Parabola(Subproblem):
    """One coefficient, of which the residual is w + 1."""

    def __init__(self, w):
        self.w, self.state = np.array([w]), np.array([w + 1])

    def sweep(self, *args):
        raise NotImplementedError

    def residual_norm2(self, w, state):
        return float(state @ state)

    def fit(self):
        raise NotImplementedError


@pytest.mark.parametrize(("positive", "expected"), [(False, -1.0), (True, 0.33)])
def test_iterates_on_their_way_below_0_are_followed_where_that_is_allowed(positive, expected):
    history = -1 + 3 * 0.85 ** np.arange(6.0)[:, None]
    part = _Parabola(history[-1, 0])
    part._extrapolate(Penalty(0.0, 0.0, positive), history, history + 1)
    assert part.w[0] == pytest.approx(expected, abs=0.01)
    assert part.state[0] == pytest.approx(part.w[0] + 1, abs=1e-9)
