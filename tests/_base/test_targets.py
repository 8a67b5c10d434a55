import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import sparse
from sklearn.exceptions import DataConversionWarning

from sklearn_dl._base.targets import encode_classes, read_class_labels, read_real_values, require_two_classes
from sklearn_dl.neural_network import MLPClassifier, MLPRegressor

from .refusal import result_or_refusal

some_examples = settings(deadline=None, max_examples=60, derandomize=True)


def classifier(**params):
    return MLPClassifier(4, **{"max_epochs": 1, "random_state": 0, **params})


def rows(n):
    return np.random.default_rng(0).normal(size=(n, 2))


# -- labels


@pytest.mark.parametrize(
    "classes",
    [
        ["ham", "spam", "egg"], [False, True], [-1, 1], [3, 1, 2], [0.0, 1.0, 7.0],
        np.array(["x", "y"], dtype=object), np.array([0, 255], dtype=np.uint8),
        np.array([-1, 1], dtype=np.float32),
    ],
    ids=str,
)  # fmt: skip
def test_labels_of_any_kind_come_back_as_they_were(classes):
    classes = np.asarray(classes)
    y = classes[np.random.default_rng(0).integers(0, len(classes), 60)]
    X = (np.searchsorted(np.sort(classes), y)[:, None] == np.arange(len(classes))) * 3.0
    model = MLPClassifier(16, max_epochs=60, lr=0.05, random_state=0).fit(X, y)
    np.testing.assert_array_equal(model.classes_, np.unique(classes))
    assert model.classes_.dtype == y.dtype
    np.testing.assert_array_equal(model.predict(X), y)
    assert model.predict(X).dtype == y.dtype


@pytest.mark.parametrize(
    "convert", [list, tuple, pd.Series, pl.Series, pd.Categorical, lambda y: pd.array(y, dtype="string")]
)
def test_the_container_of_labels_does_not_change_the_fit(convert):
    y = np.array(["b", "a", "c"])[np.arange(30) % 3]
    expected = classifier().fit(rows(30), y)
    model = classifier().fit(rows(30), convert(y))
    assert list(model.classes_) == ["a", "b", "c"]
    np.testing.assert_array_equal(model.predict_proba(rows(30)), expected.predict_proba(rows(30)))


def test_a_column_of_labels_is_read_with_a_warning():
    y = np.arange(30) % 2
    with pytest.warns(DataConversionWarning):
        model = classifier().fit(rows(30), y[:, None])
    np.testing.assert_array_equal(
        model.predict_proba(rows(30)), classifier().fit(rows(30), y).predict_proba(rows(30))
    )


@pytest.mark.parametrize(
    ("y", "words"),
    [
        (None, "MLPClassifier requires y to be passed, but the target y is None"),
        (np.array([0.0, 1.0, np.nan, 0.0]), "y"),
        (np.array([0.0, 1.0, np.inf, 0.0]), "y"),
        (np.array(["a", None, "b", "a"], dtype=object), "y"),
        (np.array(["a", np.nan, "b", "a"], dtype=object), "y"),
        (pd.Series([0, 1, None, 0], dtype="Int64"), "y"),
        (pd.Series(["a", "b", None, "a"], dtype="string"), "y"),
        (np.array([0.5, 1.5, 2.25, 0.1]), "continuous"),
        (np.array([1, "a", 2, "b"], dtype=object), "y"),
        (np.array([1 + 1j, 2, 3, 4]), "y|Complex|complex"),
        (np.zeros((4, 2)) + 0.5, "y|continuous"),
        (np.zeros((4, 2, 2)), "y|Unknown label type"),
        (np.array([[0, 1], [1, 2], [2, 0], [1, 1]]), "y should be a 1d array"),
        ([b"a", b"b", b"a", b"b"], "labels represented as bytes"),
        (["a", "a", "a", "a"], "MLPClassifier: .* 2 classes in the data; y holds 1 class: \\['a'\\]"),
        ([0, 1], "X and y must have equally many rows"),
        ([], "y"),
        (
            sparse.csr_array(np.eye(4, 2, dtype=int)),
            r"MLPClassifier: y must be dense; got a sparse csr_array",
        ),
        (3, "y|Expected array-like|Unknown label"),
        ("abcd", "y|Expected array-like|Unknown label"),
        ([[0], [1, 2], [3], [4]], "y|sequence"),
        ([{}, {}, {}, {}], "y|Unknown label|not supported"),
    ],
    ids=repr,
)
def test_what_are_no_class_labels_is_refused_in_words(y, words):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises((ValueError, TypeError), match=words):
            classifier().fit(rows(4), y)


def test_labels_outside_the_known_classes_are_named():
    with pytest.raises(
        ValueError, match=r"Net: y must hold the classes \[0, 2\] known so far; got \[1, 5\]\."
    ):
        encode_classes(np.array([0, 1, 2, 5, 1]), np.array([0, 2]), "Net")


@given(st.lists(st.integers(-5, 5), min_size=1, max_size=20))
@some_examples
def test_encoded_classes_point_at_the_labels(y):
    classes, expected = np.unique(y, return_inverse=True)
    index = encode_classes(np.array(y), classes, "Net")
    np.testing.assert_array_equal(index, expected)


def test_long_lists_of_classes_are_cut_in_messages():
    with pytest.raises(ValueError, match=r"\[0, 1, 2, 3, 4, \.\.\.\]"):
        encode_classes(np.array([99]), np.arange(50), "Net")


