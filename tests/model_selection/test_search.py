"""BayesSearchCV and TPESearchCV as GridSearchCV is: columns, scores, refits, failures, metadata."""

import pickle
import subprocess
import sys
import warnings

import numpy as np
import optuna
import pandas as pd
import polars as pl
import pytest
import sklearn
from scipy import sparse, stats
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.cluster import KMeans
from sklearn.datasets import load_breast_cancer, make_classification
from sklearn.exceptions import FitFailedWarning
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    HalvingGridSearchCV,
    KFold,
    RandomizedSearchCV,
    StratifiedKFold,
    cross_validate,
)
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from sklearn_dl.linear_model import Ridge
from sklearn_dl.model_selection import BayesSearchCV, Categorical, Integer, Real, TPESearchCV
from sklearn_dl.neural_network import MLPClassifier
from sklearn_dl.tree import DecisionTreeRegressor

X, Y = make_classification(120, 5, random_state=0)
SPACE = {"C": Real(1e-2, 1e2, log=True), "kernel": ["rbf", "linear"]}
SEARCHES = [TPESearchCV, BayesSearchCV]
TIMES = ("mean_fit_time", "std_fit_time", "mean_score_time", "std_score_time")


def table(search):
    return {name: column for name, column in search.cv_results_.items() if name not in TIMES}


@pytest.mark.parametrize("cls", SEARCHES)
def test_columns_and_attributes_are_those_of_grid_search(cls):
    ours = cls(SVC(), SPACE, n_iter=12, return_train_score=True, random_state=0).fit(X, Y)
    grid = [{name: [value] for name, value in params.items()} for params in ours.cv_results_["params"]]
    theirs = GridSearchCV(SVC(), grid, return_train_score=True).fit(X, Y)
    assert list(ours.cv_results_) == list(theirs.cv_results_)
    for name, column in table(theirs).items():
        np.testing.assert_array_equal(ours.cv_results_[name], column)
        assert getattr(ours.cv_results_[name], "dtype", None) == getattr(column, "dtype", None)
    fitted = {name for name in vars(theirs) if name.endswith("_") and not name.startswith("_")}
    assert fitted <= set(vars(ours))
    for name in ("best_index_", "best_score_", "best_params_", "n_splits_", "multimetric_"):
        assert getattr(ours, name) == getattr(theirs, name)
    np.testing.assert_array_equal(ours.predict(X), theirs.predict(X))


@pytest.mark.parametrize("cls", SEARCHES)
def test_a_search_finds_better_candidates_than_chance(cls):
    """The optimum is a spot that 40 random draws hit one time in a hundred."""
    space = {"C": Real(1e-6, 1e6, log=True), "gamma": Real(1e-12, 1e4, log=True)}
    X, y = load_breast_cancer(return_X_y=True)
    X = StandardScaler().fit_transform(X)
    scores = [
        make(SVC(), space, n_iter=25, cv=3, random_state=seed).fit(X, y).best_score_
        for make in (cls,)
        for seed in (0, 1)
    ]
    assert np.mean(scores) > 0.97


def test_the_same_random_state_gives_the_same_search_for_any_number_of_jobs():
    one = TPESearchCV(SVC(), SPACE, n_iter=14, batch_size=2, random_state=3).fit(X, Y)
    two = TPESearchCV(SVC(), SPACE, n_iter=14, batch_size=2, random_state=3, n_jobs=2).fit(X, Y)
    other = TPESearchCV(SVC(), SPACE, n_iter=14, batch_size=2, random_state=4).fit(X, Y)
    for name, column in table(one).items():
        np.testing.assert_array_equal(two.cv_results_[name], column)
    assert other.cv_results_["params"] != one.cv_results_["params"]


def test_global_random_state_and_parameters_are_left_alone():
    sampler = optuna.samplers.TPESampler(seed=0)
    state = pickle.dumps(sampler)
    np.random.seed(7)
    before = np.random.get_state()[1].copy()
    search = TPESearchCV(Ridge(), {"alpha": Real(0.1, 10)}, n_iter=12, sampler=sampler)
    first = search.fit(X, Y).cv_results_["params"]
    assert (np.random.get_state()[1] == before).all()
    assert search.fit(X, Y).cv_results_["params"] == first
    assert pickle.dumps(sampler) == state


