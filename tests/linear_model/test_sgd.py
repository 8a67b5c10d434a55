"""Stochastic, mini-batch and batch gradient descent: their steps, what they reach, and how they fail."""

import pickle
import subprocess
import sys
import warnings
from itertools import product

import numpy as np
import pytest
import sklearn.linear_model as peers
from scipy import sparse
from scipy.optimize import minimize
from sklearn.base import clone
from sklearn.datasets import load_iris, make_blobs
from sklearn.exceptions import ConvergenceWarning

from sklearn_dl.linear_model import SGDClassifier, SGDRegressor
from sklearn_dl.linear_model.sgd_kernels import dense_epoch, sparse_epoch
from sklearn_dl.linear_model.sgd_losses import CLASSIFICATION_LOSSES, REGRESSION_LOSSES
from sklearn_dl.linear_model.sgd_training import hold_out, permutation

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RNG = np.random.default_rng(0)
X = RNG.normal(size=(120, 11))
SIGNAL = X @ RNG.normal(size=11) + RNG.normal(size=120)
CLASSES = np.digitize(SIGNAL, [-1, 1])
SPARSE = sparse.csr_matrix(X * (RNG.random(X.shape) < 0.3))


def assert_same_fit(ours, peer, rtol=1e-9):
    scale = np.abs(peer.coef_).max()
    np.testing.assert_allclose(ours.coef_, peer.coef_, rtol=rtol, atol=rtol * scale)
    np.testing.assert_allclose(ours.intercept_, peer.intercept_, rtol=rtol, atol=rtol * scale)
    assert (ours.n_iter_, ours.t_) == (peer.n_iter_, peer.t_)


def both(name, **params):
    params = {"random_state": 3, "max_iter": 9, "alpha": 1e-3, "eta0": 0.005} | params
    return globals()[name](**params), getattr(peers, name)(**params)


# The peer


@pytest.mark.parametrize("table", [X, SPARSE], ids=["dense", "sparse"])
@pytest.mark.parametrize("loss", CLASSIFICATION_LOSSES)
def test_classifier_takes_scikit_learns_steps(loss, table):
    for penalty, learning_rate, y in [
        ("l2", "constant", CLASSES), ("l1", "invscaling", SIGNAL > 0), ("elasticnet", "adaptive", CLASSES),
        (None, "constant", SIGNAL > 0),
    ]:  # fmt: skip
        ours, peer = both("SGDClassifier", loss=loss, penalty=penalty, learning_rate=learning_rate)
        assert_same_fit(ours.fit(table, y), peer.fit(table, y))


@pytest.mark.parametrize("table", [X, SPARSE], ids=["dense", "sparse"])
@pytest.mark.parametrize("loss", ["hinge", "log_loss", "perceptron", "epsilon_insensitive"])
def test_classifier_takes_scikit_learns_optimal_steps(loss, table):
    for penalty, average in product(["l2", None], [False, True, 200]):
        ours, peer = both("SGDClassifier", loss=loss, penalty=penalty, average=average)
        assert_same_fit(ours.fit(table, CLASSES), peer.fit(table, CLASSES))


@pytest.mark.parametrize("table", [X, SPARSE], ids=["dense", "sparse"])
@pytest.mark.parametrize("loss", REGRESSION_LOSSES)
def test_regressor_takes_scikit_learns_steps(loss, table):
    for penalty, average in [("l2", False), ("l1", False), ("elasticnet", False), (None, True), ("l2", 200)]:
        ours, peer = both("SGDRegressor", loss=loss, penalty=penalty, average=average)
        assert_same_fit(ours.fit(table, SIGNAL), peer.fit(table, SIGNAL))


@pytest.mark.parametrize("learning_rate", ["pa1", "pa2"])
def test_passive_aggressive_steps_are_scikit_learns(learning_rate):
    for table in (X, SPARSE):
        table = sparse.vstack([table, sparse.csr_matrix((1, 11))]).tocsr()  # PA-I skips a row of zeros
        ours, peer = both("SGDClassifier", learning_rate=learning_rate, eta0=0.1)
        y = np.append(CLASSES, 0)
        assert_same_fit(ours.fit(table, y), peer.fit(table, y))
        ours, peer = both("SGDRegressor", loss="epsilon_insensitive", learning_rate=learning_rate, eta0=0.1)
        y = np.append(SIGNAL, 0)
        assert_same_fit(ours.fit(table, y), peer.fit(table, y))


