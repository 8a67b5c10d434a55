"""From the outcomes of all candidates to the columns of cv_results_."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.stats import rankdata

from sklearn_dl.model_selection.shared_study import Outcome


def fold_results(
    outcomes: Sequence[Outcome], n_splits: int, error_score: Any, with_train: bool
) -> list[dict[str, Any]]:
    """One dict a fold, as scikit-learn's formatting takes them; missing folds are filled with means.

    The means are taken out again by :func:`mark_stopped`. Training scores that a resumed search did not store
    are NaN.
    """
    names = metric_names(outcomes)
    rows = []
    for outcome in outcomes:
        test = [_spread(score, names, error_score) for score in outcome.test_scores]
        train = [_spread(score, names, error_score) for score in outcome.train_scores]
        if with_train and not train:
            train = [_spread(np.nan, names, np.nan)] * n_splits
        n_done = len(test)
        for fold in range(n_splits):
            row = {
                "fit_error": outcome.errors.get(str(fold)),
                "test_scores": test[fold] if fold < n_done else _mean(test),
                "fit_time": outcome.fit_time[fold] if fold < n_done else _mean(outcome.fit_time),
                "score_time": outcome.score_time[fold] if fold < n_done else _mean(outcome.score_time),
            }
            if with_train:
                row["train_scores"] = train[fold] if fold < n_done else _mean(train)
            rows.append(row)
    return rows


def mark_stopped(results: dict[str, Any], outcomes: Sequence[Outcome], n_splits: int) -> None:
    """Empty the splits that were not evaluated, and rank their candidates behind all others."""
    n_done = np.array([len(outcome.test_scores) for outcome in outcomes])
    results["n_splits_evaluated"] = n_done
    results["stopped"] = np.array([outcome.stopped for outcome in outcomes], dtype=object)
    stopped = n_done < n_splits
    for key in [key for key in results if key.startswith(("std_test_", "std_train_"))]:
        column = key.removeprefix("std_")
        scores = np.column_stack([results[f"split{fold}_{column}"] for fold in range(n_splits)])
        for row in np.flatnonzero(stopped).tolist():
            results[key][row] = scores[row, : n_done[row]].std() if n_done[row] else np.nan
            for fold in range(n_done[row], n_splits):
                results[f"split{fold}_{column}"][row] = np.nan
    for key in ("fit_time", "score_time"):
        for row in np.flatnonzero(stopped).tolist():
            times = getattr(outcomes[row], key)
            results[f"std_{key}"][row] = np.std(times) if times else np.nan
    for key in [key for key in results if key.startswith("rank_test_")]:
        results[key] = _ranks(results[key.replace("rank_", "mean_", 1)], stopped)


def _ranks(means: np.ndarray, stopped: np.ndarray) -> np.ndarray:
    """Rank 1 is the best; stopped candidates come behind the complete ones, failed ones last."""
    finite = np.isfinite(means)
    if not finite.any():
        return np.ones(len(means), dtype=np.int32)
    span = np.ptp(means[finite]) + 1
    keys = np.where(finite, means - span * stopped, means[finite].min() - 2 * span)
    return rankdata(-keys, method="min").astype(np.int32, copy=False)


def metric_names(outcomes: Sequence[Outcome]) -> list[str] | None:
    """Names of the metrics, None for one without a name: of a fold that succeeded, if any did."""
    for outcome in outcomes:
        for fold, score in enumerate(outcome.test_scores):
            if str(fold) not in outcome.errors:
                return list(score) if isinstance(score, Mapping) else None
    first = outcomes[0].test_scores[0]
    return list(first) if isinstance(first, Mapping) else None


def _spread(score: Any, names: list[str] | None, error_score: Any) -> Any:
    """Scores of a fold; the error score for each metric where a callable scorer was never reached."""
    if names is None or isinstance(score, Mapping):
        return dict(score) if isinstance(score, Mapping) else score
    return dict.fromkeys(names, error_score)


def _mean(scores: Sequence[Any]) -> Any:
    if scores and isinstance(scores[0], Mapping):
        return {name: _mean([score[name] for score in scores]) for name in scores[0]}
    return float(np.mean(scores)) if len(scores) else float("nan")
