"""The Gaussian process over the trials of a search, and searches that end by it."""

import numpy as np
import optuna
import pytest
from sklearn.datasets import make_classification
from sklearn.svm import SVC

from sklearn_dl.model_selection import BayesSearchCV, Real, TPESearchCV
from sklearn_dl.model_selection.landscape import Landscape
from sklearn_dl.model_selection.thinning import MAX_ROWS

X, Y = make_classification(120, 5, random_state=0)
SPACE = {
    "x": optuna.distributions.FloatDistribution(-2, 2),
    "kind": optuna.distributions.CategoricalDistribution("ab"),
}


def study_of(function, n_trials=40, seed=0):
    study = optuna.create_study(direction="maximize")
    rng = np.random.default_rng(seed)
    for _ in range(n_trials):
        params = {"x": float(rng.uniform(-2, 2)), "kind": str(rng.choice(["a", "b"]))}
        study.add_trial(optuna.trial.create_trial(params=params, distributions=SPACE, value=function(params)))
    return study


def bump(params):
    return float(np.exp(-((params["x"] - 0.5) ** 2)) + (params["kind"] == "b"))


def test_the_mean_is_the_function_and_the_band_holds_it():
    landscape = Landscape(study_of(bump))
    points = [{"x": float(x), "kind": kind} for x in np.linspace(-1.8, 1.8, 30) for kind in "ab"]
    truth = np.array([bump(point) for point in points])
    mean, std = landscape.predict(points)
    assert np.abs(mean - truth).max() < 0.05
    assert (np.abs(mean - truth) < 4 * std + 1e-3).all()
    assert landscape.best_ <= 2


def test_expected_improvement_is_the_mean_of_draws():
    landscape = Landscape(study_of(bump, 8))
    points = [{"x": x, "kind": "b"} for x in (-1.0, 0.4, 1.5)]
    mean, std = landscape.predict(points)
    best = landscape.predict(
        [{"x": t.params["x"], "kind": t.params["kind"]} for t in study_of(bump, 8).trials]
    )[0].max()
    draws = mean + std * np.random.default_rng(0).normal(size=(400_000, 3))
    expected = np.maximum(draws - best, 0).mean(axis=0)
    np.testing.assert_allclose(landscape.expected_improvement(points), expected, atol=3e-3 * std.max())


def test_the_greatest_improvement_falls_as_trials_come_in():
    few, many = (Landscape(study_of(bump, n)).greatest_improvement() for n in (6, 60))
    assert 0 < many < 0.1 * few


def test_a_search_ends_when_no_improvement_is_expected():
    space = {"C": Real(1e-2, 1e2, log=True)}
    for cls in (BayesSearchCV, TPESearchCV):
        search = cls(SVC(), space, n_iter=60, min_improvement=0.01, random_state=0).fit(X, Y)
        n_done = len(search.cv_results_["params"])
        assert 10 <= n_done < 60
        assert search.landscape().greatest_improvement() < 0.01
        whole = cls(SVC(), space, n_iter=40, random_state=0).fit(X, Y)
        assert search.best_score_ >= whole.best_score_ - 0.02


@pytest.mark.parametrize(
    "space",
    [
        lambda trial: {"C": 1.0},
        lambda trial: {"C": trial.suggest_float("C", 1 + trial.number, 2 + trial.number)},
    ],
)
def test_a_search_goes_on_where_too_little_is_known_of_its_parameters(space):
    search = TPESearchCV(SVC(), space, n_iter=12, min_improvement=0.01, random_state=0).fit(X, Y)
    assert len(search.cv_results_["params"]) == 12


def test_the_best_of_many_trials_and_those_around_it_are_held():
    study = study_of(bump, 400)
    landscape = Landscape(study)
    assert len(landscape._rows) == MAX_ROWS
    assert landscape.best_ == max(trial.value for trial in study.trials)
    points = [{"x": float(x), "kind": kind} for x in np.linspace(-1.8, 1.8, 30) for kind in "ab"]
    truth = np.array([bump(point) for point in points])
    assert np.abs(landscape.predict(points)[0] - truth).max() < 0.05


def test_names_that_the_study_does_not_know_are_told():
    landscape = Landscape(study_of(bump, 6))
    known = sorted(landscape.search_space_)
    with pytest.raises(ValueError, match=rf"names that the study knows, {', '.join(known)}; got 'gama'"):
        landscape.predict([{"gama": 1.0}])
    with pytest.raises(TypeError, match="must be a list of dicts, one a point; got the dict"):
        landscape.expected_improvement({known[0]: 1.0})


def test_too_few_trials_are_told():
    with pytest.raises(ValueError, match=r"at least 5 finished trials.*it has 4"):
        Landscape(study_of(bump, 4))
