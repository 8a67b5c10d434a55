"""Self-training: the surest predictions for target rows become labels, the same share of each class."""

from typing import Any, ClassVar, Literal

import numpy as np
from sklearn.utils.validation import column_or_1d

from sklearn_dl._base.arrays import to_host
from sklearn_dl._base.domains import Domains, stack_rows
from sklearn_dl._base.params import Fraction, PositiveInt, param
from sklearn_dl.domain_adaptation.source_estimator import SourceEstimator, rows_of


class ClassBalancedSelfTraining(SourceEstimator):
    """Train a classifier on source rows, then also on target rows whose classes it is surest of.

    In each round the target rows are predicted, the surest of each class become labelled, and the classifier
    is trained again on these and the source rows. Their share grows from `first_share` to `last_share`, so
    the easy rows come first; fixed numbers of each class keep an easy class from pushing out the others.

    How many rows of a class are labelled differs from the paper by default: ``balance="source"`` takes the
    same share of as many rows as each class would have if classes were as frequent as in the source, where
    the paper takes a share of the rows predicted so (``balance="predicted"``). Numbers from the source stop a
    class that the classifier favours from growing with its own errors.

    The classifier needs ``predict_proba`` or ``decision_function``, and `sample_weight` only where weights
    are given.

    References
    ----------
    Zou, Yu, Kumar, Wang (2018), Unsupervised domain adaptation for semantic segmentation via class-balanced
    self-training, section 4. Numbers as in the source: Blum, Mitchell (1998), Combining labeled and unlabeled
    data with co-training, Table 1.

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
        default=0.2, doc="Share of the target rows that is labelled in the first round."
    )
    last_share: Fraction = param(
        default=0.5,
        doc="Share in the last round. Larger learns more of the target, and more of the classifier's errors.",
    )
    n_rounds: PositiveInt = param(default=7, doc="Rounds, each with a fit. The share rises evenly over them.")
    balance: Literal["source", "predicted"] = param(
        default="source",
        doc="What the labelled rows of a class are a share of: of as many rows as the class would have in "
        "the target if classes were as frequent as in the source, or of the rows predicted so, as in the "
        'paper. "predicted" suits targets whose classes are rarer or more frequent than in the source.',
    )

    _attributes: ClassVar[dict[str, tuple[str, str]]] = {
        "pseudo_labels_": (
            "ndarray of shape (n_target,) or None",
            "Predicted classes of the target rows of ``fit``. None without domains.",
        ),
    }

    def _weigh(self, X: Any, y: np.ndarray, domains: Domains) -> None:
        return None

    def _train(self, X: Any, y: Any, weight: np.ndarray | None, target: Any) -> None:
        y = column_or_1d(y, warn=True) if target is not None else y
        super()._train(X, y, weight, None)
        self.pseudo_labels_ = None
        if target is None:
            return
        classes = np.unique(y)
        for share in np.linspace(self.first_share, self.last_share, self.n_rounds):
            margins = self._margins(target)
            chosen, codes = _surest(margins, share * self._numbers(margins, y, classes))
            rows = stack_rows(X, rows_of(target, chosen), type(self).__name__)
            labels = np.concatenate([y, classes[codes]])
            extended = (
                None if weight is None else np.concatenate([weight, np.full(len(codes), weight.mean())])
            )
            super()._train(rows, labels, extended, None)
        self.pseudo_labels_ = to_host(self.estimator_.predict(target))

    def _numbers(self, margins: np.ndarray, y: np.ndarray, classes: np.ndarray) -> np.ndarray:
        """Rows of each class in the target."""
        if self.balance == "predicted":
            return np.bincount(margins.argmax(1), minlength=len(classes)).astype(np.float64)
        return len(margins) * np.array([np.mean(y == label) for label in classes])

    def _margins(self, target: Any) -> np.ndarray:
        """By how much each class leads the best of the others, shape (n_target, n_classes)."""
        for method in ("predict_proba", "decision_function"):
            if hasattr(self.estimator_, method):
                scores = to_host(getattr(self.estimator_, method)(target))
                scores = np.column_stack([-scores, scores]) if scores.ndim == 1 else scores
                best = np.sort(scores, axis=1)
                # The best leads the second, all others are behind the best.
                return scores - np.where(scores == best[:, -1:], best[:, -2:-1], best[:, -1:])
        raise TypeError(
            f"{type(self).__name__} needs a classifier with predict_proba or decision_function; got "
            f"{type(self.estimator_).__name__}."
        )


def _surest(margins: np.ndarray, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mask of the rows with the largest margins, so many of each class and 1 at least, and their classes."""
    taken = np.full(margins.shape, -np.inf)
    for code, number in enumerate(numbers):
        first = np.argsort(-margins[:, code], kind="stable")[: max(1, round(number))]
        taken[first, code] = margins[first, code]
    chosen = np.isfinite(taken).any(1)
    return chosen, taken[chosen].argmax(1)
