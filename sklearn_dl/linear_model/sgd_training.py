"""The training loop of stochastic gradient descent: epochs, their order of rows, and when to stop."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit
from sklearn.model_selection import ShuffleSplit, StratifiedShuffleSplit

from sklearn_dl._base.arrays import Array, move_like
from sklearn_dl.linear_model.sgd_steps import Coefficients, Steps

# Above this many rows plain Python takes longer than compiling.
_INTERPRETED_ROWS = 5_000


def descend(
    steps: Steps,
    n_samples: int,
    *,
    held_out: np.ndarray | None,
    score: Callable[[Coefficients], float] | None,
    seed: int,
    shuffle: bool,
    max_iter: int,
    tol: float | None,
    n_iter_no_change: int,
    adaptive: bool,
    verbose: int,
) -> int:
    """Run epochs until they stop paying off.

    Parameters
    ----------
    steps : Steps
        Takes the steps; changed in place.
    n_samples : int
        Rows there are.
    held_out : ndarray of bool of shape (n_samples,), or None
        Rows not to learn from.
    score : callable or None
        Score of coefficients on the rows held out, the higher the better. Without it the objective on the
        training rows decides.
    seed : int
        Seed of the order of rows.
    shuffle : bool
        Whether each epoch has an order of its own.
    max_iter : int
        Epochs at most.
    tol : float or None
        An epoch pays off if it improves on the best by more than this. None runs `max_iter` epochs.
    n_iter_no_change : int
        Epochs in a row that do not pay off after which to stop, or, where `adaptive`, to divide the step size
        by 5, until it is below 1e-6.
    adaptive : bool
        Whether to try smaller steps before stopping.
    verbose : int
        Above 0 prints a report an epoch.

    Returns
    -------
    n_iter : int
        Epochs run.

    Raises
    ------
    ValueError
        If coefficients are no longer finite.
    """
    started = time.perf_counter()
    order = np.arange(n_samples, dtype=np.int32)
    # The same permutation moves the rows of every epoch, from where the last left them, as in scikit-learn.
    moves = permutation(n_samples, seed) if shuffle else order
    best, n_wasted = np.inf, 0
    for epoch in range(1, max_iter + 1):
        if shuffle:
            order = order[moves]
        rows = order if held_out is None else order[~held_out[order]]
        steps.run_epoch(rows)
        learnt = steps.coefficients()
        if not (np.isfinite(learnt.intercept) and np.isfinite(learnt.coef).all()):
            raise ValueError(
                f"Floating-point under-/overflow occurred at epoch #{epoch}. Scaling input data with "
                "StandardScaler or MinMaxScaler might help."
            )
        value = -score(learnt) if score else steps.objective / len(rows)
        if verbose > 0:
            _report(epoch, learnt, len(rows), "Objective" if not score else "Validation score", abs(value))
        n_wasted = n_wasted + 1 if tol is not None and value > best - tol else 0
        best = min(best, value)
        if n_wasted >= n_iter_no_change:
            if not (adaptive and steps.eta > 1e-6):
                if verbose > 0:
                    passed = time.perf_counter() - started
                    print(f"Convergence after {epoch} epochs took {passed:.2f} seconds")
                return epoch
            steps.eta, n_wasted = steps.eta / 5, 0
    return max_iter


def _report(epoch: int, learnt: Coefficients, n_rows: int, measure: str, value: float) -> None:
    print(
        f"-- Epoch {epoch}\n"
        f"Norm: {np.linalg.norm(learnt.coef):.2f}, NNZs: {np.count_nonzero(learnt.coef)}, "
        f"Bias: {learnt.intercept:.6f}, T: {epoch * n_rows}, {measure}: {value:f}"
    )


def permutation(n: int, seed: int) -> np.ndarray:
    """Permutation of ``range(n)``: Fisher and Yates' shuffle by the numbers of Marsaglia's xorshift.

    It is the one that scikit-learn draws from the same seed.

    Parameters
    ----------
    n : int
        Length.
    seed : int
        In [0, 2**32).

    Returns
    -------
    order : ndarray of shape (n,), int32
    """
    order = np.arange(n, dtype=np.int32)
    (_shuffle if n > _INTERPRETED_ROWS else _shuffle.py_func)(order, max(1, int(seed)))
    return order


@njit(nogil=True, cache=True)
def _shuffle(order, state):
    n = len(order)
    for i in range(n - 1):
        # xorshift32 (Marsaglia, 2003, Xorshift RNGs, page 4)
        state ^= (state << 13) & 0xFFFFFFFF
        state ^= state >> 17
        state ^= (state << 5) & 0xFFFFFFFF
        j = i + (state & 0x7FFFFFFF) % (n - i)
        order[i], order[j] = order[j], order[i]


def hold_out(y: np.ndarray, fraction: float, random_state: Any, *, stratify: bool) -> np.ndarray:
    """Mask of rows to validate on, of shape (n_samples,).

    Parameters
    ----------
    y : ndarray of shape (n_samples,)
        Targets; where `stratify`, each of their values is held out in proportion.
    fraction : float
        Share of the rows.
    random_state : int, RandomState instance or None
        Decides which.
    stratify : bool
        Whether targets are classes.

    Returns
    -------
    mask : ndarray of bool of shape (n_samples,)

    Raises
    ------
    ValueError
        If there are too few rows for the fraction.
    """
    splitter = (StratifiedShuffleSplit if stratify else ShuffleSplit)(
        test_size=fraction, random_state=random_state
    )
    _, chosen = next(splitter.split(np.zeros((len(y), 1)), y))
    mask = np.zeros(len(y), dtype=bool)
    mask[chosen] = True
    return mask


def held_out_score(X: Array, y: Array, weight: Array, *, is_class: bool) -> Callable[[Coefficients], float]:
    """Function that scores coefficients on these rows: accuracy for targets -1 and 1, else R2.

    Parameters
    ----------
    X : array of shape (n_samples, n_features)
        Rows.
    y, weight : array of shape (n_samples,)
        Targets and weights.
    is_class : bool
        Whether targets are classes.

    Returns
    -------
    score : callable
        Takes Coefficients, returns a float.
    """
    spread = (weight * (y - (weight * y).sum() / weight.sum()) ** 2).sum()

    def score(learnt: Coefficients) -> float:
        p = X @ move_like(learnt.coef, X) + learnt.intercept
        if is_class:
            return float((weight * ((p > 0) == (y > 0))).sum() / weight.sum())
        missed = (weight * (y - p) ** 2).sum()
        return float(1 - missed / spread) if spread > 0 else float(missed == 0)

    return score
