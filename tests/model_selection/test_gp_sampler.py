"""The sampler in studies: states of trials, several at a time, conditions, quality."""

import copy
import pickle
import subprocess
import sys
import warnings

import numpy as np
import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState

from sklearn_dl.model_selection import gp_sampler
from sklearn_dl.model_selection.gp_sampler import GPSampler
from sklearn_dl.model_selection.turns import Turn

SQUARE = {"x": FloatDistribution(0, 1), "y": FloatDistribution(0, 1)}

pytestmark = pytest.mark.usefixtures("quiet")


def bowl(params, centre=(0.3, 0.6)):
    return (params["x"] - centre[0]) ** 2 + (params["y"] - centre[1]) ** 2


def run(n_trials, *, sampler=None, direction="minimize", sign=1, space=SQUARE, function=bowl):
    study = optuna.create_study(sampler=sampler or GPSampler(seed=0), direction=direction)
    for _ in range(n_trials):
        trial = study.ask(space)
        study.tell(trial, sign * function(trial.params))
    return study


def params_of(study):
    return [trial.params for trial in study.trials]


def test_maximising_a_function_is_minimising_its_negative():
    down, up = run(14), run(14, direction="maximize", sign=-1)
    assert params_of(down) == params_of(up)


def test_same_seed_same_suggestions_another_seed_others():
    assert params_of(run(13)) == params_of(run(13))
    assert params_of(run(2)) != params_of(run(2, sampler=GPSampler(seed=1)))


def test_leaves_the_global_random_state_alone():
    before = np.random.get_state()[1].copy()
    run(12)
    assert (np.random.get_state()[1] == before).all()


@pytest.mark.parametrize("replace", [copy.deepcopy, lambda s: pickle.loads(pickle.dumps(s))])
def test_a_copy_goes_on_as_the_sampler_does(replace):
    sampler = GPSampler(seed=0)
    study = run(12, sampler=sampler)
    other = optuna.create_study(sampler=replace(sampler))
    other.add_trials(study.trials)
    assert study.ask(SQUARE).params == other.ask(SQUARE).params


@pytest.mark.parametrize("acquisition", ["log_ei", "ei", "log_nei", "log_pi", "ucb"])
def test_every_acquisition_finds_the_bottom_of_a_bowl(acquisition):
    study = run(20, sampler=GPSampler(acquisition=acquisition, seed=0))
    assert study.best_value < 1e-3
    assert min(map(bowl, params_of(study)[:10])) > 1e-3


def test_beats_random_search_on_branin_by_a_hundred():
    space = {"x": FloatDistribution(-5, 10), "y": FloatDistribution(0, 15)}

    def branin(params):
        x, y = params["x"], params["y"]
        bowl = y - 5.1 / (4 * np.pi**2) * x**2 + 5 / np.pi * x - 6
        return bowl**2 + 10 * (1 - 1 / (8 * np.pi)) * np.cos(x) + 10 - 0.39788735772973816

    ours = run(35, space=space, function=branin).best_value
    random = run(35, space=space, function=branin, sampler=optuna.samplers.RandomSampler(seed=0)).best_value
    assert ours < 1e-2 * random


def test_targets_over_orders_of_magnitude_need_the_warp():
    def steep(params):
        return 10 ** (4 * bowl(params) ** 0.5)

    warped, plain = (
        run(18, function=steep, sampler=GPSampler(seed=0, warp_targets=w)) for w in (True, False)
    )
    assert np.log10(warped.best_value) < 0.5 * np.log10(plain.best_value)


def test_choices_and_integers_are_searched_together():
    space = {
        "n": IntDistribution(1, 100, log=True),
        "c": CategoricalDistribution(["a", "b", "c"]),
        "x": FloatDistribution(0, 1),
    }

    def function(params):
        best = {"a": 3, "b": 30, "c": 80}[params["c"]]
        offset = {"a": 0.5, "b": 0.0, "c": 1.0}[params["c"]]
        return offset + np.log(params["n"] / best) ** 2 + (params["x"] - 0.7) ** 2

    study = run(30, space=space, function=function)
    assert study.best_params["c"] == "b"
    assert study.best_params["n"] == 30
    assert study.best_value < 1e-3


def test_a_finite_space_is_not_asked_twice():
    space = {"n": IntDistribution(0, 4), "c": CategoricalDistribution(["a", "b", "c"])}
    study = run(
        15,
        space=space,
        function=lambda p: p["n"] + len(p["c"]),
        sampler=GPSampler(seed=0, n_startup_trials=1),
    )
    assert len({tuple(params.values()) for params in params_of(study)}) == 15
    run(17, space=space, function=lambda p: p["n"], sampler=GPSampler(seed=0, n_startup_trials=1))


def test_trials_that_run_push_the_next_ones_away():
    study = run(12)
    alone = study.ask(SQUARE).params  # from here on none is told
    together = np.array([list(study.ask(SQUARE).params.values()) for _ in range(3)])
    distances = np.abs(together - np.array(list(alone.values()))).max(axis=1)
    assert distances.min() > 1e-3
    assert np.abs(together[0] - together[1]).max() > 1e-3


