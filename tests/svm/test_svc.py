"""SVC against scikit-learn's, and against the optimality conditions of its problem in float64."""

import subprocess
import sys
import warnings

import numpy as np
import pytest
import sklearn.svm
from scipy import sparse
from sklearn.datasets import make_blobs, make_classification
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics.pairwise import pairwise_kernels

from sklearn_dl.svm import SVC, base, interval_dual

KERNELS = [
    {"kernel": "rbf"},
    {"kernel": "linear"},
    {"kernel": "poly", "degree": 2, "coef0": 1.0},
    {"kernel": "poly"},
]

pytestmark = pytest.mark.usefixtures("no_libsvm")


@pytest.fixture(scope="module")
def two_classes():
    return make_classification(700, 6, n_informative=4, flip_y=0.1, random_state=0)


@pytest.fixture(scope="module")
def four_classes():
    X, y = make_blobs(600, n_features=5, centers=4, cluster_std=5.0, random_state=1)
    return X, np.array(["ash", "birch", "cedar", "elm"])[y]


def dual_coefficients(model, n_rows):
    beta = np.zeros(n_rows)
    beta[model.support_] = model.dual_coef_[0]
    return beta


def kernel_matrix(model, X):
    params = {"rbf": ["gamma"], "poly": ["gamma", "degree", "coef0"], "linear": []}[model.kernel]
    values = {"gamma": model._gamma, "degree": model.degree, "coef0": model.coef0}
    return pairwise_kernels(X, metric=model.kernel, **{name: values[name] for name in params})


def largest_violation(model, X, y, cost):
    """Largest slope along which two coefficients can still move towards the minimum of the dual."""
    sign = np.where(y == model.classes_[1], 1.0, -1.0)
    beta = dual_coefficients(model, len(X))
    slope = sign - kernel_matrix(model, X) @ beta
    lower, upper = np.minimum(cost * sign, 0), np.maximum(cost * sign, 0)
    assert np.all((lower <= beta) & (beta <= upper))
    assert abs(beta.sum()) < 1e-9 * np.abs(beta).sum()
    return slope[beta < upper].max() - slope[beta > lower].min()


def objectives(model, X, y, cost):
    """The primal and the dual objective."""
    sign = np.where(y == model.classes_[1], 1.0, -1.0)
    beta = dual_coefficients(model, len(X))
    scores = kernel_matrix(model, X) @ beta
    losses = np.maximum(0, 1 - sign * (scores + model.intercept_[0]))
    return beta @ scores / 2 + cost * losses.sum(), sign @ beta - beta @ scores / 2


@pytest.mark.parametrize("parameters", KERNELS)
@pytest.mark.parametrize("C", [0.01, 1.0, 30.0])
def test_no_pair_of_coefficients_violates_optimality_by_more_than_tol(two_classes, parameters, C):
    X, y = two_classes
    model = SVC(C=C, **parameters).fit(X, y)
    assert largest_violation(model, X, y, C) < 1.2e-3


@pytest.mark.parametrize("parameters", KERNELS)
def test_the_duality_gap_closes(two_classes, parameters):
    X, y = two_classes
    primal, dual = objectives(SVC(tol=1e-8, **parameters).fit(X, y), X, y, 1.0)
    assert 0 <= primal - dual < 1e-6 * primal


@pytest.mark.parametrize("parameters", KERNELS)
def test_the_dual_objective_is_no_worse_than_that_of_libsvm(two_classes, parameters):
    X, y = two_classes
    _, ours = objectives(SVC(**parameters).fit(X, y), X, y, 1.0)
    _, theirs = objectives(sklearn.svm.SVC(**parameters).fit(X, y), X, y, 1.0)
    assert ours >= theirs - 1e-6 * abs(theirs)


@pytest.mark.parametrize("shape", ["ovr", "ovo"])
@pytest.mark.parametrize("parameters", KERNELS)
@pytest.mark.parametrize("classes", ["two_classes", "four_classes"])
def test_scores_are_those_of_scikit_learn_at_a_tight_tolerance(request, classes, parameters, shape):
    X, y = request.getfixturevalue(classes)
    parameters = {**parameters, "tol": 1e-8, "decision_function_shape": shape}
    ours, theirs = SVC(**parameters).fit(X, y), sklearn.svm.SVC(**parameters).fit(X, y)
    atol = 1e-6 if parameters["kernel"] == "rbf" else 5e-4  # libsvm rounds kernel rows to float32
    np.testing.assert_allclose(ours.decision_function(X), theirs.decision_function(X), atol=atol)
    assert np.mean(ours.predict(X) == theirs.predict(X)) > 0.998


