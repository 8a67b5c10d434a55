"""Values and derivatives of the logistic loss against sums over rows and finite differences."""

import numpy as np
import pytest
from scipy import sparse

import sklearn_dl.linear_model.logistic_loss as module
from sklearn_dl.linear_model import logistic_hessians
from sklearn_dl.linear_model.logistic_loss import LogisticLoss


def _problem(n_classes, n_samples=60, n_features=4, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_samples, n_features))
    codes = rng.integers(0, n_classes, n_samples)
    codes[:n_classes] = np.arange(n_classes)
    return X, codes, rng.uniform(0, 2, n_samples)


def _loss(X, codes, weight, n_classes, **options):
    options = {"l2": 0.3, "fit_intercept": True, "center": np.arange(4.0)} | options
    return LogisticLoss(X, codes, weight, n_classes=n_classes, **options)


def _slow_loss(X, codes, weight, coef, intercept, l2):
    """Sum over rows of minus the log of the probability that the definition gives."""
    total = 0.0
    for x, code, w in zip(X, codes, weight, strict=True):
        scores = coef @ x + intercept
        if len(scores) == 1:
            scores = np.array([0.0, scores[0]])
        odds = np.exp(scores.astype(np.longdouble))
        total -= w * np.log(odds[code] / odds.sum())
    return float(total / weight.sum()) + l2 / 2 * float((coef**2).sum())


@pytest.mark.parametrize("n_classes", [2, 3])
def test_loss_is_the_weighted_mean_of_minus_log_probabilities_plus_penalty(n_classes):
    X, codes, weight = _problem(n_classes)
    loss = _loss(X, codes, weight, n_classes)
    flat = np.random.default_rng(1).normal(size=loss.shape).ravel()
    assert loss(flat)[0] == pytest.approx(
        _slow_loss(X, codes, weight, *loss.uncentered(flat), 0.3), rel=1e-13
    )


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_gradient_is_the_finite_difference_of_the_loss(n_classes, fit_intercept):
    X, codes, weight = _problem(n_classes)
    loss = _loss(X, codes, weight, n_classes, fit_intercept=fit_intercept, intercept_l2=0.2)
    flat = np.random.default_rng(1).normal(size=loss.shape).ravel()
    steps = 1e-6 * np.eye(len(flat))
    expected = [(loss(flat + step)[0] - loss(flat - step)[0]) / 2e-6 for step in steps]
    np.testing.assert_allclose(loss(flat)[1], expected, atol=1e-8)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_hessian_is_the_finite_difference_of_the_gradient(n_classes):
    X, codes, weight = _problem(n_classes)
    loss = _loss(X, codes, weight, n_classes)
    flat = np.random.default_rng(1).normal(size=loss.shape).ravel()
    name = "binary_hessian" if n_classes == 2 else "multinomial_hessian"
    hessian = getattr(logistic_hessians, name)(loss, flat)
    directions = np.random.default_rng(2).normal(size=(5, *loss.shape))
    if n_classes > 2:  # along equal changes of all classes the Hessian is filled up
        directions -= directions.mean(1, keepdims=True)
        fill = np.ones((n_classes, n_classes)) / n_classes
        projection = np.kron(np.eye(n_classes) - fill, np.eye(loss.shape[1]))
        hessian = projection @ hessian @ projection
    for direction in directions.reshape(5, -1):
        slope = (loss(flat + 1e-6 * direction)[1] - loss(flat - 1e-6 * direction)[1]) / 2e-6
        np.testing.assert_allclose(hessian @ direction, slope, atol=1e-7)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("kind", ["csr", "blocks", "threads", "compiled", "tensor"])
def test_every_route_gives_the_loss_of_one_block(n_classes, kind, monkeypatch):
    X, codes, weight = _problem(n_classes, n_samples=3000)
    plain = _loss(X, codes, weight, n_classes, center=None)
    flat = np.random.default_rng(1).normal(size=plain.shape).ravel()
    monkeypatch.setattr(module, "_BLOCK_BYTES", 1 << 23)
    expected = _loss(X, codes, weight, n_classes, center=None)(flat)
    monkeypatch.setattr(module, "_BLOCK_BYTES", 1)
    if kind == "threads":
        monkeypatch.setattr(module, "effective_n_threads", lambda: 2)
    if kind == "compiled":
        monkeypatch.setattr(module, "_COMPILED_NNZ", 1)
    if kind in ("csr", "compiled"):
        X = sparse.csr_array(X)
    if kind == "tensor":
        torch = pytest.importorskip("torch")
        X, codes, weight = torch.from_numpy(X), torch.from_numpy(codes), torch.from_numpy(weight)
    value, gradient = _loss(X, codes, weight, n_classes, center=None)(flat)
    assert value == pytest.approx(expected[0], rel=1e-13)
    np.testing.assert_allclose(gradient, expected[1], rtol=1e-11, atol=1e-14)


