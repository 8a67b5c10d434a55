"""Logistic regression with an absolute penalty: a proximal quasi-Newton method on working sets of features.

A step minimises the quadratic model of the loss plus the penalty itself, by coordinate descent (Lee, Sun,
Saunders, 2014, Proximal Newton-type methods for minimizing composite functions). The model's Hessian is that
of a pilot sample of rows at the pilot's minimum, corrected by BFGS after each pass over all rows.
"""

from collections.abc import Callable
from functools import partial

import numpy as np

from sklearn_dl._base.arrays import move_like
from sklearn_dl.linear_model.logistic_hessians import (
    binary_hessian,
    multinomial_hessian,
    shared_hessian,
    spread_over_classes,
    with_rare_columns,
)
from sklearn_dl.linear_model.logistic_loss import LogisticLoss
from sklearn_dl.linear_model.logistic_newton import decrease_tol, newton_pays
from sklearn_dl.linear_model.logistic_pilot import guess, pilot_of, rows_for_gram
from sklearn_dl.linear_model.preconditioned_lbfgs import BELIEVED, Minimum, OnStep
from sklearn_dl.linear_model.proximal_step import minimize_l1_quadratic

_MAX_SIZE = 3000  # parameters of a dense Hessian
_MAX_WIDE_COST = 5e8  # multiplications for a Hessian, where rows are too few for a pilot
_ALL_FEATURES = 1500  # up to this many parameters no working set is chosen
_FIRST_WORKING_SET = 100
_MAX_TRIALS = 40
_MAX_STALLED = 5  # steps in a row that lower the objective by rounding only
_ARMIJO = 1e-4
_INEXACT = 0.02  # part of the subgradient to which a model of the loss is minimised
_NEGLIGIBLE = 1e-3  # part of the tolerance beyond which a model is not minimised


def minimize_l1_logistic(
    loss: LogisticLoss,
    l1: np.ndarray,
    start: np.ndarray | None,
    *,
    tol: float,
    max_iter: int,
    on_step: OnStep | None = None,
) -> Minimum:
    """Minimise a logistic loss plus ``sum(l1 * abs(flat))``.

    Parameters
    ----------
    loss : LogisticLoss
        Function of the flat parameters; may hold a squared penalty.
    l1 : ndarray of shape (n_parameters,)
        Strength of the absolute penalty on each parameter; 0 for free intercepts.
    start : ndarray or None
        Flat parameters to start from.
    tol : float
        Largest entry of the smallest subgradient to end at.
    max_iter : int
        Steps at most, over all working sets.
    on_step : callable, default=None
        Called after each step with its number, the loss and the flat parameters.
    """
    if l1.size <= _ALL_FEATURES:
        return _minimize_dense(loss, l1, start, tol, max_iter, on_step)
    flat = guess(loss) if start is None else start
    n_iter, size = 0, _FIRST_WORKING_SET
    while True:
        value, gradient = loss(flat)
        violation = np.abs(smallest_subgradient(gradient, flat, l1)).reshape(loss.shape)
        if violation.max() <= tol:
            return Minimum(flat, value, n_iter, True)
        if n_iter >= max_iter:
            return Minimum(flat, value, n_iter, False)
        features = _working_set(loss, flat, violation, size)
        if (len(features) + 1) * loss.shape[0] > _MAX_SIZE:
            rest = _minimize_accelerated(loss, l1, flat, tol, max_iter - n_iter, on_step)
            return rest._replace(n_iter=rest.n_iter + n_iter)
        columns = np.append(features, np.arange(loss.n_features, loss.shape[1]))
        parts = flat.reshape(loss.shape)[:, columns].ravel()
        result = _minimize_dense(
            _restricted(loss, features),
            l1.reshape(loss.shape)[:, columns].ravel(),
            parts,
            max(tol / 2, 0.1 * violation.max()),
            max_iter - n_iter,
            on_step,
        )
        flat = flat.reshape(loss.shape).copy()
        flat[:, columns] = result.x.reshape(loss.shape[0], -1)
        flat = flat.ravel()
        if result.n_iter == 0 and len(features) == loss.n_features:
            return Minimum(flat, value, n_iter, result.converged)
        n_iter, size = n_iter + result.n_iter, 2 * size


def smallest_subgradient(gradient: np.ndarray, x: np.ndarray, l1: np.ndarray) -> np.ndarray:
    """Smallest entry of each subdifferential of the loss plus ``sum(l1 * abs(x))``: 0 at a minimum."""
    at_zero = np.sign(gradient) * np.maximum(np.abs(gradient) - l1, 0)
    return np.where(x == 0, at_zero, gradient + l1 * np.sign(x))