def scores_by_interior_points(kernel, sign, cost):
    """Scores at the minimum of the dual by a primal-dual barrier method in float64.

    Newton steps on ``Q a - 1 + b sign - low + high = 0``, ``low a = high (cost - a) = mu``, ``sign @ a = 0``,
    where `mu` falls to 0 (Nocedal, Wright, 2006, Numerical optimization, section 16.6).
    """
    Q, n_rows = kernel * np.outer(sign, sign), len(sign)
    a, low, high, b = np.full(n_rows, cost / 2), np.ones(n_rows), np.ones(n_rows), 0.0
    for _ in range(80):
        mu = 0.1 * np.mean(np.concatenate([low * a, high * (cost - a)]))
        hessian = Q + np.diag(low / a + high / (cost - a))
        right = 1 - Q @ a - b * sign + mu / a - mu / (cost - a)
        system = np.block([[hessian, sign[:, None]], [sign[None], np.zeros((1, 1))]])
        step = np.linalg.solve(system, np.append(right, -sign @ a))
        da, db = step[:-1], step[-1]
        dlow, dhigh = mu / a - low - low / a * da, mu / (cost - a) - high + high / (cost - a) * da
        now, change = np.concatenate([a, cost - a, low, high]), np.concatenate([da, -da, dlow, dhigh])
        length = min(1.0, 0.99 / np.max(-change / now))
        a, low, high, b = a + length * da, low + length * dlow, high + length * dhigh, b + length * db
        if mu < 1e-13:
            break
    return kernel @ (a * sign) + b


@pytest.mark.parametrize("parameters", KERNELS)
def test_scores_at_a_tight_tolerance_are_exact_and_those_of_libsvm_as_exact_as_float32(
    two_classes, parameters
):
    X, y = two_classes
    parameters = {"tol": 1e-8, **parameters}
    ours, theirs = SVC(**parameters).fit(X, y), sklearn.svm.SVC(**parameters).fit(X, y)
    exact = scores_by_interior_points(kernel_matrix(ours, X), np.where(y == 1, 1.0, -1.0), 1.0)
    error, error_of_libsvm = (np.abs(model.decision_function(X) - exact).max() for model in (ours, theirs))
    assert error < 1e-6
    if parameters["kernel"] != "rbf":  # whose kernel is at most 1
        assert error_of_libsvm > 3 * error


def test_attributes_are_those_of_scikit_learn(four_classes):
    X, y = four_classes
    ours, theirs = (SVC(tol=1e-9).fit(X, y) for SVC in (SVC, sklearn.svm.SVC))
    for name in ("support_", "support_vectors_", "n_support_", "classes_", "class_weight_", "shape_fit_"):
        np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name), err_msg=name)
    for name in ("dual_coef_", "intercept_"):
        np.testing.assert_allclose(getattr(ours, name), getattr(theirs, name), atol=1e-5, err_msg=name)
    for name in ("n_iter_", "n_support_", "support_", "dual_coef_"):
        assert getattr(ours, name).dtype == getattr(theirs, name).dtype, name
        assert getattr(ours, name).shape == getattr(theirs, name).shape, name
    assert ours.fit_status_ == 0


def test_linear_coefficients_are_those_of_scikit_learn(four_classes):
    X, y = four_classes
    ours, theirs = (SVC(kernel="linear", tol=1e-9).fit(X, y) for SVC in (SVC, sklearn.svm.SVC))
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-4)


@pytest.mark.parametrize("class_weight", [None, "balanced", {"ash": 5.0, "elm": 0.1}])
def test_weights_count_as_in_scikit_learn(four_classes, class_weight):
    X, y = four_classes
    weight = np.random.default_rng(0).uniform(0.1, 3, len(y))
    parameters = {"class_weight": class_weight, "gamma": 0.1, "tol": 1e-8, "decision_function_shape": "ovo"}
    ours, theirs = (SVC(**parameters).fit(X, y, weight) for SVC in (SVC, sklearn.svm.SVC))
    np.testing.assert_allclose(ours.decision_function(X), theirs.decision_function(X), atol=1e-6)


@pytest.mark.parametrize("cache_size", [1e-3, 0.5, 200])
def test_the_size_of_the_cache_does_not_change_the_answer(four_classes, cache_size):
    X, y = four_classes
    scores = SVC(cache_size=cache_size, tol=1e-9).fit(X, y).decision_function(X)
    np.testing.assert_allclose(scores, SVC(tol=1e-9).fit(X, y).decision_function(X), atol=1e-6)


def test_small_working_sets_reach_the_same_minimum(two_classes, monkeypatch):
    X, y = two_classes
    expected = SVC(tol=1e-9).fit(X, y).decision_function(X)
    monkeypatch.setattr(interval_dual, "_WORKING_SET", 8)
    np.testing.assert_allclose(SVC(tol=1e-9).fit(X, y).decision_function(X), expected, atol=1e-6)


