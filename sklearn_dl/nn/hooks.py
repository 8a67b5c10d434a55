"""Whether somebody listens to a module, which then has to be called as it is."""

from torch import nn


def has_hooks(module: nn.Module) -> bool:
    """Whether hooks are registered on the module itself."""
    return bool(
        module._forward_hooks
        or module._forward_pre_hooks
        or module._backward_hooks
        or module._backward_pre_hooks
    )
