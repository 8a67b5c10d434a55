"""The caller's arrays are left alone, rows are answered one by one, bad input is named."""

import copy
import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any
from unittest import SkipTest

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import get_tags
from sklearn.utils.validation import has_fit_parameter

from sklearn_dl.testing.examples import (
    Data,
    MakeData,
    example,
    fitted,
    has_parameter,
    n_rows,
    small,
    take,
    takes_tables,
)
from sklearn_dl.testing.outputs import assert_close, assert_same, outputs, row_by_row, same
from sklearn_dl.testing.parameters import is_own


def input_checks(estimator: BaseEstimator) -> Iterator[Any]:
    """Yield the checks of this file that apply."""
    tags = get_tags(estimator)
    yield partial(check_arrays_are_untouched, order="C")
    if takes_tables(estimator):
        yield partial(check_arrays_are_untouched, order="F")
    yield check_read_only_arrays_are_accepted
    if not tags.non_deterministic:
        yield check_rows_are_answered_one_by_one
    if has_parameter(estimator, "batch_size"):
        yield check_batch_size_does_not_change_answers
    if not tags.no_validation:
        for fault in _FAULTS if takes_tables(estimator) else _FAULTS_OF_ANY_INPUT:
            if fault in ("nan", "inf") and tags.input_tags.allow_nan:
                continue
            if fault == "lengths" and not tags.target_tags.required:
                continue
            yield partial(check_bad_input_is_named, fault=fault)
        if takes_tables(estimator):
            yield check_wrong_number_of_features_is_named


def check_arrays_are_untouched(estimator: BaseEstimator, make_data: MakeData, order: str) -> None:
    """Fit and predict change no array of the caller, whatever its type and memory order."""
    for dtype in (np.float64, np.float32):
        data = _with_weights(estimator, example(make_data))
        data["X"] = _cast(data["X"], dtype, order)
        before = copy.deepcopy(data)
        outputs(fitted(estimator, data), data["X"])
        changed = [name for name in before if not same(data[name], before[name])]
        if changed:
            raise AssertionError(f"with X in {np.dtype(dtype)}, {changed} changed. Copy before writing.")


def check_read_only_arrays_are_accepted(estimator: BaseEstimator, make_data: MakeData) -> None:
    """Arrays that cannot be written give the same answers as those that can."""
    data = _with_weights(estimator, example(make_data))
    frozen = copy.deepcopy(data)
    for value in frozen.values():
        if isinstance(value, np.ndarray):
            value.setflags(write=False)
    assert_same(
        outputs(fitted(estimator, frozen), frozen["X"]),
        outputs(fitted(estimator, data), data["X"]),
        "from read-only arrays,",
    )


def check_rows_are_answered_one_by_one(estimator: BaseEstimator, make_data: MakeData) -> None:
    """A row gets the same answer alone as among others."""
    data = take(example(make_data), np.arange(12))
    model = fitted(estimator, example(make_data))
    expected = outputs(model, data["X"])
    expected.pop("sample", None)
    rows = [take(data, np.array([i]))["X"] for i in range(n_rows(data))]
    assert_close(row_by_row(model, rows), expected, "row by row,")


def check_batch_size_does_not_change_answers(estimator: BaseEstimator, make_data: MakeData) -> None:
    """After fit, batch_size changes the memory that predict needs and nothing else."""
    data = example(make_data)
    model = fitted(estimator, data)
    expected = outputs(model, data["X"])
    for batch_size in (1, 7, 1000):
        answers = outputs(model.set_params(batch_size=batch_size), data["X"])
        assert_close(answers, expected, f"with batch_size={batch_size},")


def check_bad_input_is_named(estimator: BaseEstimator, make_data: MakeData, fault: str) -> None:
    """Fit meets an unusable X or y with a ValueError or TypeError that names the estimator or argument."""
    data = _FAULTS[fault](example(make_data))
    _assert_refused(estimator, lambda: small(estimator).fit(**data))


def check_wrong_number_of_features_is_named(estimator: BaseEstimator, make_data: MakeData) -> None:
    """A fitted estimator meets X with a column less with a ValueError that names the estimator or X."""
    data = example(make_data)
    model = fitted(estimator, data)
    for method in ("predict", "transform"):
        if hasattr(model, method):
            _assert_refused(estimator, partial(getattr(model, method), data["X"][:, :-1]))


def _assert_refused(estimator: BaseEstimator, call: Callable[[], Any]) -> None:
    try:
        call()
    except (ValueError, TypeError) as error:
        # Of other packages only the kind of error is asked, for scikit-learn's own messages name less.
        if is_own(estimator) and not re.search(rf"\b(X|y|{type(estimator).__name__})\b", str(error)):
            raise AssertionError(f"the message names neither the estimator nor X or y: {error}") from error
        return
    raise AssertionError("no error was raised.")


def _with_weights(estimator: BaseEstimator, data: Data) -> Data:
    if has_fit_parameter(estimator, "sample_weight"):
        return {**data, "sample_weight": np.linspace(0.5, 1.5, n_rows(data))}
    return data


def _cast(X: Any, dtype: Any, order: str) -> Any:
    """Copy of X in another float type and order; X itself where it does not hold floats."""
    if isinstance(X, np.ndarray) and X.dtype.kind == "f":
        return np.array(X, dtype=dtype, order=order)  # type: ignore[call-overload]
    return X


def _with_value(data: Data, value: float) -> Data:
    X = copy.deepcopy(data["X"])
    first = np.asarray(X[0])
    if first.dtype.kind != "f":
        raise SkipTest(f"X holds no floats, so no {value}")
    first.flat[0] = value
    X[0] = first
    return {**data, "X": X}


#: Ways to spoil good data, for any kind of X ...
_FAULTS_OF_ANY_INPUT: dict[str, Callable[[Data], Data]] = {
    "nan": lambda data: _with_value(data, np.nan),
    "inf": lambda data: _with_value(data, np.inf),
    "lengths": lambda data: {**data, "y": data["y"][:-1]},
    "empty": lambda data: take(data, np.arange(0)),
}
#: ... and those of a table alone.
_FAULTS = _FAULTS_OF_ANY_INPUT | {
    "complex": lambda data: {**data, "X": data["X"] + 1j},
    "one_dimension": lambda data: {**data, "X": data["X"][:, 0]},
}