def _minimize_dense(
    loss: LogisticLoss,
    l1: np.ndarray,
    start: np.ndarray | None,
    tol: float,
    max_iter: int,
    on_step: OnStep | None = None,
) -> Minimum:
    """Minimise over all parameters, by a dense model of the loss."""
    hessian_of = binary_hessian if loss.n_classes == 2 else _multinomial_model
    size = l1.size
    is_wide = loss.n_samples < 10 * size and loss.n_samples * size**2 <= _MAX_WIDE_COST
    origin = guess(loss) if start is None else start
    if newton_pays(loss) or is_wide:
        return _proximal_steps(loss, l1, origin, lambda x: hessian_of(loss, x), tol, max_iter, True, on_step)
    if loss.n_classes > 2:
        rows = rows_for_gram(loss)
        shared = with_rare_columns(loss, rows, shared_hessian(rows))
        model = _with_held_intercepts(loss, spread_over_classes(loss, shared))
    else:
        pilot = pilot_of(loss)
        if start is None and pilot.n_samples < loss.n_samples / 2:
            noise = np.sqrt(pilot.n_features) / pilot.n_samples
            fitted = _minimize_dense(pilot, l1, None, max(tol, noise), 30).x
            if _objective(loss, l1, fitted)[0] < _objective(loss, l1, origin)[0]:
                origin = fitted
        model = with_rare_columns(loss, pilot, binary_hessian(pilot, origin))
    return _proximal_steps(loss, l1, origin, lambda x: model, tol, max_iter, False, on_step)


def _multinomial_model(loss: LogisticLoss, flat: np.ndarray) -> np.ndarray:
    return _with_held_intercepts(loss, multinomial_hessian(loss, flat))


def _with_held_intercepts(loss: LogisticLoss, hessian: np.ndarray) -> np.ndarray:
    """Give the Hessian curvature where all intercepts grow by the same, which changes nothing."""
    if loss.fit_intercept:
        intercepts = np.arange(1, loss.n_classes + 1) * loss.shape[1] - 1
        hessian[np.ix_(intercepts, intercepts)] += hessian[intercepts, intercepts].mean()
    return hessian


def _proximal_steps(
    loss: LogisticLoss,
    l1: np.ndarray,
    x: np.ndarray,
    model_at: Callable[[np.ndarray], np.ndarray],
    tol: float,
    max_iter: int,
    renew: bool,
    on_step: OnStep | None,
) -> Minimum:
    """Proximal Newton steps where the model is renewed, proximal BFGS steps otherwise."""
    value, gradient = _objective(loss, l1, x)
    model = model_at(x)
    l2 = np.broadcast_to(loss.l2, loss.shape).ravel()
    moved = None if loss.n_classes == 2 else partial(balanced, l1=l1, l2=l2, shape=loss.shape)
    n_stalled = 0
    first = float(np.abs(smallest_subgradient(gradient, x, l1)).max())
    for n_iter in range(max_iter + 1):
        steep = float(np.abs(smallest_subgradient(gradient, x, l1)).max())
        if renew and n_iter:
            model = model_at(x)
        # A Hessian is worth a more precise step the nearer its minimum is: that makes steps superlinear.
        share = min(_INEXACT, steep / first) if renew and first > 0 else _INEXACT
        precise = max(share * steep, _NEGLIGIBLE * tol)
        step = minimize_l1_quadratic(model, gradient, x, l1, precise, moved=moved) - x
        promised = float(gradient @ step + l1 @ (np.abs(x + step) - np.abs(x)))
        if steep <= tol and -promised <= decrease_tol(tol):
            if -promised > BELIEVED * abs(value):
                return Minimum(x, value, n_iter, True)
            # This step is known already: it takes no further look at the rows.
            return Minimum(x + step, value + promised, n_iter, True)
        if n_iter == max_iter:
            break
        if not -promised > loss.eps * abs(value):
            # Objectives differ by rounding only: go on for as long as the subgradient shrinks.
            new_x = x + step
            new_value, new_gradient = _objective(loss, l1, new_x)
            if not np.abs(smallest_subgradient(new_gradient, new_x, l1)).max() <= steep / 2:
                return Minimum(x, value, n_iter, abs(promised) <= np.sqrt(loss.eps) * abs(value))
        else:
            found = _backtrack(loss, l1, x, step, value, promised)
            if found is None:
                return Minimum(x, value, n_iter, -promised <= np.sqrt(loss.eps) * abs(value))
            new_x, new_value, new_gradient = found
        n_stalled = 0 if new_value < value - loss.eps * abs(value) else n_stalled + 1
        if n_stalled == _MAX_STALLED:
            return Minimum(x, value, n_iter, -promised <= np.sqrt(loss.eps) * abs(value))
        if not renew:
            model = _bfgs(model, new_x - x, new_gradient - gradient, l2, loss.eps)
        x, value, gradient = new_x, new_value, new_gradient
        if on_step is not None:
            on_step(n_iter + 1, value, x)
    return Minimum(x, value, max_iter, False)


def _objective(loss: LogisticLoss, l1: np.ndarray, x: np.ndarray) -> tuple[float, np.ndarray]:
    """Loss with the absolute penalty, and the gradient without."""
    value, gradient = loss(x)
    return value + float(l1 @ np.abs(x)), gradient


