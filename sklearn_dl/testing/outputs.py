"""What a fitted estimator answers, and how two answers are compared."""

from typing import Any

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator

_METHODS = ("predict", "predict_proba", "decision_function", "score_samples", "transform")


def outputs(model: BaseEstimator, X: Any) -> dict[str, Any]:
    """Answer of every method that takes X; distances of ``kneighbors``, and rows of ``sample``."""
    answers = {method: getattr(model, method)(X) for method in _METHODS if hasattr(model, method)}
    if hasattr(model, "kneighbors"):
        answers["kneighbors"] = model.kneighbors(X)[0]
    if hasattr(model, "sample"):
        answers["sample"] = model.sample(3)
    return answers


def row_by_row(model: BaseEstimator, rows: list[Any]) -> dict[str, Any]:
    """Answers to single rows, joined; without ``sample``, which takes no rows."""
    parts = [outputs(model, row) for row in rows]
    return {
        method: np.concatenate([np.asarray(_dense(part[method])) for part in parts])
        for method in parts[0]
        if method != "sample"
    }


def assert_same(actual: Any, expected: Any, what: str = "") -> None:
    """Raise AssertionError unless both hold the same bits; the message begins with `what`."""
    _compare(actual, expected, what, rtol=None)


def assert_close(actual: Any, expected: Any, what: str = "", *, rtol: float = 1e-4) -> None:
    """As :func:`assert_same`, but floats may differ by `rtol` of the largest expected one, or of 1."""
    _compare(actual, expected, what, rtol=rtol)


def same(actual: Any, expected: Any) -> bool:
    """Whether two values, nested or not, hold the same bits."""
    try:
        assert_same(actual, expected)
    except AssertionError:
        return False
    return True


def _compare(actual: Any, expected: Any, what: str, *, rtol: float | None) -> None:
    if isinstance(expected, dict):
        if set(actual) != set(expected):
            raise AssertionError(f"{what}: expected {sorted(expected)}, got {sorted(actual)}.")
        for key, value in expected.items():
            _compare(actual[key], value, f"{what} {key}".strip(), rtol=rtol)
    elif isinstance(expected, list | tuple):
        if len(actual) != len(expected):
            raise AssertionError(f"{what}: expected {len(expected)} parts, got {len(actual)}.")
        for a, b in zip(actual, expected, strict=True):
            _compare(a, b, what, rtol=rtol)
    else:
        _compare_arrays(np.asarray(_dense(actual)), np.asarray(_dense(expected)), what, rtol)


def _compare_arrays(actual: np.ndarray, expected: np.ndarray, what: str, rtol: float | None) -> None:
    if actual.shape != expected.shape:
        raise AssertionError(f"{what}: expected shape {expected.shape}, got {actual.shape}.")
    floats = actual.dtype.kind in "fc" and expected.dtype.kind in "fc"
    if floats:
        scale = max(1.0, float(np.abs(expected).max(initial=0)))
        differ = ~np.isclose(actual, expected, rtol=0, atol=scale * (rtol or 0), equal_nan=True)
    else:
        differ = actual != expected
    if np.any(differ):
        got, wanted = actual[differ], expected[differ]
        raise AssertionError(
            f"{what}: {len(got)} of {actual.size} differ; expected {_short(wanted)}, got {_short(got)}."
        )


def _dense(value: Any) -> Any:
    return value.toarray() if sparse.issparse(value) else value


def _short(values: np.ndarray) -> str:
    return np.array2string(values[:4], precision=6, separator=", ") + (" ..." if len(values) > 4 else "")
