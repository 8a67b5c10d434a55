"""Several networks side by side, trained at once and averaged."""

import math
from collections.abc import Iterable
from typing import Literal

import torch
from torch import Tensor, nn


class Ensemble(nn.Module):
    """Independent members: stacked outputs while training, their average afterwards.

    The sum of the members' losses has, for each member, the gradient that it would have alone.

    Parameters
    ----------
    members : iterable of torch.nn.Module
        Networks with outputs of one shape, which differ in their initial weights.
    average : {"mean", "probabilities"}, default="mean"
        What is averaged in evaluation mode: the outputs; or the class probabilities, for members that return
        logits of shape (n_samples, n_classes).

    References
    ----------
    Lakshminarayanan, Pritzel, Blundell (2017), Simple and scalable predictive uncertainty estimation using
    deep ensembles, section 2.4.
    """

    def __init__(
        self, members: Iterable[nn.Module], average: Literal["mean", "probabilities"] = "mean"
    ) -> None:
        super().__init__()
        if average not in ("mean", "probabilities"):
            raise ValueError(f"Ensemble: average must be 'mean' or 'probabilities'; got {average!r}.")
        self.members = nn.ModuleList(members)
        if len(self.members) == 0:
            raise ValueError("Ensemble: members must hold at least one module; got none.")
        self.average = average

    def forward(self, X: Tensor) -> Tensor:
        """Outputs of the members, or their average.

        Parameters
        ----------
        X : Tensor of shape (n_samples, ...)

        Returns
        -------
        outputs : Tensor of shape (n_members, n_samples, n_outputs) or (n_samples, n_outputs)
            The first in training mode, the second in evaluation mode. With ``average="probabilities"`` the
            second is the logarithm of the mean probability: again logits, whose softmax is that mean.
        """
        outputs = torch.stack([member(X) for member in self.members])
        if self.training:
            return outputs
        if self.average == "mean":
            return outputs.mean(0)
        return outputs.log_softmax(-1).logsumexp(0) - math.log(len(self.members))
