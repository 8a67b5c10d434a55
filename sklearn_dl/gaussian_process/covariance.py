"""From a kernel of scikit-learn to a covariance that is evaluated by blocks, and differentiated."""

from functools import lru_cache
from typing import Any

import numpy as np
from sklearn.gaussian_process import kernels

from sklearn_dl.gaussian_process import stationary, terms
from sklearn_dl.gaussian_process.fused import fuse
from sklearn_dl.gaussian_process.pairs import Hyperparameter, Pairs, row_slices
from sklearn_dl.gaussian_process.weights import PairWeights

_MATERN = {
    0.5: stationary.matern_12,
    1.5: stationary.matern_32,
    2.5: stationary.matern_52,
    np.inf: stationary.gaussian,
}


class CompiledCovariance:
    """Covariances of rows by an expression of terms, as a function of the hyper-parameters theta."""

    def __init__(self, term: terms.Term) -> None:
        self.term, self._fused = term, fuse(term)

    def is_compiled(self, X: np.ndarray, theta: np.ndarray) -> bool:
        """Whether a search over theta runs in compiled code."""
        return self._fused is not None and self._fused.pays(X, theta)

    def fill(self, X: np.ndarray, theta: np.ndarray, out: np.ndarray, *, often: bool = False) -> None:
        """Write the upper triangle of the covariance of X with itself into `out`.

        With `often`, as in a search, compiled code may be loaded, which takes longer than one covariance.
        """
        if often and self._fused is not None and self._fused.pays(X, theta):
            self._fused.fill(X, theta, out)
            return
        pairs = Pairs(X, X, diagonal=True)
        for rows in row_slices(len(X), len(X)):
            columns = slice(rows.start, len(X))
            out[rows, columns] = self.term(pairs.block(rows, columns), theta).values

    def contract(self, X: np.ndarray, theta: np.ndarray, weights: PairWeights) -> np.ndarray:
        """Half the sum of weight times derivative of the covariance, by each element of theta."""
        if self._fused is not None and self._fused.pays(X, theta):
            return self._fused.contract(X, theta, weights)
        pairs, gradient = Pairs(X, X, diagonal=True), np.zeros(len(theta))
        for rows in row_slices(len(X), len(X)):
            columns = slice(rows.start, len(X))
            adjoint = _upper_half(weights.block(rows, columns))
            self.term(pairs.block(rows, columns), theta).add_gradient(adjoint, gradient)
        return gradient

    def between(self, rows: np.ndarray, columns: np.ndarray, theta: np.ndarray) -> np.ndarray:
        """Covariance of rows with others."""
        values, pairs = np.empty((len(rows), len(columns))), Pairs(rows, columns)
        for part in row_slices(*values.shape):
            values[part] = self.term(pairs.block(part, slice(None)), theta).values
        return values

    def slopes(
        self, rows: np.ndarray, columns: np.ndarray, theta: np.ndarray, weight: np.ndarray
    ) -> np.ndarray:
        """Derivative by each of the rows of the sum over the columns of weight times covariance."""
        gradient, pairs = np.zeros(rows.shape), Pairs(rows, columns)
        for part in row_slices(len(rows), len(columns)):
            block = pairs.block(part, slice(None))
            adjoint = np.broadcast_to(weight, block.shape)
            gradient[part] = self.term(block, theta).row_gradient(adjoint)
        return gradient


