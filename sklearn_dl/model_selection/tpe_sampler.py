"""Optuna's tree-structured Parzen estimator with narrower kernels, and its two densities to look at."""

import copy
import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import numpy as np
import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.samplers._tpe.parzen_estimator import _ParzenEstimator
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

_TOLD = (TrialState.COMPLETE, TrialState.PRUNED)


@dataclass(frozen=True)
class TPEDensities:
    """The densities between whose trials a tree-structured Parzen estimator tells good ones from others.

    Attributes
    ----------
    search_space : dict of str to BaseDistribution
        Parameters that the densities are of.
    n_good, n_other : int
        Trials behind each density.

    References
    ----------
    Bergstra, Bardenet, Bengio, Kegl (2011), Algorithms for hyper-parameter optimization, equation 2.
    """

    search_space: dict[str, BaseDistribution]
    n_good: int
    n_other: int
    _good: Any
    _other: Any

    def good(self, params: Mapping[str, Sequence[Any]]) -> np.ndarray:
        """Density l(x) of parameters among the good trials.

        Parameters
        ----------
        params : dict of str to sequence of length n_points
            Values of each parameter of the search space.

        Returns
        -------
        density : ndarray of shape (n_points,)
            Per unit of each float, or of its natural logarithm where it is searched on that scale; a
            probability for integers, floats with steps and choices.
        """
        return self._evaluate(self._good, params)

    def other(self, params: Mapping[str, Sequence[Any]]) -> np.ndarray:
        """Density g(x) of parameters among the other trials; see :meth:`good`."""
        return self._evaluate(self._other, params)

    def _evaluate(self, estimator: Any, params: Mapping[str, Sequence[Any]]) -> np.ndarray:
        missing = sorted(self.search_space.keys() - params.keys())
        if missing:
            raise ValueError(f"TPEDensities: params must have values of {', '.join(missing)} too.")
        internal = {
            name: np.array([distribution.to_internal_repr(value) for value in params[name]], dtype=float)
            for name, distribution in self.search_space.items()
        }
        return np.exp(estimator.log_pdf(internal))

    def grid(self, name: str, n_points: int = 200) -> list[Any]:
        """Values of a parameter to draw the densities at: all choices, or points across its range."""
        distribution = self.search_space[name]
        if isinstance(distribution, CategoricalDistribution):
            return list(distribution.choices)
        if not isinstance(distribution, FloatDistribution | IntDistribution):
            raise TypeError(
                f"TPEDensities: {name} must be a float, an integer or a choice; got {distribution!r}."
            )
        low, high = float(distribution.low), float(distribution.high)
        if distribution.log:
            places = np.exp(np.linspace(math.log(low), math.log(high), n_points))
        else:
            places = np.linspace(low, high, n_points)
        places = np.clip(places, low, high)
        if distribution.step is not None:
            steps = np.unique(np.round((places - low) / distribution.step))
            places = np.clip(low + steps * distribution.step, low, high)
        is_float = isinstance(distribution, FloatDistribution)
        return [float(place) if is_float else round(place) for place in places]


