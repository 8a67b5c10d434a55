"""Growing a tree: depth first, or best first where the number of leaves is limited.

The rows of a node are a range of places. A split moves those that go left before those that go right; both
keep their order. Where features are sorted this happens in the order of each feature, so that nothing is ever
sorted again; where they are binned, in a single order, and in the lists of unusual values if there are any.
"""

import numpy as np
from numba import njit

from sklearn_dl.tree.dividing import divide
from sklearn_dl.tree.finding import find_split
from sklearn_dl.tree.kernel import NONE, Room, inner
from sklearn_dl.tree.node_values import describe, is_final

_LEVELS = 64  # depths at which features that became constant are told apart; beyond, they are met again


@njit(nogil=True, cache=True)
def grow(rows, bins, listed, target, limits, seed, nodes, values):
    """Grow a tree.

    Parameters
    ----------
    rows : Rows
        Overwritten.
    bins : Bins or None
        Bins of the features; None where `rows` are sorted by each of them.
    listed : Listed or None
        Most values of the features, where all others are equal; `bins` then has no codes.
    target : Target
        Classes or real values.
    limits : Limits
        When to stop.
    seed : uint64
        Above 0; decides between equal splits, and everything that is random.
    nodes : ndarray of NODE
        Room for as many as there can be. Filled.
    values : ndarray of shape (n_nodes, n_classes or 1)
        Filled with shares of the classes, or means.

    Returns
    -------
    n_nodes : int
        Nodes of the tree, which are the first ones in `nodes`.
    """
    n_samples, width, n_features = rows.entries.shape[1], values.shape[1], len(limits.signs)
    n_bins = 0 if bins is None else 256
    # Loops over many classes run in vectors that leave no rest.
    width = width if width <= 8 else (width + 15) // 16 * 16
    room = Room(
        np.empty((1 if limits.max_leaf_nodes > 0 else _LEVELS, n_features), np.int64),
        np.empty(n_features, np.int64), np.empty(width), np.empty(max(width, 2)), np.empty(width),
        np.zeros(n_samples, np.uint8),
        np.empty(n_samples, np.float32), np.empty(n_samples, np.uint32), np.zeros(n_bins, np.int64),
        np.zeros((n_bins, max(width, 2))), np.zeros(n_bins, np.uint8), np.empty(n_bins, np.int64),
        np.array([seed]),
    )  # fmt: skip
    room.active[0] = np.arange(n_features)
    root = nodes[0]
    root.start, root.stop, root.order, root.depth, root.n_active = 0, n_samples, 0, 0, n_features
    root.lower, root.upper = -np.inf, np.inf
    waiting = np.empty(len(nodes), np.int64)
    if limits.max_leaf_nodes > 0:
        return _grow_best_first(rows, bins, listed, target, limits, room, nodes, values, waiting)
    return _grow_depth_first(rows, bins, listed, target, limits, room, nodes, values, waiting)


@inner
def _grow_depth_first(rows, bins, listed, target, limits, room, nodes, values, stack):
    stack[0] = 0
    n_stacked, n_nodes, n_created = 1, 1, 0
    while n_stacked > 0:
        n_stacked -= 1
        me = stack[n_stacked]
        if _create(nodes, me, n_created, rows, bins, listed, target, limits, room, values):
            divide(nodes, me, n_nodes, rows, bins, listed, target, limits, room)
            stack[n_stacked], stack[n_stacked + 1] = n_nodes + 1, n_nodes
            n_stacked += 2
            n_nodes += 2
        n_created += 1
    return n_nodes


@inner
def _grow_best_first(rows, bins, listed, target, limits, room, nodes, values, heap):
    size, n_nodes, n_leaves = 0, 1, 1
    if _create(nodes, 0, 0, rows, bins, listed, target, limits, room, values):
        size = _push(heap, size, nodes, 0)
    while size > 0 and n_leaves < limits.max_leaf_nodes:
        me = heap[0]
        size = _pop(heap, size, nodes)
        divide(nodes, me, n_nodes, rows, bins, listed, target, limits, room)
        for child in range(n_nodes, n_nodes + 2):
            if _create(nodes, child, child, rows, bins, listed, target, limits, room, values):
                size = _push(heap, size, nodes, child)
        n_nodes += 2
        n_leaves += 1
    return n_nodes


@inner
def _create(nodes, me, number, rows, bins, listed, target, limits, room, values):
    """Describe a node and find its split; False where it stays a leaf."""
    node = nodes[me]
    node.number, node.left, node.right = number, NONE, NONE
    describe(node, values[me], rows, target, room.total)
    if is_final(node, limits):
        return False
    return find_split(node, rows, bins, listed, target, limits, room)


@inner
def _push(heap, size, nodes, me):
    """Put a node into the heap, of which the first has the largest improvement."""
    place = size
    while place > 0:
        parent = (place - 1) // 2
        if nodes[heap[parent]].improvement >= nodes[me].improvement:
            break
        heap[place] = heap[parent]
        place = parent
    heap[place] = me
    return size + 1


@inner
def _pop(heap, size, nodes):
    """Take the first node out of the heap."""
    size -= 1
    last = heap[size]
    place = 0
    while 2 * place + 1 < size:
        child = 2 * place + 1
        if child + 1 < size and nodes[heap[child + 1]].improvement > nodes[heap[child]].improvement:
            child += 1
        if nodes[last].improvement >= nodes[heap[child]].improvement:
            break
        heap[place] = heap[child]
        place = child
    heap[place] = last
    return size
