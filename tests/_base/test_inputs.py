import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import sparse

from sklearn_dl._base.inputs import column_moments, merge_equal_rows, row_blocks
from sklearn_dl.neural_network import MLPClassifier, NeuralNetRegressor, NeuralNetTransformer

from .refusal import result_or_refusal

slow_but_sure = settings(
    deadline=None, max_examples=60, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)


def classifier(**params):
    return MLPClassifier(4, **{"max_epochs": 1, "random_state": 0, **params})


def labels(n):
    return np.arange(n) % 2


# -- moments


def weighted_moments(X, weight):
    mean = np.average(X, axis=0, weights=weight)
    return mean, np.sqrt(np.average((X - mean) ** 2, axis=0, weights=weight))


@pytest.mark.parametrize("shape", [(50, 3), (50, 2, 4)])
@pytest.mark.parametrize("n_blocks", [1, 7])
def test_column_moments_are_those_of_all_rows_whatever_the_blocks(shape, n_blocks):
    rng = np.random.default_rng(0)
    X, weight = rng.normal(3, 2, size=shape), rng.uniform(0.1, 5, size=50)
    blocks = zip(np.array_split(X, n_blocks), np.array_split(weight, n_blocks), strict=True)
    mean, scale = column_moments(blocks)
    expected_mean, expected_scale = weighted_moments(X, weight)
    np.testing.assert_allclose(mean, expected_mean, rtol=1e-12)
    np.testing.assert_allclose(scale, expected_scale, rtol=1e-12)


def test_column_moments_without_weights_weigh_all_rows_alike():
    X = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)
    mean, scale = column_moments([(X, None)])
    np.testing.assert_allclose(mean, X.astype(float).mean(0))
    np.testing.assert_allclose(scale, X.astype(float).std(0))


def test_weights_are_repetitions_in_column_moments():
    rng = np.random.default_rng(0)
    X, weight = rng.normal(size=(20, 3)), rng.integers(1, 5, size=20)
    np.testing.assert_allclose(
        column_moments([(X, weight.astype(float))]), column_moments([(np.repeat(X, weight, axis=0), None)])
    )


@pytest.mark.parametrize("offset", [1e5, 1e8])
def test_a_large_offset_does_not_cancel_the_digits_of_column_moments(offset):
    rng = np.random.default_rng(0)
    X, weight = rng.normal(size=(200, 3)), rng.uniform(0.5, 2, size=200)
    shifted = X + offset  # rounds each value to eps * offset
    expected_mean, expected_scale = weighted_moments(shifted - offset, weight)
    blocks = zip(np.array_split(shifted, 5), np.array_split(weight, 5), strict=True)
    mean, scale = column_moments(blocks)
    np.testing.assert_allclose(mean - offset, expected_mean, atol=1e-15 * offset * 4)
    np.testing.assert_allclose(scale, expected_scale, rtol=1e-7)


@pytest.mark.parametrize("index_dtype", [np.int32, np.int64])
def test_column_moments_of_sparse_rows_leave_zeros_zero(index_dtype):
    X = sparse.random_array((60, 4), density=0.4, format="csr", random_state=0)
    X.indices, X.indptr = X.indices.astype(index_dtype), X.indptr.astype(index_dtype)
    weight = np.random.default_rng(0).uniform(0.5, 2, size=60)
    mean, scale = column_moments([(X[:20], weight[:20]), (X[20:], weight[20:])])
    np.testing.assert_array_equal(mean, np.zeros(4))
    np.testing.assert_allclose(scale, weighted_moments(X.toarray(), weight)[1], rtol=1e-12)


def test_a_constant_feature_has_scale_one():
    _, scale = column_moments([(np.full((10, 2), [[3.0, 1e9]]), np.ones(10))])
    np.testing.assert_array_equal(scale, [1.0, 1.0])


def test_no_rows_have_no_moments():
    with pytest.raises(ValueError, match="no rows"):
        column_moments([])


@given(shape=st.tuples(st.integers(1, 3000), st.integers(1, 3000), st.integers(1, 4)))
@settings(deadline=None, max_examples=30, derandomize=True)
def test_row_blocks_cover_all_rows_once_in_order(shape):
    X = np.broadcast_to(np.int8(0), shape)
    rows = [i for block in row_blocks(X) for i in range(*block.indices(shape[0]))]
    assert rows == list(range(shape[0]))


# -- equal rows


