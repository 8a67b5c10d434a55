"""From rows and targets to scikit-learn's ``Tree``: sorting or binning, growing, and the table of nodes."""

from typing import NamedTuple

import numpy as np
from sklearn.tree._tree import Tree

from sklearn_dl.tree.binning import bin_features, bin_values, list_values, unusual_share
from sklearn_dl.tree.growing import grow, make_room
from sklearn_dl.tree.kernel import (
    ENTROPY,
    GINI,
    POISSON,
    SQUARED_ERROR,
    Bins,
    Limits,
    Listed,
    Rows,
    Target,
)
from sklearn_dl.tree.presort import presort

CRITERIA = {
    "gini": GINI,
    "entropy": ENTROPY,
    "log_loss": ENTROPY,
    "squared_error": SQUARED_ERROR,
    "friedman_mse": SQUARED_ERROR,
    "poisson": POISSON,
}

_COLUMNS = 2  # transposed at a time
_FEW_ROWS = 2_000  # below, sorting is faster than binning
_LISTED_ROWS = 1 << 16  # at most, where features are lists
_LISTED_SHARE = 0.35  # of the numbers at most


class Problem(NamedTuple):
    """What a tree is grown from."""

    X: np.ndarray  #: (n_samples, n_features), float32 or float64, which is read as float32
    y: np.ndarray  #: class indices, or real targets in float64, of shape (n_samples,)
    n_classes: int  #: 0 for real targets
    weight: np.ndarray | None  #: (n_samples,), above 0
    criterion: str
    splitter: str
    max_bins: int


def build_tree(problem: Problem, limits: Limits, random_state: np.random.RandomState) -> Tree:
    """Grow a tree.

    Parameters
    ----------
    problem : Problem
        Rows, targets, and how splits are scored.
    limits : Limits
        When to stop.
    random_state : RandomState
        Source of all that is random.

    Returns
    -------
    tree : sklearn.tree._tree.Tree
        The nodes in scikit-learn's order.
    """
    center = _center(problem)
    # Spread over all 64 bits, which the first random numbers would else not reach.
    seed = int(random_state.randint(1, np.iinfo(np.int32).max)) * 0x9E3779B97F4A7C15 % 2**64
    n_samples, n_features = problem.X.shape
    width = max(1, problem.n_classes)
    capacity = 2 * n_samples - 1
    if limits.max_depth < 48:
        capacity = min(capacity, 2 ** (limits.max_depth + 1) - 1)
    if limits.max_leaf_nodes > 0:
        capacity = min(capacity, 2 * limits.max_leaf_nodes - 1)
    tree = Tree(n_features, np.array([width], np.intp), 1)
    # Zeros, between fields too, so that equal trees pickle to equal bytes.
    table, values = np.zeros(capacity, tree.__getstate__()["nodes"].dtype), np.empty((capacity, width))
    n_nodes, depth = _grow(problem, center, limits, seed, random_state, table, values)
    values = values[:n_nodes]
    values += center
    tree.__setstate__(
        {
            "max_depth": depth,
            "node_count": n_nodes,
            "nodes": table[:n_nodes],
            "values": values[:, None, :],
        }
    )
    return tree


def _grow(
    problem: Problem,
    center: float,
    limits: Limits,
    seed: int,
    random_state: np.random.RandomState,
    table: np.ndarray,
    values: np.ndarray,
) -> tuple[int, int]:
    """Number of nodes and depth; all but `table` and `values` is free again when this returns."""
    rows, bins, listed = _arrange(problem, random_state)
    room = make_room(len(problem.y), len(table), values.shape[1], bins is not None, limits, seed)
    return grow(rows, bins, listed, _target(problem, center), limits, room, table, values)


def _center(problem: Problem) -> float:
    """Typical target where all are far from 0, so that their sums do not cancel; else 0, to round nothing.

    It is the median, since a mean that an outlier moves would drown the others.
    """
    if CRITERIA[problem.criterion] != SQUARED_ERROR:
        return 0.0
    median = float(np.median(problem.y))
    return median if abs(median) > 10 * problem.y.std() else 0.0


def _arrange(
    problem: Problem, random_state: np.random.RandomState
) -> tuple[Rows, Bins | None, Listed | None]:
    """Rows in the order of each feature; or as they come, with bins.

    Bins that hold one value each lose nothing, so features of few values are binned for any splitter.
    """
    X = problem.X
    n_samples, n_features = X.shape
    n_bits = max(problem.n_classes - 1, 0).bit_length()
    codes = problem.y.astype(np.uint32) if problem.n_classes > 0 else np.zeros(n_samples, np.uint32)
    has_missing = np.isnan(X.min(axis=0))
    bins = listed = None
    if problem.splitter == "hist":
        bins = bin_features(X, problem.max_bins, random_state)
    elif n_samples >= _FEW_ROWS and not has_missing.any():
        bins, listed = _bin_few_values(problem)
    if bins is not None:
        entries = (np.arange(n_samples, dtype=np.uint32) << np.uint32(n_bits) | codes)[None]
    else:
        entries = np.empty((n_features, n_samples), np.uint32)
        for first in range(0, n_features, _COLUMNS):
            block = slice(first, first + _COLUMNS)
            presort(np.ascontiguousarray(X[:, block].T, np.float32), codes, n_bits, entries[block])
    return Rows(entries, n_bits, has_missing, *_in_one_dimension(X)), bins, listed


def _in_one_dimension(X: np.ndarray) -> tuple[np.ndarray, np.ndarray, int, int]:
    """X as an array of float32 and one of float64, of which one is empty, and its steps in elements.

    So every X is of one type to the kernels, which are compiled once.
    """
    if not (X.flags.c_contiguous or X.flags.f_contiguous):
        X = np.ascontiguousarray(X)
    numbers, other = X.ravel(order="K"), np.empty(0, np.float64 if X.dtype == np.float32 else np.float32)
    pair = (numbers, other) if X.dtype == np.float32 else (other, numbers)
    row_step, column_step = (step // X.itemsize for step in X.strides)
    return *pair, row_step, column_step


def _bin_few_values(problem: Problem) -> tuple[Bins | None, Listed | None]:
    """Bins of one value each, and lists where most values of a feature are equal; None where not."""
    X = problem.X
    share = unusual_share(X)
    few_classes = 0 < problem.n_classes <= 256 and problem.weight is None
    if few_classes and len(X) <= _LISTED_ROWS and share < _LISTED_SHARE:
        lists = list_values(X, problem.y, 1.2 * share + 0.01)
        if lists is not None:
            return lists
    return bin_values(X) if share < np.inf else None, None


def _target(problem: Problem, center: float) -> Target:
    n_samples = len(problem.y)
    weight = np.ones(n_samples) if problem.weight is None else problem.weight
    y = np.empty(0) if problem.n_classes > 0 else problem.y if center == 0 else problem.y - center
    logs = np.empty(0)
    if CRITERIA[problem.criterion] == ENTROPY and problem.weight is None:
        counts = np.arange(n_samples + 1.0)
        logs = counts * np.log(np.maximum(counts, 1))
    return Target(
        CRITERIA[problem.criterion], problem.n_classes, weight, problem.weight is None, y,
        y if problem.n_classes > 0 or problem.weight is None else y * weight, logs,
    )  # fmt: skip
