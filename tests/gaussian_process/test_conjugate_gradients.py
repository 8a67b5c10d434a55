"""Conjugate gradients against dense algebra, and the process by them against the exact one."""

import numpy as np
import pytest
from scipy.linalg import logm
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, DotProduct, Matern, WhiteKernel

from sklearn_dl.gaussian_process import GaussianProcessRegressor
from sklearn_dl.gaussian_process.conjugate_gradients import conjugate_gradients
from sklearn_dl.gaussian_process.preconditioner import Preconditioner
from sklearn_dl.gaussian_process.signal import SignalCovariance
from sklearn_dl.gaussian_process.stochastic_likelihood import StochasticLikelihood

KERNELS = {
    "rbf": ConstantKernel(2.0) * RBF([0.8, 1.5]) + WhiteKernel(0.01),
    "nested": (RBF([0.8, 1.5]) + 0.5 * Matern(2.0, nu=1.5)) * DotProduct(1.0) + WhiteKernel(0.03),
    "rough": Matern(0.5, nu=0.5) + WhiteKernel(0.05),
}
each_kernel = pytest.mark.parametrize("kernel", KERNELS.values(), ids=KERNELS)


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(0)
    X = rng.uniform(0, 4, size=(1100, 2))  # more than one tile of a product
    Y = np.column_stack([np.sin(2 * X.sum(axis=1)), X[:, 0]])
    return X, Y + 0.1 * rng.normal(size=Y.shape)


@pytest.fixture
def definite():
    rng = np.random.default_rng(0)
    root = rng.normal(size=(30, 30))
    return root @ root.T + np.diag(rng.uniform(0.5, 2, 30))


def iterative(kernel, X, y, **params):
    params = {"optimizer": None, "random_state": 0, "preconditioner_size": 100} | params
    return GaussianProcessRegressor(kernel, inference="cg", **params).fit(X, y)


def exact(kernel, X, y, **params):
    return GaussianProcessRegressor(kernel, optimizer=None, **params).fit(X, y)


def test_each_column_is_solved_to_the_tolerance(definite):
    rng = np.random.default_rng(1)
    b = rng.normal(size=(30, 4)) * [1.0, 1e6, 1e-6, 0.0]
    solution = conjugate_gradients(lambda V: definite @ V, b, lambda V: V / 10, tol=1e-8, max_iter=200)
    left = np.linalg.norm(b - definite @ solution.x, axis=0)
    assert np.all(left <= 1.1e-8 * np.linalg.norm(b, axis=0))
    np.testing.assert_allclose(solution.x[:, 0], np.linalg.solve(definite, b[:, 0]), rtol=1e-5)
    assert np.all(solution.x[:, 3] == 0)


def test_steps_give_the_quadratic_form_of_the_logarithm(definite):
    rng = np.random.default_rng(1)
    b, diagonal = rng.normal(size=(30, 3)), definite.diagonal()
    solution = conjugate_gradients(
        lambda V: definite @ V, b, lambda V: V / diagonal[:, None], tol=1e-13, max_iter=60
    )
    scaled = b / np.sqrt(diagonal)[:, None]
    scaled /= np.linalg.norm(scaled, axis=0)
    logarithm = logm(definite / np.sqrt(np.outer(diagonal, diagonal)))
    np.testing.assert_allclose(
        solution.log_quadratures(), np.einsum("ij,ik,kj->j", scaled, logarithm, scaled), rtol=1e-8
    )


@each_kernel
def test_products_and_contractions_are_those_of_the_matrix(kernel, rows):
    X = rows[0]
    signal, rng = SignalCovariance(kernel), np.random.default_rng(0)
    K, derivative = kernel(X, eval_gradient=True)
    noise = signal.variances(X, kernel.theta).noise
    V = rng.normal(size=(len(X), 3))
    np.testing.assert_allclose(
        signal.product(X, kernel.theta, V) + noise[:, None] * V, K @ V, rtol=1e-9, atol=1e-9
    )
    weight = (V**2).sum(axis=1)
    contracted = signal.contract(X, kernel.theta, V, V)
    contracted += signal.variances(X, kernel.theta).gradient(0 * weight, weight, len(contracted))
    np.testing.assert_allclose(contracted, np.einsum("ik,jk,ijp->p", V, V, derivative), rtol=1e-8)


def test_preconditioner_solves_draws_and_measures_its_own_matrix(rows):
    X = rows[0][:200]
    kernel, noise = KERNELS["rbf"], np.linspace(0.01, 0.1, 200)
    P = Preconditioner(SignalCovariance(kernel), X, noise, kernel.theta, 25)
    dense = P.F.T @ P.F + np.diag(noise)
    V = np.random.default_rng(0).normal(size=(200, 3))
    np.testing.assert_allclose(P.solve(V), np.linalg.solve(dense, V), rtol=1e-7, atol=1e-7)
    assert P.log_determinant() == pytest.approx(np.linalg.slogdet(dense)[1])
    root = np.hstack([P.draw(np.eye(25), np.zeros((200, 25))), P.draw(np.zeros((25, 200)), np.eye(200))])
    np.testing.assert_allclose(root @ root.T, dense, atol=1e-12)


