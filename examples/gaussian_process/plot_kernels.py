"""
What does a kernel believe?
===========================

A Gaussian process is a distribution over functions, and its kernel says which functions are likely [1]_.
Functions drawn before any data show the belief; a fit shows what the belief makes of some.

.. [1] Rasmussen, Williams (2006), Gaussian processes for machine learning, chapter 4.
"""

# %%
# Kernels are scikit-learn's objects; sums and products of them are kernels too.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.gaussian_process.kernels import (
    RBF,
    DotProduct,
    ExpSineSquared,
    Matern,
    RationalQuadratic,
    WhiteKernel,
)

from sklearn_dl.gaussian_process import GaussianProcessRegressor
from sklearn_dl.plotting import GaussianProcessDisplay

KERNELS = {
    "RBF": RBF(),
    "Matern, nu=0.5": Matern(nu=0.5),
    "Matern, nu=2.5": Matern(nu=2.5),
    "RationalQuadratic": RationalQuadratic(alpha=0.3),
    "ExpSineSquared": ExpSineSquared(periodicity=3.0),
    "DotProduct": DotProduct(),
}

# %%
# Before ``fit``, :meth:`~sklearn_dl.gaussian_process.GaussianProcessRegressor.sample_y` draws from the prior:
# smooth with the RBF kernel, rough with ``nu=0.5``, periodic, or straight lines.

grid = np.linspace(-4, 4, 300)
fig, axes = plt.subplots(2, 3, figsize=(12, 6), sharex=True, layout="constrained")
for ax, (name, kernel) in zip(axes.flat, KERNELS.items(), strict=True):
    draws = GaussianProcessRegressor(kernel).sample_y(grid[:, None], n_samples=4, random_state=1)
    ax.plot(grid, draws, linewidth=1)
    ax.set(title=name)
plt.show()

# %%
# Twelve noisy observations of one curve. A ``WhiteKernel`` in the sum finds how noisy they are. The band
# holds 95 % of the belief; it opens where there are no observations, and how fast is up to the kernel.

rng = np.random.default_rng(0)
x = np.sort(rng.uniform(-3, 2, 12))
y = np.sin(2 * x) + 0.5 * x + 0.1 * rng.normal(size=x.size)

fig, axes = plt.subplots(2, 3, figsize=(12, 6), sharex=True, sharey=True, layout="constrained")
for ax, (name, kernel) in zip(axes.flat, KERNELS.items(), strict=True):
    noisy = 1.0 * kernel + WhiteKernel(0.01, (1e-4, 1))
    model = GaussianProcessRegressor(noisy, n_restarts_optimizer=4, random_state=0, priors="dimension")
    model.fit(x[:, None], y)
    GaussianProcessDisplay.from_estimator(model, grid=grid, ax=ax)
    ax.set(title=f"{name}: {model.log_marginal_likelihood_value_:.1f}", ylim=(-4, 4))
plt.show()

# %%
# The numbers are log marginal likelihoods: the greatest is of the kernel that would have expected these data
# most.