class TPESampler(optuna.samplers.TPESampler):
    """Optuna's tree-structured Parzen estimator with all parameters in one density, of narrower kernels.

    This is optuna's sampler, multivariate whatever the version of optuna, but for the width of its kernels.
    A kernel reaches from its trial to the neighbours, and with few good trials in many parameters these may
    be near by chance; so optuna lets no kernel be narrower than the range divided by the number of trials
    plus two. After 50 trials, of which a tenth are good, that is still a seventh of each range, too wide to
    close in on an optimum. Here the least width is half as much. What is added is :meth:`densities`.

    Parameters
    ----------
    n_startup_trials : int, default=10
        Complete or pruned trials before the densities are used; up to then parameters are drawn uniformly.
    n_ei_candidates : int, default=24
        Draws from l(x), of which the one with the largest l(x) / g(x) is suggested.
    group : bool, default=False
        Whether parameters that occur together get a density of their own, for search spaces that depend on
        choices. Without it, parameters that only some trials have are sampled one by one.
    min_bandwidth_factor : float, default=0.5
        Least width of a kernel, in units of optuna's. With 1, suggestions are optuna's.
    constant_liar : bool, default=True
        Whether running trials count among the bad ones, for several trials at a time. It writes an attribute
        to the storage for each trial.
    seed : int, default=None
        Seed.

    Raises
    ------
    ValueError
        If ``min_bandwidth_factor`` is not in (0, 1].

    See Also
    --------
    GPSampler : Needs fewer trials; slower for a suggestion.

    References
    ----------
    Bergstra, Bardenet, Bengio, Kegl (2011), Algorithms for hyper-parameter optimization, section 4.
    Watanabe (2023), Tree-structured Parzen estimator: understanding its algorithm components and their roles
    for better empirical performance, on the least bandwidth.

    Examples
    --------
    >>> import optuna
    >>> from sklearn_dl.model_selection.tpe_sampler import TPESampler
    >>> optuna.logging.set_verbosity(optuna.logging.ERROR)
    >>> study = optuna.create_study(sampler=TPESampler(seed=0))
    >>> study.optimize(lambda trial: trial.suggest_float("x", -3, 3) ** 2, n_trials=40)
    >>> densities = study.sampler.densities(study)
    >>> ratio = densities.good({"x": [0.0, 2.5]}) / densities.other({"x": [0.0, 2.5]})
    >>> bool(ratio[0] > ratio[1])
    True
    """

    def __init__(
        self,
        *,
        n_startup_trials: int = 10,
        n_ei_candidates: int = 24,
        group: bool = False,
        min_bandwidth_factor: float = 0.5,
        constant_liar: bool = True,
        seed: int | None = None,
    ) -> None:
        if not 0 < min_bandwidth_factor <= 1:
            raise ValueError(
                f"{type(self).__name__}: min_bandwidth_factor must be in (0, 1]; "
                f"got {min_bandwidth_factor!r}."
            )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            super().__init__(
                n_startup_trials=n_startup_trials,
                n_ei_candidates=n_ei_candidates,
                multivariate=True,
                group=group,
                constant_liar=constant_liar,
                seed=seed,
            )
        self._parzen_estimator_cls = cast(Any, partial(_NarrowParzenEstimator, min_bandwidth_factor))
        self._built: list[tuple[int, Any]] | None = None

    def densities(self, study: Study, params: Sequence[str] | None = None) -> TPEDensities:
        """Densities that the next suggestion would be made with.

        Parameters
        ----------
        study : optuna.Study
            Study with at least ``n_startup_trials`` complete or pruned trials.
        params : sequence of str, default=None
            Parameters of the densities; None takes all that every trial has. The densities of some are the
            joint ones with the others integrated out.

        Returns
        -------
        densities : TPEDensities
            With functions ``good`` and ``other``.

        Raises
        ------
        ValueError
            If the study has too few trials, or no trial has a parameter of these names.
        """
        trials = study.get_trials(deepcopy=False, states=_TOLD)
        if len(trials) < max(1, self._n_startup_trials):
            raise ValueError(
                f"{type(self).__name__}: densities need n_startup_trials={self._n_startup_trials} complete "
                f"or pruned trials; the study has {len(trials)}. Run more trials first."
            )
        space = _space(trials, params, type(self).__name__)
        twin = copy.deepcopy(self)  # building the densities draws random numbers
        twin._built = []
        twin._sample(study, optuna.trial.create_trial(state=TrialState.RUNNING), space)
        (n_good, good), (n_other, other) = twin._built
        return TPEDensities(space, n_good, n_other, good, other)

    def _build_parzen_estimator(
        self,
        study: Study,
        search_space: dict[str, BaseDistribution],
        trials: list[FrozenTrial],
        *args: Any,
        **kw: Any,
    ) -> Any:
        estimator = super()._build_parzen_estimator(study, search_space, trials, *args, **kw)
        if self._built is not None:
            n_trials = sum(search_space.keys() <= trial.params.keys() for trial in trials)
            self._built.append((n_trials, estimator))
        return estimator


class _NarrowParzenEstimator(_ParzenEstimator):
    """Mixture of kernels whose least width is a share of optuna's."""

    def __init__(self, min_bandwidth_factor: float, *args: Any, **kw: Any) -> None:
        self._min_bandwidth_factor = min_bandwidth_factor
        super().__init__(*args, **kw)

    def _calculate_numerical_distributions(self, observations: np.ndarray, *args: Any) -> Any:
        *space, parameters = args  # before optuna 5 the space is its low, its high and its step
        unclipped = parameters._replace(consider_magic_clip=False)
        optunas: Any = super()
        kernels = optunas._calculate_numerical_distributions(observations, *space, unclipped)
        *_, prior_width = kernels.sigma  # the whole range
        least = prior_width / min(100, 2 + len(observations))
        return kernels._replace(sigma=np.maximum(kernels.sigma, self._min_bandwidth_factor * least))


def _space(
    trials: Sequence[FrozenTrial], params: Sequence[str] | None, owner: str
) -> dict[str, BaseDistribution]:
    """Distributions of the parameters, as the latest trials had them."""
    latest: dict[str, BaseDistribution] = {}
    for trial in trials:
        latest.update(trial.distributions)
    if params is None:
        params = [name for name in latest if all(name in trial.params for trial in trials)]
    unknown = sorted(set(params) - latest.keys())
    if unknown or not params:
        raise ValueError(
            f"{owner}: params must name parameters of the study, {', '.join(sorted(latest))}; "
            f"got {', '.join(map(repr, unknown)) or 'none'}."
        )
    return {name: latest[name] for name in sorted(params)}
