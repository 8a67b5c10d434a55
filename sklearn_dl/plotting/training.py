"""The course of a training: loss, score and learning rate over the epochs."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from sklearn.base import is_classifier
from sklearn.utils.validation import check_is_fitted

_PANELS = {"loss": ("train_loss", "valid_loss"), "score": ("valid_score",), "lr": ("lr",)}
_HEIGHTS = {"loss": 3.0, "score": 2.0, "lr": 1.3}

# Okabe and Ito's colours, which colour-blind readers tell apart. A colour stands for the rows.
_COLORS = {"train_loss": "#0072B2", "valid_loss": "#D55E00", "valid_score": "#D55E00", "lr": "#555555"}
_ROWS = {"train_loss": "training rows", "valid_loss": "held-out rows"}

_FEW_EPOCHS = 20  # up to here each has a marker, so that a single one shows
_LEGEND_ROOM = 0.16  # of the height of the curves, added above them for each row of the legend


class TrainingDisplay:
    """Loss, score and learning rate over the epochs of a training.

    Made by :meth:`from_estimator`, or from a history that was stored elsewhere. With early stopping it shows
    the loss and the score on the held-out rows too, and marks the epoch whose weights were kept.

    Parameters
    ----------
    history : list of dict
        A row an epoch, as in the attribute ``history_`` of an estimator: ``epoch`` and ``train_loss``, and
        where known ``valid_loss``, ``valid_score`` and ``lr``.
    best_epoch : int, default=None
        Epoch to mark; None marks none.
    loss_name, score_name : str, default="loss", "score"
        Words at the axes.
    name : str, default=None
        Name of the estimator, put before the labels of the curves; None leaves it out.

    Attributes
    ----------
    ax_ : matplotlib Axes
        First panel.
    axes_ : ndarray of shape (n_panels,) of matplotlib Axes
        All panels, from top to bottom.
    figure_ : matplotlib Figure
        Figure of the panels.
    lines_ : dict of str to matplotlib Line2D
        Curve of each column of the history that is drawn: "train_loss", "valid_loss", "valid_score", "lr".
    marks_ : list of matplotlib Line2D
        Vertical line at the best epoch, one a panel; empty if none is marked.

    See Also
    --------
    sklearn.model_selection.LearningCurveDisplay : Scores over the number of training rows.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_dl.neural_network import MLPClassifier
    >>> from sklearn_dl.plotting import TrainingDisplay
    >>> X, y = load_iris(return_X_y=True)
    >>> mlp = MLPClassifier(max_epochs=30, early_stopping=True, random_state=0).fit(X, y)
    >>> display = TrainingDisplay.from_estimator(mlp)
    >>> list(display.lines_)
    ['train_loss', 'valid_loss', 'valid_score', 'lr']
    """

    def __init__(
        self,
        history: list[dict[str, Any]],
        *,
        best_epoch: int | None = None,
        loss_name: str = "loss",
        score_name: str = "score",
        name: str | None = None,
    ) -> None:
        self.history = history
        self.best_epoch = best_epoch
        self.loss_name = loss_name
        self.score_name = score_name
        self.name = name

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        *,
        ax: Any = None,
        panels: Sequence[str] | None = None,
        name: str | None = None,
        line_kw: dict[str, Any] | None = None,
    ) -> "TrainingDisplay":
        """Draw the training of a fitted estimator.

        Parameters
        ----------
        estimator : estimator
            Fitted, with the attribute ``history_``.
        ax, panels, name, line_kw
            As in :meth:`plot`.

        Returns
        -------
        display : TrainingDisplay
            As drawn.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        TypeError
            If it has no ``history_``.
        ImportError
            If matplotlib is not installed.
        """
        _require_matplotlib(f"{cls.__name__}.from_estimator")
        check_is_fitted(estimator)
        if not hasattr(estimator, "history_"):
            raise TypeError(
                f"{cls.__name__}: estimator must have the attribute history_, a row for each epoch, as "
                f"MLPClassifier has; got {type(estimator).__name__}. Of a pipeline pass the last step, "
                "pipeline[-1]; of a search, best_estimator_."
            )
        stopped_early = any("valid_loss" in row for row in estimator.history_)
        display = cls(
            estimator.history_,
            best_epoch=getattr(estimator, "best_epoch_", None) if stopped_early else None,
            loss_name=_loss_name(estimator),
            score_name="accuracy" if is_classifier(estimator) else "$R^2$",
            name=name,
        )
        return display.plot(ax=ax, panels=panels, line_kw=line_kw)

    def plot(
        self,
        ax: Any = None,
        *,
        panels: Sequence[str] | None = None,
        name: str | None = None,
        line_kw: dict[str, Any] | None = None,
    ) -> "TrainingDisplay":
        """Draw the curves.

        Parameters
        ----------
        ax : matplotlib Axes, or sequence of them, default=None
            Where to draw. One Axes, which must be from ``plt.subplots`` or another grid, becomes the first
            panel and makes room for the others below. A sequence holds an Axes for each panel:
            ``display.axes_`` of an earlier display draws over it. None makes a new figure.
        panels : sequence of {"loss", "score", "lr"}, default=None
            What to draw, from top to bottom. None draws all that the history holds.
        name : str, default=None
            Put before the labels of the curves, as in "small, training rows". None takes that of the
            constructor.
        line_kw : dict, default=None
            Passed to ``Axes.plot`` for every curve.

        Returns
        -------
        self : TrainingDisplay

        Raises
        ------
        ValueError
            If the history lacks the rows for a panel, or `ax` does not fit the panels.
        ImportError
            If matplotlib is not installed.
        """
        _require_matplotlib(f"{type(self).__name__}.plot")
        panels = self._check_panels(panels)
        self.axes_ = _make_axes(ax, panels)
        self.ax_, self.figure_ = self.axes_[0], self.axes_[0].figure
        self.lines_: dict[str, Any] = {}
        self.marks_: list[Any] = []
        for panel, panel_ax in zip(panels, self.axes_, strict=True):
            self._draw_panel(panel, panel_ax, self.name if name is None else name, line_kw or {})
        self._label_axes(panels)
        return self

    def _check_panels(self, panels: Sequence[str] | None) -> list[str]:
        held = [panel for panel, keys in _PANELS.items() if any(keys[0] in row for row in self.history)]
        if not held:
            raise ValueError(
                f"{type(self).__name__}: history must have at least one row, with epoch and train_loss; got "
                f"{self.history!r}."
            )
        if panels is None:
            return held
        absent = [panel for panel in panels if panel not in held]
        if absent or not len(panels):
            raise ValueError(
                f"{type(self).__name__}: panels must be among those the history has data for, {held}; got "
                f"{list(panels)}. The score is there after a fit with early_stopping=True."
            )
        return list(panels)

    def _draw_panel(self, panel: str, ax: Any, name: str | None, line_kw: dict[str, Any]) -> None:
        for key in _PANELS[panel]:
            rows = [row for row in self.history if key in row]
            if not rows:
                continue
            style = {
                "label": ", ".join(part for part in (name, _ROWS.get(key)) if part),
                "color": _COLORS[key],
                "marker": "o" if len(rows) <= _FEW_EPOCHS else "",
                "markersize": 3,
            }
            epochs, values = [row["epoch"] for row in rows], [row[key] for row in rows]
            (self.lines_[key],) = ax.plot(epochs, values, **{**style, **line_kw})
        if self.best_epoch is not None:
            mark = ax.axvline(self.best_epoch, color="0.45", linestyle=":", linewidth=1.2, zorder=1)
            self.marks_.append(mark)

    def _label_axes(self, panels: Iterable[str]) -> None:
        from matplotlib.ticker import MaxNLocator

        words = {"loss": self.loss_name, "score": self.score_name, "lr": "learning\nrate"}
        for panel, ax in zip(panels, self.axes_, strict=True):
            ax.set_ylabel(words[panel])
            ax.spines[["top", "right"]].set_visible(False)
            ax.grid(alpha=0.25)
            if panel == "loss":
                _add_legend(ax)
            if panel == "lr":
                ax.autoscale(axis="y")
                ax.set_ylim(0, 1.05 * ax.get_ylim()[1])
                ax.yaxis.set_major_locator(MaxNLocator(3))
                ax.yaxis.set_major_formatter("{x:g}")
        self.axes_[-1].set_xlabel("epoch")
        self.axes_[-1].xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1, steps=[1, 2, 5, 10]))
        self.figure_.align_ylabels(list(self.axes_))
        if self.best_epoch is not None:
            top = self.ax_.secondary_xaxis("top")
            top.set_xticks([self.best_epoch], [f"best epoch {self.best_epoch}"])
            top.tick_params(length=0, pad=1, labelcolor="0.3", labelsize="small")
            top.spines["top"].set_visible(False)


def _require_matplotlib(caller: str) -> None:
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise ImportError(f"{caller} needs matplotlib: pip install matplotlib") from error


def _loss_name(estimator: Any) -> str:
    loss = getattr(estimator, "loss", "loss")
    name = loss.replace("_", " ") if isinstance(loss, str) else getattr(loss, "__name__", type(loss).__name__)
    # Smoothed labels lift the loss far above 0, which would look like a bad fit.
    return f"{name},\nsmoothed labels" if getattr(estimator, "label_smoothing", 0) else name


def _make_axes(ax: Any, panels: list[str]) -> np.ndarray:
    """One Axes for each panel: those given, or parts of the one given, or of a new figure."""
    heights = [_HEIGHTS[panel] for panel in panels]
    if ax is None:
        import matplotlib.pyplot as plt

        _, ax = plt.subplots(figsize=(6.4, 1.4 + 0.65 * sum(heights)), layout="constrained")
    if np.ndim(ax):
        axes = np.ravel(ax)
        if len(axes) != len(panels):
            raise ValueError(
                f"TrainingDisplay: ax must be one Axes, or an Axes for each panel, {len(panels)} for "
                f"{panels}; got {len(axes)}."
            )
        return axes
    if len(panels) == 1:
        return np.array([ax])
    if ax.get_subplotspec() is None:
        raise ValueError(
            "TrainingDisplay: ax must be from plt.subplots or another grid to be divided into the panels "
            f"{panels}; got an Axes placed by hand. Pass an Axes for each panel, or panels=['loss']."
        )
    grid = ax.get_subplotspec().subgridspec(len(panels), 1, height_ratios=heights, hspace=0.12)
    ax.set_subplotspec(grid[0])
    below = [ax.figure.add_subplot(grid[i], sharex=ax) for i in range(1, len(panels))]
    for upper in [ax, *below[:-1]]:
        upper.tick_params(labelbottom=False)
    return np.array([ax, *below])


def _add_legend(ax: Any) -> None:
    """Legend in rows of two, above the curves."""
    n_rows = -(-len(ax.get_legend_handles_labels()[1]) // 2)
    ax.autoscale(axis="y")
    scale = ax.yaxis.get_transform()
    low, high = scale.transform(ax.get_ylim())
    ax.set_ylim(top=scale.inverted().transform(high + (high - low) * _LEGEND_ROOM * n_rows))
    ax.legend(loc="best", ncols=2, fontsize="small", edgecolor="none", framealpha=0.9)
