"""Conditional domain-adversarial networks: the domain head sees features and predicted classes together."""

import torch
from torch import Tensor

from sklearn_dl._base.params import param
from sklearn_dl.domain_adaptation.adapted_network import Seen
from sklearn_dl.domain_adaptation.adversarial import AdversarialAdapter
from sklearn_dl.domain_adaptation.single_label import _SingleLabel
from sklearn_dl.nn import certainty


class CDANClassifier(AdversarialAdapter, _SingleLabel):
    """Classifier by features from which, given the classes, the domain cannot be told (conditional DANN).

    The domain head takes all products of a feature and a predicted probability, so domains are drawn together
    class by class. No gradient flows through the probabilities. Each source of several is a domain of its
    own.

    See Also
    --------
    DANNClassifier : The domain head takes features alone.

    References
    ----------
    Long, Cao, Wang, Jordan (2018), Conditional adversarial domain adaptation, equations 4, 5 and 9. The
    random projection of very wide products, section 3.2, is not among the options.

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

    def _judged(self, seen: Seen) -> Tensor:
        probabilities = self._shaped(seen.outputs).detach().softmax(1)
        return (probabilities[:, :, None] * seen.layers[0][:, None, :]).flatten(1)

    def _domain_weight(self, source: Seen, target: Seen) -> Tensor | None:
        if not self.entropy_conditioning:
            return None
        return torch.cat([certainty(self._shaped(seen.outputs).softmax(1)) for seen in (source, target)])
