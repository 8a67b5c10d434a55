"""Monotone warps of inputs and targets, with the derivatives that fitting them needs."""

from typing import NamedTuple

import numpy as np
from scipy.special import expit

_EDGE = 1e-7  # the slope of a Kumaraswamy warp may be infinite at 0 and 1


class WarpedInputs(NamedTuple):
    """Values of an input warp and its derivatives, each of the shape of the inputs."""

    values: np.ndarray
    by_x: np.ndarray
    by_log_a: np.ndarray
    by_log_b: np.ndarray


def kumaraswamy(x: np.ndarray, log_a: np.ndarray, log_b: np.ndarray) -> WarpedInputs:
    """Distribution function 1 - (1 - x^a)^b of Kumaraswamy, which maps the unit interval onto itself.

    Parameters
    ----------
    x : ndarray of shape (n_rows, n_columns)
        Values in [0, 1].
    log_a, log_b : ndarray of shape (n_columns,)
        Logarithms of the two exponents; 0 and 0 change nothing.

    Returns
    -------
    warped : WarpedInputs
        Values, and derivatives by x and by the logarithms.

    References
    ----------
    Snoek, Swersky, Zemel, Adams (2014), Input warping for Bayesian optimization of non-stationary functions,
    section 3, with the Kumaraswamy distribution in the place of the beta distribution.
    """
    x = np.clip(x, _EDGE, 1 - _EDGE)
    a, b = np.exp(log_a), np.exp(log_b)
    log_x = np.log(x)
    power = np.exp(a * log_x)
    log_rest = np.log1p(-power)
    survival = np.exp(b * log_rest)
    inner = b * survival / (1 - power) * power * a
    return WarpedInputs(1 - survival, inner / x, inner * log_x, -b * log_rest * survival)


class WarpedTargets(NamedTuple):
    """Values of a target warp, the logarithm of its slope, and derivatives of both by the parameters."""

    values: np.ndarray  # (n,)
    log_slope: np.ndarray  # (n,)
    by_parameters: np.ndarray  # (2, n)
    log_slope_by_parameters: np.ndarray  # (2, n)


def log_offset(u: np.ndarray, parameters: np.ndarray) -> WarpedTargets:
    """Warp log(u + c) - log(1 - u + e) of targets in [0, 1].

    A small c spreads out the low end, a small e the high end; where both are large the warp is linear.

    Parameters
    ----------
    u : ndarray of shape (n,)
        Targets, shifted and scaled into the unit interval.
    parameters : ndarray of shape (2,)
        Logarithms of c and e.
    """
    c, e = np.exp(parameters)
    low, high = 1 / (u + c), 1 / (1 - u + e)
    slope = low + high
    values = np.log(high) - np.log(low)
    by_parameters = np.stack([c * low, -e * high])
    by_log = np.stack([-c * low**2, -e * high**2]) / slope
    return WarpedTargets(values, np.log(slope), by_parameters, by_log)


def undo_log_offset(values: np.ndarray, parameters: np.ndarray) -> np.ndarray:
    """Targets that :func:`log_offset` maps to the values; they lie between -c and 1 + e."""
    c, e = np.exp(parameters)
    share = expit(values)
    return share * (1 + e) - (1 - share) * c


def linear(u: np.ndarray) -> WarpedTargets:
    """Targets as they are: the warp without parameters."""
    nothing = np.zeros((0, len(u)))
    return WarpedTargets(u, np.zeros(len(u)), nothing, nothing)