def test_any_sampler_of_optuna_is_taken():
    cmaes = optuna.samplers.QMCSampler(seed=0)
    found = BayesSearchCV(SVC(), {"C": Real(1, 100)}, n_iter=4, sampler=cmaes, random_state=0).fit(X, Y)
    values = [params["C"] for params in found.cv_results_["params"]]
    assert len(set(values)) == 4
    with pytest.raises(ValueError, match="BayesSearchCV: sampler must be an instance of BaseSampler or None"):
        BayesSearchCV(SVC(), SPACE, sampler="tpe").fit(X, Y)


@pytest.mark.parametrize("is_grid", [True, False])
@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
def test_a_sampler_that_has_tried_all_ends_the_search(is_grid):
    if is_grid:
        space = {"C": Real(0.1, 10)}
        sampler = optuna.samplers.GridSampler({"C": [0.1, 1.0, 10.0]}, seed=0)
    else:
        space = {"C": optuna.distributions.FloatDistribution(0.1, 10, step=4.95)}
        sampler = optuna.samplers.BruteForceSampler(seed=0)
    found = BayesSearchCV(SVC(), space, n_iter=20, sampler=sampler, enqueue=None).fit(X, Y)
    assert len(set(found.cv_results_["param_C"])) == len(found.cv_results_["param_C"]) == 3
    asking = clone(found).set_params(n_iter=3)
    for _ in range(3):
        asking.tell(asking.ask(), 0.5)
    assert asking.best_score_ == 0.5


def test_several_metrics_and_a_callable_refit():
    search = TPESearchCV(
        SVC(), SPACE, n_iter=8, scoring=["accuracy", "roc_auc"], refit="roc_auc", random_state=0
    ).fit(X, Y)
    results = search.cv_results_
    assert search.best_index_ == results["rank_test_roc_auc"].argmin()
    assert search.best_score_ == results["mean_test_roc_auc"].max()
    assert [trial.value for trial in search.study_.trials] == pytest.approx(
        list(results["mean_test_roc_auc"])
    )
    assert search.score(X, Y) > 0.9

    def smallest_C(results):
        return int(np.argmin(results["param_C"]))

    chosen = TPESearchCV(SVC(), SPACE, n_iter=8, refit=smallest_C, random_state=0).fit(X, Y)
    assert chosen.best_index_ == smallest_C(chosen.cv_results_)
    least = min(chosen.cv_results_["param_C"])
    np.testing.assert_equal(chosen.best_estimator_.C, least)
    assert not hasattr(chosen, "best_score_")

    none = TPESearchCV(SVC(), SPACE, n_iter=3, scoring=["accuracy", "f1"], refit=False).fit(X, Y)
    assert not hasattr(none, "best_index_")
    assert {"mean_test_accuracy", "rank_test_f1"} <= set(none.cv_results_)
    with pytest.raises(ValueError, match="multi-metric"):
        TPESearchCV(SVC(), SPACE, n_iter=3, scoring=["accuracy", "f1"]).fit(X, Y)


def test_a_callable_scoring_may_return_several_metrics():
    def both(estimator, X, y):
        right = estimator.predict(X) == y
        return {"right": right.mean(), "wrong": 1 - right.mean()}

    search = TPESearchCV(SVC(), SPACE, n_iter=5, scoring=both, refit="right", random_state=0).fit(X, Y)
    np.testing.assert_allclose(
        search.cv_results_["mean_test_right"], 1 - search.cv_results_["mean_test_wrong"]
    )
    assert search.study_.trials[0].value == pytest.approx(search.cv_results_["mean_test_right"][0])


class Failing(ClassifierMixin, BaseEstimator):
    """Raises for a high C, and scores low for a low one."""

    def __init__(self, C=1.0, limit=1.0):
        self.C, self.limit = C, limit

    def fit(self, X, y):
        if self.limit < self.C:
            raise RuntimeError("C is too high")
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return np.where(X[:, 0] > 0, self.classes_[0], self.classes_[1])


