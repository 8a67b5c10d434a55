"""Losses of stochastic gradient descent: each a function of targets and scores, with its derivative."""

from collections.abc import Callable
from typing import Any

from sklearn_dl._base.arrays import Array, namespace

#: What compiled code calls the losses.
LOSS_CODES = {
    "hinge": 0,
    "perceptron": 1,
    "squared_hinge": 2,
    "log_loss": 3,
    "modified_huber": 4,
    "squared_error": 5,
    "huber": 6,
    "epsilon_insensitive": 7,
    "squared_epsilon_insensitive": 8,
}

#: Derivatives are cut off here, so that one row far away cannot end in infinity.
MAX_GRADIENT = 1e12

Loss = Callable[[Array, Array, float], tuple[Array, Array]]


def _positive(x: Array) -> Array:
    return namespace(x).clip(x, 0, None)


def hinge(y: Array, p: Array, epsilon: float = 0.0) -> tuple[Array, Array]:
    """``max(0, 1 - y p)``: the linear support vector machine."""
    z = y * p
    return _positive(1 - z), namespace(p).where(z <= 1, -y, 0 * y)


def perceptron(y: Array, p: Array, epsilon: float = 0.0) -> tuple[Array, Array]:
    """``max(0, -y p)``: wrong rows alone count."""
    z = y * p
    return _positive(-z), namespace(p).where(z <= 0, -y, 0 * y)


def squared_hinge(y: Array, p: Array, epsilon: float = 0.0) -> tuple[Array, Array]:
    """``max(0, 1 - y p)^2``."""
    short = _positive(1 - y * p)
    return short**2, -2 * y * short


def log_loss(y: Array, p: Array, epsilon: float = 0.0) -> tuple[Array, Array]:
    """``log(1 + exp(-y p))``: logistic regression."""
    xp, z = namespace(p), y * p
    e = xp.exp(-xp.abs(z))
    return _positive(-z) + xp.log1p(e), -y * xp.where(z > 0, e, 0 * e + 1) / (1 + e)


def modified_huber(y: Array, p: Array, epsilon: float = 0.0) -> tuple[Array, Array]:
    """``max(0, 1 - y p)^2`` where ``y p >= -1``, and its tangent ``-4 y p`` below (Zhang, 2004)."""
    xp, z = namespace(p), y * p
    short = _positive(1 - z)
    return xp.where(z >= -1, short**2, -4 * z), xp.where(z >= -1, -2 * y * short, -4 * y)


def squared_error(y: Array, p: Array, epsilon: float = 0.0) -> tuple[Array, Array]:
    """``(p - y)^2 / 2``: least squares."""
    error = p - y
    return error**2 / 2, error


def huber(y: Array, p: Array, epsilon: float) -> tuple[Array, Array]:
    """``(p - y)^2 / 2`` where ``|p - y| <= epsilon``, and its tangent beyond."""
    xp, error = namespace(p), p - y
    size = xp.abs(error)
    value = xp.where(size <= epsilon, error**2 / 2, epsilon * (size - epsilon / 2))
    return value, xp.clip(error, -epsilon, epsilon)


def epsilon_insensitive(y: Array, p: Array, epsilon: float) -> tuple[Array, Array]:
    """``max(0, |p - y| - epsilon)``: support vector regression."""
    xp, error = namespace(p), p - y
    outside = _positive(xp.abs(error) - epsilon)
    return outside, xp.sign(error) * xp.sign(outside)


def squared_epsilon_insensitive(y: Array, p: Array, epsilon: float) -> tuple[Array, Array]:
    """``max(0, |p - y| - epsilon)^2``."""
    xp, error = namespace(p), p - y
    outside = _positive(xp.abs(error) - epsilon)
    return outside**2, 2 * xp.sign(error) * outside


#: Losses of real targets: function, and default of `epsilon` where the loss has one.
REGRESSION_LOSSES: dict[str, tuple[Any, ...]] = {
    "squared_error": (squared_error,),
    "huber": (huber, 0.1),
    "epsilon_insensitive": (epsilon_insensitive, 0.1),
    "squared_epsilon_insensitive": (squared_epsilon_insensitive, 0.1),
}

#: Losses of classes -1 and 1; those of real targets serve too.
CLASSIFICATION_LOSSES: dict[str, tuple[Any, ...]] = {
    "hinge": (hinge,),
    "squared_hinge": (squared_hinge,),
    "perceptron": (perceptron,),
    "log_loss": (log_loss,),
    "modified_huber": (modified_huber,),
    **REGRESSION_LOSSES,
}