@given(
    X=hnp.arrays(np.float64, st.tuples(st.integers(1, 30), st.integers(1, 2)), elements=st.integers(0, 2)),
    seed=st.integers(0, 9),
    as_sparse=st.booleans(),
)
@settings(deadline=None, max_examples=60, derandomize=True)
def test_merging_equal_rows_keeps_all_weighted_sums(X, seed, as_sparse):
    rng = np.random.default_rng(seed)
    y, weight = rng.integers(0, 2, len(X)), rng.uniform(0.5, 2, len(X))
    merged_X, merged_y, merged_weight = merge_equal_rows(sparse.csr_array(X) if as_sparse else X, y, weight)
    merged_X = merged_X.toarray() if as_sparse else merged_X
    pairs = np.column_stack([merged_X, merged_y])
    assert len(np.unique(pairs, axis=0)) == len(pairs)

    def f(X, y):
        return np.sin(X.sum(1)) + y * X[:, 0] ** 2

    np.testing.assert_allclose(
        merged_weight @ f(merged_X, merged_y), weight @ f(X, y), rtol=1e-12, atol=1e-12
    )
    np.testing.assert_allclose(merged_weight.sum(), weight.sum())


def test_merging_does_not_depend_on_the_order_of_the_rows():
    rng = np.random.default_rng(0)
    X, y, order = rng.integers(0, 3, (25, 2)), rng.integers(0, 2, 25), rng.permutation(25)
    for one, other in zip(
        merge_equal_rows(X, y, np.ones(25)), merge_equal_rows(X[order], y[order], np.ones(25)), strict=True
    ):
        np.testing.assert_array_equal(one, other)


def test_rows_that_differ_in_y_alone_stay_apart():
    merged_X, merged_y, _ = merge_equal_rows(np.zeros((4, 2)), np.array([0, 1, 0, 1]), np.ones(4))
    assert merged_X.shape == (2, 2)
    assert merged_y.tolist() == [0, 1]


# -- what X may be


@pytest.mark.parametrize(
    "convert",
    [
        np.ndarray.tolist,
        lambda X: X.astype(object),
        np.asfortranarray,
        lambda X: np.repeat(X, 2, axis=0)[::2],
        pd.DataFrame,
        pl.DataFrame,
        torch.from_numpy,
    ],
    ids=["list", "object", "fortran", "strided", "pandas", "polars", "torch"],
)
def test_the_container_of_x_does_not_change_the_fit(convert, iris):
    X, y = iris
    expected = classifier().fit(X, y).predict_proba(X)
    np.testing.assert_array_equal(classifier().fit(convert(X), y).predict_proba(convert(X)), expected)


@pytest.mark.parametrize("convert", [sparse.csr_matrix, sparse.csc_array, sparse.coo_array])
def test_sparse_rows_are_scaled_and_not_shifted(convert, iris):
    X, y = np.where(iris[0] < 2, 0, iris[0]), iris[1]
    scaled = X / X.std(0)
    expected = classifier(standardize=False).fit(scaled, y).predict_proba(scaled)
    model = classifier().fit(convert(X), y)
    np.testing.assert_allclose(model.predict_proba(convert(X)), expected, rtol=1e-5)
    np.testing.assert_allclose(model.predict_proba(X), expected, rtol=1e-5)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int64, np.float16, np.float32, np.longdouble])
def test_numbers_of_any_dtype_are_read_as_the_numbers_they_are(dtype):
    X = np.random.default_rng(0).integers(0, 9, (30, 3))
    expected = classifier().fit(X.astype(np.float64), labels(30)).predict_proba(X)
    np.testing.assert_array_equal(
        classifier().fit(X.astype(dtype), labels(30)).predict_proba(X.astype(dtype)), expected
    )


def test_bools_are_read_as_zeros_and_ones():
    X = np.random.default_rng(0).integers(0, 2, (30, 3))
    expected = classifier().fit(X, labels(30)).predict_proba(X)
    np.testing.assert_array_equal(classifier().fit(X.astype(bool), labels(30)).predict_proba(X), expected)


def test_the_names_of_columns_are_kept_and_checked(iris):
    X, y = iris
    for frame in (pd.DataFrame(X, columns=list("abcd")), pl.DataFrame(X, schema=list("abcd"))):
        model = classifier().fit(frame, y)
        assert model.feature_names_in_.tolist() == list("abcd")
        with pytest.raises(ValueError, match="feature names"):
            model.predict(frame[list("bacd")])


def test_another_number_of_features_is_refused(iris):
    X, y = iris
    model = classifier().fit(X, y)
    with pytest.raises(ValueError, match="X has 3 features, but MLPClassifier is expecting 4"):
        model.predict(X[:, :3])


def test_samples_of_another_shape_are_refused():
    model = NeuralNetRegressor(max_epochs=1).fit(np.zeros((6, 2, 3, 3)), np.arange(6.0))
    assert model.predict(np.zeros((4, 2, 3, 3))).shape == (4,)
    with pytest.raises(ValueError, match=r"NeuralNetRegressor was fitted on samples of shape \(2, 3, 3\)"):
        model.predict(np.zeros((4, 2, 3, 4)))


NUMBERS = st.one_of(
    hnp.boolean_dtypes(), hnp.integer_dtypes(), hnp.unsigned_integer_dtypes(), hnp.floating_dtypes()
)
OTHERS = st.one_of(
    hnp.complex_number_dtypes(),
    hnp.datetime64_dtypes(),
    hnp.timedelta64_dtypes(),
    hnp.unicode_string_dtypes(),
    hnp.byte_string_dtypes(),
)
SHAPES = st.one_of(
    st.just(()),
    hnp.array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=6),
    st.just((6, 2)),
    st.just((6, 1)),
)


