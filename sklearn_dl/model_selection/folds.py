"""Cross-validation of candidates, fold by fold: in parallel, and no further than a race requires."""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from traceback import format_exc
from typing import Any

import numpy as np
from joblib import effective_n_jobs
from sklearn.base import clone
from sklearn.model_selection._validation import _fit_and_score
from sklearn.utils.parallel import Parallel, delayed

from sklearn_dl.model_selection.pruning import EpochPruning, held_out_score
from sklearn_dl.model_selection.racing import MIN_FOLDS
from sklearn_dl.model_selection.shared_study import Outcome

_TAKES_CALLBACKS = "callback_ctx" in inspect.signature(_fit_and_score).parameters


@dataclass
class CrossValidation:
    """Folds of the rows, and how an estimator is fitted and scored on them.

    Attributes
    ----------
    estimator : estimator
        Unfitted.
    X, y : array-like
        All rows.
    splits : list of tuple of ndarray
        Training and test rows of each fold.
    options : dict
        Passed on to scikit-learn's function for one fold.
    parallel : joblib.Parallel
        Runs the folds; its backend may be processes, threads or machines.
    caller : estimator
        The search.
    context : callback context
        Parent of the tasks that callbacks hear of.
    """

    estimator: Any
    X: Any
    y: Any
    splits: Sequence[tuple[Any, Any]]
    options: dict[str, Any]
    parallel: Parallel
    caller: Any
    context: Any

    def __post_init__(self) -> None:
        self.n_tasks = 0

    def evaluate(self, batch: Sequence["Candidate"], metric: str | None = None) -> list[Outcome]:
        """Outcomes of some candidates, of which those that must not finish lack folds.

        Parameters
        ----------
        batch : list of Candidate
            What to evaluate.
        metric : str, default=None
            Metric by which candidates are stopped.
        """
        for candidate in batch:
            if candidate.listener is not None:
                self._run_first_fold(candidate)
        while going := [candidate for candidate in batch if self._goes_on(candidate)]:
            self._run_round(going)
            for candidate in going:
                candidate.decide(metric)
        return [candidate.outcome for candidate in batch]

    def _goes_on(self, candidate: "Candidate") -> bool:
        return not candidate.outcome.stopped and candidate.n_done < len(self.splits)

    def _run_first_fold(self, candidate: "Candidate") -> None:
        """Run the first fold here and not in a worker, because its epochs are reported as it runs."""
        result = fit_and_score(**self._arguments(candidate, 0), listener=candidate.listener)
        candidate.outcome.add(result)
        if candidate.listener is not None and candidate.listener.pruned:
            candidate.outcome.cut(1, "pruned")

    def _run_round(self, going: Sequence["Candidate"]) -> None:
        folds = range(len(self.splits))
        tasks = [
            (candidate, fold)
            for candidate in going
            for fold in folds[candidate.n_done :][: self._width(candidate, len(going))]
        ]
        calls = [delayed(fit_and_score)(**self._arguments(candidate, fold)) for candidate, fold in tasks]
        for (candidate, _), result in zip(tasks, self.parallel(calls), strict=True):
            candidate.outcome.add(result)

    def _width(self, candidate: "Candidate", n_going: int) -> int:
        """Folds of a candidate in a round: as few as keep all workers busy."""
        if candidate.stop is None:
            return len(self.splits)
        return max(-(-effective_n_jobs(self.parallel.n_jobs) // n_going), MIN_FOLDS - candidate.n_done)

    def _arguments(self, candidate: "Candidate", fold: int) -> dict[str, Any]:
        train, test = self.splits[fold]
        return {
            "estimator": clone(self.estimator),
            "X": self.X,
            "y": self.y,
            "train": train,
            "test": test,
            "parameters": candidate.params,
            "split_progress": (fold, len(self.splits)),
            "candidate_progress": (candidate.number, self.caller.n_iter),
            **self.options,
            **self._listeners(),
        }

    def _listeners(self) -> dict[str, Any]:
        """What scikit-learn's function for one fold needs to tell callbacks of it, where it knows them."""
        announced = self.caller.n_iter * len(self.splits)
        if not _TAKES_CALLBACKS or self.n_tasks == announced:  # more are run where others gave some up
            return {}
        self.n_tasks += 1
        task = self.context.subcontext(task_name="candidate-split-evaluation", task_id=self.n_tasks - 1)
        return {"caller": self.caller, "callback_ctx": task}


@dataclass
class Candidate:
    """A candidate under evaluation.

    Attributes
    ----------
    number : int
        Place in the search.
    params : dict
        Parameters.
    stop : callable or None
        Scores so far, one a fold -> after how many of them the candidate stops, or 0 to go on, and why.
    listener : EpochPruning or None
        Hears of the epochs of the first fold.
    outcome : Outcome
        What its folds gave.
    """

    number: int
    params: dict[str, Any]
    stop: Callable[[np.ndarray], tuple[int, str]] | None = None
    listener: EpochPruning | None = None
    outcome: Outcome = field(default_factory=Outcome)

    @property
    def n_done(self) -> int:
        """Folds evaluated."""
        return len(self.outcome.test_scores)

    def decide(self, metric: str | None) -> None:
        """Stop, if the folds so far say so; what ran beside the decisive fold is dropped."""
        if self.stop is None or self.outcome.stopped:
            return
        n_folds, why = self.stop(self.outcome.objective(metric))
        if n_folds:
            self.outcome.cut(n_folds, why)


def fit_and_score(
    estimator: Any,
    X: Any,
    y: Any,
    *,
    parameters: dict[str, Any],
    listener: EpochPruning | None = None,
    **options: Any,
) -> dict[str, Any]:
    """scikit-learn's fit and score of one fold; parameters that cannot be set are a failed fit too."""
    try:
        estimator.set_params(**clone(parameters, safe=False))
    except Exception:
        if options["error_score"] == "raise":
            raise
        return _failed(options, format_exc())
    told: dict[str, Any] | None = parameters if options["verbose"] > 1 else None
    if listener is not None:
        told = None  # setting them again would replace the network that is listened to
        listener.attach(
            estimator, *held_out_score(estimator, X, y, options["train"], options["test"], options)
        )
    return _fit_and_score(estimator, X, y, parameters=told, **options)


def _failed(options: dict[str, Any], error: str) -> dict[str, Any]:
    metrics = getattr(options["scorer"], "_scorers", None)
    scores: Any = (
        options["error_score"] if metrics is None else dict.fromkeys(metrics, options["error_score"])
    )
    result = {"fit_error": error, "test_scores": scores, "fit_time": 0.0, "score_time": 0.0}
    return result | ({"train_scores": scores} if options["return_train_score"] else {})
