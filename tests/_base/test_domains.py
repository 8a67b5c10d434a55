"""Domains: values above 0 are source, below 0 target; labels of target rows are not read."""

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import sparse

from sklearn_dl._base.domains import Domains, read_fit_domains, read_sample_domain

X = np.arange(8.0).reshape(4, 2)
DOMAINS = Domains(np.array([1, -1, 2, -2]))


def test_without_sample_domain_all_rows_are_source():
    domains = read_sample_domain(None, 3, "Ours")
    assert domains.source.all()
    assert not domains.differ


@pytest.mark.parametrize(
    "given",
    [
        [1, -1, 2, -2],
        np.array([1.0, -1.0, 2.0, -2.0]),
        np.array([1, -1, 2, -2], dtype=object),
        pd.Series([1, -1, 2, -2], index=[7, 5, 3, 1]),
        torch.tensor([1, -1, 2, -2]),
        np.array([[1], [-1], [2], [-2]]),
    ],
)
def test_domains_are_read_from_any_array(given):
    domains = read_sample_domain(given, 4, "Ours")
    assert domains.values.tolist() == [1, -1, 2, -2]
    assert domains.source.tolist() == [True, False, True, False]
    assert domains.target.tolist() == [False, True, False, True]


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ([1, 0, -1, 1], ValueError, r"got .*0.* in row 1"),
        ([1, np.nan, -1, 1], ValueError, "nan"),
        ([1, 0.5, -1, 1], ValueError, r"0\.5"),
        ([1, -1], ValueError, r"4 rows of X; got shape \(2,\)"),
        (["a", "b", "a", "b"], TypeError, "Encode names first"),
        ([True, False, True, False], TypeError, "dtype bool"),
    ],
)
def test_other_values_are_refused(given, error, message):
    with pytest.raises(error, match=message):
        read_sample_domain(given, 4, "Ours")


@pytest.mark.parametrize(
    ("y", "expected"),
    [
        ([1, None, 2, float("nan")], [1, 2]),
        (["a", None, "b", 3], ["a", "b"]),
        (np.array([-1, 1, 1, -1]), [-1, 1]),
        (pd.Series(["a", None, "b", None], dtype=object), np.array(["a", "b"], dtype=object)),
        ([0.5, np.nan, 1.5, np.inf], [0.5, 1.5]),
        ([1, 2], [1, 2]),
    ],
)
def test_labels_are_those_of_source_rows_and_of_their_kind(y, expected):
    labels = DOMAINS.labels(y, "Ours")
    assert labels.tolist() == list(expected)
    assert labels.dtype == np.asarray(expected).dtype


def test_y_is_left_as_it_is():
    y = np.array(["a", "b", "c", "d"])
    DOMAINS.labels(y, "Ours")[:] = "z"
    assert y.tolist() == ["a", "b", "c", "d"]


def test_missing_labels_of_source_rows_stay_missing():
    assert DOMAINS.labels(["a", "b", float("nan"), "c"], "Ours").dtype == object


def test_y_of_another_length_is_refused():
    with pytest.raises(ValueError, match=r"Ours: y must have a label for each of the 4 rows"):
        DOMAINS.labels([1, 2, 3], "Ours")


def test_x_target_is_put_below_as_target_rows():
    merged, domains = read_fit_domains(X[:3], [1, 2, 1], X[3:], "Ours")
    assert domains.values.tolist() == [1, 2, 1, -1]
    assert np.array_equal(merged, X)


def test_x_target_keeps_the_kind_of_x():
    assert sparse.issparse(read_fit_domains(sparse.csr_array(X), None, sparse.csr_array(X), "Ours")[0])
    frame = pd.DataFrame(X, columns=["a", "b"])
    assert list(read_fit_domains(frame, None, frame, "Ours")[0].columns) == ["a", "b"]
    assert isinstance(read_fit_domains(torch.tensor(X), None, X, "Ours")[0], np.ndarray)
    assert torch.is_tensor(read_fit_domains(torch.tensor(X), None, torch.tensor(X), "Ours")[0])


def test_target_rows_in_both_places_are_refused():
    with pytest.raises(ValueError, match="2 in X and 4 as X_target"):
        read_fit_domains(X, [1, 1, -1, -1], X, "Ours")


def test_x_target_without_rows_is_refused():
    with pytest.raises(ValueError, match="Ours: X_target must hold 1 row or more"):
        read_fit_domains(X, None, X[:0], "Ours")


def test_x_target_of_other_columns_is_refused():
    with pytest.raises(ValueError, match="X_target must have the shape"):
        read_fit_domains(X, None, X[:, :1], "Ours")
    frame = pd.DataFrame(X, columns=["a", "b"])
    with pytest.raises(ValueError, match="columns of X in their order"):
        read_fit_domains(frame, None, frame[["b", "a"]], "Ours")


def test_only_target_rows_are_refused():
    with pytest.raises(ValueError, match="DomainKFold"):
        read_fit_domains(X, [-1, -1, -1, -1], None, "Ours")


def test_only_source_rows_are_warned_about():
    with pytest.warns(UserWarning, match="nothing is adapted"):
        read_fit_domains(X, [1, 1, 1, 1], None, "Ours")
