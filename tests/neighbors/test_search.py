"""The search for neighbours against all distances in extended precision, sorted by (distance, row)."""

import tracemalloc
import warnings

import numpy as np
import pytest
import sklearn.neighbors
from scipy import sparse
from scipy.spatial.distance import cdist

from sklearn_dl.neighbors import NearestNeighbors
from sklearn_dl.neighbors.brute_force import _first_copies, nearest_rows
from sklearn_dl.neighbors.direct import nearest_directly
from sklearn_dl.neighbors.float_scores import FloatScores
from sklearn_dl.neighbors.integer_scores import IntegerScores
from sklearn_dl.neighbors.kd_tree import KDTree
from sklearn_dl.neighbors.kernels import EUCLIDEAN
from sklearn_dl.neighbors.selection import smallest, without_self
from sklearn_dl.neighbors.sparse_rows import nearest_sparse_rows

POWERS = {"euclidean": 2, "manhattan": 1, "chebyshev": np.inf}
METRICS = [*POWERS, "cosine"]


def slow_distances(X, queries, metric):
    """Distances in extended precision, rounded to float64."""
    X, queries = X.astype(np.longdouble), queries.astype(np.longdouble)
    if metric == "cosine":
        norm, query_norm = (np.sqrt((rows**2).sum(axis=1)) for rows in (X, queries))
        product = queries @ X.T
        size = np.outer(query_norm, norm)
        return (1 - np.where(size > 0, product / np.where(size > 0, size, 1), 0)).astype(np.float64)
    gap = np.abs(queries[:, None, :] - X[None, :, :])
    power = POWERS.get(metric, metric)
    if power == np.inf:
        return gap.max(axis=2).astype(np.float64)
    return ((gap**power).sum(axis=2) ** (1 / np.longdouble(power))).astype(np.float64)


def by_distance_and_row(distance, k):
    rows = np.broadcast_to(np.arange(distance.shape[1]), distance.shape)
    order = np.lexsort((rows, distance), axis=-1)[:, :k]
    return np.take_along_axis(distance, order, axis=1), order


@pytest.fixture(scope="module")
def cloud():
    rng = np.random.default_rng(0)
    return rng.normal(size=(6000, 7)), rng.normal(size=(70, 7))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("metric", METRICS)
def test_brute_force_finds_the_rows_that_all_distances_find(cloud, metric, dtype):
    X, queries = (rows.astype(dtype) for rows in cloud)
    distance, row = nearest_rows(X, queries, 9, metric)
    expected, order = by_distance_and_row(slow_distances(X, queries, metric), 9)
    np.testing.assert_array_equal(row, order)
    np.testing.assert_allclose(distance, expected, rtol=1e-13, atol=1e-16)


@pytest.mark.parametrize("power", [1, 1.5, 2, 3, np.inf])
@pytest.mark.parametrize("leaf_size", [1, 30, 10_000])
def test_the_tree_finds_the_rows_that_all_distances_find(cloud, power, leaf_size):
    X, queries = cloud[0][:900, :3].copy(), cloud[1][:, :3].copy()
    distance, row = KDTree.build(X, leaf_size).nearest_rows(queries, 7, power)
    gap = np.abs(queries[:, None] - X[None])
    expected = gap.max(axis=2) if power == np.inf else (gap**power).sum(axis=2) ** (1 / power)
    expected, order = by_distance_and_row(expected, 7)
    np.testing.assert_array_equal(row, order)
    np.testing.assert_allclose(distance, expected, rtol=1e-13)


@pytest.mark.parametrize("metric", POWERS)
@pytest.mark.parametrize("n_features", [1, 3, 20])
def test_ties_on_integer_grids_go_to_the_lower_row(metric, n_features):
    rng = np.random.default_rng(n_features)
    X = rng.integers(0, 3, size=(5000, n_features)).astype(np.float64)
    queries = rng.integers(0, 3, size=(60, n_features)).astype(np.float64)
    expected, order = by_distance_and_row(slow_distances(X, queries, metric), 11)
    for distance, row in (
        nearest_rows(X, queries, 11, metric),
        KDTree.build(X, 16).nearest_rows(queries, 11, POWERS[metric]),
        nearest_directly(X, queries, 11, metric, {}),
    ):
        np.testing.assert_array_equal(row, order)
        np.testing.assert_array_equal(distance, expected)


