"""Compiled loops: batch normalisation, max-pooling over 2 x 2 pixels and ReLU in one pass over the images.

Images have shape (n_samples, height, width, channels), so that the innermost loops run over channels in
vectors.
"""

import numpy as np
from numba import njit

_FAST = {"nsz", "contract", "reassoc"}  # NaN stays NaN
_BLOCK = 256  # pixels that are summed in float32


@njit(nogil=True, cache=True, error_model="numpy", fastmath=_FAST)
def normalize_and_pool(images, weight, bias, eps, statistics, pooled, winners, places):
    """Write ReLU of the largest normalised value in each square of 2 x 2 pixels to `pooled`.

    `winners` become the values of `images` there, `places` their positions, 0 to 3, the first where several
    are as large. `statistics`, shape (3, channels), become mean and biased variance of each channel, and
    1 / sqrt(variance + eps).
    """
    n_images, height, width, n_channels = images.shape
    mean, scale = statistics[0], np.empty(n_channels, np.float32)
    _find_moments(images.reshape(n_images * height * width, n_channels), mean, statistics[1])
    for c in range(n_channels):
        statistics[2, c] = 1 / np.sqrt(statistics[1, c] + eps)
        scale[c] = weight[c] * statistics[2, c]
    second, third, fourth, zero = np.int32(1), np.int32(2), np.int32(3), np.float32(0)
    for i in range(n_images):
        for row in range(pooled.shape[1]):
            for column in range(pooled.shape[2]):
                above = images[i, 2 * row, 2 * column : 2 * column + 2]
                below = images[i, 2 * row + 1, 2 * column : 2 * column + 2]
                out, winner, place = pooled[i, row, column], winners[i, row, column], places[i, row, column]
                for c in range(n_channels):
                    # Conditional values in place of branches: such loops run in vectors.
                    value, at = above[0, c], np.int32(0)
                    largest = value * scale[c]
                    scaled = above[1, c] * scale[c]
                    value = above[1, c] if scaled > largest else value
                    at = second if scaled > largest else at
                    largest = scaled if scaled > largest else largest
                    scaled = below[0, c] * scale[c]
                    value = below[0, c] if scaled > largest else value
                    at = third if scaled > largest else at
                    largest = scaled if scaled > largest else largest
                    scaled = below[1, c] * scale[c]
                    value = below[1, c] if scaled > largest else value
                    at = fourth if scaled > largest else at
                    winner[c], place[c] = value, at
                    normalized = (value - mean[c]) * scale[c] + bias[c]
                    out[c] = zero if normalized < zero else normalized


@njit(nogil=True, cache=True, error_model="numpy", fastmath=_FAST)
def _find_moments(pixels, mean, variance):
    """Mean and biased variance of each channel of pixels of shape (n_pixels, channels), in one pass.

    Sums are those of differences from the first pixel, so that an offset costs no digits.
    """
    n_pixels, n_channels = pixels.shape
    first = np.empty(n_channels, np.float32)
    for c in range(n_channels):
        first[c] = pixels[0, c]
    total, total_of_squares = np.zeros(n_channels), np.zeros(n_channels)
    part, part_of_squares = np.empty(n_channels, np.float32), np.empty(n_channels, np.float32)
    for start in range(0, n_pixels, _BLOCK):
        for c in range(n_channels):
            part[c] = part_of_squares[c] = 0
        for i in range(start, min(start + _BLOCK, n_pixels)):
            for c in range(n_channels):
                difference = pixels[i, c] - first[c]
                part[c] += difference
                part_of_squares[c] += difference * difference
        for c in range(n_channels):
            total[c] += part[c]
            total_of_squares[c] += part_of_squares[c]
    for c in range(n_channels):
        offset = total[c] / n_pixels
        mean[c] = first[c] + offset
        spread = total_of_squares[c] / n_pixels - offset * offset
        variance[c] = 0.0 if spread < 0 else spread  # NaN stays