@pytest.mark.filterwarnings(
    "ignore:One or more of the test scores", "ignore::sklearn.exceptions.FitFailedWarning"
)
def test_a_callable_scoring_may_return_several_metrics_though_the_first_fit_fails():
    def both(estimator, X, y):
        right = np.mean(estimator.predict(X) == y)
        return {"right": right, "wrong": 1 - right}

    values = [20.0, 2.0, 15.0]
    options = {"scoring": both, "refit": "right", "return_train_score": True}
    theirs = GridSearchCV(Failing(limit=10), {"C": values}, **options).fit(X, Y)
    enqueue = [{"C": value} for value in values]
    ours = TPESearchCV(Failing(limit=10), {"C": values}, n_iter=3, enqueue=enqueue, **options).fit(X, Y)
    assert list(ours.cv_results_) == list(theirs.cv_results_)
    for name, column in table(theirs).items():
        np.testing.assert_array_equal(ours.cv_results_[name], column)
    for name in ("best_score_", "best_params_", "multimetric_"):
        assert getattr(ours, name) == getattr(theirs, name)


@pytest.mark.parametrize("cls", SEARCHES)
def test_a_failed_candidate_does_not_end_the_search(cls):
    search = cls(Failing(limit=10), {"C": Real(1, 20)}, n_iter=14, random_state=0)
    with pytest.warns(FitFailedWarning, match="fits failed out of a total of 70") as caught:
        search.fit(X, Y)
    failed = np.array([params["C"] > 10 for params in search.cv_results_["params"]])
    assert 0 < failed.sum() < 14
    assert "C is too high" in str(next(w for w in caught if w.category is FitFailedWarning).message)
    np.testing.assert_array_equal(np.isnan(search.cv_results_["mean_test_score"]), failed)
    assert (
        search.cv_results_["rank_test_score"][failed].min()
        > search.cv_results_["rank_test_score"][~failed].max()
    )
    assert not failed[search.best_index_]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        zero = clone(search).set_params(error_score=0.0).fit(X, Y)
    failed = np.array([params["C"] > 10 for params in zero.cv_results_["params"]])
    assert (zero.cv_results_["mean_test_score"][failed] == 0).all()


def test_all_failures_are_an_error_and_raise_raises():
    search = TPESearchCV(Failing(limit=0), {"C": Real(1, 20)}, n_iter=3, random_state=0)
    with pytest.raises(ValueError, match="All the 15 fits failed") as raised:
        search.fit(X, Y)
    assert "C is too high" in str(raised.value)
    with pytest.raises(RuntimeError, match="C is too high"):
        search.set_params(error_score="raise").fit(X, Y)
    assert not hasattr(search, "cv_results_")


def test_no_candidate_with_a_score_is_an_error_and_never_a_refit_of_the_defaults():
    def broken(estimator, X, y):
        raise RuntimeError("no score")

    search = TPESearchCV(SVC(), SPACE, n_iter=3, scoring=broken)
    warnings.simplefilter("ignore")  # pytest takes it back
    with pytest.raises(ValueError, match="none of the 3 candidates has a score"):
        search.fit(X, Y)


def test_parameters_that_cannot_be_set_are_a_failed_candidate():
    def space(trial):
        return {"kernel": "rbf", trial.suggest_categorical("name", ["C", "degree"]): 3}

    class Picky(SVC):
        def set_params(self, **params):
            if "degree" in params:
                raise ValueError("no degrees here")
            return super().set_params(**params)

    with pytest.warns(FitFailedWarning, match="no degrees here"):
        search = TPESearchCV(Picky(), space, n_iter=8, random_state=0).fit(X, Y)
    failed = np.array(["degree" in params for params in search.cv_results_["params"]])
    np.testing.assert_array_equal(np.isnan(search.cv_results_["mean_test_score"]), failed)


def test_whole_steps_and_spaces_of_their_own_are_searched_and_stored(tmp_path):
    pipe = Pipeline([("scale", StandardScaler()), ("clf", SVC())])
    space = [
        {"scale": [StandardScaler(), MinMaxScaler(), "passthrough"], "clf": [SVC()], "clf__C": Real(0.1, 10)},
        {"clf": [DecisionTreeClassifier(random_state=0)], "clf__max_depth": stats.randint(1, 6)},
    ]
    search = TPESearchCV(pipe, space, n_iter=15, storage=tmp_path / "s.journal", random_state=0).fit(X, Y)
    results = search.cv_results_
    kinds = {type(params["clf"]).__name__ for params in results["params"]}
    assert kinds == {"SVC", "DecisionTreeClassifier"}
    depth = results["param_clf__max_depth"]
    assert [depth.mask[row] for row in range(15)] == [isinstance(p["clf"], SVC) for p in results["params"]]
    again = clone(search).set_params(n_iter=16).fit(X, Y)
    np.testing.assert_array_equal(again.cv_results_["mean_test_score"][:15], results["mean_test_score"])


