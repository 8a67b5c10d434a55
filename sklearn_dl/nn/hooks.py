"""Whether a module has to be called as it is: somebody listens, or torch transforms what is computed."""

import torch
from torch import Tensor, nn
from torch.autograd import forward_ad


def has_hooks(module: nn.Module) -> bool:
    """Whether hooks are registered on the module itself."""
    return bool(
        module._forward_hooks
        or module._forward_pre_hooks
        or module._backward_hooks
        or module._backward_pre_hooks
    )


def is_transformed() -> bool:
    """Whether torch compiles, casts or differentiates forward what is computed, or is in `torch.func`."""
    return (
        torch.compiler.is_compiling()
        or torch.is_autocast_enabled("cpu")
        or torch._C._are_functorch_transforms_active()
        or forward_ad._current_level >= 0
    )


def is_backward_transformed(gradient: Tensor) -> bool:
    """Whether torch differentiates or maps what a backward pass computes from `gradient`."""
    functorch = torch._C._functorch
    return (
        torch.is_grad_enabled()
        or functorch.is_functorch_wrapped_tensor(gradient)
        or functorch.is_legacy_batchedtensor(gradient)
    )
