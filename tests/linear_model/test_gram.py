"""Shifted Gram matrices: compiled, blockwise and sparse sums against plain formulas."""

import numpy as np
import pytest
from scipy import sparse

from sklearn_dl.linear_model import gram as gram_module
from sklearn_dl.linear_model.gram import compute_gram


def plain_gram(X, Y, weight, center):
    weight = np.ones(len(X)) if weight is None else weight
    x_mean = np.average(X, axis=0, weights=weight) * center
    y_mean = np.average(Y, axis=0, weights=weight) * center
    Z = (X - x_mean) * weight[:, None]
    return Z.T @ (X - x_mean), Z.T @ (Y - y_mean), x_mean, y_mean


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def table(rng):
    X = rng.standard_normal((1003, 7)) * np.logspace(-2, 2, 7) + 3
    return X, rng.standard_normal((1003, 2)), np.where(rng.random(1003) < 0.2, 0.0, rng.random(1003))


@pytest.fixture
def compiled(monkeypatch):
    monkeypatch.setattr(gram_module, "_FUSED_WORK", 0)


LAYOUTS = {
    "C": np.ascontiguousarray,
    "F": np.asfortranarray,
    "strided": lambda X: np.repeat(X, 2, axis=1)[:, ::2],
    "csr": sparse.csr_array,
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("center", [False, True])
@pytest.mark.usefixtures("compiled")
def test_sums_are_those_of_centred_weighted_columns(table, layout, weighted, center):
    X, Y, weight = table
    weight = weight if weighted else None
    gram = compute_gram(LAYOUTS[layout](X), Y, weight, center=center)
    for got, expected in zip(gram, plain_gram(X, Y, weight, center), strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-10, atol=1e-9)


@pytest.mark.parametrize("n_samples", [1, 7, 8, 255, 256, 257, 300])
def test_compiled_and_blockwise_sums_agree_whatever_the_number_of_rows(rng, monkeypatch, n_samples):
    X, Y = rng.standard_normal((n_samples, 5)), rng.standard_normal((n_samples, 1))
    blockwise = compute_gram(X, Y, None, center=True)
    monkeypatch.setattr(gram_module, "_FUSED_WORK", 0)
    compiled = compute_gram(X, Y, None, center=True)
    for got, expected in zip(compiled, blockwise, strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("n_features", [1, 3, 126, 127, 128, 131, 300])
@pytest.mark.usefixtures("compiled")
def test_compiled_sums_are_symmetric_and_right_across_panels(rng, n_features):
    X, Y = rng.standard_normal((260, n_features)), rng.standard_normal((260, 1))
    products = compute_gram(X, Y, None, center=False).products
    np.testing.assert_array_equal(products, products.T)
    np.testing.assert_allclose(products, X.T @ X, rtol=1e-10, atol=1e-11)


@pytest.mark.usefixtures("compiled")
def test_threads_share_the_rows(table, monkeypatch):
    X, Y, weight = table
    one = compute_gram(X, Y, weight, center=True)
    monkeypatch.setattr(gram_module, "_THREADED_WORK", 0)
    monkeypatch.setattr(gram_module, "effective_n_threads", lambda: 3)
    for got, expected in zip(compute_gram(X, Y, weight, center=True), one, strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-12)


@pytest.mark.parametrize("fused_work", [0, np.inf])
def test_an_offset_of_1e7_costs_no_digits_beyond_those_of_the_values(rng, monkeypatch, fused_work):
    monkeypatch.setattr(gram_module, "_FUSED_WORK", fused_work)
    X, Y = rng.standard_normal((3000, 4)), rng.standard_normal((3000, 1))
    offset = X + 1e7
    exact = offset - 1e7  # what is left of X after rounding, exactly
    got = compute_gram(offset, Y, None, center=True).products
    np.testing.assert_allclose(got, plain_gram(exact, Y, None, True)[0], rtol=1e-12)


def test_a_shift_from_rows_unlike_the_others_is_corrected_by_a_second_pass(rng, monkeypatch):
    X, Y = rng.standard_normal((3000, 2)) + 1e6, rng.standard_normal((3000, 1))
    monkeypatch.setattr(gram_module, "_rough_means", lambda *_: np.zeros(3))
    got = compute_gram(X, Y, None, center=True).products
    np.testing.assert_allclose(got, plain_gram(X - 1e6, Y, None, True)[0], rtol=1e-11)


@pytest.mark.parametrize("fused_work", [0, np.inf])
@pytest.mark.parametrize("value", [1e15, 1e200])
def test_rows_of_weight_zero_do_not_shift_the_columns(rng, monkeypatch, fused_work, value):
    monkeypatch.setattr(gram_module, "_FUSED_WORK", fused_work)
    X, Y = rng.standard_normal((400, 2)), rng.standard_normal((400, 1))
    weight = np.ones(400)
    X[::2], weight[::2] = value, 0  # squares of 1e200 are infinite: no second pass would help
    got = compute_gram(X, Y, weight, center=True).products
    np.testing.assert_allclose(got, plain_gram(X[1::2], Y[1::2], None, True)[0], rtol=1e-12)


def test_tensors_leave_rows_of_weight_zero_out_of_the_shift_too(rng):
    torch = pytest.importorskip("torch")
    X, Y, weight = rng.standard_normal((400, 2)), rng.standard_normal((400, 1)), np.ones(400)
    X[::2], weight[::2] = 1e200, 0
    got = compute_gram(*map(torch.from_numpy, (X, Y, weight)), center=True).products
    np.testing.assert_allclose(got, plain_gram(X[1::2], Y[1::2], None, True)[0], rtol=1e-12)


def test_weights_that_are_all_zero_leave_nothing(table):
    X, Y, weight = table
    for part in compute_gram(X, Y, 0 * weight, center=True):
        assert not part.any()


@pytest.mark.usefixtures("compiled")
def test_float32_rows_are_summed_in_float64(table):
    X, Y, weight = (part.astype(np.float32) for part in table)
    got = compute_gram(X, Y, weight, center=True).products
    expected = plain_gram(X.astype(float), Y.astype(float), weight.astype(float), True)[0]
    np.testing.assert_allclose(got, expected, rtol=1e-11, atol=1e-9)


def test_tensors_give_the_sums_of_their_arrays(table):
    torch = pytest.importorskip("torch")
    expected = compute_gram(*table, center=True)
    for got, value in zip(compute_gram(*map(torch.from_numpy, table), center=True), expected, strict=True):
        np.testing.assert_allclose(got, value, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.usefixtures("compiled")
def test_nan_and_infinity_show_in_the_sums(rng, bad):
    X = rng.standard_normal((500, 3))
    X[411, 1] = bad
    assert not compute_gram(X, X[:, :1], None, center=True).is_finite


def test_read_only_and_memory_mapped_rows_are_read(table, tmp_path):
    X, Y, _ = table
    expected = compute_gram(X, Y, None, center=True).products
    file = tmp_path / "X.dat"
    X.tofile(file)
    mapped = np.memmap(file, dtype=X.dtype, mode="r", shape=X.shape)
    np.testing.assert_array_equal(compute_gram(mapped, Y, None, center=True).products, expected)