def _backtrack(
    loss: LogisticLoss, l1: np.ndarray, x: np.ndarray, step: np.ndarray, value: float, promised: float
) -> tuple[np.ndarray, float, np.ndarray] | None:
    """First point of x + step, x + step / 2, ... that keeps a part of the promised decrease, or None."""
    noise = 4 * loss.eps * abs(value)
    for size in 0.5 ** np.arange(_MAX_TRIALS):
        new_x = x + size * step
        new_value, gradient = _objective(loss, l1, new_x)
        if new_value <= value + _ARMIJO * size * promised + noise:
            return new_x, new_value, gradient
    return None


def _bfgs(model: np.ndarray, step: np.ndarray, change: np.ndarray, l2: np.ndarray, eps: float) -> np.ndarray:
    """Model that maps `step` to the `change` of the gradient (Nocedal, Wright, 2006, equation 6.19).

    The part that comes from the squared penalty is known, and kept.
    """
    change = change - l2 * step
    curvature = float(step @ change)
    if not curvature > eps * np.sqrt((step @ step) * (change @ change)):
        return model
    image = model @ step - l2 * step
    return model + np.outer(change, change) / curvature - np.outer(image, image) / float(image @ step)


def balanced(flat: np.ndarray, l1: np.ndarray, l2: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Of all parameters that differ by the same for all classes, those with the least penalty.

    No probability tells them apart (Friedman, Hastie, Tibshirani, 2010, section 4.1). Of each feature's
    coefficients, what is taken away is the median of themselves and of the values at which the squared
    penalty alone would pull as hard as so many absolute ones.
    """
    rows, l1, l2 = flat.reshape(shape), l1.reshape(shape)[0], l2.reshape(shape)[0]
    n_classes = len(rows)
    shift = np.where(l1 + l2 > 0, 0.0, rows.mean(0))
    only = (l1 > 0) & (l2 == 0)
    ordered = np.sort(rows[:, only], axis=0)
    shift[only] = np.clip(0.0, ordered[(n_classes - 1) // 2], ordered[n_classes // 2])
    mixed = l2 > 0
    pulls = np.arange(-n_classes, n_classes + 1, 2)[:, None] / n_classes
    bounds = rows[:, mixed].mean(0) + l1[mixed] / l2[mixed] * pulls
    shift[mixed] = np.median(np.concatenate([rows[:, mixed], bounds]), axis=0)
    return (rows - shift).ravel()


def _working_set(loss: LogisticLoss, flat: np.ndarray, violation: np.ndarray, size: int) -> np.ndarray:
    """Sorted features in use, and those that violate optimality most: `size` or as many again as in use."""
    used = (flat.reshape(loss.shape) != 0).any(0)[: loss.n_features]
    score = np.where(used, np.inf, violation.max(0)[: loss.n_features])
    size = min(max(size, 2 * int(used.sum())), loss.n_features)
    chosen = np.argpartition(-score, size - 1)[:size]
    return np.sort(chosen[score[chosen] > 0])


def _restricted(loss: LogisticLoss, features: np.ndarray) -> LogisticLoss:
    """The loss as a function of some features' coefficients, and of the intercepts."""
    return LogisticLoss(
        loss.X[:, move_like(features, loss.codes, keep_dtype=True)],
        loss.codes,
        loss.weight,
        n_classes=loss.n_classes,
        l2=loss.l2[0],
        fit_intercept=loss.fit_intercept,
        intercept_l2=loss.l2[-1] if loss.fit_intercept else 0.0,
        center=loss.center[features],
    )


def _minimize_accelerated(
    loss: LogisticLoss, l1: np.ndarray, x: np.ndarray, tol: float, max_iter: int, on_step: OnStep | None
) -> Minimum:
    """Proximal gradient steps with momentum, for more parameters in use than a dense model can hold.

    Beck, Teboulle (2009), A fast iterative shrinkage-thresholding algorithm for linear inverse problems, with
    momentum dropped where it points uphill (O'Donoghue, Candès, 2015, Adaptive restart for accelerated
    gradient schemes, equation 13).
    """
    ahead, momentum, lipschitz = x, 1.0, 1e-3
    value, gradient = loss(x)
    for n_iter in range(max_iter):
        at_ahead, slope = (value, gradient) if ahead is x else loss(ahead)
        for _ in range(_MAX_TRIALS):
            target = ahead - slope / lipschitz
            new = np.sign(target) * np.maximum(np.abs(target) - l1 / lipschitz, 0)
            step = new - ahead
            value, gradient = loss(new)
            bound = at_ahead + slope @ step + lipschitz / 2 * (step @ step)
            if value <= bound + 4 * loss.eps * abs(at_ahead):
                break
            lipschitz *= 2
        if np.abs(smallest_subgradient(gradient, new, l1)).max() <= tol:
            return Minimum(new, value + float(l1 @ np.abs(new)), n_iter + 1, True)
        restart = float((ahead - new) @ (new - x)) > 0
        next_momentum = 1.0 if restart else (1 + np.sqrt(1 + 4 * momentum**2)) / 2
        ahead = new if restart else new + (momentum - 1) / next_momentum * (new - x)
        x, momentum, lipschitz = new, next_momentum, 0.9 * lipschitz
        if on_step is not None:
            on_step(n_iter + 1, value, x)
    return Minimum(x, value + float(l1 @ np.abs(x)), max_iter, False)
