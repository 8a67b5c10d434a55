"""Tiles of pairs in LLVM's own vectors: numba's loops do not keep that many numbers in registers.

A matrix lies in panels: ``panels[p, t, c]`` is row t, column ``COLUMNS * p + c``, so that one panel is read
from front to end. A tile pairs ROWS columns of one panel with all COLUMNS of another. Its sums over t fill
the vector registers, and each element that is loaded serves ROWS or COLUMNS of them.

References
----------
Goto, van de Geijn (2008), Anatomy of high-performance matrix multiplication.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from inspect import signature
from itertools import product
from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.core import cgutils
from numba.core.registry import cpu_target
from numba.extending import intrinsic

HAS_AVX512 = "+avx512f" in cpu_target.target_context.codegen().magic_tuple()[2].split(",")
LANES = 8 if HAS_AVX512 else 4
ROWS = LANES
COLUMNS = 3 * LANES  # the sums take 24 of 32 registers, or 12 of 16

INT, FLOAT = ir.IntType(64), ir.DoubleType()
LANE = ir.IntType(32)
VECTOR = ir.VectorType(FLOAT, LANES)
ZERO = VECTOR([0.0] * LANES)
PLACES = list(product(range(ROWS), range(COLUMNS // LANES)))  # of the vectors of a tile
ITEM = 8  # bytes of a float64
_KINDS = {"factor": types.float64, "keep": types.boolean}

Tile = dict[tuple[int, int], Any]


def tile_function(emit: Callable) -> Any:
    """Function for numba's code, from one that emits its instructions.

    Arguments are addresses of float64 elements, and integers; `factor` is a number and `keep` a flag.
    """
    names = list(signature(emit).parameters)[1:]
    kinds = types.int64(*(_KINDS.get(name, types.int64) for name in names))

    def lowered(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        result = emit(Vectors(builder), *values)
        return INT(0) if result is None else result

    @wraps(emit)  # whose arguments numba reads
    def typed(*arguments: Any) -> Any:
        return kinds, lowered

    return intrinsic(typed)


class Vectors:
    """Instructions on vectors of LANES numbers."""

    def __init__(self, builder: Any) -> None:
        self.builder = builder

    def place(self, address: Any, *offsets: Any) -> Any:
        """Pointer to the element so many elements after the address."""
        place = self.builder.inttoptr(address, FLOAT.as_pointer())
        for offset in offsets:
            place = self.builder.gep(place, [INT(offset) if isinstance(offset, int) else offset])
        return place

    def tile_places(self, address: Any, stride: Any) -> dict[tuple[int, int], Any]:
        """Pointers to the vectors of a tile whose rows lie so many elements apart."""
        return {(i, j): self.place(address, self.builder.mul(INT(i), stride), LANES * j) for i, j in PLACES}

    def load(self, place: Any, mask: Any = None) -> Any:
        """Vector at a place, with 0 where a mask is not set."""
        place = self.builder.bitcast(place, VECTOR.as_pointer())
        if mask is None:
            return self.builder.load(place, align=ITEM)
        name, kinds = f"masked.load.v{LANES}f64.p0v{LANES}f64", [place.type, LANE, mask.type, VECTOR]
        return self._call(name, VECTOR, kinds, place, LANE(ITEM), mask, ZERO)

    def store(self, vector: Any, place: Any, mask: Any = None) -> None:
        """Write a vector, where a mask is set."""
        place = self.builder.bitcast(place, VECTOR.as_pointer())
        if mask is None:
            self.builder.store(vector, place, align=ITEM)
            return
        kinds = [VECTOR, place.type, LANE, mask.type]
        name = f"masked.store.v{LANES}f64.p0v{LANES}f64"
        self._call(name, ir.VoidType(), kinds, vector, place, LANE(ITEM), mask)

    def fetch(self, place: Any) -> None:
        """Have a line brought into the cache, to be written to."""
        pointer = ir.IntType(8).as_pointer()
        arguments = self.builder.bitcast(place, pointer), LANE(1), LANE(3), LANE(1)
        self._call("prefetch.p0i8", ir.VoidType(), [pointer, LANE, LANE, LANE], *arguments)

    def spread(self, number: Any) -> Any:
        """A number in all lanes."""
        kind = ir.VectorType(number.type, LANES)
        first = self.builder.insert_element(kind(ir.Undefined), number, LANE(0))
        return self.builder.shuffle_vector(first, kind(ir.Undefined), ir.VectorType(LANE, LANES)([0] * LANES))

    def spread_from(self, place: Any) -> Any:
        """The number at a place in all lanes."""
        return self.spread(self.builder.load(place, align=ITEM))

    def multiply_add(self, first: Any, second: Any, third: Any) -> Any:
        """First * second + third, with one rounding where the processor can."""
        return self._call(f"fmuladd.v{LANES}f64", VECTOR, [VECTOR] * 3, first, second, third)

    def row_masks(self, low: Any, high: Any) -> list:
        """Of columns `low` to `high` of a row of a tile, one for each vector."""
        numbers = ir.VectorType(INT, LANES)
        low, high = self.spread(low), self.spread(high)
        lanes = [numbers(list(range(start, start + LANES))) for start in range(0, COLUMNS, LANES)]
        compare = self.builder.icmp_signed
        return [self.builder.and_(compare(">=", lane, low), compare("<", lane, high)) for lane in lanes]

    def for_part(self, low: Any, high: Any, emit: Callable[[dict], None]) -> None:
        """Emit for columns ``low + i`` to `high` of row i of a tile: with masks, or None where all are."""
        builder = self.builder
        from_first = builder.icmp_signed("<=", low, INT(1 - ROWS))
        to_last = builder.icmp_signed(">=", high, INT(COLUMNS))
        with builder.if_else(builder.and_(from_first, to_last)) as (whole, part):
            with whole:
                emit(dict.fromkeys(PLACES))
            with part:
                masks = [self.row_masks(builder.add(low, INT(i)), high) for i in range(ROWS)]
                emit({(i, j): masks[i][j] for i, j in PLACES})

    def add_scaled(self, factor: Any, tile: Tile, places: Tile, low: Any, high: Any, keep: Any) -> None:
        """Add factor times a tile to columns ``low + i`` to `high` of row i, or write it unless `keep`."""
        kept = self.spread(keep)

        def write(masks: dict) -> None:
            for at, place in places.items():
                mask = masks[at]
                before = self.load(place, kept if mask is None else self.builder.and_(kept, mask))
                self.store(self.multiply_add(factor, tile[at], before), place, mask)

        self.for_part(low, high, write)

    @contextmanager
    def steps(self, n_steps: Any, totals: list) -> Iterator[tuple[Any, list, list]]:
        """Loop over rows of panels: yields the offset of a row, totals so far, and a list for the new ones.

        Afterwards the list of totals holds the last ones; with no steps they stay as they are.
        """
        builder = self.builder
        before, loop, after = builder.block, builder.append_basic_block(), builder.append_basic_block()
        builder.cbranch(builder.icmp_signed("<", INT(0), n_steps), loop, after)
        builder.position_at_end(loop)
        step, sums, new = builder.phi(INT), [builder.phi(VECTOR) for _ in totals], []  # type: ignore[var-annotated]
        yield builder.mul(step, INT(COLUMNS)), sums, new
        following = builder.add(step, INT(1))
        step.add_incoming(INT(0), before)
        step.add_incoming(following, loop)
        builder.cbranch(builder.icmp_signed("<", following, n_steps), loop, after)
        builder.position_at_end(after)
        for k, start in enumerate(list(totals)):
            totals[k] = builder.phi(VECTOR)
            for total in (sums[k], totals[k]):
                total.add_incoming(start, before)
                total.add_incoming(new[k], loop)

    def pairs(self, left: Any, right: Any, offset: Any) -> Iterator[tuple[Any, Any]]:
        """The numbers of a tile's pairs in one row: one of the left in all lanes, and LANES of the right."""
        row = [self.load(self.place(right, offset, LANES * j)) for j in range(COLUMNS // LANES)]
        for i in range(ROWS):
            own = self.spread_from(self.place(left, offset, i))
            for partners in row:
                yield own, partners

    def products(self, left: Any, right: Any, n_steps: Any) -> Tile:
        """Sum over the rows of panels of left times right."""
        totals = [ZERO] * len(PLACES)
        with self.steps(n_steps, totals) as (offset, sums, new):
            for (own, partners), total in zip(self.pairs(left, right, offset), sums, strict=True):
                new.append(self.multiply_add(own, partners, total))
        return dict(zip(PLACES, totals, strict=True))

    def _call(self, name: str, result: Any, kinds: list, *arguments: Any) -> Any:
        kind = ir.FunctionType(result, kinds)
        function = cgutils.get_or_insert_function(self.builder.module, kind, f"llvm.{name}")
        return self.builder.call(function, arguments)
