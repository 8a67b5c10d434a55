"""Tiles of pairs of rows and their stationary covariances; see :mod:`sklearn_dl.gaussian_process.tiles`.

A row of a panel is a feature here, and a column of it a row of the data.
"""

from sklearn_dl.gaussian_process.tiles import COLUMNS, INT, LANES, PLACES, ZERO, tile_function


@tile_function
def squared_distances(vectors, left, right, n_features, out):
    """Write the squared distances of the pairs, row by row of the tile."""
    totals = [ZERO] * len(PLACES)
    with vectors.steps(n_features, totals) as (offset, sums, new):
        for (own, partners), total in zip(vectors.pairs(left, right, offset), sums, strict=True):
            difference = vectors.builder.fsub(partners, own)
            new.append(vectors.multiply_add(difference, difference, total))
    for k, total in enumerate(totals):
        vectors.store(total, vectors.place(out, LANES * k))


@tile_function
def write_values(vectors, values, factor, out, stride, low, high, keep):
    """Write factor times the values to columns ``low + i`` to `high` of row i, or add them with `keep`."""
    tile = {at: vectors.load(vectors.place(values, LANES * k)) for k, at in enumerate(PLACES)}
    places = vectors.tile_places(out, stride)
    vectors.add_scaled(vectors.spread(factor), tile, places, low, high, keep)


@tile_function
def read_weights(vectors, left, right, rank, left_root, right_root, inverse, stride, low, high, out):
    """Write left' right - left_root right_root inverse to columns ``low + i`` to `high` of row i, else 0.

    `left` and `right` are panels of `rank` rows, the roots of one.
    """
    builder, products = vectors.builder, vectors.products(left, right, rank)
    places = vectors.tile_places(inverse, stride)

    def write(masks):
        for k, ((i, j), mask) in enumerate(masks.items()):
            root = builder.fmul(
                vectors.spread_from(vectors.place(left_root, i)),
                vectors.load(vectors.place(right_root, LANES * j)),
            )
            precision = vectors.load(places[i, j], mask)
            weight = builder.fsub(products[i, j], builder.fmul(root, precision))
            if mask is not None:
                weight = builder.select(mask, weight, ZERO)
            vectors.store(weight, vectors.place(out, LANES * k))

    vectors.for_part(low, high, write)


@tile_function
def add_weighted_squares(vectors, left, right, n_features, weights, sums):
    """Add for each feature the sum of weight times squared difference to LANES numbers, each a part of it."""
    builder = vectors.builder
    weight = [vectors.load(vectors.place(weights, LANES * k)) for k in range(len(PLACES))]
    n_sums = COLUMNS // LANES  # that are independent: each addition waits for the one before
    with vectors.steps(n_features, []) as (offset, _, _):
        totals = [ZERO] * n_sums
        for k, (own, partners) in enumerate(vectors.pairs(left, right, offset)):
            difference = builder.fsub(partners, own)
            weighted = builder.fmul(weight[k], difference)
            totals[k % n_sums] = vectors.multiply_add(weighted, difference, totals[k % n_sums])
        place = vectors.place(sums, builder.sdiv(offset, INT(n_sums)))
        for total in totals:
            vectors.store(builder.fadd(vectors.load(place), total), place)