def test_one_class_is_not_enough():
    require_two_classes(np.array([0, 1]), "Net")
    with pytest.raises(ValueError, match=r"Net: .* at least 2 classes in the data; y holds 1 class: \[7\]"):
        require_two_classes(np.array([7]), "Net")


def test_a_class_whose_rows_all_have_weight_zero_does_not_count():
    y = np.arange(30) % 3
    model = classifier().fit(rows(30), y, sample_weight=(y < 2).astype(float))
    assert model.classes_.tolist() == [0, 1]
    with pytest.raises(ValueError, match="at least 2 classes"):
        classifier().fit(rows(30), y, sample_weight=(y < 1).astype(float))


# -- real values


def test_real_targets_are_read_in_float64():
    assert read_real_values([1, 2], "Net").dtype == np.float64
    assert read_real_values(np.ones((3, 2), dtype=np.float32), "Net").shape == (3, 2)


def test_a_column_of_real_targets_is_read_with_a_warning():
    y = rows(30)[:, 0]
    with pytest.warns(DataConversionWarning, match="column-vector"):
        model = MLPRegressor(4, max_epochs=1, random_state=0).fit(rows(30), y[:, None])
    assert model.predict(rows(30)).shape == (30,)
    np.testing.assert_array_equal(
        model.predict(rows(30)),
        MLPRegressor(4, max_epochs=1, random_state=0).fit(rows(30), y).predict(rows(30)),
    )


@pytest.mark.parametrize(
    "convert", [list, pd.Series, pl.Series, torch.from_numpy, lambda y: y.astype(object)]
)
def test_the_container_of_real_targets_does_not_change_the_fit(convert):
    y = rows(30)[:, 0]
    expected = MLPRegressor(4, max_epochs=1, random_state=0).fit(rows(30), y).predict(rows(30))
    model = MLPRegressor(4, max_epochs=1, random_state=0).fit(rows(30), convert(y))
    np.testing.assert_array_equal(model.predict(rows(30)), expected)


@pytest.mark.parametrize(
    ("y", "words"),
    [
        (None, "MLPRegressor requires y to be passed, but the target y is None"),
        ([1.0, np.nan, 2.0, 3.0], "y contains NaN"),
        ([1.0, np.inf, 2.0, 3.0], "y contains infinity"),
        (["a", "b", "c", "d"], "could not convert string"),
        (np.zeros((4, 2, 2)), "y"),
        (np.ones(4) * 1j, "Complex"),
        (sparse.csr_matrix(np.eye(4)), "y"),
        ([1.0, 2.0], "X and y must have equally many rows"),
        ([], "y|minimum of 1"),
        (3.0, "y"),
        ([[1.0], [2.0, 3.0], [1.0], [4.0]], "sequence"),
        ([None] * 4, "y"),
    ],
    ids=repr,
)
def test_what_are_no_real_targets_is_refused_in_words(y, words):
    with pytest.raises((ValueError, TypeError), match=words):
        MLPRegressor(4, max_epochs=1).fit(rows(4), y)


# -- anything


@st.composite
def targets(draw):
    shape = draw(st.sampled_from([(), (6,), (6, 1), (6, 2), (6, 3), (6, 2, 2), (0,), (5,), (1, 6), (6, 0)]))
    kind = draw(st.sampled_from(["labels", "scalar", "object"]))
    if kind == "labels":
        labels = draw(
            st.sampled_from([[0, 1], ["a", "b"], [False, True], [-1.0, 1.0], [1, 2, 3], [0, "a"], [None, 1]])
        )
        return draw(hnp.arrays(object, shape, elements=st.sampled_from(labels)))
    if kind == "scalar":
        return draw(hnp.arrays(draw(hnp.scalar_dtypes()), shape))
    values = st.one_of(
        st.integers(), st.floats(), st.text(max_size=2), st.none(), st.booleans(), st.binary(max_size=2)
    )
    return draw(hnp.arrays(object, shape, elements=values))


@pytest.mark.parametrize("estimator_class", [MLPClassifier, MLPRegressor])
@given(y=targets())
@some_examples
def test_any_target_is_fitted_or_refused_by_name(estimator_class, y):
    try:
        model = result_or_refusal(lambda: estimator_class(4, max_epochs=1).fit(rows(6), y))
    except ArithmeticError:
        assume(np.abs(y.astype(float)).max() < 1e30)  # above, the rounding of the mean is beyond float32
        raise
    if model is not None:
        predicted = model.predict(rows(6))
        assert len(predicted) == 6
        if estimator_class is MLPClassifier and y.ndim < 2:
            assert set(predicted.tolist()) <= set(y.tolist())


@given(y=targets())
@some_examples
def test_any_second_target_is_fitted_or_refused_by_name(y):
    model = classifier().fit(rows(6), [0, 1, 0, 1, 0, 1])
    result_or_refusal(lambda: model.partial_fit(rows(6), y))
    assert set(model.predict(rows(6))) <= {0, 1}


def test_labels_of_several_columns_are_zeros_and_ones():
    y = read_class_labels(np.array([[0.0, 1.0], [1.0, 1.0], [0.0, 0.0]]), "Net")
    assert y.dtype == np.int64
    np.testing.assert_array_equal(y, [[0, 1], [1, 1], [0, 0]])
