"""One formula for numpy and torch: which kind an array is, and moving between them."""

import subprocess
import sys

import numpy as np
import pytest
import torch

from sklearn_dl._base.arrays import is_tensor, move_like, namespace, to_host


def test_asking_for_the_kind_of_an_array_imports_no_torch():
    code = (
        "import sys, numpy as np; from sklearn_dl._base.arrays import *;"
        "from sklearn_dl._base.arrays import is_tensor, namespace;"
        "assert not is_tensor(np.ones(2)) and namespace(np.ones(2)) is np and 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_single_tensor_makes_the_namespace_torch():
    assert namespace(np.ones(2), torch.ones(2)) is torch
    assert namespace(np.ones(2)) is np


def test_a_tensor_with_a_graph_comes_to_the_host_without_it():
    tensor = torch.ones(2, requires_grad=True)
    np.testing.assert_array_equal(to_host(tensor), [1, 1])


@pytest.mark.parametrize(
    "array", [np.arange(3.0)[::-1], np.broadcast_to(1.0, (2, 2)), np.asfortranarray(np.eye(3))]
)
def test_any_layout_of_memory_becomes_a_tensor_without_a_warning(array, recwarn):
    moved = move_like(array, torch.zeros(1, dtype=torch.float32))
    assert moved.dtype == torch.float32
    np.testing.assert_array_equal(moved.numpy(), array)
    assert not recwarn.list


def test_moving_keeps_the_dtype_only_when_asked():
    codes = np.arange(3)
    assert move_like(codes, torch.zeros(1), keep_dtype=True).dtype == torch.int64
    assert move_like(codes, torch.zeros(1)).dtype == torch.float32
    assert move_like(torch.arange(3), np.zeros(1)).dtype == np.float64


def test_what_is_already_alike_is_not_copied():
    array, tensor = np.ones(2), torch.ones(2)
    assert move_like(array, np.zeros(1)) is array
    assert move_like(tensor, torch.zeros(1)).data_ptr() == tensor.data_ptr()
    assert is_tensor(tensor)
