"""What fewer rows, or none, say of where a fit of logistic regression leads."""

from collections.abc import Callable

import numpy as np

from sklearn_dl._base.arrays import move_like, to_host
from sklearn_dl.linear_model.logistic_loss import LogisticLoss
from sklearn_dl.linear_model.row_subset import rows_of

_MAX_GRAM_COST = 1e8  # multiplications for a Gram matrix, up to which that of a pilot saves nothing
_PILOT_FACTOR = 5  # rows of a pilot, times features, per row of all: its Hessian costs a few passes
_PRECISION = 0.01  # part of the first slope that is left where a line search ends
_MAX_TRIALS = 10


def pilot_of(loss: LogisticLoss, size: int | None = None) -> LogisticLoss:
    """The loss of `size` rows that count, of `pilot_size` for None: always the same random ones.

    One is drawn from each of as many equal parts of the table.
    """
    xp, size = loss.xp, pilot_size(loss) if size is None else size
    candidates = None if loss.weight is None else xp.where(loss.weight > 0)[0]
    n_candidates = loss.n_samples if candidates is None else len(candidates)
    if loss.n_samples == n_candidates <= size:
        return loss
    edges = np.linspace(0, n_candidates, min(size, n_candidates) + 1).astype(np.int64)
    chosen = np.random.default_rng(0).integers(edges[:-1], edges[1:])
    rows = move_like(chosen, loss.codes, keep_dtype=True)
    rows = rows if candidates is None else candidates[rows]
    return LogisticLoss(
        rows_of(loss.X, rows),
        loss.codes[rows],
        None if loss.weight is None else loss.weight[rows],
        n_classes=loss.n_classes,
        l2=loss.l2[0],
        fit_intercept=loss.fit_intercept,
        intercept_l2=loss.l2[-1] if loss.fit_intercept else 0.0,
        center=loss.center,
    )


def rows_for_gram(loss: LogisticLoss) -> LogisticLoss:
    """The loss of all rows where their Gram matrix is cheap, else of a pilot."""
    return loss if loss.n_samples * loss.n_features**2 <= _MAX_GRAM_COST else pilot_of(loss)


def pilot_size(loss: LogisticLoss) -> int:
    """Rows of a pilot: enough to say something of each feature, and cheap beside all rows."""
    n_samples, n_features = loss.n_samples, loss.n_features
    return min(n_samples, max(4 * n_features, _PILOT_FACTOR * n_samples // max(1, n_features), 500))


def guess(loss: LogisticLoss) -> np.ndarray:
    """Flat parameters without features: the intercepts that give each class its share of the rows."""
    start = np.zeros(loss.shape)
    if loss.fit_intercept:
        logs = np.log(_shares(loss))
        start[:, -1] = logs[1] - logs[0] if loss.n_classes == 2 else logs - logs.mean()
    return start.ravel()


def loss_of_guess(loss: LogisticLoss) -> float:
    """The loss at :func:`guess`, which takes no look at the features: the entropy of the classes."""
    if not loss.fit_intercept:
        return float(np.log(loss.n_classes))
    shares = _shares(loss)
    return float(-shares @ np.log(shares) + loss.l2[-1] / 2 * guess(loss)[-1] ** 2)


def _shares(loss: LogisticLoss) -> np.ndarray:
    """Part of the weight in each class, kept above 0."""
    ones = loss.xp.ones_like(loss.codes, dtype=loss.X.dtype)
    counts = loss.xp.bincount(loss.codes, loss.weighted(ones), minlength=loss.n_classes)
    return np.maximum(to_host(counts).astype(np.float64) / loss.total, 1e-10)


def size_along(loss: LogisticLoss, sample: LogisticLoss, flat: np.ndarray, direction: np.ndarray) -> float:
    """Size of the step along a direction of descent that nearly brings the slope of the loss to 0.

    Parameters
    ----------
    loss : LogisticLoss
        Gives the slope where the step starts.
    sample : LogisticLoss
        The loss of some of its rows, which says how the slope changes.
    flat, direction : ndarray of shape (n_parameters,)
        Where the step starts and where it leads.
    """
    slope = _slope_along(loss, sample, flat, direction)
    low, low_slope, high = 0.0, slope(0.0), 1.0
    size, precise = high, _PRECISION * abs(low_slope)
    for _ in range(_MAX_TRIALS):
        new_slope = slope(size)
        if abs(new_slope) <= precise:
            break
        if new_slope < 0:
            low, low_slope = size, new_slope
            if size == high:
                size = high = 3 * high
                continue
        else:
            high, high_slope = size, new_slope
        size = low - low_slope * (high - low) / (high_slope - low_slope)
    return size


def _slope_along(
    loss: LogisticLoss, sample: LogisticLoss, flat: np.ndarray, direction: np.ndarray
) -> Callable[[float], float]:
    """The function size -> slope of the loss along `direction` at ``flat + size * direction``.

    That of the sample, with its error at 0, which is known, as a control variate.
    """
    l2 = np.broadcast_to(loss.l2, loss.shape).ravel()
    at, along = sample.scores(flat), sample.scores(direction)
    weighted = sample.weighted(along)

    def slopes(size: float) -> np.ndarray:
        products = to_host(sample.losses_at(at + size * along, sample.codes)[1] * weighted)
        return products if products.ndim == 1 else products.sum(0)

    first = slopes(0.0)
    known = float(loss(flat)[1] @ direction - l2 * flat @ direction)
    error = known - float(first.sum()) / sample.total
    first = first - first.mean()
    share = error / max(float(first @ first), np.finfo(float).tiny)

    def slope(size: float) -> float:
        at_size = slopes(size)
        penalty = float(l2 * (flat + size * direction) @ direction)
        return float(at_size.sum()) / sample.total + share * float(at_size @ first) + penalty

    return slope
