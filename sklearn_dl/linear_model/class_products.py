"""Products of a tall table with the few rows of a coefficient matrix, both ways, which numba compiles.

A BLAS packs its operands for reuse that ten or so classes do not give. Here eight rows of the table meet two
classes at a time, with the sixteen sums in registers, in up to two thirds of a BLAS's time for wide tables.
"""

import numpy as np
from numba import njit

# Sums in any order, but NaN and infinity stay what they are.
_FASTMATH = {"reassoc", "contract", "arcp", "nsz"}


@njit(nogil=True, cache=True, fastmath=_FASTMATH)
def class_scores(X, coef, scores):
    """Write ``coef @ X.T`` into `scores`.

    Parameters
    ----------
    X : ndarray of shape (n_rows, n_features), float64
        C-contiguous.
    coef : ndarray of shape (n_classes, n_features), float64
        C-contiguous.
    scores : ndarray of shape (n_classes, n_rows), float64
        Overwritten.
    """
    n_rows, n_classes = X.shape[0], coef.shape[0]
    in_eights = n_rows // 8 * 8
    for r in range(0, in_eights, 8):
        for k in range(0, n_classes, 2):
            both = min(k + 1, n_classes - 1)  # the last of an odd number of classes is computed twice
            _score_tile(X[r : r + 8], coef[k], coef[both], scores[k, r : r + 8], scores[both, r : r + 8])
    for r in range(in_eights, n_rows):
        for k in range(n_classes):
            total = 0.0
            for j in range(X.shape[1]):
                total += coef[k, j] * X[r, j]
            scores[k, r] = total


@njit(nogil=True, cache=True, fastmath=_FASTMATH)
def add_class_gradients(X, slopes, gradient):
    """Add ``slopes @ X`` to `gradient`.

    Parameters
    ----------
    X : ndarray of shape (n_rows, n_features), float64
        C-contiguous.
    slopes : ndarray of shape (n_classes, n_rows), float64
        Derivatives by the scores.
    gradient : ndarray of shape (n_classes, n_features), float64
        Added to.
    """
    n_rows, n_classes = X.shape[0], gradient.shape[0]
    in_eights = n_rows // 8 * 8
    spare = np.zeros(X.shape[1])
    for r in range(0, in_eights, 8):
        for k in range(0, n_classes - 1, 2):
            rows = slice(r, r + 8)
            _gradient_tile(X[rows], slopes[k, rows], slopes[k + 1, rows], gradient[k], gradient[k + 1])
        if n_classes % 2:
            last = slopes[n_classes - 1, r : r + 8]
            _gradient_tile(X[r : r + 8], last, last, gradient[n_classes - 1], spare)
    for r in range(in_eights, n_rows):
        for k in range(n_classes):
            for j in range(X.shape[1]):
                gradient[k, j] += slopes[k, r] * X[r, j]


@njit(nogil=True, cache=True, fastmath=_FASTMATH)
def _score_tile(X, a, b, a_scores, b_scores):
    s, t, u, v, w, x, y, z = X[0], X[1], X[2], X[3], X[4], X[5], X[6], X[7]
    a0 = a1 = a2 = a3 = a4 = a5 = a6 = a7 = 0.0
    b0 = b1 = b2 = b3 = b4 = b5 = b6 = b7 = 0.0
    for j in range(len(a)):
        p, q = a[j], b[j]
        a0 += p * s[j]
        a1 += p * t[j]
        a2 += p * u[j]
        a3 += p * v[j]
        a4 += p * w[j]
        a5 += p * x[j]
        a6 += p * y[j]
        a7 += p * z[j]
        b0 += q * s[j]
        b1 += q * t[j]
        b2 += q * u[j]
        b3 += q * v[j]
        b4 += q * w[j]
        b5 += q * x[j]
        b6 += q * y[j]
        b7 += q * z[j]
    a_scores[0], a_scores[1], a_scores[2], a_scores[3] = a0, a1, a2, a3
    a_scores[4], a_scores[5], a_scores[6], a_scores[7] = a4, a5, a6, a7
    b_scores[0], b_scores[1], b_scores[2], b_scores[3] = b0, b1, b2, b3
    b_scores[4], b_scores[5], b_scores[6], b_scores[7] = b4, b5, b6, b7


@njit(nogil=True, cache=True, fastmath=_FASTMATH)
def _gradient_tile(X, a_slopes, b_slopes, a_gradient, b_gradient):
    s, t, u, v, w, x, y, z = X[0], X[1], X[2], X[3], X[4], X[5], X[6], X[7]
    a0, a1, a2, a3 = a_slopes[0], a_slopes[1], a_slopes[2], a_slopes[3]
    a4, a5, a6, a7 = a_slopes[4], a_slopes[5], a_slopes[6], a_slopes[7]
    b0, b1, b2, b3 = b_slopes[0], b_slopes[1], b_slopes[2], b_slopes[3]
    b4, b5, b6, b7 = b_slopes[4], b_slopes[5], b_slopes[6], b_slopes[7]
    for j in range(len(a_gradient)):
        x0, x1, x2, x3, x4, x5, x6, x7 = s[j], t[j], u[j], v[j], w[j], x[j], y[j], z[j]
        a_gradient[j] += a0 * x0 + a1 * x1 + a2 * x2 + a3 * x3 + a4 * x4 + a5 * x5 + a6 * x6 + a7 * x7
        b_gradient[j] += b0 * x0 + b1 * x1 + b2 * x2 + b3 * x3 + b4 * x4 + b5 * x5 + b6 * x6 + b7 * x7
