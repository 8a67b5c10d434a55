"""Asking for memory ahead of time, from compiled code."""

from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, overload


def prefetch(array: Any, i: int, j: int = 0) -> None:
    """Have the processor fetch the cache line of ``array[i, j]``, or of ``array[i]`` where there is one axis.

    Rows at random places wait for memory several times as long as they compute, and the processor cannot
    guess where the next one lies. In plain Python this does nothing.

    Parameters
    ----------
    array : ndarray of shape (n,) or (n, m)
        Array to be read soon.
    i, j : int
        Place in it.
    """


@overload(prefetch, inline="always")
def _overload_prefetch(array, i, j=0):
    if array.ndim == 1:
        return lambda array, i, j=0: _prefetch(array, (i,))  # type: ignore[call-arg]
    return lambda array, i, j=0: _prefetch(array, (i, j))  # type: ignore[call-arg]


@intrinsic
def _prefetch(typing_context, array, place):
    def generate(context, builder, signature, arguments):
        array_type, place_type = signature.args
        fields = context.make_array(array_type)(context, builder, arguments[0])
        indices = [
            context.cast(builder, index, index_type, types.intp)
            for index, index_type in zip(cgutils.unpack_tuple(builder, arguments[1]), place_type, strict=True)
        ]
        address = cgutils.get_item_pointer(context, builder, array_type, fields, indices)
        byte_pointer, int32 = ir.IntType(8).as_pointer(), ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [byte_pointer, int32, int32, int32])
        function = builder.module.declare_intrinsic("llvm.prefetch", (byte_pointer,), kind)
        for_reading, keep_close, as_data = int32(0), int32(3), int32(1)
        builder.call(function, [builder.bitcast(address, byte_pointer), for_reading, keep_close, as_data])
        return context.get_dummy_value()

    return types.void(array, place), generate
