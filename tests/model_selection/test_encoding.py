"""Parameters as rows of the unit cube, and which of them exist."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from sklearn_dl.model_selection.conditions import Condition, learn_conditions
from sklearn_dl.model_selection.encoding import MIDDLE, SpaceEncoding

SPACE = {
    "plain": FloatDistribution(-3, 5),
    "log": FloatDistribution(1e-5, 1e2, log=True),
    "stepped": FloatDistribution(0, 1, step=0.25),
    "count": IntDistribution(2, 20, step=3),
    "log_count": IntDistribution(1, 64, log=True),
    "choice": CategoricalDistribution(["a", None, 3.5]),
}
PARAMS = st.fixed_dictionaries(
    {
        "plain": st.floats(-3, 5),
        "log": st.floats(1e-5, 1e2),
        "stepped": st.sampled_from([0, 0.25, 0.5, 0.75, 1.0]),
        "count": st.sampled_from(range(2, 21, 3)),
        "log_count": st.integers(1, 64),
        "choice": st.sampled_from(["a", None, 3.5]),
    }
)


@given(PARAMS)
def test_decoding_undoes_encoding(params):
    encoding = SpaceEncoding(SPACE)
    row = encoding.encode(params)
    assert ((row >= 0) & (row <= 1 + 1e-12)).all()
    decoded = encoding.decode(row)
    assert decoded.keys() == params.keys()
    assert decoded.pop("choice") == params.pop("choice")
    assert decoded == pytest.approx(params, rel=1e-9, abs=1e-9)
    assert {type(v) for v in (decoded["count"], decoded["log_count"])} == {int}


@given(st.integers(0, 2**31))
def test_snapped_rows_are_those_of_parameters_in_the_space(seed):
    encoding = SpaceEncoding(SPACE)
    rows = encoding.snap(np.random.default_rng(seed).random((4, encoding.n_columns)))
    for row in rows:
        params = encoding.decode(row)
        assert encoding.encode(params) == pytest.approx(row)
        for name, value in params.items():
            assert SPACE[name]._contains(SPACE[name].to_internal_repr(value))


@pytest.mark.parametrize(("low", "high"), [(0, 0.3), (-0.7, 0.7), (0.1, 0.8), (0.05, 1.95)])
def test_the_last_of_the_steps_of_a_float_is_in_its_range(low, high):
    distribution = FloatDistribution(low, high, step=0.1)
    encoding = SpaceEncoding({"x": distribution})
    last = encoding.decode(np.ones(1))["x"]
    assert distribution._contains(last)
    assert last == high


def test_integers_on_a_logarithmic_scale_have_equal_ratios_at_equal_distances():
    encoding = SpaceEncoding({"n": IntDistribution(1, 64, log=True)})
    places = [encoding.encode({"n": n})[0] for n in (1, 8, 64)]
    assert places == pytest.approx([0, 0.5, 1])


@pytest.mark.parametrize("distribution", [IntDistribution(0, 9), IntDistribution(1, 1000, log=True)])
def test_moves_of_an_integer_lead_to_other_integers(distribution):
    column = SpaceEncoding({"n": distribution}).parts["n"]
    moves = [column.decode(place) for place in column.moves(column.encode(5), 16)]
    assert 5 not in moves
    assert {4, 6} <= set(moves)
    assert len(moves) == len(set(moves)) <= 17


def test_conditions_are_learnt_from_the_trials_through_two_levels():
    space = {
        "model": CategoricalDistribution(["svm", "forest", "none"]),
        "kernel": CategoricalDistribution(["rbf", "linear"]),
        "gamma": FloatDistribution(0, 1),
        "depth": IntDistribution(1, 9),
    }
    params = [
        {"model": "svm", "kernel": "rbf", "gamma": 0.2},
        {"model": "svm", "kernel": "linear"},
        {"model": "forest", "depth": 3},
    ]
    conditions = learn_conditions(params, space)
    assert conditions["kernel"] == Condition("model", frozenset({0, 2}))  # "none" was never tried
    assert conditions["gamma"] == Condition("kernel", frozenset({0}))
    assert conditions["depth"] == Condition("kernel", frozenset({None}))

    encoding = SpaceEncoding(space, conditions)
    rows = encoding.snap(np.random.default_rng(0).random((64, encoding.n_columns)))
    for row in rows:
        params = encoding.decode(row)
        exists = {name: (row[encoding.places[name]] != MIDDLE).all() for name in space}
        assert exists["kernel"] == (params["model"] != "forest")
        assert not (exists["gamma"] and params["kernel"] == "linear")
        assert not (exists["gamma"] and not exists["kernel"])


def test_a_parameter_that_no_choice_explains_always_exists():
    space = {"choice": CategoricalDistribution(["a", "b"]), "x": FloatDistribution(0, 1)}
    assert learn_conditions([{"choice": "a", "x": 0.1}, {"choice": "a"}], space) == {}
