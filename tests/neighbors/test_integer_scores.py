"""Integer scores: their sums, the bound on their error, and the searches that rest on it."""

import os
import subprocess
import sys

import numpy as np
import pytest
from numba import njit

from sklearn_dl.neighbors.brute_force import _choose_scores, nearest_rows
from sklearn_dl.neighbors.float_scores import FloatScores
from sklearn_dl.neighbors.integer_scores import IntegerScores, _memory
from sklearn_dl.neighbors.integer_tiles import TILE_QUERIES, TILE_ROWS, score_tile
from sklearn_dl.neighbors.kernels import COSINE, EUCLIDEAN
from sklearn_dl.neighbors.kernels_integer import ALWAYS, NEVER, score_all
from tests.neighbors.test_search import by_distance_and_row, slow_distances

NAMES = {EUCLIDEAN: "euclidean", COSINE: "cosine"}


def search(X, queries, k, metric=EUCLIDEAN):
    """The k nearest by integer scores, which may measure the rest but must not leave the search to others."""
    scores = IntegerScores.choose(X, queries, FloatScores.choose(X, metric))
    distance, row = np.full((len(queries), k), np.inf), np.full((len(queries), k), len(X))
    n_measured = scores.search(X, queries, distance, row)
    order = np.lexsort((row, distance), axis=-1)
    return np.take_along_axis(row, order, axis=1), n_measured


def expected_rows(X, queries, k, metric=EUCLIDEAN):
    return by_distance_and_row(slow_distances(X, queries, NAMES[metric]), k)[1]


def normal(n_samples, n_features, seed=0):
    return np.random.default_rng(seed).standard_normal((n_samples, n_features))


@njit
def tile_scores(rows, start, queries, threshold, scores):
    return score_tile(rows, start, queries, threshold, scores)


def check_tiles():
    rng = np.random.default_rng(0)
    for n_pairs in (1, 2, 3, 25, 40):
        largest = min(2**15 - 1, int(np.sqrt(2**30 / (2 * n_pairs))))
        rows = rng.integers(-largest, largest + 1, (TILE_ROWS, 2 * n_pairs)).astype(np.int16)
        queries = rng.integers(-largest, largest + 1, (TILE_QUERIES, 2 * n_pairs)).astype(np.int16)
        rows[0], queries[0], queries[1] = largest, largest, -largest
        start = rng.integers(-(2**28), 2**28, TILE_ROWS).astype(np.int32)
        start[3], start[4] = ALWAYS, NEVER
        rows[3:5] = 0
        expected = queries.astype(np.int64) @ rows.T.astype(np.int64) + start
        threshold = np.sort(expected, axis=1)[:, -2]  # row 3 is above, and the next not
        threshold[::3] = ALWAYS
        panel = np.ascontiguousarray(rows.reshape(TILE_ROWS, n_pairs, 2).transpose(1, 0, 2))
        tile = queries.reshape(TILE_QUERIES, n_pairs, 2)
        scores = np.zeros((TILE_QUERIES, TILE_ROWS), dtype=np.int32)
        found = tile_scores(panel, start, tile, threshold.astype(np.int32), scores)
        above = (expected > threshold[:, None]).any(axis=1)
        assert found == sum(int(bit) << query for query, bit in enumerate(above))
        np.testing.assert_array_equal(scores, expected)
        assert tile_scores(panel, start, tile, np.full(TILE_QUERIES, ALWAYS, np.int32), scores) == 0


def test_tiles_hold_the_products_and_tell_which_queries_have_one_above_their_threshold():
    check_tiles()


@pytest.mark.slow
def test_tiles_are_the_same_without_the_instructions_of_this_processor():
    environment = {**os.environ, "NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": ""}
    code = "from tests.neighbors.test_integer_scores import check_tiles; check_tiles()"
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)


@pytest.mark.parametrize("metric", NAMES)
@pytest.mark.parametrize("n_features", [2, 6, 33])
def test_no_score_errs_by_more_than_its_bound(metric, n_features):
    X, queries = normal(200, n_features) + 3, 2 * normal(24, n_features, 1)
    scores = IntegerScores.choose(X, queries, FloatScores.choose(X, metric))
    block = scores._read(queries)
    panels, start = _memory(len(X), n_features)
    slack = scores._slack(block, *scores._round(X, panels, start))
    found = np.empty((len(queries), start.size), dtype=np.int32)
    score_all(panels, start, block.tiles, found)
    fitting = start.ravel()[: len(X)] != ALWAYS
    power = 2 if metric == EUCLIDEAN else 1
    true = block.top[:, None] - scores.scale**2 * slow_distances(X, queries, NAMES[metric]) ** power
    error = np.abs(found[:, : len(X)] - true)[:, fitting] / slack[:, None]
    assert fitting.sum() > 150
    assert 0.01 < error.max() <= 1