def test_pivoted_cholesky_leaves_a_positive_rest_that_falls(rows):
    X, kernel = rows[0][:200], ConstantKernel(2.0) * RBF([0.8, 1.5])
    signal, K = SignalCovariance(kernel), kernel(X)
    traces = []
    for size in (1, 10, 40):
        F = Preconditioner(signal, X, np.full(200, 1e-3), kernel.theta, size).F
        rest = K - F.T @ F
        assert np.linalg.eigvalsh(rest).min() > -1e-10
        traces.append(np.trace(rest))
    assert traces[0] > 2 * traces[1] > 4 * traces[2]


def test_preconditioner_stops_where_nothing_is_left_open(rows):
    X, kernel = rows[0], KERNELS["rbf"]
    full = iterative(kernel, X, rows[1], preconditioner_size=1000)
    assert full.n_iter_ <= 3
    plain = iterative(kernel, X, rows[1], preconditioner_size=1)
    assert plain.n_iter_ > 30


@each_kernel
def test_predictions_are_those_of_the_exact_process(kernel, rows):
    X, y = rows
    model = iterative(kernel, X, y, cg_tol=1e-7, alpha=0.001, normalize_y=True)
    reference = exact(kernel, X, y, alpha=0.001, normalize_y=True)
    queries = X[::50] + 0.1
    for options in ({"return_std": True}, {"return_cov": True}):
        for got, wanted in zip(
            model.predict(queries, **options), reference.predict(queries, **options), strict=True
        ):
            np.testing.assert_allclose(got, wanted, atol=2e-5)
    assert model.residual_ <= 1e-7


@each_kernel
def test_likelihood_and_gradient_are_exact_within_the_error_of_the_probes(kernel, rows):
    X, y = rows
    theta = kernel.theta
    value, gradient = exact(kernel, X, y).log_marginal_likelihood(theta, eval_gradient=True)
    # A mean over probes z uniform on a sphere of squared radius n: its error falls with their number.
    models = (iterative(kernel, X, y, random_state=seed, n_probes=10) for seed in range(6))
    estimates = [model.log_marginal_likelihood(theta, eval_gradient=True) for model in models]
    values, gradients = np.array([e[0] for e in estimates]), np.array([e[1] for e in estimates])
    for got, wanted in ((values, value), (gradients, gradient)):
        error = got.std(axis=0, ddof=1) / np.sqrt(len(got))
        assert np.all(np.abs(got.mean(axis=0) - wanted) < 4 * error + 1e-5 * np.abs(wanted))
    assert values.std() < 0.02 * abs(value)
    assert np.all(gradients.std(axis=0) < 0.1 * np.abs(gradient).max())


def test_gradient_with_a_probe_in_every_direction_is_exact():
    rng = np.random.default_rng(0)
    X, kernel = rng.uniform(0, 4, size=(60, 2)), KERNELS["nested"]
    y = np.sin(X)
    likelihood = StochasticLikelihood(
        SignalCovariance(kernel), X, y, np.full(60, 0.01), n_probes=60, preconditioner_size=10, tol=1e-12,
        max_iter=500, seed=0,
    )  # fmt: skip
    P = likelihood.system(kernel.theta).preconditioner
    # Columns of sqrt(n P) in place of random ones: sums over them are traces.
    root = np.linalg.cholesky(P.F.T @ P.F + np.diag(P.noise)) * np.sqrt(60)
    likelihood._probes = lambda preconditioner: (root, preconditioner.solve(root))
    value, gradient = likelihood.value_and_gradient(kernel.theta)
    wanted = exact(kernel, X, y, alpha=0.01).log_marginal_likelihood(kernel.theta, eval_gradient=True)
    assert value == pytest.approx(wanted[0], rel=1e-9)
    np.testing.assert_allclose(gradient, wanted[1], rtol=1e-7)


def test_projected_variances_are_upper_bounds_and_tight_with_a_large_preconditioner(rows):
    X, y = rows
    kernel = KERNELS["rough"]
    queries = X[::50] + 0.1
    wanted = exact(kernel, X, y[:, 0]).predict(queries, return_std=True)[1]
    few, many = (
        iterative(kernel, X, y[:, 0], fast_variance=True, preconditioner_size=size).predict(
            queries, return_std=True
        )[1]
        for size in (20, 1000)
    )
    assert np.all(few > wanted)
    assert np.all(many >= wanted - 1e-9)
    assert np.mean(many - wanted) < 0.02 * np.mean(few - wanted)
    np.testing.assert_allclose(many, wanted, rtol=1e-2)


