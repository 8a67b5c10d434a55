"""The sampler is optuna's but for the width of kernels, and its densities are those that it samples with."""

import numpy as np
import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from scipy.integrate import quad
from sklearn.utils.fixes import parse_version

from sklearn_dl.model_selection.tpe_sampler import TPESampler

SPACE = {
    "rate": FloatDistribution(1e-4, 1.0, log=True),
    "share": FloatDistribution(0, 1),
    "depth": IntDistribution(1, 6),
    "kind": CategoricalDistribution(["a", "b", "c"]),
}

pytestmark = pytest.mark.usefixtures("quiet")


def cost(params):
    wrong = {"a": 0.5, "b": 0.0, "c": 1.0}[params["kind"]]
    return (
        (np.log10(params["rate"]) + 2) ** 2 + (params["share"] - 0.7) ** 2 + abs(params["depth"] - 4) + wrong
    )


def run(sampler, n_trials=40):
    study = optuna.create_study(sampler=sampler)
    for _ in range(n_trials):
        trial = study.ask(SPACE)
        study.tell(trial, cost(trial.params))
    return study


def test_suggests_what_optunas_multivariate_sampler_suggests_with_its_least_width():
    ours, theirs = (
        run(sampler, 20)
        for sampler in (
            TPESampler(seed=0, min_bandwidth_factor=1.0),
            optuna.samplers.TPESampler(seed=0, multivariate=True),
        )
    )
    assert [trial.params for trial in ours.trials] == [trial.params for trial in theirs.trials]


def widths(study, factor):
    """Standard deviations of the kernels of each numeric parameter, by density."""
    densities = TPESampler(seed=0, min_bandwidth_factor=factor).densities(study, ["depth", "rate", "share"])
    return [
        np.stack([kernels.sigma for kernels in density._mixture_distribution.distributions])
        for density in (densities._good, densities._other)
    ]


def test_kernels_are_as_wide_as_optunas_but_for_the_least_width():
    study = run(TPESampler(seed=0), 40)
    ranges = np.array([[6.0], [np.log(1e4)], [1.0]])  # depth with half a step at either end, rate, share
    for ours, theirs in zip(widths(study, 0.5), widths(study, 1.0), strict=True):
        least = ranges / min(100, ours.shape[1] + 1)
        assert (ours >= 0.5 * least * (1 - 1e-12)).all()
        assert np.maximum(ours, least) == pytest.approx(theirs)
        assert ours[:, -1:] == pytest.approx(ranges)  # the prior's
    ours, theirs = widths(study, 0.5)[0], widths(study, 1.0)[0]
    assert (ours < theirs).any()


def test_narrower_kernels_close_in_on_an_optimum():
    def best(factor, seed):
        study = optuna.create_study(sampler=TPESampler(seed=seed, min_bandwidth_factor=factor))
        study.optimize(lambda t: sum(t.suggest_float(name, -1, 1) ** 2 for name in "abc"), n_trials=40)
        return study.best_value

    ours, theirs = (np.median([best(factor, seed) for seed in range(8)]) for factor in (0.5, 1.0))
    assert ours < theirs


@pytest.mark.parametrize("factor", [0, -1, 1.5, float("nan")])
def test_least_width_is_a_share_of_optunas(factor):
    with pytest.raises(ValueError, match=r"min_bandwidth_factor must be in \(0, 1\]; got"):
        TPESampler(min_bandwidth_factor=factor)


def test_looking_at_the_densities_changes_no_suggestion():
    looked, left = run(TPESampler(seed=0), 15), run(TPESampler(seed=0), 15)
    looked.sampler.densities(looked)
    assert looked.ask(SPACE).params == left.ask(SPACE).params


def test_densities_integrate_to_one():
    densities = run(TPESampler(seed=0)).sampler
    study = run(densities)
    share = densities.densities(study, ["share"])
    assert quad(lambda x: share.good({"share": [x]})[0], 0, 1, limit=200)[0] == pytest.approx(1, abs=1e-4)
    assert quad(lambda x: share.other({"share": [x]})[0], 0, 1, limit=200)[0] == pytest.approx(1, abs=1e-4)
    for name in ("depth", "kind"):
        of_values = densities.densities(study, [name])
        values = {name: of_values.grid(name)}
        assert of_values.good(values).sum() == pytest.approx(1)
        assert of_values.other(values).sum() == pytest.approx(1)


@pytest.mark.skipif(
    parse_version(optuna.__version__) < parse_version("5"),
    reason="widths depend on the number of parameters before optuna 5",
)
def test_marginal_density_is_the_joint_one_summed_over_the_others():
    study = run(TPESampler(seed=0))
    joint = study.sampler.densities(study, ["share", "kind"])
    marginal = study.sampler.densities(study, ["share"])
    places = np.linspace(0.01, 0.99, 7)
    total = sum(joint.good({"share": places, "kind": [kind] * 7}) for kind in "abc")
    assert marginal.good({"share": places}) == pytest.approx(total)


def test_good_trials_are_the_best_tenth_and_the_ratio_of_densities_tells_them_from_others():
    study = run(TPESampler(seed=0))
    densities = study.sampler.densities(study)
    assert (densities.n_good, densities.n_other) == (4, 36)
    trials = sorted(study.trials, key=lambda trial: trial.value)
    params = {name: [trial.params[name] for trial in trials] for name in SPACE}
    log_ratio = np.log(densities.good(params) / densities.other(params))
    assert np.median(log_ratio[:4]) > 1
    assert np.median(log_ratio[4:]) < 0


def test_suggestions_have_a_larger_ratio_than_draws():
    study = run(TPESampler(seed=0))
    densities = study.sampler.densities(study)
    suggested = {name: [value] for name, value in study.ask(SPACE).params.items()}
    drawn = run(optuna.samplers.RandomSampler(seed=1), 50)
    drawn = {name: [trial.params[name] for trial in drawn.trials] for name in SPACE}
    ratio = densities.good(drawn) / densities.other(drawn)
    assert densities.good(suggested) / densities.other(suggested) > np.quantile(ratio, 0.95)


def test_says_what_densities_need():
    sampler = TPESampler(seed=0)
    with pytest.raises(
        ValueError, match=r"densities need n_startup_trials=10 complete or pruned trials; .* has 3"
    ):
        sampler.densities(run(sampler, 3))
    study = run(sampler, 12)
    with pytest.raises(ValueError, match=r"params must name parameters of the study, .*; got 'width'"):
        sampler.densities(study, ["width"])
    with pytest.raises(ValueError, match="params must have values of kind too"):
        sampler.densities(study, ["kind"]).good({"depth": [1]})
