"""Trials that the surrogate is fitted to, and what a suggestion costs after very many."""

import time

import numpy as np
import optuna
from optuna.distributions import FloatDistribution

from sklearn_dl.model_selection import GPSampler
from sklearn_dl.model_selection.thinning import MAX_ROWS, representative


def test_few_rows_are_all_kept():
    np.testing.assert_array_equal(representative(np.zeros((5, 2)), np.zeros(5), 5), np.arange(5))


def test_the_best_and_the_latest_and_what_is_far_from_both_are_kept():
    rng = np.random.default_rng(0)
    rows = 0.5 + 0.01 * rng.standard_normal((500, 3))
    corners = np.array([[0, 0, 0], [1, 1, 1], [0, 1, 0], [1, 0, 1.0]])
    rows[100:104] = corners
    values = rng.random(500)
    values[100:104] = 1.0
    kept = representative(rows, values, 31)
    assert len(kept) == 31
    assert (np.diff(kept) > 0).all()
    assert set(np.argsort(values)[:10]) <= set(kept)
    assert set(range(492, 500)) <= set(kept)
    assert {100, 101, 102, 103} <= set(kept)


def test_equal_rows_are_no_trouble():
    assert len(representative(np.zeros((50, 2)), np.zeros(50), 12)) == 12


def bowl(params):
    return sum((value - 0.3) ** 2 for value in params.values())


def crowded_study(n_trials):
    study = optuna.create_study(sampler=GPSampler(seed=0))
    space = {f"x{i}": FloatDistribution(0, 1) for i in range(4)}
    rng = np.random.default_rng(0)
    for _ in range(n_trials):
        params = {name: float(rng.random()) for name in space}
        study.add_trial(optuna.trial.create_trial(params=params, distributions=space, value=bowl(params)))
    return study, space


def cpu_seconds_of_a_suggestion(study, space):
    times = []
    for _ in range(3):
        begin = time.process_time()
        trial = study.ask(space)
        times.append(time.process_time() - begin)
        study.tell(trial, bowl(trial.params))
    return min(times)


def test_a_suggestion_after_a_thousand_trials_is_as_cheap_as_after_those_it_holds():
    few, many = crowded_study(MAX_ROWS), crowded_study(1000)
    cpu_seconds_of_a_suggestion(*few)  # loads and compiles
    assert cpu_seconds_of_a_suggestion(*many) < 3 * cpu_seconds_of_a_suggestion(*few)
    study, _ = many
    assert study.best_trial.number >= 1000  # and it is better than all that it was chosen from
    assert study.best_value < 1e-3