def test_conditional_parameters_by_a_function_of_the_trial():
    def space(trial):
        params = {"penalty": trial.suggest_categorical("penalty", ["l2", "elasticnet"]), "solver": "saga"}
        params["C"] = trial.suggest_float("C", 1e-2, 1e2, log=True)
        if params["penalty"] == "elasticnet":
            params["l1_ratio"] = trial.suggest_float("l1_ratio", 0, 1)
        return params

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        search = BayesSearchCV(LogisticRegression(max_iter=50), space, n_iter=12, cv=3, random_state=0).fit(
            X, Y
        )
    ratio = search.cv_results_["param_l1_ratio"]
    assert [not m for m in ratio.mask] == [p["penalty"] == "elasticnet" for p in search.cv_results_["params"]]
    assert 0 < ratio.mask.sum() < 12


def test_groups_and_weights_reach_folds_fits_and_scores():
    groups = np.arange(120) % 6
    weight = np.random.default_rng(0).integers(0, 3, 120).astype(float)
    search = TPESearchCV(Ridge(), {"alpha": Real(0.1, 10)}, n_iter=3, cv=GroupKFold(3), random_state=0)
    search.fit(X, Y * 1.0, groups=groups, sample_weight=weight)
    alpha = search.best_params_["alpha"]
    scores = []
    for train, test in GroupKFold(3).split(X, Y, groups):
        model = Ridge(alpha=alpha).fit(X[train], Y[train] * 1.0, sample_weight=weight[train])
        scores.append(model.score(X[test], Y[test] * 1.0, sample_weight=weight[test]))
    assert search.best_score_ == pytest.approx(np.mean(scores))


def test_metadata_is_routed():
    weight = np.random.default_rng(0).integers(1, 3, 120).astype(float)
    with sklearn.config_context(enable_metadata_routing=True):
        model = Ridge().set_fit_request(sample_weight=True).set_score_request(sample_weight=False)
        search = TPESearchCV(model, {"alpha": Real(0.1, 10)}, n_iter=2, cv=GroupKFold(3), random_state=0)
        search.fit(X, Y * 1.0, sample_weight=weight, groups=np.arange(120) % 6)
        by_hand = cross_validate(
            clone(model).set_params(**search.best_params_), X, Y * 1.0, cv=GroupKFold(3),
            params={"sample_weight": weight, "groups": np.arange(120) % 6},
        )  # fmt: skip
    assert search.best_score_ == pytest.approx(by_hand["test_score"].mean())


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame, sparse.csr_array, lambda X: X.tolist()])
def test_containers(make):
    data = make(X) if make is not pl.DataFrame else pl.DataFrame(X, schema=[f"x{i}" for i in range(5)])
    if make is pd.DataFrame:
        data.columns = [f"x{i}" for i in range(5)]
    search = TPESearchCV(SVC(), SPACE, n_iter=4, random_state=0).fit(data, Y)
    plain = TPESearchCV(SVC(), SPACE, n_iter=4, random_state=0).fit(X, Y)
    np.testing.assert_allclose(search.cv_results_["mean_test_score"], plain.cv_results_["mean_test_score"])
    assert hasattr(search, "feature_names_in_") == (make in (pd.DataFrame, pl.DataFrame))


def test_without_a_target():
    search = TPESearchCV(
        KMeans(n_init=1, random_state=0), {"n_clusters": [2, 3, 4]}, n_iter=4, random_state=0
    )
    assert search.fit(X).predict(X).shape == (120,)


def test_timeout_ends_the_search_after_a_candidate_at_least():
    search = TPESearchCV(SVC(), SPACE, n_iter=10_000, timeout=1e-9, random_state=0).fit(X, Y)
    assert len(search.cv_results_["params"]) == 1
    assert 1 < len(search.set_params(timeout=0.4).fit(X, Y).cv_results_["params"]) < 2000


