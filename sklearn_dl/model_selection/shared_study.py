"""One search and one budget for all processes that share a study."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
import optuna
from optuna.trial import FrozenTrial, TrialState

from sklearn_dl.model_selection.seeding import reseed
from sklearn_dl.model_selection.storage import OWNER, SIGN_OF_LIFE, Worker, is_shared, quiet_engine

#: Attribute of a trial with all that its cross-validation gave, and of a study with what it was evaluated on.
OUTCOME = "sklearn_dl:cross_validation"
FOLDS = "sklearn_dl:folds"

#: Attribute of a trial that evaluates the missing folds of an earlier one: the number of that one.
CONTINUES = "sklearn_dl:continues"


@dataclass
class Outcome:
    """What the cross-validation of a candidate gave, fold by fold, in the order of the splits.

    Attributes
    ----------
    test_scores, train_scores : list of float or of dict of str to float
        A score, or one for each metric. `train_scores` is empty if they are not asked for.
    fit_time, score_time : list of float
        Seconds.
    errors : dict of str to str
        Traceback of each fold whose fit failed, by its number.
    stopped : str
        Why folds are missing: "racing", "pruned" or nothing.
    value : float
        What the study is told: the mean of the objective, or for a stopped candidate what is expected of it.
    """

    test_scores: list[Any] = field(default_factory=list)
    train_scores: list[Any] = field(default_factory=list)
    fit_time: list[float] = field(default_factory=list)
    score_time: list[float] = field(default_factory=list)
    errors: dict[str, str] = field(default_factory=dict)
    stopped: str = ""
    value: float = float("nan")

    def add(self, fold: Mapping[str, Any]) -> None:
        """Append the result of the next fold."""
        if fold["fit_error"] is not None:
            self.errors[str(len(self.test_scores))] = fold["fit_error"]
        self.test_scores.append(_storable(fold["test_scores"]))
        if "train_scores" in fold:
            self.train_scores.append(_storable(fold["train_scores"]))
        self.fit_time.append(fold["fit_time"])
        self.score_time.append(fold["score_time"])

    def cut(self, n_folds: int, why: str) -> None:
        """Keep the first folds, and say why the others are missing."""
        for name in ("test_scores", "train_scores", "fit_time", "score_time"):
            del getattr(self, name)[n_folds:]
        self.errors = {fold: error for fold, error in self.errors.items() if int(fold) < n_folds}
        self.stopped = why

    def objective(self, metric: str | None) -> np.ndarray:
        """Score of each fold in the metric that is searched for."""
        return np.array([scalar(score, metric) for score in self.test_scores], dtype=float)


def scalar(score: Any, metric: str | None) -> float:
    """One number of a fold's scores: that of the metric, of the first where none is named."""
    if not isinstance(score, Mapping):
        return score
    return score[metric] if metric in score else next(iter(score.values()))


def _storable(score: Any) -> Any:
    """Plain floats, which every storage takes."""
    if isinstance(score, Mapping):
        return {name: float(value) for name, value in score.items()}
    return float(score)


