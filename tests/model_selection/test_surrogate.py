"""The surrogate against finite differences, GaussianProcessRegressor, refits and draws."""

import numpy as np
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from scipy.integrate import quad
from scipy.optimize import approx_fprime
from scipy.stats import multivariate_normal, norm
from sklearn.gaussian_process.kernels import ConstantKernel, Matern

from sklearn_dl.gaussian_process import GaussianProcessRegressor
from sklearn_dl.model_selection.acquisition import ACQUISITIONS, Objective
from sklearn_dl.model_selection.encoding import SpaceEncoding
from sklearn_dl.model_selection.posterior import Posterior
from sklearn_dl.model_selection.surrogate import ANOVA, ROUGH, SMOOTH, Priors, Surrogate, fit_surrogate
from sklearn_dl.model_selection.warping import kumaraswamy, log_offset

SPACE = {
    "a": FloatDistribution(0, 1),
    "b": FloatDistribution(1e-4, 1, log=True),
    "c": CategoricalDistribution(["x", "y", "z"]),
    "n": IntDistribution(1, 9),
}
FLOATS = {name: FloatDistribution(0, 1) for name in "abc"}


def make_surrogate(space=SPACE, n=20, step=0, **options):
    encoding = SpaceEncoding(space)
    rng = np.random.default_rng(0)
    rows = encoding.snap(rng.random((n, encoding.n_columns)))
    targets = np.exp(2 * np.sin(3 * rows.sum(axis=1) + rows[:, -1]))
    if step:
        targets = step * np.floor(targets / step)
    return Surrogate(rows, targets, encoding, **({"warp_inputs": True, "warp_targets": True} | options))


def some_theta(surrogate, seed=1):
    first = surrogate.slots.prior_mean
    return first + 0.3 * np.random.default_rng(seed).standard_normal(len(first))


def kernel_of(theta):
    """The covariance of three floats without the noise."""
    return ConstantKernel(np.exp(theta[0])) * Matern(np.exp(theta[1:4]), nu=2.5)


@pytest.mark.parametrize("priors", [ROUGH, ANOVA], ids=["rough", "anova"])
@pytest.mark.parametrize("warp_inputs", [False, True])
@pytest.mark.parametrize("warp_targets", [False, True])
def test_gradient_of_the_density_is_that_of_differences(warp_inputs, warp_targets, priors):
    surrogate = make_surrogate(warp_inputs=warp_inputs, warp_targets=warp_targets, priors=priors)
    theta = some_theta(surrogate)
    _, gradient = surrogate(theta)
    differences = approx_fprime(theta, lambda at: surrogate(at)[0], 1e-6)
    assert gradient == pytest.approx(differences, rel=1e-4, abs=1e-3)


def test_input_warp_is_the_kumaraswamy_distribution_with_its_derivatives():
    x, log_a, log_b = np.array([[0.1], [0.5], [0.93]]), np.array([0.6]), np.array([-0.4])
    a, b = np.exp(0.6), np.exp(-0.4)
    warp = kumaraswamy(x, log_a, log_b)
    area = [quad(lambda t: a * b * t ** (a - 1) * (1 - t**a) ** (b - 1), 0, end)[0] for end in x[:, 0]]
    assert warp.values[:, 0] == pytest.approx(area, rel=1e-7)
    for derivative, shift in (
        (warp.by_x, lambda h: kumaraswamy(x + h, log_a, log_b)),
        (warp.by_log_a, lambda h: kumaraswamy(x, log_a + h, log_b)),
        (warp.by_log_b, lambda h: kumaraswamy(x, log_a, log_b + h)),
    ):
        assert derivative == pytest.approx((shift(1e-6).values - shift(-1e-6).values) / 2e-6, rel=1e-6)


