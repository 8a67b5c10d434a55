"""Whether the next trial changes all parameters or one: each kind goes on while it improves."""

from enum import Enum

import numpy as np

from sklearn_dl.model_selection.encoding import SpaceEncoding

_SAME = 1e-9  # places of one value after a conversion to it and back, in sides of the cube


class Turn(Enum):
    """What the next trial may change, and by which surrogate."""

    WHOLE = "all parameters"
    LINE = "one parameter of the best trial"
    WARPED_LINE = "one parameter of the best trial, by a surrogate of warped targets"


def next_turn(rows: np.ndarray, values: np.ndarray, encoding: SpaceEncoding, n_running: int) -> Turn:
    """Kind of the next trial: that of the last one if it was the best so far, else the other one.

    Steps in all parameters follow valleys, and steps in one leave a local minimum that is bad in that one
    alone. Which helps is not known before; the trials say it at any stage of a search. Lines take turns
    between targets as they are and warped ones. So do the kinds while several trials run.

    Parameters
    ----------
    rows : ndarray of shape (n, n_columns)
        Trials in the unit cube, in the order of their numbers.
    values : ndarray of shape (n,)
        Their values; lower is better.
    encoding : SpaceEncoding
        What the columns mean.
    n_running : int
        Trials that run.
    """
    if len(encoding.parts) == 1 or len(rows) < 2:
        return Turn.WHOLE
    best = int(np.argmin(values[:-1]))
    improved = bool(values[-1] < values[best])
    lined = _n_changed(rows[best], rows[-1], encoding) <= 1
    if (lined == improved) == (n_running % 2 == 1):
        return Turn.WHOLE
    return Turn.WARPED_LINE if len(rows) // 2 % 2 == 0 else Turn.LINE


def _n_changed(before: np.ndarray, after: np.ndarray, encoding: SpaceEncoding) -> int:
    """Number of parameters that both rows have, with other values."""
    present = ~encoding.absent(np.stack([before, after])).any(axis=0)
    changed = present & (np.abs(after - before) > _SAME)
    return len(np.unique(encoding.parameter_of_column[changed]))
