"""KLIEP: a density ratio that brings the weighted source closest to the target in Kullback's sense."""

import warnings
from typing import Annotated, Literal

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state

from sklearn_dl._base.arrays import Array
from sklearn_dl._base.params import Interval, PositiveFloat, PositiveInt, RandomState, param
from sklearn_dl.domain_adaptation.kernels import kernel_matrix, resolve_gamma
from sklearn_dl.domain_adaptation.reweighting import ReweightedEstimator

_CANDIDATES = 10.0 ** np.arange(-1.0, 2.1, 0.5)  # times the gamma of the median distance


class KLIEP(ReweightedEstimator):
    r"""Train an estimator on source rows, weighted by a density ratio of largest likelihood on the target.

    The ratio is :math:`w(x) = \sum_l \alpha_l\, k(x, c_l)` with Gaussian kernels at target rows :math:`c_l`
    and :math:`\alpha \ge 0`. It maximises the mean of :math:`\log w` over target rows, where its mean over
    source rows is 1: the Kullback-Leibler importance estimation procedure.

    Notes
    -----
    In the coefficients times the kernels' source means this is a mixture with known components. It is fitted
    by expectation and maximisation, which needs no step size and ends by a bound: the largest derivative
    tells how far the likelihood is from its maximum, at most.

    References
    ----------
    Sugiyama, Nakajima, Kashima, Buenau, Kawanabe (2008), Direct importance estimation with model selection
    and its application to covariate shift adaptation, Figures 1 and 2.

    Examples
    --------
    >>> from sklearn_dl.datasets import make_shifted
    >>> from sklearn_dl.domain_adaptation import KLIEP
    >>> X, y, sample_domain = make_shifted(shift="covariate", random_state=0)
    >>> model = KLIEP(random_state=0).fit(X, y, sample_domain=sample_domain)
    >>> source = X[sample_domain > 0]
    >>> bool(source[model.weights_ > 1, 0].mean() > source[model.weights_ < 1, 0].mean())
    True
    """

    gamma: PositiveFloat | Literal["cv", "median"] = param(
        default="cv",
        doc='Factor of the squared distance in the kernels. Larger is more local. "cv": the one of largest '
        'likelihood on held-out target rows, from 0.1 to 100 times that of "median", which is half the '
        "inverse of the median squared distance of target rows.",
    )
    n_centres: PositiveInt = param(
        default=100, doc="Target rows at which kernels are centred, drawn at random; at most all."
    )
    n_folds: Annotated[int, Interval("an int of at least 2", low=2)] = param(
        default=5, doc='Parts of the target rows for gamma="cv".'
    )
    tol: PositiveFloat = param(
        default=1e-4, doc="Distance from the largest mean log-likelihood at which it ends. Smaller is longer."
    )
    max_steps: PositiveInt = param(default=5000, doc="Steps, at most.")
    random_state: RandomState = param(
        default=None, doc="Seed of the centres and of the parts. An int gives the same weights every time."
    )

    def _density_ratio(self, source: Array, target: Array) -> np.ndarray:
        rng = check_random_state(np.random.RandomState() if self.random_state is None else self.random_state)
        centres = target[rng.permutation(target.shape[0])[: self.n_centres]]
        gamma = self._choose_gamma(source, target, centres, rng)
        at_source, at_target = (kernel_matrix(rows, centres, "rbf", gamma) for rows in (source, target))
        return at_source @ self._coefficients(at_source, at_target)

    def _choose_gamma(
        self, source: Array, target: Array, centres: Array, rng: np.random.RandomState
    ) -> float:
        if self.gamma != "cv":
            return resolve_gamma(target, self.gamma)
        n_parts = min(self.n_folds, target.shape[0])
        part = rng.permutation(target.shape[0]) % n_parts
        candidates = resolve_gamma(target, "median") * _CANDIDATES
        if n_parts < 2:
            return float(candidates[0])
        likelihoods = []
        for gamma in candidates:
            at_source, at_target = (kernel_matrix(rows, centres, "rbf", gamma) for rows in (source, target))
            held_out = [
                np.log(np.maximum(at_target[part == k] @ self._coefficients(at_source, at_target[part != k]),
                                  np.finfo(float).tiny)).mean()
                for k in range(n_parts)
            ]  # fmt: skip
            likelihoods.append(np.mean(held_out))
        return float(candidates[np.argmax(likelihoods)])

    def _coefficients(self, at_source: np.ndarray, at_target: np.ndarray) -> np.ndarray:
        means = np.maximum(at_source.mean(0), np.finfo(float).tiny ** 0.5)
        components = at_target / means  # each has mean 1 over the source
        share = np.full(len(means), 1.0 / len(means))
        for _ in range(self.max_steps):
            first, gap = _expectation_step(components, share)
            if gap <= self.tol:
                return share / means
            share = _extrapolate(components, share, first)
        warnings.warn(
            f"{type(self).__name__}: the likelihood may be {gap:.1e} from its maximum after {self.max_steps} "
            "steps. Raise max_steps or tol.",
            ConvergenceWarning,
            stacklevel=2,
        )
        return share / means


def _expectation_step(components: np.ndarray, share: np.ndarray) -> tuple[np.ndarray, float]:
    """Shares after a step, and how far the mean log-likelihood of the given ones is from its maximum, at most."""
    # The mean over target rows of component / ratio is a share's derivative, 1 or less at the optimum.
    derivative = (1.0 / _ratio(components, share)) @ components / len(components)
    return share * derivative / (share @ derivative), float(np.log(derivative.max()))


def _extrapolate(components: np.ndarray, share: np.ndarray, first: np.ndarray) -> np.ndarray:
    """Two steps, prolonged along their differences where that raises the likelihood."""
    second, _ = _expectation_step(components, first)
    change, bend = first - share, second - 2 * first + share
    length = np.linalg.norm(change) / max(np.linalg.norm(bend), 1e-300)
    if length > 1:
        # A share at 0 would stay there.
        far = np.maximum(share + 2 * length * change + length**2 * bend, 1e-3 * second)
        far /= far.sum()
        if np.log(_ratio(components, far)).sum() >= np.log(_ratio(components, second)).sum():
            return far
    return second


def _ratio(components: np.ndarray, share: np.ndarray) -> np.ndarray:
    return np.maximum(components @ share, np.finfo(float).tiny)