def test_a_search_stops_when_the_best_score_rises_no_more():
    search = TPESearchCV(SVC(), SPACE, n_iter=60, n_iter_no_change=6, random_state=0).fit(X, Y)
    scores = search.cv_results_["mean_test_score"]
    assert len(scores) < 60
    assert len(scores) - 1 - search.best_index_ == 6
    longer = clone(search).set_params(tol=1.0).fit(X, Y)
    assert len(longer.cv_results_["params"]) == 7


def test_candidates_to_try_first():
    search = TPESearchCV(SVC(), SPACE, n_iter=5, enqueue=[{"C": 3.0, "kernel": "linear"}, {"C": 5.0}])
    params = search.fit(X, Y).cv_results_["params"]
    assert params[0] == {"C": 3.0, "kernel": "linear"}
    assert params[1]["C"] == 5.0
    default = TPESearchCV(SVC(C=2.5), SPACE, n_iter=3, enqueue="default").fit(X, Y)
    assert default.cv_results_["params"][0] == {"C": 2.5, "kernel": "rbf"}
    with pytest.raises(ValueError, match=r"a candidate to try first, .*: C: 1000 is not in Real"):
        clone(search).set_params(enqueue=[{"C": 1000}]).fit(X, Y)
    with pytest.raises(ValueError, match="gamma is not searched there"):
        clone(search).set_params(enqueue=[{"gamma": 1000}]).fit(X, Y)


def test_the_values_of_the_estimator_are_tried_first_in_the_space_that_holds_them():
    spaces = [{"kernel": "linear", "C": Real(0.1, 10)}, {"kernel": ["rbf"], "C": Real(0.1, 5)}]
    default = TPESearchCV(SVC(C=2.5), spaces, n_iter=2, cv=3, enqueue="default").fit(X, Y)
    assert default.cv_results_["params"][0] == {"kernel": "rbf", "C": 2.5}
    fixed = clone(default).set_params(search_space={"kernel": "poly", "C": Real(0.1, 10)}).fit(X, Y)
    assert fixed.cv_results_["params"][0] == {"kernel": "poly", "C": 2.5}
    pipe = Pipeline([("scale", MinMaxScaler()), ("clf", SVC(C=3.0))])
    steps = {
        "scale": [StandardScaler(), MinMaxScaler((0, 2)), MinMaxScaler()],
        "clf": [LogisticRegression(), SVC(C=3.0)],
    }
    params = TPESearchCV(pipe, steps, n_iter=2, cv=3, enqueue="default").fit(X, Y).cv_results_["params"][0]
    assert params["scale"] is steps["scale"][2]
    assert params["clf"] is steps["clf"][1]
    with pytest.raises(ValueError, match="enqueue='default' needs a search_space of dicts"):
        TPESearchCV(SVC(), lambda trial: {"C": trial.suggest_float("C", 1, 2)}, enqueue="default").fit(X, Y)


def test_the_middle_of_each_space_is_tried_first():
    pipe = Pipeline([("scale", StandardScaler()), ("clf", SVC())])
    scale = [StandardScaler(), "passthrough"]
    space = [
        {"scale": scale, "clf__C": Real(1e-2, 1e4, log=True), "clf__gamma": stats.expon()},
        {"clf": [LogisticRegression()], "clf__C": Real(0.5, 1.5), "clf__max_iter": Integer(50, 150)},
    ]
    search = BayesSearchCV(pipe, space, n_iter=4, random_state=0)
    params = search.fit(X, Y).cv_results_["params"]
    assert isinstance(params[0]["scale"], StandardScaler)
    assert np.allclose([params[0]["clf__C"], params[0]["clf__gamma"]], [10, stats.expon.ppf((1 - 1e-3) / 2)])
    assert isinstance(params[1]["clf"], LogisticRegression)
    assert (params[1]["clf__C"], params[1]["clf__max_iter"]) == (1, 100)
    asked = clone(search)
    assert [repr(asked.ask().params) for _ in range(2)] == [repr(row) for row in params[:2]]


@pytest.mark.parametrize(
    "changed",
    [
        {"enqueue": None},
        {"enqueue": [{"C": 2.0}]},
        {"enqueue": "default"},
        {"sampler": optuna.samplers.RandomSampler()},
        {"earlier_trials": []},
        {"search_space": lambda trial: {"C": trial.suggest_float("C", 0.5, 3.5)}},
    ],
)
def test_the_middle_is_not_tried_where_something_else_says_how_to_begin(changed):
    search = TPESearchCV(SVC(), {"C": Real(0.5, 3.5)}, n_iter=3, random_state=0)
    first = search.fit(X, Y).cv_results_["params"]
    assert first[0] == {"C": 2.0}
    assert first[1] != {"C": 2.0}
    others = search.set_params(**changed).fit(X, Y).cv_results_["params"]
    assert ({"C": 2.0} in others) == (changed.get("enqueue") == [{"C": 2.0}])


