"""The study of a search, and asking and telling by hand."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import optuna
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from sklearn_dl.model_selection.records import study_of, to_records
from sklearn_dl.model_selection.seeding import seed_of
from sklearn_dl.model_selection.shared_study import CONTINUES, OUTCOME, Outcome, SharedStudy, open_study
from sklearn_dl.model_selection.space import search_space
from sklearn_dl.model_selection.storage import Worker, is_shared, open_storage, quiet_engine


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

    #: What belongs to this process and is in no file of a search.
    _transient = ("_asking", "_space", "_study")

    def __getstate__(self: Any) -> dict[str, Any]:
        state: dict[str, Any] = super().__getstate__()  # type: ignore[assignment]
        return {name: value for name, value in state.items() if name not in self._transient}

    @property
    def study_(self: Any) -> optuna.Study:
        """The trials as a study in memory, for plots and analyses of optuna."""
        if "_asking" in vars(self):
            return self._asking.study
        if "_records" not in vars(self):
            raise NotFittedError(
                f"{type(self).__name__} has no study yet. Call fit with data, or ask, before reading study_."
            )
        if "_study" not in vars(self):
            self._study = study_of(self._records, self.study_name or "search")
        return self._study

    def _forget(self: Any) -> None:
        """Give up what was asked for and not told, which a search of the same storage would wait for."""
        if "_asking" in vars(self) and is_shared(self._asking.storage):
            self._asking.abandon_all()
            self._asking.worker.stop()
        for name in self._transient:
            vars(self).pop(name, None)

    def ask(self: Any) -> Asked:
        """Next candidate, for an evaluation of your own, which :meth:`tell` ends.

        The first call opens the study. Give the search a ``storage``, and ``fit`` goes on from what was told.

        Returns
        -------
        candidate : Asked
            With ``params`` for the estimator.

        Raises
        ------
        ValueError
            If ``n_iter`` candidates have been asked for.
        """
        if "_asking" not in vars(self):
            self._check_params()
            self._asking, self._space = self._open_study()
        trial = self._asking.claim()
        if trial is None:
            raise ValueError(
                f"{type(self).__name__}: n_iter={self.n_iter} candidates have been asked for, the whole "
                "budget. Raise n_iter."
            )
        self._asking.worker.start()
        return Asked(self._space.params(trial), trial)

    def tell(self: Any, candidate: Asked, scores: float | Sequence[float]) -> Any:
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

        Raises
        ------
        TypeError
            If the candidate is not one of :meth:`ask`.
        ValueError
            If it was told before or asked of another search, or there is no score.
        """
        name = type(self).__name__
        if not isinstance(candidate, Asked):
            raise TypeError(f"{name}: candidate must be what ask returned; got {candidate!r}.")
        if (
            "_asking" not in vars(self)
            or self._asking.mine.get(candidate.trial.number) is not candidate.trial
        ):
            raise ValueError(
                f"{name}: candidate {candidate.trial.number} must be one that this search was asked for and "
                "not told of yet. Tell each candidate once, to the search that gave it, before its next fit."
            )
        folds = [float(score) for score in np.ravel(np.asarray(scores, dtype=float))]
        if not folds:
            raise ValueError(f"{name}: scores must hold one score at least; they are empty.")
        times = [0.0] * len(folds)
        outcome = Outcome(folds, [], times, times, value=float(np.mean(folds)))
        counts = self._asking.finish(candidate.trial, outcome)
        if not self._asking.mine:
            self._asking.worker.stop()
        if not counts:
            raise ValueError(
                f"{name}: candidate {candidate.trial.number} was given up by another process on the storage, "
                "which had no sign of life of this one for two minutes. Ask for another candidate."
            )
        known = [trial for trial in self._asking.finished() if _has_score(trial)]
        if known:
            best = max(known, key=lambda trial: trial.value or 0.0)
            self.best_score_, self.best_params_ = best.value, self._space.params(best)
        self._records = to_records(self._asking.study)
        return self

    def _open_study(self: Any) -> tuple[SharedStudy, Any]:
        """Study that knows what to try first and what was tried earlier; and the search space."""
        owner = type(self).__name__
        space = search_space(self.search_space, self.estimator, owner)
        enqueued = _enqueued(self, space)
        is_plain = self.enqueue == "auto" and self.sampler is None and self.earlier_trials is None
        first = space.middles() if is_plain else []
        seed = seed_of(self.random_state)
        sampler = self._default_sampler(seed) if self.sampler is None else copy.deepcopy(self.sampler)
        reseeds = self.sampler is None or self.random_state is not None
        pruner = copy.deepcopy(self.pruner) or optuna.pruners.NopPruner()
        name = self.study_name or (None if self.storage is None else "search")
        study = open_study(open_storage(self.storage, owner), name, sampler, pruner, owner)
        with quiet_engine():
            if not study.get_trials(deepcopy=False):
                study.add_trials(_earlier(self.earlier_trials, owner))
            _enqueue(study, enqueued)
        space.check(study.get_trials(deepcopy=False))
        worker = Worker(study._storage, study._study_id)
        shared = SharedStudy(study, self.n_iter, worker, seed if reseeds else None, first)
        _check_candidates(shared, space, owner)
        return shared, space


