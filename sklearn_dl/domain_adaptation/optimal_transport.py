"""Optimal transport: source rows are carried to target rows at the least cost."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import numpy as np
from sklearn.base import OneToOneFeatureMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import pairwise_distances_argmin
from sklearn.metrics.pairwise import euclidean_distances

from sklearn_dl._base.arrays import Array
from sklearn_dl._base.domains import Domains
from sklearn_dl._base.params import NonNegativeFloat, PositiveFloat, PositiveInt, param
from sklearn_dl.domain_adaptation.base import DomainTransformer
from sklearn_dl.domain_adaptation.kernels import near_origin


class OptimalTransportAdapter(OneToOneFeatureMixin, DomainTransformer):
    r"""Carry each source row to a mean of target rows, by the plan of least squared distance.

    The plan :math:`\gamma` has the rows of both domains as its margins and minimises :math:`\langle \gamma, C
    \rangle + \varepsilon\, \Omega_e(\gamma) + \eta\, \Omega_c(\gamma)`. C holds squared distances of rows,
    each less the mean of its domain, over the largest. So neither a shift of a domain nor a common factor
    changes the plan; a row far from all others does, as it makes every other distance small.

    The entropy :math:`\Omega_e` spreads the plan; the class term :math:`\Omega_c`, the square root of what a
    class sends to a target row, keeps source rows of different classes from going to the same target row. A
    source row becomes the mean of the target rows that it goes to; target rows stay.

    Other source rows, in ``transform``, move as the nearest training row does.

    Notes
    -----
    The plans are those of POT, which is not installed with this package: ``pip install POT``. The plan takes
    n_source x n_target values of memory.

    References
    ----------
    Courty, Flamary, Tuia, Rakotomamonjy (2017), Optimal transport for domain adaptation, sections 3 and 4.
    Rows out of sample: Ferradans, Papadakis, Peyre, Aujol (2014), Regularized discrete optimal transport.

    Examples
    --------
    >>> from sklearn_dl.datasets import make_shifted
    >>> from sklearn_dl.domain_adaptation import OptimalTransportAdapter
    >>> X, y, sample_domain = make_shifted(shift="subspace", random_state=0)
    >>> transport = OptimalTransportAdapter(reg=0.02)  # doctest: +SKIP
    >>> transport.fit_transform(X, y, sample_domain=sample_domain).shape  # doctest: +SKIP
    (400, 2)
    """

    reg: NonNegativeFloat = param(
        default=0.1,
        doc="Weight of the entropy, where the largest cost is 1. Larger carries each source row to a mean of "
        "more target rows; 0 solves the linear programme, without the class term.",
    )
    class_reg: NonNegativeFloat = param(
        default=0.1,
        doc="Weight of the class term, in the same unit, which reads the labels of source rows. Larger keeps "
        "the classes further apart; 0 needs no labels.",
    )
    max_steps: PositiveInt = param(
        default=1000, doc="Sinkhorn's steps, at most; for each of the inner problems with the class term."
    )
    tol: PositiveFloat = param(
        default=1e-8, doc="Deviation of the plan's margins at which it ends. Smaller is more exact."
    )

    _attributes: ClassVar[dict[str, tuple[str, str]]] = {
        "coupling_": (
            "ndarray of shape (n_source, n_target) or None",
            "The plan; it sums to 1. None without domains.",
        ),
    }

    def _fit_rows(self, X: Array, y: Any, domains: Domains) -> None:
        self.coupling_ = self._source = self._carried = None
        if not domains.differ:
            return
        solvers = _require_pot(type(self).__name__)
        source, target = (np.asarray(X[rows], dtype=np.float64) for rows in (domains.source, domains.target))
        cost = _costs(source, target)
        codes = self._read_source_classes(y, domains)[1] if self.class_reg > 0 and self.reg > 0 else None
        self.coupling_ = plan = self._plan(solvers, cost, codes)
        self._source, self._carried = source, (plan @ target) / plan.sum(1, keepdims=True)

    def _plan(self, ot: Any, cost: np.ndarray, codes: np.ndarray | None) -> np.ndarray:
        margins = [np.full(n, 1.0 / n) for n in cost.shape]
        with _named_warnings(type(self).__name__):
            plan = self._solve(ot, margins, cost, codes)
        if not np.isfinite(plan).all() or not plan.sum(1).all():
            raise ArithmeticError(
                f"{type(self).__name__}: the plan of reg={self.reg:g} has underflowed to zeros. Raise reg, "
                "or pass reg=0 for the plan without entropy."
            )
        return plan

    def _solve(self, ot: Any, margins: list[np.ndarray], cost: np.ndarray, codes: Any) -> np.ndarray:
        stops = {"numItermax": self.max_steps, "stopThr": self.tol}
        if self.reg == 0:
            return ot.emd(*margins, cost, numItermax=max(self.max_steps, 1_000_000))
        if codes is None:
            return ot.sinkhorn(*margins, cost, self.reg, method="sinkhorn_log", **stops)
        inner = {"numInnerItermax": self.max_steps, "stopInnerThr": self.tol}
        return ot.da.sinkhorn_lpl1_mm(
            margins[0], codes, margins[1], cost, self.reg, eta=self.class_reg, **inner
        )

    def _map_source(self, X: Array) -> Array:
        if self._carried is None:
            return X
        nearest = pairwise_distances_argmin(*near_origin(np.asarray(X, dtype=np.float64), self._source))
        return X + (self._carried - self._source)[nearest]

    def _map_target(self, X: Array) -> Array:
        return X


def _costs(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Squared distances of centred rows, of which the largest is 1, but for terms of one row alone."""
    cost = euclidean_distances(source - source.mean(0), target - target.mean(0), squared=True)
    cost /= cost.max() or 1.0
    # The least of each row and column is 0, so that exponentials of costs vanish as late as they can.
    cost -= cost.min(1, keepdims=True)
    cost -= cost.min(0)
    return cost


@contextmanager
def _named_warnings(owner: str) -> Iterator[None]:
    """Say once, in our words, that the solver has not converged."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    if any("converge" in str(warning.message) for warning in caught):
        warnings.warn(
            f"{owner}: the plan's margins are not yet within tol. Raise max_steps, tol or reg.",
            ConvergenceWarning,
            stacklevel=4,
        )


def _require_pot(owner: str) -> Any:
    try:
        import ot
        import ot.da
    except ImportError as error:
        raise ImportError(f"{owner} needs the package POT: pip install POT") from error
    return ot
