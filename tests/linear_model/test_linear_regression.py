"""LinearRegression against scikit-learn's, closed forms and itself on other layouts."""

import pickle

import numpy as np
import pytest
from scipy import sparse
from scipy.optimize import nnls
from sklearn.base import clone
from sklearn.linear_model import LinearRegression as PeerLinearRegression

from sklearn_dl.linear_model import LinearRegression

SHAPES = {"long": (300, 6), "wide": (20, 50), "square": (30, 30), "one row": (1, 3), "one column": (40, 1)}


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def assert_same_model(model, peer, rtol=1e-9):
    assert model.coef_.shape == peer.coef_.shape
    assert model.coef_.dtype == peer.coef_.dtype
    scale = max(abs(peer.coef_).max(), 1e-300)
    np.testing.assert_allclose(model.coef_, peer.coef_, rtol=rtol, atol=rtol * scale)
    np.testing.assert_allclose(model.intercept_, peer.intercept_, rtol=rtol, atol=rtol * scale)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("n_targets", [None, 1, 3])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("weighted", [False, True])
def test_answers_are_scikit_learns(rng, shape, n_targets, fit_intercept, weighted):
    n_samples, n_features = SHAPES[shape]
    X = rng.standard_normal((n_samples, n_features)) + 2
    y = rng.standard_normal((n_samples,) if n_targets is None else (n_samples, n_targets))
    weight = rng.random(n_samples) + 0.1 if weighted else None
    model = LinearRegression(fit_intercept=fit_intercept).fit(X, y, weight)
    peer = PeerLinearRegression(fit_intercept=fit_intercept).fit(X, y, weight)
    assert_same_model(model, peer)
    assert np.shape(model.intercept_) == np.shape(peer.intercept_)
    np.testing.assert_allclose(model.predict(X), peer.predict(X), atol=1e-9)


def test_large_tables_agree_with_scikit_learn_in_both_dtypes(rng):
    X = rng.standard_normal((20000, 40)) * np.logspace(-1, 1, 40) + 10
    y = X @ rng.standard_normal(40) + rng.standard_normal(20000)
    peer = PeerLinearRegression().fit(X, y)
    assert_same_model(LinearRegression().fit(X, y), peer)
    single = LinearRegression().fit(X.astype(np.float32), y)
    assert single.coef_.dtype == np.float32
    np.testing.assert_allclose(single.coef_, peer.coef_, atol=1e-4)


@pytest.mark.parametrize(
    ("kind", "rtol"),
    [("duplicated", 1e-9), ("constant", 1e-9), ("scales", 1e-9), ("offset", 1e-6), ("collinear", 1e-6)],
)
def test_ill_conditioned_answers_are_scikit_learns(rng, kind, rtol):
    X = rng.standard_normal((500, 5))
    X = {
        "duplicated": np.hstack([X, X]),
        "constant": np.hstack([X, np.full((500, 1), 0.1)]),
        "scales": X * np.array([1e-8, 1e-3, 1.0, 1e3, 1e8]),
        "offset": X + 1e7,
        "collinear": np.hstack([X, X[:, :1] + 1e-4 * rng.standard_normal((500, 1))]),
    }[kind]
    y = rng.standard_normal(500)
    model, peer = LinearRegression().fit(X, y), PeerLinearRegression().fit(X, y)
    np.testing.assert_allclose(model.coef_, peer.coef_, rtol=rtol, atol=rtol * abs(peer.coef_).max())
    np.testing.assert_allclose(model.predict(X), peer.predict(X), rtol=rtol, atol=rtol)
    assert model.rank_ == peer.rank_


