"""Compiled loops for the first block of a network on images: thin convolution, normalisation, pooling.

The convolution is computed anew wherever it is needed, which takes less time than to read it from memory. Its
mean and variance follow from the patches: with their mean x and covariance C, and the kernel K, they are
bias + K' x and diag(K' C K).

Images have shape (n_samples, height, width, channels). Padded ones hold the zeros around them, and are moved
to the mean 0, for the sake of their digits. A tap is a place and channel of a patch; the kernel has shape
(n_taps, n_outputs), and n_outputs is a multiple of 16.
"""

import numpy as np
from numba import njit

from sklearn_dl.nn.vectors import (
    LANES,
    add,
    add_product,
    add_scaled,
    load,
    load_bytes,
    multiply,
    repeat,
    store,
    store_bytes,
    subtract,
    where_equal,
    where_larger,
)

_FAST = {"nsz", "contract", "reassoc"}  # NaN stays NaN


@njit(nogil=True, cache=True, error_model="numpy")
def run_stem(images, kernel, conv_bias, weight, bias, side, eps, padded, patches, statistics, pooled, places):
    """Convolve, normalise and pool `images`; keep in the other arrays what :func:`differentiate_stem` takes.

    Parameters
    ----------
    kernel : float32 array of shape (side * side * channels, n_outputs)
    conv_bias, weight, bias : float32 array of shape (n_outputs,)
        Of the convolution, and the factor and summand of the normalisation.
    padded : float32 array of shape (n_samples, height + 2 * padding, width + 2 * padding, channels)
    patches : float64 array of shape (n_taps, 1 + n_outputs)
        Mean of each tap, and the products C K.
    statistics : float32 array of shape (3, n_outputs)
        Mean and biased variance of each output, and 1 / sqrt(variance + eps).
    pooled : float32 array of shape (n_samples, rows // 2, columns // 2, n_outputs)
        The largest normalised value in each square of 2 x 2, or 0 if that is negative.
    places : uint8 array of the same shape
        The place of that value in the square, 0 to 3, the first where several are as large.
    """
    n_rows, n_columns = padded.shape[1] - side + 1, padded.shape[2] - side + 1
    n = len(images) * n_rows * n_columns
    offset = _pad_and_center(images, padded)
    offsets = _offsets(padded, side)
    n_taps, n_outputs = kernel.shape
    sums, products = np.zeros(n_taps), np.zeros((n_taps, n_taps))
    _sum_patches(padded, offsets, n_rows, n_columns, sums, products)
    for t in range(n_taps):
        patches[t, 0] = sums[t] / n
    moved_bias, scale = np.empty(n_outputs, np.float32), np.empty(n_outputs, np.float32)
    for c in range(n_outputs):
        shift, mean, variance = 0.0, 0.0, 0.0
        for t in range(n_taps):
            spread = 0.0
            for u in range(n_taps):
                spread += (products[t, u] / n - patches[t, 0] * patches[u, 0]) * kernel[u, c]
            patches[t, 1 + c] = spread
            shift += kernel[t, c]
            mean += patches[t, 0] * kernel[t, c]
            variance += spread * kernel[t, c]
        moved_bias[c] = conv_bias[c] + offset * shift
        variance = 0.0 if variance < 0 else variance  # NaN stays
        statistics[0, c] = mean + moved_bias[c]
        statistics[1, c] = variance
        statistics[2, c] = 1 / np.sqrt(variance + eps)
        scale[c] = weight[c] * statistics[2, c]
    _convolve_and_pool(padded, offsets, kernel, moved_bias, statistics[0], scale, bias, pooled, places)


