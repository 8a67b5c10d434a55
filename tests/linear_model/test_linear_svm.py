"""LinearSVC and LinearSVR against scikit-learn's, and against the objective that they state."""

import subprocess
import sys
import warnings

import numpy as np
import pytest
import sklearn.svm
from scipy import sparse
from sklearn.datasets import make_blobs
from sklearn.exceptions import ConvergenceWarning

from sklearn_dl.linear_model import linear_svm
from sklearn_dl.linear_model.linear_svm import LinearSVC, LinearSVR

TIGHT = {"tol": 1e-10, "max_iter": 1_000_000, "random_state": 0}
LOSSES = [("l2", "hinge"), ("l2", "squared_hinge"), ("l1", "squared_hinge")]


@pytest.fixture(scope="module")
def classes():
    return make_blobs(150, n_features=4, centers=3, cluster_std=3.0, random_state=1)


@pytest.fixture(scope="module")
def two_classes():
    return make_blobs(120, n_features=4, centers=2, cluster_std=4.0, random_state=3)


def theirs(penalty, loss, **parameters):
    return sklearn.svm.LinearSVC(penalty=penalty, loss=loss, dual=loss == "hinge", **TIGHT, **parameters)


@pytest.mark.parametrize(("penalty", "loss"), LOSSES)
@pytest.mark.parametrize(
    "parameters", [{}, {"C": 0.01}, {"intercept_scaling": 5.0}, {"fit_intercept": False}]
)
def test_coefficients_are_those_of_scikit_learn_at_a_tight_tolerance(classes, penalty, loss, parameters):
    X, y = classes
    ours = LinearSVC(penalty, loss, tol=1e-8, **parameters).fit(X / 5, y)
    expected = theirs(penalty, loss, **parameters).fit(X / 5, y)
    np.testing.assert_allclose(ours.coef_, expected.coef_, atol=2e-6)
    np.testing.assert_allclose(ours.intercept_, expected.intercept_, atol=2e-6)


@pytest.mark.parametrize("class_weight", ["balanced", {0: 0.3, 1: 2.0, 2: 5.0}])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_class_weights_and_sample_weights_count_as_in_scikit_learn(classes, class_weight, n_classes):
    X, y = classes
    X, y = X[y < n_classes] / 5, y[y < n_classes]
    weight = np.random.RandomState(0).randint(0, 4, len(y)).astype(float)
    if isinstance(class_weight, dict):
        class_weight = {k: class_weight[k] for k in range(n_classes)}
    ours = LinearSVC(class_weight=class_weight).fit(X, y, weight)
    expected = theirs("l2", "squared_hinge", class_weight=class_weight).fit(X, y, weight)
    np.testing.assert_allclose(ours.coef_, expected.coef_, atol=1e-6)


@pytest.mark.parametrize("loss", ["epsilon_insensitive", "squared_epsilon_insensitive"])
@pytest.mark.parametrize("parameters", [{}, {"epsilon": 0.3}, {"C": 0.01, "intercept_scaling": 3.0}])
def test_regression_reaches_scikit_learns_answer(loss, parameters):
    random = np.random.RandomState(0)
    X = random.randn(80, 3)
    y = X @ [1.0, -2.0, 0.5] + 1 + 0.5 * random.standard_t(2, 80)
    ours = LinearSVR(loss=loss, tol=1e-8, **parameters).fit(X, y, np.arange(80) % 3)
    dual = loss == "epsilon_insensitive"
    expected = sklearn.svm.LinearSVR(loss=loss, dual=dual, **TIGHT, **parameters).fit(X, y, np.arange(80) % 3)
    np.testing.assert_allclose(ours.coef_, expected.coef_, atol=1e-5)
    np.testing.assert_allclose(ours.intercept_, expected.intercept_, atol=1e-5)


def test_a_negative_epsilon_acts_as_zero(line):
    X, y = line
    expected = LinearSVR(epsilon=0).fit(X, y)
    np.testing.assert_array_equal(LinearSVR(epsilon=-1).fit(X, y).coef_, expected.coef_)