def test_earlier_trials_inform_the_sampler_and_are_no_rows():
    earlier = TPESearchCV(SVC(), SPACE, n_iter=15, random_state=0).fit(X, Y)
    for source in (earlier, earlier.study_, earlier.study_.trials):
        search = TPESearchCV(SVC(), SPACE, n_iter=4, earlier_trials=source, random_state=1).fit(X, Y)
        assert len(search.cv_results_["params"]) == 4
        assert len(search.study_.trials) == 19
    alone = TPESearchCV(SVC(), SPACE, n_iter=4, random_state=1).fit(X, Y)
    assert alone.cv_results_["params"] != search.cv_results_["params"]


@pytest.mark.parametrize(
    ("directions", "told"), [(["minimize"], r"\['minimize'\]"), (["maximize"] * 2, "'maximize', 'maximize'")]
)
def test_earlier_trials_that_are_no_scores_are_refused(directions, told):
    study = optuna.create_study(directions=directions)
    study.optimize(lambda trial: [trial.suggest_float("C", 1e-2, 1e2)] * len(directions), n_trials=2)
    with pytest.raises(ValueError, match=f"earlier_trials must be of a study that maximizes .*{told}"):
        TPESearchCV(SVC(), SPACE, earlier_trials=study).fit(X, Y)
    if len(directions) == 2:
        with pytest.raises(TypeError, match="a list of trials with one value"):
            TPESearchCV(SVC(), SPACE, earlier_trials=study.trials).fit(X, Y)


@pytest.mark.parametrize("earlier", [3, "trials", SVC(), [{"C": 1.0}]])
def test_what_is_no_list_of_trials_is_told(earlier):
    with pytest.raises(TypeError, match="TPESearchCV: earlier_trials must be a fitted search, a study"):
        TPESearchCV(SVC(), SPACE, earlier_trials=earlier).fit(X, Y)


def test_earlier_trials_of_another_kind_are_told():
    earlier = TPESearchCV(SVC(), {"C": Real(1, 10)}, n_iter=3).fit(X, Y)
    with pytest.raises(
        ValueError, match=r"search_space of 'C' must be of the kind .* or other earlier_trials"
    ):
        TPESearchCV(SVC(), SPACE, earlier_trials=earlier).fit(X, Y)


def test_ask_and_tell():
    search = TPESearchCV(SVC(), SPACE, n_iter=6, random_state=0)
    told = {}
    for _ in range(6):
        candidate = search.ask()
        score = -(np.log(candidate.params["C"]) ** 2)
        told[score] = candidate.params
        search.tell(candidate, score)
    assert search.best_params_ == told[max(told)]
    assert search.best_score_ == max(told)
    with pytest.raises(ValueError, match="n_iter=6 candidates have been asked for"):
        search.ask()


def test_only_what_was_asked_for_is_told_and_once():
    search = TPESearchCV(SVC(), SPACE, n_iter=3, random_state=0)
    candidate = TPESearchCV(SVC(), SPACE, random_state=0).ask()
    for _ in range(2):  # before the first ask, and after
        with pytest.raises(ValueError, match="must be one that this search was asked for"):
            search.tell(candidate, 0.5)
        own = search.ask()
    with pytest.raises(TypeError, match="must be what ask returned"):
        search.tell(own.params, 0.5)
    with pytest.raises(ValueError, match="they are empty"):
        search.tell(own, [])
    assert search.tell(own, [0.4, 0.6]).best_score_ == 0.5
    with pytest.raises(ValueError, match="not told of yet"):
        search.tell(own, 0.5)


