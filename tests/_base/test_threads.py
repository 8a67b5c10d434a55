"""Blocks in several threads: results in order, BLAS on one thread meanwhile and as before afterwards."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import threadpoolctl

from sklearn_dl._base.threads import (
    blas_libraries,
    effective_n_threads,
    map_blocks,
    single_threaded_blas,
)


def n_blas_threads():
    controller = threadpoolctl.ThreadpoolController().select(user_api="blas")
    return {pool["num_threads"] for pool in controller.info()}


@pytest.fixture
def two_blas_threads():
    np.ones((2, 2)) @ np.ones((2, 2))
    with threadpoolctl.threadpool_limits(2, user_api="blas"):
        yield


@pytest.mark.parametrize("n_threads", [1, 3, None])
def test_results_come_in_the_order_of_the_blocks(n_threads):
    assert map_blocks(lambda block: -block, range(7), n_threads) == [0, -1, -2, -3, -4, -5, -6]


def test_threads_run_at_the_same_time():
    together = threading.Barrier(2, timeout=30)
    map_blocks(lambda block: together.wait(), range(2), 2)


def test_one_thread_is_the_callers():
    assert map_blocks(lambda block: threading.get_ident(), range(3), 1) == [threading.get_ident()] * 3


def test_an_error_in_a_block_reaches_the_caller():
    with pytest.raises(ZeroDivisionError):
        map_blocks(lambda block: 1 / block, [1, 0, 1], 2)


@pytest.mark.usefixtures("two_blas_threads")
def test_blas_has_one_thread_within_blocks_and_its_own_number_afterwards():
    before = n_blas_threads()
    assert map_blocks(lambda block: n_blas_threads(), range(2), 2) == [{1}, {1}]
    assert n_blas_threads() == before


def test_blas_gets_its_own_number_back_from_contexts_that_overlap_in_several_threads():
    np.ones((2, 2)) @ np.ones((2, 2))
    before = n_blas_threads()

    def overlap(seconds):
        with single_threaded_blas():
            time.sleep(seconds)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(overlap, [0.05, 0.07, 0.09, 0.05]))
        assert n_blas_threads() == before


def test_the_number_of_threads_is_the_one_scikit_learn_uses():
    with threadpoolctl.threadpool_limits(1):
        assert effective_n_threads() == 1


def test_libraries_of_blas_know_their_threads(two_blas_threads):
    assert {library.num_threads for library in blas_libraries()} == {2}
    with single_threaded_blas():
        assert {library.num_threads for library in blas_libraries()} == {1}
