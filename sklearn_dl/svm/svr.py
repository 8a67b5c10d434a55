"""Support vector regression."""

from typing import Any, ClassVar

import numpy as np
import sklearn.svm

from sklearn_dl._base.arrays import Array, is_tensor, move_like, to_host
from sklearn_dl._base.params import NonNegativeFloat, param
from sklearn_dl.svm.base import UNUSED_RANDOM_STATE, SupportVectorModel
from sklearn_dl.svm.descent import Problem
from sklearn_dl.svm.kernel_squares import LARGEST_SQUARE


class SVR(SupportVectorModel, sklearn.svm.SVR):
    """Support vector regression with a kernel.

    Minimizes ``|w|^2 / 2 + C * sum(max(0, |y - w @ phi(x) - b| - epsilon))``, where ``phi(x) @ phi(z)`` is
    the kernel of x and z. Interface and answers are those of scikit-learn's ``sklearn.svm.SVR``; the solver
    is that of :class:`SVC`.

    Notes
    -----
    With the kernel 'linear' the fitted estimator has ``coef_``, of shape (1, n_features).

    References
    ----------
    Smola, Schoelkopf (2004), A tutorial on support vector regression.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_dl.svm import SVR
    >>> x = np.linspace(0, 6, 50)
    >>> svm = SVR(C=10.0).fit(x[:, None], np.sin(x))
    >>> bool(abs(svm.predict([[1.5]])[0] - np.sin(1.5)) < 0.11)
    True
    """

    epsilon: NonNegativeFloat = param(
        default=0.1, doc="Errors up to this cost nothing. Larger leaves fewer support vectors."
    )

    probability = False  # parameters of libsvm's other formulations
    class_weight = None
    random_state = UNUSED_RANDOM_STATE

    _attributes: ClassVar[dict[str, tuple[str, str]]] = {
        "n_support_": ("ndarray of shape (1,)", "Number of support vectors."),
        "dual_coef_": (
            "{ndarray, CSR} of shape (1, n_support_vectors)",
            "Coefficients of the support vectors.",
        ),
        "intercept_": ("ndarray of shape (1,)", "Intercept."),
        "n_iter_": ("int", "Steps of the solver."),
    }

    def predict(self, X: Any) -> Array:
        """Predict a real value for each row.

        Parameters
        ----------
        X : {array-like, sparse matrix, torch tensor} of shape (n_samples, n_features) or \
                (n_samples, n_training_samples)
            Rows to predict for; their kernel with the training rows if it is precomputed.

        Returns
        -------
        y : ndarray or tensor of shape (n_samples,)
            A tensor where X is one.

        Raises
        ------
        NotFittedError
            Before ``fit``.
        ValueError
            If X cannot be read, or has another number of columns than in ``fit``.
        """
        if is_tensor(X):
            return move_like(super().predict(to_host(X)), X)
        return super().predict(X)

    def _fit_here(self, X: np.ndarray, y: np.ndarray, cost: np.ndarray) -> None:
        is_small = len(X) <= LARGEST_SQUARE
        rows = self._kernel_squares(X).among(slice(0, len(X))) if is_small else self._kernel_rows(X, cost)
        solution = self._solve(rows, Problem(y, -cost, cost, float(self.epsilon), [(0, len(X))]))
        self.support_ = np.flatnonzero(solution.beta).astype(np.int32)
        self.support_vectors_ = X[self.support_]
        self._n_support = np.full(2, len(self.support_), np.int32)  # libsvm counts two classes
        self.dual_coef_ = solution.beta[None, self.support_]
        self.intercept_ = np.array([solution.intercept])
        self._num_iter = np.array([solution.n_steps], np.int32)
        self.fit_status_ = int(not solution.converged)

    def _dense_predict(self, X: np.ndarray) -> np.ndarray:
        return self._pair_scores(self._compute_kernel(X), self._dual_coef_.T)[:, 0]
