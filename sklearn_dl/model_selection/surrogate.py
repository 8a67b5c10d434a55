"""The surrogate of a search: a Gaussian process on the unit cube with warped inputs and targets."""

import math
from dataclasses import dataclass
from typing import NamedTuple, cast

import numpy as np
from scipy import optimize
from scipy.linalg import lapack
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

from sklearn_dl.gaussian_process.covariance import CompiledCovariance, Covariance, compile_covariance
from sklearn_dl.gaussian_process.likelihood import MarginalLikelihood, log_likelihood
from sklearn_dl.gaussian_process.weights import PairWeights
from sklearn_dl.model_selection.anova import AnovaCovariance
from sklearn_dl.model_selection.encoding import SpaceEncoding
from sklearn_dl.model_selection.warping import WarpedInputs, kumaraswamy, linear, log_offset, undo_log_offset

_LEAST_NOISE = (
    1e-9  # variance, of targets of unit variance: below it the covariance of close rows is singular
)
_PRECISION = {"maxiter": 60, "ftol": 1e-6, "gtol": 1e-3}  # of the objective, in nats
_HOPELESS = 1e10  # objective where the covariance cannot be factored
_SAME = 1e-9  # targets as close as that are equal, in units of their range
_ROUGHNESS = 8.0  # length scales by those of a noise that is a function of the row


@dataclass(frozen=True)
class Priors:
    """Mean and standard deviation of the logarithms of the hyper-parameters, each normal.

    Parameters
    ----------
    variance : (float, float)
        Of the process, for targets of unit variance.
    scale : (float, float)
        Length scales, in sides of the cube. Half the logarithm of the number of parameters is added to the
        mean, since distances grow with its square root, unless there is a `share`: then distances are those
        in one parameter. The deviation is that of one from the others.
    shared_scale : float
        Standard deviation of what all length scales have in common. With a large one, and a small one in
        `scale`, parameters matter equally until the trials say otherwise.
    noise : (float, float)
        Variance of the noise, for targets of unit variance.
    share : (float, float) or None
        Logit of the share of :class:`AnovaCovariance`, in which parameters act alone too. None is for a
        covariance that is a function of the distance in all parameters.
    input_warp : (float, float)
        Exponents of the warp of a parameter.
    target_warp : (float, float)
        Offsets of the warp of the targets, in units of their range.

    References
    ----------
    Hvarfner, Hellsten, Nardi (2024), Vanilla Bayesian optimization performs great in high dimensions,
    section 4.1, for the growth of the length scales.
    """

    variance: tuple[float, float] = (0.0, 1.0)
    scale: tuple[float, float] = (-1.0, 0.6)
    shared_scale: float = 0.8
    noise: tuple[float, float] = (-6.0, 2.0)
    share: tuple[float, float] | None = None
    input_warp: tuple[float, float] = (0.0, 0.5)
    target_warp: tuple[float, float] = (0.0, 2.0)


#: For functions with fine structure, for ones that are smooth but for noise, and for ones whose parameters
#: act alone as well as together. The second are Hvarfner's with the mode in the length scale, not in its
#: logarithm: hence the variance, 3, less.
ROUGH = Priors()
SMOOTH = Priors(
    variance=(0.0, 0.1), scale=(math.sqrt(2) - 3, math.sqrt(3)), shared_scale=0.0, noise=(-5.0, 1.0)
)
ANOVA = Priors(share=(-1.0, 1.0))


class _Slots:
    """Places of the hyper-parameters in theta, with their priors and bounds."""

    def __init__(self, n_scales: int, n_warped: int, warp_targets: bool, priors: Priors) -> None:
        self._prior: list[tuple[float, float]] = []
        self.bounds: list[tuple[float, float]] = []
        location = priors.scale[0] + (0.5 * math.log(n_scales) if priors.share is None else 0.0)
        self.variance = self._add(1, priors.variance, (-5, 5))
        self.scale = self._add(n_scales, (location, priors.scale[1]), (-6, 9))
        self.share = self._add(priors.share is not None, priors.share or (0, 0), (-7, 9))
        self.noise = self._add(1, priors.noise, (-18, 2))
        self.a = self._add(n_warped, priors.input_warp, (-2, 2))
        self.b = self._add(n_warped, priors.input_warp, (-2, 2))
        self.targets = self._add(2 * warp_targets, priors.target_warp, (-15, 4))
        self.kernel = slice(0, self.noise.stop)
        self.prior_mean, deviation = np.array(self._prior).T
        covariance = np.diag(deviation**2)
        covariance[self.scale, self.scale] += priors.shared_scale**2
        self.prior_precision = np.linalg.inv(covariance)

    def _add(self, n: int, prior: tuple[float, float], bounds: tuple[float, float]) -> slice:
        start = len(self._prior)
        self._prior += [prior] * n
        self.bounds += [bounds] * n
        return slice(start, start + n)


class StandardTargets(NamedTuple):
    """Warped targets of mean 0 and variance 1, with what the change of variables adds to the likelihood."""

    values: np.ndarray  # (n,)
    by_warp: np.ndarray  # (n_parameters, n)
    log_slope: float  # sum over the targets
    log_slope_by_warp: np.ndarray  # (n_parameters,)


