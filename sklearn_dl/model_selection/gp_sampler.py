"""Sampler of optuna that suggests where a Gaussian process expects to improve."""

import secrets
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, RandomSampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState
from scipy.stats import qmc

from sklearn_dl.model_selection.acquisition import ACQUISITIONS, Objective
from sklearn_dl.model_selection.conditions import learn_conditions
from sklearn_dl.model_selection.encoding import SpaceEncoding
from sklearn_dl.model_selection.history import Observations, read_observations, union_space
from sklearn_dl.model_selection.posterior import Posterior
from sklearn_dl.model_selection.proposal import propose
from sklearn_dl.model_selection.surrogate import Priors, Surrogate

_STATES = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL, TrialState.RUNNING)
_N_GOOD = 3  # best rows whose neighbourhoods are searched
_FRESH_EVERY = 5  # trials after which the hyper-parameters are also sought from the start


class GPSampler(BaseSampler):
    def __init__(
        self,
        *,
        acquisition: str = "log_ei",
        n_startup_trials: int = 10,
        warp_inputs: bool = False,
        warp_targets: bool = True,
        n_candidates: int = 512,
        n_starts: int = 8,
        n_fantasies: int = 8,
        priors: Priors | None = None,
        independent_sampler: BaseSampler | None = None,
        seed: int | None = None,
    ) -> None:
        self.acquisition = acquisition
        self.n_startup_trials = n_startup_trials
        self.warp_inputs, self.warp_targets = warp_inputs, warp_targets
        self.n_candidates, self.n_starts, self.n_fantasies = n_candidates, n_starts, n_fantasies
        self.priors = priors or Priors()
        self.independent_sampler = independent_sampler
        self.seed = seed
        self._entropy = seed
        self._theta = None

    def reseed_rng(self) -> None:
        self._entropy = secrets.randbits(63)
        if self.independent_sampler is not None:
            self.independent_sampler.reseed_rng()

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        self._raise_error_if_multi_objective(study)
        return union_space(study._get_trials(deepcopy=False, states=_STATES, use_cache=True))

    def sample_relative(self, study, trial, search_space):
        self._raise_error_if_multi_objective(study)
        if not search_space:
            return {}
        trials = study._get_trials(deepcopy=False, states=_STATES, use_cache=True)
        trials = [t for t in trials if t.number != trial.number]
        seen = read_observations(study, trials, search_space)
        n_complete = sum(t.state in (TrialState.COMPLETE, TrialState.PRUNED) for t in trials)
        if n_complete < self.n_startup_trials or len(seen.values) < 2:
            encoding = SpaceEncoding(search_space)
            sobol = qmc.Sobol(encoding.n_columns, seed=self._rng(0))
            if trial.number > 0: sobol.fast_forward(trial.number)
            return encoding.decode(encoding.snap(sobol.random(1))[0])
        return self._suggest(seen, search_space, self._rng(trial.number, 1))

    def sample_independent(self, study, trial, param_name, param_distribution):
        self._raise_error_if_multi_objective(study)
        if self.independent_sampler is not None:
            return self.independent_sampler.sample_independent(study, trial, param_name, param_distribution)
        rng = self._rng(trial.number, 2, zlib.crc32(param_name.encode()), len(study._get_trials(deepcopy=False)))
        return RandomSampler(seed=int(rng.integers(2**31))).sample_independent(study, trial, param_name, param_distribution)

    def _rng(self, *key: int):
        if self._entropy is None:
            self._entropy = secrets.randbits(63)
        return np.random.default_rng([self._entropy, *key])

    def _suggest(self, seen, search_space, rng):
        encoding = SpaceEncoding(search_space, learn_conditions(seen.params, search_space))
        rows = np.stack([encoding.encode(p) for p in seen.params])
        surrogate = Surrogate(rows, seen.values, encoding, warp_inputs=self.warp_inputs, warp_targets=self.warp_targets, priors=self.priors)
        theta = self._fit(surrogate)
        posterior = Posterior(surrogate, theta)
        running = [encoding.encode(p) for p in seen.running]
        known = np.array([*rows, *running])
        if running:
            posterior = posterior.imagine(np.array(running), self.n_fantasies, rng)
        objective = Objective([posterior], ACQUISITIONS[self.acquisition])
        mean = posterior.targets[:len(rows)].mean(axis=1)
        good = rows[np.argsort(mean)[:_N_GOOD]]
        row = propose(objective, encoding, good, known, rng, n_candidates=self.n_candidates, n_starts=self.n_starts)
        return encoding.decode(row)

    def _fit(self, surrogate):
        fresh = surrogate.start()
        if self._theta is None or len(self._theta) != len(fresh):
            starts = [fresh]
        else:
            starts = [self._theta] + ([fresh] if len(surrogate.targets) % _FRESH_EVERY == 0 else [])
        self._theta = surrogate.fit(starts)
        return self._theta