@pytest.mark.parametrize("metric", NAMES)
@pytest.mark.parametrize("n_features", [1, 2, 7, 40])
@pytest.mark.parametrize("k", [1, 9, 900])
def test_all_nearest_rows_are_found(metric, n_features, k):
    X, queries = normal(5000, n_features), normal(30, n_features, 1)
    if metric == COSINE and n_features == 1:
        X[:, 0] = np.where(X[:, 0] > 0, 1.0, -1.0)  # there is no other cosine
    row, n_measured = search(X, queries, k, metric)
    np.testing.assert_array_equal(row, expected_rows(X, queries, k, metric))
    if n_features == 40:
        assert n_measured < 30 * (2 * k * (1 + np.log(5000 / k)) + 20)


@pytest.mark.parametrize("metric", NAMES)
def test_distances_that_differ_by_less_than_the_unit_are_told_apart(metric):
    base = np.repeat(normal(25, 8), 200, axis=0)
    X = base + 1e-9 * normal(5000, 8, 1)
    queries = base[::200] + 1e-6 * normal(25, 8, 2)
    np.testing.assert_array_equal(search(X, queries, 7, metric)[0], expected_rows(X, queries, 7, metric))


@pytest.mark.parametrize("scale", [1e-100, 1e-8, 1e8, 1e100])
@pytest.mark.parametrize("offset", [0, 1e3, -1e7])
def test_scale_and_offset_cost_no_exactness(scale, offset):
    X, queries = (scale * (rows + offset) for rows in (normal(5000, 5), normal(30, 5, 1)))
    row, n_measured = search(X, queries, 6)
    np.testing.assert_array_equal(row, expected_rows(X, queries, 6))
    assert n_measured < 30 * 300


def test_float32_rows_are_searched_in_float64():
    X, queries = normal(5000, 12).astype(np.float32), normal(30, 12, 1).astype(np.float32)
    np.testing.assert_array_equal(search(X, queries, 6)[0], expected_rows(X, queries, 6))


@pytest.mark.parametrize("factor", [3, 1e6, 1e60])
def test_rows_and_queries_far_out_do_not_spoil_the_unit(factor):
    X, queries = normal(5000, 6), normal(30, 6, 1)
    X[7] *= factor
    X[4990:] *= -factor
    queries[5] *= factor
    row, n_measured = search(X, queries, 6)
    with np.errstate(over="ignore"):
        np.testing.assert_array_equal(row, expected_rows(X, queries, 6))
    assert n_measured < 29 * 300 + 5000


def test_queries_that_are_all_far_out_find_their_rows():
    X, queries = normal(5000, 6), 1e3 * normal(30, 6, 1)
    np.testing.assert_array_equal(search(X, queries, 6)[0], expected_rows(X, queries, 6))


@pytest.mark.parametrize("largest", [2, 100, 5000, 10**6])
@pytest.mark.parametrize("n_features", [3, 16])
def test_ties_of_whole_numbers_go_to_the_lower_row(largest, n_features):
    rng = np.random.default_rng(0)
    X = rng.integers(0, largest, (5000, n_features)).astype(np.float64)
    queries = np.vstack([rng.integers(0, largest, (20, n_features)), X[:5], X[:5] + 0.5])
    row, n_measured = search(X, queries[:25], 8)
    np.testing.assert_array_equal(row, expected_rows(X, queries[:25], 8))
    assert n_measured < 25 * 300
    np.testing.assert_array_equal(search(X, queries, 8)[0], expected_rows(X, queries, 8))


def test_rows_off_whole_numbers_by_less_than_their_shift_holds_are_told_apart():
    rng = np.random.default_rng(0)
    X = rng.integers(-200, 200, (5000, 2)).astype(np.float64)
    X[:40] = 0
    X[10:40] += 1e-15 * rng.integers(1, 9, (30, 2))
    queries = np.array([[1e-14, 0.0], [0.0, 0.0], [-150.0, 3.0]])
    np.testing.assert_array_equal(search(X, queries, 12)[0], expected_rows(X, queries, 12))
    np.testing.assert_array_equal(nearest_rows(X, queries, 12, "euclidean")[1], expected_rows(X, queries, 12))


@pytest.mark.parametrize("value", [0.0, 0.1, 7.0, 1e200])
def test_equal_rows_are_found_in_their_order(value):
    X = np.full((5000, 3), value)
    np.testing.assert_array_equal(nearest_rows(X, X[:100], 3, "euclidean")[1], np.tile([0, 1, 2], (100, 1)))


def test_rows_and_queries_of_zeros_are_at_cosine_distance_one():
    X, queries = normal(5000, 5), normal(30, 5, 1)
    X[:4000], queries[3] = 0, 0
    np.testing.assert_array_equal(
        search(X, queries, 1100, COSINE)[0], expected_rows(X, queries, 1100, COSINE)
    )


def test_scores_are_chosen_by_what_they_leave_to_measure():
    far_apart = 300 * normal(3, 20)[np.random.default_rng(0).integers(0, 3, 9000)] + normal(9000, 20)
    copies = normal(10, 20)[np.random.default_rng(0).integers(0, 10, 9000)]
    cases = [
        (normal(9000, 20), IntegerScores, False),
        (far_apart, FloatScores, False),
        (copies, IntegerScores, True),
    ]
    for X, kind, is_crowded in cases:
        scores, found = _choose_scores(X, X[:100] + 0.1, 5, EUCLIDEAN)
        assert isinstance(scores, kind)
        assert found == is_crowded