def chosen_scores(kind, X, queries, metric):
    floats = FloatScores.choose(X, metric)
    return floats if kind is FloatScores else IntegerScores.choose(X, queries, floats)


@pytest.mark.parametrize("kind", [FloatScores, IntegerScores])
def test_whole_numbers_need_hardly_any_measured_distance(kind):
    X = np.random.default_rng(0).integers(0, 3, size=(20_000, 20)).astype(np.float64)
    distance, row = np.full((50, 5), np.inf), np.full((50, 5), len(X))
    n_measured = chosen_scores(kind, X, X[:50], EUCLIDEAN).search(X, X[:50], distance, row)
    assert n_measured < 50 * 200


@pytest.mark.parametrize("metric", METRICS)
def test_copies_of_rows_are_found_in_their_order(metric):
    rng = np.random.default_rng(1)
    X = rng.normal(size=(40, 6))[rng.integers(0, 40, size=5000)]
    queries = np.concatenate([X[:40], rng.normal(size=(40, 6))])
    # Copies have the same distance in any arithmetic, so float64 decides ties as extended precision does.
    distance, row = nearest_rows(X, queries, 8, metric)
    expected, order = by_distance_and_row(slow_distances(X, queries, metric), 8)
    np.testing.assert_array_equal(row, order)
    np.testing.assert_allclose(distance, expected, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("unit", [1e-170, 1e-8, 1.0, 1e150])
@pytest.mark.parametrize("offset", [0.0, 1e6])
def test_products_lead_to_the_rows_that_all_distances_find(unit, offset):
    rng = np.random.default_rng(0)
    X = (rng.normal(size=(300, 7)) * np.logspace(-4, 2, 7) + offset) * unit
    queries = np.concatenate([X[:20], (rng.normal(size=(40, 7)) + offset) * unit])
    distance, row = nearest_directly(X, queries, 9, "euclidean", {})
    expected, order = smallest(cdist(queries, X), 9)
    np.testing.assert_array_equal(row, order)
    np.testing.assert_allclose(distance, expected, rtol=1e-13)


def test_rows_that_are_all_equal_are_found_in_their_order():
    X = np.full((9000, 4), 0.3)
    for distance, row in (
        nearest_rows(X, X[:50], 6, "euclidean"),
        KDTree.build(X, 30).nearest_rows(X[:50], 6, 2),
        nearest_directly(X, X[:50], 6, "euclidean", {}),
    ):
        np.testing.assert_array_equal(row, np.tile(np.arange(6), (50, 1)))
        assert not distance.any()


def test_first_copies_keeps_as_many_of_each_row_as_asked_for():
    X = np.array([[1.0, 2.0], [-0.0, 5.0], [1.0, 2.0], [0.0, 5.0], [1.0, 2.0], [2.0, 1.0]])
    np.testing.assert_array_equal(_first_copies(X, 1), [0, 1, 5])
    np.testing.assert_array_equal(_first_copies(X, 2), [0, 1, 2, 3, 5])
    np.testing.assert_array_equal(_first_copies(X.astype(np.float32), 1), [0, 1, 5])


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize(
    ("offset", "scale"), [(0, 1e-30), (0, 1e-8), (0, 1e8), (1e7, 1), (-1e7, 1e-3), (0, 1e30)]
)
def test_offset_and_scale_cost_no_exactness(cloud, metric, offset, scale):
    X, queries = (offset + scale * rows for rows in (cloud[0][:5000], cloud[1][:40]))
    row = nearest_rows(X, queries, 5, metric)[1]
    # Where all directions agree to 1e-8, float64 itself holds no more digits of 1 - cos.
    if metric == "cosine" and offset:
        distance = slow_distances(X, queries, metric)
        chosen = np.take_along_axis(distance, row, axis=1)
        np.testing.assert_allclose(chosen, by_distance_and_row(distance, 5)[0], rtol=1e-4, atol=1e-17)
    else:
        order = by_distance_and_row(slow_distances(X, queries, metric), 5)[1]
        np.testing.assert_array_equal(row, order)


@pytest.mark.parametrize("metric", POWERS)
def test_a_row_beyond_float32_among_others_costs_no_exactness(cloud, metric):
    X, queries = cloud[0].copy(), cloud[1].copy()
    X[3], X[4], queries[5] = 1e60, 1e20, 1e60
    row = nearest_rows(X, queries, 5, metric)[1]
    with np.errstate(over="ignore"):
        order = by_distance_and_row(slow_distances(X, queries, metric), 5)[1]
    np.testing.assert_array_equal(row, order)


def test_columns_of_very_different_scales_cost_no_exactness(cloud):
    scales = 10.0 ** np.linspace(-8, 8, 7)
    X, queries = cloud[0] * scales, cloud[1] * scales
    row = nearest_rows(X, queries, 5, "euclidean")[1]
    np.testing.assert_array_equal(row, by_distance_and_row(slow_distances(X, queries, "euclidean"), 5)[1])


def test_tight_clusters_far_apart_cost_no_exactness():
    rng = np.random.default_rng(0)
    X = 1e5 * rng.normal(size=(4, 5))[rng.integers(0, 4, 5000)] + rng.normal(size=(5000, 5))
    row = nearest_rows(X, X[:40], 5, "euclidean")[1]
    np.testing.assert_array_equal(row, by_distance_and_row(slow_distances(X, X[:40], "euclidean"), 5)[1])


def test_rows_of_zeros_are_at_cosine_distance_one():
    X = np.vstack([np.zeros((3, 4)), -np.ones((5000, 4)), [[0.0, 0.0, 0.0, 2.0]]])
    queries = np.vstack([np.ones(4), np.zeros(4)])
    distance, row = nearest_rows(X, queries, 4, "cosine")
    np.testing.assert_array_equal(row, [[5003, 0, 1, 2], [0, 1, 2, 3]])
    np.testing.assert_allclose(distance, [[0.5, 1, 1, 1], [1, 1, 1, 1]], rtol=1e-15)
    small = nearest_directly(X, queries, 4, "cosine", {})
    np.testing.assert_array_equal(small[1], row)
    np.testing.assert_allclose(small[0], distance, rtol=1e-15)


@pytest.mark.parametrize("n_samples", [1, 2, 5000])
def test_all_rows_are_found_when_all_are_asked_for(n_samples):
    X = np.random.default_rng(0).normal(size=(n_samples, 3))
    expected, order = by_distance_and_row(cdist(X[:3], X), n_samples)
    for distance, row in (
        nearest_rows(X, X[:3], n_samples, "euclidean"),
        KDTree.build(X, 30).nearest_rows(X[:3], n_samples, 2),
    ):
        np.testing.assert_array_equal(row, order)
        np.testing.assert_allclose(distance, expected, rtol=1e-14)


def test_threads_find_the_same(cloud):
    X, queries = cloud[0], np.tile(cloud[1], (20, 1))
    one, three = (nearest_rows(X, queries, 5, "euclidean", n) for n in (1, 3))
    tree = KDTree.build(X, 30)
    tree_one, tree_three = (tree.nearest_rows(queries, 5, 2, n) for n in (1, 3))
    for a, b in ((one, three), (tree_one, tree_three)):
        np.testing.assert_array_equal(a[0], b[0])
        np.testing.assert_array_equal(a[1], b[1])


def test_a_tree_built_in_several_threads_is_the_same():
    X = np.random.default_rng(0).standard_normal((5000, 3))
    X[:1000] = X[1000:2000]
    one = KDTree.build(X, 30, 1)
    for n_threads in (2, 3, 8):
        for expected, found in zip(one, KDTree.build(X, 30, n_threads), strict=True):
            np.testing.assert_array_equal(found, expected)


def test_a_search_of_wide_rows_takes_a_fraction_of_their_memory():
    X = np.random.default_rng(0).standard_normal((5000, 784))
    nearest_rows(X[:300], X[:300], 5, "euclidean", 1)  # compiles
    tracemalloc.start()
    nearest_rows(X, X[:300], 5, "euclidean", 1)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 0.2 * X.nbytes


def test_sparse_rows_have_the_neighbors_of_dense_ones():
    rng = np.random.default_rng(0)
    X = np.where(rng.random((3000, 30)) < 0.1, rng.integers(-3, 4, (3000, 30)), 0).astype(np.float64)
    distance, row = nearest_sparse_rows(sparse.csr_array(X), sparse.csr_array(X[:50]), 6)
    expected, order = by_distance_and_row(slow_distances(X, X[:50], "euclidean"), 6)
    np.testing.assert_array_equal(row, order)
    np.testing.assert_array_equal(distance, expected)


def test_smallest_orders_ties_by_column():
    distances = np.random.default_rng(0).integers(0, 4, size=(30, 50)).astype(np.float64)
    for k in (1, 7, 50):
        distance, column = smallest(distances, k)
        expected, order = by_distance_and_row(distances, k)
        np.testing.assert_array_equal(column, order)
        np.testing.assert_array_equal(distance, expected)


def test_without_self_drops_the_row_or_its_first_copy():
    distance = np.array([[0.0, 1.0], [0.0, 0.0], [0.0, 0.0]])
    row = np.array([[0, 2], [0, 1], [0, 1]])
    left = without_self(distance, row)
    np.testing.assert_array_equal(left[1], [[2], [0], [1]])
    np.testing.assert_array_equal(left[0], [[1.0], [0.0], [0.0]])


@pytest.mark.parametrize(
    ("metric", "metric_params"),
    [
        ("canberra", None),
        ("seuclidean", {"V": np.linspace(1, 2, 4)}),
        ("minkowski", {"w": [1.0, 2.0, 0.5, 3.0]}),
        ("hamming", None),
        (lambda a, b: np.abs(a - b).max(), None),
    ],
)
@pytest.mark.parametrize("algorithm", ["ball_tree", "brute"])
def test_other_metrics_break_ties_by_row_too(metric, metric_params, algorithm):
    X = np.random.default_rng(0).integers(0, 3, size=(200, 4)).astype(np.float64)
    search = NearestNeighbors(n_neighbors=7, metric=metric, metric_params=metric_params, algorithm=algorithm)
    distance, row = search.fit(X).kneighbors(X[:20])
    all_distances = cdist(X[:20], X, metric, **(metric_params or {}))
    expected, order = by_distance_and_row(np.round(all_distances, 12), 7)
    np.testing.assert_allclose(distance, expected, atol=1e-12)
    np.testing.assert_array_equal(row, order)


@pytest.mark.parametrize("algorithm", ["ball_tree", "brute"])
def test_bray_and_curtis_divide_by_the_sizes_of_both_rows_below_0_too(algorithm):
    X = np.random.default_rng(0).integers(-2, 3, size=(200, 4)) + 0.25
    distance, row = NearestNeighbors(metric="braycurtis", algorithm=algorithm).fit(X).kneighbors(X[:20])
    gap, size = np.abs(X[:20, None] - X), np.abs(X[:20, None]) + np.abs(X)
    expected, order = by_distance_and_row(np.round(gap.sum(axis=2) / size.sum(axis=2), 12), 5)
    np.testing.assert_allclose(distance, expected, atol=1e-12)
    np.testing.assert_array_equal(row, order)


@pytest.mark.parametrize("metric", ["rogerstanimoto", "jaccard"])
def test_ties_of_truth_values_in_a_tree_are_broken_without_a_warning(metric):
    X = np.random.default_rng(0).random((60, 4)) < 0.4
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = NearestNeighbors(metric=metric, algorithm="ball_tree").fit(X).kneighbors(X)
    expected = by_distance_and_row(np.round(cdist(X, X, metric), 12), 5)
    np.testing.assert_allclose(found[0], expected[0], atol=1e-12)
    np.testing.assert_array_equal(found[1], expected[1])


@pytest.mark.parametrize("metric", [*METRICS, "sqeuclidean", "l1"])
@pytest.mark.parametrize("algorithm", ["auto", "brute"])
def test_large_searches_agree_with_scikit_learn(metric, algorithm):
    rng = np.random.default_rng(3)
    X, queries = rng.normal(size=(5000, 5)), rng.normal(size=(1000, 5))
    ours = NearestNeighbors(n_neighbors=4, metric=metric, algorithm=algorithm).fit(X).kneighbors(queries)
    theirs = sklearn.neighbors.NearestNeighbors(n_neighbors=4, metric=metric).fit(X).kneighbors(queries)
    np.testing.assert_array_equal(ours[1], theirs[1])
    np.testing.assert_allclose(ours[0], theirs[0], rtol=1e-7, atol=1e-14)


def test_rows_whose_squares_underflow_are_searched(cloud):
    distance, row = nearest_rows(1e-300 * cloud[0][:500], 1e-300 * cloud[1][:5], 3, "euclidean")
    assert np.isfinite(distance).all()
    assert all(len(set(found)) == 3 for found in row.tolist())