@st.composite
def arrays(draw):
    shape = draw(SHAPES)
    if draw(st.booleans()):
        return draw(hnp.arrays(draw(NUMBERS), shape))
    if draw(st.booleans()):
        return draw(hnp.arrays(draw(OTHERS), shape))
    values = st.one_of(st.integers(-9, 9), st.floats(), st.booleans(), st.none(), st.text(max_size=2))
    return draw(hnp.arrays(object, shape, elements=values))


@given(X=arrays())
@slow_but_sure
def test_any_array_as_x_is_fitted_or_refused_by_name(X):
    y = labels(X.shape[0] if X.ndim else 1)
    model = result_or_refusal(lambda: classifier().fit(X, y))
    if model is not None:
        probabilities = model.predict_proba(X)
        assert probabilities.shape == (len(y), 2)
        np.testing.assert_allclose(probabilities.sum(1), 1.0)


@given(X=arrays())
@slow_but_sure
def test_any_array_as_x_of_any_shape_is_fitted_or_refused_by_name(X):
    y = np.arange(X.shape[0] if X.ndim else 1, dtype=float)
    model = result_or_refusal(lambda: NeuralNetRegressor(max_epochs=1).fit(X, y))
    if model is not None:
        assert np.isfinite(model.predict(X)).all()


@given(X=arrays())
@slow_but_sure
def test_any_array_to_predict_is_taken_or_refused_by_name(X):
    model = classifier().fit(np.random.default_rng(0).normal(size=(8, 2)), labels(8))
    predicted = result_or_refusal(lambda: model.predict(X))
    assert predicted is None or set(predicted) <= {0, 1}


@pytest.mark.parametrize(
    "garbage",
    [
        None, 3, 2.5, "abc", b"abc", {"a": [1, 2]}, {1, 2}, range(6), object(), len, Ellipsis, NotImplemented,
        [[1, 2], [3]], [[[1], 2], 3], [], [[]], [None, None], ["a", "b"], [["1", "b"]], [{"a": 1}],
        (x for x in [[1.0], [2.0]]), np.float64(2), np.ma.masked, np.zeros(3, dtype=[("a", float)]),
        np.array([["2020-01-01"]] * 6, dtype="M8[D]"), np.ones((6, 2), dtype="m8[s]"),
        pd.DataFrame({"a": list("xyzxyz")}), pd.Series([1.0, 2.0, 3.0]),
        pd.DataFrame({"a": pd.array([1, None, 2, 3, 4, 5], dtype="Int64")}),
        pl.DataFrame({"a": list("xyzxyz")}), torch.ones(6, 2, requires_grad=True),
        torch.ones(6, 2, dtype=torch.bfloat16), sparse.csr_matrix(np.array([[np.nan, 1.0]] * 6)),
        sparse.csr_matrix(np.ones((6, 2)) * 1j),
    ],
    ids=lambda garbage: type(garbage).__name__,
)  # fmt: skip
@pytest.mark.parametrize(
    "make", [classifier, lambda: NeuralNetTransformer(max_epochs=1)], ids=["clf", "transformer"]
)
def test_garbage_as_x_is_refused_by_name(make, garbage):
    model = make()
    y = labels(6) if isinstance(model, MLPClassifier) else None
    result_or_refusal(lambda: model.fit(garbage, y))
    fitted = make().fit(np.random.default_rng(0).normal(size=(6, 2)), y)
    call = fitted.predict if y is not None else fitted.transform
    result_or_refusal(lambda: call(garbage))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("as_sparse", [False, True])
def test_nan_and_infinity_in_x_are_refused(value, as_sparse):
    X = np.ones((6, 2))
    X[3, 1] = value
    X = sparse.csr_matrix(X) if as_sparse else X
    with pytest.raises(ValueError, match="Input X contains"):
        classifier().fit(X, labels(6))


@pytest.mark.parametrize("standardize", [True, False])
def test_values_too_large_for_the_computation_are_refused_by_name(standardize):
    X = np.random.default_rng(0).normal(size=(20, 2)) * 1e200
    with pytest.raises(ValueError, match="X"):
        classifier(standardize=standardize).fit(X, labels(20))


def test_no_call_changes_the_rows_of_the_caller(iris):
    X, y = (array.copy() for array in iris)
    weight = np.linspace(0.0, 1.0, len(y))
    model = classifier(early_stopping=True).fit(X, y, weight)
    model.partial_fit(X, y, sample_weight=weight)
    model.predict_proba(X)
    for array, original in [(X, iris[0]), (y, iris[1]), (weight, np.linspace(0.0, 1.0, len(y)))]:
        np.testing.assert_array_equal(array, original)
