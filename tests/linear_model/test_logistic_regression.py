"""LogisticRegression against scikit-learn at a tight tolerance, scipy on the plain objective, closed form."""

import subprocess
import sys
import warnings

import numpy as np
import pytest
import sklearn.linear_model
from scipy import optimize, sparse
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from sklearn_dl.linear_model import LogisticRegression, logistic_hessians


def _rows(n_samples=400, n_features=6, n_classes=2, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_samples, n_features))
    scores = X @ rng.normal(size=(n_features, n_classes)) + rng.gumbel(size=(n_samples, n_classes))
    return X, scores.argmax(1)


def _reference(X, y, *, weight=None, **params):
    """scikit-learn's minimum, as exact as it gets."""
    params = {"solver": "newton-cholesky", "tol": 1e-12, "max_iter": 1000} | params
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return sklearn.linear_model.LogisticRegression(**params).fit(X, y, sample_weight=weight)


def _assert_same(ours, theirs, rtol=1e-6, atol=1e-9):
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=rtol, atol=atol)
    np.testing.assert_allclose(ours.intercept_, theirs.intercept_, rtol=rtol, atol=atol)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("C", [1e-4, 1.0, 1e4])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_squared_penalty_has_scikit_learns_minimum(n_classes, C, fit_intercept):
    X, y = _rows(n_classes=n_classes)
    params = {"C": C, "fit_intercept": fit_intercept}
    _assert_same(LogisticRegression(tol=1e-8, **params).fit(X, y), _reference(X, y, **params))


@pytest.mark.parametrize("n_classes", [2, 3])
def test_without_penalty_the_gradient_of_the_likelihood_is_zero(n_classes):
    X, y = _rows(n_classes=n_classes)
    model = LogisticRegression(C=np.inf, tol=1e-10).fit(X, y)
    residual = model.predict_proba(X) - np.eye(n_classes)[y]
    np.testing.assert_allclose(np.column_stack([X, np.ones(len(X))]).T @ residual, 0, atol=1e-8)


@pytest.mark.parametrize("l1_ratio", [0.3, 1.0])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_absolute_penalty_satisfies_the_optimality_conditions(l1_ratio, n_classes):
    X, y = _rows(n_classes=n_classes)
    C = 0.05
    model = LogisticRegression(C=C, l1_ratio=l1_ratio, solver="saga", tol=1e-9, max_iter=1000).fit(X, y)
    residual = model.predict_proba(X) - np.eye(n_classes)[y]
    slope = C * (residual.T @ X)[-len(model.coef_) :] + (1 - l1_ratio) * model.coef_
    used = model.coef_ != 0
    assert 0 < used.mean() < 1
    np.testing.assert_allclose(slope[used], -l1_ratio * np.sign(model.coef_[used]), atol=1e-6)
    assert (np.abs(slope[~used]) <= l1_ratio).all()
    np.testing.assert_allclose(residual.sum(0), 0, atol=1e-5)


