"""Marginal likelihood without the matrix: solutions by conjugate gradients, traces by random vectors."""

from typing import Any, NamedTuple

import numpy as np

from sklearn_dl._base.arrays import Array, move_like, namespace
from sklearn_dl.gaussian_process.conjugate_gradients import Solution, conjugate_gradients
from sklearn_dl.gaussian_process.preconditioner import Preconditioner
from sklearn_dl.gaussian_process.signal import SignalCovariance


class System(NamedTuple):
    """The covariance with its noise at some hyper-parameters, ready to be solved."""

    signal: SignalCovariance
    X: Array
    theta: np.ndarray
    noise: Array  # that of the kernel included
    preconditioner: Preconditioner

    def product(self, V: Array) -> Array:
        """Covariance times V."""
        return self.signal.product(self.X, self.theta, V) + self.noise[:, None] * V

    def solve(self, b: Array, *, tol: float, max_iter: int) -> Solution:
        """Solve for the columns of b."""
        return conjugate_gradients(self.product, b, self.preconditioner.solve, tol=tol, max_iter=max_iter)


class Estimate(NamedTuple):
    """Log-likelihood at some hyper-parameters, and what was computed on the way."""

    theta: np.ndarray
    value: float
    gradient: Any
    dual: Array  # (n_samples, n_targets)
    n_iter: int


class StochasticLikelihood:
    """Log-likelihood of the targets, exact but for the log-determinant, which is estimated.

    The same random vectors serve every evaluation, so the value is a function of the hyper-parameters. Its
    error is that of a mean over `n_probes`; that of the gradient likewise.

    Parameters
    ----------
    signal : SignalCovariance
        Of the function values.
    X : array of shape (n_samples, n_features)
        Inputs, of numpy or torch.
    y : array of shape (n_samples, n_targets)
        Targets, which share the covariance and are independent.
    noise : array of shape (n_samples,)
        Variance of the noise of each row beside that of the kernel.
    n_probes : int
        Random vectors.
    preconditioner_size, tol, max_iter : int, float, int
        Of the conjugate gradients.
    seed : int
        Of the random vectors.

    References
    ----------
    Gardner, Pleiss, Bindel, Weinberger, Wilson (2018), GPyTorch: blackbox matrix-matrix Gaussian process
    inference with GPU acceleration, section 4. Wang et al. (2019), Exact Gaussian processes on a million data
    points.
    """

    def __init__(
        self, signal: SignalCovariance, X: Array, y: Array, noise: Array, *, n_probes: int,
        preconditioner_size: int, tol: float, max_iter: int, seed: int,
    ) -> None:  # fmt: skip
        self.signal, self.X, self.y, self.noise = signal, X, y, noise
        self.n_probes, self.preconditioner_size = n_probes, preconditioner_size
        self.tol, self.max_iter, self.seed = tol, max_iter, seed
        self._last: System | None = None
        self._known: list[Estimate] = []  # the last point of a search need not be solved for again

    def system(self, theta: np.ndarray) -> System:
        """The linear system at theta; the last one is kept, as its preconditioner takes time to build."""
        if self._last is not None and np.array_equal(self._last.theta, theta):
            return self._last
        self._last = None  # two of them need not be held at a time
        noise = self.noise + self.signal.variances(self.X, theta).noise
        preconditioner = Preconditioner(self.signal, self.X, noise, theta, self.preconditioner_size)
        self._last = System(self.signal, self.X, np.copy(theta), noise, preconditioner)
        return self._last

    def value(self, theta: np.ndarray) -> float:
        """Log-likelihood, summed over targets."""
        return self.estimate(theta).value

    def value_and_gradient(self, theta: np.ndarray) -> tuple[float, np.ndarray]:
        """Log-likelihood and its derivative by theta."""
        estimate = self._evaluate(theta, eval_gradient=True)
        self._known.append(estimate)
        return estimate.value, estimate.gradient

    def estimate(self, theta: np.ndarray) -> Estimate:
        """Log-likelihood and dual coefficients, from an evaluation of a search at the same point if any."""
        known = (estimate for estimate in self._known if np.array_equal(estimate.theta, theta))
        return next(known, None) or self._evaluate(theta, eval_gradient=False)

    def _evaluate(self, theta: np.ndarray, *, eval_gradient: bool) -> Estimate:
        system = self.system(theta)
        probes, preconditioned = self._probes(system.preconditioner)
        b = namespace(self.y).concatenate([self.y, probes], 1)
        solution = system.solve(b, tol=self.tol, max_iter=self.max_iter)
        n_samples, n_targets = self.y.shape
        dual, solved = solution.x[:, :n_targets], solution.x[:, n_targets:]
        # log|A| = log|P| + tr log(P^-1/2 A P^-1/2), and the probes have P-norm^2 n_samples.
        quadratures = solution.log_quadratures()[n_targets:]
        volume = system.preconditioner.log_determinant() + n_samples * float(quadratures.mean())
        fit = float((self.y * dual).sum())
        value = -0.5 * (fit + n_targets * (volume + n_samples * np.log(2 * np.pi)))
        gradient = self._gradient(theta, dual, solved, preconditioned) if eval_gradient else None
        return Estimate(theta, value, gradient, dual, solution.n_iter)

    def _probes(self, preconditioner: Preconditioner) -> tuple[Array, Array]:
        """Vectors z with P^-1/2 z uniform on a sphere of squared radius n_samples, and P^-1 z."""
        rng = np.random.default_rng(self.seed)
        n_samples = len(self.X)
        by_noise = rng.standard_normal((n_samples, self.n_probes))
        by_factor = rng.standard_normal((self.preconditioner_size, self.n_probes))
        drawn = preconditioner.draw(move_like(by_factor, self.y), move_like(by_noise, self.y))
        solved = preconditioner.solve(drawn)
        scale = (n_samples / (drawn * solved).sum(0)) ** 0.5
        return drawn * scale, solved * scale

    def _gradient(self, theta: np.ndarray, dual: Array, solved: Array, preconditioned: Array) -> np.ndarray:
        # Half the sum of dual dual' less n_targets times the mean of A^-1 z (P^-1 z)', made symmetric.
        share = -0.25 * self.y.shape[1] / self.n_probes
        xp = namespace(self.y)
        left = xp.concatenate([0.5 * dual, share * solved, share * preconditioned], 1)
        right = xp.concatenate([dual, preconditioned, solved], 1)
        gradient = self.signal.contract(self.X, theta, left, right)
        on_diagonal = (left * right).sum(1)
        variances = self.signal.variances(self.X, theta)
        return gradient + variances.gradient(0.0 * on_diagonal, on_diagonal, len(gradient))
