"""SVR against scikit-learn's, and against the optimality conditions of its problem in float64."""

import numpy as np
import pytest
import sklearn.svm
from sklearn.datasets import make_regression
from sklearn.metrics.pairwise import rbf_kernel

from sklearn_dl.svm import SVR

pytestmark = pytest.mark.usefixtures("no_libsvm")


@pytest.fixture(scope="module")
def rows():
    X, y = make_regression(600, 5, noise=20.0, random_state=0)
    return X, y / y.std()


@pytest.mark.parametrize(("C", "epsilon"), [(1.0, 0.1), (1.0, 0.0), (20.0, 0.3), (0.05, 0.02)])
def test_the_duality_gap_closes(rows, C, epsilon):
    X, y = rows
    model = SVR(C=C, epsilon=epsilon, gamma=0.2, tol=1e-8).fit(X, y)
    beta = np.zeros(len(X))
    beta[model.support_] = model.dual_coef_[0]
    assert np.abs(beta).max() <= C
    assert abs(beta.sum()) < 1e-9
    scores = rbf_kernel(X, gamma=0.2) @ beta
    losses = np.maximum(0, np.abs(y - scores - model.intercept_) - epsilon)
    primal = beta @ scores / 2 + C * losses.sum()
    dual = y @ beta - epsilon * np.abs(beta).sum() - beta @ scores / 2
    assert -1e-12 <= primal - dual < 1e-6 * primal


@pytest.mark.parametrize("parameters", [{}, {"kernel": "linear"}, {"kernel": "poly"}, {"epsilon": 0.0}])
def test_predictions_are_those_of_scikit_learn_at_a_tight_tolerance(rows, parameters):
    X, y = rows
    ours, theirs = (SVR(tol=1e-8, **parameters).fit(X, y) for SVR in (SVR, sklearn.svm.SVR))
    atol = 1e-4 if "kernel" in parameters else 1e-6  # libsvm rounds kernel rows to float32
    np.testing.assert_allclose(ours.predict(X), theirs.predict(X), atol=atol)


def test_predictions_are_those_of_scikit_learn_within_the_tolerance(rows):
    X, y = rows
    ours, theirs = (SVR().fit(X, y) for SVR in (SVR, sklearn.svm.SVR))
    np.testing.assert_allclose(ours.predict(X), theirs.predict(X), atol=2e-3)


def test_attributes_are_those_of_scikit_learn(rows):
    X, y = rows
    ours, theirs = (SVR(tol=1e-9).fit(X, y) for SVR in (SVR, sklearn.svm.SVR))
    for name in ("support_", "support_vectors_", "n_support_", "shape_fit_"):
        np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name), err_msg=name)
    np.testing.assert_allclose(ours.dual_coef_, theirs.dual_coef_, atol=2e-4)
    assert type(ours.n_iter_) is type(theirs.n_iter_)


def test_weights_count_as_in_scikit_learn(rows):
    X, y = rows
    weight = np.random.default_rng(0).uniform(0.1, 3, len(y))
    ours, theirs = (SVR(gamma=0.2, tol=1e-8).fit(X, y, weight) for SVR in (SVR, sklearn.svm.SVR))
    np.testing.assert_allclose(ours.predict(X), theirs.predict(X), atol=1e-5)


def test_a_shift_of_the_target_moves_the_intercept_alone(rows):
    X, y = rows
    plain, shifted = SVR(tol=1e-8).fit(X, y), SVR(tol=1e-8).fit(X, y + 1000.0)
    np.testing.assert_allclose(shifted.predict(X), plain.predict(X) + 1000.0, atol=1e-6)


def test_a_target_within_epsilon_needs_no_support_vectors():
    X = np.random.default_rng(0).normal(size=(300, 3))
    model = SVR(epsilon=1.0).fit(X, np.linspace(-0.5, 0.5, 300))
    assert len(model.support_) == 0
    np.testing.assert_array_equal(model.predict(X), 0.0)


@pytest.mark.parametrize(
    "parameters",
    [
        {"C": 1e-9}, {"C": 1e4}, {"C": 100.0, "kernel": "linear"}, {"gamma": 1e-9}, {"gamma": 1e9},
        {"epsilon": 100.0},
    ],
)  # fmt: skip
@pytest.mark.parametrize("rows_are", ["as they come", "few and repeated", "constant in a column"])
def test_degenerate_rows_and_parameters_reach_the_minimum(rows, rows_are, parameters):
    X, y = rows[0][:300].copy(), rows[1][:300]
    if rows_are == "few and repeated":
        X = X[np.arange(300) % 12]
    if rows_are == "constant in a column":
        X[:, 0] = 7.0
    model = SVR(**parameters).fit(X, y)
    beta = np.zeros(300)
    beta[model.support_] = model.dual_coef_[0]
    kernel = X @ X.T if model.kernel == "linear" else rbf_kernel(X, gamma=model._gamma)
    slope, kink = y - kernel @ beta, model.epsilon
    ups, downs = slope - np.where(beta >= 0, kink, -kink), slope - np.where(beta > 0, kink, -kink)
    assert ups[beta < model.C].max() - downs[beta > -model.C].min() < 1.2e-3
    assert np.abs(beta).max(initial=0) <= model.C
    assert abs(beta.sum()) < 1e-9 * max(1, np.abs(beta).sum())


def test_tensors_are_answered_by_tensors_of_their_precision(rows):
    torch = pytest.importorskip("torch")
    X, y = rows
    model = SVR().fit(torch.from_numpy(X).float(), torch.from_numpy(y))
    answer = model.predict(torch.from_numpy(X).float())
    assert answer.dtype == torch.float32
    np.testing.assert_allclose(answer.numpy(), SVR().fit(X, y).predict(X), atol=2e-3)


@pytest.mark.parametrize("C", [1e4, 1e5])
def test_unscaled_columns_and_a_large_C_do_not_reach_the_step_limit(C):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 6)) * 10.0 ** np.arange(-2, 4)
    y = X @ (10.0 ** -np.arange(-2, 4)) + 0.3 * rng.normal(size=300)
    model = SVR(kernel="linear", C=C, max_iter=1_000_000).fit(X, y)
    assert model.fit_status_ == 0
    beta = np.zeros(300)
    beta[model.support_] = model.dual_coef_[0]
    precise, weights = X.astype(np.longdouble), beta.astype(np.longdouble)
    slope = y - precise @ (precise.T @ weights)
    ups, downs = slope - np.where(beta >= 0, 0.1, -0.1), slope - np.where(beta > 0, 0.1, -0.1)
    assert ups[beta < C].max() - downs[beta > -C].min() < 1.2e-3