@pytest.mark.parametrize("l1_ratio", [0, 1])
def test_liblinear_penalises_the_intercept_as_a_feature(l1_ratio):
    X, y = _rows()
    X += 1
    model = LogisticRegression(solver="liblinear", l1_ratio=l1_ratio, C=0.1, intercept_scaling=2, tol=1e-10)
    model.fit(X, y)
    plain = clone(model).set_params(solver="saga", fit_intercept=False)
    plain.fit(np.column_stack([X, np.full(len(X), 2.0)]), y)
    np.testing.assert_allclose(model.coef_, plain.coef_[:, :-1], rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(model.intercept_, 2 * plain.coef_[:, -1], rtol=1e-6, atol=1e-8)


def test_dual_names_the_same_minimum():
    X, y = _rows()
    primal = LogisticRegression(solver="liblinear", tol=1e-9).fit(X, y)
    _assert_same(LogisticRegression(solver="liblinear", dual=True, tol=1e-9).fit(X, y), primal)


@pytest.mark.parametrize(("n_classes", "n_steps"), [(2, 15), (5, 40)])
def test_pilot_rows_lead_to_the_minimum_of_all_rows(n_classes, n_steps):
    X, y = _rows(30_000, 40, n_classes)
    model = LogisticRegression(tol=1e-8).fit(X, y)
    assert model.n_iter_[0] < n_steps
    _assert_same(model, _reference(X, y), rtol=1e-5, atol=1e-6)


def test_a_feature_that_no_pilot_row_shows_is_learnt():
    X, y = _rows(30_000, 40)
    X = np.column_stack([X, np.zeros(len(X))])
    X[[5, 17, 400, 9000, 20_000], -1] = 30.0
    y[[5, 17, 400, 9000]] = 1
    y[20_000] = 0
    model = LogisticRegression(tol=1e-9).fit(X, y)
    assert model.n_iter_[0] < 30
    _assert_same(model, _reference(X, y), rtol=1e-4, atol=1e-6)


def test_rare_class_is_learnt_although_pilot_rows_can_be_separated():
    X, y = _rows(60_000, 40)
    y = y & (np.random.default_rng(1).random(len(y)) < 2e-3)
    model = LogisticRegression(tol=1e-8).fit(X, y)
    assert model.n_iter_[0] < 40
    _assert_same(model, _reference(X, y), rtol=1e-4, atol=1e-6)


def test_pilot_draws_among_rows_of_positive_weight():
    X, y = _rows(30_000, 40)
    weight = np.zeros(len(X))
    weight[::20] = 1
    model = LogisticRegression(tol=1e-9).fit(X, y, weight)
    _assert_same(model, _reference(X[::20], y[::20]), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_weights_equal_repetitions(n_classes):
    X, y = _rows(n_classes=n_classes)
    counts = np.random.default_rng(0).integers(0, 4, len(X))
    weighted = LogisticRegression(tol=1e-9).fit(X, y, counts)
    repeated = LogisticRegression(tol=1e-9).fit(np.repeat(X, counts, 0), np.repeat(y, counts))
    _assert_same(weighted, repeated, rtol=1e-7)


def test_class_weight_multiplies_the_weights_of_rows():
    X, y = _rows()
    weight = np.random.default_rng(0).uniform(1, 2, len(X))
    by_class = LogisticRegression(class_weight={0: 1, 1: 3}, tol=1e-9).fit(X, y, weight)
    _assert_same(by_class, LogisticRegression(tol=1e-9).fit(X, y, weight * np.where(y == 1, 3, 1)))


@pytest.mark.parametrize("n_samples", [300, 30_000])
def test_scales_and_offsets_of_columns_do_not_matter_without_penalty(n_samples):
    X, y = _rows(n_samples, 20)
    plain = LogisticRegression(C=np.inf, tol=1e-9).fit(X, y)
    scale = np.logspace(-8, 8, 20)
    offset = np.where(np.arange(20) % 2, 1e7, 0) * scale
    moved = LogisticRegression(C=np.inf, tol=1e-9).fit(X * scale + offset, y)
    np.testing.assert_allclose(moved.coef_ * scale, plain.coef_, rtol=1e-4, atol=1e-6)


def test_badly_scaled_columns_reach_the_minimum_that_scipy_finds_on_good_ones():
    X, y = _rows(500, 3)
    scale = np.array([1e-8, 1.0, 1e8])
    C = 1.0

    def objective(v):  # in coefficients of the well-scaled columns
        scores = X @ v[:3] + v[3]
        residual = 1 / (1 + np.exp(-scores)) - y
        value = (
            C * np.logaddexp(0, np.where(y == 1, -scores, scores)).sum() + ((v[:3] / scale) ** 2).sum() / 2
        )
        return value, np.append(C * X.T @ residual + v[:3] / scale**2, C * residual.sum())

    free = optimize.minimize(lambda v: objective(np.array([0, *v]))[0], np.zeros(3), tol=1e-12)
    model = LogisticRegression(C=C, tol=1e-8).fit(X * scale, y)
    np.testing.assert_allclose((model.coef_ * scale)[0, 1:], free.x[:2], rtol=1e-4)


def test_duplicated_and_constant_columns_share_the_minimum_norm_answer():
    X, y = _rows(400, 3)
    twice = np.column_stack([X, X[:, 0], np.full(len(X), 5.0)])
    plain = LogisticRegression(C=np.inf, tol=1e-10).fit(X, y)
    model = LogisticRegression(C=np.inf, tol=1e-10).fit(twice, y)
    np.testing.assert_allclose(model.coef_[0, [0, 3]], plain.coef_[0, 0] / 2, rtol=1e-6)
    np.testing.assert_allclose(model.coef_[0, 4], 0, atol=1e-10)
    np.testing.assert_allclose(model.predict_proba(twice), plain.predict_proba(X), atol=1e-8)


def test_separable_rows_without_penalty_end_with_perfect_predictions_and_no_nan():
    X, _ = _rows(5_000, 10)
    y = (X @ np.arange(10) > 1).astype(int)
    for data in (X, X[:50]):
        model = LogisticRegression(C=np.inf, max_iter=300).fit(data, y[: len(data)])
        assert np.isfinite(model.coef_).all()
        assert model.score(data, y[: len(data)]) == 1


def test_fewer_rows_than_features():
    X, y = _rows(30, 200)
    _assert_same(
        LogisticRegression(tol=1e-9, max_iter=1000).fit(X, y),
        _reference(X, y, solver="lbfgs"),
        rtol=1e-4,
        atol=1e-6,
    )


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("n_samples", [300, 20_000])
def test_sparse_rows_have_the_minimum_of_dense_ones(n_classes, n_samples):
    X, y = _rows(n_samples, 20, n_classes)
    X[np.random.default_rng(0).random(X.shape) < 0.5] = 0
    dense = LogisticRegression(tol=1e-8).fit(X, y)
    compressed = LogisticRegression(tol=1e-8, max_iter=500).fit(sparse.csr_array(X), y)
    _assert_same(compressed, dense, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("n_samples", [300, 20_000])
def test_single_precision_stays_single_and_close(n_classes, n_samples):
    X, y = _rows(n_samples, 30, n_classes)
    double = LogisticRegression().fit(X, y)
    single = LogisticRegression().fit(X.astype(np.float32), y)
    assert single.coef_.dtype == single.predict_proba(X.astype(np.float32)).dtype == np.float32
    np.testing.assert_allclose(single.coef_, double.coef_, atol=2e-3)


@pytest.mark.parametrize("layout", ["fortran", "read-only", "strided", "list", "integers"])
def test_layout_of_rows_does_not_matter(layout):
    X, y = _rows(500, 4)
    X = np.round(X * 3)
    expected = LogisticRegression(tol=1e-9).fit(X, y)
    other = {
        "fortran": np.asfortranarray(X),
        "read-only": X.copy(),
        "strided": np.repeat(X, 2, 1)[:, ::2],
        "list": X.tolist(),
        "integers": X.astype(np.int32),
    }[layout]
    if layout == "read-only":
        other.flags.writeable = False
    _assert_same(LogisticRegression(tol=1e-9).fit(other, y), expected)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize(("solver", "l1_ratio"), [("lbfgs", 0), ("saga", 1)])
@pytest.mark.parametrize("n_samples", [300, 20_000])
def test_tensors_give_the_answer_of_arrays_in_kind(n_classes, solver, l1_ratio, n_samples):
    torch = pytest.importorskip("torch")
    X, y = _rows(n_samples, 15, n_classes)
    weight = np.random.default_rng(0).uniform(0, 2, len(X))
    params = {"solver": solver, "l1_ratio": l1_ratio, "tol": 1e-7, "C": 0.1, "max_iter": 500}
    expected = LogisticRegression(**params).fit(X, y, weight)
    tensor = torch.from_numpy(X)
    model = LogisticRegression(**params).fit(tensor, torch.from_numpy(y), torch.from_numpy(weight))
    _assert_same(model, expected, rtol=1e-4, atol=1e-6)
    probabilities = model.predict_proba(tensor)
    assert isinstance(probabilities, torch.Tensor)
    np.testing.assert_allclose(probabilities.numpy(), expected.predict_proba(X), atol=1e-6)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_log_probabilities_stay_finite_where_probabilities_are_zero(n_classes):
    X, y = _rows(n_classes=n_classes)
    model = LogisticRegression().fit(X, y)
    logs = model.predict_log_proba(X * 1e5)
    assert np.isfinite(logs).all()
    assert logs.min() < -1e4
    np.testing.assert_allclose(np.exp(logs).sum(1), 1)


def test_warm_start_continues_and_a_cold_start_does_not():
    X, y = _rows(30_000, 40)
    warm = LogisticRegression(warm_start=True).fit(X, y)
    assert warm.fit(X, y).n_iter_[0] == 0
    warm.set_params(warm_start=False)
    assert warm.fit(X, y).n_iter_[0] > 0


def test_warm_start_with_other_features_is_refused():
    X, y = _rows()
    model = LogisticRegression(warm_start=True).fit(X, y)
    with pytest.raises(ValueError, match=r"coef_ has shape \(1, 6\)"):
        model.fit(X[:, :3], y)


@pytest.mark.parametrize(
    ("solver", "words"),
    [
        ("lbfgs", "lbfgs failed to converge"),
        ("sag", "max_iter was reached"),
        ("liblinear", "Liblinear failed"),
    ],
)
def test_too_few_iterations_warn_in_the_words_of_the_solver(solver, words):
    X, y = _rows()
    with pytest.warns(ConvergenceWarning, match=words):
        model = LogisticRegression(max_iter=1, tol=1e-12, solver=solver).fit(X, y)
    assert model.n_iter_.tolist() == [1]


def test_no_iterations_leave_coefficients_at_zero():
    X, y = _rows()
    with pytest.warns(ConvergenceWarning):
        model = LogisticRegression(max_iter=0).fit(X, y)
    assert not model.coef_.any()
    assert not model.intercept_.any()


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"l1_ratio": 1}, "supports only 'l2' or None"),
        ({"solver": "sag", "dual": True}, "supports only dual=False"),
        ({"solver": "liblinear", "l1_ratio": 0.5}, "Only 'saga' solver supports elasticnet"),
        ({"solver": "liblinear", "C": np.inf}, "not supported for the liblinear solver"),
        ({"C": 0.0}, "C must be a float above 0 or inf"),
        ({"C": np.nan}, "C must be a float above 0 or inf"),
        ({"class_weight": {0: 0, 1: 0}}, "weight above 0"),
    ],
)
def test_parameters_that_do_not_fit_are_refused(params, words):
    X, y = _rows()
    with pytest.raises(ValueError, match=words):
        LogisticRegression(**params).fit(X, y)


