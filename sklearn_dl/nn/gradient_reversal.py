"""Gradient reversal: the identity forwards, minus the gradient backwards."""

from typing import Any

import torch
from torch import Tensor


class _Reversal(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, X: Tensor, coefficient: float) -> Tensor:
        ctx.coefficient = coefficient
        return X.view_as(X)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return gradient.neg() * ctx.coefficient, None


def reverse_gradient(X: Tensor, coefficient: float = 1.0) -> Tensor:
    """X itself, through which gradients flow back times ``-coefficient``.

    What stands behind it learns to lower a loss, and what stands before it learns to raise that loss.

    Parameters
    ----------
    X : Tensor of any shape
        Values that pass.
    coefficient : float, default=1.0
        Larger lets what stands before it work harder against what stands behind. At 0 it learns nothing.

    Returns
    -------
    X : Tensor
        Of the same values.

    References
    ----------
    Ganin et al. (2016), Domain-adversarial training of neural networks, equations 18 and 19.

    Examples
    --------
    >>> import torch
    >>> from sklearn_dl.nn import reverse_gradient
    >>> X = torch.tensor([3.0], requires_grad=True)
    >>> (2 * reverse_gradient(X, coefficient=0.5)).backward()
    >>> X.grad
    tensor([-1.])
    """
    return _Reversal.apply(X, coefficient)