def test_weights_of_rows_and_classes_are_scikit_learns_on_more_than_256_rows():
    rows, y = np.tile(X, (3, 1)), np.tile(CLASSES, 3)
    weight = RNG.integers(0, 3, len(y))
    for class_weight, labels in product([None, "balanced", {0: 0.5, 1: 3, 2: 1}], [y, np.minimum(y, 1)]):
        if class_weight is not None and class_weight != "balanced":
            class_weight = {k: v for k, v in class_weight.items() if k in labels}
        ours, peer = both("SGDClassifier", class_weight=class_weight, learning_rate="constant")
        assert_same_fit(
            ours.fit(rows, labels, sample_weight=weight), peer.fit(rows, labels, sample_weight=weight)
        )


@pytest.mark.parametrize("average", [False, True, 100])
def test_partial_fits_are_scikit_learns(average):
    ours, peer = both("SGDRegressor", average=average)
    for part in (slice(0, 50), slice(50, 51), slice(51, 120)):
        for model in (ours, peer):
            model.partial_fit(X[part], SIGNAL[part])
        np.testing.assert_allclose(ours.coef_, peer.coef_, rtol=1e-12, atol=1e-14)
    if (
        average
    ):  # scikit-learn's classifier loses the intercept between averaged parts; see fit in parts below
        return
    ours, peer = both("SGDClassifier", loss="log_loss", learning_rate="invscaling")
    for part in (slice(0, 50), slice(50, 51), slice(51, 120)):
        for model in (ours, peer):
            model.partial_fit(X[part], CLASSES[part], classes=[0, 1, 2])
        np.testing.assert_allclose(ours.coef_, peer.coef_, rtol=1e-12, atol=1e-14)


def test_starts_are_scikit_learns():
    start = {"coef_init": RNG.normal(size=(3, 11)), "intercept_init": [1.0, 2.0, 3.0]}
    ours, peer = both("SGDClassifier", learning_rate="constant", warm_start=True)
    assert_same_fit(ours.fit(X, CLASSES, **start), peer.fit(X, CLASSES, **start))
    assert_same_fit(ours.fit(X, CLASSES), peer.fit(X, CLASSES))


def test_columns_of_all_scales_give_scikit_learns_answer():
    rows = X * np.logspace(-8, 2, 11) + np.append(np.zeros(10), 1e4)
    ours, peer = both("SGDClassifier", learning_rate="constant", eta0=1e-9, max_iter=3)
    assert_same_fit(ours.fit(rows, CLASSES), peer.fit(rows, CLASSES))


def test_a_long_fit_in_compiled_code_is_scikit_learns():
    rows = np.random.default_rng(1).normal(size=(6000, 21))
    y = rows[:, 0] + 0.1 * rows[:, 1] > 0
    for table in (rows, sparse.csr_matrix(rows * (rows > 1))):
        ours, peer = both("SGDClassifier", average=True)
        assert_same_fit(ours.fit(table, y), peer.fit(table, y))


# The published algorithm, slowly


def plain_loop(rows, y, *, alpha, l1_ratio, eta0, power_t, n_epochs):
    """SGD of squared error with cumulative L1 penalty; the last coefficients and the mean over all steps."""
    w, intercept, u, q, t = np.zeros(rows.shape[1]), 0.0, 0.0, np.zeros(rows.shape[1]), 1
    w_sum, intercept_sum = np.zeros_like(w), 0.0
    for _ in range(n_epochs):
        for row, target in zip(rows, y, strict=True):
            eta = eta0 / t**power_t
            gradient = row @ w + intercept - target
            w = (1 - (1 - l1_ratio) * alpha * eta) * w - eta * gradient * row
            intercept -= eta * gradient
            u += l1_ratio * alpha * eta
            before = w.copy()
            w = np.where(before > 0, np.maximum(0, before - (u + q)), w)
            w = np.where(before < 0, np.minimum(0, before + (u - q)), w)
            q += w - before
            w_sum, intercept_sum, t = w_sum + w, intercept_sum + intercept, t + 1
    return w, intercept, w_sum / (t - 1), intercept_sum / (t - 1)