def _check_candidates(shared: SharedStudy, space: Any, owner: str) -> None:
    """Refuse to go on with candidates of which the search space does not say all parameters."""
    for trial in shared.finished():
        try:
            space.params(trial)
        except ValueError as error:
            raise ValueError(
                f"{owner}: search_space asks for what candidate {trial.number} of the study "
                f"{shared.study.study_name!r} does not have: it has {trial.params}. {error} Take the "
                "search_space of before, or another study_name."
            ) from error


def _has_score(trial: optuna.trial.FrozenTrial) -> bool:
    """Whether a candidate has all its folds; what is expected of others is no score."""
    return trial.value is not None and not trial.user_attrs[OUTCOME]["stopped"]


def _enqueued(search: Any, space: Any) -> list[dict[str, Any]]:
    if search.enqueue is None or search.enqueue == "auto":
        return []
    if search.enqueue == "default":
        return [space.encode_defaults(clone(search.estimator).get_params())]
    for params in search.enqueue:
        if not isinstance(params, Mapping):
            raise TypeError(
                f"{type(search).__name__}: enqueue must hold dicts of parameters; got {params!r}."
            )
    return [space.encode(params) for params in search.enqueue]


def _enqueue(study: optuna.Study, candidates: list[dict[str, Any]]) -> None:
    """Enqueue what the study does not have already, because it is resumed or shared."""
    had = [trial.system_attrs.get("fixed_params") for trial in study.get_trials(deepcopy=False)]
    for params in candidates:
        if params in had:
            had.remove(params)
        else:
            study.enqueue_trial(params)


def _earlier(source: Any, owner: str) -> list[optuna.trial.FrozenTrial]:
    """Completed trials of a search, a study or a list, freed of what marks them as rows of their search."""
    if source is None:
        return []
    study = getattr(source, "study_", source)
    if isinstance(study, optuna.Study):
        directions = [direction.name.lower() for direction in study.directions]
        if directions != ["maximize"]:
            raise ValueError(
                f"{owner}: earlier_trials must be of a study that maximizes one objective, the score; it has "
                f"the directions {directions}. Add its trials to one that does, with the values of scores."
            )
        study = study.get_trials(deepcopy=False)
    if not isinstance(study, list | tuple) or not all(map(_is_trial, study)):
        raise TypeError(
            f"{owner}: earlier_trials must be a fitted search, a study of optuna or a list of trials with "
            f"one value; got {source!r}."
        )
    trials = copy.deepcopy(list(study))
    known = [trial for trial in trials if trial.state == optuna.trial.TrialState.COMPLETE]
    for trial in known:
        trial.user_attrs = {
            n: value for n, value in trial.user_attrs.items() if n not in (OUTCOME, CONTINUES)
        }
    return known


def _is_trial(trial: Any) -> bool:
    return isinstance(trial, optuna.trial.FrozenTrial) and len(trial.values or [0.0]) == 1
