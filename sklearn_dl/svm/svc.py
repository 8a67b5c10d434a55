"""Support vector classification."""

import inspect
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import numpy as np
import sklearn.svm

from sklearn_dl._base.arrays import Array, is_tensor, move_like, to_host
from sklearn_dl._base.params import RandomState, param
from sklearn_dl.svm.base import SupportVectorModel
from sklearn_dl.svm.descent import Problem
from sklearn_dl.svm.interval_dual import Solution
from sklearn_dl.svm.kernel_rows import KernelRows
from sklearn_dl.svm.kernel_squares import LARGEST_SQUARE, KernelSquare
from sklearn_dl.svm.scores import one_vs_one_coef, votes

_NO_PROBABILITY = inspect.signature(sklearn.svm.SVC).parameters["probability"].default


class SVC(SupportVectorModel, sklearn.svm.SVC):
    """Support vector classifier with a kernel.

    Minimizes ``|w|^2 / 2 + C * sum(max(0, 1 - sign * (w @ phi(x) + b)))`` for each pair of classes, where
    ``phi(x) @ phi(z)`` is the kernel of x and z. Interface and answers are those of scikit-learn's
    ``sklearn.svm.SVC``.

    Notes
    -----
    With the kernels 'rbf', 'linear' and 'poly' on dense X, the dual is minimized in working sets of 256 rows,
    or of all if they are at most 512, by steps along pairs of coefficients, and by Newton steps of all that
    are at no bound, which ill-conditioned kernels need. It ends where no pair violates optimality by `tol`,
    and the objective is within about a millionth of its minimum. Kernel rows come from matrix products, in
    float32 as long as `tol` is far above its rounding, and all pairs of classes share them if the kernel
    matrix fits in `cache_size`. The rest goes to libsvm: small problems unless it takes many steps for them,
    the kernel 'sigmoid', precomputed and callable kernels, sparse X, ``probability=True``, and weights that
    are not above 0.

    Where `sample_weight` is given, the variance of ``gamma="scale"`` is that of the weighted rows, unlike
    scikit-learn's: weights count as repetitions.

    With the kernel 'linear' the fitted estimator has ``coef_``, of shape (n_pairs, n_features).

    A torch tensor as X is solved on the host.

    References
    ----------
    Joachims (1999), Making large-scale SVM learning practical. Fan, Chen, Lin (2005), Working set selection
    using second order information for training support vector machines.
    Nocedal, Wright (2006), Numerical optimization, section 16.5, for the Newton steps.

    Examples
    --------
    >>> from sklearn.datasets import make_moons
    >>> from sklearn_dl.svm import SVC
    >>> X, y = make_moons(200, noise=0.05, random_state=0)
    >>> svm = SVC(gamma=2.0).fit(X, y)
    >>> float(svm.score(X, y))
    1.0
    """

    decision_function_shape: Literal["ovr", "ovo"] = param(
        default="ovr",
        doc="Columns of ``decision_function`` where there are more than two classes: one a class, or one a "
        "pair of classes.",
    )
    break_ties: bool = param(
        default=False,
        doc="Whether ``predict`` decides among classes that win equally many pairs by their scores, rather "
        "than for the first. Needs ``decision_function_shape='ovr'``.",
    )
    probability: bool | Literal["deprecated"] = param(
        default=_NO_PROBABILITY,
        doc="Whether to fit sigmoids for ``predict_proba`` by 5-fold cross-validation (Platt scaling). "
        "scikit-learn removes it in 1.11, for ``CalibratedClassifierCV(SVC(), ensemble=False)``.",
    )
    class_weight: Mapping | Literal["balanced"] | None = param(
        default=None,
        doc="Factor of `C` for each class: a dict from class to factor; 'balanced' for the inverse of its "
        "frequency; None for 1.",
    )
    random_state: RandomState = param(
        default=None, doc="Seed of the folds for probabilities; has no effect without them."
    )

    epsilon: ClassVar[float] = 0.0

    _attributes: ClassVar[dict[str, tuple[str, str]]] = {
        "classes_": ("ndarray of shape (n_classes,)", "Classes seen in ``fit``, sorted."),
        "class_weight_": ("ndarray of shape (n_classes,)", "Factor of `C` for each class."),
        "support_": (
            "ndarray of shape (n_support_vectors,)",
            "Rows that are support vectors, class after class.",
        ),
        "n_support_": ("ndarray of shape (n_classes,)", "Number of support vectors of each class."),
        "dual_coef_": (
            "{ndarray, CSR} of shape (n_classes - 1, n_support_vectors)",
            "Coefficients of the support vectors against each other class.",
        ),
        "intercept_": ("ndarray of shape (n_pairs,)", "Intercepts of the scores."),
        "n_iter_": ("ndarray of shape (n_pairs,)", "Steps of the solver for each pair of classes."),
        "probA_": ("ndarray of shape (n_pairs,)", "Slopes of the sigmoids; empty without `probability`."),
        "probB_": ("ndarray of shape (n_pairs,)", "Offsets of the sigmoids; empty without `probability`."),
    }

    def decision_function(self, X: Any) -> Array:
        """Scores of the classes, or of the pairs of classes.

        Parameters
        ----------
        X : {array-like, sparse matrix, torch tensor} of shape (n_samples, n_features) or \
                (n_samples, n_training_samples)
            Rows to score; their kernel with the training rows if it is precomputed.

        Returns
        -------
        scores : ndarray or tensor of shape (n_samples,), (n_samples, n_classes) or (n_samples, n_pairs)
            With two classes one score a row, above 0 for ``classes_[1]``. Otherwise by
            `decision_function_shape`. A tensor where X is one.

        Raises
        ------
        NotFittedError
            Before ``fit``.
        ValueError
            If X cannot be read, or has another number of columns than in ``fit``.
        """
        if is_tensor(X):
            return move_like(super().decision_function(to_host(X)), X)
        return super().decision_function(X)

    def predict(self, X: Any) -> Array:
        """Predict the class of each row.

        Parameters
        ----------
        X : {array-like, sparse matrix, torch tensor} of shape (n_samples, n_features) or \
                (n_samples, n_training_samples)
            Rows to predict for; their kernel with the training rows if it is precomputed.

        Returns
        -------
        y : ndarray or tensor of shape (n_samples,)
            Labels as in ``fit``. A tensor where X is one and the labels are numbers.

        Raises
        ------
        NotFittedError
            Before ``fit``.
        ValueError
            If X cannot be read, has another number of columns than in ``fit``, or `break_ties` is asked of
            scores of pairs.
        """
        if is_tensor(X):
            labels = super().predict(to_host(X))
            return move_like(labels, X, keep_dtype=True) if labels.dtype.kind in "biuf" else labels
        return super().predict(X)

    def _class_factors(self, y: np.ndarray) -> np.ndarray:
        return self.class_weight_[y.astype(np.intp)]

    def _fit_here(self, X: np.ndarray, y: np.ndarray, cost: np.ndarray) -> None:
        order = np.argsort(y, kind="stable")
        X, codes = X[order], y[order].astype(np.intp)
        cost = cost[order]
        n_classes = len(self.classes_)
        starts = np.searchsorted(codes, np.arange(n_classes + 1))
        coef = np.zeros((n_classes - 1, len(X)))
        solutions = []
        for (first, second), solution in zip(
            _pairs(n_classes), self._solve_pairs(X, cost, starts), strict=True
        ):
            n_first = starts[first + 1] - starts[first]
            coef[second - 1, starts[first] : starts[first + 1]] = solution.beta[:n_first]
            coef[first, starts[second] : starts[second + 1]] = solution.beta[n_first:]
            solutions.append(solution)
        support = np.flatnonzero(coef.any(axis=0))
        self.support_ = order[support].astype(np.int32)
        self.support_vectors_ = X[support]
        self._n_support = np.bincount(codes[support], minlength=n_classes).astype(np.int32)
        self.dual_coef_ = coef[:, support]
        self.intercept_ = np.array([solution.intercept for solution in solutions])
        self._num_iter = np.array([solution.n_steps for solution in solutions], np.int32)
        self.fit_status_ = int(not all(solution.converged for solution in solutions))

    def _solve_pairs(self, X: np.ndarray, cost: np.ndarray, starts: np.ndarray) -> list[Solution]:
        """Solutions of all pairs of classes, of which each is a range of rows of X."""
        squares, shared = self._kernel_squares(X), self._kernel_rows(X, cost)
        solutions = []
        for pair in _pairs(len(starts) - 1):
            classes = [slice(int(starts[k]), int(starts[k + 1])) for k in pair]
            counts = [rows.stop - rows.start for rows in classes]
            bound = np.concatenate([cost[classes[0]], -cost[classes[1]]])
            rows: KernelRows | KernelSquare = shared
            ranges = [(0, sum(counts))]
            if sum(counts) <= LARGEST_SQUARE:
                rows = squares.among(*classes)
            elif len(starts) == 3 or shared.keeps_all:
                ranges = [(rows.start, count) for rows, count in zip(classes, counts, strict=True)]
            else:
                rows = self._kernel_rows(np.concatenate([X[rows] for rows in classes]), np.abs(bound))
            problem = Problem(
                np.repeat([1.0, -1.0], counts), np.minimum(bound, 0.0), np.maximum(bound, 0.0), 0.0, ranges
            )
            solutions.append(self._solve(rows, problem))
        return solutions

    def _dense_decision_function(self, X: np.ndarray) -> np.ndarray:
        return self._pair_scores(X, one_vs_one_coef(self._dual_coef_, self._n_support))

    def _dense_predict(self, X: np.ndarray) -> np.ndarray:
        scores = self._dense_decision_function(self._compute_kernel(X))
        return votes(scores, len(self.classes_))


def _pairs(n_classes: int) -> list[tuple[int, int]]:
    return [(first, second) for first in range(n_classes) for second in range(first + 1, n_classes)]
