"""Deep adaptation networks: several layers get one distribution, by the maximum mean discrepancy."""

from typing import Literal

import torch
from torch import Tensor

from sklearn_dl._base.params import PositiveFloat, param
from sklearn_dl._base.tasks import TorchClassifier, TorchRegressor
from sklearn_dl.domain_adaptation.layer_matching import LayerMatcher
from sklearn_dl.domain_adaptation.multi_kernel import learn_kernel_weights
from sklearn_dl.nn import multi_kernel_mmd


class _DAN(LayerMatcher):
    bandwidths: tuple[PositiveFloat, ...] = param(
        default=(0.25, 0.5, 1.0, 2.0, 4.0),
        doc="Widths of the Gaussian kernels, as factors on the mean squared distance of the rows of a batch. "
        "Smaller ones see finer differences.",
    )
    kernel_weights: Literal["learnt", "equal"] = param(
        default="learnt",
        doc='"learnt" weighs the kernels, for each layer and batch, so that a test of whether the domains '
        'differ has the most power, as in :func:`mk_mmd`; "equal" gives all the same weight.',
    )

    def _distance(self, source: Tensor, target: Tensor) -> Tensor:
        weigh = _learnt_weights if self.kernel_weights == "learnt" else None
        return multi_kernel_mmd(source, target, self.bandwidths, weigh)

    def _default_layers(self) -> tuple[str, ...]:
        return ("features", "outputs")


def _learnt_weights(kernels: Tensor, n_source: int) -> Tensor:
    return torch.from_numpy(learn_kernel_weights(kernels.cpu().double().numpy(), n_source))


class DANClassifier(_DAN, TorchClassifier):
    """Classifier with features and outputs distributed alike in both domains (deep adaptation network).

    To the loss of the source labels is added the squared maximum mean discrepancy of the two domains in each
    batch, of a mixture of kernels, summed over `layers` (:func:`sklearn_dl.nn.multi_kernel_mmd`). The weights
    of the kernels are learnt. All pairs of rows count, where the paper takes a sample of them. Several
    sources are taken as one.

    See Also
    --------
    mk_mmd : The discrepancy of given rows.
    DeepCORALClassifier : Compares covariances only.

    References
    ----------
    Long, Cao, Wang, Jordan (2015), Learning transferable features with deep adaptation networks, equations 3
    and 8.

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
    batch, of a mixture of kernels with learnt weights, summed over `layers`. Several sources are taken as
    one. Where the targets themselves are distributed otherwise in the two domains, give
    ``layers=("features",)``.

    See Also
    --------
    DANClassifier : The same for classes.

    References
    ----------
    Long, Cao, Wang, Jordan (2015), Learning transferable features with deep adaptation networks, equations 3
    and 8.

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
