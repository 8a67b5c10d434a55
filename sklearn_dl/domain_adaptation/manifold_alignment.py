"""Manifold embedded distribution alignment: a kernel classifier whose scores agree over the domains."""

from typing import Any, ClassVar, Literal, Self

import numpy as np
from scipy import sparse
from scipy.linalg import lu_factor, lu_solve
from sklearn.base import ClassifierMixin
from sklearn.metrics.pairwise import euclidean_distances
from sklearn.neighbors import kneighbors_graph
from sklearn.preprocessing import normalize
from sklearn.utils.validation import check_is_fitted

from sklearn_dl._base.arrays import Array
from sklearn_dl._base.domains import Domains
from sklearn_dl._base.params import Fraction, NonNegativeFloat, PositiveFloat, PositiveInt, param
from sklearn_dl._base.targets import require_two_classes
from sklearn_dl.domain_adaptation.aligned_components import domain_contrast, group_contrast
from sklearn_dl.domain_adaptation.base import DomainReader, host_rows
from sklearn_dl.domain_adaptation.geodesic_flow import GeodesicFlowKernel
from sklearn_dl.domain_adaptation.separability import proxy_distance_of_ridge


class ManifoldEmbeddedDistributionAlignment(ClassifierMixin, DomainReader):
    r"""Kernel least squares with scores that agree over the domains, and along the manifold of all rows.

    Rows are mapped by the geodesic flow kernel (:class:`GeodesicFlowKernel`) and divided by their length. The
    scores :math:`f = K \beta` minimise the squared error on source rows plus :math:`\eta\, \beta^T K \beta +
    \lambda\, D(f) + \rho\, f^T L f`. D is the squared distance of the mean scores of the domains and of each
    class in them, where the classes of target rows are predictions, renewed in turns; L is the normalised
    Laplacian of a graph of nearest neighbours.

    How much whole domains count in D, and how much the classes, is estimated from how well each can be told
    apart (``balance="auto"``). Only labels of source rows are read. Without `sample_domain` D is 0, and the
    features are left as they are.

    Notes
    -----
    The matrix of the system is factored once, in (n_source + n_target)^3 operations; each turn changes it by
    as many ranks as there are classes.

    References
    ----------
    Wang, Feng, Chen, Yu, Huang, Yu (2018), Visual domain adaptation with manifold embedded distribution
    alignment, Algorithm 1; the defaults are its section 4.

    Examples
    --------
    >>> from sklearn_dl.datasets import make_shifted
    >>> from sklearn_dl.domain_adaptation import ManifoldEmbeddedDistributionAlignment
    >>> X, y, sample_domain = make_shifted(shift="covariate", noise=0.1, random_state=0)
    >>> model = ManifoldEmbeddedDistributionAlignment(n_axes=None, gamma=5.0)
    >>> model = model.fit(X, y, sample_domain=sample_domain)
    >>> model.pseudo_labels_.shape
    (200,)
    """

    n_axes: PositiveInt | None = param(
        default=20,
        doc="Principal axes of each domain for the geodesic flow kernel, at most half the features. None "
        "takes the rows as they are.",
    )
    gamma: PositiveFloat = param(
        default=0.5,
        doc="Factor of the squared distance, between rows of length 1, in the Gaussian kernel. Larger is "
        "more local.",
    )
    ridge: PositiveFloat = param(
        default=0.1,
        doc="The paper's eta: weight of the squared norm of the scores' function. Larger is smoother.",
    )
    alignment: NonNegativeFloat = param(
        default=10.0, doc="The paper's lambda: weight of the distance between domains. Larger aligns more."
    )
    smoothness: NonNegativeFloat = param(
        default=1.0,
        doc="The paper's rho: weight of differences between neighbours. Larger lets labels spread.",
    )
    n_neighbors: PositiveInt = param(default=10, doc="Neighbours of each row in the graph.")
    balance: Fraction | Literal["auto"] = param(
        default="auto",
        doc="The paper's mu: share of the classes' distances in D, the rest being that of whole domains. "
        '"auto" estimates it in each turn.',
    )
    max_iter: PositiveInt = param(
        default=10, doc="Turns of predicting classes, at most; it ends when predictions stay."
    )

    _attributes: ClassVar[dict[str, tuple[str, str]]] = {
        "classes_": ("ndarray of shape (n_classes,)", "Labels of the source rows, sorted."),
        "coef_": ("ndarray of shape (n_train, n_classes)", "Weight of each training row's kernel, by class."),
        "pseudo_labels_": (
            "ndarray of shape (n_target,) or None",
            "Predicted classes of the target rows of ``fit``. None without domains.",
        ),
        "balance_": ("float", "Share of the classes' distances in the last turn."),
        "n_iter_": ("int", "Turns made; 1 without domains."),
        "X_fit_": (
            "ndarray of shape (n_train, n_mapped)",
            "Training rows of both domains, mapped and of length 1.",
        ),
    }

    def fit(self, X: Any, y: Any, sample_domain: Any = None, X_target: Any = None) -> Self:
        """Learn the scores from rows of both domains and the labels of the source.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows of both domains; of the source alone where `X_target` is given.
        y : array-like of shape (n_samples,)
            Classes. Those of target rows are not read.
        sample_domain : array-like of shape (n_samples,), default=None
            Whole numbers: above 0 source, below 0 target. None: all rows are source, and nothing is adapted.
        X_target : array-like of shape (n_target, n_features), default=None
            Target rows, where X holds source rows only.

        Returns
        -------
        self : object
            The fitted classifier.

        Raises
        ------
        ValueError
            If a parameter, X, y or `sample_domain` is not as required, or y has one class only.
        """
        self._check_params()
        rows, domains = self._read_fit(X, sample_domain, X_target)
        self.classes_, codes = self._read_source_classes(y, domains)
        require_two_classes(self.classes_, type(self).__name__)
        self._learn_map(rows, domains)
        self.X_fit_ = self._map(rows)
        system = _System(self, self.X_fit_, domains.source, np.eye(len(self.classes_))[codes])
        self.coef_, self.pseudo_labels_, self.n_iter_, self.balance_ = system.solve(), None, 1, 0.0
        if domains.differ:
            self._align(system, domains.source, codes)
        return self

    def decision_function(self, X: Any) -> np.ndarray:
        """Scores of the classes of target rows; each is near 1 for its own class and near 0 for others.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        scores : ndarray of shape (n_samples,) or (n_samples, n_classes)
            With two classes, the second's less the first's.

        Raises
        ------
        NotFittedError
            Before ``fit``.
        ValueError
            If X holds NaN or infinity, or has another number of features than in ``fit``.
        """
        check_is_fitted(self)
        rows = self._read_X(host_rows(X), reset=False, **self._reading)
        scores = self._kernel(self._map(rows)) @ self.coef_
        return scores[:, 1] - scores[:, 0] if scores.shape[1] == 2 else scores

    def predict(self, X: Any) -> np.ndarray:
        """Class of each target row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        labels : ndarray of shape (n_samples,)
            Labels from ``classes_``.
        """
        scores = self.decision_function(X)
        return self.classes_[(scores > 0).astype(np.int64) if scores.ndim == 1 else scores.argmax(1)]

    def _learn_map(self, X: Array, domains: Domains) -> None:
        self._flow: GeodesicFlowKernel | None = None
        if self.n_axes is not None and domains.differ:
            self._flow = GeodesicFlowKernel(n_axes=self.n_axes).fit(X, sample_domain=domains.values)

    def _map(self, X: Array) -> np.ndarray:
        mapped = X if self._flow is None else X @ self._flow.components_.T
        return normalize(np.asarray(mapped, dtype=np.float64))

    def _kernel(self, rows: np.ndarray) -> np.ndarray:
        return np.exp(-self.gamma * euclidean_distances(rows, self.X_fit_, squared=True))

    def _align(self, system: "_System", source: np.ndarray, codes: np.ndarray) -> None:
        """Predict the target's classes and solve, in turns."""
        Z, n_classes = self.X_fit_, len(self.classes_)
        nearest = euclidean_distances(Z[~source], Z[source]).argmin(1)
        labels = np.empty(len(Z), dtype=np.int64)
        labels[source], labels[~source] = codes, codes[nearest]
        for turn in range(1, self.max_iter + 1):
            self.n_iter_ = turn
            self.balance_ = _balance(Z, source, labels, n_classes) if self.balance == "auto" else self.balance
            own = [group_contrast(source & (labels == c), ~source & (labels == c)) for c in range(n_classes)]
            # The whole domains' distance counts as often as there are classes.
            shares = np.array([(1 - self.balance_) * n_classes, *[self.balance_] * n_classes])
            contrasts = np.column_stack([domain_contrast(source), *own]) * np.sqrt(shares)
            self.coef_ = system.solve(contrasts)
            predicted = (system.K[~source] @ self.coef_).argmax(1)
            if np.array_equal(predicted, labels[~source]):
                break
            labels[~source] = predicted
        self.pseudo_labels_ = self.classes_[predicted]


