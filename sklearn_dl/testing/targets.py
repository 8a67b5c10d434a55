"""Labels of any kind, and targets of any shape."""

import warnings
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, clone, is_classifier, is_regressor
from sklearn.exceptions import DataConversionWarning
from sklearn.metrics import r2_score
from sklearn.utils import get_tags

from sklearn_dl.testing.examples import (
    Data,
    MakeData,
    classes_and_codes,
    example,
    fitted,
    has_parameter,
    n_rows,
    two_classes,
)
from sklearn_dl.testing.outputs import assert_close, assert_same, outputs

#: Two labels of each kind, in order.
_LABELS: dict[str, np.ndarray] = {
    "string": np.array(["no", "yes"]),
    "object": np.array(["no", "yes"], dtype=object),
    "bool": np.array([False, True]),
    "minus_one_and_one": np.array([-1, 1]),
    "one_and_two": np.array([1, 2]),
}


def target_checks(estimator: BaseEstimator) -> Iterator[Any]:
    """Yield the checks of this file that apply."""
    single = get_tags(estimator).target_tags.single_output
    if is_classifier(estimator):
        for labels in _LABELS:
            yield partial(check_labels_of_any_kind, labels=labels)
        if hasattr(estimator, "predict_proba"):
            yield check_probabilities_follow_classes
        yield check_one_class_is_predicted_or_refused
        if single:
            yield check_column_of_labels_warns
    if is_regressor(estimator) and single:
        yield check_column_target_is_not_broadcast
    if is_regressor(estimator) and get_tags(estimator).target_tags.multi_output:
        yield check_two_targets_are_both_learned


def check_labels_of_any_kind(estimator: BaseEstimator, make_data: MakeData, labels: str) -> None:
    """Labels come back from classes_ and predict in their own type, and change nothing else."""
    kinds = _LABELS[labels]
    data = two_classes(example(make_data))
    _, codes = classes_and_codes(data)
    coded = fitted(estimator, {**data, "y": codes})
    model = fitted(estimator, {**data, "y": kinds[codes]})
    assert_same(np.asarray(model.classes_), kinds, "classes_")
    answers, expected = outputs(model, data["X"]), outputs(coded, data["X"])
    expected["predict"] = kinds[expected["predict"]]
    assert_same(answers, expected, f"with the labels {kinds.tolist()},")
    kind = answers["predict"].dtype.kind
    if kind != kinds.dtype.kind:
        raise AssertionError(f"predict gives the type {answers['predict'].dtype}; expected {kinds.dtype}.")


def check_probabilities_follow_classes(estimator: BaseEstimator, make_data: MakeData) -> None:
    """Column i of predict_proba belongs to classes_[i], and a row sums to 1."""
    data = example(make_data)
    model = fitted(estimator, data)
    probabilities = model.predict_proba(data["X"])
    assert_close(probabilities.sum(axis=1), np.ones(n_rows(data)), "sum of predict_proba")
    assert_same(
        model.classes_[probabilities.argmax(axis=1)],
        model.predict(data["X"]),
        "class of the largest probability",
    )


def check_one_class_is_predicted_or_refused(estimator: BaseEstimator, make_data: MakeData) -> None:
    """Fitted on one class, a classifier always predicts it, or raises a ValueError that speaks of classes."""
    data = example(make_data)
    only = classes_and_codes(data)[0][-1]
    y = np.full_like(data["y"], only)
    try:
        predicted = fitted(estimator, {**data, "y": y}).predict(data["X"])
    except ValueError as error:
        if "class" not in str(error):
            raise AssertionError(f"the message does not speak of classes: {error}") from error
        return
    assert_same(predicted, y, "predict")


def check_column_of_labels_warns(estimator: BaseEstimator, make_data: MakeData) -> None:
    """Labels of shape (n_samples, 1) count as (n_samples,), with a DataConversionWarning."""
    data = example(make_data)
    classes_and_codes(data)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = fitted(estimator, {**data, "y": data["y"].reshape(-1, 1)})
    assert_same(outputs(model, data["X"]), outputs(fitted(estimator, data), data["X"]), "with y as a column,")
    if not any(issubclass(warning.category, DataConversionWarning) for warning in caught):
        raise AssertionError("no DataConversionWarning. sklearn.utils.column_or_1d(y, warn=True) gives it.")


def check_column_target_is_not_broadcast(estimator: BaseEstimator, make_data: MakeData) -> None:
    """A target of shape (n_samples, 1) is learned as (n_samples,), and predicted in one of these shapes."""
    data = example(make_data)
    y = _single_target(data)
    row = _as_it_is(estimator).fit(**{**data, "y": y}).predict(data["X"])
    column = _as_it_is(estimator).fit(**{**data, "y": y[:, None]}).predict(data["X"])
    if row.shape != y.shape or column.shape not in (y.shape, (len(y), 1)):
        raise AssertionError(
            f"for y of shape {y.shape} predict gives {row.shape}, for {(len(y), 1)} it gives {column.shape}."
        )
    _assert_learned(y, row)
    _assert_learned(y, column.ravel())


def check_two_targets_are_both_learned(estimator: BaseEstimator, make_data: MakeData) -> None:
    """Targets of shape (n_samples, 2) are predicted in that shape, each column for itself."""
    data = example(make_data)
    y = _single_target(data)
    both = np.column_stack([y, 3 * y])
    predicted = _as_it_is(estimator).fit(**{**data, "y": both}).predict(data["X"])
    if predicted.shape != both.shape:
        raise AssertionError(f"for y of shape {both.shape} the predictions have {predicted.shape}.")
    for target in range(2):
        _assert_learned(both[:, target], predicted[:, target])


def _single_target(data: Data) -> np.ndarray:
    y = np.asarray(data["y"])
    return y if y.ndim == 1 else y[:, 0]


def _as_it_is(estimator: BaseEstimator) -> BaseEstimator:
    """Clone that trains as long as the estimator says, for it has to learn."""
    copy = clone(estimator)
    return copy.set_params(random_state=0) if has_parameter(copy, "random_state") else copy


def _assert_learned(y: np.ndarray, predicted: np.ndarray) -> None:
    score = r2_score(y, predicted)
    if not score > 0.5:
        raise AssertionError(
            f"R2 on its own rows, which are easy, is {score:.3f}; expected above 0.5. "
            "Is a target of shape (n,) compared with an output of shape (n, 1)?"
        )
