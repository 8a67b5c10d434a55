"""Squared-penalty logistic regression: Newton's method, or L-BFGS with the Hessian of a pilot sample of rows.

A Hessian costs as much as many gradients. But that of a few rows, at the minimum of their loss, is nearly
that of all rows at theirs: a pilot fit gives L-BFGS its start and its inverse Hessian, and a handful of
passes over all rows is left. The pilot is fitted in the same way, down to few enough rows for plain Newton
steps. (Erdogdu, Montanari, 2015, Convergence rates of sub-sampled Newton methods, is the same thought without
the L-BFGS.) Where one Gram matrix of all rows is cheap, it serves all steps: see :mod:`.logistic_stein`.
"""

from collections.abc import Callable
from functools import partial

import numpy as np
from scipy import sparse

from sklearn_dl.linear_model.logistic_hessians import (
    binary_hessian,
    diagonal_inverse,
    inverse_of,
    minimum_norm,
    regular_multinomial_hessian,
    shared_hessian,
    with_rare_columns,
)
from sklearn_dl.linear_model.logistic_loss import LogisticLoss
from sklearn_dl.linear_model.logistic_pilot import (
    guess,
    loss_of_guess,
    pilot_of,
    pilot_size,
    rows_for_gram,
    size_along,
)
from sklearn_dl.linear_model.logistic_row_space import RowSpace, rows_are_few
from sklearn_dl.linear_model.logistic_stein import SAMPLE_ROWS, SteinCurvature, gram_pays
from sklearn_dl.linear_model.preconditioned_lbfgs import MEMORY, InverseHessian, Minimum, OnStep, minimize

_MAX_NEWTON_COST = 2e7  # multiplications for a Hessian, up to which every step takes a new one
_MAX_NEWTON_SIZE = 150  # parameters
_PATIENCE = 40  # steps of L-BFGS on few rows, before inner products, or Newton steps, take over:
_MAX_LATE_SIZE = 700  # these for up to so many parameters
_LEAST_CURVATURE = 1e-12  # of that at zero
_FEW_ROWS = 300  # whose probabilities are no burden beside the Hessian of their features
_MAX_DENSE_SIZE = 1100  # features, up to which a Hessian is factorised


def minimize_logistic(
    loss: LogisticLoss,
    start: np.ndarray | None,
    *,
    tol: float,
    max_iter: int,
    on_step: OnStep | None = None,
) -> Minimum:
    """Minimise a logistic loss with its squared penalty.

    Parameters
    ----------
    loss : LogisticLoss
        Function of the flat parameters.
    start : ndarray or None
        Flat parameters to start from. None starts from those of a pilot fit, or from zero.
    tol : float
        Largest entry of the gradient to end at; see also :func:`decrease_tol`.
    max_iter : int
        Passes that make a step.
    on_step : callable, default=None
        As in :func:`~sklearn_dl.linear_model.preconditioned_lbfgs.minimize`.
    """
    if not rows_are_few(loss):
        return _minimize(loss, start, newton_pays(loss), tol, max_iter, on_step)
    if not loss.l2[0] or loss.n_classes > 2 or loss.n_samples <= _MAX_NEWTON_SIZE:
        return _minimize_in_row_space(loss, start, 0, tol, max_iter, on_step)
    # Where scales are alike, some passes over the rows cost less than their inner products.
    by_diagonal = loss.n_samples <= _FEW_ROWS
    result = _minimize(loss, start, False, tol, min(_PATIENCE, max_iter), on_step, by_diagonal=by_diagonal)
    if result.converged or result.n_iter == max_iter:
        return result
    return _minimize_in_row_space(loss, result.x, result.n_iter, tol, max_iter, on_step)


def _minimize_in_row_space(
    loss: LogisticLoss,
    start: np.ndarray | None,
    n_done: int,
    tol: float,
    max_iter: int,
    on_step: OnStep | None,
) -> Minimum:
    """As :func:`minimize_logistic`, after `n_done` steps, in at most as many coordinates as rows."""
    space = RowSpace(loss)

    def minimize_in_space(start: np.ndarray | None, renew: bool, n_done: int, last: int) -> Minimum:
        def report(n_iter: int, value: float, x: np.ndarray) -> None:
            if on_step is not None:
                on_step(n_done + n_iter, value, space.expand(x))

        result = _minimize(space.loss, start, renew, tol, last - n_done, report)
        return result._replace(n_iter=n_done + result.n_iter)

    renew = newton_pays(space.loss) or n_done > 0
    has_patience = renew or np.prod(space.loss.shape) > _MAX_LATE_SIZE
    last = max_iter if has_patience else min(n_done + _PATIENCE, max_iter)
    result = minimize_in_space(None if start is None else space.project(start), renew, n_done, last)
    if not result.converged and result.n_iter < max_iter:
        result = minimize_in_space(result.x, True, result.n_iter, max_iter)
    return result._replace(x=space.expand(result.x))


