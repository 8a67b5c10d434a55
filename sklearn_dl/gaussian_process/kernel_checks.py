"""What a kernel must be to stand for a process on the rows at hand."""

from typing import Any

import numpy as np
from sklearn.gaussian_process.kernels import RBF, CompoundKernel, Kernel


def require_kernel_for(kernel: Kernel, X: Any, owner: str) -> None:
    """Refuse a kernel of several values for a pair of rows, or of length scales for other features.

    Raises
    ------
    ValueError
        If there is a CompoundKernel in it, or an RBF or Matern has another number of length scales than X has
        features.
    """
    for part in (kernel, *kernel.get_params().values()):
        if isinstance(part, CompoundKernel):
            raise ValueError(
                f"{owner}: kernel cannot be a CompoundKernel, nor hold one, as it has several values for a "
                f"pair of rows; got {kernel}. Give the kernel of one process."
            )
        if isinstance(part, RBF) and part.anisotropic and np.size(part.length_scale) != X.shape[1]:
            raise ValueError(
                f"{owner}: Anisotropic kernel must have the same number of dimensions as data "
                f"({np.size(part.length_scale)}!={X.shape[1]}); got {part}. Give it one length scale, or one "
                "for each feature of X."
            )
