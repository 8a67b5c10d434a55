"""The elastic net of several targets that use the same features: block coordinate descent on X'X."""

import numpy as np

from sklearn_dl.linear_model.elastic_net_solver import Penalty, Solution


def solve_rows(
    gram: np.ndarray,
    xy: np.ndarray,
    y_norm2: float,
    w: np.ndarray,
    penalty: Penalty,
    tol: float,
    max_iter: int,
    rng: np.random.RandomState | None,
) -> Solution:
    """Minimise ``1/2 ||Y - X W||^2 + l1 sum_j ||W_j|| + l2/2 ||W||^2`` over W, (n_features, n_targets).

    Each step minimises over one row W_j (Simon, Friedman, Hastie, 2013, A blockwise descent algorithm for
    group-penalized multiresponse and multinomial regression, equation 8). Parameters and stop are those of
    :func:`~sklearn_dl.linear_model.elastic_net_solver.solve`.
    """
    w = w.copy()
    correlation = xy - gram @ w
    order = np.flatnonzero(gram.diagonal() > 0)
    n_iter = 0
    while True:
        gap = _gap(gram, xy, y_norm2, w, correlation, penalty)
        if gap <= tol * y_norm2 or n_iter >= max_iter or not np.isfinite(gap):
            return Solution(w, gap, n_iter)
        small = False
        while not small and n_iter < max_iter:
            visited = order if rng is None else rng.permutation(order)
            small = _sweep(gram, w, correlation, penalty, visited, tol)
            n_iter += 1


def _sweep(
    gram: np.ndarray, w: np.ndarray, correlation: np.ndarray, penalty: Penalty, order: np.ndarray, tol: float
) -> bool:
    largest_step = 0.0
    pull = np.linalg.norm(correlation, axis=1)
    used = np.any(w != 0, axis=1)
    for j in order[used[order] | (pull[order] > penalty.l1)].tolist():
        target = correlation[j] + gram[j, j] * w[j]
        length = np.linalg.norm(target)
        share = max(0.0, 1 - penalty.l1 / length) if length > 0 else 0.0
        step = share * target / (gram[j, j] + penalty.l2) - w[j]
        if step.any():
            w[j] += step
            correlation -= np.multiply.outer(gram[j], step)
            largest_step = max(largest_step, np.abs(step).max())
    return bool(largest_step <= tol * np.abs(w).max())


def _gap(
    gram: np.ndarray,
    xy: np.ndarray,
    y_norm2: float,
    w: np.ndarray,
    correlation: np.ndarray,
    penalty: Penalty,
) -> float:
    """Duality gap with the norm of rows in place of the absolute value."""
    l1, l2, _ = penalty
    w_norm2, residual_y = float(np.sum(w * w)), y_norm2 - float(np.sum(w * xy))
    residual_norm2 = max(residual_y - float(np.sum(w * correlation)), 0.0)
    if l1 == 0:
        slope = float(np.sum(correlation * correlation))
        return slope if l2 == 0 else residual_norm2 + 0.5 * l2 * w_norm2 - residual_y + slope / (2 * l2)
    steepest = float(np.linalg.norm(correlation - l2 * w, axis=1).max())
    scale = l1 / steepest if steepest > l1 else 1.0
    ridge_norm2 = residual_norm2 + l2 * w_norm2
    primal = 0.5 * ridge_norm2 + l1 * float(np.linalg.norm(w, axis=1).sum())
    return primal + 0.5 * scale**2 * ridge_norm2 - scale * residual_y