@njit(nogil=True, cache=True, error_model="numpy")
def differentiate_stem(
    kernel, side, weight, padded, patches, statistics, pooled, places, gradient, of_kernel, of_norm
):
    """Gradients of the kernel, and of factor and summand of the normalisation, from that of what was pooled.

    The gradient of a pixel of the convolution is that of :func:`norm_pool_kernels.differentiate`. Times the
    patch and summed over all pixels, those without a winner have a part in mean and covariance alone. The
    bias of the convolution has no gradient, since normalisation takes it out.
    """
    n_taps, n_outputs = of_kernel.shape
    sums, by_tap = np.zeros(n_outputs), np.zeros((n_taps, n_outputs))
    _sum_winners(padded, _offsets(padded, side), pooled, places, gradient, sums, by_tap)
    for c in range(n_outputs):
        inverse_deviation, product = np.float64(statistics[2, c]), 0.0  # of gradient and distance from mean
        for t in range(n_taps):
            product += kernel[t, c] * (by_tap[t, c] - patches[t, 0] * sums[c])
        of_norm[0, c] = product * inverse_deviation
        of_norm[1, c] = sums[c]
        for t in range(n_taps):
            dense = patches[t, 0] * sums[c] + patches[t, 1 + c] * product * inverse_deviation**2
            of_kernel[t, c] = weight[c] * inverse_deviation * (by_tap[t, c] - dense)


@njit(nogil=True, cache=True, error_model="numpy", fastmath=_FAST)
def _pad_and_center(images, padded):
    """Write images with zeros around them, less their mean, to `padded`, and return the mean."""
    n, height, width, depth = images.shape
    padding = (padded.shape[1] - height) // 2
    total = 0.0
    for i in range(n):
        total += _sum(images[i].ravel())
    mean = np.float32(total / images.size)
    padded.fill(-mean)
    for i in range(n):
        for y in range(height):
            for x in range(width):
                for channel in range(depth):
                    value = images[i, y, x, channel] - mean
                    padded[i, y + padding, x + padding, channel] = value
    return mean


@njit(nogil=True, cache=True, error_model="numpy")
def _offsets(padded, side):
    """How many entries each tap lies behind the first one of its patch."""
    width, depth = padded.shape[2:]
    offsets = np.empty(side * side * depth, np.int64)
    for t in range(len(offsets)):
        down, right, channel = t // (side * depth), t // depth % side, t % depth
        offsets[t] = (down * width + right) * depth + channel
    return offsets


@njit(nogil=True, cache=True, error_model="numpy", fastmath=_FAST)
def _sum_patches(padded, offsets, n_rows, n_columns, sums, products):
    """Sums over all patches: of each tap, and of the products of each two."""
    n, _, width, depth = padded.shape
    n_taps, stride = len(offsets), width * depth
    taps = np.empty((n_taps, n_rows * n_columns), np.float32)  # of one image
    for i in range(n):
        image = padded[i].ravel()
        for t in range(n_taps):
            for row in range(n_rows):
                start = offsets[t] + row * stride
                for column in range(n_columns):
                    taps[t, row * n_columns + column] = image[start + column * depth]
        for t in range(n_taps):
            sums[t] += _sum(taps[t])
            for u in range(t + 1):
                products[t, u] += _product(taps[t], taps[u])
    for t in range(n_taps):
        for u in range(t):
            products[u, t] = products[t, u]


@njit(nogil=True, cache=True, error_model="numpy", fastmath=_FAST)
def _sum(values):
    total = np.float32(0)
    for j in range(len(values)):
        total += values[j]
    return total


@njit(nogil=True, cache=True, error_model="numpy", fastmath=_FAST)
def _product(values, others):
    total = np.float32(0)
    for j in range(len(values)):
        total += values[j] * others[j]
    return total


