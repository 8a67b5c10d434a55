"""Scores of an adapted estimator that read no target label."""

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.special import softmax, xlogy
from sklearn.base import BaseEstimator, clone, is_classifier
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_mutual_info_score
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_array

from sklearn_dl._base.arrays import Array
from sklearn_dl._base.domains import stack_rows
from sklearn_dl._base.params import PositiveFloat, PositiveInt, RandomState, param
from sklearn_dl.domain_adaptation.composed import fit_with_domains, predict_as
from sklearn_dl.domain_adaptation.density_ratio import classifier_density_ratio
from sklearn_dl.domain_adaptation.domain_scorer import DomainScorer

_CLIP = 1e-3
_FOLDS = 5


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
        return described_rows(self.features, estimator, rows)


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


class ClassAMIScorer(DomainScorer):
    """How well the classes predicted for target rows agree with clusters of these rows.

    The mutual information of the predicted classes and of as many clusters by k-means, adjusted for chance: 1
    where they are the same, near 0 where they have nothing to do with one another, as where all rows are put
    in one class. It needs no probabilities, so it compares methods of any kind. It cannot tell which cluster
    is which class, and is misled where clusters are not the classes, such as topics where opinions are asked.

    By default the clusters are those of the rows as given, the same for all that are compared; in the paper
    they are those of learnt features (`features`).

    References
    ----------
    Musgrave, Belongie, Lim (2022), Three new validators and a large-scale benchmark ranking for unsupervised
    domain adaptation, their ClassAMI.
    """

    features: Callable | None = param(
        default=None, doc="Function of estimator and rows whose result is clustered. None: the rows."
    )
    n_init: PositiveInt = param(
        default=10, doc="Starts of k-means, the best of which counts. Larger is steadier."
    )
    random_state: RandomState = param(
        default=0, doc="Seed of the starts; an int gives the same clusters in each call."
    )
    _reads_source = False

    def _score(self, estimator: Any, source: Any, labels: Any, target: Any) -> float:
        if not is_classifier(estimator):
            raise TypeError(f"{type(self).__name__} needs a classifier; got {type(estimator).__name__}.")
        rows = described_rows(self.features, estimator, target)
        n_clusters = min(len(estimator.classes_), rows.shape[0])
        kmeans = KMeans(n_clusters, n_init=self.n_init, random_state=self.random_state)
        predicted = np.asarray(predict_as(estimator, target, -1))
        return float(adjusted_mutual_info_score(kmeans.fit_predict(rows), predicted))


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
            return float(np.mean(np.ravel(labels) == predicted[0]))  # all that a copy could learn
        X, n_target = stack_rows(target, source, type(self).__name__), len(predicted)
        # Rows of the copy's target need some label, which is not read.
        y = np.concatenate([predicted, np.repeat(predicted[:1], len(labels), axis=0)])
        domains = np.repeat([1, -1], [n_target, len(labels)])
        backwards = fit_with_domains(clone(estimator), X, y, domains)
        return float(np.mean(row_scores(backwards, source, labels, domain=-1)))


def row_scores(estimator: Any, X: Any, y: np.ndarray, domain: int = 1) -> np.ndarray:
    """1 where a class is right and 0 where not; minus the squared error of a regressor."""
    # By row and output, since one of the two may be a column where the other is flat.
    predicted, true = (np.reshape(values, (len(y), -1)) for values in (predict_as(estimator, X, domain), y))
    if is_classifier(estimator):
        return (predicted == true).all(1).astype(np.float64)
    return -np.square(predicted - true).mean(1)


def described_rows(features: Callable | None, estimator: Any, rows: Any) -> Array:
    """What a function of estimator and rows says of the rows, or the rows themselves, as floats."""
    described = rows if features is None else features(estimator, rows)
    return check_array(described, accept_sparse="csr", dtype=np.float64, input_name="X")


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
class_ami_score = ClassAMIScorer()
circular_validation_score = CircularValidationScorer()
