"""The dual objective of random problems against that of libsvm, by coefficients and in long double."""

import warnings

import numpy as np
import pytest
import sklearn.svm
from sklearn.datasets import make_classification, make_friedman1
from sklearn.exceptions import ConvergenceWarning

from sklearn_dl.svm import SVC, SVR, base

pytestmark = pytest.mark.usefixtures("no_libsvm")

SEVERAL_SETS = 620  # rows, more than make one working set


def random_problem(seed):
    """An estimator's name, its parameters, rows, targets and weights."""
    rng = np.random.default_rng(seed)
    n_rows = SEVERAL_SETS if seed % 10 == 0 else int(rng.integers(20, 400))
    n_columns = int(rng.integers(1, 20))
    X = rng.normal(size=(n_rows, n_columns)) @ rng.normal(size=(n_columns, n_columns))
    if rng.random() < 0.2:
        X *= 10.0 ** rng.uniform(-1, 1, n_columns)
    if rng.random() < 0.2:
        X = X[rng.integers(0, n_rows // 3 + 1, n_rows)]
    if rng.random() < 0.2:
        X[:, 0] = 3.0
    if rng.random() < 0.2:
        X = X.astype(np.float32)
    score = X @ rng.normal(size=n_columns) + np.sin(X[:, -1])
    score = (score - score.mean()) / (score.std() + 1e-9) + rng.choice([0.1, 0.5]) * rng.normal(size=n_rows)
    kernel = str(rng.choice(["rbf", "linear", "poly"]))
    # Without limit libsvm takes minutes for large C.
    parameters = {
        "C": float(10.0 ** rng.uniform(-3, 3)),
        "kernel": kernel,
        "gamma": float(rng.choice([0.3, 1])),
    }
    parameters |= {"gamma": parameters["gamma"] / (n_columns * float(X.var())), "degree": 2, "coef0": 1.0}
    parameters["tol"] = float(rng.choice([1e-3, 1e-3, 1e-8]))
    weight = rng.uniform(0.1, 3.0, n_rows) if rng.random() < 0.3 else None
    if rng.random() < 0.5:
        return "SVR", {**parameters, "epsilon": float(rng.choice([0.0, 0.1]))}, X, score, weight
    class_weight = "balanced" if rng.random() < 0.3 else None
    return "SVC", {**parameters, "class_weight": class_weight}, X, score > np.quantile(score, 0.4), weight


def dual_objective(model, X, y):
    """What is minimized."""
    beta = model.dual_coef_[0].astype(np.longdouble)
    vectors = X[model.support_].astype(np.longdouble)
    if model.kernel == "linear":
        square = np.sum((vectors.T @ beta) ** 2)
    else:
        products = vectors @ vectors.T
        lengths = np.diag(products)
        distances = lengths[:, None] + lengths - 2 * products
        is_rbf = model.kernel == "rbf"
        kernel = np.exp(-model.gamma * distances) if is_rbf else (model.gamma * products + model.coef0) ** 2
        square = beta @ kernel @ beta
    if isinstance(model, sklearn.svm.SVC):
        return float(square / 2 - np.abs(beta).sum())
    return float(square / 2 - y[model.support_] @ beta + model.epsilon * np.abs(beta).sum())


@pytest.mark.parametrize("seeds", [range(first, first + 15) for first in range(0, 60, 15)])
def test_the_objective_is_at_most_a_millionth_above_that_of_libsvm(seeds):
    for seed in seeds:
        name, parameters, X, y, weight = random_problem(seed)
        ours = {"SVC": SVC, "SVR": SVR}[name](**parameters).fit(X, y, weight)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            theirs = getattr(sklearn.svm, name)(**parameters, max_iter=100_000).fit(X, y, weight)
        expected = dual_objective(theirs, X, y)
        assert dual_objective(ours, X, y) <= expected + 1e-6 * abs(expected), (seed, name, parameters)


@pytest.mark.parametrize("n_rows", [400, 1200])
@pytest.mark.parametrize("kernel", ["linear", "rbf"])
def test_flat_directions_do_not_end_the_descent_early(n_rows, kernel):
    X, y = make_friedman1(n_rows, 10, noise=0.3, random_state=0)
    X[:, :3] *= 30.0
    for C in (3.0, 13.0):
        parameters = {"C": C, "kernel": kernel, "gamma": 1e-3}
        at_once, tight = (SVR(tol=tol, **parameters).fit(X, y) for tol in (1e-3, 1e-7))
        lowest = dual_objective(tight, X, y)
        assert dual_objective(at_once, X, y) <= lowest + 1e-6 * abs(lowest)


@pytest.mark.parametrize("C", [2.5, 5.0])
def test_a_newton_step_finds_what_is_left_where_pairs_do_not(C):
    rng = np.random.default_rng(20)
    n_columns = int(rng.integers(8, 20))
    X = rng.normal(size=(900, n_columns)) @ rng.normal(size=(n_columns, n_columns))
    y = X @ rng.normal(size=n_columns) / n_columns + 0.3 * rng.normal(size=900)
    loose, tight = (SVR(kernel="linear", C=C, tol=tol).fit(X, y) for tol in (1e-3, 1e-7))
    assert dual_objective(loose, X, y) <= dual_objective(tight, X, y) * (1 - 1e-6)  # it is negative


def test_scores_of_few_rows_are_those_of_the_minimum_at_the_tolerance_that_is_given():
    X, y = make_classification(400, 10, n_informative=6, n_classes=4, random_state=0)
    for parameters in ({"kernel": "linear"}, {"C": 100.0}, {"kernel": "poly", "C": 10.0}):
        loose, tight = (
            SVC(tol=tol, decision_function_shape="ovo", **parameters).fit(X, y).decision_function(X)
            for tol in (1e-3, 1e-9)
        )
        np.testing.assert_allclose(loose, tight, atol=1e-3)


def test_a_problem_on_which_libsvm_takes_long_is_solved_here(monkeypatch):
    monkeypatch.setattr(base, "_FEWEST_OPERATIONS", np.inf)
    monkeypatch.setattr(base, "_PATIENT_STEPS", 5_000)
    X, y = make_classification(200, 6, n_informative=4, flip_y=0.1, random_state=0)
    X = X * 10.0 ** np.arange(-2, 4)
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        model = SVC(kernel="linear", C=1e6).fit(X, y)
    assert model.fit_status_ == 0
    assert model.max_iter == -1
    limited = sklearn.svm.SVC(kernel="linear", C=1e6, max_iter=200_000)
    with pytest.warns(ConvergenceWarning):
        limited.fit(X, y)
    assert dual_objective(model, X, y) < dual_objective(limited, X, y)


def test_a_solver_that_stops_early_says_so(monkeypatch):
    monkeypatch.setattr(base, "_STEP_LIMIT", 1)
    X, y = make_classification(200, 6, n_informative=4, flip_y=0.1, random_state=0)
    X = X * 10.0 ** np.arange(-2, 4)
    with pytest.warns(
        ConvergenceWarning, match=r"SVC: the solver stopped after \d+ steps, .*tol=0.001.*C below"
    ):
        model = SVC(kernel="linear", C=1e6).fit(X, y)
    assert model.fit_status_ == 1
