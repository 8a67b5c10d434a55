"""Two domains in the plane, before and after they were adapted."""

import inspect
from typing import Any, Literal

import numpy as np
from scipy import sparse
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from sklearn.utils.validation import check_is_fitted

# Okabe and Ito's colours, which colour-blind readers tell apart.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#F0E442", "#000000")
_SOURCE, _TARGET = {"marker": "o", "s": 14, "linewidths": 0}, {"marker": "x", "s": 20, "linewidths": 1.0}


class DomainDisplay:
    """Rows of source and target in two dimensions, before and after a transformer of domains.

    Made by :meth:`from_estimator`, or from points that were found elsewhere. Dots are source rows, crosses
    target rows; colours are classes.

    Parameters
    ----------
    before, after : ndarray of shape (n_samples, 2)
        Points of the rows; `before` may be None for one panel.
    sample_domain : ndarray of shape (n_samples,)
        Above 0 source, below 0 target.
    y : ndarray of shape (n_samples,), default=None
        Classes; None colours by domain.
    name : str, default=""
        What the rows were adapted by, for the title.

    Attributes
    ----------
    axes_ : ndarray of matplotlib Axes
        A panel each for before and after.
    ax_ : matplotlib Axes
        The last of them.
    figure_ : matplotlib Figure
        Their figure.
    points_ : list of matplotlib PathCollection
        The points drawn, panel by panel, of each class first those of the source, then those of the target.

    Examples
    --------
    >>> from sklearn_dl.datasets import make_shifted
    >>> from sklearn_dl.domain_adaptation import CORAL
    >>> from sklearn_dl.plotting import DomainDisplay
    >>> X, y, sample_domain = make_shifted(shift="subspace", random_state=0)
    >>> coral = CORAL().fit(X, sample_domain=sample_domain)
    >>> display = DomainDisplay.from_estimator(coral, X, y, sample_domain=sample_domain)
    >>> [ax.get_title() for ax in display.axes_]
    ['before', 'after CORAL']
    """

    def __init__(self, before: Any, after: Any, sample_domain: Any, *, y: Any = None, name: str = "") -> None:
        self.before, self.after, self.sample_domain, self.y, self.name = before, after, sample_domain, y, name

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: Any = None,
        *,
        sample_domain: Any,
        projection: Literal["pca", "tsne"] = "pca",
        random_state: Any = 0,
        axes: Any = None,
    ) -> "DomainDisplay":
        """Draw rows as they are, and as a fitted transformer maps them, each as one of its domain.

        Parameters
        ----------
        estimator : estimator
            Fitted, with ``transform``; or a pipeline, whose steps that have it are applied.
        X : array-like of shape (n_samples, n_features)
            Rows of both domains.
        y : array-like of shape (n_samples,), default=None
            Classes to colour by, those of target rows too if they are known or predicted. None colours by
            domain.
        sample_domain : array-like of shape (n_samples,)
            Above 0 source, below 0 target.
        projection : {"pca", "tsne"}, default="pca"
            How rows of more than two features come into the plane: by the principal components of both
            domains together, or by t-SNE, which keeps neighbours together and no distances.
        random_state : int, RandomState instance or None, default=0
            Seed of t-SNE.
        axes : sequence of two matplotlib Axes, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        display : DomainDisplay
            The drawing.

        Raises
        ------
        ValueError
            If `projection` is unknown, or `sample_domain` has another length than X.
        TypeError
            If the estimator has no ``transform``.
        """
        check_is_fitted(estimator)
        if projection not in ("pca", "tsne"):
            raise ValueError(f"{cls.__name__}: projection must be 'pca' or 'tsne'; got {projection!r}.")
        domain = np.asarray(sample_domain)
        n_samples = X.shape[0] if hasattr(X, "shape") else len(X)
        if domain.shape != (n_samples,):
            raise ValueError(
                f"{cls.__name__}: sample_domain must have one value for each of the {n_samples} rows of X; "
                f"got shape {domain.shape}."
            )
        steps = [step for _, step in getattr(estimator, "steps", [("", estimator)])]
        steps = [step for step in steps if hasattr(step, "transform")]
        if not steps:
            raise TypeError(
                f"{cls.__name__} needs an estimator with transform; got {type(estimator).__name__}. Give the "
                "constructor points that were found elsewhere."
            )
        mapped = X
        for step in steps:
            takes = "sample_domain" in inspect.signature(step.transform).parameters
            mapped = step.transform(mapped, **({"sample_domain": domain} if takes else {}))
        before, after = (_in_the_plane(rows, projection, random_state) for rows in (X, mapped))
        name = " and ".join(type(step).__name__ for step in steps)
        display = cls(before, after, domain, y=None if y is None else np.asarray(y), name=name)
        return display.plot(axes=axes)

    def plot(self, *, axes: Any = None) -> "DomainDisplay":
        """Draw the points.

        Parameters
        ----------
        axes : sequence of matplotlib Axes, default=None
            A panel each for before and after; None makes a figure.

        Returns
        -------
        self : DomainDisplay
            With the attributes that hold the drawing.
        """
        import matplotlib.pyplot as plt

        panels = [("before", self.before), (f"after {self.name}".strip(), self.after)]
        panels = [(title, points) for title, points in panels if points is not None]
        if axes is None:
            _, axes = plt.subplots(1, len(panels), figsize=(4.4 * len(panels), 3.8), layout="constrained")
        self.axes_ = np.ravel(axes)
        if len(self.axes_) != len(panels):
            raise ValueError(
                f"{type(self).__name__}: axes must hold {len(panels)} Axes, one a panel; "
                f"got {len(self.axes_)}."
            )
        self.ax_, self.figure_ = self.axes_[-1], self.axes_[-1].figure
        self.points_: list[Any] = []
        for ax, (title, points) in zip(self.axes_, panels, strict=True):
            self._draw(ax, points)
            ax.set(title=title, xticks=[], yticks=[])
        self.ax_.legend(loc="best", fontsize="small", framealpha=0.8)
        return self

    def _draw(self, ax: Any, points: np.ndarray) -> None:
        domain = np.asarray(self.sample_domain)
        groups = np.sign(domain) if self.y is None else np.asarray(self.y)
        for place, group in enumerate(np.unique(groups)):
            colour = _COLOURS[place % len(_COLOURS)]
            sides = (("source", domain > 0, _SOURCE), ("target", domain < 0, _TARGET))
            for words, of_domain, style in sides:
                rows = of_domain & (groups == group)
                if rows.any():
                    label = words if self.y is None else f"{words}, {group}"
                    drawn = ax.scatter(*points[rows].T, color=colour, label=label, alpha=0.75, **style)
                    self.points_.append(drawn)


def _in_the_plane(rows: Any, projection: str, random_state: Any) -> np.ndarray:
    rows = np.asarray(rows.toarray() if sparse.issparse(rows) else rows, dtype=float)
    if rows.shape[1] == 1:
        return np.column_stack([rows, np.zeros(len(rows))])
    if rows.shape[1] == 2:
        return rows
    if projection == "pca":
        return PCA(2, random_state=0).fit_transform(rows)
    perplexity = min(30.0, (len(rows) - 1) / 3)
    return TSNE(2, init="pca", perplexity=perplexity, random_state=random_state).fit_transform(rows)
