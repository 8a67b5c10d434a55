"""What linear models minimise, written down plainly, and tight solutions by routes that no job takes.

An objective is a function of a fitted model, and a solution is like one: it has ``coef_`` and ``intercept_``.
"""

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import scipy.linalg
from scipy.optimize import minimize
from scipy.special import expit, logsumexp

Objective = Callable[[Any], float]


class Solution(NamedTuple):
    """Coefficients found without an estimator."""

    coef_: np.ndarray
    intercept_: Any
    scale_: float = 1.0


def against(objective: Objective, solve: Callable[[], Any]) -> Callable[[Any], dict[str, float]]:
    """Judge of fitted models: objective and coefficients against a solution, found once, when first asked."""

    @cache
    def reference() -> tuple[np.ndarray, float]:
        solution = solve()
        return np.asarray(solution.coef_, dtype=float), objective(solution)

    def judge(model: Any) -> dict[str, float]:
        coef, lowest = reference()
        return {
            "objective_gap": float((objective(model) - lowest) / lowest),
            "coef_difference": float(np.abs(model.coef_ - coef).max() / np.abs(coef).max()),
        }

    return judge


def penalty(model, l2, l1=0.0):
    return l2 / 2 * np.sum(model.coef_**2, dtype=float) + l1 * np.abs(model.coef_).sum(dtype=float)


def scores_of(model, X):
    """Scores in float64, (n_samples,) or (n_samples, n_classes)."""
    scores = X @ np.asarray(model.coef_, dtype=float).T + np.asarray(model.intercept_, dtype=float)
    return scores[:, 0] if scores.ndim == 2 and scores.shape[1] == 1 else scores


def squared_error(X, y, l2=0.0, l1=0.0):
    """Half the mean squared residual, and the penalties."""
    return lambda model: np.mean((scores_of(model, X) - y) ** 2) / 2 + penalty(model, l2, l1)


def least_squares(X, y, l2=0.0):
    """Minimum of `squared_error` without the absolute penalty."""
    return next(ridge_solutions(X, y, [l2]))


def ridge_solutions(X, y, penalties):
    """Minima of `squared_error` by QR of the centred rows, then of its triangle on a scaled identity."""
    means = X.mean(axis=0, dtype=float), y.mean(axis=0, dtype=float)
    Q, R = np.linalg.qr(X - means[0])
    projected = np.r_[Q.T @ (y - means[1]), np.zeros(X.shape[1])]
    for l2 in penalties:
        Q, triangle = np.linalg.qr(np.vstack([R, np.sqrt(l2 * len(X)) * np.eye(X.shape[1])]))
        coef = scipy.linalg.solve_triangular(triangle, Q.T @ projected)
        yield Solution(coef, means[1] - means[0] @ coef)


def leave_one_out_error(X, y, alpha):
    """Mean squared error of each row's prediction from the others: residuals over one minus leverages."""
    A = X - X.mean(axis=0)
    Q = np.linalg.qr(np.vstack([A, np.sqrt(alpha) * np.eye(X.shape[1])]))[0][: len(X)]
    centred = y - y.mean()
    leverage = np.sum(Q**2, axis=1) + 1 / len(X)
    return np.mean(((centred - Q @ (Q.T @ centred)) / (1 - leverage)) ** 2)


def log_loss(X, y, l2=1.0, l1=0.0):
    """Summed logistic loss of two or more classes, and the penalties."""

    def objective(model):
        scores = scores_of(model, X)
        if scores.ndim == 1:
            losses = np.logaddexp(0, np.where(y == 1, -scores, scores))
        else:
            losses = logsumexp(scores, axis=1) - scores[np.arange(len(y)), y]
        return losses.sum() + penalty(model, l2, l1)

    return objective


def sparse_logistic(X, y, l2, l1):
    """Minimum of `log_loss` of two classes: L-BFGS-B on the positive and negative parts of coefficients."""
    n_features = X.shape[1]

    def smooth(parts):
        coef = parts[:n_features] - parts[n_features:-1]
        scores = X @ coef + parts[-1]
        value = np.logaddexp(0, np.where(y == 1, -scores, scores)).sum()
        value += l2 / 2 * coef @ coef + l1 * parts[:-1].sum()
        residual = expit(scores) - y
        gradient = X.T @ residual + l2 * coef
        return value, np.concatenate([l1 + gradient, l1 - gradient, [residual.sum()]])

    bounds = [(0, None)] * (2 * n_features) + [(None, None)]
    options = {"maxiter": 5000, "maxfun": 10_000, "ftol": 1e-15, "gtol": 1e-8}
    parts = minimize(smooth, np.zeros(len(bounds)), jac=True, bounds=bounds, options=options).x
    return Solution((parts[:n_features] - parts[n_features:-1])[None], parts[-1:])


def hinge(X, y, *, squared):
    """Summed hinge loss at C = 1, with the penalised intercept of LIBLINEAR."""

    def objective(model):
        loss = np.maximum(0, 1 - np.where(y == 1, 1, -1) * scores_of(model, X))
        return np.sum(loss**2 if squared else loss) + penalty(model, 1) + np.sum(model.intercept_**2) / 2

    return objective


def epsilon_insensitive(X, y, epsilon, *, squared):
    """Summed epsilon-insensitive loss at C = 1, with the penalised intercept of LIBLINEAR."""

    def objective(model):
        loss = np.maximum(0, np.abs(scores_of(model, X) - y) - epsilon)
        return np.sum(loss**2 if squared else loss) + penalty(model, 1) + np.sum(model.intercept_**2) / 2

    return objective


def huber(X, y, epsilon=1.35, alpha=1e-4):
    """Concomitant Huber loss: scale and coefficients both minimise it."""

    def objective(model):
        far = np.abs(scores_of(model, X) - y) / model.scale_
        loss = np.where(far < epsilon, far**2, 2 * epsilon * far - epsilon**2)
        return model.scale_ * (len(y) + loss.sum()) + penalty(model, 2 * alpha)

    return objective


def huber_minimum(X, y, epsilon=1.35, alpha=1e-4):
    """Minimum of `huber` by L-BFGS-B until nothing moves, from least squares and its residuals' scale."""

    def value_and_gradient(parameters):
        solution = Solution(parameters[:-2], *parameters[-2:])
        far = (scores_of(solution, X) - y) / solution.scale_
        inside = np.clip(far, -epsilon, epsilon)
        by_coef = 2 * X.T @ inside + 2 * alpha * solution.coef_
        by_scale = len(y) - inside @ inside  # the derivative of scale * loss(residual / scale)
        return huber(X, y, epsilon, alpha)(solution), np.r_[by_coef, 2 * inside.sum(), by_scale]

    start = least_squares(X, y)
    first = np.r_[start.coef_, start.intercept_, np.std(scores_of(start, X) - y)]
    bounds = [(None, None)] * (len(first) - 1) + [(1e-12, None)]
    options = {"maxiter": 5000, "ftol": 0, "gtol": 1e-9}
    found = minimize(value_and_gradient, first, jac=True, bounds=bounds, method="L-BFGS-B", options=options)
    return Solution(found.x[:-2], *found.x[-2:])
