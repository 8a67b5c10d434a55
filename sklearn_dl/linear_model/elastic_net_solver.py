"""The elastic net by working sets: coordinate descent on few features, until the duality gap of all is small.

Minimises ``1/2 ||y - X w||^2 + l1 ||w||_1 + l2/2 ||w||^2``. A problem knows the data; a subproblem is its
restriction to a working set of features (Massias, Gramfort, Salmon, 2018, Celer: a fast solver for the Lasso
with dual extrapolation), swept over by coordinate descent with Anderson extrapolation (Bertrand, Massias,
2021, Anderson acceleration of coordinate descent) or ended by Newton steps on the coefficients in use.
"""

import warnings
from abc import ABC, abstractmethod
from typing import NamedTuple, Protocol

import numpy as np
from scipy.linalg import lapack
from sklearn.exceptions import ConvergenceWarning

_N_SWEEPS = 5  # between extrapolations
_FIRST_WORKING_SET = 10


class Penalty(NamedTuple):
    """``l1 ||w||_1 + l2/2 ||w||^2``, over non-negative w only where `positive`."""

    l1: float
    l2: float
    positive: bool


class Fit(NamedTuple):
    """What the residuals r = y - X w leave: X'r, r'r and r'y."""

    correlation: np.ndarray
    residual_norm2: float
    residual_y: float


class Solution(NamedTuple):
    """Coefficients, their duality gap, and the sweeps it took."""

    w: np.ndarray
    gap: float
    n_iter: int


class Problem(Protocol):
    """Least squares of one target on all features."""

    y_norm2: float
    squared_norms: np.ndarray

    def evaluate(self, w: np.ndarray) -> Fit:
        """What the coefficients leave to explain."""

    def restrict(self, features: np.ndarray, w: np.ndarray, fit: Fit) -> "Subproblem":
        """The problem over `features` alone, started at w."""


def solve(
    problem: Problem,
    w: np.ndarray,
    penalty: Penalty,
    tol: float,
    max_iter: int,
    rng: np.random.RandomState | None = None,
) -> Solution:
    """Descend from w until the duality gap is at most ``tol * y'y`` or `max_iter` sweeps are done.

    Parameters
    ----------
    problem : Problem
        The data.
    w : ndarray of shape (n_features,)
        Start.
    penalty : Penalty
        In units of the sum of squares, not of its mean.
    tol : float
        Also the step, relative to the largest coefficient, that is small enough to look at the gap.
    max_iter : int
        Sweeps at most.
    rng : RandomState, default=None
        Draws the order of the coordinates; None keeps theirs.

    Returns
    -------
    solution : Solution
        Its `gap` is above ``tol * y'y`` where the sweeps did not suffice.
    """
    target_gap = tol * problem.y_norm2
    usable = problem.squared_norms > 0
    w = np.where(usable, w, 0.0)
    n_iter, n_features, inner_target = 0, _FIRST_WORKING_SET, np.inf
    while True:
        fit = problem.evaluate(w)
        gap = duality_gap(w, fit, penalty)
        if gap <= target_gap or n_iter >= max_iter or not np.isfinite(gap):
            return Solution(w, gap, n_iter)
        n_features = max(n_features, 2 * int(np.count_nonzero(w)))
        features = _working_set(problem, w, fit, penalty, usable, n_features)
        inner_target = max(target_gap, min(0.1 * gap, 0.3 * inner_target))
        part = problem.restrict(features, w, fit)
        whole = len(features) == np.count_nonzero(usable)
        n_iter += part.descend(penalty, target_gap if whole else inner_target, tol, max_iter - n_iter, rng)
        w[features] = part.w
        n_features = 2 * len(features)


def duality_gap(w: np.ndarray, fit: Fit, penalty: Penalty) -> float:
    """Gap between the objective at w and the dual one at the residuals, scaled until they are feasible.

    Without L1 penalty every residual is feasible (Dünner et al., 2016, Primal-dual rates and certificates,
    section 5.2.3); without any penalty there is no dual, and ``||X'r||^2`` takes the place of the gap.
    """
    l1, l2, positive = penalty
    correlation, residual_norm2, residual_y = fit
    w_norm2 = float(w @ w)
    if l1 == 0:
        slope = float(correlation @ correlation)
        if l2 == 0:
            return slope
        return residual_norm2 + 0.5 * l2 * w_norm2 - residual_y + slope / (2 * l2)
    slack = correlation - l2 * w
    steepest = float(slack.max() if positive else np.abs(slack).max())
    scale = l1 / steepest if steepest > l1 else 1.0
    ridge_norm2 = residual_norm2 + l2 * w_norm2
    primal = 0.5 * ridge_norm2 + l1 * float(np.abs(w).sum())
    return primal + 0.5 * scale**2 * ridge_norm2 - scale * residual_y


