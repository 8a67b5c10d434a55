"""A search for parameters: its history, its candidates, what matters, and what the score depends on how."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

# Okabe and Ito's colours, which colour-blind readers tell apart.
_BLUE, _ORANGE, _BLACK, _GREY = "#0072B2", "#D55E00", "#000000", "0.6"

#: Attribute of the trials of a search that were evaluated.
_OUTCOME = "sklearn_dl:cross_validation"


class SearchDisplay:
    r"""History, parallel coordinates, importance of the parameters, or slices of what a search learnt.

    Made by :meth:`from_estimator`.

    Parameters
    ----------
    scores : ndarray of shape (n_candidates,)
        Mean score of each candidate; NaN if it failed.
    stopped : ndarray of bool of shape (n_candidates,)
        Whether it lacks folds.
    params : list of dict
        Parameters of each candidate, as the study knows them.
    search_space : dict of str to BaseDistribution
        Distributions of optuna of these parameters.
    landscape : object, default=None
        With ``predict`` and ``expected_improvement`` of lists of parameters, as
        :meth:`sklearn_dl.model_selection.BayesSearchCV.landscape` gives; slices need it.
    importances : dict of str to float, default=None
        Importance of each parameter; the panel of the same name needs it.

    Attributes
    ----------
    axes_ : ndarray of matplotlib Axes
        Panels of the drawing.
    figure_ : matplotlib Figure
        Their figure.

    See Also
    --------
    TrainingDisplay : Course of the training of one network.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.svm import SVC
    >>> from sklearn_dl.model_selection import Real, TPESearchCV
    >>> from sklearn_dl.plotting import SearchDisplay
    >>> X, y = load_iris(return_X_y=True)
    >>> search = TPESearchCV(SVC(), {"C": Real(0.01, 100, log=True)}, n_iter=12, random_state=0).fit(X, y)
    >>> display = SearchDisplay.from_estimator(search, kind="slice", params=["C"])
    >>> [ax.get_ylabel() for ax in display.axes_]
    ['score', 'expected\nimprovement']
    """

    def __init__(
        self,
        scores: np.ndarray,
        stopped: np.ndarray,
        params: list[dict[str, Any]],
        search_space: Mapping[str, Any],
        *,
        landscape: Any = None,
        importances: Mapping[str, float] | None = None,
    ) -> None:
        self.scores, self.stopped, self.params = scores, stopped, params
        self.search_space, self.landscape, self.importances = search_space, landscape, importances

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        kind: str = "history",
        *,
        params: Sequence[str] | None = None,
        ax: Any = None,
    ) -> "SearchDisplay":
        """Draw a fitted search.

        Parameters
        ----------
        estimator : estimator
            Fitted :class:`~sklearn_dl.model_selection.BayesSearchCV` or
            :class:`~sklearn_dl.model_selection.TPESearchCV`.
        kind : {"history", "parallel", "importance", "slice"}, default="history"
            What to draw: scores over candidates with the best so far; all candidates as lines over the
            parameters; how much of the variance of the score each parameter explains; the mean of a Gaussian
            process of the score over one or two parameters, its uncertainty and the expected improvement.
        params : sequence of str, default=None
            Parameters to draw, by their names in the study. None takes all, for a slice the first.
        ax : matplotlib Axes or sequence of them, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        display : SearchDisplay
            As drawn.

        Raises
        ------
        ValueError
            If `kind` or a name in `params` is unknown.
        TypeError
            If `estimator` is no such search.
        """
        check_is_fitted(estimator)
        if not hasattr(estimator, "study_"):
            raise TypeError(
                f"{cls.__name__}: estimator must have the attribute study_, as BayesSearchCV has; got "
                f"{type(estimator).__name__}. Of a pipeline pass the last step, pipeline[-1]."
            )
        trials = [t for t in estimator.study_.trials if t.value is not None or _OUTCOME in t.user_attrs]
        space: dict[str, Any] = {}
        for trial in trials:
            space.update(trial.distributions)
        values = np.array([np.nan if trial.value is None else trial.value for trial in trials])
        outcomes = [trial.user_attrs.get(_OUTCOME, {}) for trial in trials]
        display = cls(
            values,
            np.array([bool(outcome.get("stopped")) for outcome in outcomes], dtype=bool),
            [dict(trial.params) for trial in trials],
            space,
            landscape=estimator.landscape() if kind == "slice" else None,
            importances=_importances(estimator.study_) if kind == "importance" else None,
        )
        return display.plot(kind, params=params, ax=ax)

    def plot(
        self, kind: str = "history", *, params: Sequence[str] | None = None, ax: Any = None
    ) -> "SearchDisplay":
        """Draw what the display holds.

        Parameters
        ----------
        kind : {"history", "parallel", "importance", "slice"}, default="history"
            What to draw, as in :meth:`from_estimator`.
        params : sequence of str, default=None
            Parameters to draw. None takes all, for a slice the first.
        ax : matplotlib Axes or sequence of them, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        self : SearchDisplay
            With the attributes that hold the drawing.
        """
        drawings: dict[str, Callable[[list[str]], None]] = {
            "history": self._draw_history,
            "parallel": self._draw_parallel,
            "importance": self._draw_importance,
            "slice": self._draw_slice,
        }
        if kind not in drawings:
            raise ValueError(
                f"{type(self).__name__}: kind must be one of {', '.join(map(repr, drawings))}; got {kind!r}."
            )
        unknown = [name for name in params or [] if name not in self.search_space]
        if unknown or isinstance(params, str):
            raise ValueError(
                f"{type(self).__name__}: params must be a list of names among {list(self.search_space)}; "
                f"got {params!r}."
            )
        names = list(params or self.search_space)
        if kind == "slice" and params is None:
            names = names[:1]
        if kind == "slice" and len(names) > 2:
            raise ValueError(
                f"{type(self).__name__}: params must name one or two parameters for a slice; got {names}."
            )
        self.axes_ = _panels(ax, len(names) + 1 if kind == "slice" else 1)
        self.figure_ = self.axes_[0].figure
        drawings[kind](names)
        return self

    def _draw_history(self, names: list[str]) -> None:
        ax, number = self.axes_[0], np.arange(1, len(self.scores) + 1)
        whole = ~self.stopped
        ax.plot(number[whole], self.scores[whole], ".", color=_GREY, label="candidate")
        if self.stopped.any():
            ax.plot(number[self.stopped], self.scores[self.stopped], "x", color=_ORANGE, label="stopped")
        finished = np.where(whole & np.isfinite(self.scores), self.scores, -np.inf)
        best = np.maximum.accumulate(finished)
        known = np.isfinite(best)
        ax.step(number[known], best[known], where="post", color=_BLUE, label="best so far")
        ax.set(xlabel="candidate", ylabel="score")
        ax.legend()

    def _draw_parallel(self, names: list[str]) -> None:
        import matplotlib.pyplot as plt
        from matplotlib.colors import Normalize

        ax = self.axes_[0]
        finite = self.scores[np.isfinite(self.scores)]
        colors = Normalize(*np.percentile(finite, [0, 100])) if len(finite) else Normalize(0, 1)
        for row in np.argsort(np.nan_to_num(self.scores, nan=-np.inf)):
            held = [
                (x, _place(self.search_space[n], self.params[row][n]))
                for x, n in enumerate(names)
                if n in self.params[row]
            ]
            failed = not np.isfinite(self.scores[row])
            color = _GREY if failed else plt.cm.viridis(colors(self.scores[row]))
            ax.plot(*zip(*held, strict=True), color=color, alpha=0.3 if failed else 0.7, linewidth=1)
        for x, name in enumerate(names):
            for place, word in _ticks(self.search_space[name]):
                ax.annotate(word, (x, place), fontsize=8, ha="center", va="center", backgroundcolor="white")
        ax.set_xticks(range(len(names)), names)
        ax.set_yticks([])
        ax.figure.colorbar(plt.cm.ScalarMappable(colors, "viridis"), ax=ax, label="score")

    def _draw_importance(self, names: list[str]) -> None:
        ax, importances = self.axes_[0], self.importances or {}
        kept = sorted((importances[name], name) for name in names if name in importances)
        ax.barh([name for _, name in kept], [value for value, _ in kept], color=_BLUE)
        ax.set(xlabel="share of the variance of the score")

    def _draw_slice(self, names: list[str]) -> None:
        best = self.params[int(np.nanargmax(np.where(self.stopped, np.nan, self.scores)))]
        grids = [_grid(self.search_space[name], 100 if len(names) == 1 else 40) for name in names]
        mesh = np.meshgrid(*(np.arange(len(grid)) for grid in grids), indexing="ij")
        points = [
            {**best, **{name: grids[i][place] for i, (name, place) in enumerate(zip(names, at, strict=True))}}
            for at in zip(*(part.ravel() for part in mesh), strict=True)
        ]
        mean, std = self.landscape.predict(points)
        worth = self.landscape.expected_improvement(points)
        if len(names) == 1:
            self._draw_curve(names[0], grids[0], mean, std, worth)
        else:
            maps = {"mean score": mean, "standard deviation": std, "expected improvement": worth}
            shape = mesh[0].shape
            self._draw_maps(names, grids, {word: values.reshape(shape) for word, values in maps.items()})

    def _draw_curve(
        self, name: str, grid: list[Any], mean: np.ndarray, std: np.ndarray, worth: np.ndarray
    ) -> None:
        top, bottom = self.axes_
        x = np.array([_place(self.search_space[name], value) for value in grid])
        top.fill_between(x, mean - 1.96 * std, mean + 1.96 * std, color=_BLUE, alpha=0.2, linewidth=0)
        top.plot(x, mean, color=_BLUE, label="mean and band, others as the best")
        seen = [row for row, params in enumerate(self.params) if name in params]
        places = [_place(self.search_space[name], self.params[row][name]) for row in seen]
        top.plot(places, self.scores[seen], ".", color=_BLACK, label="candidates")
        bottom.fill_between(x, worth, color=_ORANGE, alpha=0.6, linewidth=0)
        top.set_ylabel("score")
        top.legend()
        bottom.set_ylabel("expected\nimprovement")
        _label(bottom.xaxis, self.search_space[name], name)
        top.set_xticks(bottom.get_xticks(), [])

    def _draw_maps(self, names: list[str], grids: list[list[Any]], maps: dict[str, np.ndarray]) -> None:
        spaces = [self.search_space[name] for name in names]
        places = [[_place(space, v) for v in grid] for space, grid in zip(spaces, grids, strict=True)]
        for ax, (title, values) in zip(self.axes_, maps.items(), strict=True):
            drawn = ax.pcolormesh(places[0], places[1], values.T, shading="nearest", cmap="viridis")
            ax.figure.colorbar(drawn, ax=ax, label=title)
            held = [params for params in self.params if all(name in params for name in names)]
            at = np.array([[_place(s, p[n]) for s, n in zip(spaces, names, strict=True)] for p in held])
            ax.plot(*at.T, ".", color="white", markeredgecolor="black", markersize=6)
            _label(ax.xaxis, spaces[0], names[0])
            _label(ax.yaxis, spaces[1], names[1])


def _importances(study: Any) -> dict[str, float]:
    from optuna.importance import FanovaImportanceEvaluator, get_param_importances

    try:
        return get_param_importances(study, evaluator=FanovaImportanceEvaluator(seed=0))
    except RuntimeError:  # all scores are equal
        return {name: 0.0 for trial in study.trials for name in trial.params}


def _panels(ax: Any, n_panels: int) -> np.ndarray:
    import matplotlib.pyplot as plt

    if ax is not None:
        axes = np.atleast_1d(np.asarray(ax, dtype=object)).ravel()
        if len(axes) != n_panels:
            raise ValueError(f"SearchDisplay: ax must hold {n_panels} Axes for this kind; got {len(axes)}.")
        return axes
    if n_panels == 1:
        return np.array([plt.subplots(layout="constrained")[1]], dtype=object)
    if n_panels == 2:
        return plt.subplots(2, 1, layout="constrained", height_ratios=[3, 1])[1]
    return plt.subplots(1, 3, figsize=(13, 3.6), layout="constrained")[1]


def _place(distribution: Any, value: Any) -> float:
    """Place of a value in its range, from 0 to 1."""
    if hasattr(distribution, "choices"):
        return distribution.choices.index(value) / max(len(distribution.choices) - 1, 1)
    low, high = distribution.low, distribution.high
    if distribution.log:
        low, high, value = np.log(low), np.log(high), np.log(value)
    return (value - low) / ((high - low) or 1)


def _grid(distribution: Any, n_points: int) -> list[Any]:
    """Values across a range, in order."""
    if hasattr(distribution, "choices"):
        return list(distribution.choices)
    low, high = distribution.low, distribution.high
    values = np.geomspace(low, high, n_points) if distribution.log else np.linspace(low, high, n_points)
    values = np.clip(values, low, high)
    if isinstance(low, int):
        return sorted({round(value) for value in values})
    return [float(value) for value in values]


def _ticks(distribution: Any) -> list[tuple[float, str]]:
    """Some places in a range, and what stands there."""
    if hasattr(distribution, "choices"):
        return [(_place(distribution, choice), str(choice)) for choice in distribution.choices]
    grid = _grid(distribution, 5)
    return [(_place(distribution, value), f"{value:.3g}") for value in grid]


def _label(axis: Any, distribution: Any, name: str) -> None:
    places, words = zip(*_ticks(distribution), strict=True)
    axis.set_ticks(places, words)
    axis.set_label_text(name)
