"""What a kernel and its hyper-parameters must be to stand for a process on the rows at hand."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
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


def read_theta(theta: Any, eval_gradient: bool, lengths: Sequence[int], owner: str) -> np.ndarray | None:
    """Theta as an array of one of the lengths, the last of which is that of the fit; None stays None.

    Raises
    ------
    ValueError
        If theta has another shape, or the gradient is asked for without theta.
    """
    if theta is None:
        if eval_gradient:
            raise ValueError(
                f"{owner}.log_marginal_likelihood: Gradient can only be evaluated for theta!=None. Give "
                "kernel_.theta for that of the fit."
            )
        return None
    theta, shapes = np.asarray(theta, dtype=np.float64), [(length,) for length in dict.fromkeys(lengths)]
    if theta.shape not in shapes:
        raise ValueError(
            f"{owner}.log_marginal_likelihood: theta must have shape {' or '.join(map(str, shapes))}, as "
            f"kernel_.theta has; got {theta.shape}."
        )
    return theta


def _parts(kernel: Kernel) -> Iterator[Any]:
    """The kernel, those it is made of, and their parameters."""
    yield kernel
    yield from kernel.get_params().values()
