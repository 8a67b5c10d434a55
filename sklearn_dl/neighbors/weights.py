"""Weights of neighbours, from their distances."""

from collections.abc import Callable
from typing import Any

import numpy as np

from sklearn_dl._base.arrays import Array, is_tensor, namespace


def neighbor_weights(distance: Array, weights: str | Callable | None) -> Array | None:
    """Weight of each neighbour, or None where all weigh the same.

    Parameters
    ----------
    distance : ndarray or tensor of shape (n_queries, n_neighbors)
    weights : {"uniform", "distance"}, callable or None
        "distance" is the inverse of the distance; where a neighbour is at distance 0, those at 0 weigh 1 and
        all others 0. A callable takes `distance` and returns an array of its shape.

    Raises
    ------
    ValueError
        If a callable returns another shape.
    """
    if weights in ("uniform", None):
        return None
    xp = namespace(distance)
    if callable(weights):
        given: Any = weights(distance)
        given = given if is_tensor(given) else np.asarray(given)
        if given.shape != distance.shape:
            raise ValueError(
                f"weights must return an array of the shape of the distances, {tuple(distance.shape)}; "
                f"got {tuple(given.shape)}."
            )
        return given
    with np.errstate(divide="ignore", over="ignore"):
        inverse = 1.0 / distance
    infinite = xp.isinf(inverse)
    return xp.where(infinite.any(1)[:, None], infinite * xp.ones_like(inverse), inverse)
