"""Deep adaptation networks: several layers get one distribution, by the maximum mean discrepancy."""

from torch import Tensor

from sklearn_dl._base.params import PositiveFloat, param
from sklearn_dl._base.tasks import TorchClassifier, TorchRegressor
from sklearn_dl.domain_adaptation.layer_matching import LayerMatcher
from sklearn_dl.nn import multi_kernel_mmd


class _DAN(LayerMatcher):
    bandwidths: tuple[PositiveFloat, ...] = param(
        default=(0.25, 0.5, 1.0, 2.0, 4.0),
        doc="Widths of the Gaussian kernels, as factors on the mean squared distance of the rows of a batch. "
        "Smaller ones see finer differences.",
    )

    def _distance(self, source: Tensor, target: Tensor) -> Tensor:
        return multi_kernel_mmd(source, target, self.bandwidths)

    def _default_layers(self) -> tuple[str, ...]:
        return ("features", "outputs")


class DANClassifier(_DAN, TorchClassifier):
    """Classifier with features and outputs distributed alike in both domains (deep adaptation network).

    To the loss of the source labels is added the squared maximum mean discrepancy of the two domains in each
    batch, of several kernels weighted alike, summed over `layers` (:func:`sklearn_dl.nn.multi_kernel_mmd`).
    It is computed from all pairs of rows; the weights of the kernels are not learnt. Several sources are
    taken as one.

    See Also
    --------
    mk_mmd : The discrepancy of given rows, with weights of the kernels that are learnt.
    DeepCORALClassifier : Compares covariances only.

    References
    ----------
    Long, Cao, Wang, Jordan (2015), Learning transferable features with deep adaptation networks, equation 3.

    Examples
    --------
    >>> from sklearn_dl.datasets import make_shifted
    >>> from sklearn_dl.domain_adaptation import DANClassifier
    >>> X, y, sample_domain = make_shifted(shift="subspace", random_state=0)
    >>> model = DANClassifier(max_epochs=20, lr=0.01, random_state=0).fit(X, y, sample_domain)
    >>> model.predict(X[sample_domain < 0]).shape
    (200,)
    """


class DANRegressor(_DAN, TorchRegressor):
    """Regressor with features and outputs distributed alike in both domains (deep adaptation network).

    To the loss of the source targets is added the squared maximum mean discrepancy of the two domains in each
    batch, of several kernels weighted alike, summed over `layers`. Several sources are taken as one. Where
    the targets themselves are distributed otherwise in the two domains, give ``layers=("features",)``.

    See Also
    --------
    DANClassifier : The same for classes.

    References
    ----------
    Long, Cao, Wang, Jordan (2015), Learning transferable features with deep adaptation networks, equation 3.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_dl.domain_adaptation import DANRegressor
    >>> X = np.random.default_rng(0).normal(size=(200, 3))
    >>> sample_domain = np.repeat([1, -1], 100)
    >>> X[100:] += 0.5
    >>> model = DANRegressor(max_epochs=20, random_state=0).fit(X, X[:, 0], sample_domain)
    >>> model.predict(X[100:]).shape
    (100,)
    """
