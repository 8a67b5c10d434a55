"""The loop of a search: claim candidates, evaluate them, tell the study."""

import math
import sys
import time
import warnings
from typing import Any

import numpy as np
import optuna

from sklearn_dl.model_selection.folds import Candidate, CrossValidation
from sklearn_dl.model_selection.landscape import Landscape
from sklearn_dl.model_selection.pruning import EpochPruning, FoldPruning, has_epochs
from sklearn_dl.model_selection.racing import MIN_FOLDS, Race
from sklearn_dl.model_selection.shared_study import OUTCOME, Outcome, SharedStudy, wait_for_others

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
            except BaseException:
                self.shared.abandon_all()
                raise
        trials = self.shared.finished()
        outcomes = [Outcome(**trial.user_attrs[OUTCOME]) for trial in trials]
        return [self.space.params(trial) for trial in trials], outcomes

    def _step(self) -> bool:
        """Evaluate the next candidates; False if the budget holds none."""
        trials, batch = [], []
        race = self._race()
        for _ in range(self.search.batch_size):
            trial = self.shared.claim()
            if trial is None:
                break
            trials.append(trial)
            batch.append(self._candidate(trial, race))
        self.validation.evaluate(batch, self.metric)
        for trial, candidate in zip(trials, batch, strict=True):
            outcome = candidate.outcome
            scores = outcome.objective(self.metric)
            if race is not None and outcome.stopped == "racing":
                outcome.value = race.expected(scores)
            else:
                outcome.value = float(np.mean(scores))
            self.shared.finish(trial, outcome)
        return bool(batch)

    def _candidate(self, trial: optuna.Trial, race: Race | None) -> Candidate:
        candidate = Candidate(trial.number, self.space.params(trial), race)
        if self.search.pruner is None:
            return candidate
        if has_epochs(self.validation.estimator, candidate.params):
            candidate.listener = EpochPruning(trial, self.metric)
        else:
            candidate.stop = FoldPruning(trial, candidate.stop)
        return candidate

    def _race(self) -> Race | None:
        """Race against the best candidate of which all folds are known, if there is one."""
        if not self.search.racing or len(self.validation.splits) <= MIN_FOLDS:
            return None
        outcomes = [Outcome(**trial.user_attrs[OUTCOME]) for trial in self.shared.finished()]
        whole = [o.objective(self.metric) for o in outcomes if not o.stopped and np.isfinite(o.value)]
        return Race(whole) if whole else None

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
        if self._is_exhausted():
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
        return Landscape(self.shared.study).greatest_improvement() < least


def _value(trial: Any) -> float:
    outcome = Outcome(**trial.user_attrs[OUTCOME])
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