class SharedStudy:
    """Claims candidates, tells their outcomes, and clears up after processes that died.

    Parameters
    ----------
    study : optuna.Study
        Holds the trials.
    n_iter : int
        Candidates of all processes together.
    worker : Worker
        This process.
    seed : int or None
        Makes the random numbers of the sampler, anew for each trial, so that they depend neither on which
        process runs it nor on how often the search was resumed. None leaves the sampler to itself.
    first : sequence of dict
        Parameters of the engine that the first candidates have, in their order.
    """

    def __init__(
        self,
        study: optuna.Study,
        n_iter: int,
        worker: Worker,
        seed: int | None,
        first: Sequence[dict[str, Any]] = (),
    ) -> None:
        self.study, self.n_iter, self.worker, self.seed, self.first = study, n_iter, worker, seed, first
        self.storage, self.study_id = study._storage, study._study_id
        self.mine: dict[int, optuna.Trial | FrozenTrial] = {}
        self.is_stopped = False  # by the sampler, for which nothing is left to try

    def trials(self) -> list[FrozenTrial]:
        """All trials, those of dead processes cleared up."""
        trials = self._read()
        if not is_shared(self.storage):
            return trials
        running = [t for t in trials if t.state == TrialState.RUNNING and t.number not in self.mine]
        if not running:
            return trials
        signs = self._signs_of_life()
        dead = [trial for trial in running if self.worker.is_dead(trial, signs)]
        for trial in dead:
            self._bury(trial)
        return self._read() if dead else trials

    def finished(self) -> list[FrozenTrial]:
        """Candidates that were evaluated, in the order of their claims, with all folds they were given."""
        return [trial for trial in latest(self.trials()) if _is_evaluated(trial)]

    def continued(self) -> list[int]:
        """Numbers of the candidates whose missing folds are being evaluated."""
        running = [trial for trial in self.trials() if trial.state == TrialState.RUNNING]
        return [trial.user_attrs[CONTINUES] for trial in running if CONTINUES in trial.user_attrs]

    def others_at_work(self) -> bool:
        """Whether another process runs a trial."""
        return any(t.state == TrialState.RUNNING and t.number not in self.mine for t in self.trials())

    def claim(self) -> optuna.Trial | None:
        """Next candidate, or None if the budget is spent."""
        trials = self.trials()
        if sum(map(_counts, trials)) >= self.n_iter:
            return None
        trial_id = self._waiting(trials)
        is_enqueued = trial_id is not None
        if trial_id is None:
            trial_id = self.storage.create_new_trial(self.study_id, self._signed())
        number = self.storage.get_trial_number_from_id(trial_id)
        place = sum(_counts(other) and other.number < number for other in self._read())
        if place >= self.n_iter:  # another process took the last one meanwhile
            self._tell(number, state=TrialState.FAIL)
            return None
        if not is_enqueued and place < len(self.first):
            self.storage.set_trial_system_attr(trial_id, "fixed_params", self.first[place])
        if self.seed is not None:
            reseed(self.study.sampler, self.seed, number)
        self.study._thread_local.cached_all_trials = None  # as Study.ask does
        trial = optuna.Trial(self.study, trial_id)
        self.mine[trial.number] = trial
        return trial

    def claim_rest(self, trial: FrozenTrial) -> FrozenTrial | None:
        """Trial for the missing folds of a candidate, or None if another process was faster.

        A trial that ended cannot be opened again, so another one with the same parameters takes its place.
        """
        origin = origin_of(trial)
        template = self._signed()
        template.params, template.distributions = trial.params, trial.distributions
        template.user_attrs[CONTINUES] = origin
        claimed = self.storage.get_trial(self.storage.create_new_trial(self.study_id, template))
        self.mine[claimed.number] = claimed
        between = (t for t in self._read() if trial.number < t.number < claimed.number)
        if any(
            origin_of(t) == origin and (t.state == TrialState.RUNNING or _is_evaluated(t)) for t in between
        ):
            self.abandon(claimed)
            return None
        return claimed

    def finish(self, trial: optuna.Trial | FrozenTrial, outcome: Outcome) -> bool:
        """Store the outcome of a candidate; False if another process gave it up, taking this one for dead."""
        try:
            self.storage.set_trial_user_attr(trial._trial_id, OUTCOME, asdict(outcome))
        except RuntimeError:
            if not self.storage.get_trial(trial._trial_id).state.is_finished():
                raise
            del self.mine[trial.number]
            return False
        self._close(trial.number, outcome)
        del self.mine[trial.number]
        return True

    def abandon(self, trial: optuna.Trial | FrozenTrial) -> None:
        """Give a candidate up that was not evaluated; it does not count."""
        self._tell(trial.number, state=TrialState.FAIL)
        del self.mine[trial.number]

    def abandon_all(self) -> None:
        """Give up what this process runs, because it stops."""
        for trial in self.mine.values():
            self._bury(self.storage.get_trial(trial._trial_id))
        self.mine.clear()

    def _close(self, number: int, outcome: Outcome) -> None:
        if outcome.stopped == "pruned":
            self._tell(number, state=TrialState.PRUNED)
        elif np.isfinite(outcome.value):
            self._tell(number, outcome.value)
        else:
            self._tell(number, state=TrialState.FAIL)

    def _tell(self, number: int, value: float | None = None, state: TrialState | None = None) -> None:
        """End a trial; the sampler may stop the study, as one of a finite space does that has tried all."""
        here = self.study._thread_local
        here.in_optimize_loop = True
        try:
            self.study.tell(number, value, state=state)
        finally:
            here.in_optimize_loop = False
        self.is_stopped = self.is_stopped or self.study._stop_flag

    def _bury(self, trial: FrozenTrial) -> None:
        """End a trial whose process died or stops; if it did between outcome and end, nothing is lost."""
        try:
            if OUTCOME in trial.user_attrs:
                self._close(trial.number, Outcome(**trial.user_attrs[OUTCOME]))
            else:
                self.storage.set_trial_state_values(trial._trial_id, TrialState.FAIL)
        except (RuntimeError, ValueError):
            pass  # another process was faster

    def _read(self) -> list[FrozenTrial]:
        return self.storage.get_all_trials(self.study_id, deepcopy=False)

    def _signs_of_life(self) -> dict[str, Any]:
        attributes = self.storage.get_study_user_attrs(self.study_id)
        return {name: value for name, value in attributes.items() if name.startswith(SIGN_OF_LIFE)}

    def _signed(self) -> FrozenTrial:
        """Template of a trial that bears the name of its process from its first moment."""
        return FrozenTrial(
            number=-1, trial_id=-1, state=TrialState.RUNNING, value=None, values=None,
            datetime_start=datetime.now(), datetime_complete=None, params={}, distributions={},
            user_attrs={OWNER: self.worker.signature()}, system_attrs={}, intermediate_values={},
        )  # fmt: skip

    def _waiting(self, trials: list[FrozenTrial]) -> int | None:
        for trial in trials:
            if trial.state != TrialState.WAITING:
                continue
            try:
                taken = self.storage.set_trial_state_values(trial._trial_id, TrialState.RUNNING)
            except RuntimeError:  # another process took and finished it
                continue
            if taken:
                self.storage.set_trial_user_attr(trial._trial_id, OWNER, self.worker.signature())
                return trial._trial_id
        return None


