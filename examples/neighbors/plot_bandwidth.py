"""
How wide should a kernel be?
============================

Kernel regression predicts a mean of the targets near by, weighted by a kernel of the distance [1]_ [2]_.
Its one parameter is the bandwidth: how far "near" goes. :class:`~sklearn_dl.neighbors.KernelRegression`
chooses it by the error that each row would have, were it predicted from the others.

.. [1] Nadaraya (1964), On estimating regression, Theory Probab. Appl. 9.
.. [2] Watson (1964), Smooth regression analysis, Sankhya A 26.
"""

# %%
# A curve that is smooth on one side and winds on the other.

import matplotlib.pyplot as plt
import numpy as np

from sklearn_dl.neighbors import KernelRegression

rng = np.random.default_rng(0)
x = np.sort(rng.beta(2, 2, 200))
curve = np.sin(12 * x**2)
y = curve + rng.normal(scale=0.3, size=x.size)

# %%
# By default the bandwidth is the one of least leave-one-out error. The errors that were computed on the way
# are in ``loo_scores_``.

chosen = KernelRegression().fit(x[:, None], y)
print(f"bandwidth {chosen.bandwidth_:.3f}, leave-one-out error {chosen.loo_scores_.min():.3f}")

fig, ax = plt.subplots(figsize=(7, 4), layout="constrained")
ax.plot(chosen.loo_bandwidths_, chosen.loo_scores_, ".-", color="black")
ax.axvline(chosen.bandwidth_, color="black", linestyle=":")
ax.set(xlabel="bandwidth", xscale="log", ylabel="mean squared leave-one-out error", yscale="log")
plt.show()

# %%
# Narrower than that, the mean is over few rows and follows their noise; wider, it flattens what it is to
# show.

grid = np.linspace(0, 1, 500)
fig, axes = plt.subplots(1, 3, figsize=(12, 3.8), sharey=True, layout="constrained")
for ax, factor in zip(axes, (1 / 8, 1, 8), strict=True):
    model = KernelRegression(bandwidth=factor * chosen.bandwidth_).fit(x[:, None], y)
    ax.scatter(x, y, s=8, color="gray")
    ax.plot(x, curve, color="black", linestyle="--", linewidth=1, label="truth")
    ax.plot(grid, model.predict(grid[:, None]), color="tab:red", label="prediction")
    ax.set(title=f"bandwidth {model.bandwidth_:.3f}", xlabel="x")
axes[0].legend()
plt.show()

# %%
# The form of the kernel matters less. Each has its own scale, so each gets its own bandwidth.

for kernel in ("gaussian", "epanechnikov", "boxcar"):
    model = KernelRegression(kernel=kernel).fit(x[:, None], y)
    error = np.mean((model.predict(x[:, None]) - curve) ** 2) ** 0.5
    print(f"{kernel:12} bandwidth {model.bandwidth_:.3f}, root mean square from the truth {error:.3f}")
