"""Reading of labels, and what a failed fit leaves behind."""

import numpy as np
import pytest
import torch
from sklearn.utils.validation import has_fit_parameter

from sklearn_dl.gaussian_process import GaussianProcessClassifier, GaussianProcessRegressor
from sklearn_dl.linear_model import LogisticRegression, Ridge, SGDClassifier
from sklearn_dl.linear_model.base import class_factors, read_classes
from sklearn_dl.neighbors import KernelRegression, KNeighborsClassifier, KNeighborsRegressor
from sklearn_dl.svm import SVC, SVR
from sklearn_dl.tree import DecisionTreeClassifier, DecisionTreeRegressor

LABELS = [
    np.array([3, -2, 3, 7, -2, 3], dtype=np.int8),
    np.array([-128, 127, -128, 127], dtype=np.int8),
    np.array([10**12, 5, 10**12, 5], dtype=np.int64),
    np.array([4, 250, 4, 250, 4], dtype=np.uint8),
    np.array([True, False, True, True]),
    np.array(["b", "a", "b", "b"]),
    np.array([2.0, 1.0, 2.0, 1.0]),
    np.array(["b", "a", "b", "b"], dtype=object),
]


@pytest.mark.parametrize("y", LABELS, ids=lambda y: f"{y.dtype}-{len(y)}")
def test_classes_and_codes_are_those_of_unique(y):
    classes, codes = read_classes(y, np.zeros((len(y), 1)), "Model")
    expected_classes, expected_codes = np.unique(y, return_inverse=True)
    np.testing.assert_array_equal(classes, expected_classes)
    np.testing.assert_array_equal(codes, expected_codes)
    assert classes.dtype == expected_classes.dtype


def test_labels_that_mostly_stand_alone_are_warned_of():
    with pytest.warns(UserWarning, match="number of unique classes is greater than 50%"):
        read_classes(np.arange(30), np.zeros((30, 1)), "Model")


def test_codes_of_a_tensor_are_a_tensor():
    classes, codes = read_classes(torch.tensor([5, 3, 5]), torch.zeros(3, 1), "Model")
    np.testing.assert_array_equal(classes, [3, 5])
    assert torch.equal(codes, torch.tensor([1, 0, 1]))


def test_balanced_classes_weigh_the_same_and_an_empty_one_nothing():
    codes, weight = np.array([0, 0, 0, 1, 2]), np.array([1.0, 1, 2, 2, 0])
    factors = class_factors("balanced", np.arange(3), codes, weight)
    np.testing.assert_allclose(factors, [6 / 3 / 4, 6 / 3 / 2, 0])


@pytest.mark.parametrize(
    "model", [Ridge(), LogisticRegression(), SGDClassifier(), KNeighborsClassifier(), KernelRegression()]
)
def test_a_fit_that_fails_leaves_the_earlier_one(model, iris):
    X, y = iris
    expected = model.fit(X, y).predict(X)
    with pytest.raises(ValueError, match=r"rows|samples"):
        model.fit(X[:, :3], y[:-1])
    np.testing.assert_array_equal(model.predict(X), expected)


def test_an_interrupted_fit_leaves_the_earlier_one(iris, monkeypatch):
    X, y = iris
    model = Ridge().fit(X, y)
    expected = model.predict(X)
    monkeypatch.setattr(Ridge, "_solve", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        model.fit(X[:, :2], y)
    np.testing.assert_array_equal(model.predict(X), expected)


@pytest.mark.parametrize(
    "model",
    [LogisticRegression(), Ridge(), SVC(), SVR(), KNeighborsClassifier(), KNeighborsRegressor(),
     KernelRegression(), DecisionTreeClassifier(), DecisionTreeRegressor(), GaussianProcessClassifier(),
     GaussianProcessRegressor()],
    ids=lambda model: type(model).__name__,
)  # fmt: skip
def test_what_is_wrong_about_targets_and_weights_is_said_of_the_estimator(model, iris):
    X, y = iris
    name = type(model).__name__
    for wrong in (np.where(np.arange(len(y)) == 3, np.nan, y), np.zeros((len(y), 2, 2))):
        with pytest.raises(ValueError, match=name):
            model.fit(X, wrong)
    if has_fit_parameter(model, "sample_weight"):
        for weight in (np.ones(3), np.full(len(y), np.nan)):
            with pytest.raises(ValueError, match=name):
                model.fit(X, y, sample_weight=weight)