class Surrogate:
    """Posterior density of the hyper-parameters theta of a Gaussian process, and the process it describes.

    The covariance is Matern's with a length scale for each parameter, or a product of Matern's with constants
    if the priors have a share. The columns of a choice have one length scale, so that two choices are as far
    apart as any other two. The constant mean is a normal value of unit variance.

    Parameters
    ----------
    rows : ndarray of shape (n, n_columns)
        Rows of the unit cube.
    targets : ndarray of shape (n,)
        What was observed there; lower is better.
    encoding : SpaceEncoding
        What the columns mean.
    warp_inputs, warp_targets : bool
        Whether numeric parameters, and targets, are warped, by parameters fitted with the others.
    nu : float
        Smoothness of the covariance: 2.5, or infinite for the Gaussian one. With a share it is 2.5.
    priors : Priors
        Of the hyper-parameters.
    """

    def __init__(
        self,
        rows: np.ndarray,
        targets: np.ndarray,
        encoding: SpaceEncoding,
        *,
        warp_inputs: bool,
        warp_targets: bool,
        nu: float = 2.5,
        priors: Priors = ROUGH,
    ) -> None:
        self.rows, self.targets = rows, targets
        low, high = float(targets.min()), float(targets.max())
        self._low, self._range = low, (high - low) or 1.0
        self._unit_targets = (targets - low) / self._range
        self.warped_columns = encoding.numeric if warp_inputs else encoding.numeric[:0]
        n_scales = len(encoding.parts)
        self.slots = _Slots(n_scales, len(self.warped_columns), warp_targets, priors)
        self.covariance: CompiledCovariance | AnovaCovariance
        if priors.share is None:
            # theta holds a length scale for each parameter, the kernel one for each column
            self._expand = np.concatenate([[0], 1 + encoding.parameter_of_column, [self.slots.noise.start]])
            self.covariance = _compiled(rows.shape[1], nu)
        else:
            self._expand = np.arange(self.slots.noise.stop)
            self.covariance = AnovaCovariance(encoding.parameter_of_column)
        covariance = cast(Covariance, self.covariance)  # ours has the methods that a likelihood needs
        self._likelihood = MarginalLikelihood(covariance, rows, targets[:, None], _LEAST_NOISE)

    def fit(self) -> tuple[np.ndarray, float]:
        """Most probable hyper-parameters found from the mean of their priors, and the objective there."""
        start, bounds = self.slots.prior_mean, self.slots.bounds
        found = optimize.minimize(self, start, jac=True, method="L-BFGS-B", bounds=bounds, options=_PRECISION)
        return found.x, float(found.fun)

    def __call__(self, theta: np.ndarray) -> tuple[float, np.ndarray]:
        """Minus the logarithm of the posterior density up to a constant, and its gradient."""
        standard, kernel_theta = self.standard_targets(theta), self.kernel_theta(theta)
        warped, warp = self.warp(self.rows, theta)
        self._likelihood.X = warped
        factor = self._likelihood.factor(kernel_theta, clean=True)
        if factor is None:
            return _HOPELESS, np.zeros(len(theta))
        dual, mean = solve_with_mean(factor.L, standard.values[:, None])
        residual = standard.values[:, None] - mean
        value = log_likelihood(factor.L, residual, dual) + standard.log_slope - 0.5 * float(mean[0]) ** 2

        inverse, _ = lapack.dpotri(factor.L, lower=1, overwrite_c=1)
        gradient = np.zeros(len(theta))
        by_kernel = self.covariance.contract(warped, kernel_theta, PairWeights(dual, dual, inverse.T))
        gradient[self.slots.kernel] = np.bincount(self._expand, by_kernel)
        if warp is not None:
            weight = dual * dual.T - np.tril(inverse) - np.tril(inverse, -1).T
            by_rows = self.covariance.slopes(warped, warped, kernel_theta, weight)[:, self.warped_columns]
            gradient[self.slots.a] = (by_rows * warp.by_log_a).sum(axis=0)
            gradient[self.slots.b] = (by_rows * warp.by_log_b).sum(axis=0)
        gradient[self.slots.targets] = standard.log_slope_by_warp - standard.by_warp @ dual[:, 0]

        away = theta - self.slots.prior_mean
        pull = self.slots.prior_precision @ away
        return 0.5 * float(pull @ away) - value, pull - gradient

    def kernel_theta(self, theta: np.ndarray) -> np.ndarray:
        """Hyper-parameters as the covariance takes them."""
        return theta[self._expand]

    def rough_theta(self, kernel_theta: np.ndarray) -> np.ndarray:
        """Hyper-parameters of a correlation with shorter length scales, in which parameters act together."""
        rough = kernel_theta.copy()
        rough[0] = 0.0
        rough[1:-1] -= math.log(_ROUGHNESS)
        rough[self.slots.share] = [high for _, high in self.slots.bounds[self.slots.share]]
        return rough

    @property
    def has_steps(self) -> bool:
        """Whether most targets are equal to others, as scores that count rows are; the worst do not count.

        Runs that failed are among these.
        """
        ordered = np.sort(self._unit_targets)
        is_next = np.diff(ordered) < _SAME
        is_tied = np.append(is_next, False) | np.append(False, is_next)
        return bool(np.mean(is_tied & (ordered < 1 - _SAME)) > 0.5)

    def warp(self, rows: np.ndarray, theta: np.ndarray) -> tuple[np.ndarray, WarpedInputs | None]:
        """Rows with their numeric columns warped, and the warp with its derivatives."""
        if len(self.warped_columns) == 0:
            return rows, None
        warp = kumaraswamy(rows[:, self.warped_columns], theta[self.slots.a], theta[self.slots.b])
        warped = rows.copy()
        warped[:, self.warped_columns] = warp.values
        return warped, warp

    def standard_targets(self, theta: np.ndarray) -> StandardTargets:
        """Targets after their warp, shifted and scaled to mean 0 and variance 1."""
        n, parameters = len(self._unit_targets), theta[self.slots.targets]
        warp = log_offset(self._unit_targets, parameters) if len(parameters) else linear(self._unit_targets)
        values = warp.values - warp.values.sum() / n
        spread = math.sqrt(float(values @ values) / n) or 1.0
        values = values / spread
        centred = warp.by_parameters - warp.by_parameters.sum(axis=1, keepdims=True) / n
        spread_by = centred @ values / n
        return StandardTargets(
            values,
            (centred - np.outer(spread_by, values)) / spread,
            float(warp.log_slope.sum()) - n * math.log(spread),
            warp.log_slope_by_parameters.sum(axis=1) - n * spread_by / spread,
        )

    def original_targets(self, standard: np.ndarray, theta: np.ndarray) -> np.ndarray:
        """Values in the units of the targets, of values on the scale of the standard targets."""
        parameters = theta[self.slots.targets]
        warp = log_offset(self._unit_targets, parameters) if len(parameters) else linear(self._unit_targets)
        warped = warp.values.mean() + standard * (float(warp.values.std()) or 1.0)
        unit = undo_log_offset(warped, parameters) if len(parameters) else warped
        return self._low + self._range * unit

    def factor(self, kernel_theta: np.ndarray, warped: np.ndarray) -> np.ndarray:
        """Lower Cholesky factor of the covariance of the warped rows with the noise."""
        self._likelihood.X = warped
        factor = self._likelihood.factor(kernel_theta, clean=True)
        if factor is None:
            raise np.linalg.LinAlgError("The covariance of the surrogate cannot be factored.")
        return np.array(factor.L, order="F")


