"""The trials of a study as plain values, and a study made of them again.

A fitted search holds these and no study, so that it pickles, and saves without pickle, as any estimator does.
"""

from datetime import datetime
from typing import Any

import optuna
from optuna.distributions import distribution_to_json, json_to_distribution
from optuna.trial import FrozenTrial, TrialState

from sklearn_dl.model_selection.shared_study import latest
from sklearn_dl.model_selection.storage import quiet_engine


def to_records(study: optuna.Study) -> list[dict[str, Any]]:
    """One dict of plain values for each trial, those that another one continued left out."""
    return [_record(trial) for trial in latest(study.get_trials(deepcopy=False))]


def _record(trial: FrozenTrial) -> dict[str, Any]:
    return {
        "state": trial.state.name,
        "value": trial.value,
        "params": dict(trial.params),
        "distributions": {name: distribution_to_json(d) for name, d in trial.distributions.items()},
        "user_attrs": dict(trial.user_attrs),
        "intermediate_values": dict(trial.intermediate_values),
        "times": [time and time.isoformat() for time in (trial.datetime_start, trial.datetime_complete)],
    }


def study_of(records: list[dict[str, Any]], name: str) -> optuna.Study:
    """Study in memory with these trials, under their numbers."""
    with quiet_engine():
        study = optuna.create_study(study_name=name, direction="maximize")
    for record in records:
        start, complete = (time and datetime.fromisoformat(time) for time in record["times"])
        trial = FrozenTrial(
            number=-1, trial_id=-1, state=TrialState[record["state"]], value=record["value"], values=None,
            datetime_start=start, datetime_complete=complete, params=record["params"],
            distributions={
                name: json_to_distribution(text) for name, text in record["distributions"].items()
            },
            user_attrs=record["user_attrs"], system_attrs={},
            intermediate_values={int(step): v for step, v in record["intermediate_values"].items()},
        )  # fmt: skip
        study._storage.create_new_trial(study._study_id, trial)
    return study
