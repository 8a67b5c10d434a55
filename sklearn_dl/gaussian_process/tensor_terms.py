"""Terms of a covariance evaluated on torch tensors where they live, and differentiated by torch."""

from collections.abc import Callable
from typing import Any

import numpy as np

from sklearn_dl._base.arrays import Array, move_like, namespace, to_host
from sklearn_dl.gaussian_process import stationary, terms
from sklearn_dl.gaussian_process.pairs import Hyperparameter

#: Covariance as a function of the distance r in units of the length scale. torch's distance has derivative 0
#: at 0, where the square root of a squared distance would have none.
_PROFILES: dict[Callable[..., Any], Callable[[Array], Array]] = {
    stationary.gaussian: lambda r: (-0.5 * r.square()).exp(),
    stationary.matern_12: lambda r: (-r).exp(),
    stationary.matern_32: lambda r: (1 + 3**0.5 * r) * (-(3**0.5) * r).exp(),
    stationary.matern_52: lambda r: (1 + 5**0.5 * r + 5 / 3 * r.square()) * (-(5**0.5) * r).exp(),
}


class TensorBlock:
    """Covariances of rows with columns, with the graph that leads back to theta and the rows."""

    def __init__(self, term: terms.Term, rows: Array, columns: Array, theta: np.ndarray) -> None:
        torch = namespace(rows)
        with torch.enable_grad():
            self._rows = rows.detach().requires_grad_()
            self._theta = move_like(theta, rows).requires_grad_()
            self._values = _broadcast(evaluate(term, self._rows, columns, self._theta), rows, columns)

    @property
    def values(self) -> Array:
        """Covariances, of shape (n_rows, n_columns)."""
        return self._values.detach()

    def pull(self, adjoint: Array) -> np.ndarray:
        """Derivative by theta of the sum of adjoint times values."""
        gradient = self._pull(adjoint, self._theta)
        return np.zeros(len(self._theta)) if gradient is None else to_host(gradient).astype(np.float64)

    def pull_rows(self, adjoint: Array) -> Any:
        """Derivative by the rows of the sum of adjoint times values, or 0."""
        gradient = self._pull(adjoint, self._rows)
        return 0.0 if gradient is None else gradient

    def _pull(self, adjoint: Array, source: Array) -> Array | None:
        if not self._values.requires_grad:
            return None
        return namespace(adjoint).autograd.grad(
            self._values, source, adjoint, retain_graph=True, allow_unused=True
        )[0]


def tensor_values(term: terms.Term, rows: Array, columns: Array, theta: np.ndarray) -> Array:
    """Covariances of rows with columns, without a graph."""
    with namespace(rows).no_grad():
        return _broadcast(evaluate(term, rows, columns, move_like(theta, rows)), rows, columns)


def _broadcast(values: Any, rows: Array, columns: Array) -> Array:
    return values + rows.new_zeros((len(rows), len(columns))) if np.ndim(values) == 0 else values


def evaluate(term: terms.Term, rows: Array, columns: Array, theta: Array) -> Any:
    """Values of a term without noise on all pairs, a tensor or a number."""
    if isinstance(term, terms.Sum | terms.Product):
        left, right = (evaluate(part, rows, columns, theta) for part in (term.left, term.right))
        return left + right if isinstance(term, terms.Sum) else left * right
    if isinstance(term, terms.Power):
        return evaluate(term.base, rows, columns, theta) ** term.exponent
    if isinstance(term, terms.Constant):
        return _at(term.value, theta)
    if isinstance(term, terms.Dot):
        return rows @ columns.T + _at(term.sigma_0, theta) ** 2
    if isinstance(term, stationary.Stationary):
        return _PROFILES[term.profile](_distances(rows, columns, _at(term.length_scale, theta)))
    if isinstance(term, stationary.RationalQuadratic):
        alpha, distance = _at(term.alpha, theta), _distances(rows, columns, _at(term.length_scale, theta))
        return (-alpha * (distance.square() / (2 * alpha)).log1p()).exp()
    if isinstance(term, stationary.Periodic):
        angle = _distances(rows, columns, _at(term.periodicity, theta)) * np.pi
        return (-2 * (angle.sin() / _at(term.length_scale, theta)).square()).exp()
    raise TypeError(f"{type(term).__name__} has no values on tensors")


def _at(parameter: Hyperparameter, theta: Array) -> Any:
    if parameter.slot is None:
        return move_like(np.asarray(parameter.constant, dtype=np.float64), theta)
    values = theta[parameter.slot].exp()
    return values if len(values) > 1 else values[0]


def _distances(rows: Array, columns: Array, scale: Array) -> Array:
    # From differences: inner products would round near duplicates away.
    return namespace(rows).cdist(rows / scale, columns / scale, compute_mode="donot_use_mm_for_euclid_dist")
