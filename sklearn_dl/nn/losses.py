"""Losses: pure functions on tensors that return one value a row."""

import torch
import torch.nn.functional as F
from torch import Tensor


def cross_entropy(logits: Tensor, target: Tensor, label_smoothing: float = 0.0) -> Tensor:
    """Minus the logarithm of the probability that softmax(logits) gives to the true class.

    Parameters
    ----------
    logits : Tensor of shape (n_samples, n_classes)
    target : Tensor of shape (n_samples,) or (n_samples, n_classes)
        Class indices (int64), or the probabilities of the classes.
    label_smoothing : float, default=0.0
        Share of the target probability, in [0, 1], that is spread evenly over all classes. Larger keeps the
        predicted probabilities away from 0 and 1.

    Returns
    -------
    losses : Tensor of shape (n_samples,)

    Raises
    ------
    ValueError
        If the shapes do not match.

    References
    ----------
    Szegedy et al. (2016), Rethinking the inception architecture for computer vision, section 7.
    """
    check_class_target(logits, target)
    return F.cross_entropy(logits, target, reduction="none", label_smoothing=label_smoothing)


def squared_error(pred: Tensor, target: Tensor) -> Tensor:
    """(pred - target)^2, averaged over the outputs.

    Parameters
    ----------
    pred, target : Tensor of shape (n_samples,) or (n_samples, n_outputs)
        Of one shape.

    Returns
    -------
    losses : Tensor of shape (n_samples,)

    Raises
    ------
    ValueError
        If the shapes differ.
    """
    check_same_shape("squared_error", pred, target)
    return _mean_over_outputs(F.mse_loss(pred, target, reduction="none"))


def absolute_error(pred: Tensor, target: Tensor) -> Tensor:
    """abs(pred - target), averaged over the outputs.

    Parameters
    ----------
    pred, target : Tensor of shape (n_samples,) or (n_samples, n_outputs)
        Of one shape.

    Returns
    -------
    losses : Tensor of shape (n_samples,)

    Raises
    ------
    ValueError
        If the shapes differ.
    """
    check_same_shape("absolute_error", pred, target)
    return _mean_over_outputs(F.l1_loss(pred, target, reduction="none"))


def huber(pred: Tensor, target: Tensor, delta: float = 1.35) -> Tensor:
    """Half the squared error up to an absolute error of `delta`, linear with slope `delta` beyond.

    Parameters
    ----------
    pred, target : Tensor of shape (n_samples,) or (n_samples, n_outputs)
        Of one shape.
    delta : float, default=1.35
        Absolute error, above 0, from which the loss is linear. Smaller trusts large errors less. At 1.35
        standard deviations of normal noise, 95 % of the efficiency of least squares is kept.

    Returns
    -------
    losses : Tensor of shape (n_samples,)
        Averaged over the outputs.

    Raises
    ------
    ValueError
        If the shapes differ.

    References
    ----------
    Huber (1964), Robust estimation of a location parameter, section 2.
    """
    check_same_shape("huber", pred, target)
    return _mean_over_outputs(F.huber_loss(pred, target, reduction="none", delta=delta))


def quantile(pred: Tensor, target: Tensor, q: float = 0.5) -> Tensor:
    """Pinball loss, whose best constant prediction is the `q`-quantile of the targets.

    Parameters
    ----------
    pred, target : Tensor of shape (n_samples,) or (n_samples, n_outputs)
        Of one shape.
    q : float, default=0.5
        Level of the quantile, in (0, 1): the weight of a target above the prediction, against 1 - q below it.

    Returns
    -------
    losses : Tensor of shape (n_samples,)
        Averaged over the outputs.

    Raises
    ------
    ValueError
        If the shapes differ.

    References
    ----------
    Koenker, Bassett (1978), Regression quantiles, equation 2.1.
    """
    check_same_shape("quantile", pred, target)
    above = target - pred
    return _mean_over_outputs(torch.maximum(q * above, (q - 1) * above))


def weighted_mean(losses: Tensor, weight: Tensor | None = None) -> Tensor:
    """sum(weight * losses) / sum(weight).

    Parameters
    ----------
    losses, weight : Tensor of shape (n_samples,)
        Weights are not negative; None weighs all rows alike. If all weights are 0, so are mean and gradient.

    Returns
    -------
    mean : Tensor of shape ()

    Raises
    ------
    ValueError
        If the shapes differ.
    """
    if weight is None:
        return losses.mean()
    if losses.shape != weight.shape:
        raise ValueError(
            "weighted_mean needs one weight a loss, both of shape (n_samples,); "
            f"got losses {tuple(losses.shape)} and weight {tuple(weight.shape)}."
        )
    return (weight * losses).sum() / weight.sum().clamp_min(torch.finfo(weight.dtype).tiny)


def check_class_target(logits: Tensor, target: Tensor) -> None:
    """Raise ValueError unless `target` holds one class index, or the probabilities of all classes, a row."""
    if logits.ndim != 2 or target.shape not in (logits.shape[:1], logits.shape):
        raise ValueError(
            "cross_entropy needs logits of shape (n_samples, n_classes) and as target class indices of shape "
            "(n_samples,) or probabilities of the logits' shape; "
            f"got logits {tuple(logits.shape)} and target {tuple(target.shape)}."
        )


def check_same_shape(name: str, pred: Tensor, target: Tensor) -> None:
    """Raise ValueError if the shapes differ, before broadcasting hides it."""
    if pred.shape != target.shape:
        raise ValueError(
            f"{name} needs pred and target of one shape; got pred {tuple(pred.shape)} and "
            f"target {tuple(target.shape)}. A column of targets is target[:, None]."
        )


def _mean_over_outputs(losses: Tensor) -> Tensor:
    return losses if losses.ndim == 1 else losses.flatten(1).mean(1)
