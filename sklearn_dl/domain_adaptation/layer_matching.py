"""Deep methods that bring the values of layers, over the rows of both domains, to one distribution."""

from abc import abstractmethod

import torch
from torch import Tensor

from sklearn_dl._base.devices import no_autocast
from sklearn_dl.domain_adaptation.adapted_network import AdaptedNetwork, Seen
from sklearn_dl.domain_adaptation.deep_base import DeepAdapter
from sklearn_dl.domain_adaptation.domain_batches import DomainBatch


class LayerMatcher(DeepAdapter):
    """Adds the distances of the two domains in each of `layers`."""

    @abstractmethod
    def _distance(self, source: Tensor, target: Tensor) -> Tensor:
        """Distance of values of shapes (n_source, width) and (n_target, width)."""

    def _transfer_loss(
        self, module: AdaptedNetwork, source: Seen, target: Seen, batch: DomainBatch
    ) -> tuple[Tensor, Tensor]:
        with no_autocast():  # which would round squared distances of rows to 3 digits
            layers = [map(_at_least_float32, seen.layers) for seen in (source, target)]
            distance = torch.stack([self._distance(*pair) for pair in zip(*layers, strict=True)]).sum()
        return self._transfer_factor() * distance, distance


def _at_least_float32(values: Tensor) -> Tensor:
    return values.to(torch.promote_types(values.dtype, torch.float32))