@pytest.mark.parametrize("tol", [0.0, 1e-16, 1e-3, 0.5])
def test_tol_is_the_cut_off_of_singular_values(rng, tol):
    X = rng.standard_normal((200, 4)) * np.array([1, 1e-2, 1e-4, 1e-5])
    y = rng.standard_normal(200)
    model, peer = LinearRegression(tol=tol).fit(X, y), PeerLinearRegression(tol=tol).fit(X, y)
    np.testing.assert_allclose(model.coef_, peer.coef_, rtol=1e-8, atol=1e-12)
    assert model.rank_ == peer.rank_


@pytest.mark.parametrize("shape", ["long", "wide", "square"])
def test_rank_and_singular_values_are_scikit_learns_also_after_pickling(rng, shape):
    X, y = rng.standard_normal(SHAPES[shape]), rng.standard_normal(SHAPES[shape][0])
    model, peer = LinearRegression().fit(X, y), PeerLinearRegression().fit(X, y)
    for fitted in (pickle.loads(pickle.dumps(model)), model):
        assert fitted.rank_ == peer.rank_
        np.testing.assert_allclose(fitted.singular_, peer.singular_, rtol=1e-9, atol=1e-12)


def test_a_pickle_does_not_hold_a_matrix(rng):
    model = LinearRegression().fit(rng.standard_normal((400, 200)), rng.standard_normal(400))
    assert len(pickle.dumps(model)) < 10 * 200 * 8


def test_sparse_and_positive_fits_have_no_rank(rng):
    X, y = abs(rng.standard_normal((30, 3))), rng.standard_normal(30)
    for model in (LinearRegression().fit(sparse.csr_array(X), y), LinearRegression(positive=True).fit(X, y)):
        assert not hasattr(model, "rank_")
        assert not hasattr(model, "singular_")
    assert not hasattr(LinearRegression(), "rank_")


@pytest.mark.parametrize("shape", [(300, 8), (40, 40), (20, 60)])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_sparse_rows_give_the_model_of_their_dense_form(rng, shape, fit_intercept):
    X = sparse.random_array(shape, density=0.3, rng=rng, format="csr")
    y, weight = rng.standard_normal((shape[0], 2)), rng.random(shape[0])
    model = LinearRegression(fit_intercept=fit_intercept, tol=1e-14)
    dense = clone(model).fit(X.toarray(), y, weight)
    model.fit(X, y, weight)
    np.testing.assert_allclose(model.coef_, dense.coef_, rtol=1e-6, atol=1e-6 * abs(dense.coef_).max())


def test_sparse_rows_too_wide_for_a_gram_matrix_are_solved_by_lsqr(rng):
    X = sparse.random_array((2000, 1500), density=0.005, rng=rng, format="csr")
    y = rng.standard_normal(2000)
    model = LinearRegression(tol=1e-12).fit(X, y)
    residual = y - model.predict(X)
    centred_gradient = X.T @ residual - X.mean(0) * residual.sum()
    assert abs(centred_gradient).max() < 1e-6


@pytest.mark.parametrize("shape", [(200, 5), (5, 9)])
@pytest.mark.parametrize("kind", ["plain", "duplicated"])
def test_positive_solves_non_negative_least_squares(rng, shape, kind):
    X = rng.random(shape)
    X = np.hstack([X, X[:, :1]]) if kind == "duplicated" else X
    y, weight = rng.standard_normal((shape[0], 2)) + X[:, :1], rng.random(shape[0])
    model = LinearRegression(positive=True).fit(X, y, weight)
    assert (model.coef_ >= 0).all()
    root = np.sqrt(weight)
    Z = root[:, None] * (X - np.average(X, axis=0, weights=weight))
    for coef, target in zip(model.coef_, y.T, strict=True):
        centred = root * (target - np.average(target, weights=weight))
        assert np.linalg.norm(Z @ coef - centred) == pytest.approx(nnls(Z, centred)[1], rel=1e-9)


def test_a_weight_is_as_good_as_repeating_the_row(rng):
    X, y, weight = rng.standard_normal((50, 4)), rng.standard_normal(50), rng.integers(0, 4, 50)
    weighted = LinearRegression().fit(X, y, weight)
    repeated = LinearRegression().fit(np.repeat(X, weight, axis=0), np.repeat(y, weight))
    assert_same_model(weighted, repeated)


