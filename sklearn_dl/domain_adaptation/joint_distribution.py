"""Joint distribution adaptation: the domains' means agree, and so do those of each class."""

from typing import Any, ClassVar, Literal

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, clone

from sklearn_dl._base.arrays import Array
from sklearn_dl._base.domains import Domains
from sklearn_dl._base.params import PositiveFloat, PositiveInt, param
from sklearn_dl.domain_adaptation.aligned_components import (
    aligned_components,
    domain_contrast,
    group_contrast,
)
from sklearn_dl.domain_adaptation.base import DomainTransformer
from sklearn_dl.domain_adaptation.defaults import nearest_neighbor
from sklearn_dl.domain_adaptation.kernels import kernel_matrix, resolve_gamma


class JointDistributionAdaptation(ClassNamePrefixFeaturesOutMixin, DomainTransformer):
    """Components along which the two domains agree in their mean and in the mean of each class.

    As :class:`TransferComponentAnalysis`, with a contrast for each class. The classes of target rows are
    those that a classifier predicts from the components, in turns: components, predictions, components, and
    so on. Only the labels of source rows are read.

    Without `sample_domain` it is (kernel) PCA, scaled, and `y` is not needed.

    Notes
    -----
    Rows should have a common scale; the authors divide each by its length
    (:class:`sklearn.preprocessing.Normalizer`).

    References
    ----------
    Long, Wang, Ding, Sun, Yu (2013), Transfer feature learning with joint distribution adaptation, Algorithm
    1.

    Examples
    --------
    >>> from sklearn_dl.datasets import make_shifted
    >>> from sklearn_dl.domain_adaptation import JointDistributionAdaptation
    >>> X, y, sample_domain = make_shifted(shift="covariate", random_state=0)
    >>> jda = JointDistributionAdaptation(n_components=2)
    >>> jda.fit_transform(X, y, sample_domain=sample_domain).shape
    (400, 2)
    """

    estimator: BaseEstimator | None = param(
        default=None,
        kw_only=False,
        doc="Classifier that predicts the classes of target rows; fitted on copies. None is one nearest "
        "neighbour.",
    )
    n_components: PositiveInt = param(
        default=10, doc="Components, at most; there are no more than features, or rows with a kernel."
    )
    kernel: Literal["primal", "linear", "rbf"] = param(
        default="primal",
        doc='What components weigh: features ("primal"), or kernels with the training rows.',
    )
    gamma: PositiveFloat | Literal["median"] = param(
        default="median",
        doc='Factor of the squared distance in "rbf". Larger is more local. "median": half the inverse of '
        "the median squared distance of training rows.",
    )
    reg: PositiveFloat = param(
        default=1.0, doc="The paper's lambda: penalty of the weights. Smaller lets means agree more closely."
    )
    max_iter: PositiveInt = param(
        default=10, doc="Turns of predicting classes, at most; it ends when predictions stay."
    )

    _attributes: ClassVar[dict[str, tuple[str, str]]] = {
        "weights_": (
            "ndarray of shape (n_features or n_train, n_components)",
            "Weight of each feature, or of each training row's kernel.",
        ),
        "pseudo_labels_": (
            "ndarray of shape (n_target,) or None",
            "Predicted classes of the target rows of ``fit``. None without domains.",
        ),
        "n_iter_": ("int", "Turns made; 1 without domains."),
        "gamma_": ("float", "Factor of the squared distance that was used."),
        "X_fit_": (
            "{ndarray, CSR} of shape (n_train, n_features) or None",
            'Training rows of both domains; None for "primal".',
        ),
    }
    _reading: ClassVar[dict[str, Any]] = {}

    def _fit_rows(self, X: Array, y: Any, domains: Domains) -> None:
        self.gamma_ = resolve_gamma(X, self.gamma) if self.kernel == "rbf" else 1.0
        self.X_fit_ = None if self.kernel == "primal" else X.copy()
        features = self._features(X)
        source, between = domains.source, domain_contrast(domains.source)
        self.pseudo_labels_, self.n_iter_ = None, 1
        self._learn(features, between[:, None])
        if not domains.differ:
            return
        classes, codes = self._read_source_classes(y, domains)
        labels = np.empty(len(domains), dtype=np.int64)
        predicted: np.ndarray | None = None
        labels[source] = codes
        for turn in range(1, self.max_iter + 1):
            self.n_iter_ = turn
            Z = features @ self.weights_
            previous, predicted = predicted, self._classifier().fit(Z[source], codes).predict(Z[~source])
            if previous is not None and np.array_equal(previous, predicted):
                break
            labels[~source] = predicted
            own = [
                group_contrast(source & (labels == c), ~source & (labels == c)) for c in range(len(classes))
            ]
            self._learn(features, np.column_stack([between, *own]))
        self.pseudo_labels_ = classes[labels[~source]]

    def _learn(self, features: np.ndarray, contrasts: np.ndarray) -> None:
        self.weights_, _ = aligned_components(features, contrasts, self.reg, self.n_components)

    def _features(self, X: Array) -> np.ndarray:
        if self.X_fit_ is not None:
            return kernel_matrix(X, self.X_fit_, self.kernel, self.gamma_)
        return X.toarray() if sparse.issparse(X) else np.asarray(X, dtype=np.float64)

    def _classifier(self) -> BaseEstimator:
        return nearest_neighbor() if self.estimator is None else clone(self.estimator)

    def _map_source(self, X: Array) -> np.ndarray:
        return self._features(X) @ self.weights_

    _map_target = _map_source

    @property
    def _n_features_out(self) -> int:
        return self.weights_.shape[1]
