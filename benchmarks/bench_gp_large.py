"""Gaussian process regression on many rows: the sparse bound beside GPyTorch's, and fits of 50,000 rows.

    python benchmarks/bench_gp_large.py [case ...] [--threads 1 2] [--rounds N] [--quick] [--no-memory]

The first cases evaluate the bound and its gradient by hyper-parameters and noise once; `bound` and `gradient`
are what came out, so that they can be compared. The last ones fit: `nlpd` (mean negative log predictive
density), `rmse` and `coverage` (of intervals of 95 %) are those of held-out rows, `noise` is the standard
deviation that was found, 0.2 in truth. Conjugate gradients take the hyper-parameters of 2,000 rows. `target`
is what `ratio` is to be at least.

GPyTorch is an optional peer: ``pip install gpytorch``.
"""

from functools import partial

import numpy as np
from cases import OURS, Case, UnavailableError, run
from scipy.stats import norm
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel

from sklearn_dl.gaussian_process import GaussianProcessRegressor

GPYTORCH = "GPyTorch"
SGPR = "sklearn_dl, sgpr"
NOISE = 0.04


def random_rows(n_samples, n_features=5, n_inducing=500, share=1.0):
    """Rows, targets and inducing points of a smooth function of all features."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(int(share * n_samples), n_features))
    y = np.sin(X.sum(axis=1)) + 0.2 * rng.normal(size=len(X))
    return X, y, X[rng.permutation(len(X))[: int(share * n_inducing)]]


def surface(n_samples=50_000, length_scale=0.1, share=1.0):
    """A function on the unit square, drawn from a process by random features; 2,000 more rows to test."""
    rng = np.random.default_rng(0)
    n_train, n_waves = int(share * n_samples), 2000
    X = rng.random((n_train + 2000, 2))
    waves, phases = rng.normal(size=(2, n_waves)) / length_scale, 2 * np.pi * rng.random(n_waves)
    f = np.concatenate(
        [np.cos(rows @ waves + phases).sum(axis=1) for rows in np.array_split(X, 1 + len(X) // 1000)]
    )
    y = np.sqrt(2 / n_waves) * f + np.sqrt(NOISE) * rng.normal(size=len(X))
    return X[:n_train], y[:n_train], X[n_train:], y[n_train:]


def bounds(data):
    """The bound and its gradient, once."""
    X, y, Z = data
    kernel = ConstantKernel(1.0) * RBF(np.full(X.shape[1], 2.0)) + WhiteKernel(NOISE)
    model = GaussianProcessRegressor(kernel, alpha=0.0, optimizer=None, inference="sgpr", inducing_points=Z)
    model.fit(X, y)

    def ours():
        value, gradient = model.log_marginal_likelihood(kernel.theta, eval_gradient=True)
        return lambda: {"bound": value, "gradient": float(np.linalg.norm(gradient))}

    return {OURS: ours, GPYTORCH: gpytorch_bound(X, y, Z)}


def gpytorch_bound(X, y, Z):
    """The same by GPyTorch, in float64, with hyper-parameters as logarithms."""
    try:
        import gpytorch
        import torch
    except ImportError as error:
        raise UnavailableError("GPyTorch is not installed") from error
    X, y, Z = (torch.from_numpy(array) for array in (X, y, Z))

    class Sparse(gpytorch.models.ExactGP):
        def __init__(self, likelihood):
            super().__init__(X, y, likelihood)
            self.mean_module = gpytorch.means.ZeroMean()
            base = gpytorch.kernels.ScaleKernel(gpytorch.kernels.RBFKernel(ard_num_dims=X.shape[1]))
            base.base_kernel.lengthscale, base.outputscale = 2.0, 1.0
            self.covar_module = gpytorch.kernels.InducingPointKernel(base, Z, likelihood)
            self.covar_module.inducing_points.requires_grad_(False)

        def forward(self, rows):
            return gpytorch.distributions.MultivariateNormal(self.mean_module(rows), self.covar_module(rows))

    model = Sparse(gpytorch.likelihoods.GaussianLikelihood()).double()
    model.likelihood.noise = NOISE
    model.train()
    objective = gpytorch.mlls.ExactMarginalLogLikelihood(model.likelihood, model)
    scale = model.covar_module.base_kernel
    raw = [scale.raw_outputscale, scale.base_kernel.raw_lengthscale, model.likelihood.raw_noise]

    def evaluate():
        model.zero_grad()
        value = len(y) * objective(model(X), y)
        value.backward()
        # GPyTorch's parameters are softplus of raw ones, plus a bound: d/dlog(p) is p / sigmoid(raw) d/draw.
        values = scale.outputscale, scale.base_kernel.lengthscale, model.likelihood.noise
        chain = [value / torch.sigmoid(r) for value, r in zip(values, raw, strict=True)]
        gradient = torch.cat([(r.grad * factor).flatten() for r, factor in zip(raw, chain, strict=True)])
        return lambda: {"bound": float(value.detach()), "gradient": float(gradient.detach().norm())}

    return evaluate


def fits(data, rank=500):
    """Fits from the same start, judged on the same rows; conjugate gradients search on the subset alone."""
    X, y, X_test, y_test = data
    start = ConstantKernel() * RBF([0.1, 0.1]) + WhiteKernel(0.1)
    ways = {
        OURS: {"inference": "cg", "preconditioner_size": rank, "n_adam_steps": 0, "fast_variance": True},
        SGPR: {"inference": "sgpr", "n_inducing_points": 500},
    }

    def job(params):
        def fit():
            model = GaussianProcessRegressor(start, alpha=0.0, random_state=0, **params).fit(X, y)

            def judge():
                mean, std = model.predict(X_test, return_std=True)
                return {
                    "nlpd": float(-norm.logpdf(y_test, mean, std).mean()),
                    "rmse": float(np.sqrt(np.mean((mean - y_test) ** 2))),
                    "coverage": float(np.mean(np.abs(mean - y_test) < 1.96 * std)),
                    "noise": float(model.kernel_.k2.noise_level**0.5),
                }

            return judge

        return fit

    return {name: job(params) for name, params in ways.items()}


CASES = {
    "sgpr-10000": Case(
        "bound and gradient, 10,000 x 5, 500 inducing points, RBF by feature",
        partial(random_rows, 10_000),
        bounds,
        {GPYTORCH: 1},
    ),
    "sgpr-50000": Case(
        "bound and gradient, 50,000 x 5, 500 inducing points, RBF by feature",
        partial(random_rows, 50_000),
        bounds,
        {GPYTORCH: 1},
        rounds=3,
    ),
    "cg-50000": Case(
        "fit and variances, 50,000 x 2, RBF by feature: conjugate gradients, and 500 inducing points",
        surface,
        fits,
        rounds=1,
        quick_share=0.04,
        warm_up=False,
    ),
    "cg-50000-detail": Case(
        "the same, of a function with more detail than 500 points can hold",
        partial(surface, length_scale=0.04),
        partial(fits, rank=1000),
        rounds=1,
        quick_share=0.04,
        warm_up=False,
    ),
}

if __name__ == "__main__":
    run("gp_large", __doc__, CASES, ("scikit-learn", "scipy", "torch", "gpytorch"))