def test_target_warp_has_the_slope_and_derivatives_that_it_says():
    u, parameters = np.array([0.0, 0.2, 0.7, 1.0]), np.array([-2.0, 0.5])
    warp = log_offset(u, parameters)
    slope = (log_offset(u + 1e-6, parameters).values - log_offset(u - 1e-6, parameters).values) / 2e-6
    assert np.exp(warp.log_slope) == pytest.approx(slope, rel=1e-6)
    for number, direction in enumerate(np.eye(2)):
        up, down = (log_offset(u, parameters + h * direction) for h in (1e-6, -1e-6))
        assert warp.by_parameters[number] == pytest.approx((up.values - down.values) / 2e-6, rel=1e-5)
        assert warp.log_slope_by_parameters[number] == pytest.approx(
            (up.log_slope - down.log_slope) / 2e-6, rel=1e-5
        )


def test_change_of_variables_is_the_determinant_of_the_standard_targets():
    surrogate = make_surrogate(FLOATS, n=6)
    theta = some_theta(surrogate)
    # Standardisation couples the targets, and its own mean and scale are held: only the slopes count.
    unit = surrogate._unit_targets
    warped = log_offset(unit, theta[surrogate.slots.targets])
    standard = surrogate.standard_targets(theta)
    expected = np.log(np.exp(warped.log_slope) / warped.values.std()).sum()
    assert standard.log_slope == pytest.approx(expected)
    assert standard.values.mean() == pytest.approx(0, abs=1e-12)
    assert standard.values.std() == pytest.approx(1)


def test_density_is_the_normal_density_of_targets_around_the_best_mean():
    surrogate = make_surrogate(FLOATS, warp_inputs=False, warp_targets=False)
    theta = some_theta(surrogate)
    kernel = kernel_of(theta)
    covariance = kernel(surrogate.rows) + (np.exp(theta[4]) + 1e-9) * np.eye(20)
    standard = surrogate.standard_targets(theta)

    def log_density(mean):
        return multivariate_normal.logpdf(standard.values, np.full(20, mean), covariance) - 0.5 * mean**2

    grid = np.linspace(-3, 3, 6001)
    priors = Priors()
    scales = np.full((3, 3), priors.shared_scale**2) + priors.scale[1] ** 2 * np.eye(3)
    prior = norm.logpdf(theta[0], *priors.variance) - norm.logpdf(0, scale=priors.variance[1])
    prior += norm.logpdf(theta[4], *priors.noise) - norm.logpdf(0, scale=priors.noise[1])
    centre = np.full(3, priors.scale[0] + np.log(3) / 2)
    prior += multivariate_normal.logpdf(theta[1:4], centre, scales)
    prior -= multivariate_normal.logpdf(centre, centre, scales)
    expected = max(map(log_density, grid)) + standard.log_slope + prior
    assert -surrogate(theta)[0] == pytest.approx(expected, abs=1e-5)


def test_posterior_is_that_of_the_regressor():
    surrogate = make_surrogate(FLOATS, warp_inputs=False, warp_targets=False)
    theta = some_theta(surrogate)
    posterior = Posterior(surrogate, theta)
    regressor = GaussianProcessRegressor(kernel_of(theta), alpha=np.exp(theta[4]) + 1e-9, optimizer=None)
    centre = posterior._mean[0]
    regressor.fit(surrogate.rows, posterior.targets[:, 0] - centre)
    rows = np.random.default_rng(2).random((7, 3))
    mean, std = regressor.predict(rows, return_std=True)
    ours, our_std, _ = posterior(rows)
    assert ours[:, 0] - centre == pytest.approx(mean, rel=1e-7)
    assert our_std == pytest.approx(std, rel=1e-7)


def test_choices_are_equally_far_apart():
    surrogate = make_surrogate()
    posterior = Posterior(surrogate, some_theta(surrogate))
    rows = np.repeat(surrogate.rows[:1], 3, axis=0)
    rows[:, surrogate.rows.shape[1] - 4 : -1] = np.eye(3)
    between = surrogate.covariance.between(rows, rows, posterior.kernel_theta)
    assert between[np.triu_indices(3, 1)] == pytest.approx(np.full(3, between[0, 1]))
    assert between[0, 1] < between[0, 0]