def test_one_class_is_refused():
    with pytest.raises(ValueError, match="at least 2 classes"):
        LogisticRegression().fit([[0.0], [1.0]], [1, 1])


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"penalty": "l2"}, "'penalty' was deprecated"),
        ({"l1_ratio": None}, "'l1_ratio=None' was deprecated"),
        ({"n_jobs": 1}, "'n_jobs' has no effect"),
    ],
)
def test_deprecated_parameters_warn_and_change_nothing(params, words):
    X, y = _rows()
    with pytest.warns(FutureWarning, match=words):
        model = LogisticRegression(**params).fit(X, y)
    _assert_same(model, LogisticRegression().fit(X, y))


def test_verbose_prints_a_line_a_step(capsys):
    X, y = _rows()
    model = LogisticRegression(verbose=1).fit(X, y)
    assert len(capsys.readouterr().out.splitlines()) == model.n_iter_[0]


def test_rows_are_left_as_they_are():
    X, y = _rows(5_000, 40)
    before = X.copy()
    LogisticRegression().fit(X, y)
    np.testing.assert_array_equal(X, before)


def test_pseudo_inverse_serves_a_singular_hessian():
    A = np.random.default_rng(0).normal(size=(3, 6))
    gradient = A.T @ np.ones(3)
    np.testing.assert_allclose(
        A @ logistic_hessians.inverse_of(A.T @ A)(gradient), A @ np.linalg.pinv(A.T @ A) @ gradient
    )


