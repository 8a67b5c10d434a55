"""Squared-penalty logistic regression: Newton's method, or L-BFGS with the Hessian of a pilot sample of rows.

A Hessian costs as much as many gradients. But that of a few rows, at the minimum of their loss, is nearly
that of all rows at theirs: a pilot fit gives L-BFGS its start and its inverse Hessian, and a handful of
passes over all rows is left. The pilot is fitted in the same way, down to few enough rows for plain Newton
steps. (Erdogdu, Montanari, 2015, Convergence rates of sub-sampled Newton methods, is the same thought without
the L-BFGS.)
"""

from collections.abc import Callable

import numpy as np
from scipy import linalg, sparse

from sklearn_dl._base.arrays import Array, move_like, to_host
from sklearn_dl.linear_model.logistic_loss import LogisticLoss
from sklearn_dl.linear_model.preconditioned_lbfgs import InverseHessian, Minimum, minimize
from sklearn_dl.linear_model.sparse_logistic_kernels import sum_squares

_MAX_NEWTON_COST = 2e7  # multiplications for a Hessian, up to which every step takes a new one
_MAX_NEWTON_SIZE = 150  # parameters
_MAX_DENSE_SIZE = 1100  # features, up to which a Hessian is factorised
_PILOT_FACTOR = 10  # a pilot's Hessian costs about this many passes per feature and row
_SINGULAR = 1e-10  # eigenvalues below this part of the largest one, of the scaled Hessian, count as zero


