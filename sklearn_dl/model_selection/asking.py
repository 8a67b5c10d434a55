"""The study of a search, and asking and telling by hand."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import optuna
from sklearn.base import clone

from sklearn_dl.model_selection.seeding import seed_of
from sklearn_dl.model_selection.shared_study import OUTCOME, Outcome, SharedStudy, open_study
from sklearn_dl.model_selection.space import search_space
from sklearn_dl.model_selection.storage import Worker, open_storage, quiet_engine


@dataclass(frozen=True)
class Asked:
    """A candidate that was asked for.

    Attributes
    ----------
    params : dict
        Parameters, as ``set_params`` of the estimator takes them.
    trial : optuna.Trial
        The trial behind it, for intermediate reports.
    """

    params: dict[str, Any]
    trial: optuna.Trial


class AskAndTell:
    """Search whose candidates may also be evaluated by the caller."""

    def ask(self) -> Asked:
        """Next candidate, for an evaluation of your own, which :meth:`tell` ends.

        The first call opens the study; give the search a ``storage``, and ``fit`` goes on from what was told.

        Returns
        -------
        candidate : Asked
            With ``params`` for the estimator.

        Raises
        ------
        ValueError
            If ``n_iter`` candidates have been asked for.
        """
        if getattr(self, "_asking", None) is None:
            self._check_params()
            self._open_study()
            worker = Worker(self.study_._storage, self.study_._study_id)
            self._asking = SharedStudy(self.study_, self.n_iter, worker, self._sampler_seed)
        trial = self._asking.claim()
        if trial is None:
            raise ValueError(
                f"{type(self).__name__}: all n_iter={self.n_iter} candidates have been asked for. Raise n_iter."
            )
        return Asked(self._space.params(trial), trial)

    def tell(self, candidate: Asked, scores: float | Sequence[float]) -> Any:
        """Say how a candidate did; sets ``best_params_`` and ``best_score_``.

        Parameters
        ----------
        candidate : Asked
            From :meth:`ask`.
        scores : float or sequence of float
            Score, or one for each fold; greater is better. NaN means that it failed.

        Returns
        -------
        self : estimator
            The search.
        """
        folds = [float(score) for score in np.atleast_1d(np.asarray(scores, dtype=float))]
        nothing = [0.0] * len(folds)
        outcome = Outcome(folds, [], nothing, nothing, value=float(np.mean(folds)))
        self._asking.finish(candidate.trial, outcome)
        values = [(trial.value, trial) for trial in self._asking.finished() if trial.value is not None]
        if values:
            self.best_score_, best = max(values, key=lambda pair: pair[0])
            self.best_params_ = self._space.params(best)
        return self

    def _open_study(self) -> None:
        """Open the study of the parameters, with the candidates to try first and what is known from earlier."""
        owner = type(self).__name__
        self._space = search_space(self.search_space, self.estimator, owner)
        first = self._first_candidates()
        given = self.sampler is not None
        sampler = copy.deepcopy(self.sampler) if given else self._default_sampler()
        self._sampler_seed = None if given and self.random_state is None else seed_of(self.random_state)
        pruner = copy.deepcopy(self.pruner) or optuna.pruners.NopPruner()
        self.study_ = open_study(open_storage(self.storage, owner), self.study_name, sampler, pruner, owner)
        with quiet_engine():
            if not self.study_.get_trials(deepcopy=False):
                self.study_.add_trials(_earlier(self.earlier_trials, owner))
            for params in first:
                self.study_.enqueue_trial(params, skip_if_exists=True)

    def _first_candidates(self) -> list[dict[str, Any]]:
        if self.enqueue is None:
            return []
        if self.enqueue == "default":
            values = clone(self.estimator).get_params()
            return [self._space.encode({name: values[name] for name in self._space.names if name in values})]
        for params in self.enqueue:
            if not isinstance(params, Mapping):
                raise TypeError(
                    f"{type(self).__name__}: enqueue must hold dicts of parameters; got {params!r}."
                )
        return [self._space.encode(params) for params in self.enqueue]


def _earlier(source: Any, owner: str) -> list[optuna.trial.FrozenTrial]:
    """Completed trials of a search, a study or a list, freed of what marks them as rows of their search."""
    if source is None:
        return []
    study = getattr(source, "study_", source)
    trials = study.get_trials(deepcopy=True) if hasattr(study, "get_trials") else list(study)
    for trial in trials:
        if not isinstance(trial, optuna.trial.FrozenTrial):
            raise TypeError(
                f"{owner}: earlier_trials must be a fitted search, a study of optuna or a list of its trials; "
                f"got {type(trial).__name__} among them."
            )
    known = [trial for trial in trials if trial.state == optuna.trial.TrialState.COMPLETE]
    for trial in known:
        trial.user_attrs = {name: value for name, value in trial.user_attrs.items() if name != OUTCOME}
    return known