@njit(nogil=True, cache=True, error_model="numpy")
def _convolve_and_pool(padded, offsets, kernel, bias, mean, scale, shift, pooled, places):
    """Write ReLU of the largest (convolution - mean) * scale + shift in each square of 2 x 2 to `pooled`.

    `places` become its position, 0 to 3, the first where several are as large.
    """
    n_images, n_rows, n_columns, n_outputs = pooled.shape
    depth = padded.shape[3]
    stride = padded.shape[2] * depth
    first, second = repeat(np.float32(0)), repeat(np.float32(1))
    third, fourth = repeat(np.float32(2)), repeat(np.float32(3))
    for i in range(n_images):
        image = padded[i].ravel()
        for row in range(n_rows):
            for column in range(n_columns):
                corner = 2 * row * stride + 2 * column * depth
                out = ((i * n_rows + row) * n_columns + column) * n_outputs
                for c in range(0, n_outputs, LANES):
                    value = load(bias, c)
                    above_right = below_left = below_right = value
                    for t in range(len(offsets)):
                        weights = load(kernel, t * n_outputs + c)
                        at = corner + offsets[t]
                        value = add_scaled(value, weights, image, at)
                        above_right = add_scaled(above_right, weights, image, at + depth)
                        below_left = add_scaled(below_left, weights, image, at + stride)
                        below_right = add_scaled(below_right, weights, image, at + stride + depth)
                    factor = load(scale, c)
                    largest, place = multiply(value, factor), first
                    scaled = multiply(above_right, factor)
                    value = where_larger(scaled, largest, above_right, value)
                    place = where_larger(scaled, largest, second, place)
                    largest = where_larger(scaled, largest, scaled, largest)
                    scaled = multiply(below_left, factor)
                    value = where_larger(scaled, largest, below_left, value)
                    place = where_larger(scaled, largest, third, place)
                    largest = where_larger(scaled, largest, scaled, largest)
                    scaled = multiply(below_right, factor)
                    value = where_larger(scaled, largest, below_right, value)
                    place = where_larger(scaled, largest, fourth, place)
                    store_bytes(places, out + c, place)
                    normalized = add_product(load(shift, c), subtract(value, load(mean, c)), factor)
                    store(pooled, out + c, where_larger(first, normalized, first, normalized))


@njit(nogil=True, cache=True, error_model="numpy")
def _sum_winners(padded, offsets, pooled, places, gradient, sums, by_tap):
    """Sums over the winners whose ReLU is open.

    With g the gradient of what was pooled, `sums` become those of g, and `by_tap` those of g times each tap
    of the winning patch.
    """
    n_images, n_rows, n_columns, n_outputs = pooled.shape
    n_taps, depth = len(offsets), padded.shape[3]
    stride = padded.shape[2] * depth
    zero, second = repeat(np.float32(0)), repeat(np.float32(1))
    third, fourth = repeat(np.float32(2)), repeat(np.float32(3))
    part = np.empty((n_taps + 1, n_outputs), np.float32)  # of one image
    for i in range(n_images):
        for t in range(n_taps + 1):
            for c in range(n_outputs):
                part[t, c] = 0
        image = padded[i].ravel()
        for row in range(n_rows):
            for column in range(n_columns):
                corner = 2 * row * stride + 2 * column * depth
                out = ((i * n_rows + row) * n_columns + column) * n_outputs
                for c in range(0, n_outputs, LANES):
                    given = where_larger(load(pooled, out + c), zero, load(gradient, out + c), zero)
                    total = n_taps * n_outputs + c
                    store(part, total, add(load(part, total), given))
                    place = load_bytes(places, out + c)
                    above_left = where_equal(place, zero, given, zero)
                    above_right = where_equal(place, second, given, zero)
                    below_left = where_equal(place, third, given, zero)
                    below_right = where_equal(place, fourth, given, zero)
                    for t in range(n_taps):
                        at = corner + offsets[t]
                        tap = load(part, t * n_outputs + c)
                        tap = add_scaled(tap, above_left, image, at)
                        tap = add_scaled(tap, above_right, image, at + depth)
                        tap = add_scaled(tap, below_left, image, at + stride)
                        tap = add_scaled(tap, below_right, image, at + stride + depth)
                        store(part, t * n_outputs + c, tap)
        for c in range(n_outputs):
            sums[c] += part[n_taps, c]
            for t in range(n_taps):
                by_tap[t, c] += part[t, c]
