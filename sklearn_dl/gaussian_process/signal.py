"""Covariance of the function alone, without its matrix: blocks, products and derivatives of sums.

Everything here takes arrays of numpy, which run through the compiled terms, or torch tensors, which are
computed where they live.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from sklearn.gaussian_process.kernels import Kernel

from sklearn_dl._base.arrays import Array, is_tensor, namespace
from sklearn_dl.gaussian_process import terms
from sklearn_dl.gaussian_process.covariance import CompiledCovariance, compile_covariance
from sklearn_dl.gaussian_process.pairs import Pairs
from sklearn_dl.gaussian_process.separation import Variances, variances, without_noise
from sklearn_dl.gaussian_process.tensor_terms import TensorBlock, tensor_values

_TILE = 1024  # side of a block of a product: large for BLAS, 8 MB
_DEVICE_TILE = 8192
_CACHED_TILE = 256  # side of a block with its derivatives, whose few arrays stay in the second-level cache


class Block:
    """Covariances of rows with columns, and their derivatives."""

    def __init__(self, term: terms.Term, rows: np.ndarray, columns: np.ndarray, theta: np.ndarray) -> None:
        self._evaluation = term(Pairs(rows, columns), theta)
        self._n_parameters = len(theta)
        self._shape = len(rows), len(columns)

    @property
    def values(self) -> np.ndarray:
        """Covariances, of shape (n_rows, n_columns)."""
        return np.broadcast_to(self._evaluation.values, self._shape)

    def pull(self, adjoint: np.ndarray) -> np.ndarray:
        """Derivative by theta of the sum of adjoint times values."""
        gradient = np.zeros(self._n_parameters)
        self._evaluation.add_gradient(adjoint, gradient)
        return gradient

    def pull_rows(self, adjoint: np.ndarray) -> Any:
        """Derivative by the rows of the sum of adjoint times values, or 0."""
        return self._evaluation.row_gradient(adjoint)


class SignalCovariance:
    """Covariance of function values, as a function of the hyper-parameters theta.

    Parameters
    ----------
    kernel : Kernel
        A compiled one.

    Raises
    ------
    NotImplementedError
        If the kernel is evaluated by its own code.
    """

    def __init__(self, kernel: Kernel, owner: str = "This") -> None:
        covariance = compile_covariance(kernel)
        if not isinstance(covariance, CompiledCovariance):
            raise NotImplementedError(
                f'{owner}: inference="sgpr" and "cg" take sums, products and powers of ConstantKernel, '
                "WhiteKernel, RBF, Matern (nu 0.5, 1.5, 2.5 or inf), RationalQuadratic, ExpSineSquared and "
                f"DotProduct, at least one of which relates rows to each other; got {kernel}. Use "
                'inference="exact" for it.'
            )
        self._noisy, self.term = covariance.term, without_noise(covariance.term)
        self._whole = CompiledCovariance(self.term)

    def variances(self, X: Array, theta: np.ndarray) -> Variances:
        """Variances of the function and of the noise at each row."""
        return variances(self._noisy, X, theta)

    def block(self, rows: Array, columns: Array, theta: np.ndarray) -> Block | TensorBlock:
        """Covariances of a block that fits into the cache, to be differentiated."""
        return (TensorBlock if is_tensor(rows) else Block)(self.term, rows, columns, theta)

    def between(self, rows: Array, columns: Array, theta: np.ndarray) -> Array:
        """Covariances of rows with others."""
        if is_tensor(rows):
            return tensor_values(self.term, rows, columns, theta)
        return self._whole.between(rows, columns, theta)

    def product(self, X: Array, theta: np.ndarray, V: Array) -> Array:
        """Covariance of X with itself times V (n_samples, n_columns), each block of the half taken once."""
        out = namespace(X).zeros_like(V)
        for rows, columns in _half(len(X), _side(X, _TILE)):
            values = self.between(X[rows], X[columns], theta)
            out[rows] += values @ V[columns]
            if rows != columns:
                out[columns] += values.T @ V[rows]
        return out

    def contract(self, X: Array, theta: np.ndarray, left: Array, right: Array) -> np.ndarray:
        """Derivative by theta of the sum of left @ right.T, which is symmetric, times the covariance."""
        gradient = np.zeros(len(theta))
        for rows, columns in _half(len(X), _side(X, _CACHED_TILE)):
            adjoint = left[rows] @ right[columns].T
            if rows != columns:
                adjoint *= 2
            gradient += self.block(X[rows], X[columns], theta).pull(adjoint)
        return gradient


def block_slices(X: Array, n_columns: int) -> Iterator[slice]:
    """Slices of the rows of X, so that a block of so many columns fits into the cache, or the device."""
    n_elements = _DEVICE_TILE**2 if _on_device(X) else _CACHED_TILE**2
    return slices(len(X), max(64, n_elements // n_columns))


def slices(n_rows: int, step: int) -> Iterator[slice]:
    """Slices of `step` rows, in order."""
    return (slice(start, min(start + step, n_rows)) for start in range(0, n_rows, step))


def _half(n_rows: int, step: int) -> Iterator[tuple[slice, slice]]:
    for rows in slices(n_rows, step):
        yield rows, rows
        for columns in slices(n_rows - rows.stop, step):
            yield rows, slice(rows.stop + columns.start, rows.stop + columns.stop)


def _side(X: Array, on_host: int) -> int:
    return _DEVICE_TILE if _on_device(X) else on_host


def _on_device(X: Array) -> bool:
    return is_tensor(X) and X.device.type != "cpu"
