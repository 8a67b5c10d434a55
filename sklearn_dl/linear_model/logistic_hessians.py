"""Hessians of the logistic loss, in full or in part, and their inverses."""

import numpy as np
from scipy import linalg, sparse

from sklearn_dl._base.arrays import Array, move_like, to_host
from sklearn_dl.linear_model.logistic_loss import LogisticLoss
from sklearn_dl.linear_model.preconditioned_lbfgs import InverseHessian
from sklearn_dl.linear_model.sparse_logistic_kernels import sum_squares

_TELLING_ROWS, _DOUBT = 40, 4  # rows of a pilot that tell enough of a column, and what few are beside
_SINGULAR = 1e-10  # eigenvalues below this part of the largest one, of the scaled Hessian, count as zero


def binary_hessian(loss: LogisticLoss, flat: np.ndarray) -> np.ndarray:
    """Hessian of the loss of two classes, penalty included, (n_parameters, n_parameters)."""
    return penalized(loss, loss.gram(loss.weighted(loss.variances(flat))))


def multinomial_hessian(loss: LogisticLoss, flat: np.ndarray) -> np.ndarray:
    """Hessian of the multinomial loss, penalty included, (n_parameters, n_parameters).

    Its blocks are X' diag(p_k [k = l] - p_k p_l) X (Böhning, 1992, Multinomial logistic regression algorithm,
    equation 2.3). Those of a class with itself are minus the sum of the others, which keeps their digits
    where a probability is nearly 1. Adding the same to all classes changes no probability: without a penalty
    the Hessian is singular.
    """
    n_classes, size = loss.shape
    chances = loss.probabilities(flat)
    rows = _design(loss) * loss.xp.sqrt(loss.weighted(loss.xp.ones_like(chances[0])))[:, None]
    spread = (chances.T[:, :, None] * rows[:, None, :]).reshape(len(rows), n_classes * size)
    hessian = -to_host(spread.T @ spread) / loss.total
    by_class = hessian.reshape(n_classes, size, n_classes, size)
    for k in range(n_classes):
        by_class[k, :, k] = 0
        by_class[k, :, k] = np.diag(loss.l2) - by_class[k].sum(1)
    return hessian


def regular_multinomial_hessian(loss: LogisticLoss, flat: np.ndarray) -> np.ndarray:
    """As :func:`multinomial_hessian`, with curvature where the same is added to all classes.

    The squared penalty's gradient is 0 in these directions, at parameters that sum to 0 over classes.
    """
    n_classes, size = loss.shape
    hessian = multinomial_hessian(loss, flat)
    by_class = hessian.reshape(n_classes, size, n_classes, size)
    by_class += by_class[np.arange(n_classes), :, np.arange(n_classes), :].mean(0)[None, :, None, :]
    return hessian


def spread_over_classes(loss: LogisticLoss, shared: np.ndarray) -> np.ndarray:
    """Hessian of the multinomial loss at zero, of all parameters, from :func:`shared_hessian`."""
    n_classes = loss.n_classes
    unpenalized = shared - np.diag(loss.l2)
    return np.kron(np.eye(n_classes) - 1 / n_classes, unpenalized) + np.diag(np.tile(loss.l2, n_classes))


def shared_hessian(loss: LogisticLoss) -> np.ndarray:
    """X'X / n_classes plus the penalty: the Hessian at zero by a class's parameters, if classes sum to 0."""
    ones = loss.weighted(loss.xp.ones(loss.n_samples, dtype=loss.X.dtype, **loss.device))
    gram = loss.gram(ones)
    gram *= _curvature_of_a_guess(loss)
    return penalized(loss, gram)


def with_rare_columns(loss: LogisticLoss, pilot: LogisticLoss, hessian: np.ndarray) -> np.ndarray:
    """The Hessian of a pilot's rows, in place, with what all rows say of columns that few of its rows hold.

    Such a column is constant in the pilot, or in proportion to another one, and the pilot's Hessian has no
    curvature along a line where that of all rows has. So a column that `n` rows tell of counts by n / (n + 4)
    beside the diagonal of all rows at zero, if they are few.
    """
    n_telling = np.full(loss.n_features, np.inf) if pilot is loss else _n_telling_rows(pilot)
    rare = np.flatnonzero(n_telling < _TELLING_ROWS)
    if len(rare):
        kept = n_telling[rare] / (n_telling[rare] + _DOUBT)
        hessian[rare] *= np.sqrt(kept)[:, None]
        hessian[:, rare] *= np.sqrt(kept)
        at_zero = _curvature_of_a_guess(loss) * _second_moments(loss, rare) + loss.l2[rare]
        hessian[rare, rare] += (1 - kept) * at_zero
    return hessian


def _n_telling_rows(loss: LogisticLoss) -> np.ndarray:
    """Of each column, how many rows of one size would have its moments: (sum of x^2)^2 / sum of x^4.

    x is measured from its mean, so that no row tells of a constant column, which is an intercept.
    """
    sums = np.zeros((2, loss.n_features))
    if sparse.issparse(loss.X):
        squares = _weighted_squares(loss)
        for power in (0, 1):
            sums[power] = np.bincount(loss.X.indices, squares ** (power + 1), minlength=loss.n_features)
    else:
        blocks = [rows for group in loss.groups for rows in group]
        mean = sum(to_host(loss.X[rows].sum(0)) for rows in blocks) / loss.n_samples
        for rows in blocks:
            squares = loss.X[rows] - move_like(mean, loss.X)
            squares *= squares
            if loss.weight is not None:
                squares *= loss.weight[rows][:, None]
            sums += [to_host(squares.sum(0)), to_host(loss.xp.einsum("ij,ij->j", squares, squares))]
    return np.divide(sums[0] ** 2, sums[1], out=np.zeros(loss.n_features), where=sums[1] > 0)


