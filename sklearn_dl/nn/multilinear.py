"""Products of two vectors a row, all of them or random combinations."""

import torch
from torch import Tensor, nn


class RandomMultilinear(nn.Module):
    """Random combinations of the products of an entry of one vector and an entry of another.

    Entry k of the result is (R f)_k (S g)_k / sqrt(d) for vectors f and g and d entries, with R and S of
    standard normal entries, drawn once and never trained. So the inner product of two results is, on average
    over R and S, that of the two vectors of all products, off by about a 1 / sqrt(d)-th of their lengths.

    Parameters
    ----------
    n_left, n_right : int
        Lengths of f and g.
    n_outputs : int, default=1024
        Length d of the result. Larger is closer to all products, and costs more.

    References
    ----------
    Long, Cao, Wang, Jordan (2018), Conditional adversarial domain adaptation, section 3.2.

    Examples
    --------
    >>> import torch
    >>> from sklearn_dl.nn import RandomMultilinear
    >>> RandomMultilinear(n_left=300, n_right=20, n_outputs=64)(torch.ones(5, 300), torch.ones(5, 20)).shape
    torch.Size([5, 64])
    """

    left: Tensor
    right: Tensor

    def __init__(self, n_left: int, n_right: int, n_outputs: int = 1024) -> None:
        super().__init__()
        self.register_buffer("left", torch.randn(n_outputs, n_left))
        self.register_buffer("right", torch.randn(n_outputs, n_right) / n_outputs**0.5)

    def forward(self, left: Tensor, right: Tensor) -> Tensor:
        """Rows of shapes (n_samples, n_left) and (n_samples, n_right) to (n_samples, n_outputs)."""
        return (left @ self.left.t()) * (right @ self.right.t())


def all_products(left: Tensor, right: Tensor) -> Tensor:
    """Products of each entry of `right` with each of `left`, shape (n_samples, n_right * n_left)."""
    return (right[:, :, None] * left[:, None, :]).flatten(1)
