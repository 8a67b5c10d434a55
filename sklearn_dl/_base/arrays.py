"""Arrays of numpy and of torch: which one is at hand, and how to move between them. Never imports torch."""

import sys
from typing import Any

import numpy as np

Array = Any  # ndarray, CSR or torch tensor, of a real dtype


def is_tensor(array: Any) -> bool:
    """Whether `array` is a torch tensor."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(array, torch.Tensor)


def namespace(*arrays: Array) -> Any:
    """Module whose functions take the arrays: torch if one of them is a tensor, else numpy.

    The two share the names ``exp``, ``log1p``, ``where``, ``abs``, ``sum(x, 0)``, ``maximum``, ``clip``,
    ``sqrt``, ``einsum``, ``linalg`` and many more, so one formula serves both.
    """
    return sys.modules["torch"] if any(map(is_tensor, arrays)) else np


def on_host(data: Any) -> Any:
    """A torch tensor without its graph and device, which numpy cannot read; anything else as it is."""
    return data.detach().cpu() if is_tensor(data) else data


def to_host(array: Array) -> np.ndarray:
    """`array` as an ndarray; an ndarray as it is."""
    return np.asarray(on_host(array))


def move_like(array: Any, like: Array, *, keep_dtype: bool = False) -> Array:
    """`array` as an array of the kind and device of `like`, and of its dtype unless `keep_dtype`.

    Returns `array` itself where it already is one.
    """
    if not is_tensor(like):
        array = to_host(array)
        return array if keep_dtype else array.astype(like.dtype, copy=False)
    torch = namespace(like)
    if not is_tensor(array):
        array = np.asarray(array)
        # A tensor shares the memory of its array, so neither read-only nor negatively strided ones will do.
        array = torch.from_numpy(np.require(array, requirements=["C", "W"]))
    return array.detach().to(device=like.device, dtype=array.dtype if keep_dtype else like.dtype)