def test_joint_classes_reach_scikit_learns_objective(classes):
    X, y = classes
    ours = LinearSVC(multi_class="crammer_singer", random_state=0, tol=1e-6, max_iter=100_000).fit(X / 5, y)
    expected = sklearn.svm.LinearSVC(multi_class="crammer_singer", **TIGHT).fit(X / 5, y)
    np.testing.assert_allclose(ours.coef_, expected.coef_, atol=1e-4)
    two = y < 2
    binary = LinearSVC(multi_class="crammer_singer", random_state=0).fit(X[two], y[two])
    assert binary.coef_.shape == (1, 4)


@pytest.mark.parametrize(
    ("penalty", "loss", "dual"),
    [("l1", "hinge", "auto"), ("l2", "hinge", False), ("l1", "squared_hinge", True)],
)
def test_combinations_that_scikit_learn_refuses_raise(two_classes, penalty, loss, dual):
    with pytest.raises(ValueError, match=rf"LinearSVC: Unsupported set of arguments.*dual={dual!r}"):
        LinearSVC(penalty, loss, dual=dual).fit(*two_classes)
    with pytest.raises(ValueError, match="not supported when dual=False"):
        LinearSVR(dual=False).fit(*two_classes)


@pytest.mark.parametrize("dual", [True, False, "auto"])
def test_dual_and_primal_are_one_answer(two_classes, dual):
    X, y = two_classes
    expected = LinearSVC().fit(X, y)
    np.testing.assert_array_equal(LinearSVC(dual=dual).fit(X, y).coef_, expected.coef_)


