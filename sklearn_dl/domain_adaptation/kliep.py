"""KLIEP: a density ratio that brings the weighted source closest to the target in Kullback's sense."""

import warnings
from typing import Annotated, Literal

import numpy as np
from scipy.optimize import nnls
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
    by Newton's steps, each a non-negative least-squares problem (Kim et al., 2020), and ends by a bound: the
    largest derivative tells how far the likelihood is from its maximum, at most.

    References
    ----------
    Sugiyama, Nakajima, Kashima, Buenau, Kawanabe (2008), Direct importance estimation with model selection
    and its application to covariate shift adaptation, Figures 1 and 2.

    Kim, Carbonetto, Stephens, Anitescu (2020), A fast algorithm for maximum likelihood estimation of mixture
    proportions using sequential quadratic programming, J. Comput. Graph. Stat. 29.

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
    max_steps: PositiveInt = param(default=100, doc="Newton's steps, at most.")
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
            share, gap = _newton_step(components, share)
            if gap <= self.tol:
                return share / means
        warnings.warn(
            f"{type(self).__name__}: the likelihood may be {gap:.1e} from its maximum after {self.max_steps} "
            "steps. Raise max_steps or tol.",
            ConvergenceWarning,
            stacklevel=2,
        )
        return share / means


def _newton_step(components: np.ndarray, share: np.ndarray) -> tuple[np.ndarray, float]:
    """Shares after a step, and a bound of how far the given ones are from the largest mean log-likelihood.

    The sum of the shares is 1 at the minimum of their sum less the mean log-likelihood, so they need only be
    0 or more, and the quadratic model of that is minimised by non-negative least squares.
    """
    scaled = components / _ratio(components, share)[:, None]
    derivative = scaled.mean(0)  # at most 1 at the optimum
    gap = float(np.log(derivative.max()))
    curvature = scaled.T @ scaled / len(scaled)
    curvature.flat[:: len(share) + 1] += 1e-8 * np.trace(curvature) / len(share)
    root = np.linalg.cholesky(curvature)
    best, _ = nnls(root.T, np.linalg.solve(root, 2 * derivative - 1), maxiter=30 * len(share))
    step, direction, start = 1.0, best - share, _objective(components, share)
    slope = (1 - derivative) @ direction
    while step > 1e-6 and _objective(components, share + step * direction) > start + 1e-4 * step * slope:
        step /= 2
    share = share + step * direction
    return share / share.sum(), gap


def _objective(components: np.ndarray, share: np.ndarray) -> float:
    return float(share.sum() - np.log(_ratio(components, share)).mean())


def _ratio(components: np.ndarray, share: np.ndarray) -> np.ndarray:
    return np.maximum(components @ share, np.finfo(float).tiny)