class OwnCovariance:
    """The same by a kernel's own code, as one matrix."""

    def __init__(self, kernel: kernels.Kernel) -> None:
        self.kernel = kernel

    def is_compiled(self, X: Any, theta: np.ndarray) -> bool:
        """Whether a search over theta runs in compiled code: never."""
        return False

    def fill(self, X: Any, theta: np.ndarray, out: np.ndarray, *, often: bool = False) -> None:
        """Write the upper triangle of the covariance of X with itself into `out`."""
        out[...] = self.kernel.clone_with_theta(theta)(X)

    def contract(self, X: Any, theta: np.ndarray, weights: PairWeights) -> np.ndarray:
        """Half the sum of weight times derivative of the covariance, by each element of theta."""
        _, derivative = self.kernel.clone_with_theta(theta)(X, eval_gradient=True)
        adjoint = _upper_half(weights.block(slice(0, len(X)), slice(0, len(X))))
        return np.einsum("ij,ijk->k", adjoint, derivative)

    def between(self, rows: Any, columns: Any, theta: np.ndarray) -> np.ndarray:
        """Covariance of rows with others."""
        return self.kernel.clone_with_theta(theta)(rows, columns)

    def slopes(self, rows: Any, columns: Any, theta: np.ndarray, weight: np.ndarray) -> np.ndarray:
        """Derivative by each of the rows of the sum over the columns of weight times covariance."""
        raise NotImplementedError(
            "The derivative by X is known for sums, products and powers of ConstantKernel, WhiteKernel, RBF, "
            "Matern (nu 0.5, 1.5, 2.5 or inf), RationalQuadratic, ExpSineSquared and DotProduct; "
            f"got {self.kernel}."
        )


def _upper_half(weight: np.ndarray) -> np.ndarray:
    """Weights of half a symmetric sum: pairs off the diagonal stand in it twice, those below are left out."""
    weight[:, : len(weight)] *= _half(len(weight))
    return weight


@lru_cache(maxsize=4)
def _half(n_rows: int) -> np.ndarray:
    return np.triu(np.ones((n_rows, n_rows)), k=1) + 0.5 * np.eye(n_rows)


Covariance = CompiledCovariance | OwnCovariance


def compile_covariance(kernel: kernels.Kernel) -> Covariance:
    """Covariance of a kernel: compiled where all of its parts are known, else by the kernel's own code."""
    if not kernel.requires_vector_input:
        return OwnCovariance(kernel)
    term = _compile(kernel, _Slots())
    return OwnCovariance(kernel) if term is None else CompiledCovariance(term)


class _Slots:
    """Gives the hyper-parameters their places in theta, in the order in which scikit-learn lists them."""

    def __init__(self) -> None:
        self.n_used = 0

    def __call__(self, kernel: kernels.Kernel, name: str) -> Hyperparameter:
        declared = getattr(kernel, f"hyperparameter_{name}")
        if declared.fixed:
            return Hyperparameter(None, _constant(getattr(kernel, name)))
        start, self.n_used = self.n_used, self.n_used + declared.n_elements
        return Hyperparameter(slice(start, self.n_used), None)


def _constant(value: Any) -> Any:
    values = np.asarray(value, dtype=np.float64)
    return values.item() if values.size == 1 else values


def _compile(kernel: kernels.Kernel, slot: _Slots) -> terms.Term | None:
    kind = type(kernel)  # a subclass may compute anything
    if kind in (kernels.Sum, kernels.Product):
        left, right = _compile(kernel.k1, slot), _compile(kernel.k2, slot)
        if left is None or right is None:
            return None
        return terms.Sum(left, right) if kind is kernels.Sum else terms.Product(left, right)
    if kind is kernels.Exponentiation:
        base = _compile(kernel.kernel, slot)
        return None if base is None else terms.Power(base, float(kernel.exponent))
    return _compile_leaf(kernel, slot)


def _compile_leaf(kernel: kernels.Kernel, slot: _Slots) -> terms.Term | None:
    kind = type(kernel)
    if kind is kernels.ConstantKernel:
        return terms.Constant(slot(kernel, "constant_value"))
    if kind is kernels.WhiteKernel:
        return terms.White(slot(kernel, "noise_level"))
    if kind is kernels.DotProduct:
        return terms.Dot(slot(kernel, "sigma_0"))
    if kind is kernels.RBF:
        return stationary.Stationary(stationary.gaussian, slot(kernel, "length_scale"))
    if kind is kernels.Matern and kernel.nu in _MATERN:
        return stationary.Stationary(_MATERN[kernel.nu], slot(kernel, "length_scale"))
    if kind is kernels.RationalQuadratic and np.size(kernel.length_scale) == 1:
        alpha = slot(kernel, "alpha")
        return stationary.RationalQuadratic(slot(kernel, "length_scale"), alpha)
    if kind is kernels.ExpSineSquared:
        return stationary.Periodic(slot(kernel, "length_scale"), slot(kernel, "periodicity"))
    return None
