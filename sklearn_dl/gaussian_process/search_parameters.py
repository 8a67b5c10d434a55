"""Parameters of every estimator that searches the hyper-parameters of a kernel."""

from collections.abc import Callable
from typing import Literal

from sklearn_dl._base.params import Estimator, NonNegativeInt, param


class _SearchParameters(Estimator):
    """How hyper-parameters are searched, and whether the rows that say so are copied."""

    optimizer: Literal["fmin_l_bfgs_b"] | Callable | None = param(
        default="fmin_l_bfgs_b",
        doc="How hyper-parameters are searched: by L-BFGS-B, or by a function ``optimizer(obj_func, "
        "initial_theta, bounds)`` that returns the best theta and its value, where ``obj_func(theta, "
        "eval_gradient=True)`` is to be minimised. None keeps those of the kernel.",
    )
    n_restarts_optimizer: NonNegativeInt = param(
        default=0,
        doc="Further searches, from random starts within the bounds. Several threads share them out.",
    )
    copy_X_train: bool = param(  # noqa: N815
        default=True, doc="Whether a copy of the training rows is kept; else a reference, where it will do."
    )