class _System:
    """The linear system of the coefficients, factored for any contrasts."""

    def __init__(
        self,
        model: ManifoldEmbeddedDistributionAlignment,
        Z: np.ndarray,
        source: np.ndarray,
        indicators: np.ndarray,
    ) -> None:
        self.K = model._kernel(Z)
        self.alignment = model.alignment
        quadratic = sparse.diags_array(source.astype(np.float64))
        if model.smoothness > 0 and len(Z) > 2:
            quadratic = quadratic + model.smoothness * _laplacian(Z, min(model.n_neighbors, len(Z) - 1))
        matrix = quadratic @ self.K
        matrix.flat[:: len(Z) + 1] += model.ridge
        self.factor = lu_factor(matrix, overwrite_a=True, check_finite=False)
        right = np.zeros((len(Z), indicators.shape[1]))
        right[source] = indicators
        self.plain = lu_solve(self.factor, right, check_finite=False)

    def solve(self, contrasts: np.ndarray | None = None) -> np.ndarray:
        """Coefficients with the distance of these contrasts, whose matrix is given length 1."""
        size = 0.0 if contrasts is None else np.linalg.norm(contrasts.T @ contrasts)
        if contrasts is None or self.alignment == 0 or size == 0:
            return self.plain
        # Woodbury: the contrasts change the matrix by a product of few columns with few rows.
        columns = contrasts * np.sqrt(self.alignment / size)
        solved, rows = lu_solve(self.factor, columns, check_finite=False), columns.T @ self.K
        small = np.eye(columns.shape[1]) + rows @ solved
        return self.plain - solved @ np.linalg.solve(small, rows @ self.plain)