def test_sparse_gram_is_the_dense_one():
    X, codes, weight = _problem(2)
    dense, compressed = (_loss(kind, codes, weight, 2, center=None) for kind in (X, sparse.csr_array(X)))
    np.testing.assert_allclose(compressed.gram(weight), dense.gram(weight), rtol=1e-12)


def test_center_leaves_the_function_alone():
    X, codes, weight = _problem(2)
    coef, intercept = np.array([[1.0, -2.0, 0.5, 0.0]]), np.array([0.7])
    losses = [_loss(X, codes, weight, 2, center=center) for center in (None, np.full(4, 3.0))]
    values = [loss(loss.centered(coef, intercept))[0] for loss in losses]
    assert values[0] == pytest.approx(values[1], rel=1e-14)


def test_huge_scores_neither_overflow_nor_lose_the_loss():
    X, codes, _ = _problem(2)
    loss = _loss(X * 1e5, codes, None, 2, center=None, l2=0.0)
    flat = np.array([1.0, 1.0, 1.0, 1.0, 0.0])
    scores = (X * 1e5).sum(1) * np.where(codes == 1, -1, 1)
    with np.errstate(over="raise", invalid="raise"):
        assert loss(flat)[0] == pytest.approx(np.logaddexp(0, scores).mean(), rel=1e-13)


@pytest.mark.parametrize("compiled_nnz", [1, 1 << 30])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_curvature_of_csr_columns_is_that_of_dense_ones(compiled_nnz, weighted, monkeypatch):
    monkeypatch.setattr(module, "_COMPILED_NNZ", compiled_nnz)
    X, codes, weight = _problem(2)
    X[np.abs(X) < 0.8] = 0
    weight = weight if weighted else None
    inverse = logistic_hessians.diagonal_inverse(_loss(sparse.csr_array(X), codes, weight, 2, center=None))
    factor = np.ones(60) if weight is None else weight
    moments = np.append(factor @ X**2 / factor.sum(), 1)
    expected = 1 / (moments / 4 + np.append(np.full(4, 0.3), 0))
    np.testing.assert_allclose(inverse(np.ones(5)), expected, rtol=1e-12)


def test_few_rows_of_float32_are_summed_in_float64(monkeypatch):
    X, codes, weight = (part.astype(dtype) for part, dtype in zip(_problem(2), "fif", strict=True))
    flat = np.linspace(-1, 1, 5)
    exact = _loss(X.astype(float), codes, weight.astype(float), 2)(flat)
    for most, digits in ((module._LARGEST_WIDENED, 1e-13), (0, 1e-5)):
        monkeypatch.setattr(module, "_LARGEST_WIDENED", most)
        found = _loss(X, codes, weight, 2)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found(flat)[1], exact[1], rtol=digits, atol=digits)
    assert found.X is X


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("compiled", [False, True])
def test_losses_and_slopes_of_nearly_certain_rows_keep_their_digits(n_classes, compiled, monkeypatch):
    monkeypatch.setattr(module, "_COMPILED_NNZ", 0)
    codes = np.arange(n_classes)
    X = np.diag(np.full(n_classes, 40.0)) if n_classes > 2 else np.array([[-40.0], [40.0]])
    kind = sparse.csr_array if compiled else np.asarray
    loss = LogisticLoss(kind(X), codes, None, n_classes=n_classes, l2=0.0, fit_intercept=False)
    flat = np.eye(n_classes).ravel() if n_classes > 2 else np.ones(1)
    value, gradient = loss(flat)
    wrong = np.exp(-40.0)  # of each other class
    assert value == pytest.approx((n_classes - 1) * wrong, rel=1e-12)
    expected = 40 * wrong / n_classes * (1 - n_classes * np.eye(n_classes)) if n_classes > 2 else -40 * wrong
    np.testing.assert_allclose(gradient, np.ravel(expected), rtol=1e-12)


def test_hessians_of_nearly_certain_rows_keep_their_digits():
    X, codes = np.array([[40.0], [-40.0]]), np.array([1, 0])
    both = [
        LogisticLoss(X, codes, None, n_classes=n_classes, l2=0.0, fit_intercept=False) for n_classes in (2, 3)
    ]
    variance = 1600 * np.exp(-40.0)
    np.testing.assert_allclose(logistic_hessians.binary_hessian(both[0], np.ones(1)), variance, rtol=1e-12)
    found = logistic_hessians.multinomial_hessian(both[1], np.array([0.0, 1.0, -1.0]))
    np.testing.assert_allclose(found[0, 0], variance, rtol=1e-12)
    np.testing.assert_allclose(found.sum(0), 0, atol=1e-12 * variance)