def test_exchanging_the_labels_changes_the_sign(two_classes):
    X, y = two_classes
    scores = SVC(tol=1e-9).fit(X, y).decision_function(X)
    np.testing.assert_allclose(SVC(tol=1e-9).fit(X, 1 - y).decision_function(X), -scores, atol=1e-7)


def test_a_precomputed_and_a_callable_kernel_give_the_answers_of_the_computed_one(four_classes):
    X, y = four_classes
    scores = SVC(kernel="linear", tol=1e-9).fit(X, y).decision_function(X)
    gram = X @ X.T
    by_matrix = SVC(kernel="precomputed", tol=1e-9).fit(gram, y)
    by_function = SVC(kernel=lambda A, B: A @ B.T, tol=1e-9).fit(X, y)
    np.testing.assert_allclose(by_matrix.decision_function(gram), scores, atol=3e-4)
    np.testing.assert_allclose(by_function.decision_function(X), scores, atol=3e-4)
    np.testing.assert_array_equal(by_matrix.predict(gram), by_function.predict(X))


def test_sparse_rows_get_the_answers_of_dense_ones(four_classes):
    X, y = four_classes
    scores = SVC(tol=1e-9).fit(X, y).decision_function(X)
    rows = sparse.csr_array(X)
    np.testing.assert_allclose(SVC(tol=1e-9).fit(rows, y).decision_function(rows), scores, atol=1e-6)


def test_a_far_away_origin_costs_no_accuracy(two_classes):
    X, y = two_classes
    near, far = SVC(gamma=0.5).fit(X, y), SVC(gamma=0.5).fit(X + 1e7, y)
    np.testing.assert_allclose(far.decision_function(X + 1e7), near.decision_function(X), atol=2e-3)


@pytest.mark.parametrize("scale", [1e-8, 1e8])
def test_the_unit_of_the_features_does_not_count(two_classes, scale):
    X, y = two_classes
    expected = SVC(tol=1e-8).fit(X, y).decision_function(X)
    np.testing.assert_allclose(
        SVC(tol=1e-8).fit(scale * X, y).decision_function(scale * X), expected, atol=1e-6
    )


@pytest.mark.parametrize(
    "parameters",
    [
        {"C": 1e-12}, {"C": 1e6, "gamma": 10.0}, {"C": np.inf, "gamma": 30.0}, {"gamma": 0.0},
        {"gamma": 1e-10}, {"gamma": 1e10}, {"kernel": "poly", "degree": 0}, {"kernel": "poly", "degree": 5},
    ],
)  # fmt: skip
def test_extreme_parameters_give_the_answers_of_scikit_learn(two_classes, parameters):
    X, y = two_classes
    X = X + np.random.default_rng(0).normal(scale=1e-3, size=X.shape)
    ours, theirs = (SVC(**parameters).fit(X, y) for SVC in (SVC, sklearn.svm.SVC))
    scores = theirs.decision_function(X)
    np.testing.assert_allclose(
        ours.decision_function(X), scores, atol=3e-3 * max(1.0, float(np.abs(scores).max()))
    )


def test_degenerate_rows_are_separated_as_far_as_they_differ():
    y = np.repeat([0, 1], 50)
    constant = SVC().fit(np.ones((100, 3)), y)
    assert np.isfinite(constant.decision_function(np.ones((1, 3)))).all()
    twice = np.repeat(np.linspace(0, 1, 50), 2)[:, None]
    X = np.hstack([twice, np.zeros((100, 1))])
    ours, theirs = (SVC(tol=1e-6).fit(X, y) for SVC in (SVC, sklearn.svm.SVC))
    np.testing.assert_allclose(ours.decision_function(X), theirs.decision_function(X), atol=1e-4)


def test_one_class_is_refused():
    with pytest.raises(ValueError, match=r"SVC.*number of classes has to be greater than one; got 1 class"):
        SVC().fit(np.eye(4), np.ones(4))


def test_the_caller_s_arrays_stay_as_they_are(four_classes):
    X, y = four_classes
    X = X.copy()
    X.setflags(write=False)
    weight = np.ones(len(y))
    weight.setflags(write=False)
    SVC().fit(X, y, weight).predict(X)


def test_max_iter_stops_with_a_warning(two_classes):
    with pytest.warns(ConvergenceWarning, match=r"Solver terminated early \(max_iter=5\)"):
        model = SVC(max_iter=5).fit(*two_classes)
    assert model.fit_status_ == 1
    assert model.n_iter_.tolist() == [5]


