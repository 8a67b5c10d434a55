"""
What does a reversed gradient do to the features?
=================================================

A network for two moons meets the same moons turned by 35 degrees, without their labels. A second head learns
to tell the two domains apart; its gradient reaches the features with the sign turned, so that they learn to
hide the domain while they serve the labels.
"""

# %%
# Dots are source rows, crosses target rows. The labels of the target are known here for the colours and for
# the scores; no estimator reads them.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import make_moons

from sklearn_dl.domain_adaptation import DANNClassifier

X, y = make_moons(600, noise=0.08, random_state=0)
X -= X.mean(axis=0)
sample_domain = np.repeat([1, -1], 300)
target = sample_domain < 0
turn = np.deg2rad(35)
X[target] = X[target] @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])

options = {"max_epochs": 100, "lr": 5e-3, "batch_size": 64, "standardize": False, "random_state": 0}
plain = DANNClassifier(**options).fit(X[~target], y[~target])
adapted = DANNClassifier(**options).fit(X, y, sample_domain)
for name, model in [("source alone", plain), ("adapted", adapted)]:
    print(f"{name}: {model.score(X[target], y[target]):.2f} of target rows right")

# %%
# Where each network draws the line between the classes.

grid = np.stack(np.meshgrid(np.linspace(-2, 2, 80), np.linspace(-1.5, 1.5, 80)), axis=-1)
fig, axes = plt.subplots(1, 2, figsize=(9, 3.6), sharey=True, layout="constrained")
for ax, (name, model) in zip(axes, [("source alone", plain), ("adapted", adapted)], strict=True):
    probability = model.predict_proba(grid.reshape(-1, 2))[:, 1].reshape(80, 80)
    ax.contourf(grid[..., 0], grid[..., 1], probability, levels=[0, 0.5, 1], cmap="coolwarm", alpha=0.3)
    for rows, marker in [(~target, "."), (target, "x")]:
        ax.scatter(*X[rows].T, c=y[rows], cmap="coolwarm", marker=marker, s=14)
    ax.set_title(f"{name}: {model.score(X[target], y[target]):.2f}")
plt.show()

# %%
# With a weight of 0 nothing is reversed, and the domain head tells the domains apart better. The weight grows
# over the training, so the labels settle first.

blind_to_it = DANNClassifier(**options, transfer_weight=0.0).fit(X, y, sample_domain)
fig, ax = plt.subplots(figsize=(5, 3.2), layout="constrained")
for name, model in [("nothing reversed", blind_to_it), ("reversed", adapted)]:
    ax.plot([row["domain_accuracy"] for row in model.history_], label=name)
ax.set(xlabel="epoch", ylabel="domains told apart", ylim=(0.4, 1))
ax.legend()
plt.show()
