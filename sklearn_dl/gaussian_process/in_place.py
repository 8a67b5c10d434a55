"""Inverse of a triangle where it lies, by BLAS on parts of a matrix, which scipy's wrappers would copy."""

import ctypes
from typing import Any

import numpy as np
from scipy.linalg import cython_blas, cython_lapack

_FEW_ROWS = 64  # below which LAPACK's own loop is as fast
_STEP = 8  # parts start at whole lines of the cache
_ITEM = 8  # bytes of a float64

_name_of = ctypes.pythonapi.PyCapsule_GetName
_name_of.restype, _name_of.argtypes = ctypes.c_char_p, [ctypes.py_object]
_address_in = ctypes.pythonapi.PyCapsule_GetPointer
_address_in.restype, _address_in.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]


def _routine(module: Any, name: str) -> Any:
    """A routine of scipy's BLAS or LAPACK; all arguments are pointers, and it runs without the lock."""
    capsule = module.__pyx_capi__[name]
    signature = _name_of(capsule)
    pointers = [ctypes.c_void_p] * (signature.count(b",") + 1)
    return ctypes.CFUNCTYPE(None, *pointers)(_address_in(capsule, signature))


_dtrmm, _dtrtri = _routine(cython_blas, "dtrmm"), _routine(cython_lapack, "dtrtri")
_ONE, _MINUS_ONE = ctypes.c_double(1.0), ctypes.c_double(-1.0)


def invert_triangle(L: np.ndarray) -> None:
    """Write the inverse of a lower triangle, in Fortran order, over it.

    The diagonal must not hold a 0.
    """
    usable = L.shape == (len(L), len(L)) and L.dtype == np.float64
    if not (usable and L.flags.f_contiguous and L.flags.writeable):
        raise ValueError(
            "The triangle must be a square float64 array in Fortran order that can be written to; got "
            f"shape {L.shape}, {L.dtype}."
        )
    _invert(L.ctypes.data, len(L), len(L))


def _invert(start: int, n_rows: int, stride: int) -> None:
    """By halves, so that nearly all is matrix products: [A 0; C D]^-1 = [A^-1 0; -D^-1 C A^-1  D^-1]."""
    to_stride = ctypes.byref(ctypes.c_int(stride))
    if n_rows <= _FEW_ROWS:
        info = ctypes.byref(ctypes.c_int(0))
        _dtrtri(b"L", b"N", ctypes.byref(ctypes.c_int(n_rows)), start, to_stride, info)
        return
    half = n_rows // 2 // _STEP * _STEP
    corner, last = start + _ITEM * half, start + _ITEM * half * (stride + 1)
    _invert(start, half, stride)
    _invert(last, n_rows - half, stride)
    shape = ctypes.byref(ctypes.c_int(n_rows - half)), ctypes.byref(ctypes.c_int(half))
    for side, factor, triangle in ((b"L", _MINUS_ONE, last), (b"R", _ONE, start)):
        scale = ctypes.byref(factor)
        _dtrmm(side, b"L", b"N", b"N", *shape, scale, triangle, to_stride, corner, to_stride)
