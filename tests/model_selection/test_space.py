"""Search spaces: what users write, what the engine samples, what candidates get."""

import numpy as np
import optuna
import pandas as pd
import pytest
import scipy.stats as st
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from sklearn_dl.model_selection import Categorical, Integer, Real
from sklearn_dl.model_selection.distributions import dimension_of
from sklearn_dl.model_selection.space import search_space


def draws(space, n=200):
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    return [space.params(study.ask()) for _ in range(n)], study


@pytest.mark.parametrize(
    ("written", "distribution"),
    [
        (Real(1, 10), FloatDistribution(1.0, 10.0)),
        (Real(1e-3, 1e3, log=True), FloatDistribution(1e-3, 1e3, log=True)),
        (Integer(2, 9), IntDistribution(2, 9)),
        (Integer(2, 900, log=True), IntDistribution(2, 900, log=True)),
        (["a", "b", None], CategoricalDistribution(["a", "b", None])),
        (np.array([1.5, 2.5]), CategoricalDistribution([1.5, 2.5])),
        (range(3), CategoricalDistribution([0, 1, 2])),
        ([True, False], CategoricalDistribution(["0: True", "1: False"])),
        ([StandardScaler(), "passthrough"], CategoricalDistribution(["0: StandardScaler", "1: passthrough"])),
        ([(50,), (50, 20)], CategoricalDistribution(["0: tuple", "1: tuple"])),
        (Categorical([8, 16, 32], ordered=True), IntDistribution(0, 2)),
        (st.uniform(2, 3), FloatDistribution(2.0, 5.0)),
        (st.loguniform(1e-4, 1.0), FloatDistribution(1e-4, 1.0, log=True)),
        (st.randint(3, 7), IntDistribution(3, 6)),
        (st.beta(2, 3), FloatDistribution(0.0, 1.0)),
        (st.expon(scale=2), FloatDistribution(0.0, 0.999)),
        (st.loguniform(1e-2, 10, loc=-1), FloatDistribution(0.0, 1.0)),
        (st.skellam(2, 2), FloatDistribution(0.001, 0.999)),
        (FloatDistribution(0.0, 1.0, step=0.25), FloatDistribution(0.0, 1.0, step=0.25)),
    ],
)
def test_what_is_written_is_what_the_engine_samples(written, distribution):
    assert dimension_of(written).distribution == distribution


@pytest.mark.parametrize(
    "frozen", [st.norm(3, 2), st.gamma(2.0), st.expon(scale=5), st.poisson(4), st.binom(9, 0.3)]
)
def test_quantiles_of_a_distribution_have_its_distribution(frozen):
    space = search_space({"C": frozen}, SVC(), "Search")
    values = np.array([params["C"] for params in draws(space, 1000)[0]])
    discrete = hasattr(frozen.dist, "pmf")
    expected = frozen.rvs(size=20_000, random_state=0)
    if discrete:
        assert {type(params["C"]) for params in draws(space, 3)[0]} == {int}
        assert abs(values.mean() - expected.mean()) < 0.15 * expected.std()
    else:
        assert st.kstest(values, frozen.cdf).statistic < 0.05


@pytest.mark.skipif(not hasattr(st, "Normal"), reason="scipy 1.15 has distributions of a new kind")
def test_continuous_distributions_of_the_new_kind_are_not_rounded():
    for new, old in ((st.Normal(mu=3, sigma=2), st.norm(3, 2)), (st.Uniform(a=0, b=2), st.uniform(0, 2))):
        values = [params["C"] for params in draws(search_space({"C": new}, SVC(), "Search"), 300)[0]]
        assert st.kstest(values, old.cdf).statistic < 0.1


def test_values_of_a_discrete_distribution_are_those_that_it_has():
    dimension = dimension_of(st.rv_discrete(values=([1, 2.5, 4], [0.2, 0.5, 0.3])))
    values = [dimension.decode(quantile) for quantile in (0.0, 0.1, 0.3, 0.6, 0.9, 1.0)]
    assert values == [1, 1, 2.5, 2.5, 4, 4]
    assert {type(value) for value in values} == {int, float}


@pytest.mark.parametrize("ordered", [False, True])
def test_choices_may_be_a_series_with_labels_of_its_own(ordered):
    dimension = Categorical(pd.Series([1.5, 2.5], index=[7, 1]), ordered=ordered)
    assert [dimension.decode(dimension.encode(value)) for value in (1.5, 2.5)] == [1.5, 2.5]


