"""The loop of a search: claim candidates, evaluate them, tell the study."""

import math
import sys
import time
import warnings
from functools import partial
from typing import Any

import numpy as np
import optuna
from optuna.trial import FrozenTrial

from sklearn_dl.model_selection.folds import Candidate, CrossValidation
from sklearn_dl.model_selection.landscape import Landscape, TooFewTrialsError
from sklearn_dl.model_selection.pruning import EpochPruning, FoldPruning, has_epochs
from sklearn_dl.model_selection.racing import MIN_FOLDS, N_ERRORS_AGAIN, Race, room
from sklearn_dl.model_selection.shared_study import OUTCOME, Outcome, SharedStudy, origin_of, wait_for_others

#: Candidates before a search ends because no improvement is expected.
MIN_CANDIDATES = 10


class SearchLoop:
    """One process's part of a search.

    Parameters
    ----------
    search : estimator
        Its parameters rule the loop; its study is open.
    shared : SharedStudy
        Hands out trials.
    space : search space
        Makes parameters of trials.
    validation : CrossValidation
        Evaluates candidates.
    metric : str or None
        Metric that the search goes by.
    """

    def __init__(
        self, search: Any, shared: SharedStudy, space: Any, validation: CrossValidation, metric: str | None
    ) -> None:
        self.search, self.shared, self.space = search, shared, space
        self.validation, self.metric = validation, metric
        self.n_candidates = space.n_candidates(search.n_iter - 1)

    def run(self) -> tuple[list[dict[str, Any]], list[Outcome]]:
        """Parameters and outcomes of all candidates, those of other processes too."""
        start = time.monotonic()
        deadline = start + (self.search.timeout or math.inf)
        with self.shared.worker, ProgressLine(self.search) as line:
            try:
                while not self._is_over(deadline, line):
                    if not self._step():
                        if not self.shared.others_at_work():
                            break
                        wait_for_others(self.shared, deadline)
                self._continue_stopped(deadline)
            except BaseException:
                self.shared.abandon_all()
                raise
        trials = self.shared.finished()
        outcomes = [_outcome(trial) for trial in trials]
        return [self.space.params(trial) for trial in trials], outcomes

    def _step(self) -> bool:
        """Evaluate the next candidates; False if the budget holds none."""
        race = self._race(self.shared.finished())
        trials, batch = [], []
        for _ in range(self.search.batch_size):
            trial = self.shared.claim()
            if trial is None:
                break
            trials.append(trial)
            batch.append(self._candidate(trial, race))
        self._evaluate(trials, batch, race)
        return bool(batch)

    def _evaluate(self, trials: list[Any], batch: list[Candidate], race: Race | None) -> None:
        self.validation.evaluate(batch, self.metric)
        for trial, candidate in zip(trials, batch, strict=True):
            outcome = candidate.outcome
            scores = outcome.objective(self.metric)
            if race is not None and outcome.stopped == "racing":
                outcome.value = race.expected(scores)
            else:
                outcome.value = float(np.mean(scores))
            self.shared.finish(trial, outcome)

    def _continue_stopped(self, deadline: float) -> None:
        """Evaluate missing folds of candidates that stopped and may yet be the best, these first."""
        while self._races() and time.monotonic() < deadline:
            finished, running = self.shared.finished(), self.shared.continued()
            race = self._race(finished, n_errors=N_ERRORS_AGAIN, indifference=0.0)
            rivals = [] if race is None else self._rivals(race, finished, running)
            if race is not None and rivals:
                claimed = [(self.shared.claim_rest(trial), outcome) for trial, outcome in rivals]
                ours = [(trial, outcome) for trial, outcome in claimed if trial is not None]
                batch = [self._rest(trial, outcome, race) for trial, outcome in ours]
                self._evaluate([trial for trial, _ in ours], batch, race)
            elif running:
                wait_for_others(self.shared, deadline)
            else:
                return

    def _rivals(
        self, race: Race, finished: list[FrozenTrial], running: list[int]
    ) -> list[tuple[FrozenTrial, Outcome]]:
        """Candidates to continue next, the most promising first, as many as there is room for."""
        n_splits = len(self.validation.splits)
        found, n_folds = [], []
        for trial in finished:
            outcome, runs = _outcome(trial), origin_of(trial) in running
            scores = outcome.objective(self.metric)
            n_folds.append(n_splits if runs else len(scores))
            if outcome.stopped == "racing" and not runs and not race.has_lost(scores):
                outcome.stopped = ""
                found.append((trial, outcome, race.expected(scores)))
        found.sort(key=lambda entry: -entry[2])
        left, rivals = room(n_folds, n_splits), []
        for trial, outcome, _ in found[: self.search.batch_size]:
            left -= n_splits - len(outcome.test_scores)
            if left >= 0:
                rivals.append((trial, outcome))
        return rivals

    def _rest(self, trial: FrozenTrial, outcome: Outcome, race: Race) -> Candidate:
        stop = partial(race, after=len(outcome.test_scores))
        return Candidate(origin_of(trial), self.space.params(trial), stop, outcome=outcome)

    def _candidate(self, trial: optuna.Trial, race: Race | None) -> Candidate:
        candidate = Candidate(trial.number, self.space.params(trial), race)
        if self.search.pruner is None:
            return candidate
        if has_epochs(self.validation.estimator, candidate.params):
            candidate.listener = EpochPruning(trial, self.metric)
        else:
            candidate.stop = FoldPruning(trial, candidate.stop)
        return candidate

    def _races(self) -> bool:
        return self.search.racing and len(self.validation.splits) > MIN_FOLDS

    def _race(self, finished: list[FrozenTrial], **rule: float) -> Race | None:
        """Race against the best candidate of which all folds are known, if there is one."""
        if not self._races():
            return None
        outcomes = [_outcome(trial) for trial in finished]
        whole = [o.objective(self.metric) for o in outcomes if not o.stopped and np.isfinite(o.value)]
        return Race(whole, **rule) if whole else None

    def _is_exhausted(self) -> bool:
        """Whether each candidate of a space that holds fewer than n_iter has been evaluated."""
        if self.n_candidates == math.inf:
            return False
        different = {repr(sorted(trial.params.items())) for trial in self.shared.finished()}
        if len(different) < self.n_candidates:
            return False
        warnings.warn(
            f"{type(self.search).__name__}: search_space holds {self.n_candidates:.0f} different "
            f"candidate{'s' * (self.n_candidates > 1)}, fewer than n_iter={self.search.n_iter}; "
            "the search ends, since each has been evaluated.",
            UserWarning,
            stacklevel=2,
        )
        return True

    def _is_over(self, deadline: float, line: "ProgressLine") -> bool:
        """Whether to begin no further candidate; never before one is evaluated."""
        search = self.search
        if self.shared.is_stopped or self._is_exhausted():
            return True
        limit, least = search.n_iter_no_change, search.min_improvement
        if limit is None and least is None and deadline == math.inf and not search.progress_bar:
            return False
        values = [_value(trial) for trial in self.shared.finished()]
        line.show(values)
        if not values:
            return False
        if time.monotonic() > deadline or (limit is not None and _since_rise(values, search.tol) >= limit):
            return True
        if least is None or len(values) < MIN_CANDIDATES or not np.isfinite(max(values)):
            return False
        try:
            return Landscape(self.shared.study).greatest_improvement() < least
        except TooFewTrialsError:  # of the ranges and parameters that the latest ones have
            return False


