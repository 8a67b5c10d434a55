"""Searches in a storage: resumed after a kill, shared by processes, cheap to keep."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import optuna
import pandas as pd
import polars as pl
import pytest
import torch
from optuna.trial import TrialState
from scipy import sparse, stats
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.metrics import accuracy_score, make_scorer
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import make_pipeline

from sklearn_dl.model_selection import GPSampler, Real, loop, racing
from sklearn_dl.model_selection import storage as storage_module
from sklearn_dl.model_selection.history import read_observations
from sklearn_dl.model_selection.shared_study import CONTINUES, OUTCOME
from sklearn_dl.model_selection.storage import OWNER, open_storage

from .worker import MIDDLE, X, Y, search

WORKER = Path(__file__).parent / "worker.py"


@pytest.fixture(params=["search.journal", pytest.param("search.db", marks=pytest.mark.slow)])
def file(request, tmp_path):
    return str(tmp_path / request.param)


def start(file, n_iter, seconds, fits="inf"):
    """A process that searches, and hangs after so many fits, of which a candidate takes three."""
    return subprocess.Popen(
        [sys.executable, str(WORKER), file, str(n_iter), str(seconds), str(fits)],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
    )


def trials(file):
    try:
        return optuna.load_study(study_name="search", storage=open_storage(file, "test")).get_trials()
    except KeyError:
        return []


def wait_until(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "nothing came"
        time.sleep(0.1)


def states(file):
    found = [trial.state for trial in trials(file)]
    return {state: found.count(state) for state in set(found)}


def evaluated(file):
    return [trial for trial in trials(file) if OUTCOME in trial.user_attrs]


def shifts(found):
    return [params["shift"] for params in found.cv_results_["params"]]


def kill(process):
    process.send_signal(signal.SIGKILL)
    process.communicate()


def test_a_killed_search_goes_on_where_it_stood(file):
    process = start(file, 8, 0.0, fits=10)
    wait_until(lambda: states(file) == {TrialState.COMPLETE: 3, TrialState.RUNNING: 1})
    kill(process)
    done = [trial.params["shift"] for trial in evaluated(file)]
    assert states(file) == {TrialState.COMPLETE: 3, TrialState.RUNNING: 1}

    resumed = search(file, 8).fit(X, Y)
    assert shifts(resumed)[:3] == done
    assert len(shifts(resumed)) == 8
    assert np.isfinite(resumed.cv_results_["mean_test_score"]).all()
    assert states(file) == {TrialState.COMPLETE: 8, TrialState.FAIL: 1}


def test_a_search_goes_on_from_whichever_write_it_was_killed_after(tmp_path):
    whole = tmp_path / "whole.journal"
    expected = shifts(search(whole, 3).fit(X, Y))
    lines = whole.read_text().replace(f"/{os.getpid()}/", "/999999999/").splitlines(keepends=True)
    assert len(lines) > 10
    for n_lines in range(len(lines) + 1):
        file = tmp_path / f"{n_lines}.journal"
        file.write_text("".join(lines[:n_lines]))
        before = [t.params["shift"] for t in evaluated(file)] if n_lines > 1 else []
        resumed = search(file, 3).fit(X, Y)
        assert shifts(resumed)[: len(before)] == before == expected[: len(before)]
        assert [shift == MIDDLE for shift in shifts(resumed)] == [True, False, False]
        found = states(file)
        assert found.pop(TrialState.COMPLETE) == 3 == len(shifts(resumed))
        assert found in ({}, {TrialState.FAIL: 1})


def race(file):
    """A race in which most candidates stop."""
    return search(file, 8, racing=True).set_params(cv=5, random_state=4)


def test_a_race_ends_alike_from_whichever_write_its_end_was_killed_after(tmp_path, monkeypatch):
    monkeypatch.setattr(racing, "SHARE", 1.0)
    monkeypatch.setattr(loop, "N_ERRORS_AGAIN", 100.0)
    whole = tmp_path / "whole.journal"
    expected = race(whole).fit(X, Y)
    told = [CONTINUES in trial.user_attrs for trial in trials(whole)]
    assert told[:8] == [False] * 8
    assert told.count(True) >= 3
    assert len(expected.study_.trials) == len(shifts(expected)) == 8
    lines = whole.read_text().replace(f"/{os.getpid()}/", "/999999999/").splitlines(keepends=True)
    first = next(i for i, line in enumerate(lines) if CONTINUES in line)
    for n_lines in range(first, len(lines) + 1):
        file = tmp_path / f"{n_lines}.journal"
        file.write_text("".join(lines[:n_lines]))
        resumed = race(file).fit(X, Y)
        for name, column in expected.cv_results_.items():
            if not name.endswith("_time"):
                np.testing.assert_array_equal(resumed.cv_results_[name], column)
        found = states(file)
        assert found.pop(TrialState.COMPLETE) == len(told)
        assert found in ({}, {TrialState.FAIL: 1})


def test_what_is_expected_of_a_stopped_candidate_is_no_best_score(tmp_path):
    file = tmp_path / "search.journal"
    raced = race(file).fit(X, Y)
    assert raced.cv_results_["stopped"].any()
    study = optuna.load_study(study_name="search", storage=open_storage(file, "test"))
    lucky = study.trials[0].user_attrs[OUTCOME] | {"stopped": "racing", "value": 2.0}
    template = optuna.trial.create_trial(
        value=2.0,
        params={"shift": 1.0},
        distributions=study.trials[0].distributions,
        user_attrs={OUTCOME: lucky},
    )
    study.add_trial(template)
    asking = race(file).set_params(n_iter=10)
    asking.tell(asking.ask(), [0.0] * 5)
    assert asking.best_score_ == raced.best_score_


def test_the_rest_of_a_candidate_is_claimed_by_one_process_only(tmp_path):
    file = tmp_path / "search.journal"
    race(file).fit(X, Y)
    n_before = len(trials(file))
    first, second = (race(file)._open_study()[0] for _ in range(2))
    candidate = first.finished()[3]
    claimed = first.claim_rest(candidate)
    assert claimed.params == candidate.params
    assert second.claim_rest(candidate) is None
    assert second.continued() == [candidate.number]
    assert first.claim() is second.claim() is None  # the budget is spent
    assert [t.state for t in trials(file)[n_before:]] == [TrialState.RUNNING, TrialState.FAIL]
    first.abandon_all()
    assert second.claim_rest(candidate).number == n_before + 2
    second.abandon_all()
    assert len(first.finished()) == 8


def test_two_processes_share_one_budget_and_survive_the_death_of_one(file):
    dying = start(file, 12, 0.0, fits=10)
    wait_until(lambda: states(file) == {TrialState.COMPLETE: 3, TrialState.RUNNING: 1})
    living = start(file, 12, 0.05)
    wait_until(lambda: len({t.user_attrs[OWNER][0] for t in evaluated(file)}) == 2)
    kill(dying)
    rows = json.loads(living.communicate(timeout=120)[0])
    assert len(rows) == 12
    assert rows == [trial.params["shift"] for trial in evaluated(file)]
    assert len(set(rows)) == 12
    assert states(file) == {TrialState.COMPLETE: 12, TrialState.FAIL: 1}


def test_two_processes_that_both_live_spend_the_budget_once_and_see_the_same_rows(tmp_path):
    file = str(tmp_path / "search.journal")
    processes = [start(file, 10, 0.05) for _ in range(2)]
    rows = [json.loads(process.communicate(timeout=120)[0]) for process in processes]
    assert rows[0] == rows[1]
    assert len(rows[0]) == len(set(rows[0])) == 10
    assert rows[0][0] == MIDDLE
    assert len(evaluated(file)) == 10


def test_a_resumed_search_is_the_search_that_was_not_interrupted(tmp_path):
    whole = search(None, 14).fit(X, Y)
    file = tmp_path / "search.journal"
    search(file, 5).fit(X, Y)
    search(file, 11).fit(X, Y)
    resumed = search(file, 14).fit(X, Y)
    assert shifts(resumed) == shifts(whole)
    for key in ("split0_test_score", "rank_test_score", "std_test_score"):
        np.testing.assert_array_equal(resumed.cv_results_[key], whole.cv_results_[key])


def test_a_trial_that_died_after_its_outcome_was_stored_is_not_lost(tmp_path):
    file = tmp_path / "search.journal"
    search(file, 3).fit(X, Y)
    study = optuna.load_study(study_name="search", storage=open_storage(file, "test"))
    trial = study.ask()
    trial.suggest_float("shift", -2, 2)
    trial.set_user_attr(OWNER, [f"{storage_module._place()}/999999999/1/x", time.time()])
    trial.set_user_attr(OUTCOME, study.trials[0].user_attrs[OUTCOME])
    resumed = search(file, 4).fit(X, Y)
    assert shifts(resumed)[3] == trial.params["shift"]
    assert resumed.cv_results_["mean_test_score"][3] == resumed.cv_results_["mean_test_score"][0]


def foreign_trial(file, seconds_ago):
    """A running trial of another machine, claimed so long ago."""
    study = optuna.load_study(study_name="search", storage=open_storage(file, "test"))
    trial = study.ask()
    trial.suggest_float("shift", -2, 2)
    trial.set_user_attr(OWNER, ["elsewhere/1/1/x", time.time() - seconds_ago])
    return study


def test_a_process_elsewhere_is_dead_after_two_minutes_without_a_sign_of_life(tmp_path):
    file = tmp_path / "search.journal"
    search(file, 2).fit(X, Y)
    foreign_trial(file, 121)
    assert len(shifts(search(file, 4).fit(X, Y))) == 4
    assert states(file) == {TrialState.COMPLETE: 4, TrialState.FAIL: 1}


def test_a_process_elsewhere_that_gives_signs_of_life_keeps_its_place(tmp_path):
    file = tmp_path / "search.journal"
    search(file, 2).fit(X, Y)
    study = foreign_trial(file, 500)
    study.set_user_attr(storage_module.SIGN_OF_LIFE + "elsewhere/1/1/x", time.time())
    found = search(file, 4, timeout=1.0).fit(X, Y)  # waits for the other one until the time is over
    assert len(shifts(found)) == 3
    assert states(file) == {TrialState.COMPLETE: 3, TrialState.RUNNING: 1}


def test_long_searches_give_signs_of_life(tmp_path, monkeypatch):
    monkeypatch.setattr(storage_module, "INTERVAL", 0.05)
    file = tmp_path / "search.journal"
    search(file, 2, 0.1).fit(X, Y)
    signs = signs_of_life(file)
    assert len(signs) == 1
    assert abs(signs[0] - time.time()) < 60


def signs_of_life(file):
    attributes = optuna.load_study(study_name="search", storage=open_storage(file, "test")).user_attrs
    return [value for name, value in attributes.items() if name.startswith(storage_module.SIGN_OF_LIFE)]


@pytest.mark.parametrize("end", ["told", "gone"])
def test_who_asked_for_a_candidate_gives_signs_of_life_until_it_is_told_or_gone(tmp_path, monkeypatch, end):
    monkeypatch.setattr(storage_module, "INTERVAL", 0.02)
    file = tmp_path / "search.journal"
    asking, before = search(file, 2), threading.active_count()
    candidate = asking.ask()
    wait_until(lambda: signs_of_life(file))
    if end == "told":
        asking.tell(candidate, 0.5)
    else:
        del asking
    wait_until(lambda: threading.active_count() == before)


def give_up(file, trial_id):
    open_storage(file, "test").set_trial_state_values(trial_id, TrialState.FAIL)


def test_a_candidate_that_another_process_gave_up_is_not_told(tmp_path):
    file = tmp_path / "search.journal"
    asking = search(file, 2)
    candidate = asking.ask()
    give_up(file, candidate.trial._trial_id)
    with pytest.raises(ValueError, match=r"candidate 0 was given up by another process.*Ask for another"):
        asking.tell(candidate, 0.5)
    assert asking.tell(asking.ask(), 0.5).best_score_ == 0.5


def test_a_search_goes_on_though_another_process_gave_its_candidate_up(tmp_path):
    class Frozen(type(search(None, 1).estimator)):
        n_fits = 0

        def fit(self, X, y):
            Frozen.n_fits += 1
            if Frozen.n_fits == 2:
                give_up(file, 0)
            return super().fit(X, y)

    file = tmp_path / "search.journal"
    found = search(file, 3).set_params(estimator=Frozen()).fit(X, Y)
    assert len(shifts(found)) == 3
    assert states(file) == {TrialState.COMPLETE: 3, TrialState.FAIL: 1}


def test_an_interrupted_search_leaves_no_running_trial(tmp_path):
    class Interrupting(type(search(None, 1).estimator)):
        def predict(self, X):
            if self.shift > 0:
                raise KeyboardInterrupt
            return super().predict(X)

    file = tmp_path / "search.journal"
    unfinished = search(file, 20).set_params(estimator=Interrupting())
    with pytest.raises(KeyboardInterrupt):
        unfinished.fit(X, Y)
    assert TrialState.RUNNING not in states(file)
    assert not hasattr(unfinished, "cv_results_")
    assert len(shifts(search(file, 6).fit(X, Y))) == 6


def test_nothing_is_known_of_a_candidate_that_was_interrupted(tmp_path):
    file = tmp_path / "search.journal"
    search(file, 6).fit(X, Y)
    search(file, 7).ask()  # given up by what resumes the search
    search(file, 8).set_params(search_space={"shift": Real(-2, 2)}).fit(X, Y)
    given_up = [trial for trial in trials(file) if OUTCOME not in trial.user_attrs]
    assert [trial.state for trial in given_up] == [TrialState.FAIL]
    study = optuna.load_study(study_name="search", storage=open_storage(file, "test"))
    seen = read_observations(study, study.trials, given_up[0].distributions)
    assert seen.given_up == [given_up[0].params]
    assert given_up[0].params not in seen.params + seen.running
    assert len(seen.values) == 8
    study.sampler = GPSampler(seed=0, n_startup_trials=3)
    suggested = study.ask(given_up[0].distributions).params["shift"]
    assert abs(suggested - given_up[0].params["shift"]) > 4e-3  # a thousandth of the range


def test_other_folds_or_rows_are_refused(tmp_path):
    file = tmp_path / "search.journal"
    search(file, 2).fit(X, Y)
    with pytest.raises(
        ValueError, match=r"evaluated on other folds or rows \(3 folds of 60 rows; now 5 of 60\)"
    ):
        search(file, 4).set_params(cv=5).fit(X, Y)
    with pytest.raises(ValueError, match="other folds or rows"):
        search(file, 4).fit(X, Y[::-1])
    assert len(shifts(search(file, 4, study_name="another").set_params(cv=5).fit(X, Y))) == 4


@pytest.mark.parametrize(
    ("now", "told"),
    [
        ({"shift": [0.0, 1.0]}, "must be of the kind that earlier trials.*trial 0 has FloatDistribution"),
        ({"shift": Real(1, 2, log=True)}, "must be of the kind that earlier trials"),
        ([{"shift": Real(-2, 2)}, {"shift": Real(1, 2)}], "candidate 0 .* does not have"),
        ({"shift": Real(-2, 2), "seconds": Real(0, 1e-9)}, r"candidate 0 .* does not have: it has {'shift'"),
        (lambda trial: {"shift": trial.suggest_float("other", 0, 1)}, "candidate 0 .* does not have"),
    ],
)
def test_a_space_that_does_not_go_on_is_told_before_a_fit(tmp_path, now, told):
    file = tmp_path / "search.journal"
    search(file, 2).fit(X, Y)
    with pytest.raises(ValueError, match=f"TPESearchCV: search_space .*{told}"):
        search(file, 4).set_params(search_space=now).fit(X, Y)
    assert states(file) == {TrialState.COMPLETE: 2}
    wider = search(file, 4).set_params(search_space={"shift": Real(-3, 3)}).fit(X, Y)
    assert len(shifts(wider)) == 4


class Anywhere(type(search(None, 1).estimator)):
    """Takes rows of every kind, and looks at none."""

    def predict(self, X):
        return np.full(X.shape[0], self.classes_[0])


@pytest.mark.parametrize(
    "container", [np.array, np.asfortranarray, sparse.coo_array, pd.DataFrame, pl.DataFrame, torch.tensor]
)
def test_other_values_of_the_same_rows_are_refused(tmp_path, container):
    file = tmp_path / "search.journal"
    rows = container(X)
    search(file, 2).set_params(estimator=Anywhere()).fit(rows, Y)
    search(file, 3).set_params(estimator=Anywhere()).fit(rows, Y)
    with pytest.raises(ValueError, match="other folds or rows"):
        search(file, 4).set_params(estimator=Anywhere()).fit(container(2 * X), Y)


def test_other_texts_are_refused(tmp_path):
    file = tmp_path / "search.journal"
    texts = [f"word{row % 7} word{row % 3}" for row in range(60)]
    steps = make_pipeline(CountVectorizer(), MultinomialNB())
    options = {"estimator": steps, "search_space": {"multinomialnb__alpha": stats.uniform(0.1, 0.9)}}
    search(file, 2).set_params(**options).fit(texts, Y)
    search(file, 3).set_params(**options).fit(["".join(text) for text in texts], Y)
    with pytest.raises(ValueError, match="other folds or rows"):
        search(file, 4).set_params(**options).fit([text.upper() for text in texts], Y)


def half(estimator, X, y):
    return 0.5


@pytest.mark.parametrize(
    ("before", "now", "told"),
    [
        (None, "f1", "scoring=None, now it is 'f1'"),
        ("f1", ["f1", "accuracy"], r"scoring='f1', now it is \['accuracy', 'f1'\]"),
        (half, make_scorer(accuracy_score), "scoring='half', now it is .make_scorer"),
        ({"m": "f1"}, {"m": half}, "scoring={'m': 'f1'}, now it is {'m': 'half'}"),
    ],
)
def test_other_metrics_are_refused(tmp_path, before, now, told):
    file = tmp_path / "search.journal"
    search(file, 2, scoring=before).fit(X, Y)
    search(file, 3, scoring=before).fit(X, Y)
    with pytest.raises(ValueError, match=told):
        search(file, 4, scoring=now).fit(X, Y)


@pytest.mark.parametrize("number", [np.float32(0.5), np.float64(0.5), np.int64(1)])
def test_candidates_to_try_first_may_have_numbers_of_numpy(tmp_path, number):
    by_range = search(tmp_path / "range.journal", 1, enqueue=[{"shift": number}])
    by_function = search(tmp_path / "function.journal", 1, enqueue=[{"x": number}])
    by_function.set_params(search_space=lambda trial: {"shift": trial.suggest_float("x", -2, 2)})
    for found in (by_range, by_function):
        assert shifts(found.fit(X, Y)) == [float(number)]


@pytest.mark.parametrize("metrics", [None, ["accuracy", "f1"]])
def test_training_scores_may_be_asked_for_when_a_search_is_resumed(tmp_path, metrics):
    file = tmp_path / "search.journal"
    search(file, 2, scoring=metrics).fit(X, Y)
    results = search(file, 4, scoring=metrics, return_train_score=True).fit(X, Y).cv_results_
    trained = results["mean_train_score" if metrics is None else "mean_train_f1"]
    assert list(np.isnan(trained)) == [True, True, False, False]
    without = search(file, 5, scoring=metrics).fit(X, Y).cv_results_
    assert not any("train" in name for name in without)


def test_a_study_that_minimizes_is_refused(tmp_path):
    file = tmp_path / "search.journal"
    optuna.create_study(storage=open_storage(file, "test"), study_name="search", direction="minimize")
    with pytest.raises(ValueError, match=r"must maximize one objective.*\['minimize'\]"):
        search(file, 2).fit(X, Y)


def test_an_unknown_kind_of_file_is_told():
    with pytest.raises(
        ValueError, match=r"storage must be a journal file \(.journal, .jsonl, .log\).*'search.txt'"
    ):
        search("search.txt", 2).fit(X, Y)


def test_storages_of_optuna_and_urls_are_taken(tmp_path):
    memory = optuna.storages.InMemoryStorage()
    first = shifts(search(memory, 3).fit(X, Y))
    assert shifts(search(memory, 5).fit(X, Y))[:3] == first
    assert len(memory.get_all_trials(0)) == 5
    url = f"sqlite:///{tmp_path / 'a.db'}"
    search(url, 2).fit(X, Y)
    assert len(shifts(search(tmp_path / "a.db", 3).fit(X, Y))) == 3


def test_a_trial_costs_the_journal_one_attribute(tmp_path):
    file = tmp_path / "search.journal"
    search(file, 20).fit(X, Y)
    operations = [json.loads(line)["op_code"] for line in file.read_text().splitlines()]
    assert operations.count(8) == 20  # attributes of trials
    assert len(operations) <= 5 * 20 + 5  # begin, parameter, attribute, end, and one that optuna's TPE keeps