def _minimize(
    loss: LogisticLoss,
    start: np.ndarray | None,
    renew: bool,
    tol: float,
    max_iter: int,
    on_step: OnStep | None,
    *,
    by_diagonal: bool = False,
) -> Minimum:
    """As :func:`minimize_logistic`, of the parameters that the loss has; by Newton's method for `renew`."""
    origin = np.zeros(loss.shape).ravel() if start is None else start
    if loss.n_classes > 2:
        origin = _balanced(origin, loss.shape)
    inverse_at: Callable[[np.ndarray], InverseHessian]
    memory, allowed = MEMORY, decrease_tol(tol)
    size_at: Callable[[np.ndarray, np.ndarray], float] | None = None
    if renew:
        hessian_of = binary_hessian if loss.n_classes == 2 else regular_multinomial_hessian
        inverse_at, memory = lambda flat: inverse_of(hessian_of(loss, flat)), 0
    elif loss.n_classes > 2 and not by_diagonal and _dense_pays(loss):
        origin = guess(loss) if start is None else origin
        inverse_at = _DampedCurvature(loss).inverse_at
    elif gram_pays(loss):
        origin = guess(loss) if start is None else origin
        sample = pilot_of(loss, SAMPLE_ROWS)
        inverse_at = SteinCurvature(loss, sample).inverse_at
        size_at = partial(size_along, loss, sample)
    elif not by_diagonal and _dense_pays(loss):
        origin, inverse = _from_pilot(loss, None if start is None else origin)
        inverse_at = lambda flat: inverse  # noqa: E731
    else:
        diagonal = diagonal_inverse(loss)
        inverse_at = lambda flat: diagonal  # noqa: E731
        # The sample is not kept: it serves the first step only, and can be as large as all that follow need.
        size_at = lambda *line: size_along(loss, pilot_of(loss, SAMPLE_ROWS), *line)  # noqa: E731
        allowed = tol / 10  # a diagonal promises too little to ask for more
    result = minimize(
        loss,
        origin,
        inverse_at,
        tol=tol,
        decrease_tol=allowed,
        max_iter=max_iter,
        memory=memory,
        size_at=size_at,
        eps=loss.eps,
        on_step=on_step,
    )
    if loss.n_classes > 2:
        result = result._replace(x=_balanced(result.x, loss.shape))
    unpenalized = not loss.l2.any() and loss.n_features <= _MAX_DENSE_SIZE
    return result._replace(x=minimum_norm(loss, result.x)) if unpenalized else result


def _balanced(flat: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The parameters that sum to 0 over classes, which a squared penalty prefers at equal probabilities."""
    rows = flat.reshape(shape)
    return (rows - rows.mean(0)).ravel()


def decrease_tol(tol: float) -> float:
    """Largest decrease still expected of another step to end at: what a gradient of `tol` leaves at most.

    That is of the order of ``tol**2`` over the curvature, where all directions are alike; where some are
    flat, it asks for more than the gradient does.
    """
    return 10 * tol**2


def newton_pays(loss: LogisticLoss) -> bool:
    """Whether a Hessian is cheap enough to take a new one at each step."""
    size = int(np.prod(loss.shape))
    return size <= _MAX_NEWTON_SIZE and loss.n_samples * size**2 <= _MAX_NEWTON_COST


def _dense_pays(loss: LogisticLoss) -> bool:
    """Whether factorising a Hessian costs less than the passes over the rows that it saves."""
    is_dense = not sparse.issparse(loss.X)
    return is_dense and loss.n_features <= _MAX_DENSE_SIZE and loss.n_features**2 <= 600 * loss.n_samples


def _from_pilot(loss: LogisticLoss, start: np.ndarray | None) -> tuple[np.ndarray, InverseHessian]:
    """Start and inverse Hessian for `loss` from fewer rows."""
    pilot = pilot_of(loss)
    if start is not None:
        return start, inverse_of(with_rare_columns(loss, pilot, binary_hessian(pilot, start)))
    origin = guess(loss)
    fitted = _fitted_pilot(pilot, origin)
    # A pilot whose few rows can be separated says little about all of them.
    if loss(fitted)[0] < loss_of_guess(loss):
        origin = fitted
    return origin, inverse_of(with_rare_columns(loss, pilot, binary_hessian(pilot, origin)))


def _fitted_pilot(pilot: LogisticLoss, origin: np.ndarray) -> np.ndarray:
    """Minimum of the pilot's loss to a part of the error that its rows' number brings about."""
    renew = newton_pays(pilot)
    nested = not renew and pilot_size(pilot) < pilot.n_samples / 2
    if nested:
        origin, inverse = _from_pilot(pilot, None)
    elif not renew:
        inverse = inverse_of(binary_hessian(pilot, origin))
    return minimize(
        pilot,
        origin,
        lambda flat: inverse_of(binary_hessian(pilot, flat)) if renew else inverse,
        tol=np.inf,
        decrease_tol=0.02 * pilot.n_features / pilot.n_samples,
        max_iter=30,
        memory=0 if renew else MEMORY,
        eps=pilot.eps,
    ).x


class _DampedCurvature:
    """X'X for each class, times what curvature the probabilities leave, plus the penalty.

    At zero that is the Hessian's block of a class. Where classes can be told apart, probabilities near 0 and
    1 take most of the curvature but that of the penalty: no common factor of the Hessian at zero is right
    for both.
    """

    def __init__(self, loss: LogisticLoss) -> None:
        self._shape, self._penalty = loss.shape, np.diag(loss.l2)
        self._sample = pilot_of(loss, _FEW_ROWS)
        rows = rows_for_gram(loss)
        self._unpenalized = with_rare_columns(loss, rows, shared_hessian(rows)) - self._penalty
        self._left = np.inf

    def inverse_at(self, flat: np.ndarray) -> InverseHessian:
        """Function that multiplies by the inverse at `flat`, or at an earlier point that is still like it."""
        sample, n_classes = self._sample, self._shape[0]
        chances = sample.probabilities(flat)
        mean = float(sample.weighted((chances**2).sum(0)).sum()) / sample.total
        left = max((1 - mean) / (1 - 1 / n_classes), _LEAST_CURVATURE)
        if not self._left / 2 < left < 2 * self._left:
            self._left, inverse = left, inverse_of(left * self._unpenalized + self._penalty)
            self._inverse = lambda gradient: inverse(gradient.reshape(self._shape).T).T.ravel()
        return self._inverse
