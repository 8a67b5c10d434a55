"""Choice of hyper-parameters: several starts side by side, and priors by the number of features."""

import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy import optimize
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process.kernels import Hyperparameter, Kernel
from sklearn.utils import check_random_state

from sklearn_dl._base.threads import map_blocks

Objective = Callable[..., Any]  # theta, eval_gradient=True -> value to minimise (and its gradient)
Prior = tuple[float, float]  # mean and standard deviation of the logarithm

_WORTH_MORE = 1e-3  # of log-likelihood, for a search that had stopped


class Optimum(NamedTuple):
    """End of one search."""

    theta: np.ndarray
    value: float
    message: str | None = None  # why L-BFGS-B stopped before it converged


def minimize_from(
    starts: Sequence[np.ndarray],
    make_objective: Callable[[], Objective],
    bounds: np.ndarray,
    optimizer: str | Callable[..., tuple[np.ndarray, float]],
) -> Optimum:
    """Best optimum over the starts, the first of equals.

    The searches of L-BFGS-B share out the threads, each with an objective of its own. They may stop on a
    shelf, so the best of several goes on, with its curvature forgotten, while that pays. A callable optimizer
    need not be fit for threads, so its searches follow one another.
    """

    def search(start: np.ndarray) -> Optimum:
        if callable(optimizer):
            return _checked(optimizer(make_objective(), start, bounds=bounds), len(start))
        found = optimize.minimize(make_objective(), start, method="L-BFGS-B", jac=True, bounds=bounds)
        message = None if found.success else f"(status={found.status}) {found.message}"
        return Optimum(found.x, float(found.fun), message)

    optima = map_blocks(search, starts, 1 if callable(optimizer) else None)
    best = optima[int(np.argmin([optimum.value for optimum in optima]))]
    if len(starts) > 1 and not callable(optimizer):
        further = search(best.theta)
        while further.value < best.value - _WORTH_MORE:
            best, further = further, search(further.theta)
    if best.message is not None:
        warnings.warn(
            f"lbfgs failed to converge: {best.message}. The hyper-parameters are those it reached. Scale X, "
            "set normalize_y=True, or give the optimizer more starts (n_restarts_optimizer).",
            ConvergenceWarning,
            stacklevel=4,
        )
    return best


def _checked(answer: Any, n_parameters: int) -> Optimum:
    """What a callable optimizer returned, as an optimum."""
    is_pair = isinstance(answer, tuple | list) and len(answer) == 2
    theta = np.asarray(answer[0], dtype=np.float64) if is_pair else None
    if theta is None or theta.shape != (n_parameters,):
        raise ValueError(
            "optimizer must return (theta, value), the best hyper-parameters, of shape "
            f"({n_parameters},), and the objective there; got {answer!r}."
        )
    return Optimum(theta, float(answer[1]))


def starting_points(kernel: Kernel, n_random: int, random_state: Any) -> list[np.ndarray]:
    """Theta of the kernel, and random ones, uniform within its bounds.

    Raises
    ------
    ValueError
        If there are to be random ones and a bound is infinite.
    """
    bounds = kernel.bounds
    if n_random > 0 and not np.isfinite(bounds).all():
        raise ValueError(
            "Multiple optimizer restarts (n_restarts_optimizer>0) requires that all bounds are finite. Give "
            "the kernel finite ones, between which the random starts lie, or set n_restarts_optimizer=0."
        )
    rng = np.random.RandomState() if random_state is None else check_random_state(random_state)
    return [kernel.theta, *(rng.uniform(bounds[:, 0], bounds[:, 1]) for _ in range(n_random))]


class LogNormalPriors:
    """Independent log-normal priors of some hyper-parameters: normal densities in theta.

    Parameters
    ----------
    kernel : Kernel
        Its free hyper-parameters, in the order of theta.
    priors : dict
        Name of a hyper-parameter, such as "length_scale", to mean and standard deviation of its logarithm.
        It stands for every hyper-parameter of the name in the expression, or by its full name, such as
        "k1__k2__length_scale", for one. Names that the kernel lacks stand for none.
    """

    def __init__(self, kernel: Kernel, priors: Mapping[str, Prior]) -> None:
        free = [parameter for parameter in kernel.hyperparameters if not parameter.fixed]
        mean, precision = [], []
        for parameter in free:
            location, scale = priors.get(parameter.name, priors.get(_short(parameter), (0.0, math.inf)))
            mean += [location] * parameter.n_elements
            precision += [scale**-2] * parameter.n_elements
        self.mean, self.precision = np.array(mean), np.array(precision)

    def __call__(self, theta: np.ndarray) -> tuple[float, np.ndarray]:
        """Logarithm of the density up to a constant, and its gradient."""
        pull = -self.precision * (theta - self.mean)
        return 0.5 * float(pull @ (theta - self.mean)), pull


def dimension_priors(n_features: int) -> dict[str, Prior]:
    """Priors for features and targets of unit scale: length scales grow with the square root of n_features.

    The values are those of Hvarfner, Hellsten, Nardi (2024), Vanilla Bayesian optimization performs great in
    high dimensions, section 4.1, and BoTorch's for the noise.
    """
    return {
        "length_scale": (math.sqrt(2) + 0.5 * math.log(n_features), math.sqrt(3)),
        "noise_level": (-4.0, 1.0),
    }


def _short(parameter: Hyperparameter) -> str:
    """Name of a hyper-parameter without its place in the expression."""
    return parameter.name.rpartition("__")[2]


def check_priors(priors: Mapping[str, Any], kernel: Kernel, owner: str) -> dict[str, Prior]:
    """The priors as pairs of floats.

    Raises
    ------
    ValueError
        If a name is not that of a free hyper-parameter, or a value is not two numbers, the second above 0.
    """
    free = [parameter for parameter in kernel.hyperparameters if not parameter.fixed]
    known = {parameter.name for parameter in free} | {_short(parameter) for parameter in free}
    unknown = sorted(set(priors) - known, key=str)
    if unknown:
        raise ValueError(
            f"{owner}: priors must name free hyper-parameters of the kernel, {sorted(known)}; got {unknown}."
        )
    checked = {}
    for name, prior in priors.items():
        values = np.asarray(prior) if np.shape(prior) == (2,) else np.zeros(2)
        if not (values.dtype.kind in "iuf" and np.isfinite(values).all() and values[1] > 0):
            raise ValueError(
                f"{owner}: priors[{name!r}] must be (mean, standard deviation) of the hyper-parameter's "
                f"logarithm, the second above 0; got {prior!r}."
            )
        checked[name] = (float(values[0]), float(values[1]))
    return checked
