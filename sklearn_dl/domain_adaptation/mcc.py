"""Minimum class confusion: predictions for target rows that mix up no two classes."""

from torch import Tensor

from sklearn_dl._base.params import PositiveFloat, param
from sklearn_dl.domain_adaptation.adapted_network import AdaptedNetwork, Seen
from sklearn_dl.domain_adaptation.deep_base import DeepAdapter
from sklearn_dl.domain_adaptation.domain_batches import DomainBatch
from sklearn_dl.domain_adaptation.single_label import _SingleLabel
from sklearn_dl.nn import class_confusion


class MCCClassifier(DeepAdapter, _SingleLabel):
    """Classifier whose predictions for target rows confuse the classes least (minimum class confusion).

    To the loss of the source labels is added the confusion of each pair of classes in the predictions for a
    batch of target rows (:func:`sklearn_dl.nn.class_confusion`); features are not compared, so `layers` plays
    no part. Batches should hold some rows of each class. Several sources are taken as one.

    See Also
    --------
    DANNClassifier : Draws the features of the domains together.

    References
    ----------
    Jin, Wang, Long, Wang (2020), Minimum class confusion for versatile domain adaptation, equations 2 to 7.

    Examples
    --------
    >>> from sklearn_dl.datasets import make_shifted
    >>> from sklearn_dl.domain_adaptation import MCCClassifier
    >>> X, y, sample_domain = make_shifted(shift="subspace", random_state=0)
    >>> model = MCCClassifier(max_epochs=20, lr=0.01, random_state=0).fit(X, y, sample_domain)
    >>> model.predict(X[sample_domain < 0]).shape
    (200,)
    """

    temperature: PositiveFloat = param(
        default=2.5,
        doc="What logits are divided by before classes are compared. Larger counts small probabilities more.",
    )

    def _default_layers(self) -> tuple[str, ...]:
        return ()

    def _transfer_loss(
        self, module: AdaptedNetwork, source: Seen, target: Seen, batch: DomainBatch
    ) -> tuple[Tensor, Tensor]:
        confusion = class_confusion(self._shaped(target.outputs), self.temperature)
        return self._transfer_factor() * confusion, confusion
