"""Data frames of pandas and polars, and the names of their columns."""

import importlib
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any
from unittest import SkipTest

import numpy as np
import sklearn
from sklearn.base import BaseEstimator
from sklearn.preprocessing import StandardScaler

from sklearn_dl.testing.examples import Data, MakeData, example, fitted, takes_tables
from sklearn_dl.testing.outputs import assert_close, assert_same, outputs

_LIBRARIES = ("pandas", "polars")


def frame_checks(estimator: BaseEstimator) -> Iterator[Any]:
    """Yield the checks of this file that apply."""
    if not takes_tables(estimator):
        return
    for library in _LIBRARIES:
        yield partial(check_frame_answers_as_its_array, library=library)
        yield partial(check_feature_names_are_learned, library=library)
        yield partial(check_other_columns_are_refused, library=library)
        yield partial(check_frame_is_untouched, library=library)
        if hasattr(estimator, "transform"):
            yield partial(check_set_output, library=library)


def check_frame_answers_as_its_array(estimator: BaseEstimator, make_data: MakeData, library: str) -> None:
    """A data frame gives the same answers as the array of its values."""
    data = example(make_data)
    framed = _framed(data, library)
    model, by_array = fitted(estimator, framed), fitted(estimator, data)
    assert_close(outputs(model, framed["X"]), outputs(by_array, data["X"]), "frame's")


def check_feature_names_are_learned(estimator: BaseEstimator, make_data: MakeData, library: str) -> None:
    """Fitted on a data frame, feature_names_in_ holds the names of its columns."""
    framed = _framed(example(make_data), library)
    _need_names(framed["X"], library)
    names = list(getattr(fitted(estimator, framed), "feature_names_in_", []))
    if names != list(framed["X"].columns):
        raise AssertionError(
            f"feature_names_in_ is {names}; expected {list(framed['X'].columns)}. "
            "sklearn.utils.validation.validate_data sets it."
        )


def check_other_columns_are_refused(estimator: BaseEstimator, make_data: MakeData, library: str) -> None:
    """A data frame whose columns are in another order, or fewer, raises ValueError."""
    framed = _framed(example(make_data), library)
    _need_names(framed["X"], library)
    names = list(framed["X"].columns)
    model = fitted(estimator, framed)
    for wrong, what in ((names[::-1], "in another order"), (names[:-1], "with one missing")):
        try:
            outputs(model, framed["X"][wrong])
        except ValueError:
            continue
        raise AssertionError(f"columns {what} raised nothing.")


def check_frame_is_untouched(estimator: BaseEstimator, make_data: MakeData, library: str) -> None:
    """Fit and predict change no value and no column of the caller's data frame."""
    framed = _framed(example(make_data), library)
    before = _framed(example(make_data), library)["X"]
    outputs(fitted(estimator, framed), framed["X"])
    if list(before.columns) != list(framed["X"].columns) or not before.equals(framed["X"]):
        raise AssertionError(f"the frame is now {framed['X'].head(3)}. Copy before writing.")


def check_set_output(estimator: BaseEstimator, make_data: MakeData, library: str) -> None:
    """After set_output, transform gives a frame of the array's values, named by get_feature_names_out."""
    framed = _framed(example(make_data), library)
    model = fitted(estimator, framed)
    if not hasattr(model, "set_output"):
        raise AssertionError("there is no set_output; define get_feature_names_out and there is.")
    expected = np.asarray(model.transform(framed["X"]))
    transformed = model.set_output(transform=library).transform(framed["X"])
    if not isinstance(transformed, type(framed["X"])):
        raise AssertionError(f"transform gives a {type(transformed).__name__}.")
    assert_same(transformed.to_numpy(), expected, "frame")
    names = list(model.get_feature_names_out())
    if list(transformed.columns) != names:
        raise AssertionError(f"the columns are {list(transformed.columns)}; expected {names}.")


def _framed(data: Data, library: str) -> Data:
    """The same data with X as a data frame."""
    X = data["X"]
    columns = {f"feature {i}": X[:, i] for i in range(X.shape[1])}
    return {**data, "X": _frame_class(library)(columns)}


def _need_names(frame: Any, library: str) -> None:
    """Skip where this scikit-learn cannot read the names of this library's columns, as 1.8 with polars 2."""
    if not hasattr(StandardScaler().fit(frame), "feature_names_in_"):
        raise SkipTest(f"scikit-learn {sklearn.__version__} reads no column names of this {library}")


def _frame_class(library: str) -> Callable[[dict[str, Any]], Any]:
    try:
        return importlib.import_module(library).DataFrame
    except ImportError as error:
        raise SkipTest(f"{library} is not installed") from error