@pytest.mark.parametrize(("penalty", "loss"), LOSSES)
def test_layouts_kinds_and_lists_have_one_answer(two_classes, penalty, loss):
    X, y = two_classes
    expected = LinearSVC(penalty, loss).fit(X, y)
    frozen = X.copy()
    frozen.flags.writeable = False
    for same in (np.asfortranarray(X), X.tolist(), sparse.csr_array(X), frozen, X[::-1][::-1]):
        fitted = LinearSVC(penalty, loss).fit(same, y)
        np.testing.assert_allclose(fitted.coef_, expected.coef_, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("loss", ["hinge", "squared_hinge"])
def test_float32_stays_float32(two_classes, loss):
    X, y = two_classes
    single = LinearSVC(loss=loss).fit(X.astype(np.float32), y)
    assert single.coef_.dtype == single.intercept_.dtype == np.float32
    assert single.decision_function(X.astype(np.float32)).dtype == np.float32
    np.testing.assert_allclose(single.coef_, LinearSVC(loss=loss).fit(X, y).coef_, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize(("penalty", "loss"), LOSSES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_tensor_is_answered_in_kind(two_classes, penalty, loss, dtype):
    torch = pytest.importorskip("torch")
    X, y = two_classes[0].astype(dtype), two_classes[1]
    expected = LinearSVC(penalty, loss).fit(X, y)
    fitted = LinearSVC(penalty, loss).fit(torch.from_numpy(X), torch.from_numpy(y))
    np.testing.assert_allclose(fitted.coef_, expected.coef_, rtol=1e-5, atol=1e-6)
    assert isinstance(fitted.coef_, np.ndarray)
    scores = fitted.decision_function(torch.from_numpy(X))
    assert scores.dtype == getattr(torch, dtype)
    for n_rows in (3, 120):  # fewer rows than columns, and more
        LinearSVR().fit(torch.from_numpy(X[:n_rows]), torch.from_numpy(X[:n_rows, 0]))


def test_many_rows_and_columns_go_to_coordinate_descent(monkeypatch):
    random = np.random.RandomState(0)
    X = sparse.random_array((60, 50), density=0.2, random_state=random, format="csr")
    y = random.randint(2, size=60)
    expected = LinearSVC(loss="hinge").fit(X, y)
    monkeypatch.setattr(linear_svm, "_LARGEST_FACTORED", 10)
    fitted = LinearSVC(loss="hinge", tol=1e-8, random_state=0).fit(X, y)
    np.testing.assert_allclose(fitted.coef_, expected.coef_, atol=1e-5)
    assert fitted.n_iter_ != expected.n_iter_


def test_coordinate_descent_takes_over_where_rounding_stops_the_interior_point():
    random = np.random.RandomState(0)
    X = random.randn(120, 4)
    y = X[:, 0] + random.randn(120) > 0
    X = np.column_stack([X, X[:, 0], 1e4 * X[:, 1], X[:, 3] + 1e5])
    with pytest.warns(ConvergenceWarning):
        fitted = LinearSVC(loss="hinge", random_state=0).fit(X, y)
    distance = np.maximum(0, 1 - np.where(y, 1, -1) * fitted.decision_function(X))
    assert distance.sum() < 2 * len(y)  # the interior point leaves thousands


@pytest.mark.parametrize("loss", ["hinge", "squared_hinge"])
def test_rows_of_weight_zero_or_below_do_not_count(two_classes, loss):
    X, y = two_classes
    weight = np.where(np.arange(len(y)) % 3 == 0, -1.0, 1.0)
    expected = LinearSVC(loss=loss).fit(X[weight > 0], y[weight > 0])
    np.testing.assert_allclose(LinearSVC(loss=loss).fit(X, y, weight).coef_, expected.coef_, rtol=1e-6)


@pytest.mark.parametrize(("penalty", "loss"), LOSSES)
def test_hard_columns_leave_the_objective_at_scikit_learns_or_below(two_classes, penalty, loss):
    X, y = two_classes
    size = 1e2 if loss == "hinge" else 1e5  # beyond, the hinge loss converges in neither package
    X = np.column_stack([X, X[:, 0], np.ones(len(X)), size * X[:, 1], 1e-8 * X[:, 2], X[:, 3] + size])

    def objective(model):
        w = np.append(model.coef_[0], model.intercept_)
        miss = np.maximum(0, 1 - np.where(y == 1, 1, -1) * (X @ w[:-1] + w[-1]))
        loss_sum = miss.sum() if loss == "hinge" else (miss**2).sum()
        return loss_sum + (np.abs(w).sum() if penalty == "l1" else w @ w / 2)

    peer = sklearn.svm.LinearSVC(penalty=penalty, loss=loss, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        peer.fit(X, y)
    assert objective(LinearSVC(penalty, loss).fit(X, y)) <= objective(peer) * (1 + 1e-9)


def test_running_out_of_iterations_warns(two_classes):
    X, y = two_classes
    with pytest.warns(ConvergenceWarning, match="Liblinear failed to converge"):
        fitted = LinearSVC(loss="hinge", max_iter=2).fit(X, y)
    assert fitted.n_iter_ == 2
    assert isinstance(fitted.n_iter_, int)


def test_verbose_prints_the_objective(two_classes, capsys):
    LinearSVC(verbose=1).fit(*two_classes)
    assert capsys.readouterr().out.startswith("LinearSVC: iteration 0, objective 120")


def test_intercept_shapes_are_scikit_learns(two_classes, line):
    assert LinearSVC().fit(*two_classes).intercept_.shape == (1,)
    assert LinearSVC(fit_intercept=False).fit(*two_classes).intercept_ == 0.0
    assert LinearSVR().fit(*line).intercept_.shape == (1,)
    assert LinearSVR().fit(*line).coef_.shape == (4,)


def test_ndarrays_need_no_torch():
    code = (
        "import sys, numpy as np\n"
        "from sklearn_dl.linear_model.linear_svm import LinearSVC, LinearSVR\n"
        "X = np.random.RandomState(0).randn(30, 3)\n"
        "for loss in ('hinge', 'squared_hinge'):\n"
        "    LinearSVC(loss=loss).fit(X, X[:, 0] > 0).predict(X)\n"
        "LinearSVR().fit(X, X[:, 0]).predict(X)\n"
        "assert 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_repeated_rows_and_weights_have_one_joint_machine_to_the_last_bit():
    random = np.random.RandomState(0)
    X, y, weight = random.randn(40, 6), np.arange(40) % 3, random.randint(0, 4, 40)
    repeated = np.repeat(np.arange(40), weight)
    by_weight = LinearSVC(multi_class="crammer_singer", random_state=0).fit(X, y, weight)
    by_rows = LinearSVC(multi_class="crammer_singer", random_state=0).fit(X[repeated], y[repeated])
    np.testing.assert_array_equal(by_weight.coef_, by_rows.coef_)
