"""Loss of one row and its derivative, for compiled code: the scalar twins of :mod:`sgd_losses`."""

import math

from numba.extending import register_jitable

from sklearn_dl.linear_model.sgd_losses import LOSS_CODES

HINGE = LOSS_CODES["hinge"]
PERCEPTRON = LOSS_CODES["perceptron"]
SQUARED_HINGE = LOSS_CODES["squared_hinge"]
LOG_LOSS = LOSS_CODES["log_loss"]
MODIFIED_HUBER = LOSS_CODES["modified_huber"]
SQUARED_ERROR = LOSS_CODES["squared_error"]
HUBER = LOSS_CODES["huber"]
EPSILON_INSENSITIVE = LOSS_CODES["epsilon_insensitive"]


@register_jitable
def row_loss(loss, epsilon, y, p):
    """Loss of the score `p` against the target `y`, which is -1 or 1 for classes."""
    z = y * p
    error = abs(p - y)
    if loss == HINGE:
        return max(0.0, 1.0 - z)
    if loss == PERCEPTRON:
        return max(0.0, -z)
    if loss == SQUARED_HINGE:
        return max(0.0, 1.0 - z) ** 2
    if loss == LOG_LOSS:
        return max(0.0, -z) + math.log1p(math.exp(-abs(z)))
    if loss == MODIFIED_HUBER:
        return max(0.0, 1.0 - z) ** 2 if z >= -1.0 else -4.0 * z
    if loss == SQUARED_ERROR:
        return 0.5 * error * error
    if loss == HUBER:
        return 0.5 * error * error if error <= epsilon else epsilon * (error - 0.5 * epsilon)
    if loss == EPSILON_INSENSITIVE:
        return max(0.0, error - epsilon)
    return max(0.0, error - epsilon) ** 2


@register_jitable
def row_gradient(loss, epsilon, y, p):
    """Derivative of :func:`row_loss` with respect to `p`."""
    z = y * p
    error = p - y
    if loss == HINGE:
        return -y if z <= 1.0 else 0.0
    if loss == PERCEPTRON:
        return -y if z <= 0.0 else 0.0
    if loss == SQUARED_HINGE:
        return -2.0 * y * max(0.0, 1.0 - z)
    if loss == LOG_LOSS:
        e = math.exp(-abs(z))
        return -y * (e if z > 0.0 else 1.0) / (1.0 + e)
    if loss == MODIFIED_HUBER:
        return -2.0 * y * max(0.0, 1.0 - z) if z >= -1.0 else -4.0 * y
    if loss == SQUARED_ERROR:
        return error
    if loss == HUBER:
        return max(-epsilon, min(epsilon, error))
    outside = max(0.0, error - epsilon) - max(0.0, -error - epsilon)
    if loss == EPSILON_INSENSITIVE:
        return math.copysign(1.0, outside) if outside != 0.0 else 0.0
    return 2.0 * outside
