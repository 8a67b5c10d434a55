"""Weights of modules and moments of optimizers: copied, averaged, and as numpy arrays."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn


class RunningAverage:
    """Module with the exponential moving average of another's weights and buffers.

    Parameters
    ----------
    module : torch.nn.Module
        Whose weights are averaged; copied.
    decay : float
        Share of the average that an update keeps, in [0, 1).
    n_averaged : int, default=0
        Updates that the weights of `module` already average. With none, the first update copies the weights.
    """

    def __init__(self, module: nn.Module, decay: float, n_averaged: int = 0) -> None:
        averaged = AveragedModel(module, multi_avg_fn=get_ema_multi_avg_fn(decay), use_buffers=True)
        averaged.n_averaged += n_averaged
        self.update = averaged.update_parameters
        self.module: nn.Module = averaged.module


def copied(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Copy of a state dict."""
    return {name: value.clone() for name, value in state.items()}


def to_arrays(state: Mapping[str, Any]) -> dict[str, Any]:
    """State dict with arrays in place of tensors; anything else, such as a count of steps, as it is."""
    return {
        name: value.detach().cpu().numpy().copy() if isinstance(value, Tensor) else value
        for name, value in state.items()
    }


def to_tensors(state: Mapping[str, Any]) -> dict[str, Any]:
    """The way back from :func:`to_arrays`."""
    return {
        name: torch.from_numpy(value.copy()) if isinstance(value, np.ndarray) else value
        for name, value in state.items()
    }


def optimizer_arrays(optimizer: torch.optim.Optimizer) -> dict[str, dict[str, Any]]:
    """Moments of an optimizer by the index of their parameter; one that had no gradient has none."""
    moments = optimizer.state_dict()["state"]
    return {str(index): to_arrays(row) for index, row in moments.items()}


def load_optimizer_arrays(optimizer: torch.optim.Optimizer, moments: Mapping[str, Mapping[str, Any]]) -> None:
    """Give an optimizer the moments that :func:`optimizer_arrays` took from one like it."""
    rows = {int(index): to_tensors(row) for index, row in moments.items()}
    optimizer.load_state_dict({**optimizer.state_dict(), "state": rows})
