"""Deep CORAL: features of both domains get one covariance."""

from torch import Tensor

from sklearn_dl._base.tasks import TorchClassifier, TorchRegressor
from sklearn_dl.domain_adaptation.layer_matching import LayerMatcher
from sklearn_dl.nn import coral_loss


class _DeepCORAL(LayerMatcher):
    def _distance(self, source: Tensor, target: Tensor) -> Tensor:
        return coral_loss(source, target)


class DeepCORALClassifier(_DeepCORAL, TorchClassifier):
    """Classifier whose features have the same covariance in the source and in the target (deep CORAL).

    To the loss of the source labels is added the distance of the two covariances in each batch
    (:func:`sklearn_dl.nn.coral_loss`). They are compared by the features that the last linear layer takes;
    ``layers=("outputs",)`` compares the logits, as in the paper. Several sources are taken as one.

    See Also
    --------
    CORAL : The same for the columns of X, without a network.
    DANClassifier : Compares more than covariances.

    References
    ----------
    Sun, Saenko (2016), Deep CORAL: correlation alignment for deep domain adaptation, equations 1 to 6.

    Examples
    --------
    >>> from sklearn_dl.datasets import make_shifted
    >>> from sklearn_dl.domain_adaptation import DeepCORALClassifier
    >>> X, y, sample_domain = make_shifted(shift="subspace", random_state=0)
    >>> model = DeepCORALClassifier(max_epochs=20, lr=0.01, random_state=0).fit(X, y, sample_domain)
    >>> model.predict(X[sample_domain < 0]).shape
    (200,)
    """


class DeepCORALRegressor(_DeepCORAL, TorchRegressor):
    """Regressor whose features have the same covariance in the source and in the target (deep CORAL).

    To the loss of the source targets is added the distance of the two covariances in each batch
    (:func:`sklearn_dl.nn.coral_loss`). Several sources are taken as one.

    See Also
    --------
    DeepCORALClassifier : The same for classes.

    References
    ----------
    Sun, Saenko (2016), Deep CORAL: correlation alignment for deep domain adaptation, equations 1 to 6.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_dl.domain_adaptation import DeepCORALRegressor
    >>> X = np.random.default_rng(0).normal(size=(200, 3))
    >>> sample_domain = np.repeat([1, -1], 100)
    >>> X[100:] += 0.5
    >>> model = DeepCORALRegressor(max_epochs=20, random_state=0).fit(X, X[:, 0], sample_domain)
    >>> model.predict(X[100:]).shape
    (100,)
    """
