"""Learning in several calls of partial_fit."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, is_classifier

from sklearn_dl.testing.examples import Data, MakeData, classes_and_codes, example, n_rows, small, take
from sklearn_dl.testing.outputs import assert_same, outputs, same


def incremental_checks(estimator: BaseEstimator) -> Iterator[Any]:
    """Yield the checks of this file that apply."""
    if hasattr(estimator, "partial_fit"):
        yield check_partial_fit_continues
        if not getattr(estimator, "warm_start", False):
            yield check_fit_after_partial_fit_starts_anew
        if is_classifier(estimator):
            yield check_first_partial_fit_learns_all_classes


def check_partial_fit_continues(estimator: BaseEstimator, make_data: MakeData) -> None:
    """A second call of partial_fit builds on the first one."""
    data, first, second = _halves(make_data)
    classes = _classes(estimator, data)
    both = small(estimator).partial_fit(**first, **classes).partial_fit(**second)
    alone = small(estimator).partial_fit(**second, **classes)
    if same(outputs(both, data["X"]), outputs(alone, data["X"])):
        raise AssertionError("after two calls it answers as after the second alone.")


def check_fit_after_partial_fit_starts_anew(estimator: BaseEstimator, make_data: MakeData) -> None:
    """Fit forgets what partial_fit learned."""
    data, first, _ = _halves(make_data)
    used = small(estimator).partial_fit(**first, **_classes(estimator, data)).fit(**data)
    assert_same(outputs(used, data["X"]), outputs(small(estimator).fit(**data), data["X"]))


def check_first_partial_fit_learns_all_classes(estimator: BaseEstimator, make_data: MakeData) -> None:
    """With classes given on the first call, later calls may bring classes that the first rows lack."""
    data = example(make_data)
    classes, codes = classes_and_codes(data)
    first, second = take(data, np.flatnonzero(codes != 0)), take(data, np.flatnonzero(codes == 0))
    model = small(estimator).partial_fit(**first, classes=classes).partial_fit(**second)
    assert_same(np.asarray(model.classes_), classes, "classes_")
    probabilities = outputs(model, data["X"]).get("predict_proba")
    if probabilities is not None and probabilities.shape != (n_rows(data), len(classes)):
        raise AssertionError(f"predict_proba gives {probabilities.shape} for {len(classes)} classes.")


def _halves(make_data: MakeData) -> tuple[Data, Data, Data]:
    data = example(make_data)
    middle = n_rows(data) // 2
    return data, take(data, np.arange(middle)), take(data, np.arange(middle, n_rows(data)))


def _classes(estimator: BaseEstimator, data: Data) -> Data:
    return {"classes": np.unique(data["y"])} if is_classifier(estimator) else {}
