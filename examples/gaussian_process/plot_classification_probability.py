"""
How sure is a Gaussian process of a class?
==========================================

A latent function with a normal prior gives every row the probability of a class [1]_. Near the training rows
the data decide; far from them the prior does, and the probability goes back to one half.

.. [1] Rasmussen, Williams (2006), Gaussian processes for machine learning, chapter 3.
"""

# %%
# Two moons that overlap.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_iris, make_moons
from sklearn.gaussian_process.kernels import RBF, DotProduct, Matern

from sklearn_dl.gaussian_process import GaussianProcessClassifier

X, y = make_moons(120, noise=0.25, random_state=0)
across, up = np.meshgrid(np.linspace(-4, 5, 120), np.linspace(-3.5, 4, 100))
grid = np.column_stack([across.ravel(), up.ravel()])


def draw(ax, values, title, **options):
    image = ax.pcolormesh(across, up, values.reshape(across.shape), shading="gouraud", **options)
    ax.scatter(*X.T, c=y, cmap="RdBu", edgecolors="black", s=15)
    ax.set(title=title, xticks=[], yticks=[])
    return image


# %%
# The kernel says which boundaries are likely. ``DotProduct`` gives straight lines, and stays sure of them
# however far the rows are; ``Matern`` and ``RBF`` give curves, rougher and smoother ones.

fig, axes = plt.subplots(1, 3, figsize=(12, 3.6), layout="constrained")
for ax, kernel in zip(axes, (DotProduct(), 1.0 * Matern(nu=1.5), 1.0 * RBF()), strict=True):
    model = GaussianProcessClassifier(kernel).fit(X, y)
    title = f"{type(kernel if kernel.n_dims == 1 else kernel.k2).__name__}: "
    title += f"{model.log_marginal_likelihood_value_:.1f}"
    image = draw(ax, model.predict_proba(grid)[:, 1], title, cmap="RdBu", vmin=0, vmax=1)
fig.colorbar(image, ax=axes, label="probability of the blue class")
plt.show()

# %%
# The numbers are log marginal likelihoods, by which kernels can be compared. What a probability near one half
# means, its latent function tells: a mean near 0 with a small deviation is a boundary between the classes,
# and with a large one the absence of data.

mean, variance = model.latent_mean_and_variance(grid)
fig, axes = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
limit = np.abs(mean).max()
panels = {
    "latent mean": (mean, {"cmap": "RdBu", "vmin": -limit, "vmax": limit}),
    "latent standard deviation": (np.sqrt(variance), {"cmap": "viridis"}),
}
for ax, (title, (values, options)) in zip(axes, panels.items(), strict=True):
    fig.colorbar(draw(ax, values, title, **options), ax=ax)
plt.show()

# %%
# More than two classes: one process for each, against the rest.

X, y = load_iris(return_X_y=True)
X = X[:, 2:]
across, up = np.meshgrid(np.linspace(-2, 10, 120), np.linspace(-2, 5, 100))
model = GaussianProcessClassifier(1.0 * RBF([1.0, 1.0])).fit(X, y)
shares = model.predict_proba(np.column_stack([across.ravel(), up.ravel()]))
fig, axes = plt.subplots(1, 3, figsize=(12, 3.6), layout="constrained")
for ax, name, share in zip(axes, load_iris().target_names, shares.T, strict=True):
    image = ax.pcolormesh(across, up, share.reshape(across.shape), shading="gouraud", vmin=0, vmax=1)
    ax.scatter(*X.T, c=y, cmap="brg", edgecolors="white", s=15)
    ax.set(title=name, xlabel="petal length (cm)", ylabel="petal width (cm)")
fig.colorbar(image, ax=axes, label="probability")
plt.show()