def test_fit_goes_on_from_what_was_told(tmp_path):
    search = TPESearchCV(SVC(), SPACE, n_iter=5, cv=3, random_state=0, storage=tmp_path / "s.journal")
    candidate = search.ask()
    scores = cross_validate(SVC(**candidate.params), X, Y, cv=StratifiedKFold(3))["test_score"]
    search.tell(candidate, scores)
    results = search.fit(X, Y).cv_results_
    assert results["params"][0] == candidate.params
    assert [results[f"split{fold}_test_score"][0] for fold in range(3)] == list(scores)
    whole = clone(search).set_params(storage=None).fit(X, Y)
    assert results["params"] == whole.cv_results_["params"]


def test_a_candidate_that_was_asked_for_and_never_told_holds_up_no_fit(tmp_path):
    options = {"n_iter": 3, "cv": 3, "random_state": 0, "storage": tmp_path / "s.journal"}
    search = TPESearchCV(SVC(), SPACE, **options)
    candidate = search.ask()
    assert len(search.fit(X, Y).cv_results_["params"]) == 3
    with pytest.raises(ValueError, match="before its next fit"):
        search.tell(candidate, 0.5)
    TPESearchCV(SVC(), SPACE, **options | {"n_iter": 4}).ask()  # by a search that is gone at once
    assert len(search.set_params(n_iter=4).fit(X, Y).cv_results_["params"]) == 4


def test_a_search_pickles_between_ask_and_tell():
    search = TPESearchCV(SVC(), {"C": stats.poisson(3, loc=1)}, n_iter=3, random_state=0)
    search.tell(search.ask(), 0.5).ask()
    assert pickle.loads(pickle.dumps(search)).best_params_ == search.best_params_


def test_a_fitted_search_pickles_and_keeps_its_study():
    search = TPESearchCV(SVC(), SPACE, n_iter=6, random_state=0).fit(X, Y)
    again = pickle.loads(pickle.dumps(search))
    assert [trial.params for trial in again.study_.trials] == [trial.params for trial in search.study_.trials]
    assert [trial.value for trial in again.study_.trials] == list(search.cv_results_["mean_test_score"])
    assert again.study_.best_trial.number == search.best_index_


def test_progress_bar_shows_best_score(capsys):
    search = TPESearchCV(SVC(), SPACE, n_iter=5, progress_bar=True, random_state=0).fit(X, Y)
    shown = capsys.readouterr().err
    assert "TPESearchCV" in shown
    assert "5/5" in shown
    assert f"best {search.best_score_:.6g}" in shown


def test_the_engine_is_silent(capsys):
    TPESearchCV(SVC(), SPACE, n_iter=3, random_state=0).fit(X, Y)
    captured = capsys.readouterr()
    assert captured.out == captured.err == ""


def test_nothing_without_an_estimator():
    with pytest.raises(ValueError, match="TPESearchCV: estimator must be an estimator; got None"):
        TPESearchCV().fit(X, Y)
    with pytest.raises(ValueError, match="TPESearchCV: estimator must be an estimator; got None"):
        TPESearchCV(search_space=SPACE).ask()


@pytest.mark.parametrize(
    ("estimator", "grid"),
    [
        (Ridge(), {"alpha": [0.1, 1.0, 10.0]}),
        (DecisionTreeRegressor(random_state=0), {"max_depth": [1, 2, 3]}),
        (MLPClassifier(max_epochs=3, random_state=0), {"lr": [1e-3, 1e-2, 1e-1]}),
    ],
)
def test_searches_of_scikit_learn_take_our_estimators(estimator, grid):
    target = Y if isinstance(estimator, ClassifierMixin) else X[:, 0] + Y
    for search in (
        GridSearchCV(estimator, grid, cv=3),
        RandomizedSearchCV(estimator, grid, n_iter=2, cv=3, random_state=0),
        HalvingGridSearchCV(estimator, grid, cv=KFold(3), min_resources=30, random_state=0),
    ):
        assert np.isfinite(search.fit(X, target).best_score_)


def test_importing_the_family_loads_no_torch():
    code = "import sys, sklearn_dl.model_selection; print('torch' in sys.modules, 'skorch' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.split() == ["False", "False"]


def test_ordered_choices_are_values_and_not_places():
    space = {"hidden_layer_sizes": Categorical([(4,), (8,), (16,)], ordered=True)}
    search = TPESearchCV(MLPClassifier(max_epochs=2, random_state=0), space, n_iter=3, cv=2, random_state=0)
    assert {p["hidden_layer_sizes"] for p in search.fit(X, Y).cv_results_["params"]} <= {(4,), (8,), (16,)}