def test_fit_on_arrays_imports_no_torch():
    code = (
        "import sys, numpy as np; from sklearn_dl.linear_model import LogisticRegression as L;"
        "X = np.random.default_rng(0).normal(size=(99, 3)); L().fit(X, X[:, 0] > 0).predict_proba(X);"
        "print('torch' in sys.modules)"
    )
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "False"
    )


def test_rows_of_no_weight_leave_no_trace_without_a_penalty():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(15, 10)), rng.integers(3, size=15)
    weight = rng.integers(3, size=15)
    y[weight.argsort()[-3:]] = range(3)
    weighted = LogisticRegression(C=np.inf).fit(X, y, sample_weight=weight)
    repeated = LogisticRegression(C=np.inf).fit(X.repeat(weight, 0), y.repeat(weight))
    np.testing.assert_allclose(weighted.predict_proba(X), repeated.predict_proba(X), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("make", [np.asarray, sparse.csr_array])
def test_weights_equal_repetitions_on_separable_rows_without_a_penalty(n_classes, make):
    X, y = _rows(n_samples=15, n_features=10, n_classes=n_classes)
    counts = np.random.default_rng(1).integers(0, 4, 15)
    model = LogisticRegression(C=np.inf, tol=1e-12, max_iter=1000)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        weighted = clone(model).fit(make(X), y, counts)
        repeated = clone(model).fit(make(np.repeat(X, counts, 0)), np.repeat(y, counts))
    assert (weighted.predict(X)[counts > 0] == y[counts > 0]).all()
    _assert_same(weighted, repeated, rtol=1e-9)
