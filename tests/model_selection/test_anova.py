"""The covariance in which parameters act alone, by its factors, and the turns of a search that use it."""

import numpy as np
import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution
from scipy.optimize import approx_fprime
from sklearn.gaussian_process.kernels import Matern

from sklearn_dl.gaussian_process.pairs import Pairs
from sklearn_dl.model_selection.anova import AnovaCovariance
from sklearn_dl.model_selection.encoding import SpaceEncoding
from sklearn_dl.model_selection.gp_sampler import GPSampler
from sklearn_dl.model_selection.posterior import Posterior
from sklearn_dl.model_selection.surrogate import ANOVA, Surrogate, fit_anova_surrogate
from sklearn_dl.model_selection.turns import Turn, next_turn

GROUP = np.array([0, 1, 1, 1, 2])
THETA = np.array([0.3, -0.7, 0.2, -1.5, -0.4, -3.0])  # variance, three scales, share, noise
SCALES, SHARE = np.exp(THETA[1:4]), 1 / (1 + np.exp(0.4))
CUBE = SpaceEncoding({f"x{number}": FloatDistribution(0, 1) for number in range(4)})


def product_of_factors(rows, columns):
    values = np.full((len(rows), len(columns)), np.exp(0.3))
    for parameter, scale in enumerate(SCALES):
        place = parameter == GROUP
        values *= 1 - SHARE + SHARE * Matern(scale, nu=2.5)(rows[:, place], columns[:, place])
    return values


def test_the_covariance_is_the_product_of_its_factors():
    rows, columns = np.random.default_rng(0).random((7, 5)), np.random.default_rng(1).random((4, 5))
    covariance = AnovaCovariance(GROUP)
    assert covariance.between(rows, columns, THETA) == pytest.approx(product_of_factors(rows, columns))
    filled = np.zeros((7, 7))
    covariance.fill(rows, THETA, filled)
    whole = product_of_factors(rows, rows) + np.exp(-3) * np.eye(7)
    assert np.triu(filled) == pytest.approx(np.triu(whole))


def test_the_derivative_by_rows_is_that_of_differences():
    rows, columns = np.random.default_rng(0).random((3, 5)), np.random.default_rng(1).random((4, 5))
    weight = np.random.default_rng(2).standard_normal((3, 4))
    gradient = AnovaCovariance(GROUP).term(Pairs(rows, columns), THETA).row_gradient(weight)

    def total(flat):
        return float((weight * product_of_factors(flat.reshape(3, 5), columns)).sum())

    assert gradient.ravel() == pytest.approx(approx_fprime(rows.ravel(), total, 1e-7), abs=1e-5)


def test_the_triangle_that_is_not_asked_for_is_left_alone():
    covariance, rows = AnovaCovariance(np.arange(3)), np.random.default_rng(0).random((5, 3))
    out = np.full((5, 5), 1e308)  # of which a product overflows
    covariance.fill(rows, np.array([1.0, 0.0, 0.0, 0.0, 0.0, 0.0]), out)
    assert (out[np.tri(5, k=-1) > 0] == 1e308).all()
    assert out[np.triu_indices(5)].max() == out[0, 0] == np.e + 1


def test_a_parameter_alone_is_known_far_from_the_rows_that_differ_in_others():
    rng = np.random.default_rng(0)
    rows = rng.random((60, 4))

    def function(at):
        return np.sin(9 * at).sum(axis=1)

    surrogate, theta = fit_anova_surrogate(rows, function(rows), CUBE, warp_inputs=False, warp_targets=False)
    joint = Surrogate(rows, function(rows), CUBE, warp_inputs=False, warp_targets=False)
    new = rng.random((200, 4))
    errors = []
    for fitted, at in ((surrogate, theta), (joint, joint.fit()[0])):
        mean = fitted.original_targets(Posterior(fitted, at)(new)[0][:, 0], at)
        errors.append(np.std(mean - function(new)))
    assert errors[0] < 0.7 * errors[1]
    assert len(theta) == len(joint.slots.prior_mean) + 1  # the share
    assert surrogate.slots.prior_mean[5] == ANOVA.share[0]


@pytest.mark.parametrize(
    ("last", "value", "n_running", "expected"),
    [
        ([0.9, 0.9, 0.9, 0.9], 0.5, 0, Turn.WHOLE),  # all parameters changed, for the better
        ([0.9, 0.9, 0.9, 0.9], 2.0, 0, Turn.LINE),
        ([0.2, 0.2, 0.7, 0.2], 0.5, 0, Turn.LINE),  # one changed, for the better
        ([0.2, 0.2, 0.7, 0.2], 2.0, 0, Turn.WHOLE),
        ([0.2, 0.2, 0.7, 0.2], 2.0, 1, Turn.LINE),  # the trial that runs takes the other turn
        ([0.9, 0.9, 0.9, 0.9], 2.0, 1, Turn.WHOLE),
    ],
)
def test_a_kind_of_step_goes_on_while_it_improves(last, value, n_running, expected):
    rows = np.array([[0.1] * 4, [0.2] * 4, last])
    assert next_turn(rows, np.array([3.0, 1.0, value]), CUBE, n_running) is expected


def test_lines_take_turns_between_targets_as_they_are_and_warped_ones():
    rows, values = np.random.default_rng(0).random((9, 4)), np.arange(9.0)
    turns = [next_turn(rows[:n], values[:n], CUBE, 0) for n in range(2, 10)]
    assert turns == 2 * ([Turn.LINE] * 2 + [Turn.WARPED_LINE] * 2)


def test_one_parameter_has_no_lines():
    encoding = SpaceEncoding({"x": FloatDistribution(0, 1)})
    assert next_turn(np.array([[0.1], [0.5]]), np.array([0.0, 1.0]), encoding, 0) is Turn.WHOLE


def test_a_trial_that_failed_is_followed_by_a_step_in_one_parameter():
    space = {f"x{number}": FloatDistribution(0, 1) for number in range(3)}
    space["c"] = CategoricalDistribution("abc")
    study = optuna.create_study(sampler=GPSampler(seed=0))

    def function(params):
        return sum((params[f"x{n}"] - 0.4) ** 2 for n in range(3)) + (params["c"] != "b")

    n_steps = []
    for number in range(30):
        best = study.best_params if number else {}
        trial = study.ask(space)
        n_steps.append(sum(best.get(name) != value for name, value in trial.params.items()))
        study.tell(trial, function(trial.params))
    later = np.array(n_steps[10:])
    assert 4 < (later == 1).sum() < 16
    assert study.best_value < 1e-3