def test_projected_variances_need_no_product_where_the_preconditioner_leaves_nothing_open(rows, monkeypatch):
    X, y = rows
    kernel, queries = KERNELS["rbf"], X[::50] + 0.1
    wanted = exact(kernel, X, y[:, 0]).predict(queries, return_std=True)[1]
    model = iterative(kernel, X, y[:, 0], fast_variance=True, preconditioner_size=400)
    closed = model.predict(queries, return_std=True)[1]
    monkeypatch.setattr("sklearn_dl.gaussian_process.conjugate_gradients_inference.CLOSED", -1.0)
    by_product = clone(model).fit(X, y[:, 0]).predict(queries, return_std=True)[1]
    assert np.all(closed >= by_product)
    assert np.all(by_product >= wanted - 1e-9)
    np.testing.assert_allclose(closed**2, wanted**2, rtol=0.02)


def test_iterations_that_do_not_suffice_are_warned_of(rows):
    X, y = rows
    with pytest.warns(ConvergenceWarning, match=r"dual coefficients stopped.*preconditioner_size.*cg_tol"):
        model = iterative(KERNELS["rough"], X, y, cg_max_iter=3)
    K = KERNELS["rough"](X) + 1e-10 * np.eye(len(X))
    left = np.linalg.norm(y - K @ model.alpha_, axis=0) / np.linalg.norm(y, axis=0)
    assert model.residual_ == pytest.approx(left.max(), rel=1e-6)
    with pytest.warns(ConvergenceWarning, match="variances"):
        model.predict(X[:2], return_std=True)


def test_search_starts_on_a_subset_and_steps_improve_on_it(rows):
    X, y = rows
    y = y[:, 0]
    kernel = ConstantKernel() * RBF([1.0, 1.0]) + WhiteKernel(0.1)
    best = GaussianProcessRegressor(kernel).fit(X, y)
    start, stepped = (
        iterative(kernel, X, y, optimizer="fmin_l_bfgs_b", subset_size=100, n_adam_steps=steps)
        for steps in (0, 10)
    )
    of_start, of_stepped = (best.log_marginal_likelihood(m.kernel_.theta) for m in (start, stepped))
    assert of_stepped > of_start + 5
    assert of_stepped > best.log_marginal_likelihood_value_ - 5
    whole = iterative(kernel, X, y, optimizer="fmin_l_bfgs_b")  # all rows are in the subset
    np.testing.assert_allclose(whole.kernel_.theta, best.kernel_.theta, atol=1e-3)


def test_same_random_state_gives_the_same_model(rows):
    X, y = rows
    state = np.random.get_state()[1].copy()
    model = iterative(KERNELS["rbf"], X, y, optimizer="fmin_l_bfgs_b", subset_size=100)
    again = clone(model).fit(X, y)
    np.testing.assert_array_equal(model.alpha_, again.alpha_)
    assert model.log_marginal_likelihood_value_ == again.log_marginal_likelihood_value_
    theta = model.kernel_.theta
    assert model.log_marginal_likelihood(theta) == pytest.approx(model.log_marginal_likelihood_value_)
    np.testing.assert_array_equal(np.random.get_state()[1], state)


def test_partial_fit_is_a_refit_with_the_hyper_parameters_held(rows):
    X, y = rows
    model = iterative(KERNELS["rbf"], X[:700], y[:700]).partial_fit(X[700:], y[700:])
    np.testing.assert_allclose(model.alpha_, iterative(KERNELS["rbf"], X, y).alpha_, rtol=1e-10)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_tensors_are_computed_in_kind(dtype, rows):
    torch = pytest.importorskip("torch")
    X, y = rows
    to_tensor = {"dtype": getattr(torch, dtype)}
    kernel = KERNELS["rbf"]
    model = iterative(kernel, X, y)
    tensors = iterative(kernel, torch.tensor(X, **to_tensor), torch.tensor(y, **to_tensor))
    mean, std = tensors.predict(torch.tensor(X[:9] + 0.1, **to_tensor), return_std=True)
    wanted_mean, wanted_std = model.predict(X[:9] + 0.1, return_std=True)
    assert mean.dtype == std.dtype == to_tensor["dtype"]
    tolerance = 1e-7 if dtype == "float64" else 5e-3
    np.testing.assert_allclose(mean, wanted_mean, rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(std, wanted_std, rtol=tolerance, atol=tolerance)
    assert isinstance(tensors.alpha_, np.ndarray)


def test_what_only_the_exact_process_does_says_what_to_use_instead(rows):
    X, y = rows
    with pytest.raises(NotImplementedError, match="cross_val_predict"):
        iterative(KERNELS["rbf"], X, y).leave_one_out()
    with pytest.raises(ValueError, match=r"needs noise.*WhiteKernel"):
        iterative(RBF(), X, y)
