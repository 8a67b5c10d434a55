"""Choosing the nearest from given distances, ties by index; for ndarrays and tensors."""

import numpy as np

from sklearn_dl._base.arrays import Array, is_tensor, namespace


def sort_by_distance_and_row(distance: np.ndarray, row: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both with every line sorted by (distance, row)."""
    order = np.lexsort((row, distance), axis=-1)
    return np.take_along_axis(distance, order, axis=1), np.take_along_axis(row, order, axis=1)


def smallest(distances: Array, k: int) -> tuple[Array, Array]:
    """The `k` smallest of each line of `distances`, and their columns, ordered by (distance, column).

    Parameters
    ----------
    distances : ndarray or tensor of shape (n_queries, n_samples)
    k : int
        At most n_samples.
    """
    xp = namespace(distances)
    if is_tensor(distances):
        if k == distances.shape[1]:
            column = xp.argsort(distances, dim=1, stable=True)
            return xp.gather(distances, 1, column), column
        chosen, column = xp.topk(distances, k, dim=1, largest=False)
        column, _ = xp.sort(column, dim=1)
        order = xp.argsort(xp.gather(distances, 1, column), dim=1, stable=True)
        column = xp.gather(column, 1, order)
        tied = (distances <= chosen.amax(1, keepdim=True)).sum(1) > k
        if bool(tied.any()):
            column[tied] = xp.argsort(distances[tied], dim=1, stable=True)[:, :k]
        return xp.gather(distances, 1, column), column
    if k == distances.shape[1]:
        column = np.argsort(distances, axis=1, kind="stable")
        return np.take_along_axis(distances, column, axis=1), column
    column = np.argpartition(distances, k - 1, axis=1)[:, :k]
    chosen, column = sort_by_distance_and_row(np.take_along_axis(distances, column, axis=1), column)
    tied = np.flatnonzero((distances <= chosen[:, -1:]).sum(axis=1) > k)
    if len(tied):
        column[tied] = np.argsort(distances[tied], axis=1, kind="stable")[:, :k]
    return np.take_along_axis(distances, column, axis=1), column


def without_self(distance: Array, row: Array) -> tuple[Array, Array]:
    """Neighbours of the fitted rows among one another, without each row itself.

    A row that is not among its own k + 1 nearest, for it has that many copies before it, loses the first.

    Parameters
    ----------
    distance, row : ndarray or tensor of shape (n_samples, k + 1)
        Neighbours of the fitted rows, in their order.
    """
    xp = namespace(row)
    n_samples, width = row.shape
    numbers = xp.arange(n_samples, device=row.device) if is_tensor(row) else np.arange(n_samples)
    others = row != numbers[:, None]
    others[:, 0] &= ~xp.all(others, 1)
    return distance[others].reshape(n_samples, width - 1), row[others].reshape(n_samples, width - 1)
