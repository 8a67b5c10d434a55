"""Self-training: the surest predictions for target rows become labels, the same share of each class."""

from typing import Any, ClassVar

import numpy as np

from sklearn_dl._base.arrays import to_host
from sklearn_dl._base.domains import Domains, stack_rows
from sklearn_dl._base.params import Fraction, PositiveInt, param
from sklearn_dl.domain_adaptation.source_estimator import SourceEstimator, rows_of


class ClassBalancedSelfTraining(SourceEstimator):
    """Train a classifier on source rows, then also on target rows whose classes it is surest of.

    In each round the target rows are predicted, of every predicted class the surest share becomes labelled,
    and the classifier is trained again on these and the source rows. The share grows from `first_share` to
    `last_share`, so the easy rows come first; taking it class by class keeps an easy class from pushing out
    the others.

    The classifier needs ``predict_proba`` or ``decision_function``, and `sample_weight` only where weights
    are given.

    References
    ----------
    Zou, Yu, Kumar, Wang (2018), Unsupervised domain adaptation for semantic segmentation via class-balanced
    self-training, section 4.

    Examples
    --------
    >>> from sklearn_dl.datasets import make_shifted
    >>> from sklearn_dl.domain_adaptation import ClassBalancedSelfTraining, SourceOnly
    >>> X, y, sample_domain = make_shifted(shift="concept", noise=0.1, random_state=0)
    >>> model = ClassBalancedSelfTraining().fit(X, y, sample_domain=sample_domain)
    >>> model.pseudo_labels_.shape
    (200,)
    """

    first_share: Fraction = param(
        default=0.2, doc="Share of each predicted class that is labelled in the first round."
    )
    last_share: Fraction = param(
        default=0.5,
        doc="Share in the last round. Larger learns more of the target, and more of the classifier's errors.",
    )
    n_rounds: PositiveInt = param(default=7, doc="Rounds, each with a fit. The share rises evenly over them.")

    _attributes: ClassVar[dict[str, tuple[str, str]]] = {
        "pseudo_labels_": (
            "ndarray of shape (n_target,) or None",
            "Predicted classes of the target rows of ``fit``. None without domains.",
        ),
    }

    def _weigh(self, X: Any, y: np.ndarray, domains: Domains) -> None:
        return None

    def _train(self, X: Any, y: Any, weight: np.ndarray | None, target: Any) -> None:
        super()._train(X, y, weight, None)
        self.pseudo_labels_ = None
        if target is None:
            return
        for share in np.linspace(self.first_share, self.last_share, self.n_rounds):
            self.pseudo_labels_, sureness = self._predict_surely(target)
            chosen = _surest(self.pseudo_labels_, sureness, share)
            rows = stack_rows(X, rows_of(target, chosen), type(self).__name__)
            labels = np.concatenate([y, self.pseudo_labels_[chosen]])
            extended = (
                None if weight is None else np.concatenate([weight, np.full(chosen.sum(), weight.mean())])
            )
            super()._train(rows, labels, extended, None)
        self.pseudo_labels_ = to_host(self.estimator_.predict(target))

    def _predict_surely(self, target: Any) -> tuple[np.ndarray, np.ndarray]:
        """Predicted classes, and a score of each prediction that is larger where it is surer."""
        for method in ("predict_proba", "decision_function"):
            if hasattr(self.estimator_, method):
                scores = to_host(getattr(self.estimator_, method)(target))
                predicted = to_host(self.estimator_.predict(target))
                return predicted, np.abs(scores) if scores.ndim == 1 else scores.max(1)
        raise TypeError(
            f"{type(self).__name__} needs a classifier with predict_proba or decision_function; got "
            f"{type(self.estimator_).__name__}."
        )


def _surest(predicted: np.ndarray, sureness: np.ndarray, share: float) -> np.ndarray:
    """Mask of the surest rows, this share of each predicted class and one row at least."""
    chosen = np.zeros(len(predicted), dtype=bool)
    for label in np.unique(predicted):
        rows = np.flatnonzero(predicted == label)
        n_chosen = max(1, round(share * len(rows)))
        chosen[rows[np.argsort(-sureness[rows], kind="stable")[:n_chosen]]] = True
    return chosen
