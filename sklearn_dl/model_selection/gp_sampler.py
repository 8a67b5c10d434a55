"""Sampler of optuna that suggests where a Gaussian process expects to improve."""

import secrets
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, RandomSampler
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState
from scipy.stats import qmc

from sklearn_dl.model_selection.acquisition import ACQUISITIONS
from sklearn_dl.model_selection.belief import GPBelief
from sklearn_dl.model_selection.encoding import SpaceEncoding
from sklearn_dl.model_selection.history import Observations, read_observations, union_space
from sklearn_dl.model_selection.proposal import propose, propose_on_lines
from sklearn_dl.model_selection.search_model import SearchModel, SearchRows
from sklearn_dl.model_selection.turns import Turn, next_turn

_STATES = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL, TrialState.RUNNING)
_STARTUP, _SUGGESTION, _INDEPENDENT = range(3)  # streams of random numbers


class GPSampler(BaseSampler):
    """Bayesian optimization with a Gaussian process, for any study of optuna with one objective.

    The surrogate lives on the unit cube. It is the more probable of two: one with a Matern 5/2 covariance and
    targets warped by a function that is fitted too, and a smooth one with a Gaussian covariance. Either has a
    length scale for each parameter and a variance of the noise, under priors. Floats and integers enter by
    their logarithm where their distribution says so, choices as columns of 0 and 1. The acquisition function
    is maximised over values that parameters can take: by climbs along floats, and by moves between integers
    or choices.

    After a trial that was not the best so far, the next one changes a single parameter of the best trial, by
    a surrogate in which parameters act alone as well as together; if that one fails too, the next may change
    all parameters again, and so on. Steps of one kind go on while they improve. Single steps leave minima
    that are bad in a few parameters; where parameters act only together, as along an oblique valley, they
    cost some of the trials.

    Where most values are equal to others, because they count something, noise is taken for a function of the
    parameters that is known near the trials: it will not raise the best one on the step on which that lies.

    Trials that run are taken into account by draws of what they may return. A pruned trial counts as no
    better than the median, a failed one as the worst. Parameters that only some trials have are modelled
    together with the others; where a choice decides which exist, that is learnt from the trials. The initial
    trials are the points of a Sobol sequence.

    The surrogate holds 150 trials at most, since its cost grows with their cube: of more, a third are the
    best, a third the latest, and the others as far apart as there are.

    Parameters
    ----------
    acquisition : {"log_ei", "ei", "log_nei", "log_pi", "ucb"}, default="log_ei"
        What a trial is worth: the logarithm of the expected improvement of the best value returned so far,
        the expected improvement, its logarithm for a value without noise, averaged over the noiseless values
        that noisy observations may hide, the logarithm of the probability of an improvement, or a confidence
        bound of two deviations.
    n_startup_trials : int, default=10
        Complete or pruned trials before the surrogate is used.
    warp_targets : bool, default=True
        Whether targets are warped by logarithms with offsets, which are fitted. It helps where they range
        over orders of magnitude, and is nearly linear where they do not.
    warp_inputs : bool, default=False
        Whether each numeric parameter is warped by a Kumaraswamy distribution function, fitted. It helps
        functions that vary much faster near one end of a range, at about twice the time.
    n_candidates : int, default=512
        Points at which the acquisition function is evaluated first, a power of 2; as many again, at most, lie
        near the best trials.
    n_starts : int, default=8
        Candidates from which it is climbed.
    n_fantasies : int, default=8
        Draws of the targets of running trials, a power of 2.
    independent_sampler : optuna.samplers.BaseSampler, default=None
        For parameters that are not known before the trial asks for them. None draws uniformly.
    seed : int, default=None
        Seed. With it, what is suggested depends on the study and the number of the trial alone: a search that
        was interrupted goes on as it would have, and processes that search together may have the same seed.

    Raises
    ------
    ValueError
        If a parameter is out of its range, or the study has several objectives.

    See Also
    --------
    TPESampler : Cheaper for a suggestion; needs more trials.

    References
    ----------
    Snoek, Larochelle, Adams (2012), Practical Bayesian optimization of machine learning algorithms.
    Garrido-Merchan, Hernandez-Lobato (2020), Dealing with categorical and integer-valued variables in
    Bayesian optimization with Gaussian processes, section 3.

    Examples
    --------
    >>> import optuna
    >>> from sklearn_dl.model_selection.gp_sampler import GPSampler
    >>> optuna.logging.set_verbosity(optuna.logging.ERROR)
    >>> study = optuna.create_study(sampler=GPSampler(seed=0))
    >>> study.optimize(lambda trial: trial.suggest_float("x", -3, 3) ** 2, n_trials=15)
    >>> study.best_value < 1e-3
    True
    """

    def __init__(
        self,
        *,
        acquisition: str = "log_ei",
        n_startup_trials: int = 10,
        warp_targets: bool = True,
        warp_inputs: bool = False,
        n_candidates: int = 512,
        n_starts: int = 8,
        n_fantasies: int = 8,
        independent_sampler: BaseSampler | None = None,
        seed: int | None = None,
    ) -> None:
        if acquisition not in ACQUISITIONS:
            raise ValueError(
                f"{type(self).__name__}: acquisition must be one of {', '.join(map(repr, ACQUISITIONS))}; "
                f"got {acquisition!r}."
            )
        self.acquisition = acquisition
        self.n_startup_trials = self._whole("n_startup_trials", n_startup_trials, least=0)
        self.warp_targets, self.warp_inputs = warp_targets, warp_inputs
        self.n_candidates = self._whole("n_candidates", n_candidates, power_of_2=True)
        self.n_starts = self._whole("n_starts", n_starts)
        self.n_fantasies = self._whole("n_fantasies", n_fantasies, power_of_2=True)
        self.independent_sampler = independent_sampler
        self.seed = seed
        self._entropy: int | None = seed

    def _whole(self, name: str, value: int, *, least: int = 1, power_of_2: bool = False) -> int:
        is_whole = isinstance(value, int | np.integer) and not isinstance(value, bool) and value >= least
        if not is_whole or (power_of_2 and value & (value - 1)):
            kind = "a power of 2" if power_of_2 else f"an int of at least {least}"
            raise ValueError(f"{type(self).__name__}: {name} must be {kind}; got {value!r}.")
        return int(value)

    def reseed_rng(self) -> None:
        """Take a new seed, as optuna asks of samplers that it copies."""
        self._entropy = secrets.randbits(63)
        if self.independent_sampler is not None:
            self.independent_sampler.reseed_rng()

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Distributions of all parameters that finished trials had, as the latest of them had them.

        Parameters
        ----------
        study : optuna.Study
            Study with one objective.
        trial : optuna.trial.FrozenTrial
            Trial that asks.

        Returns
        -------
        search_space : dict of str to BaseDistribution
            What :meth:`sample_relative` gets.
        """
        self._raise_error_if_multi_objective(study)
        return union_space(_trials(study, trial))

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Parameters of the trial, all at once; a trial need not ask for all of them.

        Parameters
        ----------
        study : optuna.Study
            Study with one objective.
        trial : optuna.trial.FrozenTrial
            Trial that asks.
        search_space : dict of str to BaseDistribution
            What to choose from.

        Returns
        -------
        params : dict of str to object
            Value of each parameter of the search space.
        """
        self._raise_error_if_multi_objective(study)
        if not search_space:
            return {}
        trials = _trials(study, trial)
        n_told = sum(t.state in (TrialState.COMPLETE, TrialState.PRUNED) for t in trials)
        seen = read_observations(study, trials, search_space)
        if n_told < self.n_startup_trials or len(seen.values) < 2:
            return self._spread(search_space, trial.number)
        return self._suggest(seen, search_space, self._rng(_SUGGESTION, trial.number))

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """Value of a parameter that no trial had before.

        Parameters
        ----------
        study : optuna.Study
            Study with one objective.
        trial : optuna.trial.FrozenTrial
            Trial that asks.
        param_name : str
            Name of the parameter.
        param_distribution : optuna.distributions.BaseDistribution
            What to choose from.

        Returns
        -------
        value : object
            Value of the parameter.
        """
        self._raise_error_if_multi_objective(study)
        sampler = self.independent_sampler
        if sampler is None:
            rng = self._rng(_INDEPENDENT, trial.number, zlib.crc32(param_name.encode()))
            sampler = RandomSampler(seed=int(rng.integers(2**31)))
        return sampler.sample_independent(study, trial, param_name, param_distribution)

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        """Tell the independent sampler that a trial begins.

        Parameters
        ----------
        study : optuna.Study
            Its study.
        trial : optuna.trial.FrozenTrial
            The trial.
        """
        if self.independent_sampler is not None:
            self.independent_sampler.before_trial(study, trial)

    def after_trial(
        self, study: Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None
    ) -> None:
        """Tell the independent sampler that a trial ends.

        Parameters
        ----------
        study : optuna.Study
            Its study.
        trial : optuna.trial.FrozenTrial
            The trial.
        state : optuna.trial.TrialState
            How it ends.
        values : sequence of float or None
            What it returned.
        """
        if self.independent_sampler is not None:
            self.independent_sampler.after_trial(study, trial, state, values)

    def _rng(self, *stream: int) -> np.random.Generator:
        if self._entropy is None:
            self._entropy = secrets.randbits(63)
        return np.random.default_rng([self._entropy, *stream])

    def _spread(self, search_space: dict[str, BaseDistribution], number: int) -> dict[str, Any]:
        """Parameters of an initial trial: the point of a Sobol sequence that has the number of the trial."""
        encoding = SpaceEncoding(search_space)
        sequence = qmc.Sobol(encoding.n_columns, seed=self._rng(_STARTUP))
        if number > 0:
            sequence.fast_forward(number)
        return encoding.decode(encoding.snap(sequence.random(1))[0])

    def belief(self, study: Study) -> GPBelief:
        """What the sampler would make the next suggestion in all parameters by, to draw it or to look at it.

        Parameters
        ----------
        study : optuna.Study
            Study with one objective and at least two complete trials.

        Returns
        -------
        belief : GPBelief
            With quantiles of the objective, and the acquisition function.

        Raises
        ------
        ValueError
            If the study has too few trials.
        """
        self._raise_error_if_multi_objective(study)
        trials = study.get_trials(deepcopy=False, states=_STATES)
        space = union_space(trials)
        seen = read_observations(study, trials, space)
        if not space or len(seen.values) < 2:
            raise ValueError(
                f"{type(self).__name__}: a belief needs at least two complete trials with parameters; "
                f"the study has {len(seen.values)}. Run more trials first."
            )
        rows = SearchRows.of(seen, space)
        model = self._model(rows, Turn.WHOLE, self._rng(_SUGGESTION, len(trials)))
        maximized = study.direction == StudyDirection.MAXIMIZE
        return GPBelief(rows.encoding, model.posterior, model.objective, maximized)

    def _suggest(
        self, seen: Observations, search_space: dict[str, BaseDistribution], rng: np.random.Generator
    ) -> dict[str, Any]:
        rows = SearchRows.of(seen, search_space)
        turn = next_turn(rows.finished, rows.values, rows.encoding, len(seen.running))
        objective = self._model(rows, turn, rng).objective
        row = None if turn is Turn.WHOLE else propose_on_lines(objective, rows, rng)
        if row is None:
            row = propose(objective, rows, rng, n_candidates=self.n_candidates, n_starts=self.n_starts)
        return rows.encoding.decode(row)

    def _model(self, rows: SearchRows, turn: Turn, rng: np.random.Generator) -> SearchModel:
        return SearchModel.of(
            rows,
            turn,
            ACQUISITIONS[self.acquisition],
            rng,
            warp_inputs=self.warp_inputs,
            warp_targets=self.warp_targets,
            n_fantasies=self.n_fantasies,
        )


def _trials(study: Study, asking: FrozenTrial) -> list[FrozenTrial]:
    """Finished and running trials but for the one that asks."""
    trials = study._get_trials(deepcopy=False, states=_STATES, use_cache=True)
    return [trial for trial in trials if trial.number != asking.number]
