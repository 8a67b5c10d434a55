"""Some rows of a table without a copy of them all."""

from typing import Any

import numpy as np

from sklearn_dl._base.arrays import Array
from sklearn_dl.linear_model.gram import ALL_ROWS

_LARGEST_COPY = 1 << 20  # elements that are simply copied


class RowSubset:
    """Rows of a dense table in C order, copied from it a slice at a time.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        The table.
    index : ndarray of shape (n_rows,)
        Which rows.
    """

    def __init__(self, X: np.ndarray, index: np.ndarray) -> None:
        self.X, self.index = X, index
        self.shape = (len(index), X.shape[1])
        self.dtype = X.dtype
        self.itemsize = X.itemsize

    def __getitem__(self, rows: slice) -> np.ndarray:
        return self.X[self.index[rows]]


def rows_of(X: Any, index: Array) -> Any:
    """Rows of a table: a :class:`RowSubset` where that can be and a copy would be large, else a copy."""
    if isinstance(X, RowSubset):
        return rows_of(X.X, X.index[index])
    is_large = isinstance(X, np.ndarray) and len(index) * X.shape[1] > _LARGEST_COPY
    return RowSubset(X, index) if is_large and X.flags.c_contiguous else X[index]


def table_and_index(X: Any) -> tuple[Any, np.ndarray]:
    """The table that holds the rows X, and which of its rows they are: ALL_ROWS where X is a table itself."""
    return (X.X, X.index) if isinstance(X, RowSubset) else (X, ALL_ROWS)