@pytest.mark.parametrize("l1_ratio", [0.0, 0.4, 1.0])
def test_steps_and_their_mean_are_those_of_a_plain_loop(l1_ratio):
    rules = {"alpha": 0.05, "l1_ratio": l1_ratio, "eta0": 0.02, "power_t": 0.3}
    params = rules | {"penalty": "elasticnet", "max_iter": 3, "tol": None, "shuffle": False}
    w, intercept, w_mean, intercept_mean = plain_loop(X, SIGNAL, **rules, n_epochs=3)
    model = SGDRegressor(**params).fit(X, SIGNAL)
    np.testing.assert_allclose(np.append(model.coef_, model.intercept_), np.append(w, intercept), rtol=1e-10)
    model = SGDRegressor(**params, average=True).fit(X, SIGNAL)
    averaged, expected = np.append(model.coef_, model.intercept_), np.append(w_mean, intercept_mean)
    if l1_ratio == 0:
        np.testing.assert_allclose(averaged, expected, rtol=1e-10)
    else:  # the mean is taken before the step's own truncation, in scikit-learn too
        np.testing.assert_allclose(averaged, expected, rtol=0.01, atol=1e-3)


@pytest.mark.parametrize("table", [X, SPARSE], ids=["dense", "sparse"])
@pytest.mark.parametrize("penalty", ["l2", "elasticnet"])
def test_compiled_and_interpreted_steps_are_the_same_bits(monkeypatch, table, penalty):
    params = {"penalty": penalty, "average": 50, "random_state": 0, "max_iter": 3, "tol": None}
    results = []
    for limit in (0, 10**9):
        monkeypatch.setattr("sklearn_dl.linear_model.sgd_steps._INTERPRETED_VISITS", limit)
        if limit:  # no compiled code is ready
            monkeypatch.setattr(dense_epoch, "overloads", {})
            monkeypatch.setattr(sparse_epoch, "overloads", {})
        model = SGDClassifier("log_loss", **params).fit(table, CLASSES)
        results.append(np.column_stack([model.coef_, model.intercept_]))
    np.testing.assert_array_equal(*results)