def minimize_logistic(
    loss: LogisticLoss,
    start: np.ndarray | None,
    *,
    tol: float,
    max_iter: int,
    on_step: Callable[[int, float, np.ndarray, np.ndarray], None] | None = None,
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
    origin = np.zeros(loss.shape).ravel() if start is None else start
    if loss.n_classes > 2:
        origin = _balanced(origin, loss.shape)
    inverse_at: Callable[[np.ndarray], InverseHessian]
    renew, allowed = newton_pays(loss), decrease_tol(tol)
    if renew:
        hessian_of = binary_hessian if loss.n_classes == 2 else multinomial_hessian
        inverse_at = lambda flat: inverse_of(hessian_of(loss, flat))  # noqa: E731
    elif _dense_pays(loss):
        origin, inverse = _from_pilot(loss, None if start is None else origin)
        inverse_at = lambda flat: inverse  # noqa: E731
    else:
        inverse_at = lambda flat: diagonal_inverse(loss)  # noqa: E731
        allowed = tol / 10  # a diagonal promises too little to ask for more
    result = minimize(
        loss,
        origin,
        inverse_at,
        tol=tol,
        decrease_tol=allowed,
        max_iter=max_iter,
        renew=renew,
        eps=loss.eps,
        on_step=on_step,
    )
    if loss.n_classes > 2:
        result = result._replace(x=_balanced(result.x, loss.shape))
    unpenalized = not loss.l2.any() and loss.n_features <= _MAX_DENSE_SIZE
    return result._replace(x=_minimum_norm(loss, result.x)) if unpenalized else result


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


def inverse_of(hessian: np.ndarray) -> InverseHessian:
    """Function that multiplies by the inverse of a symmetric, positive semi-definite matrix.

    Scaled to a unit diagonal first, so that the units of features do not matter. Where it is singular, by its
    pseudo-inverse.

    Parameters
    ----------
    hessian : ndarray of shape (size, size)
        Left as it is.
    """
    scale = np.sqrt(np.diag(hessian))
    scale[~(scale > 0)] = 1.0
    scaled = hessian / scale / scale[:, None]
    try:
        factor = linalg.cholesky(scaled, lower=True, check_finite=False)
        if np.diag(factor).min() ** 2 > _SINGULAR:
            return lambda gradient: (
                (linalg.cho_solve((factor, True), (gradient.T / scale).T, check_finite=False).T / scale).T
            )
    except linalg.LinAlgError:
        pass
    values, vectors = linalg.eigh(scaled)
    kept = values > _SINGULAR * max(values[-1], np.finfo(float).tiny)
    half = (vectors[:, kept].T / scale).T
    return lambda gradient: half @ ((half.T @ gradient).T / values[kept]).T


def binary_hessian(loss: LogisticLoss, flat: np.ndarray) -> np.ndarray:
    """Hessian of the loss of two classes, penalty included, (n_parameters, n_parameters)."""
    chance = loss.probabilities(flat)
    return _penalized(loss, loss.gram(loss.weighted(chance * (1 - chance))))


def multinomial_hessian(loss: LogisticLoss, flat: np.ndarray) -> np.ndarray:
    """Hessian of the multinomial loss, penalty included, (n_parameters, n_parameters).

    Its blocks are X' diag(p_k [k = l] - p_k p_l) X (Böhning, 1992, Multinomial logistic regression algorithm,
    equation 2.3). Adding the same to all classes changes no probability; in that direction, where the
    gradient is 0, it is given the mean of the diagonal blocks, so that it has an inverse.
    """
    n_classes, size = loss.shape
    chances = loss.probabilities(flat)
    blocks = np.stack([_penalized(loss, loss.gram(loss.weighted(chance))) for chance in chances])
    rows = _design(loss) * loss.xp.sqrt(loss.weighted(loss.xp.ones_like(chances[0])))[:, None]
    spread = (chances.T[:, :, None] * rows[:, None, :]).reshape(len(rows), n_classes * size)
    hessian = -to_host(spread.T @ spread) / loss.total
    by_class = hessian.reshape(n_classes, size, n_classes, size)
    by_class[np.arange(n_classes), :, np.arange(n_classes), :] += blocks
    by_class += (blocks.mean(0) / n_classes)[None, :, None, :]
    return hessian


def diagonal_inverse(loss: LogisticLoss) -> InverseHessian:
    """Inverse of the diagonal of the Hessian at zero, where a chance is that of a guess."""
    diagonal = np.ones(loss.shape[1])
    diagonal[: loss.n_features] = _second_moments(loss, np.arange(loss.n_features))
    diagonal = diagonal * _curvature_of_a_guess(loss) + loss.l2
    diagonal[~(diagonal > 0)] = 1.0
    return lambda gradient: (gradient.reshape(loss.shape) / diagonal).ravel()


def shared_hessian(loss: LogisticLoss) -> np.ndarray:
    """X'X / n_classes plus the penalty: the Hessian at zero by a class's parameters, if classes sum to 0."""
    ones = loss.weighted(loss.xp.ones(loss.n_samples, dtype=loss.X.dtype, **loss.device))
    return _penalized(loss, loss.gram(ones) * _curvature_of_a_guess(loss))


def guess(loss: LogisticLoss) -> np.ndarray:
    """Flat parameters without features: the intercepts that give each class its share of the rows."""
    start = np.zeros(loss.shape)
    if loss.fit_intercept:
        ones = loss.xp.ones_like(loss.codes, dtype=loss.X.dtype)
        counts = loss.xp.bincount(loss.codes, loss.weighted(ones), minlength=loss.n_classes)
        logs = np.log(np.maximum(to_host(counts).astype(np.float64), 1e-10 * loss.total))
        start[:, -1] = logs[1] - logs[0] if loss.n_classes == 2 else logs - logs.mean()
    return start.ravel()


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
    if loss.n_classes > 2:
        origin = guess(loss) if start is None else start
        return origin, _by_class(loss, pilot)
    if start is not None:
        return start, inverse_of(with_unseen_columns(loss, binary_hessian(pilot, start)))
    origin = guess(loss)
    fitted = _fitted_pilot(pilot, origin)
    # A pilot whose few rows can be separated says little about all of them.
    if loss(fitted)[0] < loss(origin)[0]:
        origin = fitted
    return origin, inverse_of(with_unseen_columns(loss, binary_hessian(pilot, origin)))


def _fitted_pilot(pilot: LogisticLoss, origin: np.ndarray) -> np.ndarray:
    """Minimum of the pilot's loss to a part of the error that its rows' number brings about."""
    renew = newton_pays(pilot)
    nested = not renew and _pilot_size(pilot) < pilot.n_samples / 2
    if nested:
        origin, inverse = _from_pilot(pilot, None)
    return minimize(
        pilot,
        origin,
        lambda flat: inverse if nested else inverse_of(binary_hessian(pilot, flat)),
        tol=np.inf,
        decrease_tol=0.02 * pilot.n_features / pilot.n_samples,
        max_iter=30,
        renew=renew,
        eps=pilot.eps,
    ).x


def _pilot_size(loss: LogisticLoss) -> int:
    n_samples, n_features = loss.n_samples, loss.n_features
    return min(n_samples, max(4 * n_features, _PILOT_FACTOR * n_samples // max(1, n_features), 500))


def pilot_of(loss: LogisticLoss) -> LogisticLoss:
    """The loss of some rows that count, drawn at random and always the same."""
    xp, size = loss.xp, _pilot_size(loss)
    candidates = None if loss.weight is None else xp.where(loss.weight > 0)[0]
    n_candidates = loss.n_samples if candidates is None else len(candidates)
    chosen = np.random.default_rng(0).choice(n_candidates, min(size, n_candidates), replace=False)
    rows = move_like(np.sort(chosen), loss.codes, keep_dtype=True)
    rows = rows if candidates is None else candidates[rows]
    return LogisticLoss(
        loss.X[rows],
        loss.codes[rows],
        None if loss.weight is None else loss.weight[rows],
        n_classes=loss.n_classes,
        l2=loss.l2[0],
        fit_intercept=loss.fit_intercept,
        intercept_l2=loss.l2[-1] if loss.fit_intercept else 0.0,
        center=loss.center,
    )


def _by_class(loss: LogisticLoss, pilot: LogisticLoss) -> InverseHessian:
    """The inverse of X'X / n_classes plus the penalty for each class: that of the Hessian at zero."""
    inverse = inverse_of(with_unseen_columns(loss, shared_hessian(pilot)))
    return lambda gradient: inverse(gradient.reshape(loss.shape).T).T.ravel()


def with_unseen_columns(loss: LogisticLoss, hessian: np.ndarray) -> np.ndarray:
    """Give features that are constant over the pilot's rows the diagonal that all rows say."""
    features = np.arange(loss.n_features)
    unseen = features[hessian[features, features] <= loss.l2[features] * (1 + 1e-6)]
    if len(unseen):
        moments = _second_moments(loss, unseen)
        hessian[unseen, unseen] += _curvature_of_a_guess(loss) * moments
    return hessian


def _minimum_norm(loss: LogisticLoss, flat: np.ndarray) -> np.ndarray:
    """Of all parameters that give the same probabilities, those with the smallest coefficients."""
    gram = loss.gram(loss.xp.ones(loss.n_samples, dtype=loss.X.dtype, **loss.device))
    scale = np.sqrt(np.diag(gram))
    scale[~(scale > 0)] = 1.0
    values, vectors = linalg.eigh(gram / scale / scale[:, None])
    null = vectors[:, values <= _SINGULAR * values[-1]] / scale[:, None]
    if not null.shape[1]:
        return flat
    rows = flat.reshape(loss.shape)
    excess = np.linalg.lstsq(null[: loss.n_features], rows[:, : loss.n_features].T, rcond=None)[0]
    return (rows - (null @ excess).T).ravel()


def _second_moments(loss: LogisticLoss, features: np.ndarray) -> np.ndarray:
    """Mean over rows of the squared centered features, ndarray of shape (len(features),)."""
    if sparse.issparse(loss.X):
        weight = np.empty(0) if loss.weight is None else loss.weight
        sums = np.zeros(loss.n_features)
        kernel = sum_squares if loss.is_compiled else sum_squares.py_func
        kernel(loss.X.data, loss.X.indices, loss.X.indptr, weight, sums)
        return sums[features] / loss.total
    center = move_like(loss.center[features], loss.X)
    columns = move_like(features, loss.codes, keep_dtype=True)
    total = np.zeros(len(features))
    for rows in (rows for group in loss.groups for rows in group):
        squares = (loss.X[rows][:, columns] - center) ** 2
        total += to_host(squares.sum(0) if loss.weight is None else loss.weight[rows] @ squares)
    return total / loss.total


def _curvature_of_a_guess(loss: LogisticLoss) -> float:
    return 0.25 if loss.n_classes == 2 else 1 / loss.n_classes


def _penalized(loss: LogisticLoss, hessian: np.ndarray) -> np.ndarray:
    return hessian + np.diag(loss.l2)


def _design(loss: LogisticLoss) -> Array:
    """Centered features, with a column of ones for the intercept."""
    rows = loss.X.toarray() if sparse.issparse(loss.X) else loss.X
    centered = rows - move_like(loss.center, rows)
    if not loss.fit_intercept:
        return centered
    ones = loss.xp.ones_like(centered[:, :1])
    return loss.xp.concatenate([centered, ones], 1)
