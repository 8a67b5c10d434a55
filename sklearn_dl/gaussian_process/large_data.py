"""Parameters of a regressor for rows so many that their covariance matrix does not fit."""

from typing import Literal

import numpy as np

from sklearn_dl._base.params import Estimator, NonNegativeInt, PositiveFloat, PositiveInt, param


class _LargeDataParameters(Estimator):
    """How a process is conditioned on its rows, and how closely."""

    inference: Literal["exact", "sgpr", "cg"] = param(
        default="exact",
        doc='How the process is conditioned on its rows. "exact": by the Cholesky factor of the covariance '
        'matrix. "sgpr": through inducing points, by the variational bound. "cg": by conjugate gradients, '
        "without the matrix.",
    )
    n_inducing_points: PositiveInt = param(
        default=500,
        doc='Number of inducing points of "sgpr". More are closer to the exact process and take time with '
        "their square. Rows that are fewer, repetitions apart, are the inducing points themselves.",
    )
    inducing_points: Literal["k-means"] | np.ndarray = param(
        default="k-means",
        doc='Inducing points of "sgpr": centres of the rows by k-means, or an array of shape '
        "(n_inducing_points, n_features), which overrides n_inducing_points.",
    )
    optimize_inducing_points: bool = param(
        default=False,
        doc="Whether the inducing points are searched together with the hyper-parameters. A callable "
        "optimizer then gets them after theta, row by row.",
    )
    preconditioner_size: PositiveInt = param(
        default=500,
        doc='Largest rank of the preconditioner of "cg". Larger takes fewer iterations, and memory and time '
        "for n_samples times this many numbers.",
    )
    cg_tol: PositiveFloat = param(
        default=1e-4,
        doc='Norm of the residual over that of the targets at which "cg" stops. Smaller is closer to the '
        "exact process.",
    )
    cg_max_iter: PositiveInt = param(default=1000, doc='Largest number of iterations of "cg".')
    n_probes: PositiveInt = param(
        default=10,
        doc='Random vectors by which "cg" estimates the log-determinant and its gradient. More are surer.',
    )
    subset_size: PositiveInt = param(
        default=2000,
        doc='Number of random rows on which "cg" searches the hyper-parameters first, by their exact '
        "likelihood.",
    )
    n_adam_steps: NonNegativeInt = param(
        default=3,
        doc='Steps of Adam from there, of 0.1 in theta, by the likelihood of all rows. "cg" keeps the best '
        "of the hyper-parameters it has seen.",
    )
    fast_variance: bool = param(
        default=False,
        doc='Whether "cg" projects variances on the span of its preconditioner in ``fit``, instead of '
        "solving for each row in ``predict``. They are then upper bounds, tight where the preconditioner is.",
    )