def test_regions_that_fail_are_avoided():
    study = optuna.create_study(sampler=GPSampler(seed=0))
    for _ in range(26):
        trial = study.ask(SQUARE)
        if trial.params["x"] < 0.5:  # where the bowl has its bottom
            study.tell(trial, state=TrialState.FAIL)
        else:
            study.tell(trial, bowl(trial.params))
    states = [trial.state for trial in study.trials]
    assert TrialState.FAIL in states[:10]
    assert states[-8:].count(TrialState.FAIL) <= 3
    assert study.best_value < 0.2**2 + 0.03  # 0.2^2 is the least value that does not fail


def test_pruned_trials_are_no_better_than_the_median():
    from sklearn_dl.model_selection.history import read_observations

    study = optuna.create_study(direction="maximize")
    for value in (1.0, 2.0, 3.0):
        study.tell(study.ask(SQUARE), value)
    for report in (2.9, 1.5):
        trial = study.ask(SQUARE)
        trial.report(report, step=1)
        study.tell(trial, state=TrialState.PRUNED)
    study.tell(study.ask(SQUARE), state=TrialState.FAIL)
    study.tell(study.ask(SQUARE), -np.inf)
    values = read_observations(study, study.trials, SQUARE).values
    # Lower is better: told 1, 2, 3, pruned at 2.9 (the median is 2) and at 1.5, failed, and told -inf.
    assert values.tolist() == [-1.0, -2.0, -3.0, -2.0, -1.5, -1.0, -1.0]


def test_branches_of_a_conditional_space_are_searched_jointly():
    def objective(trial):
        model = trial.suggest_categorical("model", ["line", "curve", "none"])
        if model == "line":
            return 1 + (trial.suggest_float("slope", 0, 1) - 0.2) ** 2
        if model == "curve":
            degree = trial.suggest_int("degree", 1, 50)
            return 0.1 + (trial.suggest_float("bend", 0, 1) - 0.7) ** 2 + (degree - 20) ** 2 / 1000
        return 2.0

    study = optuna.create_study(sampler=GPSampler(seed=0))
    study.optimize(objective, n_trials=35)
    assert study.best_params["model"] == "curve"
    assert study.best_value < 0.11


def test_an_enqueued_or_fixed_parameter_is_respected():
    study = run(12)
    study.enqueue_trial({"x": 0.123})
    assert study.ask(SQUARE).params["x"] == 0.123


@pytest.mark.parametrize("warp_targets", [True, False])
@pytest.mark.parametrize(("direction", "sign"), [("minimize", 1), ("maximize", -1)])
def test_belief_holds_the_values_seen_in_their_units(warp_targets, direction, sign):
    study = run(
        14,
        direction=direction,
        sign=sign,
        function=lambda params: np.exp(3 * bowl(params)),
        sampler=GPSampler(seed=0, warp_targets=warp_targets),
    )
    belief = study.sampler.belief(study)
    seen = {name: [trial.params[name] for trial in study.trials] for name in "xy"}
    low, middle, high = belief.quantiles(seen)
    values = np.array([trial.value for trial in study.trials])
    assert (low < high).all()
    assert middle == pytest.approx(values, abs=0.05 * np.ptp(values))
    assert np.mean((low <= values) & (values <= high)) > 0.6


def test_belief_is_unsure_far_from_trials_and_its_acquisition_is_largest_at_the_suggestion(monkeypatch):
    monkeypatch.setattr(gp_sampler, "next_turn", lambda *_: Turn.WHOLE)
    study = run(12, function=lambda params: np.sin(8 * params["x"]) + params["y"] ** 2)
    belief = study.sampler.belief(study)
    grid = np.linspace(0, 1, 41)
    everywhere = {"x": np.repeat(grid, 41), "y": np.tile(grid, 41)}
    low, _, high = belief.quantiles(everywhere)
    at = {name: [trial.params[name] for trial in study.trials] for name in "xy"}
    low_seen, _, high_seen = belief.quantiles(at)
    assert (high - low).max() > 3 * np.median(high_seen - low_seen)
    suggested = {name: [value] for name, value in study.ask(SQUARE).params.items()}
    assert belief.acquisition(suggested)[0] >= belief.acquisition(everywhere).max() - 1e-6


def test_belief_says_what_it_needs():
    with pytest.raises(ValueError, match=r"a belief needs at least two complete trials .* the study has 1"):
        GPSampler().belief(run(1))
    with pytest.raises(ValueError, match="params must have values of some of x, y; got 'z'"):
        GPSampler(seed=0).belief(run(12)).quantiles({"z": [1.0]})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"acquisition": "best"}, "acquisition must be one of 'log_ei'"),
        ({"n_candidates": 100}, "n_candidates must be a power of 2; got 100"),
        ({"n_startup_trials": -1}, "n_startup_trials must be an int of at least 0; got -1"),
        ({"n_starts": 1.5}, "n_starts must be an int of at least 1; got 1.5"),
    ],
)
def test_refuses_arguments_out_of_range(arguments, message):
    with pytest.raises(ValueError, match=message):
        GPSampler(**arguments)


def test_suggests_without_warnings_where_all_targets_are_equal():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run(14, function=lambda params: 1.0)


def test_imports_no_torch():
    code = (
        "import sys, optuna; from sklearn_dl.model_selection.gp_sampler import GPSampler; "
        "study = optuna.create_study(sampler=GPSampler(n_startup_trials=2)); "
        "study.optimize(lambda t: t.suggest_float('x', 0, 1), n_trials=4); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