def test_a_distribution_that_only_draws_is_represented_by_sorted_draws():
    class Dice:
        def rvs(self, random_state=None):
            return int(random_state.randint(1, 7))

    dimension = dimension_of(Dice())
    assert dimension.choices == [1, 2, 3, 4, 5, 6]
    assert dimension.distribution == IntDistribution(0, 5)


@pytest.mark.parametrize(
    "written",
    [Real(1, 10), Integer(2, 9), ["a", None], [True, False, 1], [float("nan"), 0.0], st.norm(0, 1),
     st.gamma(2.0),
     Categorical([8, 16, 32], ordered=True), [StandardScaler(), PCA()]],
)  # fmt: skip
def test_decoding_undoes_encoding(written):
    dimension = dimension_of(written)
    values = getattr(dimension, "choices", None) or [dimension.decode(q) for q in (0.3, 0.6)] \
        if not isinstance(dimension, Integer | Real) else [3, 7]  # fmt: skip
    for value in values:
        back = dimension.decode(dimension.encode(value))
        assert back is value or np.isclose(back, value)


@pytest.mark.parametrize(
    ("choices", "value", "meant"),
    [
        (np.logspace(-2, 2, 5), 1.0, 1.0),
        ([1.0, 10.0], 1, 1.0),
        (np.arange(5), 3, 3),
        ([1, 1.0], 1.0, 1.0),
        ([1, True], True, True),
        ([1, True], np.True_, True),
        (["a", None], np.str_("a"), "a"),
    ],
)
def test_a_choice_may_be_named_by_an_equal_value_of_another_type(choices, value, meant):
    dimension = dimension_of(choices)
    found = dimension.decode(dimension.encode(value))
    assert found == meant
    assert isinstance(found, bool) == isinstance(meant, bool)
    with pytest.raises(ValueError, match="'1' is not one of"):
        dimension.encode("1")


def test_a_candidate_belongs_to_the_space_whose_fixed_values_it_has():
    linear, rbf = {"kernel": "linear", "C": Real(1, 2)}, {"kernel": "rbf", "C": Real(1, 2), "gamma": 0.5}
    space = search_space([linear, rbf], SVC(), "Search")
    assert space.encode({"kernel": "linear", "C": 1.5}) == {"space": 0, "C": 1.5}
    assert space.encode({"kernel": np.str_("rbf"), "C": 1.5}) == {"space": 1, "C": 1.5}
    with pytest.raises(
        ValueError, match="kernel: 'poly' is not 'linear', which is fixed there; kernel: 'poly'"
    ):
        space.encode({"kernel": "poly", "C": 1.5})
    pipe = Pipeline([("pre", StandardScaler()), ("clf", SVC())])
    steps = search_space({"pre": StandardScaler(), "clf__C": Real(1, 2)}, pipe, "Search")
    assert steps.encode({"pre": StandardScaler(), "clf__C": 1.5}) == {"clf__C": 1.5}


def test_fixed_values_stand_in_every_candidate_and_are_not_sampled():
    space = search_space({"C": Real(1, 2), "kernel": "rbf", "probability": True}, SVC(), "Search")
    params, study = draws(space, 5)
    assert all(p["kernel"] == "rbf" and p["probability"] is True for p in params)
    assert set(study.trials[0].params) == {"C"}


def test_a_list_of_spaces_gives_candidates_of_each_with_its_own_parameters():
    space = search_space(
        [
            {"kernel": ["linear"], "C": Real(1, 2)},
            {"kernel": ["rbf"], "C": Real(5, 6), "gamma": Real(0.1, 1)},
        ],
        SVC(),
        "Search",
    )
    params, study = draws(space)
    assert {tuple(p) for p in params} == {("kernel", "C"), ("kernel", "C", "gamma")}
    assert all((1 <= p["C"] <= 2) if p["kernel"] == "linear" else (5 <= p["C"] <= 6) for p in params)
    names = {name for trial in study.trials for name in trial.params}
    assert names == {"space", "C", "C@1", "gamma"}


def test_a_parameter_may_have_the_name_by_which_the_engine_knows_the_space():
    class Spaced(SVC):
        def __init__(self, space=0, C=1.0):
            super().__init__(C=C)
            self.space = space

    written = [{"space": [0, 1], "C": Real(1, 2)}, {"space": Real(5, 6)}]
    params, _ = draws(search_space(written, Spaced(), "Search"))
    assert {p["space"] for p in params if "C" in p} == {0, 1}
    assert all(5 <= p["space"] <= 6 for p in params if "C" not in p)
    params, study = draws(search_space(written[0], Spaced(), "Search"))
    assert set(study.trials[0].params) == {"space", "C"}


