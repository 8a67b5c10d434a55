"""From a tree's parameters to numbers: when to stop, and what to look at."""

import math
from numbers import Integral
from typing import Any

import numpy as np

from sklearn_dl.tree.kernel import Limits

_UNLIMITED = np.iinfo(np.int32).max


def read_limits(model: Any, n_samples: int, n_classes: int, weight: np.ndarray | None) -> Limits:
    """Limits of a tree that is grown from `n_samples` rows, those of weight 0 among them.

    Parameters
    ----------
    model : DecisionTreeClassifier or DecisionTreeRegressor
        Its parameters and ``n_features_in_`` are read.
    n_samples : int
        Rows.
    n_classes : int
        0 for real targets.
    weight : ndarray of shape (n_samples,) or None
        None means 1.

    Returns
    -------
    limits : Limits
        For the kernels.

    Raises
    ------
    ValueError
        If ``monotonic_cst`` does not hold a -1, 0 or 1 for every feature, or there are more than two classes.
    """
    total_weight = float(n_samples) if weight is None else float(weight.sum())
    min_samples_leaf = _count(model.min_samples_leaf, n_samples)
    min_weight_leaf = model.min_weight_fraction_leaf * total_weight
    if weight is None:  # a weight is a number of rows then, so there is one limit less to check
        min_samples_leaf, min_weight_leaf = max(min_samples_leaf, math.ceil(min_weight_leaf)), 0.0
    min_samples_split = max(2, _count(model.min_samples_split, n_samples), 2 * min_samples_leaf)
    return Limits(
        max_depth=_UNLIMITED if model.max_depth is None else int(model.max_depth),
        min_samples_split=min_samples_split,
        min_samples_leaf=min_samples_leaf,
        min_weight_leaf=float(min_weight_leaf),
        max_leaf_nodes=int(model.max_leaf_nodes or 0),
        # A split may seem to worsen the impurity by rounding.
        min_impurity_decrease=(float(model.min_impurity_decrease) - np.finfo(np.float64).eps) * total_weight,
        max_features=_n_features(model.max_features, model.n_features_in_),
        signs=_signs(model, n_classes),
    )


def _count(limit: Any, n_samples: int) -> int:
    return int(limit) if isinstance(limit, Integral) else math.ceil(limit * n_samples)


def _n_features(limit: Any, n_features: int) -> int:
    if limit is None:
        return n_features
    if isinstance(limit, Integral):
        return int(limit)
    share = (
        {"sqrt": math.sqrt, "log2": math.log2}[limit](n_features)
        if isinstance(limit, str)
        else limit * n_features
    )
    return max(1, int(share))


def _signs(model: Any, n_classes: int) -> np.ndarray:
    """1 for features with which the value must rise, -1 for those with which it must fall, else 0.

    The value is the mean or, for classes, the share of the first one, which falls where the second one rises.
    """
    name = type(model).__name__
    if model.monotonic_cst is None:
        return np.zeros(model.n_features_in_, np.int8)
    signs = np.asarray(model.monotonic_cst)
    if signs.shape != (model.n_features_in_,):
        raise ValueError(
            f"{name}: monotonic_cst has shape {signs.shape} but the input data X has "
            f"{model.n_features_in_} features."
        )
    if not np.isin(signs, (-1, 0, 1)).all():
        raise ValueError(
            f"{name}: monotonic_cst must be None or an array-like of -1, 0 or 1, but got {np.unique(signs)}"
        )
    if n_classes > 2:
        raise ValueError(
            f"{name}: Monotonicity constraints are not supported with multiclass classification; "
            f"y holds {n_classes} classes."
        )
    return signs.astype(np.int8) * np.int8(-1 if n_classes > 0 else 1)
