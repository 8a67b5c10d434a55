"""
How does a Gaussian process take many rows?
===========================================

The exact process holds one matrix of n x n numbers and factors it: 5,000 rows are 200 MB and some seconds for
each look at the likelihood, 50,000 rows are 20 GB and an hour. Two ways lead past the matrix: inducing points
[1]_, which see the rows for all others, and conjugate gradients [2]_, which solve with the matrix without
storing it.

.. [1] Titsias (2009), Variational learning of inducing variables in sparse Gaussian processes.
.. [2] Gardner, Pleiss, Bindel, Weinberger, Wilson (2018), GPyTorch: blackbox matrix-matrix Gaussian process
   inference with GPU acceleration.
"""

# %%
# Inducing points
# ---------------
# A thousand observations of a curve, with a gap in the middle, and the exact process.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.gaussian_process.kernels import RBF, WhiteKernel

from sklearn_dl.gaussian_process import GaussianProcessRegressor

rng = np.random.default_rng(0)
x = np.sort(np.concatenate([rng.uniform(0, 4, 500), rng.uniform(6, 10, 500)]))
y = np.sin(3 * x) * np.exp(-0.1 * x) + 0.3 * rng.normal(size=x.size)
X = x[:, None]
kernel = RBF() + WhiteKernel(0.1)
exact = GaussianProcessRegressor(kernel).fit(X, y)

# %%
# Six inducing points (the ticks below) are too few for so many bends: what they cannot explain is taken for
# noise. With twenty, placed by k-means, the process is the exact one, its width in the gap included.

grid = np.linspace(-0.5, 10.5, 300)[:, None]
fig, axes = plt.subplots(2, 1, figsize=(8, 6), sharex=True, layout="constrained")
for ax, n_inducing_points in zip(axes, (6, 20), strict=True):
    model = GaussianProcessRegressor(
        kernel, inference="sgpr", n_inducing_points=n_inducing_points, random_state=0
    ).fit(X, y)
    ax.plot(x, y, ".", color="lightgray", markersize=3)
    for fitted, color, label in ((exact, "black", "exact"), (model, "C1", f"{n_inducing_points} points")):
        mean, std = fitted.predict(grid, return_std=True)
        ax.plot(grid, mean, color=color, label=label)
        for side in (-1.96, 1.96):
            ax.plot(grid, mean + side * std, "--", color=color, linewidth=0.8)
    points = model.inducing_points_
    ax.plot(points, np.full(len(points), -2.1), "|", color="C1", markersize=14)
    bound, likelihood = (m.log_marginal_likelihood_value_ for m in (model, exact))
    ax.set(ylim=(-2.3, 2.3), title=f"bound {bound:.0f}, exact log-likelihood {likelihood:.0f}")
    ax.legend(loc="upper right")
plt.show()

# %%
# How many are enough? The bound lies below the exact log-likelihood and rises with their number, until more
# do not help. It can be watched without the exact process.

numbers = [4, 6, 8, 10, 12, 15, 20, 30]
bounds = [
    GaussianProcessRegressor(kernel, inference="sgpr", n_inducing_points=m, random_state=0)
    .fit(X, y)
    .log_marginal_likelihood_value_
    for m in numbers
]
fig, ax = plt.subplots(figsize=(7, 3.5), layout="constrained")
ax.plot(numbers, bounds, "o-", color="C1", label="bound")
ax.axhline(exact.log_marginal_likelihood_value_, color="black", label="exact log marginal likelihood")
ax.set(xlabel="inducing points")
ax.legend(loc="lower right")
plt.show()

# %%
# Conjugate gradients
# -------------------
# Where the function has detail everywhere, no small number of points stands for the rows. Conjugate gradients
# take them all. Here 3,000 rows of a rough surface, on which a hundred inducing points blur what is there.

X = rng.random((3400, 2))
waves, phases = rng.normal(size=(2, 400)) / 0.06, 2 * np.pi * rng.random(400)
y = 0.07 * np.cos(X @ waves + phases).sum(axis=1) + 0.1 * rng.normal(size=len(X))
train, test = slice(0, 3000), slice(3000, None)
start = RBF(0.1) + WhiteKernel(0.1)
ways = {
    "sgpr, 100 points": {"inference": "sgpr", "n_inducing_points": 100},
    "cg": {"inference": "cg", "subset_size": 500},
}
for name, params in ways.items():
    model = GaussianProcessRegressor(start, random_state=0, **params).fit(X[train], y[train])
    nlpd = -model.score_samples(X[test], y[test]).mean()
    error = np.sqrt(np.mean((model.predict(X[test]) - y[test]) ** 2))
    print(f"{name:18s} rmse {error:.3f}, negative log predictive density {nlpd:.2f}")