def test_small_fits_compile_nothing():
    code = (
        "import sys, numpy as np\n"
        "from sklearn_dl.linear_model import SGDClassifier\n"
        "from sklearn_dl.linear_model.sgd_kernels import dense_epoch\n"
        "X = np.random.default_rng(0).normal(size=(100, 4))\n"
        "SGDClassifier(random_state=0).fit(X, X[:, 0] > 0)\n"
        "assert not dense_epoch.overloads\n"
        "assert 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_permutations_hold_every_row_once_whether_compiled_or_not():
    for n in (1, 2, 4999, 6000):
        np.testing.assert_array_equal(np.sort(permutation(n, 7)), np.arange(n))
    assert (permutation(6000, 7) != permutation(6000, 8)).any()


# Batches


@pytest.mark.parametrize("table", [X, SPARSE], ids=["dense", "sparse"])
@pytest.mark.parametrize("loss", ["log_loss", "squared_error", "huber"])
def test_batches_of_one_row_are_the_compiled_steps(table, loss):
    # Sparse rows leave the L1 penalty of features that they lack for later; batches do not.
    second = "l2" if sparse.issparse(table) else "elasticnet"
    for penalty, average, learning_rate in [("l2", True, "optimal"), (second, 30, "invscaling")]:
        params = {
            "loss": loss, "penalty": penalty, "average": average, "learning_rate": learning_rate,
            "random_state": 0, "max_iter": 4, "alpha": 0.1,
        }  # fmt: skip
        # A momentum of 1e-300 moves nothing, but is work for the other route.
        by_batch = SGDClassifier(**params, momentum=1e-300).fit(table, CLASSES)
        assert_same_fit(by_batch, SGDClassifier(**params).fit(table, CLASSES))


@pytest.mark.parametrize("learning_rate", ["pa1", "pa2"])
def test_passive_aggressive_batches_of_one_row_are_the_compiled_steps(learning_rate):
    params = {"learning_rate": learning_rate, "eta0": 0.1, "random_state": 0, "max_iter": 4}
    for table in (X, SPARSE):
        by_batch = SGDClassifier(**params, momentum=1e-300).fit(table, CLASSES)
        assert_same_fit(by_batch, SGDClassifier(**params).fit(table, CLASSES))


@pytest.mark.parametrize("loss", ["log_loss", "squared_hinge", "modified_huber"])
@pytest.mark.parametrize("table", [X, SPARSE], ids=["dense", "sparse"])
def test_batch_gradient_descent_finds_scipys_minimum(loss, table):
    y, alpha = np.where(SIGNAL > 0, 1.0, -1.0), 0.1
    dense = table.toarray() if sparse.issparse(table) else table

    def objective(w):
        return (
            CLASSIFICATION_LOSSES[loss][0](y, dense @ w[:-1] + w[-1], 0.0)[0].mean()
            + alpha / 2 * w[:-1] @ w[:-1]
        )

    best = minimize(objective, np.zeros(12), options={"gtol": 1e-9})
    model = SGDClassifier(
        loss, alpha=alpha, batch_size="full", momentum=0.5, learning_rate="constant", eta0=0.1, max_iter=2000,
        tol=None,
    ).fit(table, y)  # fmt: skip
    np.testing.assert_allclose(np.append(model.coef_, model.intercept_), best.x, rtol=1e-5, atol=1e-6)


def ridge(rows, y, alpha):
    centred = rows - rows.mean(0)
    gram = centred.T @ centred / len(y) + alpha * np.eye(rows.shape[1])
    return np.linalg.solve(gram, centred.T @ (y - y.mean()) / len(y))


@pytest.mark.parametrize("params", [{}, {"batch_size": 10, "eta0": 0.1}, {"batch_size": 7, "momentum": 0.5}])
def test_averaged_steps_approach_the_ridge_solution(params):
    model = SGDRegressor(
        alpha=0.1, average=1200, max_iter=400, tol=None, random_state=0, **({"eta0": 0.02} | params)
    ).fit(X, SIGNAL)
    np.testing.assert_allclose(model.coef_, ridge(X, SIGNAL, 0.1), atol=0.01)


def test_l1_batches_set_to_zero_what_the_lasso_does():
    model = SGDRegressor(
        penalty="l1",
        alpha=0.3,
        batch_size="full",
        learning_rate="constant",
        eta0=0.1,
        max_iter=3000,
        tol=None,
    ).fit(X, SIGNAL)
    lasso = peers.Lasso(alpha=0.3, tol=1e-12).fit(X, SIGNAL)
    np.testing.assert_array_equal(model.coef_ == 0, lasso.coef_ == 0)
    np.testing.assert_allclose(model.coef_, lasso.coef_, atol=1e-6)


@pytest.mark.parametrize("nesterov", [False, True])
def test_momentum_follows_its_recurrence(nesterov):
    alpha, eta, momentum = 0.2, 0.05, 0.8
    w, velocity, lookahead = np.zeros(11), np.zeros(11), np.zeros(11)
    for _ in range(20):
        at = lookahead if nesterov else w
        gradient = X.T @ (X @ at - SIGNAL) / len(X) + alpha * at
        velocity = momentum * velocity - eta * gradient
        w = w + velocity
        lookahead = w + momentum * velocity
    model = SGDRegressor(
        alpha=alpha, eta0=eta, momentum=momentum, nesterov=nesterov, batch_size="full", max_iter=20, tol=None,
        learning_rate="constant", fit_intercept=False,
    ).fit(X, SIGNAL)  # fmt: skip
    np.testing.assert_allclose(model.coef_, lookahead if nesterov else w, rtol=1e-10)


def test_momentum_gets_further_along_a_valley():
    rows = X * np.logspace(0, -1, 11)

    def objective(**params):
        model = SGDRegressor(
            penalty=None,
            batch_size="full",
            learning_rate="constant",
            eta0=0.3,
            max_iter=60,
            tol=None,
            **params,
        ).fit(rows, SIGNAL)
        return np.mean((model.predict(rows) - SIGNAL) ** 2) / 2

    assert objective(momentum=0.9) < objective(momentum=0.5) < objective()


def test_a_batch_larger_than_the_data_is_the_whole():
    params = {"learning_rate": "constant", "max_iter": 5, "tol": None, "eta0": 0.1}
    whole = SGDRegressor(batch_size="full", **params).fit(X, SIGNAL)
    large = SGDRegressor(batch_size=500, random_state=0, **params).fit(X, SIGNAL)
    np.testing.assert_allclose(large.coef_, whole.coef_, rtol=1e-12)
    assert large.t_ == whole.t_ == 6


# Kinds of input


def test_float32_stays_float32_and_agrees_with_float64():
    for params in ({}, {"batch_size": 20}):
        exact = SGDRegressor(random_state=0, **params).fit(X.astype(np.float32).astype(np.float64), SIGNAL)
        model = SGDRegressor(random_state=0, **params).fit(X.astype(np.float32), SIGNAL)
        assert (
            model.coef_.dtype
            == model.intercept_.dtype
            == model.predict(X.astype(np.float32)).dtype
            == np.float32
        )
        np.testing.assert_allclose(model.coef_, exact.coef_, rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize("params", [{}, {"average": True}, {"batch_size": 10}])
def test_sparse_rows_without_intercept_are_dense_rows(params):
    params = {"fit_intercept": False, "random_state": 0, "max_iter": 5, "tol": None, "alpha": 0.1} | params
    dense = SGDClassifier("log_loss", **params).fit(SPARSE.toarray(), CLASSES)
    model = SGDClassifier("log_loss", **params).fit(SPARSE, CLASSES)
    np.testing.assert_allclose(model.coef_, dense.coef_, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(
        model.decision_function(SPARSE), model.decision_function(SPARSE.toarray()), atol=1e-12
    )


@pytest.mark.parametrize(
    "params", [{}, {"batch_size": 16, "momentum": 0.5}, {"penalty": "l1", "batch_size": 8}]
)
def test_tensors_give_the_fit_of_arrays_and_are_answered_in_kind(params):
    torch = pytest.importorskip("torch")
    table = torch.from_numpy(X)
    params = {"random_state": 0, "loss": "log_loss", "max_iter": 10, "learning_rate": "invscaling"} | params
    expected = SGDClassifier(**params).fit(X, CLASSES)
    model = SGDClassifier(**params).fit(table, torch.from_numpy(CLASSES))
    np.testing.assert_allclose(model.coef_, expected.coef_, rtol=1e-10)
    assert isinstance(model.coef_, np.ndarray)
    probabilities = model.predict_proba(table)
    assert isinstance(probabilities, torch.Tensor)
    np.testing.assert_allclose(probabilities.numpy(), expected.predict_proba(X), rtol=1e-9)
    parts = SGDClassifier(**params)
    for part in (slice(0, 60), slice(60, 120)):
        parts.partial_fit(table[part], torch.from_numpy(CLASSES[part]), classes=[0, 1, 2])
    assert parts.t_ == (121 if "batch_size" not in params else 1 + 2 * -(-60 // params["batch_size"]))


def test_tensors_hold_rows_out_too():
    torch = pytest.importorskip("torch")
    params = {
        "early_stopping": True,
        "batch_size": 8,
        "random_state": 0,
        "eta0": 0.1,
        "learning_rate": "adaptive",
    }
    expected = SGDRegressor(**params).fit(X, SIGNAL)
    model = SGDRegressor(**params).fit(torch.from_numpy(X), torch.from_numpy(SIGNAL))
    assert model.n_iter_ == expected.n_iter_
    np.testing.assert_allclose(model.coef_, expected.coef_, rtol=1e-9)


def test_lists_fortran_order_read_only_rows_and_one_row_are_taken():
    expected = SGDRegressor(random_state=0).fit(X, SIGNAL)
    frozen = X.copy()
    frozen.flags.writeable = False
    for table in (X.tolist(), np.asfortranarray(X), frozen):
        np.testing.assert_array_equal(SGDRegressor(random_state=0).fit(table, SIGNAL).coef_, expected.coef_)
    ours, peer = both("SGDRegressor")
    assert_same_fit(ours.fit(X[:1], SIGNAL[:1]), peer.fit(X[:1], SIGNAL[:1]))


# Weights, stopping, state


@pytest.mark.parametrize("params", [{}, {"batch_size": 10}, {"penalty": "l1", "average": True}])
def test_weights_of_few_rows_are_repetitions_to_the_last_bit(params):
    rows, y, times = X[:50], CLASSES[:50], RNG.integers(0, 7, 50)
    order = RNG.permutation(np.repeat(np.arange(50), times))
    weighted = SGDClassifier(random_state=0, **params).fit(rows, y, sample_weight=times)
    repeated = SGDClassifier(random_state=0, **params).fit(rows[order], y[order])
    np.testing.assert_array_equal(weighted.coef_, repeated.coef_)


def test_training_stops_after_epochs_that_do_not_pay_off():
    for n_iter_no_change in (1, 4):
        model = SGDRegressor(tol=1e9, n_iter_no_change=n_iter_no_change, random_state=0).fit(X, SIGNAL)
        assert model.n_iter_ == 1 + n_iter_no_change
    assert SGDRegressor(tol=None, max_iter=7).fit(X, SIGNAL).n_iter_ == 7
    with pytest.warns(ConvergenceWarning, match="Maximum number of iteration reached before convergence"):
        SGDRegressor(max_iter=2).fit(X, SIGNAL)


def test_adaptive_steps_shrink_before_training_stops():
    model = SGDRegressor(learning_rate="adaptive", eta0=0.01, tol=1e9, n_iter_no_change=1).fit(X, SIGNAL)
    n_divisions = int(np.ceil(np.log(0.01 / 1e-6) / np.log(5)))
    assert model.n_iter_ == 1 + n_divisions + 1


def test_rows_held_out_are_not_learnt_from():
    y = SIGNAL > 0
    model = SGDClassifier(early_stopping=True, validation_fraction=0.3, random_state=1, tol=None, max_iter=5)
    model.fit(X, y)
    mask = hold_out(y.astype(int), 0.3, 1, stratify=True)
    assert mask.sum() == 36
    spoilt = np.where(mask[:, None], 1e6, X)
    other = SGDClassifier(early_stopping=True, validation_fraction=0.3, random_state=1, tol=None, max_iter=5)
    np.testing.assert_array_equal(other.fit(spoilt, y).coef_, model.coef_)


def test_early_stopping_keeps_the_score_of_a_separable_problem():
    rows, y = make_blobs(400, centers=[[-3, 20], [3, 20]], random_state=0)
    model = SGDClassifier(early_stopping=True, random_state=0).fit(rows, y)
    assert model.n_iter_ < 50
    assert model.score(rows, y) > 0.99


def test_overflow_raises_and_keeps_what_was_fitted():
    model = SGDClassifier("squared_error", alpha=0.1, random_state=0).fit(X, CLASSES > 0)
    before = pickle.dumps(model)
    with pytest.raises(ValueError, match=r"Floating-point under-/overflow occurred at epoch #\d"):
        model.fit(X * 1e300, CLASSES)
    assert pickle.dumps(model) == before
    with pytest.raises(ValueError, match="overflow"):
        model.partial_fit(X * 1e300, CLASSES > 0)
    assert pickle.dumps(model) == before


@pytest.mark.parametrize("average", [False, True, 70])
def test_partial_fit_without_shuffling_is_fit_in_parts(average):
    params = {"shuffle": False, "learning_rate": "invscaling", "max_iter": 1, "tol": None, "average": average}
    whole = SGDClassifier(**params).fit(X, CLASSES)
    parts = SGDClassifier(**params)
    for start in range(0, 120, 30):
        parts.partial_fit(X[start : start + 30], CLASSES[start : start + 30], classes=[0, 1, 2])
    np.testing.assert_allclose(parts.coef_, whole.coef_, rtol=1e-11)
    np.testing.assert_allclose(parts.intercept_, whole.intercept_, rtol=1e-11)
    assert parts.t_ == whole.t_ == 121


def test_averaging_switched_on_later_starts_from_what_is_there():
    model = SGDRegressor(random_state=0, max_iter=200, tol=None).fit(X, SIGNAL)
    coef = model.coef_
    model.set_params(average=True).partial_fit(X, SIGNAL)
    np.testing.assert_allclose(model.coef_, coef, atol=0.01)


def test_probabilities_are_scikit_learns():
    for loss, y in product(["log_loss", "modified_huber"], [CLASSES, CLASSES > 0]):
        ours, peer = both("SGDClassifier", loss=loss, learning_rate="constant")
        ours.fit(X, y), peer.fit(X, y)
        np.testing.assert_allclose(ours.predict_proba(X), peer.predict_proba(X), rtol=1e-9, atol=1e-12)
        np.testing.assert_array_equal(ours.predict(X), peer.predict(X))


@pytest.mark.parametrize("loss", ["log_loss", "modified_huber"])
def test_probabilities_of_no_class_are_uniform(loss):
    model = SGDClassifier(loss, random_state=0).fit(X, CLASSES)
    model.coef_, model.intercept_ = 0 * model.coef_, np.full(3, -1e4)
    np.testing.assert_allclose(model.predict_proba(X[:2]), 1 / 3)


def test_threads_and_no_threads_learn_the_same():
    data = load_iris(return_X_y=True)
    one, two = (SGDClassifier(random_state=0, n_jobs=n).fit(*data) for n in (None, 2))
    np.testing.assert_array_equal(one.coef_, two.coef_)


def test_sparse_coefficients_predict_and_learn_on():
    model = SGDClassifier(penalty="l1", alpha=0.05, random_state=0).fit(X, CLASSES)
    expected = model.predict(X)
    np.testing.assert_array_equal(model.sparsify().predict(X), expected)
    assert not sparse.issparse(model.partial_fit(X, CLASSES).coef_)


def test_sparse_coefficients_of_a_regressor_predict_learn_on_and_become_dense_again():
    model = SGDRegressor(penalty="l1", alpha=0.05, random_state=0).fit(X, SIGNAL)
    coef, expected = model.coef_, model.predict(X)
    assert sparse.issparse(model.sparsify().coef_)
    for rows in (X, sparse.csr_array(X)):
        np.testing.assert_allclose(model.predict(rows), expected, rtol=1e-12)
    np.testing.assert_array_equal(model.densify().coef_, coef)
    dense = clone(model).fit(X, SIGNAL).partial_fit(X, SIGNAL)
    np.testing.assert_array_equal(model.sparsify().partial_fit(X, SIGNAL).coef_, dense.coef_)


# Errors


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"alpha": 0}, "alpha must be > 0"),
        ({"learning_rate": "pa1", "loss": "log_loss"}, "only works with loss 'hinge'"),
        ({"penalty": "elasticnet", "l1_ratio": None}, "l1_ratio must be set when penalty is 'elasticnet'"),
        ({"batch_size": 0}, "batch_size must be an int above 0 or 'full'"),
        ({"momentum": 1.0}, "momentum must be a float of at least 0 and below 1"),
    ],
)
def test_parameters_that_cannot_be_are_named(params, message):
    with pytest.raises(ValueError, match=message):
        SGDClassifier(**params).fit(X, CLASSES)


def test_partial_fit_says_what_it_needs():
    with pytest.raises(ValueError, match="early_stopping should be False with partial_fit"):
        SGDRegressor(early_stopping=True).partial_fit(X, SIGNAL)
    with pytest.raises(ValueError, match="class_weight 'balanced' is not supported for partial_fit"):
        SGDClassifier(class_weight="balanced").partial_fit(X, CLASSES, classes=[0, 1, 2])
    with pytest.raises(ValueError, match="classes must be passed on the first call"):
        SGDClassifier().partial_fit(X, CLASSES)
    model = SGDClassifier().partial_fit(X, CLASSES, classes=[0, 1, 2])
    with pytest.raises(ValueError, match="y must hold the classes"):
        model.partial_fit(X, CLASSES + 1)


def test_starts_of_another_shape_are_refused():
    with pytest.raises(ValueError, match="Provided coef_init does not match dataset"):
        SGDClassifier().fit(X, CLASSES, coef_init=np.zeros(11))
    with pytest.raises(ValueError, match="Provided intercept_init does not match dataset"):
        SGDClassifier().fit(X, CLASSES, intercept_init=np.zeros(2))


def test_the_report_names_epochs_and_the_objective(capsys):
    SGDRegressor(verbose=1, max_iter=2, tol=None).fit(X, SIGNAL)
    assert capsys.readouterr().out.count("Objective") == 2


def test_a_fit_without_trouble_is_silent():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        SGDRegressor(random_state=0).fit(X, SIGNAL)
        SGDClassifier("log_loss", batch_size=10, random_state=0).fit(X, CLASSES)


@pytest.mark.parametrize(
    "params", [{"momentum": 0.9}, {"penalty": "elasticnet", "average": True, "batch_size": 1}]
)
def test_compiled_batches_are_those_of_numpy(monkeypatch, params):
    params = {"batch_size": 7, "momentum": 0.5, "random_state": 0, "max_iter": 3, "eta0": 0.001} | params
    for loss, dtype in product(["log_loss", "huber", "hinge"], [np.float64, np.float32]):
        models = []
        for limit in (0, 10**9):
            monkeypatch.setattr("sklearn_dl.linear_model.sgd_base._COMPILED_NUMBERS", limit)
            model = SGDClassifier(loss, learning_rate="constant", **params).fit(X.astype(dtype), CLASSES)
            models.append(model)
        rtol = 1e-10 if dtype == np.float64 else 1e-4
        np.testing.assert_allclose(models[0].coef_, models[1].coef_, rtol=rtol, atol=rtol)
