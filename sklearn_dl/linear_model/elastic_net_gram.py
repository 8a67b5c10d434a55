"""Least squares of which X'X and X'y are all that is known."""

from collections.abc import Callable

import numpy as np
from scipy.linalg import lapack

from sklearn_dl.linear_model.coordinate_descent import sweep_gram
from sklearn_dl.linear_model.elastic_net_solver import Fit, Penalty, Subproblem

SMALL_DATA = 1 << 19  # numbers in X up to which a compiler would cost more than it saves
_N_PLAIN_SWEEPS = 1  # between jumps, which in numpy cost less than a sweep
_FEW_STEPS = 8  # of a sweep in numpy; many at once only have to be taken back
_FEW_FEATURES = 32  # sweeps over fewer are cheap enough in numpy


class GramProblem:
    """All products X'X and X'y, and nothing of X.

    Parameters
    ----------
    gram : ndarray of shape (n_features, n_features)
        X'X.
    xy : ndarray of shape (n_features,)
        X'y.
    y_norm2 : float
        y'y.
    compiled : bool
        Whether so much is to be swept that it pays to compile.
    """

    def __init__(self, gram: np.ndarray, xy: np.ndarray, y_norm2: float, *, compiled: bool) -> None:
        self.gram, self.xy, self.y_norm2, self.compiled = gram, xy, y_norm2, compiled
        self.squared_norms = gram.diagonal()

    def evaluate(self, w: np.ndarray) -> Fit:
        """What the coefficients leave to explain."""
        used = np.flatnonzero(w)
        correlation = self.xy - w[used] @ self.gram[used]
        residual_y = self.y_norm2 - float(self.xy @ w)
        return Fit(correlation, max(residual_y - float(correlation @ w), 0.0), residual_y)

    def restrict(self, features: np.ndarray, w: np.ndarray, fit: Fit) -> Subproblem:
        """The problem over `features` alone, started at w."""
        fit = Fit(fit.correlation[features], *fit[1:])
        gram = self.gram if len(features) == len(w) else self.gram[np.ix_(features, features)]
        return GramSubproblem(gram, self.xy[features], w[features], fit, compiled=self.compiled)


class GramSubproblem(Subproblem):
    """Features of which the products X'X are at hand; the state is X'r."""

    def __init__(self, gram: np.ndarray, xy: np.ndarray, w: np.ndarray, fit: Fit, *, compiled: bool) -> None:
        self.gram, self.xy, self.w, self.state = gram, xy, w, fit.correlation
        self._start, self._start_fit = w.copy(), Fit(fit.correlation.copy(), *fit[1:])
        self._sweep: Callable[..., tuple[int, bool]] = sweep_gram
        if not compiled or len(w) <= _FEW_FEATURES:
            self._sweep, self.n_sweeps = _sweep_gram_plainly, _N_PLAIN_SWEEPS

    def sweep(
        self,
        penalty: Penalty,
        order: np.ndarray,
        tol: float,
        w_history: np.ndarray,
        state_history: np.ndarray,
    ) -> tuple[int, bool]:
        """Sweep as the kernels of :mod:`coordinate_descent` do."""
        return self._sweep(self.gram, self.w, self.state, *penalty, order, tol, w_history, state_history)

    def residual_norm2(self, w: np.ndarray, state: np.ndarray) -> float:
        """Sum of squared residuals where the state is `state`."""
        moved = (w - self._start) @ (self._start_fit.correlation + state)
        return max(self._start_fit.residual_norm2 - float(moved), 0.0)

    def fit(self) -> Fit:
        """What w leaves to explain."""
        residual_y = self._start_fit.residual_y - float((self.w - self._start) @ self.xy)
        return Fit(self.state, self.residual_norm2(self.w, self.state), residual_y)

    def jump(self, penalty: Penalty) -> bool:
        """Newton steps on the coefficients in use; one that would change its sign leaves first."""
        l1, l2, positive = penalty
        free = l1 == 0 and not positive
        used = np.arange(len(self.w)) if free else np.flatnonzero(self.w)
        while len(used):
            w = self.w[used]
            rows = self.gram[used]
            slope = self.state[used] - l1 * np.sign(w) - l2 * w
            step = _newton_step(rows[:, used], slope, l2)
            bending = float(step @ (rows[:, used] @ step)) + l2 * float(step @ step)
            # Below its own rounding, the bending is that of a flat direction.
            rounding = 1e-12 * float(np.abs(step) @ np.sqrt(self.gram.diagonal()[used])) ** 2
            length = float(slope @ step) / bending if bending > rounding else np.inf
            with np.errstate(divide="ignore", invalid="ignore"):
                ends = np.where((w * step < 0) & (not free), -w / step, np.inf)
            first = int(np.argmin(ends))
            if not np.isfinite(min(length, ends[first])):
                return False
            self.w[used] += min(length, ends[first]) * step
            self.state -= (min(length, ends[first]) * step) @ rows
            if length < ends[first]:
                break
            self.w[used[first]] = 0.0
            used = np.delete(used, first)
        return len(used) > 0


def _newton_step(gram: np.ndarray, slope: np.ndarray, l2: float) -> np.ndarray:
    """Step to where the quadratic with this slope is least; a long one where it has no minimum."""
    hessian = gram.copy()
    diagonal = hessian.ravel()[:: len(hessian) + 1]
    diagonal += l2
    _, step, info = lapack.dposv(hessian, slope)
    if info != 0:  # dependent columns: along what they leave undetermined, any length is as good
        diagonal += 1e-10 * diagonal.mean()
        _, step, info = lapack.dposv(hessian, slope)
    return step if info == 0 else np.zeros_like(slope)


def _sweep_gram_plainly(
    gram: np.ndarray,
    w: np.ndarray,
    correlation: np.ndarray,
    l1: float,
    l2: float,
    positive: bool,
    order: np.ndarray,
    tol: float,
    w_history: np.ndarray,
    state_history: np.ndarray,
) -> tuple[int, bool]:
    """As sweep_gram, without a compiler: only coordinates that would step by more than `tol` are visited."""
    w_history[0], state_history[0] = w, correlation
    curvatures = gram.diagonal()
    for sweep in range(1, len(w_history)):
        alone = _threshold(correlation + w * curvatures, l1, positive) / (curvatures + l2)
        moving = np.abs(alone - w) > tol * max(np.abs(alone).max(), np.abs(w).max())
        reach = np.abs(alone - w) * moving
        n_top = max(_FEW_STEPS, int(np.count_nonzero(w)) // 4)
        if np.count_nonzero(moving) > n_top:
            moving &= reach >= np.partition(reach, -n_top)[-n_top]
        visited = order[moving[order]].tolist()
        for j in visited:
            curvature = float(curvatures[j])
            z = float(correlation[j]) + float(w[j]) * curvature
            new = (max(z - l1, 0.0) + (0.0 if positive else min(z + l1, 0.0))) / (curvature + l2)
            correlation -= (new - w[j]) * gram[j]
            w[j] = new
        w_history[sweep], state_history[sweep] = w, correlation
        if not visited:
            return sweep, True
    return len(w_history) - 1, False


def _threshold(z: np.ndarray, l1: float, positive: bool) -> np.ndarray:
    return np.maximum(z - l1, 0.0) + (0.0 if positive else np.minimum(z + l1, 0.0))
