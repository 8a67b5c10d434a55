"""Batch normalisation, pooling and ReLU as one operation, where compiled loops for it are the fastest way."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sklearn_dl.nn.hooks import has_hooks, is_backward_transformed, is_transformed


def norm_pool_relu(X: Tensor, norm: nn.BatchNorm2d, pool: nn.MaxPool2d, relu: nn.ReLU) -> Tensor:
    """``relu(pool(norm(X)))``, up to rounding; in one pass over the images where :func:`fuses` says so.

    Parameters
    ----------
    X : Tensor of shape (n_samples, channels, height, width)
    norm : torch.nn.BatchNorm2d
        Its running statistics are updated as it would.
    pool : torch.nn.MaxPool2d
    relu : torch.nn.ReLU

    Returns
    -------
    pooled : Tensor of shape (n_samples, channels, height // 2, width // 2)

    References
    ----------
    Ioffe, Szegedy (2015), Batch normalization, algorithm 1.
    """
    if not fuses(X, norm, pool, relu):
        return relu(pool(norm(X)))
    statistics = X.new_empty(3, norm.num_features)
    pooled = _NormPoolReLU.apply(X, norm.weight, norm.bias, norm.eps, statistics)
    if norm.track_running_stats:
        track(norm, statistics[0], statistics[1], X.numel() // norm.num_features)
    return pooled


# torch takes five passes over the images for what is done in two here, but shares them among its threads.
_MAX_THREADS = 4
# Below, the few dozen microseconds that are saved do not repay the compilation.
_LEAST_SIZE = 1 << 17


def fuses(X: Tensor, norm: nn.BatchNorm2d, pool: nn.MaxPool2d, relu: nn.ReLU) -> bool:
    """Whether the three layers are computed as one: of images that `suits`, by layers that `are_plain`."""
    return (
        suits(X, X.numel())
        and X.ndim == 4
        and X.is_contiguous(memory_format=torch.channels_last)
        and are_plain(norm, pool, relu)
    )


def suits(X: Tensor, size: int) -> bool:
    """Whether X is float32 on the CPU, many values are normalised, and threads are few."""
    return (
        size >= _LEAST_SIZE
        and X.device.type == "cpu"
        and X.dtype == torch.float32
        and not is_transformed()
        and torch.get_num_threads() <= _MAX_THREADS
    )


def are_plain(norm: nn.BatchNorm2d, pool: nn.MaxPool2d, relu: nn.ReLU, *others: nn.Module) -> bool:
    """Whether the layers are torch's own, train, pool 2 x 2 pixels, and they and the others have no hooks."""
    return (
        type(norm) is nn.BatchNorm2d
        and norm.training
        and norm.weight is not None
        and type(pool) is nn.MaxPool2d
        and all(value in (2, (2, 2)) for value in (pool.kernel_size, pool.stride))
        and (pool.padding, pool.dilation, pool.ceil_mode, pool.return_indices) == (0, 1, False, False)
        and type(relu) is nn.ReLU
        and not any(has_hooks(module) for module in (norm, pool, relu, *others))
    )


@torch.no_grad()
def track(norm: nn.BatchNorm2d, mean: Tensor, variance: Tensor, n_pixels: int) -> None:
    """Move the running statistics as torch does, with the unbiased variance."""
    if norm.running_mean is None or norm.running_var is None or norm.num_batches_tracked is None:
        return
    norm.num_batches_tracked.add_(1)
    share = 1 / float(norm.num_batches_tracked) if norm.momentum is None else norm.momentum
    norm.running_mean.lerp_(mean, share)
    norm.running_var.lerp_(variance * (n_pixels / (n_pixels - 1)), share)


class _NormPoolReLU(torch.autograd.Function):
    """From images, weight and bias; `statistics` are written."""

    @staticmethod
    def forward(ctx: Any, X: Tensor, weight: Tensor, bias: Tensor, eps: float, statistics: Tensor) -> Tensor:
        from sklearn_dl.nn.norm_pool_kernels import normalize_and_pool

        n, depth, height, width = X.shape
        pooled, winners, places = (
            X.new_empty((n, height // 2, width // 2, depth), dtype=dtype)
            for dtype in (torch.float32, torch.float32, torch.uint8)
        )
        written: Any = [tensor.numpy() for tensor in (statistics, pooled, winners, places)]
        normalize_and_pool(_pixels(X), weight.detach().numpy(), bias.detach().numpy(), eps, *written)
        pooled = pooled.permute(0, 3, 1, 2)
        ctx.save_for_backward(X, weight, bias, pooled)
        ctx.eps, ctx.written = eps, written
        return pooled

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        X, weight, bias, _ = ctx.saved_tensors
        if is_backward_transformed(gradient):
            with torch.enable_grad():
                normalized = F.batch_norm(X, None, None, weight, bias, training=True, eps=ctx.eps)
                pooled = F.relu(F.max_pool2d(normalized, 2))
            return *gradients_by_autograd(pooled, (X, weight, bias), gradient), None, None
        from sklearn_dl.nn.norm_pool_kernels import differentiate

        of_X, of_parameters = torch.empty_like(X), X.new_empty(2, len(weight))
        arriving = _pixels(gradient.contiguous(memory_format=torch.channels_last))
        given = (_pixels(X), weight.detach().numpy(), *ctx.written, arriving)
        arrays: Any = (*given, _pixels(of_X), of_parameters.numpy())
        differentiate(*arrays)
        return of_X, *of_parameters, None, None


def gradients_by_autograd(
    outputs: Tensor, inputs: tuple[Tensor | None, ...], gradient: Tensor
) -> list[Tensor | None]:
    """Gradients of the inputs, which can be differentiated if enabled; None of those that want none."""
    wanted = [tensor for tensor in inputs if tensor is not None and tensor.requires_grad]
    found = iter(torch.autograd.grad(outputs, wanted, gradient, create_graph=torch.is_grad_enabled()))
    return [next(found) if tensor is not None and tensor.requires_grad else None for tensor in inputs]


def _pixels(images: Tensor) -> Any:
    """Array of shape (n_samples, height, width, channels) on the same memory."""
    return images.detach().permute(0, 2, 3, 1).numpy()
