"""Compiled inner loop of kernel regression: Gaussian weights from inner products."""

from typing import Any

import numpy as np
from numba import njit, types
from numba.extending import intrinsic

_LOG2_E = 1.4426950408889634
_LN2_HIGH = 6.93147180369123816490e-01  # ln 2 in two parts; the first times an int below 2**20 is exact
_LN2_LOW = 1.90821492927058770002e-10
_UNDERFLOW = -708.0  # exp of less is no normal float64

# exp(r) = 1 + r + r^2 P(r) to 1.7e-17 for |r| <= ln(2) / 2: P interpolates at the Chebyshev nodes.
_P9, _P8, _P7 = 2.5100375832561234e-08, 2.7620075879983367e-07, 2.7557268480310024e-06
_P6, _P5, _P4 = 2.4801521322368692e-05, 1.9841269863040545e-04, 1.3888888917196719e-03
_P3, _P2, _P1, _P0 = 8.333333333330065e-03, 4.1666666666624164e-02, 0.16666666666666669, 0.5000000000000001


@intrinsic
def _as_float(typing_context: Any, bits: Any) -> Any:
    """The float64 that has the bits of an int64."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], context.get_value_type(types.float64))

    return types.float64(types.int64), codegen


@njit(nogil=True, cache=True, fastmath={"contract"})
def exponential(x):
    """``exp(x)`` for x below 700, in operations that vectorise; below -708 it stays at exp(-708).

    Splits x into k ln 2 + r, Cody and Waite (1980), Software Manual for the Elementary Functions, chapter 6.
    """
    x = max(x, _UNDERFLOW)
    k = np.rint(x * _LOG2_E)
    r = (x - k * _LN2_HIGH) - k * _LN2_LOW
    p = _P9
    p = p * r + _P8
    p = p * r + _P7
    p = p * r + _P6
    p = p * r + _P5
    p = p * r + _P4
    p = p * r + _P3
    p = p * r + _P2
    p = p * r + _P1
    p = p * r + _P0
    p = (p * r * r + r) + 1.0
    return p * _as_float((np.int64(k) + 1023) << 52)  # type: ignore[call-arg]


@njit(nogil=True, cache=True, fastmath={"reassoc", "contract"})
def add_gaussian_sums(products, row_terms, query_terms, scale, columns, first_excluded, sums):
    """Add columns times ``exp(scale * (products + row_terms + query_terms[:, None]))`` to the sums.

    With row terms ``-|x|^2 / 2`` and query terms ``-|q|^2 / 2`` the exponent is minus half the squared
    distance, times the scale. ``sums[k]``, of shape (n_columns, n_queries), takes the weights squared k
    times. Query i leaves out row `first_excluded` + i, if there is one.
    """
    n_queries, n_rows = products.shape
    weights = np.empty(n_rows)
    for i in range(n_queries):
        query_term = query_terms[i]
        for j in range(n_rows):
            weights[j] = exponential(scale * (products[i, j] + (row_terms[j] + query_term)))
        excluded = first_excluded + i
        if 0 <= excluded < n_rows:
            weights[excluded] = 0.0
        for k in range(sums.shape[0]):
            if k > 0:
                for j in range(n_rows):
                    weights[j] *= weights[j]
            for column in range(columns.shape[0]):
                total = 0.0
                for j in range(n_rows):
                    total += weights[j] * columns[column, j]
                sums[k, column, i] += total
