"""What `metric`, `p`, `metric_params` and `algorithm` come down to: a metric, its arguments and a method."""

import warnings
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from sklearn.metrics import DistanceMetric
from sklearn.neighbors import VALID_METRICS, VALID_METRICS_SPARSE

from sklearn_dl._base.params import InvalidParameterError

#: Names of one metric.
_SYNONYMS = {"l1": "manhattan", "cityblock": "manhattan", "l2": "euclidean", "infinity": "chebyshev"}
#: Parameters of a metric of which one has to be given.
_NEEDED_PARAMS = {"seuclidean": ("V",), "mahalanobis": ("V", "VI")}

Metric: TypeAlias = str | Callable | DistanceMetric


def effective_metric(
    metric: Metric, p: float | None, metric_params: dict[str, Any] | None
) -> tuple[Metric, dict[str, Any]]:
    """Metric under the name that its fastest route goes by, with its arguments.

    The Minkowski metric is Manhattan, Euclidean or Chebyshev for p of 1, 2 or infinity without weights.
    """
    params = dict(metric_params or {})
    if metric != "minkowski":
        return metric, params
    power, weight = params.pop("p", p) or 2, params.pop("w", None)
    named = {1: "manhattan", 2: "euclidean", np.inf: "chebyshev"}
    if weight is None and power in named:
        return named[power], params
    return "minkowski", {**params, "p": power, "w": weight}


def canonical_name(metric: Metric) -> Metric:
    """The one name that stands for all synonyms of a metric."""
    return _SYNONYMS.get(metric, metric) if isinstance(metric, str) else metric


def check_metric(
    metric: Metric, algorithm: str, p: float | None, metric_params: dict[str, Any] | None, owner: str
) -> None:
    """Raise, or warn, where metric, algorithm and their parameters do not go together.

    Raises
    ------
    ValueError
        If the metric is unknown or lacks a parameter, or the algorithm cannot search by it.
    """
    if p is not None and not p > 0:
        raise InvalidParameterError(f"{owner}: p must be a float above 0 or None; got {p!r}.")
    if metric_params is not None and "p" in metric_params and p is not None:
        warnings.warn(
            "Parameter p is found in metric_params. The corresponding parameter from __init__ is ignored.",
            SyntaxWarning,
            stacklevel=4,
        )
    if isinstance(metric, DistanceMetric):
        return
    if callable(metric):
        if algorithm == "kd_tree":
            raise ValueError(
                f"{owner}: kd_tree does not support callable metric {metric!r}. Use 'ball_tree'."
            )
        return
    trees = {*VALID_METRICS["ball_tree"], *VALID_METRICS["kd_tree"]}
    valid = {*VALID_METRICS["brute"], *trees} if algorithm == "auto" else set(VALID_METRICS[algorithm])
    if metric not in valid:
        raise ValueError(
            f"{owner}: Metric {metric!r} not valid with algorithm={algorithm!r}. Use one of {sorted(valid)}, "
            "or a callable."
        )
    needed = _NEEDED_PARAMS.get(metric, ())
    if needed and not any(name in (metric_params or {}) for name in needed):
        raise ValueError(
            f"{owner}: metric={metric!r} needs {' or '.join(needed)} in metric_params; got {metric_params}. "
            "V holds the variances of the features for 'seuclidean', and is their covariance matrix for "
            "'mahalanobis', of which VI is the inverse."
        )


def check_sparse_metric(metric: Metric, algorithm: str, owner: str) -> None:
    """Raise ValueError if rows in CSR have no such metric; warn if a tree was asked for."""
    if algorithm not in ("auto", "brute"):
        warnings.warn("cannot use tree with sparse input: using brute force", stacklevel=4)
    if isinstance(metric, str) and metric not in VALID_METRICS_SPARSE["brute"]:
        raise ValueError(
            f"{owner}: Metric {metric!r} not valid for sparse input. "
            f"Use one of {sorted(VALID_METRICS_SPARSE['brute'])}, or a callable."
        )


def choose_method(
    metric: Metric, params: dict[str, Any], algorithm: str, shape: tuple[int, int], n_neighbors: int | None
) -> str:
    """'kd_tree', 'ball_tree' or 'brute', by scikit-learn's rules.

    Raises
    ------
    ValueError
        If the algorithm that was asked for cannot search by the metric.
    """
    method = algorithm if algorithm != "auto" else _automatic(metric, params, shape, n_neighbors)
    if metric == "minkowski":
        if params["p"] < 1 and method != "brute":
            raise ValueError(
                f'algorithm="{method}" does not support 0 < p < 1 for the Minkowski metric. To resolve this '
                'problem either set p >= 1 or algorithm="brute".'
            )
        if params["p"] < 1:
            warnings.warn(
                "Mind that for 0 < p < 1, Minkowski metrics are not distance metrics. "
                "Continuing the execution with `algorithm='brute'`.",
                stacklevel=4,
            )
        if params["w"] is not None and method == "kd_tree":
            raise ValueError(
                "algorithm='kd_tree' is not valid for metric='minkowski' with a weight parameter 'w': "
                "try algorithm='ball_tree' or algorithm='brute' instead."
            )
    return method


def _automatic(
    metric: Metric, params: dict[str, Any], shape: tuple[int, int], n_neighbors: int | None
) -> str:
    n_samples, n_features = shape
    many = n_neighbors is not None and n_neighbors >= n_samples // 2
    if metric == "precomputed" or n_features > 15 or many:
        return "brute"
    if metric == "minkowski" and (params["p"] < 1 or params["w"] is not None):
        return "brute" if params["p"] < 1 else "ball_tree"
    if isinstance(metric, str) and metric in VALID_METRICS["kd_tree"]:
        return "kd_tree"
    return "ball_tree" if callable(metric) or metric in VALID_METRICS["ball_tree"] else "brute"