def test_arrays_of_any_layout_give_the_same_model_and_are_left_alone(rng, tmp_path):
    X, y = rng.standard_normal((300, 4)), rng.standard_normal(300)
    expected = LinearRegression(copy_X=False).fit(X, y)
    mapped = np.memmap(tmp_path / "X", dtype=float, mode="w+", shape=X.shape)
    mapped[:] = X
    read_only = X.copy()
    read_only.flags.writeable = False
    for rows in (np.asfortranarray(X), np.repeat(X, 2, axis=0)[::2], mapped, read_only, X.tolist()):
        assert_same_model(LinearRegression(copy_X=False).fit(rows, y), expected, rtol=1e-12)
    np.testing.assert_array_equal(mapped, X)


def test_integers_are_read_as_numbers(rng):
    X, y = rng.integers(0, 9, (60, 3)), rng.integers(0, 9, 60)
    assert_same_model(LinearRegression().fit(X, y), PeerLinearRegression().fit(X, y))


@pytest.mark.parametrize("n_samples", [5, 200, 300_000])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_nan_and_infinity_are_named_on_every_route(rng, n_samples, bad):
    X, y = np.zeros((n_samples, 8)), np.zeros(n_samples)
    X[n_samples // 2, 3] = bad
    with pytest.raises(ValueError, match=r"Input X contains (NaN|infinity)"):
        LinearRegression().fit(X, y)


def test_negative_weights_are_refused(rng):
    with pytest.raises(ValueError, match="Negative values"):
        LinearRegression().fit(np.eye(3), np.ones(3), [1, -1, 1])


@pytest.mark.parametrize("shape", [(300, 6), (6, 20), (400, 3)])
def test_tensors_give_the_model_of_their_arrays(rng, shape):
    torch = pytest.importorskip("torch")
    X, y = rng.standard_normal(shape) + 3, rng.standard_normal((shape[0], 2))
    expected = LinearRegression().fit(X, y)
    model = LinearRegression().fit(torch.from_numpy(X), torch.from_numpy(y))
    assert isinstance(model.coef_, np.ndarray)
    assert_same_model(model, expected)
    assert isinstance(model.predict(torch.from_numpy(X)), torch.Tensor)


def test_dependent_columns_of_tensors_give_minimum_norm(rng):
    torch = pytest.importorskip("torch")
    X = rng.standard_normal((300, 3))
    X = np.hstack([X, X[:, :1] + 3e-6 * rng.standard_normal((300, 1))])  # for the triangular factor
    y = rng.standard_normal(300)
    expected = LinearRegression().fit(X, y)
    model = LinearRegression().fit(torch.from_numpy(X), torch.from_numpy(y))
    np.testing.assert_allclose(model.coef_, expected.coef_, rtol=1e-6)


def test_the_intercept_makes_up_for_coefficients_rounded_to_float32():
    rng = np.random.default_rng(0)
    X = (10 * rng.standard_normal((500, 3)) + 1e4).astype(np.float32)
    y = X.astype(np.float64) @ [1.234567, 2.3, 0.7]
    model = LinearRegression().fit(X, y)
    predicted = X.astype(np.float64) @ model.coef_.astype(np.float64) + model.intercept_
    assert abs(np.mean(y - predicted)) < 1e-9 * y.mean()


@pytest.mark.parametrize(
    "arguments", [{"y": [1.0, np.nan]}, {"sample_weight": [1.0, np.nan]}, {"sample_weight": [1.0, -1.0]}]
)
def test_errors_of_targets_and_weights_name_the_estimator(arguments):
    with pytest.raises(ValueError, match=r"^LinearRegression: "):
        LinearRegression().fit([[0.0], [1.0]], **{"y": [0.0, 1.0], **arguments})