def open_study(storage: Any, name: str | None, sampler: Any, pruner: Any, owner: str) -> optuna.Study:
    """Study of this name in the storage, a new one if there is none."""
    with quiet_engine():
        study = optuna.create_study(
            storage=storage,
            study_name=name,
            sampler=sampler,
            pruner=pruner,
            direction="maximize",
            load_if_exists=True,
        )
    if [direction.name for direction in study.directions] != ["MAXIMIZE"]:
        raise ValueError(
            f"{owner}: the study {study.study_name!r} must maximize one objective, the score; it has the "
            f"directions {[direction.name.lower() for direction in study.directions]}. Take another "
            "study_name."
        )
    return study


def check_same_folds(study: optuna.Study, folds: dict[str, Any], owner: str) -> None:
    """Refuse to go on with a study of other folds, rows or metrics: its scores are not comparable."""
    stored = study.user_attrs.get(FOLDS)
    if stored is None:
        study.set_user_attr(FOLDS, folds)
        return
    changed = {name for name, value in folds.items() if stored.get(name, value) != value}
    if changed == {"scoring"}:
        raise ValueError(
            f"{owner}: the study {study.study_name!r} was evaluated with scoring={stored['scoring']!r}, now "
            f"it is {folds['scoring']!r}, so its scores are not comparable. Take another study_name."
        )
    if changed:
        raise ValueError(
            f"{owner}: the study {study.study_name!r} was evaluated on other folds or rows "
            f"({stored['n_splits']} folds of {stored['n_rows']} rows; now {folds['n_splits']} of "
            f"{folds['n_rows']}), so its scores are not comparable. Take another study_name; if cv shuffles, "
            "give it a random_state."
        )


def wait_for_others(shared: SharedStudy, deadline: float) -> None:
    """Return when no other process runs a trial, or a claim may be free, or the time is over."""
    pause = 0.02
    while shared.others_at_work() and time.monotonic() < deadline:
        time.sleep(min(pause, max(deadline - time.monotonic(), 0.0)))
        pause = min(pause * 1.5, 1.0)


def origin_of(trial: FrozenTrial) -> int:
    """Number of the trial that a candidate was first evaluated by."""
    return trial.user_attrs.get(CONTINUES, trial.number)


def latest(trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
    """Trials of candidates in their order; where one was continued, the trial that did so in its place."""
    place = {trial.number: trial for trial in trials if CONTINUES not in trial.user_attrs}
    for trial in trials:
        if origin_of(trial) in place and _is_evaluated(trial):
            place[origin_of(trial)] = trial
    return list(place.values())


def is_given_up(trial: FrozenTrial) -> bool:
    """Whether a trial ended because its process did: that says nothing of its parameters."""
    return trial.state == TrialState.FAIL and OWNER in trial.user_attrs and OUTCOME not in trial.user_attrs


def _is_evaluated(trial: FrozenTrial) -> bool:
    return trial.state.is_finished() and OUTCOME in trial.user_attrs


def _counts(trial: FrozenTrial) -> bool:
    """Whether a trial takes a place of the budget; those of earlier searches and of the dead do not."""
    return CONTINUES not in trial.user_attrs and (_is_evaluated(trial) or trial.state == TrialState.RUNNING)
