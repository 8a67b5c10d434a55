"""Integer scores of 16 rows for 12 queries, in LLVM's own vectors: numba's loops do not come out as these.

Processors multiply pairs of 16-bit integers and add both products at one go, x86 by vpmaddwd or vpdpwssd: two
to four times the float32 products that BLAS makes in that time. LLVM takes such instructions, or the best of
others, where products at even places are added to those at odd places.
"""

from functools import reduce
from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.extending import intrinsic

TILE_ROWS = 16
TILE_QUERIES = 12

_INT16, _INT32, _INT64 = (ir.IntType(bits) for bits in (16, 32, 64))
_SUMS = ir.VectorType(_INT32, TILE_ROWS)
_PAIRS = ir.VectorType(_INT16, 2 * TILE_ROWS)
_ALL_PRODUCTS = ir.VectorType(_INT32, 2 * TILE_ROWS)


def _score_tile(typing_context, rows, start, queries, threshold, scores):
    """Queries with a score ``start + rows . query`` above their threshold, as bits; all scores if any.

    Sums wrap around at :math:`2^{31}`, so each score has to be below it, and its terms need not.

    Parameters
    ----------
    rows : int16 array of shape (n_pairs, 16, 2)
        Features in pairs: ``rows[j, i]`` holds features 2 j and 2 j + 1 of row i. C-contiguous, as all.
    start : int32 array of shape (16,)
    queries : int16 array of shape (12, n_pairs, 2)
    threshold : int32 array of shape (12,)
    scores : int32 array of shape (12, 16)
        Written to if the answer is not 0.
    """
    signature = types.int64(rows, start, queries, threshold, scores)

    def codegen(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        arrays = [
            context.make_array(kind)(context, builder, value)
            for kind, value in zip(signature.args, values, strict=True)
        ]
        n_pairs = builder.extract_value(arrays[0].shape, 0)
        targets = (_PAIRS, _SUMS, _INT32, _INT32, _SUMS)
        pointers = [
            builder.bitcast(array.data, target.as_pointer())
            for array, target in zip(arrays, targets, strict=True)
        ]
        # 12 sums at a time fill the registers of AVX-512, 6 those of AVX2.
        has_wide_registers = "+avx512bw" in context.codegen().magic_tuple()[2]
        at_a_time = TILE_QUERIES if has_wide_registers else TILE_QUERIES // 2
        sums = []
        for first in range(0, TILE_QUERIES, at_a_time):
            sums += _sums_of_products(builder, pointers, n_pairs, range(first, first + at_a_time))
        return _store_if_any_above(builder, sums, pointers[3], pointers[4])

    return signature, codegen


score_tile: Any = intrinsic(_score_tile)


def _sums_of_products(builder: Any, pointers: list, n_pairs: Any, queries: range) -> list:
    """Emit the loop over pairs of features for some of the queries."""
    rows, start, query_pairs, *_ = pointers
    first = builder.load(start, align=4)
    before, loop, after = builder.block, builder.append_basic_block(), builder.append_basic_block()
    builder.branch(loop)
    builder.position_at_end(loop)
    pair = builder.phi(_INT64)
    pair.add_incoming(_INT64(0), before)
    totals = [builder.phi(_SUMS) for _ in queries]
    row_pairs = builder.load(builder.gep(rows, [pair]), align=2)
    sums = []
    for query, total in zip(queries, totals, strict=True):
        at = builder.add(builder.mul(n_pairs, _INT64(query)), pair)
        query_pair = builder.load(builder.gep(query_pairs, [at]), align=2)
        sums.append(builder.add(total, _added_in_pairs(builder, row_pairs, query_pair)))
    following = builder.add(pair, _INT64(1))
    pair.add_incoming(following, loop)
    for total, new in zip(totals, sums, strict=True):
        total.add_incoming(first, before)
        total.add_incoming(new, loop)
    builder.cbranch(builder.icmp_signed("<", following, n_pairs), loop, after)
    builder.position_at_end(after)
    return sums


def _added_in_pairs(builder: Any, row_pairs: Any, query_pair: Any) -> Any:
    """x[0] q[0] + x[1] q[1] for each of the rows; `query_pair` is both 16-bit values in one of 32."""
    everywhere = builder.bitcast(_repeated(builder, query_pair), _PAIRS)
    products = builder.mul(builder.sext(row_pairs, _ALL_PRODUCTS), builder.sext(everywhere, _ALL_PRODUCTS))
    even, odd = (
        builder.shuffle_vector(products, _ALL_PRODUCTS(ir.Undefined), _SUMS([*range(k, 2 * TILE_ROWS, 2)]))
        for k in (0, 1)
    )
    return builder.add(even, odd)


def _repeated(builder: Any, value: Any) -> Any:
    vector = builder.insert_element(_SUMS(ir.Undefined), value, _INT32(0))
    return builder.shuffle_vector(vector, _SUMS(ir.Undefined), _SUMS([0] * TILE_ROWS))


def _store_if_any_above(builder: Any, sums: list, threshold: Any, scores: Any) -> Any:
    bounds = [builder.load(builder.gep(threshold, [_INT64(query)]), align=4) for query in range(TILE_QUERIES)]
    is_above = [
        builder.bitcast(builder.icmp_signed(">", total, _repeated(builder, bound)), _INT16)
        for total, bound in zip(sums, bounds, strict=True)
    ]
    before, nothing = builder.block, _INT16(0)
    anywhere = builder.icmp_unsigned("!=", reduce(builder.or_, is_above), nothing)
    with builder.if_then(anywhere, likely=False):
        queries = _INT64(0)
        for query, (total, lanes) in enumerate(zip(sums, is_above, strict=True)):
            builder.store(total, builder.gep(scores, [_INT64(query)]), align=4)
            bit = builder.zext(builder.icmp_unsigned("!=", lanes, nothing), _INT64)
            queries = builder.or_(queries, builder.shl(bit, _INT64(query)))
        within = builder.block
    found = builder.phi(_INT64)
    found.add_incoming(_INT64(0), before)
    found.add_incoming(queries, within)
    return found
