"""Products over parameters of 1 - share + share * Matern 5/2, pair by pair of rows.

`group` holds the number of the parameter of each column, in ascending order; `by_scale` the inverse squares
of the length scales.
"""

import math

import numpy as np
from numba import njit

_SUMS = {"contract", "reassoc"}  # sums in any order


@njit(nogil=True, cache=True, error_model="numpy", fastmath=_SUMS)
def covariance(a, b, group, by_scale, share):
    """Covariance of two rows, for a process of unit variance."""
    product, column = 1.0, 0
    for parameter in range(len(by_scale)):
        squared = 0.0
        while column < len(group) and group[column] == parameter:
            squared += (a[column] - b[column]) ** 2
            column += 1
        r = math.sqrt(5 * squared * by_scale[parameter])
        product *= 1 - share + share * (1 + r + r * r / 3) * math.exp(-r)
    return product


@njit(nogil=True, cache=True, error_model="numpy", fastmath=_SUMS)
def between(rows, columns, group, by_scale, share, out):
    """Write the covariances of rows with others into out."""
    for i in range(len(rows)):
        for j in range(len(columns)):
            out[i, j] = covariance(rows[i], columns[j], group, by_scale, share)


@njit(nogil=True, cache=True, error_model="numpy", fastmath=_SUMS)
def upper_triangle(X, group, variance, by_scale, share, out):
    """Write variance times the covariances of rows with those after them into out."""
    for i in range(len(X)):
        for j in range(i + 1, len(X)):
            out[i, j] = variance * covariance(X[i], X[j], group, by_scale, share)


@njit(nogil=True, cache=True, error_model="numpy", fastmath=_SUMS)
def contract(X, group, by_scale, share, weight, gradient):
    """Add the sums over pairs of rows of weight times derivative to the gradient.

    It holds those by the logarithms of the variance, which is 1 here, and of the length scales, and by the
    logit of the share.
    """
    n_parameters = len(by_scale)
    by_log_scale = np.empty(n_parameters)
    for i in range(len(X)):
        for j in range(i + 1, len(X)):
            product, by_logit, column = 1.0, 0.0, 0
            for parameter in range(n_parameters):
                squared = 0.0
                while column < len(group) and group[column] == parameter:
                    squared += (X[i, column] - X[j, column]) ** 2
                    column += 1
                r = math.sqrt(5 * squared * by_scale[parameter])
                decay = math.exp(-r)
                matern = (1 + r + r * r / 3) * decay
                factor = 1 - share + share * matern
                product *= factor
                by_log_scale[parameter] = share * r * r * (1 + r) / 3 * decay / factor
                by_logit += share * (1 - share) * (matern - 1) / factor
            weighted = weight[i, j] * product
            gradient[0] += weighted
            for parameter in range(n_parameters):
                gradient[1 + parameter] += weighted * by_log_scale[parameter]
            gradient[1 + n_parameters] += weighted * by_logit


@njit(nogil=True, cache=True, error_model="numpy", fastmath=_SUMS)
def slopes(rows, columns, group, by_scale, share, weighted, out):
    """Add the derivatives by each of the rows of the sums of `weighted`, weight times covariance."""
    by_difference = np.empty(len(by_scale))
    for i in range(len(rows)):
        for j in range(len(columns)):
            column = 0
            for parameter in range(len(by_scale)):
                squared = 0.0
                while column < len(group) and group[column] == parameter:
                    squared += (rows[i, column] - columns[j, column]) ** 2
                    column += 1
                r = math.sqrt(5 * squared * by_scale[parameter])
                decay = math.exp(-r)
                factor = 1 - share + share * (1 + r + r * r / 3) * decay
                slope = -share * by_scale[parameter] * 5 / 3 * (1 + r) * decay
                by_difference[parameter] = weighted[i, j] * slope / factor
            for column in range(len(group)):
                out[i, column] += by_difference[group[column]] * (rows[i, column] - columns[j, column])
