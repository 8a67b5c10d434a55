"""Sums over the numbers of one row, dense or sparse, in a fixed order with and without compilation."""

from numba.extending import register_jitable


@register_jitable
def dot(a, b):
    """Sum of the products of two dense rows."""
    # Eight sums, since the next addition to a single one would wait for the last.
    s0 = s1 = s2 = s3 = s4 = s5 = s6 = s7 = 0.0
    whole = len(a) // 8 * 8
    for j in range(0, whole, 8):
        s0 += float(a[j]) * float(b[j])
        s1 += float(a[j + 1]) * float(b[j + 1])
        s2 += float(a[j + 2]) * float(b[j + 2])
        s3 += float(a[j + 3]) * float(b[j + 3])
        s4 += float(a[j + 4]) * float(b[j + 4])
        s5 += float(a[j + 5]) * float(b[j + 5])
        s6 += float(a[j + 6]) * float(b[j + 6])
        s7 += float(a[j + 7]) * float(b[j + 7])
    total = ((s0 + s4) + (s2 + s6)) + ((s1 + s5) + (s3 + s7))
    for j in range(whole, len(a)):
        total += float(a[j]) * float(b[j])
    return total


@register_jitable
def sum_of_sizes(w):
    """Sum of the absolute values."""
    total = 0.0
    for j in range(len(w)):
        total += abs(w[j])
    return total


@register_jitable
def gathered_dot(w, values, columns):
    """Sum of the products of a dense row and a sparse one."""
    s0 = s1 = s2 = s3 = 0.0
    whole = len(values) // 4 * 4
    for j in range(0, whole, 4):
        s0 += w[columns[j]] * float(values[j])
        s1 += w[columns[j + 1]] * float(values[j + 1])
        s2 += w[columns[j + 2]] * float(values[j + 2])
        s3 += w[columns[j + 3]] * float(values[j + 3])
    total = (s0 + s2) + (s1 + s3)
    for j in range(whole, len(values)):
        total += w[columns[j]] * float(values[j])
    return total


@register_jitable
def scatter(w, values, columns, factor):
    """Add a multiple of a sparse row to a dense one, in place."""
    for j in range(len(values)):
        w[columns[j]] += factor * float(values[j])


@register_jitable
def gathered_norms(w, columns):
    """Squared norm and L1 norm of the coefficients of these columns."""
    s0 = s1 = s2 = s3 = 0.0
    t0 = t1 = t2 = t3 = 0.0
    whole = len(columns) // 4 * 4
    for j in range(0, whole, 4):
        w0, w1, w2, w3 = w[columns[j]], w[columns[j + 1]], w[columns[j + 2]], w[columns[j + 3]]
        s0, s1, s2, s3 = s0 + w0 * w0, s1 + w1 * w1, s2 + w2 * w2, s3 + w3 * w3
        t0, t1, t2, t3 = t0 + abs(w0), t1 + abs(w1), t2 + abs(w2), t3 + abs(w3)
    squared_norm, l1_norm = (s0 + s2) + (s1 + s3), (t0 + t2) + (t1 + t3)
    for j in range(whole, len(columns)):
        squared_norm += w[columns[j]] * w[columns[j]]
        l1_norm += abs(w[columns[j]])
    return squared_norm, l1_norm