def _outcome(trial: FrozenTrial) -> Outcome:
    return Outcome(**trial.user_attrs[OUTCOME])


def _value(trial: FrozenTrial) -> float:
    outcome = _outcome(trial)
    return -math.inf if outcome.stopped or not np.isfinite(outcome.value) else outcome.value


def _since_rise(values: list[float], tol: float) -> int:
    """Candidates since the best score last rose by more than tol."""
    best, since = -math.inf, 0
    for value in values:
        since += 1
        if value > best + tol or (best == -math.inf and value > best):
            best, since = value, 0
    return since


class ProgressLine:
    """Line with the candidates done, the best score and the time left; nothing unless it is asked for."""

    def __init__(self, search: Any) -> None:
        self.bar: Any = None
        if search.progress_bar:
            from tqdm.auto import tqdm

            self.bar = tqdm(total=search.n_iter, desc=type(search).__name__, file=sys.stderr)

    def __enter__(self) -> "ProgressLine":
        return self

    def __exit__(self, *_: Any) -> None:
        if self.bar is not None:
            self.bar.close()

    def show(self, values: list[float]) -> None:
        """Show where the search stands."""
        if self.bar is None:
            return
        self.bar.update(len(values) - self.bar.n)
        if values and max(values) > -math.inf:
            self.bar.set_postfix_str(f"best {max(values):.6g} (candidate {int(np.argmax(values)) + 1})")
