"""Likelihood and gradient by GPy and GPyTorch, where they are installed.

Both take the kernels of the benchmark: a constant times RBF or Matern 5/2, plus white noise. The variance and
the length scales of each are those of scikit-learn's kernel, so the likelihoods are equal. GPy adds 1e-8 to
the noise. GPyTorch is made exact: its own choice above 800 rows is an estimate by random vectors.
"""

import math
from importlib.util import find_spec

import numpy as np
from sklearn.gaussian_process.kernels import Matern

GPY, GPYTORCH = "GPy", "GPyTorch"


def peer_evaluations(X, y, kernel):
    """A job for each peer that is there: evaluate likelihood and gradient by theta once."""
    makers = {GPY: ("GPy", _gpy), GPYTORCH: ("gpytorch", _gpytorch)}
    return {name: make(X, y, kernel) for name, (package, make) in makers.items() if find_spec(package)}


def _parts(kernel):
    """Kind, variance, length scales and noise of constant * kind + white."""
    product, white = kernel.k1, kernel.k2
    leaf = product.k2
    return (
        isinstance(leaf, Matern),
        product.k1.constant_value,
        np.atleast_1d(leaf.length_scale),
        white.noise_level,
    )


def _gpy(X, y, kernel):
    import GPy

    is_matern, variance, scales, noise = _parts(kernel)
    kind = GPy.kern.Matern52 if is_matern else GPy.kern.RBF
    covariance = kind(X.shape[1], variance=variance, lengthscale=scales, ARD=len(scales) > 1)
    model = GPy.models.GPRegression(X, y[:, None], covariance, noise_var=noise)
    values = model.param_array.copy()

    def evaluate():
        model.param_array[:] = values
        model.trigger_update()  # does the work, and forgets what it knew
        by_theta = model.gradient * values
        return lambda: {"lml": float(model.log_likelihood()), "gradient": float(np.linalg.norm(by_theta))}

    return evaluate


def _gpytorch(X, y, kernel):
    import gpytorch
    import torch

    is_matern, variance, scales, noise = _parts(kernel)
    X, y = torch.from_numpy(X), torch.from_numpy(y)
    made = gpytorch.kernels.MaternKernel if is_matern else gpytorch.kernels.RBFKernel  # nu is 2.5 by default
    kind = made(ard_num_dims=len(scales))
    likelihood = gpytorch.likelihoods.GaussianLikelihood().double()

    class Model(gpytorch.models.ExactGP):
        def __init__(self):
            super().__init__(X, y, likelihood)
            self.mean_module = gpytorch.means.ZeroMean()
            self.covar_module = gpytorch.kernels.ScaleKernel(kind)

        def forward(self, rows):
            return gpytorch.distributions.MultivariateNormal(self.mean_module(rows), self.covar_module(rows))

    model = Model().double()
    model.covar_module.outputscale, kind.lengthscale = variance, torch.from_numpy(scales)
    likelihood.noise = noise
    marginal = gpytorch.mlls.ExactMarginalLogLikelihood(likelihood, model)
    model.train()
    values = [
        (model.covar_module.raw_outputscale, variance),
        (kind.raw_lengthscale, scales),
        (likelihood.raw_noise, noise),
    ]

    def by_logarithm(raw, value):
        """Gradient by the logarithm of a softplus of `raw`: that by `raw` over the slope, times the value."""
        slope = torch.sigmoid(raw.detach()).numpy().ravel()
        return raw.grad.numpy().ravel() / slope * np.ravel(value)

    def evaluate():
        model.zero_grad()
        exact = gpytorch.settings.max_cholesky_size(len(y) + 1)
        with exact, gpytorch.settings.fast_computations(False, False, False):
            value = marginal(model(X), y) * len(y)
            value.backward()

        def judge():
            parts = [by_logarithm(raw, value) for raw, value in values]
            return {"lml": value.item(), "gradient": math.sqrt(sum(float(part @ part) for part in parts))}

        return judge

    return evaluate
