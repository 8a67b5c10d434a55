"""What a regressor reads: rows, targets and the variance of their noise."""

from typing import Any

import numpy as np
from sklearn.gaussian_process.kernels import Kernel
from sklearn.utils.validation import check_array, validate_data

from sklearn_dl._base.arrays import is_tensor, on_host, to_host
from sklearn_dl._base.inputs import FloatTableInput
from sklearn_dl._base.targets import naming


class RegressionInput(FloatTableInput):
    """X, y and noise as float64, or a message says what to do."""

    copy_X_train: bool  # noqa: N815
    normalize_y: bool
    y_train_: np.ndarray
    _y_train_mean: np.ndarray
    _y_train_std: np.ndarray

    def _read_rows(self, X: Any, kernel: Kernel, *, reset: bool, in_kind: bool = False) -> Any:
        """Rows in float64, or with `in_kind` a tensor as it is."""
        if not kernel.requires_vector_input:
            return validate_data(self, on_host(X), reset=reset, ensure_2d=False, dtype=None)
        if not reset and not hasattr(self, "n_features_in_"):
            return check_array(on_host(X), dtype=np.float64)
        X = self._read_X(X, reset=reset, accept_sparse=False, dtype=np.float64)
        return X if in_kind else to_host(X).astype(np.float64, copy=False)

    def _kept(self, X: Any) -> Any:
        """Rows to keep, on the host and in float64."""
        if is_tensor(X):
            return to_host(X).astype(np.float64)
        return np.copy(X) if self.copy_X_train else X

    def _read_targets(self, y: Any) -> np.ndarray:
        if y is None:
            raise ValueError(f"{type(self).__name__} requires y to be passed, but the target y is None.")
        with naming(type(self).__name__):
            y = check_array(
                on_host(y), dtype=np.float64, ensure_2d=False, input_name="y", force_writeable=False
            )
        if y.ndim not in (1, 2):
            raise ValueError(
                f"{type(self).__name__}: y must have shape (n_samples,) or (n_samples, n_targets); "
                f"got {y.shape}."
            )
        return y

    def _require_a_target_each(self, X: Any, y: np.ndarray) -> None:
        if len(X) != len(y):
            raise ValueError(
                f"{type(self).__name__}: X and y must have equally many rows. "
                f"Found input variables with inconsistent numbers of samples: [{len(X)}, {len(y)}]."
            )

    def _read_noise(self, sample_noise: Any, n_samples: int, alpha: Any) -> np.ndarray:
        """Variance of the noise of each row."""
        total = np.zeros(n_samples)
        for name, value in (
            ("alpha", alpha),
            ("sample_noise", 0.0 if sample_noise is None else sample_noise),
        ):
            try:
                values = np.asarray(on_host(value), dtype=np.float64)
            except (TypeError, ValueError) as error:
                raise ValueError(
                    f"{type(self).__name__}: {name} must hold numbers; got {value!r}."
                ) from error
            if values.shape not in ((), (1,), (n_samples,)):
                raise ValueError(
                    f"{type(self).__name__}: {name} must be a scalar or an array with same number of "
                    f"entries as y, of shape ({n_samples},); got shape {values.shape}."
                )
            if not np.isfinite(values).all() or (values < 0).any():
                wrong = values[~(np.isfinite(values) & (values >= 0))].flat[0]
                raise ValueError(
                    f"{type(self).__name__}: {name} must hold finite variances of at least 0; got {wrong}."
                )
            total += values
        return total

    def _normalize(self, y: np.ndarray) -> None:
        shape = y.shape[1:] or 1
        self._y_train_mean, self._y_train_std = np.zeros(shape), np.ones(shape)
        if self.normalize_y:
            std = np.std(y, axis=0)
            # A constant target, but for rounding, has no scale.
            constant = std <= 10 * np.finfo(np.float64).eps * np.abs(y).max(axis=0)
            self._y_train_mean, self._y_train_std = np.mean(y, axis=0), np.where(constant, 1.0, std)

    def _mean_in_units_of_y(self, mean: np.ndarray) -> np.ndarray:
        """Means of the normalised targets in units of y, of shape (n_rows,) where there is one target."""
        mean = self._y_train_std * mean + self._y_train_mean
        return mean[:, 0] if mean.ndim > 1 and mean.shape[1] == 1 else mean

    def _in_units_of_y(self, variance: np.ndarray) -> np.ndarray:
        """Variances of the normalised targets times the squared scale of each target, as a last axis."""
        scale = np.broadcast_to(self._y_train_std, self.y_train_.shape[1:] or (1,))
        scaled = variance[..., None] * scale**2
        return scaled[..., 0] if scaled.shape[-1] == 1 else scaled
