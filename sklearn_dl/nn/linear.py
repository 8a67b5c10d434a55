"""Dense layers, and products of matrices by the library that is fastest for them."""

from typing import Any

import torch
from torch import Tensor, nn

from sklearn_dl.nn.hooks import is_backward_transformed, is_transformed


class Linear(nn.Linear):
    """The layer of torch, trained with products of :func:`matrix_product`.

    In evaluation mode its outputs are those of torch, bit for bit, whatever the number of rows.
    """

    def forward(self, X: Tensor) -> Tensor:
        """Rows of shape (..., in_features) to (..., out_features)."""
        if self.training and torch.is_grad_enabled() and self._gains(X):
            return _LinearFunction.apply(X, self.weight, self.bias)
        return super().forward(X)

    def _gains(self, X: Tensor) -> bool:
        return X.ndim == 2 and prefers_onednn(X, self.weight) and not is_transformed()


class _LinearFunction(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, X: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(X, weight)
        return matrix_product(X, weight.t(), bias)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        X, weight = ctx.saved_tensors
        wanted = ctx.needs_input_grad
        product = torch.mm if is_backward_transformed(gradient) else matrix_product
        return (
            product(gradient, weight) if wanted[0] else None,
            product(gradient.t(), X) if wanted[1] else None,
            gradient.sum(0) if wanted[2] else None,
        )


def matrix_product(a: Tensor, b: Tensor, bias: Tensor | None = None) -> Tensor:
    """Product a @ b, plus `bias`; without gradient."""
    if prefers_onednn(a, b):
        return torch.ops.mkldnn._linear_pointwise(a, b.t(), bias, "none", [], "")
    return torch.mm(a, b) if bias is None else torch.addmm(bias, a, b)


# torch multiplies float32 matrices with MKL, which leaves AVX-512 unused on AMD processors. oneDNN, which
# torch holds too, halves the time there. Below 2^21 multiplications its longer call costs more than it saves.
_HAS_ONEDNN = (
    torch.backends.mkldnn.is_available()
    and torch.backends.cpu.get_cpu_capability().startswith("AVX512")
    and hasattr(torch.ops.mkldnn, "_linear_pointwise")
)


def prefers_onednn(a: Tensor, b: Tensor) -> bool:
    """Whether the product of `a` and `b`, or of `a` and its transpose, is better left to oneDNN."""
    return (
        _HAS_ONEDNN
        and a.shape[0] * b.numel() >= 1 << 21
        and a.dtype == b.dtype == torch.float32
        and a.device.type == "cpu"
    )
