"""Domain-adversarial networks: features from which a second head cannot tell the domain."""

from torch import Tensor

from sklearn_dl._base.tasks import TorchClassifier, TorchRegressor
from sklearn_dl.domain_adaptation.adapted_network import Seen
from sklearn_dl.domain_adaptation.adversarial import AdversarialAdapter


class _DANN(AdversarialAdapter):
    def _judged(self, seen: Seen) -> Tensor:
        return seen.layers[0]


class DANNClassifier(_DANN, TorchClassifier):
    """Classifier by features from which the domain cannot be told (domain-adversarial network).

    A domain head learns to name the domain of a row from its features, with one output a domain; the gradient
    of its loss reaches the features reversed, so they learn to make that impossible while they serve the
    source labels. Each source of several is a domain of its own.

    See Also
    --------
    CDANClassifier : Lets the domain head see the predicted classes too.

    References
    ----------
    Ganin et al. (2016), Domain-adversarial training of neural networks, equations 9 and 18; the course of the
    weight in section 5.2.2.

    Examples
    --------
    >>> from sklearn_dl.datasets import make_shifted
    >>> from sklearn_dl.domain_adaptation import DANNClassifier
    >>> X, y, sample_domain = make_shifted(shift="subspace", random_state=0)
    >>> model = DANNClassifier(max_epochs=20, lr=0.01, random_state=0).fit(X, y, sample_domain)
    >>> model.predict(X[sample_domain < 0]).shape
    (200,)
    """


class DANNRegressor(_DANN, TorchRegressor):
    """Regressor by features from which the domain cannot be told (domain-adversarial network).

    A domain head learns to name the domain of a row from its features, with one output a domain; the gradient
    of its loss reaches the features reversed. Each source of several is a domain of its own.

    See Also
    --------
    DANNClassifier : The same for classes.

    References
    ----------
    Ganin et al. (2016), Domain-adversarial training of neural networks, equations 9 and 18; the course of the
    weight in section 5.2.2.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_dl.domain_adaptation import DANNRegressor
    >>> X = np.random.default_rng(0).normal(size=(200, 3))
    >>> sample_domain = np.repeat([1, -1], 100)
    >>> X[100:] += 0.5
    >>> model = DANNRegressor(max_epochs=20, random_state=0).fit(X, X[:, 0], sample_domain)
    >>> model.predict(X[100:]).shape
    (100,)
    """