def _laplacian(Z: np.ndarray, n_neighbors: int) -> sparse.csr_array:
    """Normalised Laplacian of the graph of nearest neighbours, weighted by cosines."""
    graph = sparse.csr_array(kneighbors_graph(Z, n_neighbors, mode="connectivity"))
    graph = graph.maximum(graph.T).tocoo()
    rows, columns = graph.coords
    weight = np.maximum(np.einsum("ij,ij->i", Z[rows], Z[columns]), 0.0)
    degree = np.bincount(rows, weights=weight, minlength=len(Z))
    root = 1.0 / np.sqrt(np.where(degree > 0, degree, 1.0))
    scaled = sparse.coo_array((weight * root[rows] * root[columns], (rows, columns)), shape=graph.shape)
    return sparse.csr_array(sparse.eye_array(len(Z)) - scaled)


def _balance(Z: np.ndarray, source: np.ndarray, labels: np.ndarray, n_classes: int) -> float:
    """Share of classes' distances in those of domains and classes, by proxy A-distances."""
    whole = proxy_distance_of_ridge(Z[source], Z[~source])
    parts = [(Z[source & (labels == c)], Z[~source & (labels == c)]) for c in range(n_classes)]
    within = [proxy_distance_of_ridge(*pair) for pair in parts if min(map(len, pair)) > 1]
    mean = float(np.mean(within)) if within else 0.0
    return mean / (whole + mean) if whole + mean > 0 else 0.5
