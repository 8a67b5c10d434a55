"""Logistic regression of fewer rows than features, in coordinates of the space that the rows span.

Coefficients at right angles to all rows change no probability, and a squared penalty keeps them at 0. What is
left has one coordinate a row at most, whatever the number and the scales of the features.
"""

from collections.abc import Callable

import numpy as np
from scipy import sparse

from sklearn_dl._base.arrays import move_like
from sklearn_dl.linear_model.augmented_rows import RowSpan
from sklearn_dl.linear_model.gram import in_float64
from sklearn_dl.linear_model.logistic_loss import LogisticLoss

_FEW_ROWS = 300  # up to which their inner products cost no more than some passes over them
_MOST_ROWS = 700  # up to which Newton's method in their coordinates, for two classes, is cheap enough
_LARGEST_FILLED = 1_000_000  # elements of CSR up to which its zeros are no burden


def rows_are_few(loss: LogisticLoss) -> bool:
    """Whether coordinates of the row space are fewer than features, and cheap to find."""
    few = loss.n_samples < loss.n_features and loss.n_samples <= (
        _MOST_ROWS if loss.n_classes == 2 else _FEW_ROWS
    )
    return few and (not sparse.issparse(loss.X) or loss.n_samples * loss.n_features <= _LARGEST_FILLED)


class RowSpace:
    """The same loss as a function of coefficients of orthonormal coordinates, and the way there and back.

    Parameters
    ----------
    loss : LogisticLoss
        Of fewer rows than features.
    """

    def __init__(self, loss: LogisticLoss) -> None:
        self._shape = loss.shape
        self._span = RowSpan(in_float64(loss.X.toarray() if sparse.issparse(loss.X) else loss.X))
        self.loss = LogisticLoss(
            self._span.X,
            loss.codes,
            None if loss.weight is None else move_like(loss.weight, self._span.X),
            n_classes=loss.n_classes,
            l2=loss.l2[0],
            fit_intercept=loss.fit_intercept,
            intercept_l2=loss.l2[-1] if loss.fit_intercept else 0.0,
            center=self._span.project(loss.center),
        )

    def expand(self, flat: np.ndarray) -> np.ndarray:
        """Flat parameters of the features from those of the coordinates."""
        return self._each(flat.reshape(self.loss.shape), self.loss.n_features, self._span.expand)

    def project(self, flat: np.ndarray) -> np.ndarray:
        """Flat parameters of the coordinates that give the same scores as those of the features."""
        n_features = self._shape[1] - self.loss.fit_intercept
        return self._each(flat.reshape(self._shape), n_features, self._span.project)

    def _each(
        self, rows: np.ndarray, n_columns: int, change: Callable[[np.ndarray], np.ndarray]
    ) -> np.ndarray:
        return np.concatenate([np.append(change(row[:n_columns]), row[n_columns:]) for row in rows])
