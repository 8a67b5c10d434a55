"""
What does the marginal likelihood trade off?
============================================

Hyper-parameters are chosen by the marginal likelihood: the density of the targets, with all functions of the
prior weighted in [1]_. It is a sum of two terms that pull in opposite directions.

.. [1] Rasmussen, Williams (2006), Gaussian processes for machine learning, section 5.4.1.
"""

# %%
# Twenty observations of a curve.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.gaussian_process.kernels import RBF, WhiteKernel

from sklearn_dl.gaussian_process import GaussianProcessRegressor
from sklearn_dl.plotting import GaussianProcessDisplay

rng = np.random.default_rng(0)
x = np.sort(rng.uniform(0, 6, 20))
y = np.sin(2 * x) + 0.3 * rng.normal(size=x.size)
model = GaussianProcessRegressor(RBF() + WhiteKernel(), random_state=0).fit(x[:, None], y)
print(model.kernel_)

# %%
# The log-likelihood is the fit, :math:`-\frac12 y^T K^{-1} y`, plus the simplicity,
# :math:`-\frac12 \log |2 \pi K|`. Short length scales fit anything and are the density of many other data
# sets too; long ones are simple and miss the data. The sum has its maximum between.

scales = np.geomspace(0.05, 20, 200)
noise = model.kernel_.k2.noise_level
fit, simplicity = [], []
for scale in scales:
    held = GaussianProcessRegressor(RBF(scale) + WhiteKernel(noise), optimizer=None).fit(x[:, None], y)
    fit.append(-0.5 * y @ held.alpha_)
    simplicity.append(held.log_marginal_likelihood_value_ - fit[-1])

fig, ax = plt.subplots(figsize=(7, 4), layout="constrained")
ax.plot(scales, fit, "--", label="fit")
ax.plot(scales, simplicity, ":", label="simplicity")
ax.plot(scales, np.add(fit, simplicity), color="black", label="log marginal likelihood")
ax.axvline(model.kernel_.k1.length_scale, color="gray", linewidth=0.8)
ax.set(xscale="log", xlabel="length scale", ylim=(-80, 25))
ax.legend()
plt.show()

# %%
# Over length scale and noise together there is one peak here, and a shelf of flat lines with much noise,
# which a search from a bad start may end on. ``n_restarts_optimizer`` starts it elsewhere too.

noises = np.geomspace(0.01, 3, 60)
values = np.array(
    [[model.log_marginal_likelihood(np.log([scale, level])) for scale in scales[::4]] for level in noises]
)
fig, ax = plt.subplots(figsize=(7, 4.5), layout="constrained")
levels = values.max() - np.geomspace(0.1, 60, 14)[::-1]
contours = ax.contour(scales[::4], noises, values, levels=levels)
fig.colorbar(contours, label="log marginal likelihood")
ax.plot(model.kernel_.k1.length_scale, noise, "k+", markersize=12)
ax.set(xscale="log", yscale="log", xlabel="length scale", ylabel="noise level")
plt.show()

# %%
# Too short, chosen, and too long, at the same noise.

fig, axes = plt.subplots(1, 3, figsize=(12, 3.8), sharey=True, layout="constrained")
for ax, scale in zip(axes, (0.1, model.kernel_.k1.length_scale, 5.0), strict=True):
    held = GaussianProcessRegressor(RBF(scale) + WhiteKernel(noise), optimizer=None).fit(x[:, None], y)
    GaussianProcessDisplay.from_estimator(held, ax=ax)
    ax.set(title=f"length scale {scale:.2f}: {held.log_marginal_likelihood_value_:.1f}")
plt.show()
