"""Rows of a kernel matrix: computed in blocks by matrix products, and kept as far as memory allows."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from sklearn_dl._base.threads import map_blocks
from sklearn_dl.svm.working_set_kernels import add_rows, gather

Side = Callable[[np.ndarray], np.ndarray]

KERNELS = ("linear", "rbf", "poly", "sigmoid")
_FLOAT32_ROUNDING = 2.0**-24
_GATHERING_PAYS = 8  # columns
_THREADS_PAY = 1 << 26  # multiplications: starting threads takes part of a millisecond
_BLOCK_ELEMENTS = (
    1 << 18
)  # of a kernel block: it stays in the second-level cache between product and function


@dataclass(frozen=True)
class Kernel:
    """Kernel function of inner products, one of :data:`KERNELS`."""

    name: str
    gamma: float
    coef0: float
    degree: int

    def sides(self, origin: np.ndarray, dtype: Any) -> tuple[Side, Side]:
        """Functions of X and Y: :meth:`apply` makes the product of what they return the kernel of X and Y.

        For the Gaussian kernel the product is the exponent, ``-gamma |x - y|^2``: two more columns hold the
        squared lengths, which round off least about an `origin` amid the rows.
        """
        if self.name != "rbf":
            return (lambda X: X.astype(dtype, copy=False),) * 2

        def side(X: np.ndarray, scale: float, squares: int, ones: int) -> np.ndarray:
            columns = np.empty((len(X), X.shape[1] + 2), dtype)
            centered = X - origin
            columns[:, squares] = -self.gamma * np.einsum("ij,ij->i", centered, centered)
            columns[:, ones] = 1.0
            np.multiply(centered, scale, out=columns[:, :-2], casting="same_kind")
            return columns

        return lambda X: side(X, 2 * self.gamma, -2, -1), lambda Y: side(Y, 1.0, -1, -2)

    def apply(self, products: np.ndarray) -> np.ndarray:
        """Kernel from inner products, in their place."""
        if self.name == "rbf":
            np.minimum(products, 0.0, out=products)
            np.exp(products, out=products)
        elif self.name != "linear":
            products *= self.gamma
            products += self.coef0
            if self.name == "sigmoid":
                np.tanh(products, out=products)
            else:
                _to_power(products, self.degree)
        return products

    def rounding(self, X: np.ndarray) -> float:
        """Largest absolute error of an element that is computed in float32."""
        centered = X - X.mean(0) if self.name == "rbf" else X
        largest = float(np.einsum("ij,ij->i", centered, centered).max())
        if self.name != "linear":
            largest *= self.gamma
        if self.name == "rbf":
            largest = max(1.0, largest)
        if self.name == "poly":
            largest = self.degree * (largest + abs(self.coef0)) ** self.degree
        return _FLOAT32_ROUNDING * largest


def _to_power(numbers: np.ndarray, exponent: int) -> None:
    """Raise to a power in place; by products, since the general power takes thirty times as long."""
    factor = numbers.copy()
    if exponent == 0:
        numbers[...] = 1.0
    for _ in range(exponent - 1):
        numbers *= factor


class KernelRows:
    """Rows of the kernel matrix of X, the least recently used of them dropped when `cache_bytes` are full."""

    def __init__(self, kernel: Kernel, X: np.ndarray, dtype: Any, cache_bytes: float) -> None:
        self.kernel = kernel
        left, right = kernel.sides(X.mean(0), dtype)
        self.left, self.right = left(X), right(X)
        n_rows = len(X)
        row_bytes = n_rows * self.left.itemsize
        n_places = int(np.clip(cache_bytes // row_bytes, min(n_rows, 64), n_rows))
        self.kept = np.empty((n_places, n_rows), dtype)
        self.row_at = np.full(n_places, -1)
        self.place_of = np.full(n_rows, -1)
        self.last_use = np.zeros(n_places, np.int64)
        self.clock = 0

    @property
    def keeps_all(self) -> bool:
        """Whether all rows have a place."""
        return self.kept.shape[0] == self.kept.shape[1]

    def square(self, rows: np.ndarray) -> np.ndarray:
        """Kernel among `rows`, from what is kept where gathering that is quicker than the products."""
        if self.left.shape[1] < _GATHERING_PAYS:
            return self.kernel.apply(self.left[rows] @ self.right[rows].T)
        square = np.empty((len(rows), len(rows)), self.kept.dtype)
        places = self.place_of[rows]
        missing = places < 0
        gather(self.kept, places, rows, square)
        if missing.any():
            square[missing] = self.kernel.apply(self.left[rows[missing]] @ self.right[rows].T)
        return square

    def add_products(
        self, rows: np.ndarray, factors: np.ndarray, targets: list[tuple[int, np.ndarray]]
    ) -> None:
        """Add the rows times their factors to each target, from the target's first column on."""
        # Rows that are at hand first, before others take their places.
        order = np.argsort(self.place_of[rows] < 0, kind="stable")
        n_places = len(self.kept)
        for start in range(0, len(rows), n_places):
            batch = order[start : start + n_places]
            places = self._places(rows[batch])
            for first_column, total in targets:
                add_rows(self.kept, places, factors[batch], first_column, total)

    def _places(self, rows: np.ndarray) -> np.ndarray:
        """Where the rows are kept, after computing those that are not."""
        self.clock += 1
        missing = rows[self.place_of[rows] < 0]
        self.last_use[self.place_of[rows[self.place_of[rows] >= 0]]] = self.clock
        if len(missing):
            places = np.argsort(self.last_use, kind="stable")[: len(missing)]
            dropped = self.row_at[places]
            self.place_of[dropped[dropped >= 0]] = -1
            self.row_at[places], self.place_of[missing], self.last_use[places] = missing, places, self.clock
            step = max(8, _BLOCK_ELEMENTS // len(self.left))
            map_blocks(
                lambda start: self._compute(missing[start : start + step], places[start : start + step]),
                range(0, len(missing), step),
                None if len(missing) * self.left.size > _THREADS_PAY else 1,
            )
        return self.place_of[rows]

    def _compute(self, rows: np.ndarray, places: np.ndarray) -> None:
        self.kept[places] = self.kernel.apply(self.left[rows] @ self.right.T)
