"""Parameters of a regressor: its kernel, its noise, and what is known of both before the rows."""

from typing import Literal

import numpy as np
from sklearn.gaussian_process.kernels import Kernel

from sklearn_dl._base.params import NonNegativeFloat, PositiveInt, RandomState, param
from sklearn_dl.gaussian_process.search_parameters import _SearchParameters


class _RegressionParameters(_SearchParameters):
    """Those of scikit-learn's regressor, and priors."""

    kernel: Kernel | None = param(
        default=None,
        doc="Covariance function, whose values are where the search for hyper-parameters starts. "
        'None means ConstantKernel(1.0, "fixed") * RBF(1.0, "fixed") before ``fit`` and '
        "ConstantKernel() * RBF() in it; where inference is not exact, ConstantKernel() * RBF(spread of the "
        "rows) + WhiteKernel(0.1).",
        kw_only=False,
    )
    alpha: NonNegativeFloat | np.ndarray = param(
        default=1e-10,
        doc="Variance of the noise, added to the diagonal of the covariance; an array has one for each "
        "training row. Larger is smoother. In units of the normalised target where normalize_y is True.",
    )
    normalize_y: bool = param(
        default=False, doc="Whether targets are centred and scaled to unit variance first."
    )
    n_targets: PositiveInt | None = param(
        default=None, doc="Number of targets of predictions before ``fit``; None means 1."
    )
    priors: dict | Literal["dimension"] | None = param(
        default=None,
        doc='Log-normal priors of hyper-parameters, as {"length_scale": (mean, std of the logarithm)}. They '
        'keep them off the bounds where data are few. "dimension": for length scales (sqrt(2) + '
        "log(n_features) / 2, sqrt(3)) and for noise levels (-4, 1), meant for features and targets of unit "
        "scale. None: none.",
    )
    warm_start: bool = param(
        default=False,
        doc="Whether the search starts from the hyper-parameters of the last fit, where there are as many.",
    )
    random_state: RandomState = param(
        default=None,
        doc="Seed of the random starts; beside exact inference also of k-means, subset and random vectors.",
    )
