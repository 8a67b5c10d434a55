"""Vectors of 16 float32 in compiled code: sums that stay in registers where loops over arrays would not.

A vector is a value of numba like a number. LLVM maps it to one register of AVX-512, or to several smaller
ones.
"""

from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba import extending, types
from numba.core import cgutils

LANES = 16

intrinsic: Any = extending.intrinsic

_INT8, _INT32 = ir.IntType(8), ir.IntType(32)
_FLOATS, _BYTES = ir.VectorType(ir.FloatType(), LANES), ir.VectorType(_INT8, LANES)


class _Vector(types.Type):
    def __init__(self) -> None:
        super().__init__(name="float32x16")


@extending.register_model(_Vector)
class _VectorModel(extending.models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, _FLOATS)


_VECTOR = _Vector()


def _pointer(context: Any, builder: Any, kind: Any, array_and_index: Any, target: Any) -> Any:
    if kind.layout != "C":
        raise TypeError(f"Vectors are read from contiguous arrays alone; got {kind}.")
    array, index = array_and_index
    array = context.make_array(kind)(context, builder, array)
    return builder.bitcast(builder.gep(array.data, [index]), target.as_pointer())


@intrinsic
def load(typing_context, array, index):
    """16 entries of a contiguous float32 array from `index`, counted over all its axes."""

    def lowered(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return builder.load(_pointer(context, builder, signature.args[0], values, _FLOATS), align=4)

    return _VECTOR(array, index), lowered


@intrinsic
def store(typing_context, array, index, vector):
    """Write 16 entries of a contiguous float32 array from `index`, counted over all its axes."""

    def lowered(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        builder.store(values[2], _pointer(context, builder, signature.args[0], values[:2], _FLOATS), align=4)
        return context.get_dummy_value()

    return types.void(array, index, vector), lowered


@intrinsic
def load_bytes(typing_context, array, index):
    """16 entries of a contiguous uint8 array, as float32."""

    def lowered(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        few = builder.load(_pointer(context, builder, signature.args[0], values, _BYTES), align=1)
        return builder.uitofp(few, _FLOATS)

    return _VECTOR(array, index), lowered


@intrinsic
def store_bytes(typing_context, array, index, vector):
    """Write 16 whole numbers from 0 to 255 to a contiguous uint8 array."""

    def lowered(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        few = builder.fptoui(values[2], _BYTES)
        builder.store(few, _pointer(context, builder, signature.args[0], values[:2], _BYTES), align=1)
        return context.get_dummy_value()

    return types.void(array, index, vector), lowered


def _repeated(builder: Any, number: Any) -> Any:
    alone = builder.insert_element(_FLOATS(ir.Undefined), number, _INT32(0))
    mask = ir.Constant(ir.VectorType(_INT32, LANES), [0] * LANES)
    return builder.shuffle_vector(alone, _FLOATS(ir.Undefined), mask)


@intrinsic
def repeat(typing_context, number):
    """The float32 `number` in all places."""

    def lowered(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return _repeated(builder, values[0])

    return _VECTOR(types.float32), lowered


@intrinsic
def add_scaled(typing_context, total, vector, array, index):
    """Add vector * entry `index` of a contiguous float32 array to `total`."""

    def lowered(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        total, vector = values[:2]
        place = _pointer(context, builder, signature.args[2], values[2:], ir.FloatType())
        return _multiply_add(builder, vector, _repeated(builder, builder.load(place)), total)

    return _VECTOR(_VECTOR, _VECTOR, array, index), lowered


@intrinsic
def add_product(typing_context, total, vector, other):
    """Add vector * other to `total`, place by place."""

    def lowered(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        total, vector, other = values
        return _multiply_add(builder, vector, other, total)

    return _VECTOR(_VECTOR, _VECTOR, _VECTOR), lowered


def _multiply_add(builder: Any, a: Any, b: Any, c: Any) -> Any:
    kind = ir.FunctionType(_FLOATS, [_FLOATS] * 3)
    function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.fmuladd.v{LANES}f32")
    return builder.call(function, [a, b, c])


def _binary(name: str) -> Any:
    def lowered(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return getattr(builder, name)(*values)

    @intrinsic
    def of_two(typing_context, vector, other):
        return _VECTOR(_VECTOR, _VECTOR), lowered

    return of_two


add, subtract, multiply = _binary("fadd"), _binary("fsub"), _binary("fmul")


def _chosen(comparison: str) -> Any:
    def lowered(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        left, right, one, other = values
        return builder.select(builder.fcmp_ordered(comparison, left, right), one, other)

    @intrinsic
    def chosen(typing_context, left, right, one, other):
        return _VECTOR(_VECTOR, _VECTOR, _VECTOR, _VECTOR), lowered

    return chosen


# Place by place `one` where the comparison of `left` and `right` holds, which of NaN none does, else `other`.
where_larger, where_equal = _chosen(">"), _chosen("==")
