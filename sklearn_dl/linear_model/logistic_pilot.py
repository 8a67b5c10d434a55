"""Where fits of logistic regression start: the loss of fewer rows, and parameters without features."""

import numpy as np

from sklearn_dl._base.arrays import move_like, to_host
from sklearn_dl.linear_model.logistic_loss import LogisticLoss

_PILOT_FACTOR = 5  # rows of a pilot, times features, per row of all: its Hessian costs a few passes


def pilot_of(loss: LogisticLoss, size: int | None = None) -> LogisticLoss:
    """The loss of `size` rows that count, drawn at random and always the same; of `pilot_size` for None."""
    xp, size = loss.xp, pilot_size(loss) if size is None else size
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
