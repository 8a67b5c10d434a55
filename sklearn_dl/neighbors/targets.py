"""Targets that neighbours pass on as they are."""

from typing import Any

import numpy as np
from sklearn.utils.validation import check_array

from sklearn_dl._base.arrays import Array
from sklearn_dl._base.targets import naming, require_equal_length


def read_targets(y: Any, X: Array, owner: str) -> np.ndarray:
    """Targets of any dtype, of shape (n_samples,) or (n_samples, n_outputs).

    Raises
    ------
    ValueError
        If y is missing, holds NaN or infinity, or has another number of rows than X.
    """
    if y is None:
        raise ValueError(f"{owner} requires y to be passed, but the target y is None.")
    with naming(owner):
        y = check_array(y, dtype=None, ensure_2d=False, input_name="y", force_writeable=False)
    if y.ndim == 0 or y.ndim > 2:
        raise ValueError(f"{owner}: y must have shape (n_samples,) or (n_samples, n_outputs); got {y.shape}.")
    require_equal_length(X, y, owner)
    return y
