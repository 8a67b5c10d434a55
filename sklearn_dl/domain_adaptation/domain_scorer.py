"""What scores share that read no target label: where target rows come from, and routing."""

from abc import ABC, abstractmethod
from typing import Any, Self

import numpy as np
from sklearn.utils import _safe_indexing, metadata_routing
from sklearn.utils.validation import _num_samples

from sklearn_dl._base.domains import read_sample_domain
from sklearn_dl._base.params import Parametrised, param


class DomainScorer(Parametrised, ABC):
    """Scorer that takes `sample_domain`, and requests it where metadata are routed.

    Target rows are those below 0 in `sample_domain`, or `X_target`; where scikit-learn passes a scorer no
    metadata, :meth:`bind` gives it the target rows, and the rows scored are then source rows.
    """

    X_target: Any = param(default=None, doc="Target rows, array-like of shape (n_target, ...); see ``bind``.")
    requests_domain: bool = param(default=True, doc="Whether to request `sample_domain`.")

    def __call__(
        self, estimator: Any, X: Any, y: Any = None, sample_domain: Any = None, **kwargs: Any
    ) -> float:
        """Score a fitted estimator; larger is better.

        Parameters
        ----------
        estimator : estimator
            Fitted.
        X : array-like of shape (n_samples, ...)
            Rows, of both domains or of the source alone.
        y : array-like of shape (n_samples,), default=None
            Labels; those of target rows are not read.
        sample_domain : array-like of shape (n_samples,), default=None
            Domain of each row. None: all are source rows.
        **kwargs : object
            Not read.

        Returns
        -------
        score : float

        Raises
        ------
        ValueError
            If there are no target rows, or no source rows where the score needs them.
        """
        self._check_params()
        name = type(self).__name__
        domains = read_sample_domain(sample_domain, _num_samples(X), name)
        target = self.X_target
        if target is None:
            if not domains.target.any():
                raise ValueError(
                    f"{name} needs target rows, without their labels; got source rows alone. Pass them once "
                    "by scoring=score.bind(X_target). Or, with "
                    "sklearn.set_config(enable_metadata_routing=True), "
                    "split by DomainKFold(target_in_test=True)."
                )
            target = _safe_indexing(X, np.flatnonzero(domains.target))
        source = _safe_indexing(X, np.flatnonzero(domains.source))
        labels = None if y is None or not self._reads_source else domains.labels(y, name)
        if self._reads_source and (labels is None or not len(labels)):
            raise ValueError(
                f"{name} needs labelled source rows beside those of the target; got y=None or no source "
                "rows. Split by DomainKFold."
            )
        return float(self._score(estimator, source, labels, target))

    def bind(self, X_target: Any) -> Self:
        """Copy that holds the target rows, for use where scikit-learn passes a scorer no `sample_domain`.

        Parameters
        ----------
        X_target : array-like of shape (n_target, ...)
            Target rows, without labels.

        Returns
        -------
        scorer : DomainScorer
        """
        return self._with(X_target=X_target)

    def set_score_request(self, *, sample_domain: bool) -> Self:
        """Copy that requests `sample_domain` where metadata are routed, or does not.

        Parameters
        ----------
        sample_domain : bool
            Whether to request it.

        Returns
        -------
        scorer : DomainScorer
        """
        return self._with(requests_domain=sample_domain)

    def get_metadata_routing(self) -> metadata_routing.MetadataRequest:
        """Metadata that the score requests.

        Returns
        -------
        request : MetadataRequest
        """
        request = metadata_routing.MetadataRequest(owner=type(self).__name__)
        request.score.add_request(param="sample_domain", alias=self.requests_domain)
        return request

    _reads_source = True

    @abstractmethod
    def _score(self, estimator: Any, source: Any, labels: Any, target: Any) -> float:
        """Score, larger is better; `labels` are those of the source rows."""

    def _with(self, **changed: Any) -> Self:
        return type(self)(**{name: getattr(self, name) for name in self._fields} | changed)

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"