def test_one_imagined_target_equals_a_refit_with_it():
    surrogate = make_surrogate(FLOATS, warp_targets=False)
    theta = some_theta(surrogate)
    posterior = Posterior(surrogate, theta)
    running = np.random.default_rng(3).random((2, 3))
    imagined = posterior.imagine(running, 4, np.random.default_rng(0))
    assert imagined.n_worlds == 4
    rows = np.random.default_rng(4).random((5, 3))
    mean, std, _ = imagined(rows)
    for world in range(4):
        grown = make_surrogate(FLOATS, warp_targets=False)
        warped, _ = grown.warp(np.concatenate([grown.rows, running]), theta)
        warped_rows, _ = surrogate.warp(rows, theta)
        kernel = surrogate.covariance.between(warped, warped, posterior.kernel_theta)
        noise = posterior.noise + 1e-9
        centred = imagined.targets[:, world] - imagined._mean[world]
        cross = surrogate.covariance.between(warped_rows, warped, posterior.kernel_theta)
        solved = np.linalg.solve(kernel + noise * np.eye(len(kernel)), np.column_stack([centred, cross.T]))
        assert mean[:, world] == pytest.approx(imagined._mean[world] + cross @ solved[:, 0], rel=1e-5)
        variance = posterior.variance - np.einsum("ij,ji->i", cross, solved[:, 1:])
        assert std**2 == pytest.approx(variance, rel=1e-5)


def test_imagined_targets_have_the_distribution_of_the_posterior():
    surrogate = make_surrogate(FLOATS, warp_targets=False)
    posterior = Posterior(surrogate, some_theta(surrogate))
    running = np.random.default_rng(3).random((1, 3))
    draws = posterior.imagine(running, 2048, np.random.default_rng(0)).targets[-1]
    mean, std, _ = posterior(running)
    assert draws.mean() == pytest.approx(mean[0, 0], abs=0.01 * std[0])
    assert draws.std() == pytest.approx(np.hypot(std[0], np.sqrt(posterior.noise)), rel=0.01)


def test_denoised_values_average_to_the_posterior_at_the_observations():
    surrogate = make_surrogate(FLOATS, warp_targets=False)
    theta = some_theta(surrogate)
    theta[surrogate.slots.noise] = np.log(0.1)
    posterior = Posterior(surrogate, theta)
    mean, std, _ = posterior(surrogate.rows)
    worlds = posterior.denoise(1024, np.random.default_rng(0))
    assert worlds.targets.mean(axis=1) == pytest.approx(mean[:, 0], abs=0.01)
    assert worlds.targets.std(axis=1) == pytest.approx(std, rel=0.03)
    assert worlds(surrogate.rows)[1].max() < 0.1 * std.min()


@pytest.mark.parametrize("name", sorted(ACQUISITIONS))
@pytest.mark.parametrize("worlds", [1, 4])
@pytest.mark.parametrize("step", [0, 1])
def test_gradient_of_the_acquisition_is_that_of_differences(name, worlds, step):
    surrogate = make_surrogate(step=step)
    assert surrogate.has_steps == bool(step)
    posterior = Posterior(surrogate, some_theta(surrogate))
    if worlds > 1:
        running = surrogate.rows[:2] * 0.5 + 0.2
        posterior = posterior.imagine(running, worlds, np.random.default_rng(0))
    objective = Objective(posterior, ACQUISITIONS[name])
    rows = np.random.default_rng(5).uniform(0.1, 0.9, (3, surrogate.rows.shape[1]))
    values, gradients = objective.value_and_gradient(rows)
    assert values == pytest.approx(objective.value(rows))
    for row, gradient in zip(rows, gradients, strict=True):
        differences = approx_fprime(row, lambda at: objective.value(at[None])[0], 1e-7)
        assert gradient == pytest.approx(differences, rel=1e-3, abs=1e-4 * np.abs(gradient).max())


