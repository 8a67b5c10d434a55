"""A process of one feature: mean, band and observations."""

from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

# Okabe and Ito's colours, which colour-blind readers tell apart.
_MEAN, _ROWS = "#0072B2", "#000000"


class GaussianProcessDisplay:
    """Mean, band of standard deviations and observations, over one feature.

    Made by :meth:`from_estimator`, or from predictions that were made elsewhere.

    Parameters
    ----------
    grid : ndarray of shape (n_points,)
        Values of the feature.
    mean, std : ndarray of shape (n_points,)
        Predictions there.
    X, y : ndarray of shape (n_samples,), default=None, None
        Observations; None draws none.
    samples : ndarray of shape (n_points, n_functions), default=None
        Functions drawn from the process; None draws none.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes of the drawing.
    figure_ : matplotlib Figure
        Its figure.
    mean_line_ : matplotlib Line2D
        The mean.
    band_ : matplotlib PolyCollection
        The band.
    rows_ : matplotlib Line2D or None
        The observations.
    sample_lines_ : list of matplotlib Line2D
        The functions drawn.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_dl.gaussian_process import GaussianProcessRegressor
    >>> from sklearn_dl.plotting import GaussianProcessDisplay
    >>> X = np.linspace(0, 6, 8)[:, None]
    >>> model = GaussianProcessRegressor(alpha=0.01).fit(X, np.sin(X[:, 0]))
    >>> display = GaussianProcessDisplay.from_estimator(model, n_functions=3)
    >>> len(display.sample_lines_)
    3
    """

    def __init__(
        self,
        grid: np.ndarray,
        mean: np.ndarray,
        std: np.ndarray,
        *,
        X: np.ndarray | None = None,
        y: np.ndarray | None = None,
        samples: np.ndarray | None = None,
    ) -> None:
        self.grid, self.mean, self.std = grid, mean, std
        self.X, self.y, self.samples = X, y, samples

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any = None,
        y: Any = None,
        *,
        grid: Any = None,
        n_functions: int = 0,
        random_state: Any = 0,
        ax: Any = None,
        n_std: float = 1.96,
    ) -> "GaussianProcessDisplay":
        """Draw a fitted regressor of one feature and one target.

        Parameters
        ----------
        estimator : estimator
            Fitted, with ``predict(X, return_std=True)``, and ``sample_y`` where functions are drawn.
        X : array-like of shape (n_samples, 1), default=None
            Observations to show; None takes the training rows, ``X_train_``.
        y : array-like of shape (n_samples,), default=None
            Their targets. None shows no observations where X is given, else the training targets.
        grid : array-like of shape (n_points,), default=None
            Values of the feature; None takes 300 from a little below the least observation to a little
            above the greatest.
        n_functions : int, default=0
            Functions to draw from the process.
        random_state : int, RandomState instance or None, default=0
            Seed of these.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        n_std : float, default=1.96
            Half the width of the band in standard deviations; 1.96 holds 95 %.

        Returns
        -------
        display : GaussianProcessDisplay
            The drawing.

        Raises
        ------
        ValueError
            If the estimator has several features or targets.
        """
        check_is_fitted(estimator)
        if X is None:
            X, y = estimator.X_train_, estimator.y_train_ * estimator._y_train_std + estimator._y_train_mean
        rows = np.asarray(X, dtype=float)
        if rows.ndim != 2 or rows.shape[1] != 1 or np.ndim(y) > 1:
            raise ValueError(
                f"{cls.__name__} draws one target over one feature; X has shape {rows.shape} and y "
                f"{np.shape(y)}. Predict along one feature and give the constructor the predictions."
            )
        rows = rows[:, 0]
        if grid is None:
            room = 0.08 * (np.ptp(rows) or 1.0)
            grid = np.linspace(rows.min() - room, rows.max() + room, 300)
        grid = np.asarray(grid, dtype=float)
        mean, std = estimator.predict(grid[:, None], return_std=True)
        samples = estimator.sample_y(grid[:, None], n_functions, random_state) if n_functions else None
        observed = (None, None) if y is None else (rows, np.asarray(y, dtype=float))
        display = cls(grid, mean, std, X=observed[0], y=observed[1], samples=samples)
        return display.plot(ax=ax, n_std=n_std)

    def plot(self, *, ax: Any = None, n_std: float = 1.96) -> "GaussianProcessDisplay":
        """Draw the mean, the band, and what else there is.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        n_std : float, default=1.96
            Half the width of the band in standard deviations.

        Returns
        -------
        self : GaussianProcessDisplay
            With the attributes that hold the drawing.
        """
        import matplotlib.pyplot as plt

        if ax is None:
            _, ax = plt.subplots(layout="constrained")
        self.ax_, self.figure_ = ax, ax.figure
        low, high = self.mean - n_std * self.std, self.mean + n_std * self.std
        self.band_ = ax.fill_between(self.grid, low, high, color=_MEAN, alpha=0.2, linewidth=0)
        self.sample_lines_ = []
        if self.samples is not None:
            self.sample_lines_ = ax.plot(self.grid, self.samples, color=_MEAN, alpha=0.5, linewidth=0.8)
        (self.mean_line_,) = ax.plot(self.grid, self.mean, color=_MEAN, label="mean")
        self.rows_ = None
        if self.X is not None and self.y is not None:
            (self.rows_,) = ax.plot(
                self.X, self.y, ".", color=_ROWS, markersize=5, label="observations", zorder=3
            )
        return self
