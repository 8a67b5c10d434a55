"""Tiles of a symmetric matrix that is factored or inverted; see :mod:`sklearn_dl.gaussian_process.tiles`."""

from llvmlite import ir  # type: ignore[import-untyped]

from sklearn_dl.gaussian_process.tiles import (
    COLUMNS,
    FLOAT,
    INT,
    ITEM,
    LANE,
    LANES,
    PLACES,
    ROWS,
    tile_function,
)

_VECTORS = range(COLUMNS // LANES)  # of a row of a tile


@tile_function
def copy_row(vectors, source, target, low, high):
    """Copy columns `low` to `high` of a row of a panel."""
    for j, mask in enumerate(vectors.row_masks(low, high)):
        copied = vectors.load(vectors.place(source, LANES * j), mask)
        vectors.store(copied, vectors.place(target, LANES * j), mask)


@tile_function
def copy_row_and_zeros(vectors, source, target, high):
    """Copy a row of a panel, whose columns from `high` on become 0."""
    for j, mask in enumerate(vectors.row_masks(INT(0), high)):
        copied = vectors.load(vectors.place(source, LANES * j), mask)
        vectors.store(copied, vectors.place(target, LANES * j))


@tile_function
def turn(vectors, source, stride, width, target):
    """Write LANES rows, `stride` apart, as columns of a panel: minus `width` elements, then zeros."""
    mask, builder = vectors.row_masks(INT(0), width)[0], vectors.builder
    rows = [vectors.load(vectors.place(source, builder.mul(stride, INT(i))), mask) for i in range(LANES)]
    rows = [builder.fneg(row) for row in rows]
    apart = LANES // 2
    while apart > 0:  # swap the halves off the diagonal of squares of twice that size
        lower = [lane if not lane & apart else LANES + lane - apart for lane in range(LANES)]
        upper = [lane + apart if not lane & apart else LANES + lane for lane in range(LANES)]
        for i in range(LANES):
            if not i & apart:
                pair = rows[i], rows[i + apart]
                rows[i], rows[i + apart] = (
                    builder.shuffle_vector(*pair, ir.VectorType(LANE, LANES)(lanes))
                    for lanes in (lower, upper)
                )
        apart //= 2
    for i, row in enumerate(rows):
        vectors.store(row, vectors.place(target, COLUMNS * i))


@tile_function
def add_products(vectors, left, right, n_steps, factor, out, stride, low, high, keep):
    """Add factor times the sum of left times right to a tile, or write it unless `keep`.

    Only columns ``low + i`` to `high` of row i.
    """
    places = vectors.tile_places(out, stride)
    for place in places.values():
        vectors.fetch(place)
    totals, factor = vectors.products(left, right, n_steps), vectors.spread(factor)
    vectors.add_scaled(factor, totals, places, low, high, keep)


def _remaining(vectors, left, panel, row):
    """Rows from `row` on of a panel, less the products of the rows before."""
    places = vectors.tile_places(panel, INT(COLUMNS))
    offset = vectors.builder.mul(row, INT(COLUMNS))
    places = {at: vectors.builder.gep(place, [offset]) for at, place in places.items()}
    totals = vectors.products(left, panel, row)
    return places, {at: vectors.builder.fsub(vectors.load(places[at]), totals[at]) for at in PLACES}


def _eliminate(vectors, i, own, places, tile, reciprocal):
    """Divide row i by its pivot, write it, and subtract its multiples from the later rows.

    `own` is the address of the triangle on whose rows the multiples stand.
    """
    for j in _VECTORS:
        tile[i, j] = vectors.builder.fmul(tile[i, j], reciprocal)
        vectors.store(tile[i, j], places[i, j])
    for later in range(i + 1, ROWS):
        multiple = vectors.builder.fneg(vectors.spread_from(vectors.place(own, COLUMNS * i + later)))
        for j in _VECTORS:
            tile[later, j] = vectors.multiply_add(multiple, tile[i, j], tile[later, j])


@tile_function
def solve_rows(vectors, triangle, panel, row):
    """Replace ROWS rows from `row` on of a panel by those of the solution X of U' X = panel.

    The rows before them have to be replaced already. `triangle` is the address of ROWS columns of the panels
    of U, whose diagonal, of reciprocals, begins in this row.
    """
    places, tile = _remaining(vectors, triangle, panel, row)
    own = vectors.builder.add(triangle, vectors.builder.mul(row, INT(ITEM * COLUMNS)))
    for i in range(ROWS):
        reciprocal = vectors.spread_from(vectors.place(own, COLUMNS * i + i))
        _eliminate(vectors, i, own, places, tile, reciprocal)


@tile_function
def factor_rows(vectors, columns, panel, row, pivots):
    """Replace ROWS rows from `row` on of a panel by those of its upper Cholesky factor.

    The rows before them have to be replaced already. `columns` is the address of the ROWS columns of the
    panel whose diagonal begins in this row. The diagonal goes to `pivots`, and reciprocals take its place.

    Returns the first of the rows whose pivot is not positive, or ROWS.
    """
    builder = vectors.builder
    places, tile = _remaining(vectors, columns, panel, row)
    own = builder.add(columns, builder.mul(row, INT(ITEM * COLUMNS)))
    root = builder.module.declare_intrinsic("llvm.sqrt", [FLOAT])
    failed = INT(ROWS)
    reciprocals = []
    for i in range(ROWS):
        for j in _VECTORS:
            vectors.store(tile[i, j], places[i, j])
        square = builder.load(vectors.place(own, COLUMNS * i + i), align=ITEM)
        is_first = builder.and_(
            builder.icmp_signed("==", failed, INT(ROWS)),
            builder.not_(builder.fcmp_ordered(">", square, FLOAT(0.0))),
        )
        failed = builder.select(is_first, INT(i), failed)
        pivot = builder.call(root, [square])
        builder.store(pivot, vectors.place(pivots, i), align=ITEM)
        reciprocals.append(builder.fdiv(FLOAT(1.0), pivot))
        _eliminate(vectors, i, own, places, tile, vectors.spread(reciprocals[i]))
    for i, reciprocal in enumerate(reciprocals):
        builder.store(reciprocal, vectors.place(own, COLUMNS * i + i), align=ITEM)
    return failed
