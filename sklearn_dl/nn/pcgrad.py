"""Gradient surgery: losses of several terms whose gradients oppose each other."""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn


class PCGrad:
    """Writes the gradient of a sum of losses, without the parts of each that oppose another.

    The gradient of each term is projected, for the others in random order, onto the plane at right angles to
    the gradient of any that it has a negative inner product with; then they are added up. Projected are the
    parameters that every term reaches; others get the plain sum.

    Parameters
    ----------
    parameters : iterable of torch.nn.Parameter
        Those that receive gradients. Ones that need none are left out.

    References
    ----------
    Yu et al. (2020), Gradient surgery for multi-task learning, algorithm 1.

    Examples
    --------
    >>> import torch
    >>> from sklearn_dl.nn import PCGrad
    >>> weight = torch.nn.Parameter(torch.zeros(2))
    >>> losses = [weight @ torch.tensor([1.0, 0.0]), weight @ torch.tensor([-1.0, 1.0])]
    >>> PCGrad([weight]).backward(losses)
    >>> weight.grad
    tensor([0.5000, 1.5000])
    """

    def __init__(self, parameters: Iterable[nn.Parameter]) -> None:
        self.parameters = [parameter for parameter in parameters if parameter.requires_grad]

    def backward(self, losses: Sequence[Tensor]) -> None:
        """Replace the ``grad`` of the parameters by the combined gradient of the losses.

        Parameters
        ----------
        losses : sequence of Tensor of shape ()
            The terms. The order of projections is drawn from torch's random state; with two terms it plays
            no part.

        Raises
        ------
        ValueError
            If there are no losses, or one of them is no single number.
        """
        if not losses or any(loss.numel() != 1 for loss in losses):
            shapes = [tuple(loss.shape) for loss in losses]
            raise ValueError(
                f"PCGrad needs one or more losses of a single number each; got shapes {shapes}. "
                "Average each over its rows first."
            )
        gradients = [
            torch.autograd.grad(loss, self.parameters, retain_graph=i + 1 < len(losses), allow_unused=True)
            for i, loss in enumerate(losses)
        ]
        shared = []
        for p, parts in enumerate(zip(*gradients, strict=True)):
            given = [part for part in parts if part is not None]
            self.parameters[p].grad = torch.stack(given).sum(0) if given else None
            if len(given) == len(parts):
                shared.append(p)
        self._project(shared, gradients)

    def _project(self, shared: list[int], gradients: Sequence[tuple[Tensor | None, ...]]) -> None:
        """Overwrite the gradients of the parameters of the given indices."""
        if not shared or len(gradients) == 1:
            return
        kept: list[list[Tensor]] = [[term[p] for p in shared] for term in gradients]  # type: ignore[misc]
        flat = [torch.cat([part.reshape(-1) for part in term]) for term in kept]
        total = torch.stack(project_conflicts(flat)).sum(0)
        sizes = [self.parameters[p].numel() for p in shared]
        for p, part in zip(shared, total.split(sizes), strict=True):
            self.parameters[p].grad = part.view_as(self.parameters[p])


def project_conflicts(gradients: Sequence[Tensor]) -> list[Tensor]:
    """Each gradient without what opposes the others.

    Parameters
    ----------
    gradients : sequence of Tensor of shape (n,)

    Returns
    -------
    projected : list of Tensor of shape (n,)
    """
    projected = []
    for i, gradient in enumerate(gradients):
        for j in torch.randperm(len(gradients), device="cpu").tolist():
            if i == j:
                continue
            other = gradients[j]
            length = other.dot(other).clamp_min(torch.finfo(other.dtype).tiny)
            gradient = gradient - (gradient.dot(other).clamp_max(0) / length) * other
        projected.append(gradient)
    return projected
