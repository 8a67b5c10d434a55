"""The first block of a network on images as one operation, where a convolution has few inputs."""

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sklearn_dl.nn.hooks import is_backward_transformed
from sklearn_dl.nn.norm_pool import are_plain, gradients_by_autograd, norm_pool_relu, suits, track


def conv_norm_pool_relu(
    X: Tensor, conv: nn.Conv2d, norm: nn.BatchNorm2d, pool: nn.MaxPool2d, relu: nn.ReLU
) -> Tensor:
    """``relu(pool(norm(conv(X))))``, up to rounding; as one operation, or two, where that is faster.

    Where patches have few entries and X needs no gradient, the convolution is never stored: its mean and
    variance follow from the covariance of the patches.

    Parameters
    ----------
    X : Tensor of shape (n_samples, channels, height, width)
    conv : torch.nn.Conv2d
    norm : torch.nn.BatchNorm2d
        Its running statistics are updated as it would.
    pool : torch.nn.MaxPool2d
    relu : torch.nn.ReLU

    Returns
    -------
    pooled : Tensor of shape (n_samples, n_outputs, rows // 2, columns // 2)
        Of the rows and columns that the convolution has.
    """
    if not (_is_thin(conv) and _fuses(X, conv, norm, pool, relu)):
        return norm_pool_relu(conv(X), norm, pool, relu)
    statistics = np.empty((3, norm.num_features), np.float32)
    parameters = (conv.weight, conv.bias, norm.weight, norm.bias)
    pooled = _Stem.apply(X, *parameters, conv.padding[0], norm.eps, statistics)
    if norm.track_running_stats:
        rows, columns = _size_after(X, conv)
        mean, variance = torch.from_numpy(statistics[:2])
        track(norm, mean, variance, len(X) * rows * columns)
    return pooled


_MOST_TAPS = 16  # entries of a patch; with more, a convolution that is stored is faster


def _is_thin(conv: nn.Conv2d) -> bool:
    """Whether the layer is a plain convolution of small patches."""
    return (
        type(conv) is nn.Conv2d
        and conv.weight[0].numel() <= _MOST_TAPS
        and conv.kernel_size[0] == conv.kernel_size[1]
        and conv.stride == conv.dilation == (1, 1)
        and conv.groups == 1
        and conv.padding_mode == "zeros"
        and isinstance(conv.padding, tuple)
        and conv.padding[0] == conv.padding[1]
    )


def _fuses(X: Tensor, conv: nn.Conv2d, norm: nn.BatchNorm2d, pool: nn.MaxPool2d, relu: nn.ReLU) -> bool:
    if X.ndim != 4 or X.shape[1] != conv.in_channels or X.requires_grad:
        return False
    rows, columns = _size_after(X, conv)
    size = len(X) * conv.out_channels * rows * columns
    if min(rows, columns) < 2 or not (suits(X, size) and are_plain(norm, pool, relu, conv)):
        return False
    from sklearn_dl.nn.vectors import LANES

    return conv.out_channels % LANES == 0


def _size_after(X: Tensor, conv: nn.Conv2d) -> tuple[int, int]:
    change = 2 * int(conv.padding[0]) - conv.kernel_size[0] + 1
    return X.shape[2] + change, X.shape[3] + change


class _Stem(torch.autograd.Function):
    """From images and the weights and biases of convolution and normalisation; `statistics` are written."""

    @staticmethod
    def forward(
        ctx: Any,
        X: Tensor,
        weight: Tensor,
        conv_bias: Tensor | None,
        norm_weight: Tensor,
        norm_bias: Tensor,
        padding: int,
        eps: float,
        statistics: np.ndarray,
    ) -> Tensor:
        from sklearn_dl.nn.stem_kernels import run_stem

        n, depth, height, width = X.shape
        n_outputs, side = len(weight), weight.shape[2]
        kernel = weight.detach().permute(2, 3, 1, 0).reshape(-1, n_outputs).contiguous().numpy()
        bias = np.zeros(n_outputs, np.float32) if conv_bias is None else conv_bias.detach().numpy()
        given: Any = (kernel, bias, norm_weight.detach().numpy(), norm_bias.detach().numpy(), side, eps)
        padded = np.empty((n, height + 2 * padding, width + 2 * padding, depth), np.float32)
        shape = (n, (padded.shape[1] - side + 1) // 2, (padded.shape[2] - side + 1) // 2, n_outputs)
        patches = np.empty((len(kernel), 1 + n_outputs))
        pooled, places = np.empty(shape, np.float32), np.empty(shape, np.uint8)
        kept: Any = padded, patches, statistics, pooled, places
        run_stem(X.permute(0, 2, 3, 1).contiguous().numpy(), *given, *kept)
        result = torch.from_numpy(pooled).permute(0, 3, 1, 2)
        ctx.save_for_backward(X, weight, conv_bias, norm_weight, norm_bias, result)
        ctx.padding, ctx.eps, ctx.kernel, ctx.kept = padding, eps, kernel, kept
        return result

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        X, weight, conv_bias, norm_weight, norm_bias, _ = ctx.saved_tensors
        if is_backward_transformed(gradient):
            return _by_autograd(ctx, gradient, X, weight, conv_bias, norm_weight, norm_bias)
        from sklearn_dl.nn.stem_kernels import differentiate_stem

        n_outputs, depth, side, _ = weight.shape
        of_kernel, of_norm = X.new_empty(side, side, depth, n_outputs), X.new_empty(2, n_outputs)
        arriving = gradient.permute(0, 2, 3, 1).contiguous().numpy()
        given = (ctx.kernel, side, norm_weight.detach().numpy(), *ctx.kept, arriving)
        arrays: Any = (*given, of_kernel.view(-1, n_outputs).numpy(), of_norm.numpy())
        differentiate_stem(*arrays)
        of_bias = None if conv_bias is None else torch.zeros_like(conv_bias)
        return None, of_kernel.permute(3, 2, 0, 1), of_bias, *of_norm, *[None] * 3


def _by_autograd(
    ctx: Any, gradient: Tensor, X: Tensor, *parameters: Tensor | None
) -> tuple[Tensor | None, ...]:
    weight, conv_bias, norm_weight, norm_bias = parameters
    with torch.enable_grad():
        convolved = F.conv2d(X, weight, conv_bias, padding=ctx.padding)  # type: ignore[arg-type]
        normalized = F.batch_norm(convolved, None, None, norm_weight, norm_bias, training=True, eps=ctx.eps)
        pooled = F.relu(F.max_pool2d(normalized, 2))
    return None, *gradients_by_autograd(pooled, parameters, gradient), *[None] * 3
