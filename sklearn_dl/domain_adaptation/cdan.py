"""Conditional domain-adversarial networks: the domain head sees features and predicted classes together."""

import torch
from torch import Tensor, nn

from sklearn_dl._base.params import PositiveInt, param
from sklearn_dl.domain_adaptation.adapted_network import Seen
from sklearn_dl.domain_adaptation.adversarial import AdversarialAdapter
from sklearn_dl.domain_adaptation.single_label import _SingleLabel
from sklearn_dl.nn import RandomMultilinear, certainty
from sklearn_dl.nn.multilinear import all_products

_MOST_PRODUCTS = 4096  # that the head takes as they are, as in the paper


class CDANClassifier(AdversarialAdapter, _SingleLabel):
    """Classifier by features from which, given the classes, the domain cannot be told (conditional DANN).

    The domain head takes the products of a feature and a predicted probability, so domains are drawn together
    class by class; if there are more than 4,096 products, random combinations of them. No gradient flows
    through the probabilities. Each source of several is a domain of its own.

    See Also
    --------
    DANNClassifier : The domain head takes features alone.

    References
    ----------
    Long, Cao, Wang, Jordan (2018), Conditional adversarial domain adaptation, equations 4, 5 and 9;
    random combinations in section 3.2.

    Examples
    --------
    >>> from sklearn_dl.datasets import make_shifted
    >>> from sklearn_dl.domain_adaptation import CDANClassifier
    >>> X, y, sample_domain = make_shifted(shift="subspace", random_state=0)
    >>> model = CDANClassifier(max_epochs=20, lr=0.01, random_state=0).fit(X, y, sample_domain)
    >>> model.predict(X[sample_domain < 0]).shape
    (200,)
    """

    entropy_conditioning: bool = param(
        default=True,
        doc="Weigh rows in the loss of the domains by 1 + exp(-entropy) of their predicted classes, so that "
        "rows with uncertain classes count less.",
    )
    n_random_products: PositiveInt | None = param(
        default=1024,
        doc="Random combinations that stand for the products of features and probabilities where these are "
        "more than 4,096. More come closer to all products. None always takes all products.",
    )

    def _judged(self, seen: Seen) -> Tensor:
        return torch.cat([seen.layers[0], self._shaped(seen.outputs).detach().softmax(1)], dim=1)

    def _make_domain_head(self, seen: Seen) -> nn.Module:
        n_features, n_classes = seen.layers[0].shape[1], self._shaped(seen.outputs).shape[1]
        products = _Products(n_features, n_classes, self.n_random_products)
        return nn.Sequential(products, self._make_head(products.n_products))

    def _domain_weight(self, source: Seen, target: Seen) -> Tensor | None:
        if not self.entropy_conditioning:
            return None
        return torch.cat([certainty(self._shaped(seen.outputs).softmax(1)) for seen in (source, target)])


class _Products(nn.Module):
    """What stands for the products of features and class probabilities, which come side by side."""

    def __init__(self, n_features: int, n_classes: int, n_random: int | None) -> None:
        super().__init__()
        self.n_features, self.n_products = n_features, n_features * n_classes
        self.combine: RandomMultilinear | None = None
        if n_random is not None and self.n_products > _MOST_PRODUCTS:
            self.combine, self.n_products = RandomMultilinear(n_features, n_classes, n_random), n_random

    def forward(self, judged: Tensor) -> Tensor:
        features, probabilities = judged.tensor_split([self.n_features], dim=1)
        return (self.combine or all_products)(features, probabilities)
