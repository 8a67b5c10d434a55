"""Which trials the surrogate is fitted to, when there are more than a suggestion has time for."""

import numpy as np

#: Rows of the surrogate, at most: its cost grows with their cube.
MAX_ROWS = 150


def representative(rows: np.ndarray, values: np.ndarray, n_rows: int = MAX_ROWS) -> np.ndarray:
    """Numbers of at most so many rows, in order: a third the best, a third the latest, the others far apart.

    The best ones say where the optimum is, the latest ones are what the sampler just learnt, and those that
    are far from all chosen ones keep it from going back to where nothing is to be found.

    Parameters
    ----------
    rows : ndarray of shape (n, n_columns)
        Trials in the unit cube, in the order of their numbers.
    values : ndarray of shape (n,)
        Their values; lower is better.
    n_rows : int
        Rows to choose, at least 3.
    """
    n = len(rows)
    if n <= n_rows:
        return np.arange(n)
    share = n_rows // 3
    chosen = np.zeros(n, dtype=bool)
    chosen[np.argsort(values, kind="stable")[:share]] = True
    chosen[np.flatnonzero(~chosen)[-share:]] = True
    nearest = np.full(n, np.inf)
    for number in np.flatnonzero(chosen).tolist():
        nearest = np.minimum(nearest, _squared_distance(rows, number))
    for _ in range(n_rows - 2 * share):
        number = int(np.argmax(np.where(chosen, -1.0, nearest)))
        chosen[number] = True
        nearest = np.minimum(nearest, _squared_distance(rows, number))
    return np.flatnonzero(chosen)


def _squared_distance(rows: np.ndarray, number: int) -> np.ndarray:
    apart = rows - rows[number]
    return np.einsum("ij,ij->i", apart, apart)
