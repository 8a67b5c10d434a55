"""Large arrays whose memory the operating system hands out a few large pages at a time."""

import math

import numpy as np

_HUGE_PAGE = 1 << 21  # bytes, on x86 and mostly on ARM
_LEAST_BYTES = 1 << 18  # from which on a large page comes faster than small ones
_LEAST_ADVISED = 1 << 22  # bytes of an array for which numpy asks Linux for large pages


def empty(*shape: int) -> np.ndarray:
    """Array of float64, not initialized, that starts at a large page if it is large.

    Memory that is new to the process is mapped and cleared when it is first written to. In pages of 4 kB that
    takes a tenth of the time in which a matrix of a thousand rows is factored and inverted.
    """
    n_bytes = math.prod(shape) * np.dtype(np.float64).itemsize
    if n_bytes < _LEAST_BYTES:
        return np.empty(shape)
    whole_pages = -(-n_bytes // _HUGE_PAGE) * _HUGE_PAGE
    room = np.empty(max(whole_pages + _HUGE_PAGE, _LEAST_ADVISED), dtype=np.uint8)
    start = -room.ctypes.data % _HUGE_PAGE
    return room[start : start + n_bytes].view(np.float64).reshape(shape)
