"""
Which rows carry a decision boundary?
=====================================

A support vector machine separates classes by the widest margin [1]_. Only the rows on the margin, inside it
or on the wrong side have a say: the support vectors. ``C`` is what a row inside the margin costs, and
``gamma`` sets how far a row of the Gaussian kernel reaches: the larger, the less far.

.. [1] Cortes, Vapnik (1995), Support-vector networks, Machine Learning 20.
"""

# %%
# Two half moons, with noise.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import make_moons

from sklearn_dl.svm import SVC, SVR

X, y = make_moons(300, noise=0.25, random_state=0)
grid = np.stack(np.meshgrid(np.linspace(-1.8, 2.8, 300), np.linspace(-1.4, 1.9, 300)), axis=-1)


def draw(axis, model):
    """Show the boundary, the margins beside it, and the support vectors as rings."""
    scores = model.decision_function(grid.reshape(-1, 2)).reshape(300, 300)
    axis.contourf(grid[..., 0], grid[..., 1], scores, levels=[-99, 0, 99], colors=["#d6e4f2", "#f7dcd2"])
    axis.contour(grid[..., 0], grid[..., 1], scores, [-1, 0, 1], colors="k", linestyles=["--", "-", "--"])
    axis.scatter(*X.T, c=np.where(y == 1, "tab:red", "tab:blue"), s=8)
    axis.scatter(*model.support_vectors_.T, s=40, facecolors="none", edgecolors="k", linewidths=0.6)
    axis.set(
        title=f"C={model.C:g}, gamma={model.gamma:g}: {len(model.support_)} of {len(X)} rows",
        xticks=[],
        yticks=[],
    )


# %%
# A soft margin is wide and rests on many rows; a hard one is narrow and rests on few. The solid line is the
# boundary, where the score is 0; the dashed lines are the margins, where it is -1 and 1.

_, axes = plt.subplots(1, 3, figsize=(12, 3.6), layout="constrained")
for axis, (C, gamma) in zip(axes, [(0.1, 1.0), (10.0, 1.0), (10.0, 30.0)], strict=True):
    draw(axis, SVC(C=C, gamma=gamma).fit(X, y))
plt.show()

# %%
# Regression turns the margin around: rows within ``epsilon`` of the curve cost nothing and do not count, so a
# wider tube rests on fewer rows.

rng = np.random.default_rng(0)
x = np.sort(rng.uniform(0, 6, 150))
z = np.sin(x) + rng.normal(scale=0.15, size=x.size)
_, axes = plt.subplots(1, 2, figsize=(9, 3.2), sharey=True, layout="constrained")
for axis, epsilon in zip(axes, (0.1, 0.4), strict=True):
    model = SVR(C=10.0, epsilon=epsilon).fit(x[:, None], z)
    curve = model.predict(x[:, None])
    axis.plot(x, curve, color="tab:red")
    axis.fill_between(x, curve - epsilon, curve + epsilon, color="tab:red", alpha=0.15)
    axis.scatter(x, z, s=8, color="0.4")
    axis.scatter(
        x[model.support_], z[model.support_], s=40, facecolors="none", edgecolors="k", linewidths=0.6
    )
    axis.set(title=f"epsilon={epsilon}: {len(model.support_)} of {len(x)} rows", xlabel="x")
plt.show()
