"""Logistic and multinomial loss of a linear model with its derivatives, one block of rows at a time.

A block is read from memory once and stays in the cache for the linear predictor, the loss and the gradient.
The same formulas serve numpy, CSR and torch: only sums of the size of the coefficients leave X's device.
"""

from itertools import pairwise
from typing import Any

import numpy as np
from scipy import sparse

from sklearn_dl._base.arrays import Array, is_tensor, move_like, namespace, to_host
from sklearn_dl._base.threads import effective_n_threads, map_blocks
from sklearn_dl.linear_model.class_products import add_class_gradients, class_scores
from sklearn_dl.linear_model.gram import in_float64, read_only
from sklearn_dl.linear_model.gram_kernels import mirror_upper, shifted_products
from sklearn_dl.linear_model.row_subset import RowSubset, table_and_index
from sklearn_dl.linear_model.sparse_logistic_kernels import sum_logistic_losses

_BLOCK_BYTES = 1 << 22  # of X in one block, small beside a shared cache
_COPIED_BLOCK_BYTES = 1 << 20  # where a block is a copy
_COMPILED_NNZ = 1 << 18  # entries of CSR from which on compiled passes repay the time to load them
_LARGEST_WIDENED = 1 << 18  # elements of float32 up to which float64 takes little time and memory
_TENSOR_BLOCK_BYTES = 1 << 26  # a device wants large products
_ROWS_PER_COLUMN = 4  # of each thread, at least: it has a matrix of its own, which would outweigh fewer
_FUSED_WORK = 2e7  # multiplications from which on compiled products repay the time to load them
_WIDE = 200  # features from which on those with several classes take less time than a BLAS