@njit(nogil=True, cache=True, error_model="numpy", fastmath=_FAST)
def differentiate(images, weight, statistics, pooled, winners, places, gradient, of_images, of_parameters):
    """Gradients of images, and of weight and bias as two rows, from that of what was pooled.

    With g the gradient of a normalised pixel, z the pixel before weight and bias, and n pixels a channel, the
    gradient of the pixel is weight / deviation * (g - sum(g) / n - z * sum(g z) / n): Ioffe, Szegedy (2015),
    section 3. Here g is zero but at the winners whose ReLU is open.
    """
    n_images, height, width, n_channels = images.shape
    mean, inverse_deviation = statistics[0], statistics[2]
    of_weight, of_bias = of_parameters[0], of_parameters[1]
    _sum_gradients(mean, inverse_deviation, pooled, winners, gradient, of_weight, of_bias)
    n_pixels = n_images * height * width
    factor, slope = np.empty(n_channels, np.float32), np.empty(n_channels, np.float32)
    constant = np.empty(n_channels, np.float32)
    for c in range(n_channels):
        factor[c] = weight[c] * inverse_deviation[c]
        slope[c] = -factor[c] * inverse_deviation[c] * of_weight[c] / n_pixels
        constant[c] = -factor[c] * of_bias[c] / n_pixels - slope[c] * mean[c]
    arriving = np.empty((pooled.shape[2], n_channels), np.float32)
    zero = np.float32(0)
    for i in range(n_images):
        for row in range(pooled.shape[1]):
            for column in range(pooled.shape[2]):
                for c in range(n_channels):
                    is_open = pooled[i, row, column, c] > zero
                    arriving[column, c] = factor[c] * gradient[i, row, column, c] if is_open else zero
            for side in range(2):
                line = 2 * row + side
                _spread(
                    arriving, places[i, row], 2 * side, images[i, line], constant, slope, of_images[i, line]
                )
        for line in range(2 * pooled.shape[1], height):
            _spread_rest(images[i, line], constant, slope, of_images[i, line])
        for line in range(2 * pooled.shape[1]):
            start = 2 * pooled.shape[2]
            _spread_rest(images[i, line, start:], constant, slope, of_images[i, line, start:])


@njit(nogil=True, cache=True, error_model="numpy", fastmath=_FAST)
def _sum_gradients(mean, inverse_deviation, pooled, winners, gradient, of_weight, of_bias):
    """Sums over the pixels of g z, the gradient of the weight, and of g, that of the bias."""
    n_channels = len(mean)
    total, total_of_products = np.zeros(n_channels), np.zeros(n_channels)
    part, part_of_products = np.empty(n_channels, np.float32), np.empty(n_channels, np.float32)
    zero = np.float32(0)
    for i in range(pooled.shape[0]):
        for row in range(pooled.shape[1]):
            for c in range(n_channels):
                part[c] = part_of_products[c] = 0
            for column in range(pooled.shape[2]):
                for c in range(n_channels):
                    is_open = pooled[i, row, column, c] > zero
                    arriving = gradient[i, row, column, c] if is_open else zero
                    part[c] += arriving
                    part_of_products[c] += arriving * (winners[i, row, column, c] - mean[c])
            for c in range(n_channels):
                total[c] += part[c]
                total_of_products[c] += part_of_products[c]
    for c in range(n_channels):
        of_bias[c] = total[c]
        of_weight[c] = total_of_products[c] * inverse_deviation[c]


@njit(nogil=True, cache=True, error_model="numpy", fastmath=_FAST)
def _spread(arriving, places, first_place, pixels, constant, slope, of_pixels):
    """Gradient of a line of pixels, two for each column of `arriving`."""
    n_columns, n_channels = arriving.shape
    left, right, zero = np.int32(first_place), np.int32(first_place + 1), np.float32(0)
    for j in range(n_columns):
        for c in range(n_channels):
            routed = arriving[j, c] if places[j, c] == left else zero
            of_pixels[2 * j, c] = routed + constant[c] + slope[c] * pixels[2 * j, c]
        for c in range(n_channels):
            routed = arriving[j, c] if places[j, c] == right else zero
            of_pixels[2 * j + 1, c] = routed + constant[c] + slope[c] * pixels[2 * j + 1, c]


@njit(nogil=True, cache=True, error_model="numpy", fastmath=_FAST)
def _spread_rest(pixels, constant, slope, of_pixels):
    """Gradient of pixels at the border of images with an odd side, which no square holds."""
    for j in range(pixels.shape[0]):
        for c in range(pixels.shape[1]):
            of_pixels[j, c] = constant[c] + slope[c] * pixels[j, c]
