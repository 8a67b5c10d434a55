"""Optimizers: names become torch optimizers, with weight decay on weights alone."""

import inspect
from typing import Any

import torch
from torch import nn

from sklearn_dl.nn import split_decay

OPTIMIZERS: dict[str, type[torch.optim.Optimizer]] = {
    "sgd": torch.optim.SGD,
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "rmsprop": torch.optim.RMSprop,
    "adagrad": torch.optim.Adagrad,
}


def make_optimizer(
    optimizer: str | type[torch.optim.Optimizer],
    module: nn.Module,
    *,
    owner: str,
    lr: float,
    weight_decay: float,
    momentum: float,
    nesterov: bool,
) -> torch.optim.Optimizer:
    """Optimizer over the trained parameters of `module`; those that decay are a group of their own.

    `weight_decay`, `momentum` and `nesterov` reach the optimizers that have them. Fused kernels are used
    where the optimizer has them. `owner` is named in errors.
    """
    optimizer_class = OPTIMIZERS[optimizer] if isinstance(optimizer, str) else optimizer
    if issubclass(optimizer_class, torch.optim.LBFGS):
        raise ValueError(
            f"{owner}: optimizer must step once a batch; LBFGS calls the loss several times a step."
        )
    known = inspect.signature(optimizer_class).parameters
    options: dict[str, Any] = {"lr": lr}
    if "fused" in known:
        options["fused"] = True
    if "momentum" in known and optimizer_class is not torch.optim.RMSprop:
        options["momentum"] = momentum
    if "nesterov" in known:
        options["nesterov"] = nesterov and momentum > 0
    decay, no_decay = split_decay(module)
    if not decay and not no_decay:
        raise ValueError(f"{owner}: module has no trained parameters, so there is nothing to fit.")
    if "weight_decay" in known:
        options["weight_decay"] = weight_decay
    if options.get("weight_decay", 0.0) == 0:
        return optimizer_class([*decay, *no_decay], **options)
    groups: list[dict[str, Any]] = [{"params": decay}, {"params": no_decay, "weight_decay": 0.0}]
    return optimizer_class([group for group in groups if group["params"]], **options)
