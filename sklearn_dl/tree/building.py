"""From rows and targets to scikit-learn's ``Tree``: sorting or binning, growing, and the table of nodes."""

from typing import NamedTuple

import numpy as np
from sklearn.tree._tree import TREE_LEAF, TREE_UNDEFINED, Tree

from sklearn_dl.tree.binning import bin_features, bin_values, list_values, unusual_share
from sklearn_dl.tree.growing import grow
from sklearn_dl.tree.kernel import (
    ENTROPY,
    GINI,
    NODE,
    NONE,
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

_COLUMNS = 4  # transposed at a time
_FEW_ROWS = 2_000  # below, sorting is faster than binning
_LISTED_ROWS = 1 << 16  # at most, where features are lists
_LISTED_SHARE = 0.35  # of the numbers at most


class Problem(NamedTuple):
    """What a tree is grown from."""

    X: np.ndarray  #: (n_samples, n_features), float32
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
    seed = np.uint64(int(random_state.randint(1, np.iinfo(np.int32).max)) * 0x9E3779B97F4A7C15 % 2**64)
    n_samples, n_features = problem.X.shape
    capacity = 2 * n_samples - 1
    if limits.max_depth < 48:
        capacity = min(capacity, 2 ** (limits.max_depth + 1) - 1)
    if limits.max_leaf_nodes > 0:
        capacity = min(capacity, 2 * limits.max_leaf_nodes - 1)
    nodes = np.empty(capacity, NODE)
    values = np.empty((capacity, max(1, problem.n_classes)))
    rows, bins, listed = _arrange(problem, random_state)
    n_nodes = grow(rows, bins, listed, _target(problem, center), limits, seed, nodes, values)
    return _tree(nodes[:n_nodes], values[:n_nodes] + center, n_features, max(1, problem.n_classes))


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
        return Rows(np.empty((0, 0), np.float32), entries, n_bits, has_missing), bins, listed
    values = np.empty((n_features, n_samples), np.float32)
    entries = np.empty((n_features, n_samples), np.uint32)
    for first in range(0, n_features, _COLUMNS):
        block = slice(first, first + _COLUMNS)
        presort(np.ascontiguousarray(X[:, block].T), codes, n_bits, values[block], entries[block])
    return Rows(values, entries, n_bits, has_missing), None, None


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
    y = np.empty(0) if problem.n_classes > 0 else problem.y - center
    logs = np.empty(0)
    if CRITERIA[problem.criterion] == ENTROPY and problem.weight is None:
        counts = np.arange(n_samples + 1.0)
        logs = counts * np.log(np.maximum(counts, 1))
    return Target(
        CRITERIA[problem.criterion], problem.n_classes, weight, problem.weight is None, y,
        y if problem.n_classes > 0 else y * weight, logs,
    )  # fmt: skip


def _tree(nodes: np.ndarray, values: np.ndarray, n_features: int, n_classes: int) -> Tree:
    """scikit-learn's tree with these nodes."""
    tree = Tree(n_features, np.array([n_classes], np.intp), 1)
    number, order = nodes["number"], np.argsort(nodes["number"])
    nodes = nodes[order]
    is_leaf = nodes["left"] == NONE
    table = np.zeros(len(nodes), tree.__getstate__()["nodes"].dtype)  # zeros between fields too, for pickles
    table["left_child"] = np.where(is_leaf, TREE_LEAF, number[nodes["left"]])
    table["right_child"] = np.where(is_leaf, TREE_LEAF, number[nodes["right"]])
    table["feature"] = np.where(is_leaf, TREE_UNDEFINED, nodes["feature"])
    table["threshold"] = np.where(is_leaf, TREE_UNDEFINED, nodes["threshold"])
    table["missing_go_to_left"] = np.where(is_leaf, 0, nodes["missing_left"])
    table["impurity"] = nodes["impurity"]
    table["n_node_samples"] = nodes["stop"] - nodes["start"]
    table["weighted_n_node_samples"] = nodes["weight"]
    tree.__setstate__(
        {
            "max_depth": int(nodes["depth"].max()),
            "node_count": len(nodes),
            "nodes": table,
            "values": np.ascontiguousarray(values[order][:, None, :]),
        }
    )
    return tree