def warn_of_gap(gap: float, target_gap: float, penalty: Penalty, *, stacklevel: int = 4) -> None:
    """Warn where the sweeps did not bring the duality gap down to its target."""
    if gap <= target_gap:
        return
    message = (
        "Objective did not converge. You might want to increase the number of iterations, check the scale of "
        "the features or consider increasing regularisation. "
        f"Duality gap: {gap:.6e}, tolerance: {target_gap:.3e}"
    )
    if penalty.l1 < np.finfo(np.float64).eps:
        message += (
            "\nLinear regression models with a zero l1 penalization strength are more efficiently fitted "
            "using one of the solvers implemented in sklearn_dl.linear_model.Ridge/RidgeCV instead."
        )
    warnings.warn(message, ConvergenceWarning, stacklevel=stacklevel)


def _working_set(
    problem: Problem, w: np.ndarray, fit: Fit, penalty: Penalty, usable: np.ndarray, size: int
) -> np.ndarray:
    """The features in use and those nearest to it, `size` together; in their order."""
    if penalty.l1 == 0 or size >= np.count_nonzero(usable):
        return np.flatnonzero(usable)
    slack = fit.correlation - penalty.l2 * w
    slack = slack if penalty.positive else np.abs(slack)
    bound = max(penalty.l1, slack.max())
    with np.errstate(divide="ignore", invalid="ignore"):
        distance = (bound - slack) / np.sqrt(problem.squared_norms + penalty.l2)
    distance[~usable] = np.inf
    distance[w != 0] = -np.inf
    return np.sort(np.argpartition(distance, size)[:size])


class Subproblem(ABC):
    """Coefficients `w` of the features of a working set, and a `state` that is linear in them."""

    w: np.ndarray
    state: np.ndarray
    n_sweeps = _N_SWEEPS

    @abstractmethod
    def sweep(
        self,
        penalty: Penalty,
        order: np.ndarray,
        tol: float,
        w_history: np.ndarray,
        state_history: np.ndarray,
    ) -> tuple[int, bool]:
        """Sweep as the kernels of :mod:`coordinate_descent` do."""

    @abstractmethod
    def residual_norm2(self, w: np.ndarray, state: np.ndarray) -> float:
        """Sum of squared residuals where the state is `state`."""

    @abstractmethod
    def fit(self) -> Fit:
        """What w leaves to explain."""

    def descend(
        self,
        penalty: Penalty,
        target_gap: float,
        tol: float,
        max_iter: int,
        rng: np.random.RandomState | None,
    ) -> int:
        """Sweep until steps and duality gap are small; the number of sweeps."""
        n_done, order = 0, np.arange(len(self.w))
        histories = np.empty((_N_SWEEPS + 1, len(self.w))), np.empty((_N_SWEEPS + 1, len(self.state)))
        while n_done < max_iter:
            n_next = min(self.n_sweeps, max_iter - n_done)
            w_history, state_history = (history[: n_next + 1] for history in histories)
            if rng is not None:
                order = rng.permutation(len(self.w))
            n_swept, small = self.sweep(penalty, order, tol, w_history, state_history)
            n_done += n_swept
            if small and self._gap(penalty) <= target_gap:
                break
            lasting = np.array_equal(np.sign(w_history[n_swept]), np.sign(w_history[n_swept - 1]))
            jumps = n_done + 1 < max_iter and (small or lasting or self.n_sweeps == 1)
            if jumps and self.jump(penalty):
                n_done += 1
                if self._gap(penalty) <= target_gap:
                    break
            elif n_swept == _N_SWEEPS:
                self._extrapolate(penalty, w_history, state_history)
            if small:
                tol *= 0.1
        return n_done

    def jump(self, penalty: Penalty) -> bool:
        """Go to the minimum over the coefficients in use, as far as their signs last; whether it could."""
        return False

    def _gap(self, penalty: Penalty) -> float:
        return duality_gap(self.w, self.fit(), penalty)

    def _extrapolate(self, penalty: Penalty, w_history: np.ndarray, state_history: np.ndarray) -> None:
        """Go to the affine combination of the iterates whose steps nearly cancel, if that is lower."""
        steps = np.diff(w_history, axis=0)
        products = steps @ steps.T
        products[np.diag_indices_from(products)] += 1e-14 * np.trace(products)
        _, combination, info = lapack.dposv(products, np.ones(len(products)))
        total = combination.sum()
        if info != 0 or not total > 0:
            return
        combination /= total
        w, state = combination @ w_history[1:], combination @ state_history[1:]
        if penalty.positive and w.min() < 0:
            return
        if self._objective(penalty, w, state) < self._objective(penalty, self.w, self.state):
            self.w[:], self.state[:] = w, state

    def _objective(self, penalty: Penalty, w: np.ndarray, state: np.ndarray) -> float:
        ridge = self.residual_norm2(w, state) + penalty.l2 * float(w @ w)
        return 0.5 * ridge + penalty.l1 * float(np.abs(w).sum())
