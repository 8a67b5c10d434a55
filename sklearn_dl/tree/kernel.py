"""What the kernels of a tree work on, and how they are compiled."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numba import njit

NONE = -1  # no child, no feature
EQUAL = np.float32(1e-7)  # values no further apart are not split, as in scikit-learn
ROUNDING = 8 * np.finfo(np.float64).eps  # what sums may be off by, relative to their largest part

GINI, ENTROPY, SQUARED_ERROR, POISSON = range(4)


def inner(function: Callable[..., Any], **options: Any) -> Any:
    """Compile a function that only other kernels call, and that allocates nothing.

    Without wrappers for Python it compiles in half the time, and without reference counts, which are atomic,
    small nodes are split four times as fast.
    """
    without: dict[str, Any] = {"_nrt": False, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
    return njit(nogil=True, cache=True, error_model="numpy", **without, **options)(function)


def inner_reordered(function: Callable[..., Any]) -> Any:
    """As :func:`inner`; sums may be reordered."""
    return inner(function, fastmath={"reassoc", "contract", "arcp", "nsz"})


#: A node whose split is not made yet: its rows, its place in the tree, and how it will divide.
NODE = np.dtype(
    [
        ("start", np.int64),  # its rows are those at the places from `start` to before `stop`
        ("stop", np.int64),
        ("order", np.int64),  # index of an order of rows in which that is true
        ("depth", np.int64),
        ("number", np.int64),  # place in the order of creation, which is scikit-learn's
        ("parent", np.int64),  # number of the node above, NONE for the root
        ("is_right", np.int64),
        ("n_active", np.int64),  # features that were not constant further up
        ("feature", np.int64),
        ("n_left", np.int64),  # rows of smaller values, missing values not counted
        ("cut", np.int64),  # last bin on the left
        ("n_missing", np.int64),
        ("missing_left", np.int64),
        ("threshold", np.float64),
        ("improvement", np.float64),
        ("impurity", np.float64),
        ("weight", np.float64),
        ("lower", np.float64),  # bounds on the value by monotonic constraints
        ("upper", np.float64),
    ]
)

GREATER = np.uint32(1 << 30)  # flag of an entry: its value is greater than the one before
APART = np.uint32(1 << 31)  # by more than EQUAL
FLAGS = np.uint32(3 << 30)
BARE = ~FLAGS
MOST_ENTRIES = 1 << 30  # rows times classes that leave room for the flags


class Rows(NamedTuple):
    """Rows in the order of each feature; in one order for all where features are binned.

    An entry is the row, above `n_bits` bits for its class. Where rows are sorted, the two highest bits tell
    its value from that of the entry before: the values are only looked up where those bits do not tell.
    """

    entries: np.ndarray  #: (n_features or 1, n_samples), uint32; missing values last
    n_bits: int
    has_missing: np.ndarray  #: (n_features,), bool
    single: np.ndarray  #: X in one dimension, if it is float32; else empty
    double: np.ndarray  #: X in one dimension, if it is float64; else empty
    row_step: int  #: elements from one row of X to the next
    column_step: int


class Bins(NamedTuple):
    """Features in bins of neighbouring values."""

    codes: np.ndarray  #: (n_features, n_samples), uint8; the number of bins stands for a missing value
    n_bins: np.ndarray  #: (n_features,)
    low: np.ndarray  #: (n_features, 256), float32: smallest value of each bin
    high: np.ndarray  #: the largest


class Listed(NamedTuple):
    """Binned features of which most values are equal: a list for each of the rows in other bins.

    A node's part of a list is found by bisection, since the lists are divided as the rows are.
    """

    rows: np.ndarray  #: (n_listed,), uint16
    codes: np.ndarray  #: (n_listed,), uint8: their bins
    starts: np.ndarray  #: (n_features + 1,): where the list of each feature starts
    usual: np.ndarray  #: (n_features,): bin that is not listed
    places: np.ndarray  #: (n_samples,), uint16: place of each row among those of all nodes
    classes: np.ndarray  #: (n_samples,), uint8


class Target(NamedTuple):
    """What the tree predicts."""

    criterion: int
    n_classes: int  #: 0 for real targets
    weight: np.ndarray  #: (n_samples,)
    unweighted: bool  #: whether all weights are 1
    y: np.ndarray  #: real targets of shape (n_samples,), or (0,)
    weighted_y: np.ndarray  #: their products with the weights
    logs: np.ndarray  #: x log x of every count up to n_samples, for entropies without weights


class Limits(NamedTuple):
    """When to stop, and what to look at."""

    max_depth: int
    min_samples_split: int
    min_samples_leaf: int
    min_weight_leaf: float
    max_leaf_nodes: int  #: 0 for any number, grown depth first
    min_impurity_decrease: float  #: times the sum of all weights
    max_features: int
    signs: np.ndarray  #: (n_features,): 1 where values must rise with the feature, -1 where fall, else 0


class Room(NamedTuple):
    """Memory that every node uses again."""

    active: np.ndarray  #: features not yet constant: a row for each depth, or a single one
    features: np.ndarray  #: those of the node at hand
    total: np.ndarray  #: weights of the node's classes, or its sum of targets
    left: np.ndarray
    right: np.ndarray
    goes_left: np.ndarray  #: (n_samples,), uint8
    entries: np.ndarray
    counts: np.ndarray  #: (256,), rows of each bin; 0 between uses, as are the sums
    sums: np.ndarray  #: (256, n_classes): weights of each bin; (256, 2): weight and sum of targets
    seen: np.ndarray  #: (256,), uint8: 1 for bins that hold rows
    present: np.ndarray  #: (256,): the bins that hold rows
    random: np.ndarray  #: (1,), uint64: state of the random numbers
    nodes: np.ndarray  #: NODE: those whose split is not made yet
    spare: np.ndarray  #: places of `nodes` that are free
    waiting: np.ndarray  #: places of nodes to create
    heap: np.ndarray  #: places of nodes to divide, the largest improvement first


@inner
def row_of(entry, n_bits):
    """Row of an entry."""
    return (entry & BARE) >> n_bits


@inner
def value_of(rows, entry, j):
    """Value of feature `j` in the row of an entry."""
    place = np.int64(row_of(entry, rows.n_bits)) * rows.row_step + j * rows.column_step
    return rows.single[place] if len(rows.single) > 0 else np.float32(rows.double[place])


@inner
def is_apart(rows, j, entries, i):
    """Whether the value of ``entries[i]`` is above that of the entry before by more than EQUAL.

    Several steps of at most EQUAL may add up to more.
    """
    entry = entries[i]
    if entry >= APART or entry < GREATER:
        return entry >= APART
    return value_of(rows, entry, j) > value_of(rows, entries[i - 1], j) + EQUAL


@inner
def x_log_x(x):
    """``x log x``, and 0 for 0 and what rounding leaves below it."""
    return x * np.log(x) if x > 0 else 0.0


@inner
def uniform(state):
    """Random number from 0 to below 1 (Marsaglia, 2003, Xorshift RNGs)."""
    x = state[0]
    x ^= x << np.uint64(13)
    x ^= x >> np.uint64(7)
    x ^= x << np.uint64(17)
    state[0] = x
    return float(x >> np.uint64(11)) / 9007199254740992.0


@inner
def between(low, high):
    """Middle of two values, which is `low` where rounding would make it `high`."""
    middle = float(low) / 2 + float(high) / 2
    return float(low) if middle == float(high) or np.isinf(middle) else middle
