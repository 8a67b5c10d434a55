"""Classification by the vote of the nearest neighbours."""

import warnings
from collections.abc import Callable
from typing import Any, ClassVar, Literal, Self

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.exceptions import DataConversionWarning
from sklearn.metrics import accuracy_score
from sklearn.utils.multiclass import check_classification_targets

from sklearn_dl._base.arrays import Array, is_tensor, move_like, namespace, on_host, to_host
from sklearn_dl._base.params import PositiveInt, param
from sklearn_dl.neighbors.base import NeighborsModel
from sklearn_dl.neighbors.targets import read_targets
from sklearn_dl.neighbors.weights import neighbor_weights

_VOTES_PER_BLOCK = 1 << 20


class KNeighborsClassifier(ClassifierMixin, NeighborsModel):
    """Classifier by the vote of the nearest fitted rows.

    Of classes with equally many votes the first in the order of `classes_` wins.

    References
    ----------
    Cover, Hart (1967), Nearest neighbor pattern classification.

    Examples
    --------
    >>> from sklearn_dl.neighbors import KNeighborsClassifier
    >>> model = KNeighborsClassifier(n_neighbors=3).fit([[0.0], [1.0], [2.0], [3.0]], ["a", "a", "b", "b"])
    >>> model.predict([[1.1]]).tolist(), model.predict_proba([[1.1]]).round(2).tolist()
    (['a'], [[0.67, 0.33]])
    """

    n_neighbors: PositiveInt | None = param(default=5, kw_only=False)
    weights: Literal["uniform", "distance"] | Callable | None = param(
        default="uniform",
        doc="Weight of a neighbour's vote: the same for all, the inverse of its distance, or what a callable "
        "makes of the distances, an array of shape (n_queries, n_neighbors).",
    )

    _attributes: ClassVar = {
        "classes_": (
            "ndarray of shape (n_classes,), or list of such",
            "Classes in sorted order, of each output if y had several columns.",
        ),
        "outputs_2d_": ("bool", "Whether y had several columns."),
    }

    #: Asked for by code that works with any of scikit-learn's estimators of neighbours; no parameter.
    radius: ClassVar[None] = None

    classes_: Any
    outputs_2d_: bool

    def fit(self, X: Any, y: Any) -> Self:
        """Keep the rows and their classes.

        Parameters
        ----------
        X : array-like, CSR or tensor of shape (n_samples, n_features)
            Rows; distances of shape (n_samples, n_samples) for metric="precomputed".
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Classes, of any kind.

        Returns
        -------
        self : KNeighborsClassifier

        Raises
        ------
        ValueError
            If y holds real values, or has another number of rows than X.
        """
        rows = self._fit_rows(X)
        labels = read_targets(on_host(y), rows, type(self).__name__)
        if labels.ndim == 2 and labels.shape[1] == 1:
            warnings.warn(
                "A column-vector y was passed when a 1d array was expected. Please change the shape of y to "
                "(n_samples,), for example using ravel().",
                DataConversionWarning,
                stacklevel=2,
            )
            labels = labels[:, 0]
        check_classification_targets(labels)
        self.outputs_2d_ = labels.ndim == 2
        columns = labels.T if self.outputs_2d_ else labels[None]
        encoded = [np.unique(column, return_inverse=True) for column in columns]
        classes = [known for known, _ in encoded]
        codes = np.stack([code.ravel() for _, code in encoded], axis=1).astype(np.intp)
        self.classes_ = classes if self.outputs_2d_ else classes[0]
        self._y = move_like(codes, rows, keep_dtype=True) if is_tensor(rows) else codes
        return self

    def predict(self, X: Any) -> Array:
        """Predict the class with the most votes for each row.

        Parameters
        ----------
        X : array-like, CSR or tensor of shape (n_queries, n_features), or None
            Rows; None means the fitted rows, each by its neighbours alone.

        Returns
        -------
        y : ndarray or tensor of shape (n_queries,) or (n_queries, n_outputs)
            Classes; numbers on the device of X for a tensor, an ndarray for others.
        """
        columns = []
        row, weights = self._neighbors(X)
        for output, classes in enumerate(self._classes_of_outputs()):
            winner = [
                votes.argmax(1) for votes in self._votes(row, weights, output, len(classes), blockwise=True)
            ]
            code = namespace(row).concatenate(winner)
            numeric = is_tensor(code) and classes.dtype.kind in "biuf"
            columns.append(
                move_like(classes, code, keep_dtype=True)[code] if numeric else classes[to_host(code)]
            )
        return namespace(columns[0]).stack(columns, 1) if self.outputs_2d_ else columns[0]

    def predict_proba(self, X: Any) -> Array | list[Array]:
        """Predict the share of the votes that each class has.

        Parameters
        ----------
        X : array-like, CSR or tensor of shape (n_queries, n_features), or None
            Rows; None means the fitted rows, each by its neighbours alone.

        Returns
        -------
        probability : ndarray or tensor of shape (n_queries, n_classes), or list of such
            Columns in the order of `classes_`; one array for each output if y had several columns.
        """
        row, weights = self._neighbors(X)
        shares = []
        for output, classes in enumerate(self._classes_of_outputs()):
            (votes,) = self._votes(row, weights, output, len(classes), blockwise=False)
            shares.append(votes / votes.sum(1)[:, None])
        return shares if self.outputs_2d_ else shares[0]

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Accuracy of the predictions; for several outputs, the share of rows right in all.

        Parameters
        ----------
        X : array-like, CSR or tensor of shape (n_queries, n_features), or None
            Rows; None gives the accuracy of leave-one-out cross-validation, without fitting again.
        y : array-like of shape (n_queries,) or (n_queries, n_outputs)
            True classes.
        sample_weight : array-like of shape (n_queries,), default=None
            Weights of the rows.

        Returns
        -------
        accuracy : float
        """
        return accuracy_score(on_host(y), on_host(self.predict(X)), sample_weight=on_host(sample_weight))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags

    def _classes_of_outputs(self) -> list[np.ndarray]:
        return self.classes_ if self.outputs_2d_ else [self.classes_]

    def _neighbors(self, X: Any) -> tuple[Array, Array | None]:
        """Neighbours of each row and the weights of their votes."""
        distance, row = self.kneighbors(X)
        weights = neighbor_weights(distance, self.weights)
        if weights is not None and bool((weights == 0).all(1).any()):
            raise ValueError(
                "All neighbors of some sample is getting zero weights. Please modify 'weights' to avoid this "
                "case if you are using a user-defined function."
            )
        return row, weights

    def _votes(
        self, row: Array, weights: Array | None, output: int, n_classes: int, *, blockwise: bool
    ) -> list[Array]:
        """Votes of shape (n_queries, n_classes), in blocks of queries if many."""
        step = max(1, _VOTES_PER_BLOCK // n_classes) if blockwise else max(1, len(row))
        codes = move_like(self._y, row, keep_dtype=True)[:, output]
        parts = [slice(start, start + step) for start in range(0, len(row), step)]
        return [
            _count_votes(codes[row[part]], None if weights is None else weights[part], n_classes)
            for part in parts
        ]


def _count_votes(codes: Array, weights: Array | None, n_classes: int) -> Array:
    if is_tensor(codes):
        dtype = namespace(codes).get_default_dtype() if weights is None else weights.dtype
        votes = codes.new_zeros((len(codes), n_classes), dtype=dtype)
        return votes.scatter_add_(1, codes, votes.new_ones(codes.shape) if weights is None else weights)
    n_queries = len(codes)
    cell = codes + n_classes * np.arange(n_queries)[:, None]
    votes = np.bincount(
        cell.ravel(), None if weights is None else np.ravel(weights), minlength=n_queries * n_classes
    )
    return votes.reshape(n_queries, n_classes)