def fit_surrogate(
    rows: np.ndarray, targets: np.ndarray, encoding: SpaceEncoding, *, warp_inputs: bool, warp_targets: bool
) -> tuple[Surrogate, np.ndarray]:
    """The more probable of a rough surrogate and a smooth one, and its hyper-parameters.

    The rough one has a Matern 5/2 covariance and warped targets. The smooth one has a Gaussian covariance,
    targets as they are, and more noise: it sees the bowl in a function with ripples. Compared are likelihoods
    times priors of the hyper-parameters, the latter relative to their modes.
    """
    rough = Surrogate(rows, targets, encoding, warp_inputs=warp_inputs, warp_targets=warp_targets)
    smooth = Surrogate(
        rows, targets, encoding, warp_inputs=warp_inputs, warp_targets=False, nu=math.inf, priors=SMOOTH
    )
    (rough_theta, rough_value), (smooth_theta, smooth_value) = rough.fit(), smooth.fit()
    return (rough, rough_theta) if rough_value <= smooth_value else (smooth, smooth_theta)


def fit_anova_surrogate(
    rows: np.ndarray, targets: np.ndarray, encoding: SpaceEncoding, *, warp_inputs: bool, warp_targets: bool
) -> tuple[Surrogate, np.ndarray]:
    """A surrogate in which parameters act alone as well as together, and its hyper-parameters."""
    surrogate = Surrogate(
        rows, targets, encoding, warp_inputs=warp_inputs, warp_targets=warp_targets, priors=ANOVA
    )
    return surrogate, surrogate.fit()[0]


def _compiled(n_columns: int, nu: float) -> CompiledCovariance:
    kernel = ConstantKernel() * Matern(np.ones(n_columns), nu=nu) + WhiteKernel()
    covariance = compile_covariance(kernel)
    if not isinstance(covariance, CompiledCovariance):
        raise TypeError(f"{kernel} has no compiled covariance.")
    return covariance


def solve_with_mean(L: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Most probable constant mean of each column of targets, and the solution of L L' x = targets - mean.

    The mean has a normal prior of unit variance.
    """
    ones = np.ones((len(targets), 1))
    solved, _ = lapack.dpotrs(L, np.hstack([targets, ones]), lower=1)
    mean = solved[:, :-1].sum(axis=0) / (1.0 + solved[:, -1].sum())
    return solved[:, :-1] - solved[:, -1:] * mean, mean
