"""What the trials of a study say about its parameters, as the surrogate takes it."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from optuna.distributions import BaseDistribution
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState

from sklearn_dl.model_selection.shared_study import CONTINUES, is_given_up


class Observations(NamedTuple):
    """Trials that finished, run, or were given up: parameters, and values of which lower ones are better."""

    params: list[dict[str, Any]]
    values: np.ndarray  # (n_finished,)
    running: list[dict[str, Any]]
    given_up: list[dict[str, Any]]


def read_observations(
    study: Study, trials: Sequence[FrozenTrial], space: dict[str, BaseDistribution]
) -> Observations:
    """Observations in a search space; trials with parameters outside of it are left out.

    A pruned trial counts as its last report, or as the median of the complete ones if that is worse; a failed
    one, and one whose value is infinitely bad, as the worst: either was no better than that, and the
    surrogate learns to stay away. A candidate of a search that was given up because its process ended is none
    of these: nothing is known of it.
    """
    sign = -1.0 if study.direction == StudyDirection.MAXIMIZE else 1.0
    inside = [trial for trial in trials if _is_inside(trial, space)]
    complete = [t for t in inside if t.state == TrialState.COMPLETE]
    finite = [sign * t.value for t in complete if t.value is not None and math.isfinite(t.value)]
    if not finite:
        return Observations([], np.empty(0), [], [])
    best, median, worst = min(finite), float(np.median(finite)), max(finite)
    params, values = [], []
    for trial in inside:  # in the order of their numbers, which says what was learnt last
        if trial.state == TrialState.COMPLETE:
            params.append(trial.params)
            values.append(min(max(sign * float(trial.value), best), worst))  # type: ignore[arg-type]
        elif trial.state == TrialState.PRUNED:
            params.append(trial.params)
            values.append(min(max(_last_report(trial, sign, worst), median), worst))
        elif trial.state == TrialState.FAIL and trial.params and not is_given_up(trial):
            params.append(trial.params)
            values.append(worst)
    running = [trial.params for trial in inside if trial.state == TrialState.RUNNING and trial.params]
    given_up = [t.params for t in inside if is_given_up(t) and t.params and CONTINUES not in t.user_attrs]
    return Observations(params, np.array(values), running, given_up)


def union_space(trials: Sequence[FrozenTrial]) -> dict[str, BaseDistribution]:
    """Distributions of all parameters of the finished trials, as the latest of them had them."""
    space: dict[str, BaseDistribution] = {}
    for trial in trials:
        if trial.state.is_finished():
            space.update(trial.distributions)
    return {name: space[name] for name in sorted(space) if not space[name].single()}


def _is_inside(trial: FrozenTrial, space: dict[str, BaseDistribution]) -> bool:
    for name, distribution in space.items():
        if name in trial.params:
            if type(trial.distributions[name]) is not type(distribution):
                return False
            if not distribution._contains(distribution.to_internal_repr(trial.params[name])):
                return False
    return True


def _last_report(trial: FrozenTrial, sign: float, worst: float) -> float:
    if trial.last_step is None:
        return worst
    value = sign * trial.intermediate_values[trial.last_step]
    return worst if math.isnan(value) else value
