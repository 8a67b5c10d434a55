"""
How many neighbours, and near by which metric?
==============================================

A nearest-neighbour classifier lets the ``n_neighbors`` rows closest to a new one vote [1]_. Few votes give
a ragged boundary, many a smooth one; the metric says what "closest" means. Neither can be known beforehand,
so this page measures both.

.. [1] Cover, Hart (1967), Nearest neighbor pattern classification, IEEE Trans. Inf. Theory 13.
"""

# %%
# Two half moons with noise. A single neighbour makes an island of every stray row; with 30 they are
# outvoted.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits, make_moons
from sklearn.model_selection import cross_val_score

from sklearn_dl.neighbors import KNeighborsClassifier

X, y = make_moons(400, noise=0.3, random_state=0)
first, second = np.meshgrid(np.linspace(-2, 3, 300), np.linspace(-1.5, 2, 200))
grid = np.column_stack([first.ravel(), second.ravel()])

fig, axes = plt.subplots(1, 2, figsize=(10, 4), sharey=True, layout="constrained")
for ax, n_neighbors in zip(axes, (1, 30), strict=True):
    share = KNeighborsClassifier(n_neighbors).fit(X, y).predict_proba(grid)[:, 1].reshape(first.shape)
    ax.contourf(first, second, share, levels=np.linspace(0, 1, 11), cmap="RdBu", alpha=0.6)
    ax.contour(first, second, share, levels=[0.5], colors="black", linewidths=1)
    ax.scatter(*X.T, c=y, s=10, cmap="RdBu", edgecolors="black", linewidths=0.3)
    ax.set_title(f"n_neighbors={n_neighbors}")
plt.show()

# %%
# Images of digits, 64 grey values each. The cosine of two images does not depend on how dark they are.

X, y = load_digits(return_X_y=True)
n_neighbors = [1, 2, 4, 8, 16, 32]

fig, ax = plt.subplots(figsize=(7, 4), layout="constrained")
for metric in ("euclidean", "manhattan", "cosine"):
    accuracy = []
    for k in n_neighbors:
        model = KNeighborsClassifier(k, metric=metric, weights="distance")
        accuracy.append(cross_val_score(model, X, y, cv=5).mean())
    ax.plot(n_neighbors, accuracy, ".-", label=metric)
    print(f"{metric:10} {max(accuracy):.4f} with {n_neighbors[int(np.argmax(accuracy))]} neighbours")
ax.set(xlabel="n_neighbors", xscale="log", xticks=n_neighbors, xticklabels=n_neighbors)
ax.set_ylabel("accuracy in 5 folds")
ax.minorticks_off()
ax.legend(title="metric")
plt.show()