def test_improvement_is_that_of_the_value_that_a_trial_returns():
    surrogate = make_surrogate(FLOATS, warp_targets=False)
    theta = some_theta(surrogate)
    theta[surrogate.slots.noise] = np.log(0.2)
    posterior = Posterior(surrogate, theta)
    rows = np.random.default_rng(6).random((5, 3))
    mean, std, _ = posterior(rows)
    draws = np.random.default_rng(0).standard_normal((2, 400_000, 1))
    returned = mean[:, 0] + std * draws[0] + np.sqrt(posterior.noise) * draws[1]
    improvement = np.maximum(posterior.targets.min() - returned, 0)
    error = improvement.std(axis=0) / np.sqrt(len(improvement))
    expected = Objective(posterior, ACQUISITIONS["ei"]).value(rows)
    assert (np.abs(improvement.mean(axis=0) - expected) < 5 * error).all()
    assert Objective(posterior, ACQUISITIONS["log_ei"]).value(rows) == pytest.approx(np.log(expected))


@pytest.mark.parametrize("priors", [ROUGH, ANOVA], ids=["rough", "anova"])
def test_noise_of_targets_in_steps_is_known_next_to_observed_rows(priors):
    options = {"warp_inputs": False, "warp_targets": False, "priors": priors}
    even, stepped = (make_surrogate(FLOATS, step=step, **options) for step in (0, 1))
    rows = np.concatenate([stepped.rows, [[-9.0] * 3]])
    for surrogate, known in ((even, 0.0), (stepped, 0.99)):
        posterior = Posterior(surrogate, some_theta(surrogate))
        mean, std, _ = posterior(rows)
        mean_returned, std_returned, _ = posterior.returned(rows)
        assert (mean_returned == mean).all()
        left = (std_returned**2 - std**2) / posterior.noise
        assert left == pytest.approx([1 - known] * len(stepped.rows) + [1.0], abs=0.01)


def test_runs_that_failed_are_no_steps():
    surrogate = make_surrogate()
    values = np.where(np.arange(20) < 12, surrogate.targets.max(), surrogate.targets)
    encoding = SpaceEncoding(SPACE)
    assert not Surrogate(surrogate.rows, values, encoding, warp_inputs=False, warp_targets=False).has_steps
    assert Surrogate(surrogate.rows, -values, encoding, warp_inputs=False, warp_targets=False).has_steps


def test_confidence_bound_is_of_the_function_without_noise():
    surrogate = make_surrogate(FLOATS, warp_targets=False)
    posterior = Posterior(surrogate, some_theta(surrogate))
    rows = np.random.default_rng(6).random((5, 3))
    mean, std, _ = posterior(rows)
    assert Objective(posterior, ACQUISITIONS["ucb"]).value(rows) == pytest.approx(2 * std - mean[:, 0])


@pytest.mark.parametrize("smooth", [True, False])
def test_the_surrogate_that_the_targets_are_likelier_under_is_taken(smooth):
    encoding = SpaceEncoding({f"x{number}": FloatDistribution(0, 1) for number in range(8)})
    rows = np.random.default_rng(0).random((40, 8))
    bowl = ((rows - 0.45) ** 2).sum(axis=1)
    ripples = 0.05 * np.sin(40 * rows).sum(axis=1)
    targets = bowl + ripples if smooth else 10 ** (6 * bowl**0.5)
    chosen, theta = fit_surrogate(rows, targets, encoding, warp_inputs=False, warp_targets=True)
    warped = len(theta[chosen.slots.targets]) > 0
    assert warped == (not smooth)
    other = Surrogate(
        rows,
        targets,
        encoding,
        warp_inputs=False,
        warp_targets=not warped,
        **({"nu": np.inf, "priors": SMOOTH} if warped else {}),
    )
    assert chosen(theta)[0] < other.fit()[1]
