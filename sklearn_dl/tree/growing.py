"""Growing a tree: depth first, or best first where the number of leaves is limited.

The rows of a node are a range of places. A split moves those that go left before those that go right; both
keep their order. Where features are sorted this happens in the order of each feature, so that nothing is ever
sorted again; where they are binned, in a single order, and in the lists of unusual values if there are any.
"""

import numpy as np
from numba import njit

from sklearn_dl.tree.dividing import divide
from sklearn_dl.tree.finding import find_split
from sklearn_dl.tree.kernel import NODE, NONE, Limits, Room, inner
from sklearn_dl.tree.node_values import describe, is_final

_LEVELS = 64  # depths at which features that became constant are told apart; beyond, they are met again
_UNDEFINED = -2  # feature and threshold of a leaf


def make_room(n_samples: int, capacity: int, width: int, is_binned: bool, limits: Limits, seed: int) -> Room:
    """Memory for growing a tree of at most `capacity` nodes whose values are `width` numbers.

    It is allocated here since kernels that allocate take longer to compile.
    """
    n_features, n_bins = len(limits.signs), 256 if is_binned else 0
    # Loops over many classes run in vectors that leave no rest.
    width = width if width <= 8 else (width + 15) // 16 * 16
    room = Room(
        active=np.empty((1 if limits.max_leaf_nodes > 0 else _LEVELS, n_features), np.int64),
        features=np.empty(n_features, np.int64),
        total=np.empty(width),
        left=np.empty(max(width, 2)),
        right=np.empty(width),
        goes_left=np.zeros(n_samples, np.uint8),
        entries=np.empty(n_samples, np.uint32),
        counts=np.zeros(n_bins, np.int64),
        sums=np.zeros((n_bins, max(width, 2))),
        seen=np.zeros(n_bins, np.uint8),
        present=np.empty(n_bins, np.int64),
        random=np.array([seed], np.uint64),
        nodes=np.empty(capacity, NODE),
        spare=np.empty(capacity, np.int64),
        waiting=np.empty(capacity, np.int64),
        heap=np.empty(capacity, np.int64),
    )
    room.active[0] = np.arange(n_features)
    root = room.nodes[0]
    root["start"], root["stop"], root["order"], root["depth"] = 0, n_samples, 0, 0
    root["parent"], root["is_right"], root["n_active"] = NONE, 0, n_features
    root["lower"], root["upper"] = -np.inf, np.inf
    room.waiting[0] = 0
    return room


@njit(nogil=True, cache=True, error_model="numpy")
def grow(rows, bins, listed, target, limits, room, table, values):
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
    room : Room
        As :func:`make_room` leaves it. Overwritten.
    table : ndarray of scikit-learn's nodes, of shape (capacity,)
        Room for as many as there can be. Filled.
    values : ndarray of shape (capacity, n_classes or 1)
        Filled with shares of the classes, or means.

    Returns
    -------
    n_nodes : int
        Nodes of the tree, which are the first ones in `table`.
    depth : int
        Of the deepest node.
    """
    nodes, waiting, heap, spare = room.nodes, room.waiting, room.heap, room.spare
    best_first = limits.max_leaf_nodes > 0
    n_waiting, heap_size, n_spare, n_places = 1, 0, 0, 1
    n_nodes, n_leaves, depth = 0, 1, 0
    while n_waiting > 0 or (heap_size > 0 and n_leaves < limits.max_leaf_nodes):
        if n_waiting > 0:
            n_waiting -= 1
            me = waiting[n_waiting]
            nodes[me].number = n_nodes
            depth = max(depth, nodes[me].depth)
            n_nodes += 1
            if not _create(nodes[me], rows, bins, listed, target, limits, room, table, values):
                spare[n_spare] = me
                n_spare += 1
                continue
            if best_first:
                heap_size = _push(heap, heap_size, nodes, me)
                continue
        else:
            me = heap[0]
            heap_size = _pop(heap, heap_size, nodes)
        for child in range(n_waiting, n_waiting + 2):
            if n_spare > 0:
                n_spare -= 1
                waiting[child] = spare[n_spare]
            else:
                waiting[child] = n_places
                n_places += 1
        left, right = nodes[waiting[n_waiting + 1]], nodes[waiting[n_waiting]]
        entry = table[nodes[me].number]
        entry.feature, entry.threshold = nodes[me].feature, nodes[me].threshold
        entry.missing_go_to_left = nodes[me].missing_left
        divide(nodes[me], left, right, rows, bins, listed, target, limits, room)
        n_waiting += 2
        n_leaves += 1
        spare[n_spare] = me
        n_spare += 1
    return n_nodes, depth


@inner
def _create(node, rows, bins, listed, target, limits, room, table, values):
    """Describe a node and find its split; False where it stays a leaf."""
    describe(node, values[node.number], rows, target, room.total)
    entry = table[node.number]
    entry.left_child = entry.right_child = NONE
    entry.feature, entry.threshold, entry.missing_go_to_left = _UNDEFINED, _UNDEFINED, 0
    entry.impurity, entry.weighted_n_node_samples = node.impurity, node.weight
    entry.n_node_samples = node.stop - node.start
    if node.parent != NONE:
        if node.is_right:
            table[node.parent].right_child = node.number
        else:
            table[node.parent].left_child = node.number
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