def test_parameters_of_a_step_are_searched_where_the_chosen_step_has_them():
    pipe = Pipeline([("scale", StandardScaler()), ("clf", SVC())])
    space = search_space(
        {
            "clf__gamma": Real(0.1, 1),
            "clf__C": Real(1, 2),
            "clf": [SVC(), LogisticRegression(), "passthrough"],
        },
        pipe,
        "Search",
    )
    for params in draws(space)[0]:
        has = {name.removeprefix("clf__") for name in params} - {"clf"}
        kind = params["clf"] if isinstance(params["clf"], str) else type(params["clf"]).__name__
        assert has == {"SVC": {"gamma", "C"}, "LogisticRegression": {"C"}, "passthrough": set()}[kind]


def test_a_finished_trial_gives_the_same_candidate_again():
    scalers = [StandardScaler(), PCA(), None]
    pipe = Pipeline([("pre", StandardScaler()), ("clf", SVC())])
    space = search_space(
        [{"pre": scalers, "clf__C": st.norm(5, 1)}, {"clf__gamma": Real(1, 2)}], pipe, "Search"
    )
    params, study = draws(space, 50)
    again = [space.params(trial) for trial in study.trials]
    assert again == params
    assert all(p["pre"] in scalers for p in again if "pre" in p)


def test_a_function_of_the_trial_is_a_space():
    def space_of(trial):
        penalty = trial.suggest_categorical("penalty", ["l1", "elasticnet"])
        params = {"C": trial.suggest_float("C", 0.1, 1), "solver": "saga"}
        if penalty == "elasticnet":
            params["l1_ratio"] = trial.suggest_float("l1_ratio", 0, 1)
        return params

    space = search_space(space_of, LogisticRegression(), "Search")
    params, study = draws(space, 30)
    assert {len(p) for p in params} == {2, 3}
    assert [space.params(trial) for trial in study.trials] == params


@pytest.mark.parametrize(
    ("space", "error", "words"),
    [
        ({"gama": [1]}, ValueError, r"'gama', which SVC does not have. Did you mean 'gamma'\? It has C"),
        ({"C": (1, 10)}, ValueError, r"of 'C': the tuple \(1, 10\) could be a range or choices"),
        ({"C": []}, ValueError, "^Search: search_space of 'C': the list of choices is empty"),
        ({"C": {1, 2}}, ValueError, "^Search: search_space of 'C': {1, 2} is neither"),
        ({3: [1]}, TypeError, "^Search: names in search_space must be strings; got 3"),
        ([], TypeError, "^Search: search_space must be a dict"),
        (None, TypeError, "^Search: search_space must be a dict.*got None"),
    ],
)  # fmt: skip
def test_bad_spaces_are_told(space, error, words):
    with pytest.raises(error, match=words):
        search_space(space, SVC(), "Search")


def test_a_function_that_returns_no_dict_or_an_unknown_name_is_told():
    trial = optuna.create_study().ask()
    with pytest.raises(TypeError, match="must return a dict of parameters; got 3"):
        search_space(lambda trial: 3, SVC(), "Search").params(trial)
    with pytest.raises(ValueError, match="names 'gama'"):
        search_space(lambda trial: {"gama": 3}, SVC(), "Search").params(trial)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Real(2, 1), "Real: low must not be above high; got low=2, high=1"),
        (lambda: Real(0, 1, log=True), "Real: low must be above 0 with log=True; got 0"),
        (lambda: Real("a", 1), "Real: low must be a finite number; got 'a'"),
        (lambda: Real(0, float("inf")), "Real: high must be a finite number; got inf"),
        (lambda: Integer(1.5, 3), "Integer: low must be a whole number; got 1.5"),
        (lambda: Categorical([]), "Categorical: choices must not be empty"),
        (lambda: Categorical("abc"), "Categorical: choices must be a sequence"),
        (lambda: Categorical({1, 2}), "Categorical: choices must be a sequence, .* got {1, 2}"),
        (lambda: Categorical({"a": 1}), "Categorical: choices must be a sequence, .* got {'a': 1}"),
        (lambda: Categorical(np.array(3)), "Categorical: choices must be a sequence"),
    ],
)
def test_bad_dimensions_are_told(make, words):
    with pytest.raises(ValueError, match=words):
        make()


def test_libraries_whose_parameters_are_not_all_listed_may_be_given_others():
    class Booster:
        def get_params(self, deep=True):
            return {"a": 1}

        def set_params(self, **params):
            return self

    assert search_space({"hidden": [1]}, Booster(), "Search").names == ["hidden"]