@pytest.mark.parametrize("parameters", KERNELS)
def test_many_rows_are_warned_of_with_a_pipeline_that_fits_them(two_classes, monkeypatch, parameters):
    monkeypatch.setattr(base, "_MANY_ROWS", 100)
    X, y = two_classes
    with pytest.warns(
        UserWarning, match=r"SVC: the kernel matrix of 700 rows .*Nystroem.*LinearSVC"
    ) as caught:
        exact = SVC(**parameters).fit(X, y)
    pasted = {}
    exec(str(caught[0].message).split("instead: ")[1], pasted)
    assert pasted["model"].fit(X, y).score(X, y) > exact.score(X, y) - 0.05


def test_fit_leaves_the_parameters_and_the_global_random_state_alone(monkeypatch):
    monkeypatch.setattr(base, "_FEWEST_OPERATIONS", np.inf)
    X, y = make_blobs(60, centers=2, random_state=0)
    state = np.random.get_state()[1].copy()
    model = SVC().fit(X, y)
    assert model.get_params() == SVC().get_params()
    np.testing.assert_array_equal(np.random.get_state()[1], state)


def test_probabilities_are_those_of_scikit_learn():
    X, y = make_blobs(90, centers=3, cluster_std=4.0, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        ours, theirs = (SVC(probability=True, random_state=0).fit(X, y) for SVC in (SVC, sklearn.svm.SVC))
    np.testing.assert_array_equal(ours.predict_proba(X), theirs.predict_proba(X))
    with pytest.raises(AttributeError, match="predict_proba"):
        SVC().fit(X, y).predict_proba(X)


@pytest.mark.parametrize("kernel", ["precomputed", lambda A, B: A @ B.T])
def test_many_rows_of_a_kernel_that_cannot_be_approximated_are_warned_of_without_it(
    two_classes, monkeypatch, kernel
):
    monkeypatch.setattr(base, "_MANY_ROWS", 100)
    X, y = two_classes
    with pytest.warns(UserWarning, match=r"SVC: the kernel matrix of 700 rows .*sample.*LinearSVC") as caught:
        SVC(kernel=kernel).fit(X @ X.T if kernel == "precomputed" else X, y)
    assert "Nystroem" not in str(caught[0].message)


def test_probabilities_follow_the_global_random_state_and_leave_it_alone():
    X, y = make_blobs(90, centers=3, cluster_std=4.0, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        answers = []
        for Model in (SVC, SVC, sklearn.svm.SVC):
            np.random.seed(3)
            state = np.random.get_state()[1].copy()
            model = Model(probability=True).fit(X, y)
            assert Model is not SVC or np.array_equal(np.random.get_state()[1], state)
            assert model.random_state is None
            answers.append(model.predict_proba(X))
    np.testing.assert_array_equal(answers[0], answers[1])
    np.testing.assert_array_equal(answers[0], answers[2])


def test_the_import_compiles_no_kernel():
    code = """
from numba.core import event
with event.install_recorder("numba:compile") as compiled:
    import sklearn_dl.svm, sklearn_dl.tree
print(len(compiled.buffer))
"""
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed == "0\n"


def test_a_fit_that_fails_or_is_interrupted_leaves_the_earlier_one(two_classes, monkeypatch):
    X, y = two_classes
    model = SVC().fit(X, np.where(y == 1, "yes", "no"))
    expected = model.predict(X)
    with pytest.raises(ValueError, match="sample_weight"):
        model.fit(X[:, :3], y, np.ones(7))
    monkeypatch.setattr(base, "solve", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        model.fit(-X, y)
    np.testing.assert_array_equal(model.predict(X), expected)


def test_the_warning_of_many_rows_points_at_the_call_of_fit(two_classes, monkeypatch):
    monkeypatch.setattr(base, "_MANY_ROWS", 100)
    with pytest.warns(UserWarning, match="kernel matrix") as caught:
        SVC().fit(*two_classes)
    assert caught[0].filename == __file__


@pytest.mark.parametrize("weight", [np.nan, np.inf])
@pytest.mark.parametrize("make", [np.asarray, sparse.csr_array])
def test_weights_that_are_not_finite_are_refused(two_classes, weight, make):
    X, y = two_classes
    with pytest.raises(ValueError, match="SVC: sample_weight contains NaN or infinity"):
        SVC().fit(make(X), y, np.where(np.arange(len(y)) == 3, weight, 1.0))


@pytest.mark.parametrize("weight", [2.0, np.ones((700, 1))])
def test_weights_of_another_shape_are_refused(two_classes, weight):
    with pytest.raises(ValueError, match=r"SVC: sample_weight must have shape \(n_samples,\)"):
        SVC().fit(*two_classes, weight)
