"""Losses that compare two sets of features, or ask predictions for unlabelled rows to be certain."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor


def coral_loss(source: Tensor, target: Tensor) -> Tensor:
    """Squared Frobenius distance of the covariances, divided by 4 d^2 for d features.

    Parameters
    ----------
    source, target : Tensor of shape (n_source, d) and (n_target, d)
        Of at least 2 rows each.

    Returns
    -------
    loss : Tensor of shape ()

    Raises
    ------
    ValueError
        If the shapes do not match.

    References
    ----------
    Sun, Saenko (2016), Deep CORAL, equations 1 to 3.
    """
    _check_features("coral_loss", source, target)
    return (_covariance(source) - _covariance(target)).square().mean() / 4


def multi_kernel_mmd(
    source: Tensor,
    target: Tensor,
    bandwidths: Sequence[float] = (0.25, 0.5, 1.0, 2.0, 4.0),
    weigh: Callable[[Tensor, int], Tensor] | None = None,
) -> Tensor:
    """Squared maximum mean discrepancy under a mixture of Gaussian kernels of several widths.

    The kernels are exp(-distance^2 / (b m)) for each factor b and the mean squared distance m of all pairs of
    different rows, which no gradient flows through. All pairs of rows count, a row and itself too, so the
    estimate is biased and at least 0.

    Parameters
    ----------
    source, target : Tensor of shape (n_source, d) and (n_target, d)
        Of at least 2 rows each.
    bandwidths : sequence of float, default=(0.25, 0.5, 1.0, 2.0, 4.0)
        Factors on the mean squared distance, above 0.
    weigh : callable, default=None
        ``weigh(kernels, n_source)`` gives the weights of the kernels in the mixture, from their matrices of
        shape (n_kernels, n_source + n_target, n_source + n_target), source rows first, without gradient. None
        weighs all alike.

    Returns
    -------
    loss : Tensor of shape ()

    Raises
    ------
    ValueError
        If the shapes do not match.

    References
    ----------
    Long et al. (2015), Learning transferable features with deep adaptation networks, section 3.1. Gretton et
    al. (2012), A kernel two-sample test, equation 5.
    """
    _check_features("multi_kernel_mmd", source, target)
    return _MultiKernelMMD.apply(torch.cat([source, target]), len(source), tuple(bandwidths), weigh)


class _MultiKernelMMD(torch.autograd.Function):
    """Discrepancy of the first `n_source` rows and the others; its gradient is known with its value."""

    @staticmethod
    def forward(
        ctx: Any,
        rows: Tensor,
        n_source: int,
        bandwidths: tuple[float, ...],
        weigh: Callable[[Tensor, int], Tensor] | None,
    ) -> Tensor:
        distances = _squared_distances(rows)
        n, n_kernels = len(rows), len(bandwidths)
        mean = (distances.sum() / (n * (n - 1))).clamp_min(torch.finfo(rows.dtype).tiny)
        rates = -1 / (rows.new_tensor(bandwidths) * mean)
        kernels = (rates[:, None, None] * distances).exp_()
        equal = rows.new_full((n_kernels,), 1 / n_kernels)
        weights = equal if weigh is None else weigh(kernels, n_source).to(kernels)
        shares = rows.new_full((n,), 1 / n_source)
        shares[n_source:] = -1 / (n - n_source)
        kernel, slopes = torch.tensordot(torch.stack([weights, weights * rates]), kernels, dims=1)
        # The pair of rows i and j has slope s_ij along its squared distance, so row i moves with
        # 4 sum_j s_ij (x_i - x_j).
        slopes.mul_(shares).mul_(4 * shares[:, None])
        gradient = torch.addmm(slopes.sum(1, keepdim=True) * rows, slopes, rows, alpha=-1)
        ctx.save_for_backward(rows, gradient, rates, weights, shares)
        return shares @ kernel @ shares

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None]:
        rows, of_rows, rates, weights, shares = ctx.saved_tensors
        if torch.is_grad_enabled():  # for gradients of gradients
            kernels = torch.exp(rates[:, None, None] * _squared_distances(rows))
            value = shares @ torch.tensordot(weights, kernels, dims=1) @ shares
            (of_rows,) = torch.autograd.grad(value, rows, create_graph=True)
        return gradient * of_rows, None, None, None


def class_confusion(logits: Tensor, temperature: float = 2.5) -> Tensor:
    """Share of the probability that pairs of different classes have in common, on average over the classes.

    Rows that are more certain weigh more; no gradient flows through their weights.

    Parameters
    ----------
    logits : Tensor of shape (n_samples, n_classes)
    temperature : float, default=2.5
        Divides the logits. Larger counts the smaller probabilities more.

    Returns
    -------
    loss : Tensor of shape ()
        From 0, where every row is certain, to (n_classes - 1) / n_classes.

    References
    ----------
    Jin et al. (2020), Minimum class confusion for versatile domain adaptation, equations 2 to 6.
    """
    p = (logits / temperature).softmax(1)
    weight = certainty(p)
    confusion = (p * weight[:, None]).t() @ p
    confusion = confusion / confusion.sum(1, keepdim=True)
    return (confusion.sum() - confusion.trace()) / logits.shape[1]


def certainty(probabilities: Tensor) -> Tensor:
    """Weight 1 + exp(-entropy) of each row, divided by their mean; without gradient.

    Parameters
    ----------
    probabilities : Tensor of shape (n_samples, n_classes)

    Returns
    -------
    weight : Tensor of shape (n_samples,)

    References
    ----------
    Long et al. (2018), Conditional adversarial domain adaptation, equation 9.
    """
    p = probabilities.detach()
    weight = 1 + torch.exp(torch.special.entr(p).sum(1).neg())
    return weight / weight.mean()


def _covariance(rows: Tensor) -> Tensor:
    centered = rows - rows.mean(0)
    return centered.t() @ centered / (len(rows) - 1)


def _squared_distances(rows: Tensor) -> Tensor:
    squares = rows.square().sum(1)
    distances = torch.addmm(squares, rows, rows.t(), alpha=-2) + squares[:, None]
    return distances.clamp_min_(0).fill_diagonal_(0)


def _check_features(name: str, source: Tensor, target: Tensor) -> None:
    if source.ndim != 2 or target.ndim != 2 or source.shape[1] != target.shape[1]:
        raise ValueError(
            f"{name} needs source and target of shapes (n_source, d) and (n_target, d); "
            f"got {tuple(source.shape)} and {tuple(target.shape)}."
        )
    if min(len(source), len(target)) < 2:
        raise ValueError(f"{name} needs at least 2 rows of each domain; got {len(source)} and {len(target)}.")