def inverse_of(hessian: np.ndarray) -> InverseHessian:
    """Function that multiplies by the inverse of a symmetric, positive semi-definite matrix.

    Scaled to a unit diagonal first, so that the units of features do not matter. Where it is singular, by its
    pseudo-inverse.

    Parameters
    ----------
    hessian : ndarray of shape (size, size)
        Overwritten, since its size is that of what is kept.
    """
    scale = np.sqrt(np.diag(hessian))
    scale[~(scale > 0)] = 1.0
    hessian /= scale
    hessian /= scale[:, None]
    diagonal = np.diag(hessian).copy()
    # In Fortran's order the transpose is factored where it lies; its upper triangle stays.
    factor, failed = linalg.lapack.dpotrf(hessian.T, lower=True, clean=False, overwrite_a=True)
    if not failed and np.diag(factor).min(initial=np.inf) ** 2 > _SINGULAR:
        return lambda gradient: (
            (linalg.lapack.dpotrs(factor, (gradient.T / scale).T, lower=True)[0].T / scale).T
        )
    hessian[np.diag_indices_from(hessian)] = diagonal
    values, vectors = linalg.eigh(hessian, lower=True, overwrite_a=True)
    kept = values > _SINGULAR * max(values[-1], np.finfo(float).tiny)
    half = (vectors[:, kept].T / scale).T
    return lambda gradient: half @ ((half.T @ gradient).T / values[kept]).T


def diagonal_inverse(loss: LogisticLoss) -> InverseHessian:
    """Inverse of the diagonal of the Hessian at zero, where a chance is that of a guess."""
    diagonal = np.ones(loss.shape[1])
    diagonal[: loss.n_features] = _second_moments(loss, np.arange(loss.n_features))
    diagonal = diagonal * _curvature_of_a_guess(loss) + loss.l2
    diagonal[~(diagonal > 0)] = 1.0
    return lambda gradient: (gradient.reshape(loss.shape) / diagonal).ravel()


def minimum_norm(loss: LogisticLoss, flat: np.ndarray) -> np.ndarray:
    """Of all parameters that give the same probabilities, those with the smallest coefficients."""
    gram = loss.gram(loss.weighted(loss.xp.ones(loss.n_samples, dtype=loss.X.dtype, **loss.device)))
    scale = np.sqrt(np.diag(gram))
    scale[~(scale > 0)] = 1.0
    values, vectors = linalg.eigh(gram / scale / scale[:, None])
    null = vectors[:, values <= _SINGULAR * values[-1]] / scale[:, None]
    if not null.shape[1]:
        return flat
    rows = flat.reshape(loss.shape)
    excess = np.linalg.lstsq(null[: loss.n_features], rows[:, : loss.n_features].T, rcond=None)[0]
    return (rows - (null @ excess).T).ravel()


def _second_moments(loss: LogisticLoss, features: np.ndarray) -> np.ndarray:
    """Mean over rows of the squared centered features, ndarray of shape (len(features),)."""
    if sparse.issparse(loss.X):
        return _sparse_squares(loss)[features] / loss.total
    center = move_like(loss.center[features], loss.X)
    columns = move_like(features, loss.codes, keep_dtype=True)
    total = np.zeros(len(features))
    for rows in (rows for group in loss.groups for rows in group):
        block = loss.X[rows] if len(features) == loss.n_features else loss.X[rows][:, columns]
        squares = block - center
        squares *= squares
        total += to_host(squares.sum(0) if loss.weight is None else loss.weight[rows] @ squares)
    return total / loss.total


def _sparse_squares(loss: LogisticLoss) -> np.ndarray:
    """Sum over rows of the squared features of CSR, ndarray of shape (n_features,)."""
    X, weight = loss.X, loss.weight
    if loss.is_compiled:
        sums = np.zeros(loss.n_features)
        sum_squares(X.data, X.indices, X.indptr, np.empty(0) if weight is None else weight, sums)
        return sums
    return np.bincount(X.indices, _weighted_squares(loss), minlength=loss.n_features)


def _weighted_squares(loss: LogisticLoss) -> np.ndarray:
    """Square of each entry of CSR times the weight of its row."""
    squares = np.square(loss.X.data, dtype=np.float64)
    if loss.weight is not None:
        squares *= np.repeat(loss.weight, np.diff(loss.X.indptr))
    return squares


def _curvature_of_a_guess(loss: LogisticLoss) -> float:
    return 0.25 if loss.n_classes == 2 else 1 / loss.n_classes


def penalized(loss: LogisticLoss, hessian: np.ndarray) -> np.ndarray:
    """The Hessian of one class's parameters with that of the squared penalty added, in place."""
    hessian[np.diag_indices_from(hessian)] += loss.l2
    return hessian


def _design(loss: LogisticLoss) -> Array:
    """Centered features, with a column of ones for the intercept."""
    rows = loss.X.toarray() if sparse.issparse(loss.X) else loss.X
    centered = rows - move_like(loss.center, rows)
    if not loss.fit_intercept:
        return centered
    ones = loss.xp.ones_like(centered[:, :1])
    return loss.xp.concatenate([centered, ones], 1)
