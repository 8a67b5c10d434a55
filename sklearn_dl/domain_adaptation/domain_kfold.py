"""Folds of the labelled rows, with the target rows in every training part."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.utils import metadata_routing
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import _num_samples

from sklearn_dl._base.domains import read_sample_domain


class DomainKFold:
    """Split the source rows into folds; the target rows are in every training part.

    Tests hold source rows alone, so no score reads a target label. For scores that need target rows without
    labels, such as :data:`prediction_entropy_score`, ``target_in_test=True`` puts them into every test part
    too, or the score holds them itself (``prediction_entropy_score.bind(X_target)``).

    With metadata routing `sample_domain` comes by its name. Without it, scikit-learn passes `groups` on to a
    splitter and nothing else, so pass `sample_domain` as `groups` too, or pass
    ``cv=list(DomainKFold().split(X, y, sample_domain=sample_domain))``. Without domains all rows are source.

    Parameters
    ----------
    n_splits : int, default=5
        Folds; at least 2.
    shuffle : bool, default=False
        Whether to shuffle the source rows first.
    stratified : bool or "auto", default="auto"
        Whether each fold gets the same shares of the classes of source rows; "auto" if they have classes.
    target_in_test : bool, default=False
        Whether target rows are in every test part too. Only for scores that do not read their labels.
    random_state : int, RandomState instance or None, default=None
        Seed of the shuffling.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_dl.domain_adaptation import DomainKFold
    >>> X, y, sample_domain = np.zeros((6, 1)), np.array([0, 1, 0, 1, 9, 9]), np.array([1, 1, 1, 1, -1, -1])
    >>> for train, test in DomainKFold(2).split(X, y, sample_domain=sample_domain):
    ...     print(train, test)
    [2 3 4 5] [0 1]
    [0 1 4 5] [2 3]
    """

    def __init__(
        self,
        n_splits: int = 5,
        *,
        shuffle: bool = False,
        stratified: bool | str = "auto",
        target_in_test: bool = False,
        random_state: Any = None,
    ) -> None:
        self.n_splits = n_splits
        self.shuffle = shuffle
        self.stratified = stratified
        self.target_in_test = target_in_test
        self.random_state = random_state

    def split(
        self, X: Any, y: Any = None, groups: Any = None, sample_domain: Any = None
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield the rows of each training and test part.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Rows of both domains.
        y : array-like of shape (n_samples,), default=None
            Labels; those of target rows are not read.
        groups : array-like of shape (n_samples,), default=None
            Read as `sample_domain` where that is not given.
        sample_domain : array-like of shape (n_samples,), default=None
            Whole numbers: above 0 source, below 0 target. None: all rows are source.

        Yields
        ------
        train, test : ndarray of int
            Places of the rows, rising.

        Raises
        ------
        ValueError
            If `sample_domain` is not one whole number a row, or there are fewer source rows than folds.
        """
        given = groups if sample_domain is None else sample_domain
        domains = read_sample_domain(given, _num_samples(X), type(self).__name__)
        source, target = np.flatnonzero(domains.source), np.flatnonzero(domains.target)
        labels = None if y is None else domains.labels(y, type(self).__name__)
        for train, test in self._folds(labels).split(np.zeros(len(source)), labels):
            tested = source[test]
            if self.target_in_test:
                tested = np.sort(np.concatenate([tested, target]))
            yield np.sort(np.concatenate([source[train], target])), tested

    def get_n_splits(
        self, X: Any = None, y: Any = None, groups: Any = None, sample_domain: Any = None
    ) -> int:
        """Number of folds.

        Parameters
        ----------
        X, y, groups, sample_domain : object
            Not read.

        Returns
        -------
        n_splits : int
        """
        return self.n_splits

    def get_metadata_routing(self) -> metadata_routing.MetadataRequest:
        """Metadata that ``split`` requests: `sample_domain`.

        Returns
        -------
        request : MetadataRequest
        """
        request = metadata_routing.MetadataRequest(owner=type(self).__name__)
        request.split.add_request(param="sample_domain", alias=True)
        return request

    def _folds(self, labels: np.ndarray | None) -> KFold | StratifiedKFold:
        has_classes = labels is not None and type_of_target(labels) in ("binary", "multiclass")
        stratified = has_classes if self.stratified == "auto" else self.stratified
        kind = StratifiedKFold if stratified else KFold
        return kind(self.n_splits, shuffle=self.shuffle, random_state=self.random_state)

    def __repr__(self) -> str:
        settings = ", ".join(f"{name}={value!r}" for name, value in vars(self).items())
        return f"{type(self).__name__}({settings})"
