"""Search by integer scores: rows rounded to 16 bits, with a bound on what that takes off."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from sklearn_dl.neighbors.float_scores import FloatScores
from sklearn_dl.neighbors.integer_tiles import TILE_QUERIES, TILE_ROWS
from sklearn_dl.neighbors.kernels import COSINE, EUCLIDEAN, all_whole
from sklearn_dl.neighbors.kernels_integer import (
    ALWAYS,
    LARGEST_INT16,
    NEVER,
    round_queries,
    round_rows,
    scan_panels,
    score_all,
)

_VALUES_PER_BLOCK = 1 << 17
_VALUES_PER_SAMPLE, _ROWS_PER_SAMPLE = 1 << 18, 1024
_TILES_PER_SAMPLE = 20
_LARGEST_SUM, _LARGEST_QUERY = 2.0**31 - 1, 2.0**17
#: Share of the largest sum that rows and queries are scaled to, for rounding may make them larger.
_FILLED = 0.95
#: Rows may be larger than those of a sample by the one factor, and queries than these rows by the other.
_ROOM_FOR_ROWS, _ROOM_FOR_QUERIES = 1.25, 4.0
#: Rows of a sample larger than the median by this factor have no say in the unit.
_OUTLIER = 8.0


@dataclass
class _Queries:
    """Queries as given, rounded in tiles, and what turns their scores into distances."""

    exact: np.ndarray
    tiles: np.ndarray
    size: np.ndarray
    error: np.ndarray
    top: np.ndarray
    whole: bool
    is_large: np.ndarray


@dataclass
class IntegerScores:
    r"""Scores :math:`2 a \cdot b - |a|^2` of rows a and queries b, shifted, scaled and rounded to 16 bits.

    For the cosine they are :math:`a \cdot b`, of rows brought to the norm `scale`.

    Attributes
    ----------
    limit : float
        Norm up to which rows are rounded; larger ones, whose sums might not fit 32 bits, are all measured.
    whole : bool
        Whether `center` and `scale` keep whole numbers whole.
    for_large : FloatScores
        Searches for queries that do not fit 16 bits.
    """

    metric: int
    center: np.ndarray
    scale: float
    limit: float
    whole: bool
    for_large: FloatScores

    @classmethod
    def choose(cls, X: np.ndarray, queries: np.ndarray, for_large: FloatScores) -> Self | None:
        """Origin and unit that make most of 16 bits; None where metric or numbers leave no such choice."""
        metric = for_large.metric
        if metric == COSINE:
            return cls(metric, np.zeros(X.shape[1]), LARGEST_INT16 - 1.0, LARGEST_INT16, False, for_large)
        if metric != EUCLIDEAN:
            return None
        with np.errstate(over="ignore", invalid="ignore"):
            sample = _without_outliers(_sample(X).astype(np.float64, copy=False))
            center = sample.mean(axis=0)
            is_whole = np.array_equal(sample, np.rint(sample))
            center = np.rint(center) if is_whole else center
            norm = _ROOM_FOR_ROWS * _largest(sample, center)[0]
            query_norm, query_largest = np.minimum(_largest(queries, center), _ROOM_FOR_QUERIES * norm)
        if not 1e-140 < norm < 1e140:
            return None
        scale = min(
            np.sqrt(_FILLED * _LARGEST_SUM / (norm * (norm + 2 * query_norm))),
            LARGEST_INT16 / max(norm, 2 * query_largest),
        )
        is_whole = is_whole and scale >= 1
        scale = 1.0 if is_whole else float(scale)
        return cls(metric, center, scale, scale * norm, is_whole, for_large)

    def search(self, X: np.ndarray, queries: np.ndarray, distance: np.ndarray, row: np.ndarray) -> int:
        """Fill the heaps of the k best of some queries; returns how many rows were measured."""
        block = self._read(queries)
        floor = self._floor(X, block, distance.shape[1])
        n_rows = min(len(X), max(TILE_ROWS, _VALUES_PER_BLOCK // X.shape[1] // TILE_ROWS * TILE_ROWS))
        panels, start = _memory(n_rows, X.shape[1])
        n_measured = 0
        for first in range(0, len(X), n_rows):
            rows = X[first : first + n_rows]
            slack = self._slack(block, *self._round(rows, panels, start))
            n_measured += scan_panels(
                self.metric, self.scale, panels, start, rows, first, block.tiles, block.exact, block.top,
                floor, slack, distance, row,
            )  # fmt: skip
        return n_measured + self._search_large(X, queries, block.is_large, distance, row)

    def _search_large(
        self, X: np.ndarray, queries: np.ndarray, is_large: np.ndarray, distance: np.ndarray, row: np.ndarray
    ) -> int:
        """Search for the queries beyond 16 bits in the other way."""
        if not is_large.any():
            return 0
        found = distance[is_large], row[is_large]
        n_measured = self.for_large.search(X, queries[is_large], *found)
        distance[is_large], row[is_large] = found
        return n_measured

    def _read(self, queries: np.ndarray) -> _Queries:
        n_queries, n_features = queries.shape
        n_tiles = -(-n_queries // TILE_QUERIES)
        tiles = np.zeros((n_tiles, TILE_QUERIES, 2 * -(-n_features // 2)), dtype=np.int16)
        is_cosine = self.metric == COSINE
        exact = np.empty(queries.shape) if is_cosine else queries.astype(np.float64, copy=False)
        size, error = np.empty(n_queries), np.empty(n_queries)
        round_queries(self.metric, queries, self.center, self.scale, tiles, exact, size, error)
        reach = self.limit + np.sqrt(n_features) / 2
        with np.errstate(over="ignore", invalid="ignore"):
            is_large = ~((reach * (reach + size + error) <= _LARGEST_SUM) & (size <= _LARGEST_QUERY))
        is_large &= not is_cosine
        size[is_large] = error[is_large] = 0
        top = np.full(n_queries, self.scale**2) if is_cosine else size**2 / 4
        whole = self.whole and all_whole(queries)
        return _Queries(exact, tiles.reshape(n_tiles, TILE_QUERIES, -1, 2), size, error, top, whole, is_large)

    def _round(self, X: np.ndarray, panels: np.ndarray, start: np.ndarray) -> tuple[float, float, bool]:
        """Fill the panels; largest norm, largest norm of what rounding takes off, whether all are whole."""
        sizes = round_rows(self.metric, X, self.center, self.scale, self.limit, panels, start)
        return *sizes, self.whole and all_whole(X)

    def _slack(self, block: _Queries, largest: float, error: float, whole: bool) -> np.ndarray:
        """Bound on the error of a score for each query, by Cauchy and Schwarz; 0 for whole numbers.

        It holds what rounding takes off in 16 bits; half a unit where the score starts; and in float64, where
        numbers stay below 2**34, less than 1e-5 a feature.
        """
        if whole and block.whole:
            return np.zeros(len(block.size))
        return error * (block.size + block.error) + largest * block.error + 1 + 1e-5 * block.exact.shape[1]

    def _floor(self, X: np.ndarray, block: _Queries, k: int) -> np.ndarray:
        """Take the score of the k-th best of a sample, which k of all rows reach, as the least of use.

        Without it, rows sorted so that ever nearer ones follow would all be measured.
        """
        floor = np.where(block.is_large, np.inf, -np.inf)  # rows are not measured for large queries
        sample = _sample(X)
        if len(X) <= 4 * len(sample) or k > len(sample):
            return floor
        panels, start = _memory(len(sample), X.shape[1])
        slack = self._slack(block, *self._round(sample, panels, start))
        start[start == ALWAYS] = NEVER
        for first in range(0, len(block.tiles), _TILES_PER_SAMPLE):
            tiles = block.tiles[first : first + _TILES_PER_SAMPLE]
            part = slice(first * TILE_QUERIES, min(len(floor), (first + len(tiles)) * TILE_QUERIES))
            scores = np.empty((part.stop - part.start, start.size), dtype=np.int32)
            score_all(panels, start, tiles, scores)
            best = np.partition(scores, start.size - k, axis=1)[:, -k]
            floor[part] = np.maximum(floor[part], best - slack[part] - 0.25)
        return floor


def _sample(X: np.ndarray) -> np.ndarray:
    n_sampled = min(_ROWS_PER_SAMPLE, max(128, _VALUES_PER_SAMPLE // X.shape[1]))
    return np.ascontiguousarray(X[:: -(-len(X) // n_sampled)])


def _without_outliers(X: np.ndarray) -> np.ndarray:
    shifted = X - X.mean(axis=0)
    norm = np.sqrt(np.einsum("ij,ij->i", shifted, shifted))
    is_outlier = norm > _OUTLIER * np.median(norm)
    return X[~is_outlier] if is_outlier.any() else X


def _largest(X: np.ndarray, center: np.ndarray) -> tuple[float, float]:
    """Largest norm of a row, and largest value, of X shifted."""
    norm = largest = 0.0
    n_rows = max(1, _VALUES_PER_BLOCK // X.shape[1])
    for start in range(0, len(X), n_rows):
        shifted = X[start : start + n_rows] - center
        norm = max(norm, np.sqrt(np.einsum("ij,ij->i", shifted, shifted).max()))
        largest = max(largest, np.abs(shifted).max())
    return float(norm), float(largest)


def _memory(n_rows: int, n_features: int) -> tuple[np.ndarray, np.ndarray]:
    """Panels of rows, in cache lines of their own, and what their scores start from."""
    shape = -(-n_rows // TILE_ROWS), -(-n_features // 2), TILE_ROWS, 2
    memory = np.empty(np.prod(shape) + 32, dtype=np.int16)
    skipped = -memory.ctypes.data % 64 // 2
    return memory[skipped : -32 + skipped or None].reshape(shape), np.empty((shape[0], TILE_ROWS), np.int32)
