"""Terms of a covariance: each evaluates a block of pairs and pulls adjoints of the values back.

A term is called with the pairs and theta. Its evaluation holds the values of the block; ``add_gradient``
adds the sum of adjoint times derivative by each logarithm of a hyper-parameter, and ``row_gradient`` gives
the same by the rows. So the derivative of an expression is one pass back, with arrays of a block's size.
Values that nobody asks for, such as those of the whole expression in a pass back, are not computed.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np

from sklearn_dl.gaussian_process.pairs import Hyperparameter, Pairs

Values = Any  # ndarray of the shape of the pairs, or a float that stands for all of them


class Evaluation(Protocol):
    """Values of a term on a block, and their derivatives."""

    @property
    def values(self) -> Values:
        """Covariances."""

    def add_gradient(self, adjoint: np.ndarray, gradient: np.ndarray) -> None:
        """Add the derivatives by theta to `gradient`."""

    def row_gradient(self, adjoint: np.ndarray) -> Any:
        """Derivatives by the rows, of shape (n_rows, n_features), or 0."""


class Term(Protocol):
    """A covariance function."""

    def __call__(self, pairs: Pairs, theta: np.ndarray) -> Evaluation:
        """Values on a block."""


@dataclass(frozen=True)
class Sum:
    """k1 + k2."""

    left: Term
    right: Term

    def __call__(self, pairs: Pairs, theta: np.ndarray) -> Evaluation:
        """Evaluate on a block."""
        return _SumEvaluation(self.left(pairs, theta), self.right(pairs, theta))


class _SumEvaluation:
    def __init__(self, left: Evaluation, right: Evaluation) -> None:
        self.left, self.right = left, right

    @cached_property
    def values(self) -> Values:
        return self.left.values + self.right.values

    def add_gradient(self, adjoint: np.ndarray, gradient: np.ndarray) -> None:
        self.left.add_gradient(adjoint, gradient)
        self.right.add_gradient(adjoint, gradient)

    def row_gradient(self, adjoint: np.ndarray) -> Any:
        return self.left.row_gradient(adjoint) + self.right.row_gradient(adjoint)


@dataclass(frozen=True)
class Product:
    """k1 * k2."""

    left: Term
    right: Term

    def __call__(self, pairs: Pairs, theta: np.ndarray) -> Evaluation:
        """Evaluate on a block."""
        return _ProductEvaluation(self.left(pairs, theta), self.right(pairs, theta))


class _ProductEvaluation:
    def __init__(self, left: Evaluation, right: Evaluation) -> None:
        self.left, self.right = left, right

    @cached_property
    def values(self) -> Values:
        return self.left.values * self.right.values

    def add_gradient(self, adjoint: np.ndarray, gradient: np.ndarray) -> None:
        self.left.add_gradient(adjoint * self.right.values, gradient)
        self.right.add_gradient(adjoint * self.left.values, gradient)

    def row_gradient(self, adjoint: np.ndarray) -> Any:
        left = self.left.row_gradient(adjoint * self.right.values)
        return left + self.right.row_gradient(adjoint * self.left.values)


@dataclass(frozen=True)
class Power:
    """k ** exponent."""

    base: Term
    exponent: float

    def __call__(self, pairs: Pairs, theta: np.ndarray) -> Evaluation:
        """Evaluate on a block."""
        return _PowerEvaluation(self.base(pairs, theta), self.exponent)


class _PowerEvaluation:
    def __init__(self, base: Evaluation, exponent: float) -> None:
        self.base, self.exponent = base, exponent

    @cached_property
    def values(self) -> Values:
        return self.base.values**self.exponent

    def _pull(self, adjoint: np.ndarray) -> np.ndarray:
        return adjoint * (self.exponent * self.base.values ** (self.exponent - 1))

    def add_gradient(self, adjoint: np.ndarray, gradient: np.ndarray) -> None:
        self.base.add_gradient(self._pull(adjoint), gradient)

    def row_gradient(self, adjoint: np.ndarray) -> Any:
        return self.base.row_gradient(self._pull(adjoint))


@dataclass(frozen=True)
class Constant:
    """The same covariance for all pairs."""

    value: Hyperparameter

    def __call__(self, pairs: Pairs, theta: np.ndarray) -> Evaluation:
        """Evaluate on a block."""
        return _ConstantEvaluation(float(self.value.at(theta)), self.value)


class _ConstantEvaluation:
    def __init__(self, values: float, parameter: Hyperparameter) -> None:
        self.values, self.parameter = values, parameter

    def add_gradient(self, adjoint: np.ndarray, gradient: np.ndarray) -> None:
        self.parameter.add(gradient, self.values * adjoint.sum())

    def row_gradient(self, adjoint: np.ndarray) -> Any:
        return 0.0


@dataclass(frozen=True)
class White:
    """Noise of an observation: its covariance with itself alone."""

    level: Hyperparameter

    def __call__(self, pairs: Pairs, theta: np.ndarray) -> Evaluation:
        """Evaluate on a block."""
        return _WhiteEvaluation(float(self.level.at(theta)), self.level, pairs)


class _WhiteEvaluation:
    def __init__(self, level: float, parameter: Hyperparameter, pairs: Pairs) -> None:
        self.level, self.parameter, self.pairs = level, parameter, pairs

    @cached_property
    def values(self) -> Values:
        if not self.pairs.diagonal:
            return 0.0
        values = np.zeros(self.pairs.shape)
        np.fill_diagonal(values, self.level)
        return values

    def add_gradient(self, adjoint: np.ndarray, gradient: np.ndarray) -> None:
        if self.pairs.diagonal:
            self.parameter.add(gradient, self.level * np.trace(adjoint))

    def row_gradient(self, adjoint: np.ndarray) -> Any:
        return 0.0


@dataclass(frozen=True)
class Dot:
    """sigma_0^2 + the inner product of the rows."""

    sigma_0: Hyperparameter

    def __call__(self, pairs: Pairs, theta: np.ndarray) -> Evaluation:
        """Evaluate on a block."""
        return _DotEvaluation(float(self.sigma_0.at(theta)) ** 2, self.sigma_0, pairs)


class _DotEvaluation:
    def __init__(self, offset: float, parameter: Hyperparameter, pairs: Pairs) -> None:
        self.offset, self.parameter, self.columns = offset, parameter, pairs.columns
        self.values = pairs.rows @ pairs.columns.T + offset

    def add_gradient(self, adjoint: np.ndarray, gradient: np.ndarray) -> None:
        self.parameter.add(gradient, 2 * self.offset * adjoint.sum())

    def row_gradient(self, adjoint: np.ndarray) -> Any:
        return adjoint @ self.columns
