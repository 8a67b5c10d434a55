"""Deep methods that bring the values of layers, over the rows of both domains, to one distribution."""

from abc import abstractmethod

import torch
from torch import Tensor

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
        pairs = zip(source.layers, target.layers, strict=True)
        distance = torch.stack([self._distance(*pair) for pair in pairs]).sum()
        return self._transfer_factor() * distance, distance
