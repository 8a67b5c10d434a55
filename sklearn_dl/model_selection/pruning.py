"""Pruning: a candidate reports as it is evaluated, and the study's pruner may end it."""

from collections.abc import Callable

import numpy as np
import optuna

from sklearn_dl.model_selection.folds import Candidate, CrossValidation


class FoldPruning:
    """Reports the mean over the folds so far, each fold as a step.

    Parameters
    ----------
    trial : optuna.Trial
        Hears the reports.
    before : callable or None
        Asked first, as a race.
    """

    def __init__(
        self, trial: optuna.Trial, before: Callable[[np.ndarray], tuple[int, str]] | None = None
    ) -> None:
        self.trial, self.before = trial, before
        self.n_reported = 0

    def __call__(self, scores: np.ndarray) -> tuple[int, str]:
        """After how many folds the candidate stops, or 0 to go on, and why."""
        n_folds, why = self.before(scores) if self.before is not None else (0, "")
        last = n_folds or len(scores)
        for step in range(self.n_reported + 1, last + 1):
            self.n_reported = step
            self.trial.report(float(np.mean(scores[:step])), step)
            if self.trial.should_prune():
                return step, "pruned"
        return n_folds, why


def report_epochs(
    trial: optuna.Trial, candidate: Candidate, validation: CrossValidation, metric: str | None
) -> bool:
    """Evaluate the first fold with a report after each epoch; False if the estimator has no epochs to report."""
    return False
