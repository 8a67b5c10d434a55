"""Scores of an adapted estimator that read no target label."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Self

import numpy as np
from scipy.special import softmax, xlogy
from sklearn.base import BaseEstimator, clone, is_classifier
from sklearn.pipeline import Pipeline
from sklearn.utils import _safe_indexing, metadata_routing
from sklearn.utils.validation import _num_samples, check_array

from sklearn_dl._base.arrays import Array
from sklearn_dl._base.domains import read_sample_domain, stack_rows
from sklearn_dl._base.params import Parametrised, PositiveFloat, param
from sklearn_dl.domain_adaptation.composed import fit_with_domains, predict_as
from sklearn_dl.domain_adaptation.density_ratio import classifier_density_ratio

_CLIP = 1e-3
_FOLDS = 5


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


class ImportanceWeightedScorer(DomainScorer):
    """Score on held-out source rows, each weighted by the target's density over the source's.

    Unbiased for the target where P(y | X) is the same in both domains; its variance grows with the weights.

    References
    ----------
    Sugiyama, Krauledat, Mueller (2007), Covariate shift adaptation by importance weighted cross validation,
    J. Mach. Learn. Res. 8, equation 8.
    """

    domain_classifier: BaseEstimator | None = param(
        default=None,
        doc="Tells the domains apart; its odds are the weights. None is LogisticRegression().",
    )
    features: Callable | None = param(
        default=None,
        doc="Function of estimator and rows whose result stands for the rows where domains are told apart, "
        "such as those of a hidden layer. None: the rows.",
    )

    def _score(self, estimator: Any, source: Any, labels: np.ndarray, target: Any) -> float:
        weight = self._weights(estimator, source, target)
        return float(np.average(row_scores(estimator, source, labels), weights=weight))

    def _weights(self, estimator: Any, source: Any, target: Any) -> np.ndarray:
        of_source, of_target = self._describe(estimator, source, 1), self._describe(estimator, target, -1)
        return classifier_density_ratio(of_source, of_target, self.domain_classifier, _FOLDS, _CLIP)

    def _describe(self, estimator: Any, rows: Any, domain: int) -> Array:
        described = rows if self.features is None else self.features(estimator, rows)
        return check_array(described, accept_sparse="csr", dtype=np.float64, input_name="X")


class DeepEmbeddedValidationScorer(ImportanceWeightedScorer):
    r"""Importance-weighted score in the space of learnt features, with its variance reduced.

    From the mean of weights times losses it takes a multiple of the weights' mean less 1, which is 0 in
    expectation; the multiple is the one of least variance.

    References
    ----------
    You, Wang, Long, Jordan (2019), Towards accurate model selection in deep unsupervised domain adaptation,
    Algorithm 1.
    """

    features: Callable | None = param(
        default=None,
        doc="Function of estimator and rows that returns learnt features. None: in a pipeline what comes "
        "before its last step, else the rows.",
    )

    def _score(self, estimator: Any, source: Any, labels: np.ndarray, target: Any) -> float:
        weight = self._weights(estimator, source, target)
        weighted = weight * -row_scores(estimator, source, labels)
        covariance = np.cov(weighted, weight)
        factor = -covariance[0, 1] / covariance[1, 1] if covariance[1, 1] > 0 else 0.0
        return -float(weighted.mean() + factor * (weight.mean() - 1))

    def _describe(self, estimator: Any, rows: Any, domain: int) -> Array:
        if self.features is None and isinstance(estimator, Pipeline) and len(estimator) > 1:
            for _, step in estimator.steps[:-1]:
                if step is not None and step != "passthrough":
                    rows = predict_as(step, rows, domain, "transform")
        return super()._describe(estimator, rows, domain)


class PredictionEntropyScorer(DomainScorer):
    """Minus the mean entropy of the predicted probabilities of target rows, in nats.

    A model that is sure of its classes scores high, also where it is wrong, as if it put all rows in one
    class.

    References
    ----------
    Morerio, Cavazza, Murino (2018), Minimal-entropy correlation alignment for unsupervised deep domain
    adaptation, section 3.
    """

    _reads_source = False

    def _score(self, estimator: Any, source: Any, labels: Any, target: Any) -> float:
        probabilities = target_probabilities(estimator, target, type(self).__name__)
        return float(xlogy(probabilities, probabilities).sum(1).mean())


class SoftNeighborhoodDensityScorer(DomainScorer):
    """How densely target rows lie together in the space of predicted probabilities.

    The mean entropy of each row's similarities to the others, in nats. It is large where rows form large
    groups of like predictions; one group of all rows scores highest, so look at the classes predicted too.

    References
    ----------
    Saito, Kim, Teterwak, Sclaroff, Darrell, Saenko (2021), Tune it the right way: unsupervised validation of
    domain adaptation via soft neighborhood density, equations 1 to 3.
    """

    temperature: PositiveFloat = param(
        default=0.05, doc="Divides the similarities. Smaller looks at nearer rows."
    )
    _reads_source = False

    def _score(self, estimator: Any, source: Any, labels: Any, target: Any) -> float:
        probabilities = target_probabilities(estimator, target, type(self).__name__)
        rows = probabilities / np.linalg.norm(probabilities, axis=1, keepdims=True)
        similarities = rows @ rows.T / self.temperature
        np.fill_diagonal(similarities, -np.inf)  # a row is no neighbour of itself
        nearness = softmax(similarities, axis=1)
        return float(-xlogy(nearness, nearness).sum(1).mean())


class CircularValidationScorer(DomainScorer):
    """Score on source rows of a copy that was trained on the target's predicted labels, adapted backwards.

    The estimator predicts the target rows; a copy learns from these as its source, with the source rows as
    its target; then it predicts the source rows, whose labels are known. The copy costs another fit.

    References
    ----------
    Bruzzone, Marconcini (2010), Domain adaptation problems: a DASVM classification technique and a circular
    validation strategy, IEEE Trans. Pattern Anal. Mach. Intell. 32, section 4.
    """

    def _score(self, estimator: Any, source: Any, labels: np.ndarray, target: Any) -> float:
        predicted = np.asarray(predict_as(estimator, target, -1))
        if is_classifier(estimator) and len(np.unique(predicted)) < 2:
            return float(np.mean(labels == predicted[0]))  # all that a copy could learn
        X, n_target = stack_rows(target, source, type(self).__name__), len(predicted)
        # Rows of the copy's target need some label, which is not read.
        y = np.concatenate([predicted, np.full(len(labels), predicted[0])])
        domains = np.repeat([1, -1], [n_target, len(labels)])
        backwards = fit_with_domains(clone(estimator), X, y, domains)
        return float(np.mean(row_scores(backwards, source, labels, domain=-1)))


def row_scores(estimator: Any, X: Any, y: np.ndarray, domain: int = 1) -> np.ndarray:
    """1 where a class is right and 0 where not; minus the squared error of a regressor."""
    predicted = np.asarray(predict_as(estimator, X, domain))
    if is_classifier(estimator):
        return (predicted == y).astype(np.float64)
    return -np.square(predicted - y).reshape(len(y), -1).mean(1)


def target_probabilities(estimator: Any, X: Any, owner: str) -> np.ndarray:
    """Probabilities of the classes of target rows, shape (n_target, n_classes)."""
    if not hasattr(estimator, "predict_proba"):
        raise TypeError(
            f"{owner} needs an estimator with predict_proba; got {type(estimator).__name__}. Wrap a "
            "classifier without it in sklearn.calibration.CalibratedClassifierCV."
        )
    return np.asarray(predict_as(estimator, X, -1, "predict_proba"), dtype=np.float64)


importance_weighted_score = ImportanceWeightedScorer()
deep_embedded_validation_score = DeepEmbeddedValidationScorer()
prediction_entropy_score = PredictionEntropyScorer()
soft_neighborhood_density_score = SoftNeighborhoodDensityScorer()
circular_validation_score = CircularValidationScorer()