class LogisticLoss:
    """Mean logistic loss over rows plus ``l2 / 2 * ||coef||^2``, as a function of flat parameters.

    The parameters are one row ``[coef, intercept]`` for two classes and one row a class otherwise, raveled.
    Features are thought of as shifted by `center`, so that the intercept is the one of centered features: a
    reparametrization that leaves the minimum alone and takes large means out of the conditioning.

    Parameters
    ----------
    X : ndarray, CSR, tensor or RowSubset of shape (n_samples, n_features)
        Rows, float32 or float64. Never changed, and not copied, but for few of float32: those are computed in
        float64.
    codes : array of shape (n_samples,)
        Index of each row's class, in X's kind of array.
    weight : array of shape (n_samples,) or None
        Non-negative weights of rows; the mean is taken over their sum.
    n_classes : int
        Two make the loss binary, more multinomial.
    l2 : float
        Strength of the squared penalty on the coefficients.
    fit_intercept : bool
        Whether rows of parameters end in an intercept.
    intercept_l2 : float, default=0
        Strength of a squared penalty on the intercept, for features that are not centered.
    center : ndarray of shape (n_features,) or None
        Shift of the features; zeros for None.
    """

    def __init__(
        self,
        X: Array,
        codes: Array,
        weight: Array | None,
        *,
        n_classes: int,
        l2: float,
        fit_intercept: bool,
        intercept_l2: float = 0.0,
        center: np.ndarray | None = None,
    ) -> None:
        self.dtype = X.dtype
        if np.prod(X.shape) <= _LARGEST_WIDENED:
            X = in_float64(X)
            weight = None if weight is None else move_like(weight, X)
        self.X, self.codes, self.weight = X, codes, weight
        self.n_samples, self.n_features = X.shape
        self.n_classes, self.fit_intercept = n_classes, fit_intercept
        self.l2 = np.full(self.n_features + fit_intercept, l2)
        self.l2[self.n_features :] = intercept_l2
        self.center = np.zeros(self.n_features) if center is None else center
        self.xp = namespace(X)
        self.total = float(self.n_samples if weight is None else to_host(weight).sum(dtype=np.float64))
        self.shape = (1 if n_classes == 2 else n_classes, self.n_features + fit_intercept)
        self.eps = float(np.finfo(np.float64).eps if X.dtype == self.xp.float64 else np.finfo(np.float32).eps)
        self.groups = _grouped_rows(X)
        self._last: tuple[np.ndarray, float, np.ndarray] | None = None
        self.has_wide_rows = (
            isinstance(X, np.ndarray)
            and X.flags.c_contiguous
            and X.dtype == np.float64
            and n_classes > 2
            and self.n_features >= _WIDE
            and X.size * n_classes >= _FUSED_WORK
        )
        self.is_compiled = sparse.issparse(X) and n_classes == 2 and X.nnz >= _COMPILED_NNZ

    def __call__(self, flat: np.ndarray) -> tuple[float, np.ndarray]:
        """Loss and its gradient at the flat parameters; those of the last call are kept."""
        if self._last is None or not np.array_equal(self._last[0], flat):
            self._last = (flat.copy(), *self._evaluate(flat))
        return self._last[1:]

    def _evaluate(self, flat: np.ndarray) -> tuple[float, np.ndarray]:
        coef, offset = self._split(flat)
        parts = map_blocks(lambda rows: self._sum_over(rows, coef, offset), self.groups)
        parameters = flat.reshape(self.shape)
        loss = sum(part[0] for part in parts) / self.total
        gradient = self.l2 * parameters
        loss += float(np.vdot(gradient, parameters)) / 2
        slopes = np.sum([part[2] for part in parts], 0) / self.total
        gradient[:, : self.n_features] += np.sum([part[1] for part in parts], 0) / self.total
        if self.fit_intercept:
            gradient[:, : self.n_features] -= slopes[:, None] * self.center
            gradient[:, -1] += slopes
        return loss, gradient.ravel()

    def scores(self, flat: np.ndarray) -> Array:
        """Linear predictor of all rows: (n_samples,) for two classes, else (n_classes, n_samples)."""
        parameters = self._on_device(*self._split(flat))
        if not isinstance(self.X, RowSubset):
            return self._scores(self.X, *parameters)
        blocks = (rows for group in self.groups for rows in group)
        return np.concatenate([self._scores(self.X[rows], *parameters) for rows in blocks], -1)

    def probabilities(self, flat: np.ndarray) -> Array:
        """Of shape (n_samples,), of the second class, for two classes; else (n_classes, n_samples)."""
        scores, xp = self.scores(flat), self.xp
        if self.n_classes == 2:
            small = xp.exp(-xp.abs(scores))
            return xp.where(scores > 0, 1.0, small) / (1 + small)
        odds = xp.exp(scores - xp.amax(scores, 0))
        return odds / odds.sum(0)

    def variances(self, flat: np.ndarray) -> Array:
        """Probability of the second of two classes times that of the first, of shape (n_samples,)."""
        small = self.xp.exp(-self.xp.abs(self.scores(flat)))
        return small / (1 + small) ** 2

    def gram(self, curvature: Array) -> np.ndarray:
        """Sum over rows of curvature times x x', with x centered and with the intercept's 1, over the total.

        Parameters
        ----------
        curvature : array of shape (n_samples,)
            Non-negative factor of each row, weights included.
        """
        if sparse.issparse(self.X):
            return self._sparse_gram(curvature)
        table, index = table_and_index(self.X)
        is_long = self.n_samples * self.n_features**2 >= _FUSED_WORK
        if is_long and not is_tensor(table) and (table.flags.c_contiguous or table.flags.f_contiguous):
            return self._fused_gram(table, index, curvature)
        size = self.n_features + self.fit_intercept
        center = move_like(self.center, self.X)
        result = np.zeros((size, size))
        for group in self.groups:
            for rows in group:
                root = self.xp.sqrt(curvature[rows])
                block = self.xp.empty((len(root), size), dtype=self.X.dtype, **self.device)
                block[:, : self.n_features] = self.X[rows]
                block[:, : self.n_features] -= center
                if self.fit_intercept:
                    block[:, -1] = 1
                block *= root[:, None]
                result += to_host(block.T @ block)
        return result / self.total

    def weighted(self, curvature: Array) -> Array:
        """Curvature times the rows' weights."""
        return curvature if self.weight is None else curvature * self.weight

    def uncentered(self, flat: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Coefficients (n_rows, n_features) and intercepts (n_rows,) for features as they came."""
        return self._split(flat)

    def centered(self, coef: np.ndarray, intercept: np.ndarray) -> np.ndarray:
        """Flat parameters of coefficients and intercepts for features as they came."""
        if not self.fit_intercept:
            return coef.astype(np.float64).ravel()
        return np.column_stack([coef, intercept + coef @ self.center]).astype(np.float64).ravel()

    @property
    def device(self) -> dict[str, Any]:
        """Keyword argument that makes new arrays where X lives."""
        return {"device": self.X.device} if is_tensor(self.X) else {}

    def _split(self, flat: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        rows = flat.reshape(self.shape)
        coef = rows[:, : self.n_features]
        if not self.fit_intercept:
            return coef, np.zeros(len(rows))
        return coef, rows[:, -1] - coef @ self.center

    def _on_device(self, coef: np.ndarray, offset: np.ndarray) -> tuple[Array | None, Array]:
        """Parameters where X lives; None for coefficients of 0, where most fits start."""
        return move_like(np.ascontiguousarray(coef), self.X) if coef.any() else None, move_like(
            offset, self.X
        )

    def _scores(self, X: Array, coef: Array | None, offset: Array) -> Array:
        """(n_samples,) for two classes, else (n_classes, n_samples): sums over classes run along memory."""
        if coef is None:
            zeros = self.xp.zeros(X.shape[0], dtype=X.dtype, **self.device)
            return zeros + (offset[0] if self.n_classes == 2 else offset[:, None])
        if self.n_classes == 2:
            return X @ coef[0] + offset[0]
        if not self.has_wide_rows:
            return coef @ X.T + offset[:, None]
        scores = np.empty((self.n_classes, len(X)))
        class_scores(read_only(X), coef, scores)
        scores += offset[:, None]
        return scores

    def _sum_over(
        self, group: list[slice], coef: np.ndarray, offset: np.ndarray
    ) -> tuple[float, np.ndarray, np.ndarray]:
        """Loss, gradient by coefficients and gradient by intercepts, summed over blocks of rows."""
        if self.is_compiled:
            return self._compiled_sum_over(group, coef, offset)
        loss, features, slopes = 0.0, np.zeros(coef.shape), np.zeros(len(coef))
        on_device = self._on_device(coef, offset)
        float64 = self.xp.float64
        for rows in group:
            is_all = sparse.issparse(self.X) and rows == slice(0, self.n_samples)
            X = self.X if is_all else self.X[rows]  # a slice of CSR is a copy
            losses, residual = self.losses_at(self._scores(X, *on_device), self.codes[rows])
            if self.weight is not None:
                losses *= self.weight[rows]
                residual *= self.weight[rows]
            loss += float(losses.sum(dtype=float64))
            if self.has_wide_rows:
                add_class_gradients(read_only(X), residual, features)
            else:
                features += to_host(X.T @ residual if self.n_classes == 2 else (X.T @ residual.T).T)
            slopes += to_host(residual.sum(-1, dtype=float64))
        return loss, features, slopes

    def _compiled_sum_over(
        self, group: list[slice], coef: np.ndarray, offset: np.ndarray
    ) -> tuple[float, np.ndarray, np.ndarray]:
        X, features, loss, slope = self.X, np.zeros(coef.shape), 0.0, 0.0
        weight = np.empty(0) if self.weight is None else self.weight
        for rows in group:
            sums = sum_logistic_losses(
                X.data,
                X.indices,
                X.indptr,
                coef[0],
                offset[0],
                self.codes,
                weight,
                rows.start,
                rows.stop,
                features[0],
            )
            loss, slope = loss + sums[0], slope + sums[1]
        return loss, features, np.array([slope])

    def losses_at(self, scores: Array, codes: Array) -> tuple[Array, Array]:
        """Loss of each row and its derivative by the scores."""
        xp = self.xp
        if self.n_classes == 2:
            # From the margin, which keeps the digits of what is left where a row is nearly certain.
            margin = xp.where(codes > 0, scores, -scores)
            small = xp.exp(-xp.abs(margin))
            wrong = xp.where(margin > 0, small, 1.0)
            wrong /= 1 + small
            return xp.log1p(small) - xp.minimum(margin, xp.zeros_like(margin)), xp.where(
                codes > 0, -wrong, wrong
            )
        scores -= xp.amax(scores, 0)
        columns = xp.arange(scores.shape[1], **self.device)
        own = scores[codes, columns]
        odds = xp.exp(scores)
        own_odds = odds[codes, columns]
        odds[codes, columns] = 0
        others = odds.sum(0)
        sums = others + own_odds
        odds /= sums
        odds[codes, columns] = -others / sums
        return xp.where(own == 0, xp.log1p(others), xp.log(sums) - own), odds

    def _fused_gram(self, table: np.ndarray, index: np.ndarray, curvature: np.ndarray) -> np.ndarray:
        by_columns = not table.flags.c_contiguous
        # Read-only, as for least squares: the kernel is compiled once for both.
        rows = read_only(table.T if by_columns else table)
        targets = read_only(np.empty((self.n_samples, 0)))
        root = read_only(np.sqrt(curvature, dtype=np.float64))
        size = self.n_features + self.fit_intercept
        n_threads = min(len(self.groups), max(1, self.n_samples // (_ROWS_PER_COLUMN * size)))
        bounds = np.linspace(0, self.n_samples, n_threads + 1).astype(int).tolist()
        products, *others = map_blocks(
            lambda span: shifted_products(rows, by_columns, index, targets, root, self.center, *span),
            list(pairwise(bounds)),
        )
        for other in others:
            products += other
        mirror_upper(products)
        result = _leading_square(products, size)
        result /= self.total
        return result

    def _sparse_gram(self, curvature: np.ndarray) -> np.ndarray:
        scaled = self.X.multiply(curvature[:, None]).tocsr()
        product = (scaled.T @ self.X).toarray()
        if not self.fit_intercept:
            return product / self.total
        sums = np.asarray(scaled.sum(0)).ravel()
        return np.block([[product, sums[:, None]], [sums, np.float64(curvature.sum())]]) / self.total


def _leading_square(matrix: np.ndarray, size: int) -> np.ndarray:
    """The first rows and columns, contiguous in the same memory, which a copy would double."""
    flat = matrix.ravel()
    for i in range(size):
        flat[i * size : (i + 1) * size] = matrix[i, :size]
    return flat[: size * size].reshape(size, size)


def _grouped_rows(X: Array) -> list[list[slice]]:
    """Blocks of rows, one list of them a thread."""
    n_samples, n_features = X.shape
    if sparse.issparse(X):
        n_threads = effective_n_threads() if X.nnz > 1 << 16 else 1
        bounds = np.linspace(0, n_samples, n_threads + 1).astype(int).tolist()
        return [[slice(start, stop)] for start, stop in pairwise(bounds)]
    size = _TENSOR_BLOCK_BYTES if is_tensor(X) else _BLOCK_BYTES
    if isinstance(X, RowSubset):
        size = _COPIED_BLOCK_BYTES
    step = max(256, size // max(1, X.itemsize * n_features))
    blocks = [slice(start, min(start + step, n_samples)) for start in range(0, n_samples, step)]
    n_threads = 1 if is_tensor(X) or len(blocks) < 4 else effective_n_threads()
    return [list(part) for part in _split_evenly(blocks, n_threads)]


def _split_evenly(blocks: list[slice], n_parts: int) -> list[list[slice]]:
    bounds = np.linspace(0, len(blocks), n_parts + 1).astype(int).tolist()
    return [blocks[start:stop] for start, stop in pairwise(bounds) if start < stop]
