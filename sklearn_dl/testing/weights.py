"""What the weights of rows and of classes mean."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, is_classifier
from sklearn.utils.validation import has_fit_parameter

from sklearn_dl.testing.examples import (
    MakeData,
    classes_and_codes,
    example,
    fitted,
    has_parameter,
    n_rows,
    small,
    take,
    two_classes,
)
from sklearn_dl.testing.outputs import assert_close, outputs

_RTOL = 1e-3


def weight_checks(estimator: BaseEstimator) -> Iterator[Any]:
    """Yield the checks of this file that apply."""
    takes_weights = has_fit_parameter(estimator, "sample_weight")
    if takes_weights:
        yield check_weight_zero_removes_the_row
        # A penalised sum over the rows, as in Ridge, does depend on the scale of the weights.
        if has_parameter(estimator, "max_epochs"):
            yield check_scale_of_weights_does_not_matter
    if is_classifier(estimator) and has_parameter(estimator, "class_weight"):
        if takes_weights:
            yield check_class_weight_is_a_weight_of_rows
            yield check_balanced_class_weight
        yield check_unknown_class_in_class_weight_is_refused


def check_weight_zero_removes_the_row(estimator: BaseEstimator, make_data: MakeData) -> None:
    """A row of weight zero counts as if it were not there."""
    data = example(make_data)
    kept = np.arange(n_rows(data)) % 4 != 0
    weighted = {**data, "sample_weight": kept.astype(float)}
    assert_close(
        outputs(fitted(estimator, weighted), data["X"]),
        outputs(fitted(estimator, take(weighted, np.flatnonzero(kept))), data["X"]),
        "with rows of weight zero,",
        rtol=_RTOL,
    )


def check_scale_of_weights_does_not_matter(estimator: BaseEstimator, make_data: MakeData) -> None:
    """Ten times all weights is the same fit: the loss is a weighted mean over the rows."""
    data = example(make_data)
    weight = np.linspace(0.5, 1.5, n_rows(data))
    assert_close(
        outputs(fitted(estimator, {**data, "sample_weight": 10 * weight}), data["X"]),
        outputs(fitted(estimator, {**data, "sample_weight": weight}), data["X"]),
        "with ten times the weights,",
        rtol=_RTOL,
    )


def check_class_weight_is_a_weight_of_rows(estimator: BaseEstimator, make_data: MakeData) -> None:
    """A dict of two class weights is the sample_weight that gives each row the weight of its class."""
    data = two_classes(example(make_data))
    classes, codes = classes_and_codes(data)
    weights = np.linspace(0.5, 4, len(classes))
    class_weight = dict(zip(classes.tolist(), weights.tolist(), strict=True))
    _assert_weighs(estimator, data, class_weight, weights[codes])


def check_balanced_class_weight(estimator: BaseEstimator, make_data: MakeData) -> None:
    """With class_weight="balanced" each of two classes weighs n_samples / (2 * its number of rows)."""
    data = two_classes(example(make_data))
    _, codes = classes_and_codes(data)
    data = take(data, np.flatnonzero((codes > 0) | (np.arange(len(codes)) % 3 == 0)))
    _, codes = classes_and_codes(data)
    weights = len(codes) / (2 * np.bincount(codes))
    _assert_weighs(estimator, data, "balanced", weights[codes])


def check_unknown_class_in_class_weight_is_refused(estimator: BaseEstimator, make_data: MakeData) -> None:
    """A class_weight for a class that y does not have raises ValueError."""
    data = example(make_data)
    classes, _ = classes_and_codes(data)
    weights = {classes.tolist()[0]: 1.0, "no such class": 2.0}
    try:
        small(estimator, class_weight=weights).fit(**data)
    except ValueError:
        return
    raise AssertionError(f"class_weight={weights} raised nothing.")


def _assert_weighs(estimator: BaseEstimator, data: Any, class_weight: Any, sample_weight: np.ndarray) -> None:
    by_row = fitted(estimator, {**data, "sample_weight": sample_weight}, class_weight=None)
    ones = np.ones(n_rows(data))
    by_class = fitted(estimator, {**data, "sample_weight": ones}, class_weight=class_weight)
    actual, expected = outputs(by_class, data["X"]), outputs(by_row, data["X"])
    if len(expected) > 1:
        del actual["predict"], expected["predict"]  # flips where two classes are almost alike
    assert_close(actual, expected, f"with class_weight={class_weight!r},", rtol=_RTOL)
