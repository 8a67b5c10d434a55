"""Threads for kernels that release the interpreter's lock, and for blocks of BLAS calls."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from threading import Lock
from typing import Any, TypeVar

from sklearn.utils._openmp_helpers import _openmp_effective_n_threads
from threadpoolctl import ThreadpoolController

Block = TypeVar("Block")
Result = TypeVar("Result")


def effective_n_threads() -> int:
    """Threads that scikit-learn's own kernels would use: OMP_NUM_THREADS, threadpoolctl and cgroups count."""
    return _openmp_effective_n_threads()


def map_blocks(
    function: Callable[[Block], Result], blocks: Iterable[Block], n_threads: int | None = None
) -> list[Result]:
    """Call `function` on every block in several threads, and return the results in order.

    BLAS runs on one thread meanwhile, because pools that take turns keep waking each other.

    Parameters
    ----------
    function : callable
        Takes a block. Should spend its time outside the interpreter's lock, as BLAS and numba kernels do.
    blocks : iterable
        What the function is called on.
    n_threads : int, default=None
        Threads at most; None means :func:`effective_n_threads`. On 1 all runs in the caller's thread.
    """
    blocks = list(blocks)
    n_threads = min(effective_n_threads() if n_threads is None else n_threads, len(blocks))
    if n_threads <= 1:
        return [function(block) for block in blocks]
    with single_threaded_blas(), ThreadPoolExecutor(n_threads) as pool:
        return list(pool.map(function, blocks))


@contextmanager
def single_threaded_blas(*, when: bool = True) -> Iterator[None]:
    """Context in which BLAS uses one thread; it changes nothing while another such context is open.

    On small matrices threads of BLAS wait for one another longer than they work, and on a busy machine a
    hundred times as long.

    The setting belongs to the process. Were two threads to restore what they found, the second could find
    what the first had set, and leave it behind for good.
    """
    if not when or not _limiting.acquire(blocking=False):
        yield
        return
    try:
        with _controller().limit(limits=1, user_api="blas"):
            yield
    finally:
        _limiting.release()


def blas_libraries() -> list[Any]:
    """Controllers of the libraries of BLAS that are loaded, of threadpoolctl."""
    return [library for library in _controller().lib_controllers if library.user_api == "blas"]


_limiting = Lock()


@cache
def _controller() -> ThreadpoolController:
    return ThreadpoolController()  # looks through the loaded libraries, which takes milliseconds
