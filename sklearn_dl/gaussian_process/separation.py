"""A covariance as that of the function and that of the noise, which a kernel of scikit-learn holds in one.

Noise is what an observation has in common with itself alone: the pair of a row with itself counts it, the
pair of a row with its repetition does not.
"""

from typing import Any, NamedTuple

import numpy as np

from sklearn_dl._base.arrays import Array, namespace
from sklearn_dl.gaussian_process import stationary, terms
from sklearn_dl.gaussian_process.pairs import Hyperparameter

_NOTHING = terms.Constant(Hyperparameter(None, 0.0))


def without_noise(term: terms.Term) -> terms.Term:
    """The covariance of the function: the expression with its noise left out."""
    return _signal(term) or _NOTHING


def _signal(term: terms.Term) -> terms.Term | None:
    """None stands for 0."""
    if isinstance(term, terms.White):
        return None
    if isinstance(term, terms.Sum):
        left, right = _signal(term.left), _signal(term.right)
        return terms.Sum(left, right) if left and right else left or right
    if isinstance(term, terms.Product):
        left, right = _signal(term.left), _signal(term.right)
        return terms.Product(left, right) if left and right else None
    if isinstance(term, terms.Power):
        base = _signal(term.base)
        return terms.Power(base, term.exponent) if base else None
    return term


class Variances(NamedTuple):
    """Variance of the function and of the noise at each row, and their derivatives by theta.

    A derivative is 0, a float for all rows or an array of one for each.
    """

    signal: Array
    noise: Array
    by_signal: dict[int, Any]
    by_noise: dict[int, Any]

    def gradient(self, adjoint: Array, noise_adjoint: Array, n_parameters: int) -> np.ndarray:
        """Derivative by theta of the sum of adjoints times variances."""
        gradient = np.zeros(n_parameters)
        for weight, derivatives in ((adjoint, self.by_signal), (noise_adjoint, self.by_noise)):
            for place, derivative in derivatives.items():
                gradient[place] += float((weight * derivative).sum())
        return gradient


def variances(term: terms.Term, X: Array, theta: np.ndarray) -> Variances:
    """Variances of the rows of X, an array of numpy or a tensor."""
    signal, by_signal = _at_itself(term, X, theta, noisy=False)
    total, by_total = _at_itself(term, X, theta, noisy=True)
    by_noise = {place: slope - by_signal.get(place, 0.0) for place, slope in by_total.items()}
    zeros = namespace(X).zeros_like(X[:, 0])
    return Variances(zeros + signal, zeros + (total - signal), by_signal, by_noise)


def _at_itself(term: terms.Term, X: Array, theta: np.ndarray, *, noisy: bool) -> tuple[Any, dict[int, Any]]:
    """Covariance of each row with itself and its derivatives by the places of theta, in forward mode."""
    if isinstance(term, terms.Sum | terms.Product):
        left, by_left = _at_itself(term.left, X, theta, noisy=noisy)
        right, by_right = _at_itself(term.right, X, theta, noisy=noisy)
        if isinstance(term, terms.Sum):
            return left + right, by_left | by_right  # no two terms share a hyper-parameter
        return left * right, _times(by_left, right) | _times(by_right, left)
    if isinstance(term, terms.Power):
        base, by_base = _at_itself(term.base, X, theta, noisy=noisy)
        return base**term.exponent, _times(by_base, term.exponent * base ** (term.exponent - 1))
    if isinstance(term, terms.Constant):
        value = float(term.value.at(theta))
        return value, _at_slot(term.value, value)
    if isinstance(term, terms.White):
        level = float(term.level.at(theta)) if noisy else 0.0
        return level, _at_slot(term.level, level)
    if isinstance(term, terms.Dot):
        offset = float(term.sigma_0.at(theta)) ** 2
        return (X * X).sum(1) + offset, _at_slot(term.sigma_0, 2 * offset)
    if isinstance(term, stationary.Stationary | stationary.RationalQuadratic | stationary.Periodic):
        return 1.0, {}
    raise TypeError(f"no variance is known for {type(term).__name__}")


def _times(derivatives: dict[int, Any], factor: Any) -> dict[int, Any]:
    return {place: slope * factor for place, slope in derivatives.items()}


def _at_slot(parameter: Hyperparameter, slope: float) -> dict[int, Any]:
    return {} if parameter.slot is None else {parameter.slot.start: slope}
