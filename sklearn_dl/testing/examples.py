"""The data that checks fit on, and the small copy of the estimator that they fit."""

from collections.abc import Callable
from typing import Any
from unittest import SkipTest

import numpy as np
from sklearn.base import BaseEstimator, clone, is_classifier, is_regressor
from sklearn.utils import _safe_indexing, get_tags

Data = dict[str, Any]
MakeData = Callable[[np.random.Generator], Data]

#: Parameters that say how long a fit lasts, and the value that is long enough for most checks.
_DURATIONS = {"max_epochs": 4, "max_iter": 20, "n_estimators": 5}


def takes_tables(estimator: BaseEstimator) -> bool:
    """Whether X is a table: rows of numbers, one column a feature."""
    tags = get_tags(estimator).input_tags
    return tags.two_d_array and not tags.pairwise


def has_parameter(estimator: BaseEstimator, name: str) -> bool:
    """Whether the constructor has a parameter of this name."""
    return name in estimator.get_params(deep=False)


def make_table(estimator: BaseEstimator, rng: np.random.Generator) -> Data:
    """Rows that are easy for any estimator of tables: classes that overlap little, or a linear target."""
    tags = get_tags(estimator)
    codes = np.arange(60) % (2 if tags.classifier_tags and not tags.classifier_tags.multi_class else 3)
    rng.shuffle(codes)
    centres = np.array([[2, 0, 0, 0, 0], [0, 2, 0, 0, 0], [0, 0, 2, 0, 0]])
    X = rng.normal(size=(60, 5)) + (centres[codes] if is_classifier(estimator) else 0)
    if tags.input_tags.positive_only:
        X = X - X.min() + 0.1
    if is_classifier(estimator):
        return {"X": X, "y": codes}
    if not is_regressor(estimator) and not tags.target_tags.required:
        return {"X": X}
    # Large enough that penalties of usual strength leave something of the coefficients.
    y = 10 * (X @ np.array([0.8, -0.5, 0.3, 0.0, 0.0]) + 0.1 * rng.normal(size=60))
    if tags.target_tags.multi_output and not tags.target_tags.single_output:
        y = np.column_stack([y, -y])
    return {"X": X, "y": y - y.min() + 1 if tags.target_tags.positive_only else y}


def example(make_data: MakeData, seed: int = 0) -> Data:
    """Keyword arguments of ``fit``; the same seed gives the same."""
    return make_data(np.random.default_rng(seed))


def small(estimator: BaseEstimator, /, **params: Any) -> BaseEstimator:
    """Unfitted copy that fits fast and, where it has a ``random_state``, the same way every time."""
    copy = clone(estimator)
    for name, limit in _DURATIONS.items():
        if isinstance(getattr(copy, name, None), int):
            setattr(copy, name, min(getattr(copy, name), limit))
    if has_parameter(copy, "random_state"):
        copy.set_params(random_state=0)
    return copy.set_params(**params)


def fitted(estimator: BaseEstimator, data: Data, /, **params: Any) -> BaseEstimator:
    """Small copy of the estimator, fitted."""
    model = small(estimator, **params)
    model.fit(**data)
    return model


def metadata(data: Data) -> Data:
    """Arguments of ``fit`` beside X and y."""
    return {name: value for name, value in data.items() if name not in ("X", "y")}


def n_rows(data: Data) -> int:
    """Number of samples."""
    return len(data["X"])


def take(data: Data, rows: Any) -> Data:
    """Arguments of ``fit`` for some of the rows; what has no row per sample stays as it is."""
    n = n_rows(data)
    return {
        name: _safe_indexing(value, rows) if hasattr(value, "__len__") and len(value) == n else value
        for name, value in data.items()
    }


def classes_and_codes(data: Data) -> tuple[np.ndarray, np.ndarray]:
    """Labels in order and, for each row, the index of its label."""
    y = np.asarray(data.get("y"))
    if y.ndim != 1:
        raise SkipTest("the example data has not one label a row")
    classes, codes = np.unique(y, return_inverse=True)
    return classes, codes


def two_classes(data: Data) -> Data:
    """Rows of the first two classes."""
    _, codes = classes_and_codes(data)
    return take(data, np.flatnonzero(codes < 2))
