"""What a kernel must be to stand for a process on the rows at hand."""

from collections.abc import Iterator
from typing import Any

from sklearn.gaussian_process.kernels import RBF, CompoundKernel, Kernel


def require_one_value(kernel: Kernel, owner: str) -> None:
    """Refuse a kernel of several values for a pair of rows.

    Raises
    ------
    ValueError
        If there is a CompoundKernel in it.
    """
    if any(isinstance(part, CompoundKernel) for part in _parts(kernel)):
        raise ValueError(
            f"{owner}: kernel cannot be a CompoundKernel, nor hold one, as it has several values for a pair "
            "of rows. Give the kernel of one process."
        )


def require_length_scales_for(X: Any, kernel: Kernel, owner: str) -> None:
    """Refuse a kernel of length scales for other features.

    Raises
    ------
    ValueError
        If an RBF or Matern in it has several length scales, and not one for each feature of X.
    """
    for part in _parts(kernel):
        if isinstance(part, RBF) and part.anisotropic and len(part.length_scale) != X.shape[1]:
            raise ValueError(
                f"{owner}: Anisotropic kernel must have the same number of dimensions as data "
                f"({len(part.length_scale)}!={X.shape[1]}); got {part}. Give it one length scale, or one for "
                "each feature of X."
            )


def _parts(kernel: Kernel) -> Iterator[Any]:
    """The kernel, those it is made of, and their parameters."""
    yield kernel
    yield from kernel.get_params().values()
