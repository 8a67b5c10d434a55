"""Losses by name, torch class, instance or function: each becomes a module that returns one loss a row."""

import copy
import math
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sklearn_dl.nn import losses

CLASSIFICATION_LOSSES = ("log_loss",)
REGRESSION_LOSSES = ("squared_error", "absolute_error", "huber", "quantile")


class RowLoss(nn.Module):
    """Loss of each row, shape (n_samples,).

    Parameters
    ----------
    loss : callable
        ``loss(outputs, targets)`` gives one loss a row, or one an output, which are averaged over each row.
        A torch loss module must have been made with ``reduction="none"``.
    """

    def __init__(self, loss: Callable[[Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        self.loss = loss

    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        if outputs.shape[-1:] == (1,) and outputs.ndim == targets.ndim + 1 and targets.is_floating_point():
            targets = targets.unsqueeze(-1)
        rows = self.loss(outputs, targets)
        if rows.ndim == 0 or len(rows) != len(outputs):
            raise ValueError(
                "A loss must give one value a row, so that rows can be weighted; "
                f"got shape {tuple(rows.shape)} for {len(outputs)} rows. "
                'Make it with reduction="none", or return the losses before their mean.'
            )
        return rows if rows.ndim == 1 else rows.flatten(1).mean(1)


def make_criterion(
    loss: Any, *, label_smoothing: float = 0.0, quantile: float = 0.5, delta: float = 1.35
) -> RowLoss:
    """Criterion for a loss by name, a torch loss class or instance, or a function of outputs and targets."""
    named: dict[str, Callable[..., Tensor]] = {
        "log_loss": partial(losses.cross_entropy, label_smoothing=label_smoothing),
        "binary_log_loss": partial(_binary_log_loss, label_smoothing=label_smoothing),
        "squared_error": losses.squared_error,
        "absolute_error": losses.absolute_error,
        "huber": partial(losses.huber, delta=delta),
        "quantile": partial(losses.quantile, q=quantile),
    }
    if isinstance(loss, str):
        return RowLoss(named[loss])
    if isinstance(loss, type):
        loss = loss()
    if isinstance(loss, nn.Module):
        loss = copy.deepcopy(loss)
        if hasattr(loss, "reduction"):
            loss.reduction = "none"
    return RowLoss(loss)


def _binary_log_loss(logits: Tensor, target: Tensor, label_smoothing: float) -> Tensor:
    smooth = target * (1 - label_smoothing) + 0.5 * label_smoothing
    return F.binary_cross_entropy_with_logits(logits, smooth, reduction="none").mean(1)


def class_log_probabilities(
    outputs: Tensor, criterion: RowLoss, *, multilabel: bool, label_smoothing: float
) -> Tensor:
    """Logarithms of the probabilities that a module's outputs stand for, given the loss it was trained with.

    Under label smoothing a network learns q = (1 - s) p + s / K, for K classes, in place of the probabilities
    p. This is undone, but for a share of q that keeps p above 0 and in the order of q.
    """
    if isinstance(criterion.loss, nn.NLLLoss):
        return outputs
    if multilabel:
        log_q = torch.stack([F.logsigmoid(outputs), F.logsigmoid(-outputs)], dim=-1)
    else:
        log_q = outputs.log_softmax(-1)
    if label_smoothing > 0:
        least = 0.01 * log_q.exp()
        sharp = log_q.exp() - label_smoothing / log_q.shape[-1]
        log_q = torch.where(sharp > least, sharp.clamp_min(0).log(), log_q + math.log(0.01))
        log_q = log_q.log_softmax(-1)
    return log_q[..., 0] if multilabel else log_q
