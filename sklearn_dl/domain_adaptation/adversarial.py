"""Deep methods that train a network to tell the domains apart, and features that it cannot tell apart."""

from abc import abstractmethod
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sklearn_dl._base.params import PositiveInt, param
from sklearn_dl.domain_adaptation.adapted_network import AdaptedNetwork, Seen
from sklearn_dl.domain_adaptation.deep_base import DeepAdapter
from sklearn_dl.domain_adaptation.domain_batches import DomainBatch
from sklearn_dl.nn import MLP, reverse_gradient


class AdversarialAdapter(DeepAdapter):
    """Trains a domain head as well; gradients reach the features from it with the sign turned."""

    transfer_schedule: Literal["constant", "sigmoid"] = param(
        default="sigmoid",
        doc="Course of that weight, by which the reversed gradient of the domain head is multiplied, over "
        'the training, of which a share p is done: constant; or "sigmoid", 2 / (1 + exp(-10 p)) - 1 times '
        "it. The domain head itself learns with weight 1 throughout.",
    )
    domain_hidden_layer_sizes: tuple[PositiveInt, ...] = param(
        default=(128,),
        doc="Width of each hidden layer of the network that tells the domains apart; () for a linear one. "
        "Wider ones find finer differences.",
    )

    _attributes = {
        "history_": (
            "list of dict",
            "A row an epoch: epoch, train_loss, lr, dur in seconds; transfer_loss and domain_accuracy, the "
            "loss of the domain head and the share of rows that it names rightly; and with early stopping "
            "valid_loss and valid_score, of held-out source rows.",
        ),
    }

    @abstractmethod
    def _judged(self, seen: Seen) -> Tensor:
        """What the domain head is given, shape (n_samples, width)."""

    def _domain_weight(self, source: Seen, target: Seen) -> Tensor | None:
        """Weight of each row, source before target, in the loss of the domains; None weighs all alike."""
        return None

    def _make_domain_head(self, seen: Seen) -> nn.Module:
        return self._make_head(self._judged(seen).shape[1])

    def _make_head(self, width: int) -> nn.Module:
        return MLP(width, len(self.domains_), self.domain_hidden_layer_sizes, "relu")

    def _transfer_loss(
        self, module: AdaptedNetwork, source: Seen, target: Seen, batch: DomainBatch
    ) -> tuple[Tensor, Tensor]:
        judged = torch.cat([self._judged(source), self._judged(target)])
        logits = module.domain_head(reverse_gradient(judged, self._transfer_factor()))  # type: ignore[misc]
        losses = F.cross_entropy(logits, batch.domain, reduction="none")
        weight = self._domain_weight(source, target)
        loss = losses.mean() if weight is None else (losses * weight).mean()
        self._record("domain_accuracy", (logits.argmax(1) == batch.domain).to(loss.dtype).mean())
        return loss, loss

    def _check_params(self) -> None:
        super()._check_params()
        if self.layers is not None and len(self.layers) != 1:
            raise ValueError(
                f"{type(self).__name__}: layers must name one layer, which the domain head takes; "
                f"got {self.layers!r}."
            )

    def predict_domain(self, X: Any) -> np.ndarray:
        """Domain that the domain head takes each row for.

        Parameters
        ----------
        X : array-like, CSR or data frame of shape (n_samples, ...)
            Rows, read as target rows.

        Returns
        -------
        domain : ndarray of shape (n_samples,)
            Values out of ``domains_``. Where the features of the domains are alike, little better than
            chance.

        Raises
        ------
        NotFittedError
            Before ``fit``.
        ValueError
            If no domains were adapted, or there are several members.
        """
        if not isinstance(self.module_, AdaptedNetwork):
            raise ValueError(
                f"{type(self).__name__}: predict_domain needs a fit on both domains with n_members=1."
            )
        module = self.module_
        head: Any = module.domain_head
        logits = self._forward(X, lambda rows: head(self._judged(module.look(rows))))
        return self.domains_[logits.argmax(1)]
