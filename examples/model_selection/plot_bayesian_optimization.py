"""
Where does Bayesian optimization look next?
===========================================

Each candidate costs five fits, so it pays to think before the next one. A Gaussian process learns how the
score depends on the parameters, with a band where it does not know, and the next candidate is where the
expected improvement over the best one is greatest [1]_: where the mean is high, or the band is wide.

.. [1] Jones, Schonlau, Welch (1998), Efficient global optimization of expensive black-box functions,
   section 4."""

# %%
# One parameter, so that all can be seen: ``gamma`` of a support vector machine. The dotted curve is the
# cross-validation score itself, which the search does not know.

import matplotlib.pyplot as plt
import numpy as np
from scipy.stats import norm
from sklearn.datasets import load_breast_cancer
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel
from sklearn.model_selection import cross_val_score
from sklearn.svm import SVC

from sklearn_dl.gaussian_process import GaussianProcessRegressor
from sklearn_dl.model_selection import BayesSearchCV, GPSampler, Real

X, y = load_breast_cancer(return_X_y=True)
X = (X - X.mean(axis=0)) / X.std(axis=0)
grid = np.linspace(-5, 1, 61)
truth = [cross_val_score(SVC(gamma=10**power), X, y).mean() for power in grid]

# %%
# The search, with three candidates before the process takes over.

search = BayesSearchCV(
    SVC(),
    {"gamma": Real(1e-5, 10, log=True)},
    n_iter=8,
    sampler=GPSampler(seed=1, n_startup_trials=3),
    random_state=1,
).fit(X, y)
powers = np.log10(search.cv_results_["param_gamma"].astype(float))
scores = search.cv_results_["mean_test_score"]
print(f"best: gamma = {search.best_params_['gamma']:.2g}, score {search.best_score_:.4f}")

# %%
# What it knew before some of its steps. Above the mean and the band of 95 %, below the expected
# improvement, whose maximum is the next candidate. The process of the picture is a plain one; that of the
# search also has priors on its length scales and warps the scores.


def expected_improvement(mean, std, best):
    z = (mean - best) / std
    return (mean - best) * norm.cdf(z) + std * norm.pdf(z)


fig, axes = plt.subplots(
    2, 3, figsize=(12, 5), sharex=True, height_ratios=[3, 1], layout="constrained", sharey="row"
)
kernel = ConstantKernel(1.0, (0.01, 100)) * Matern(1.0, (0.5, 3), nu=2.5) + WhiteKernel(1e-4, (1e-8, 1e-2))
for (top, bottom), n_seen in zip(axes.T, (3, 5, 7), strict=True):
    process = GaussianProcessRegressor(kernel, normalize_y=True, random_state=0)
    process.fit(powers[:n_seen, None], scores[:n_seen])
    mean, std = process.predict(grid[:, None], return_std=True)
    worth = expected_improvement(mean, std, scores[:n_seen].max())
    top.plot(grid, truth, ":", color="0.4", label="score, unknown")
    top.fill_between(grid, mean - 1.96 * std, mean + 1.96 * std, color="#0072B2", alpha=0.2, linewidth=0)
    top.plot(grid, mean, color="#0072B2", label="mean and band")
    top.plot(powers[:n_seen], scores[:n_seen], "o", color="black", label="candidates so far")
    top.set(title=f"after {n_seen} candidates", ylim=(0.5, 1.1))
    bottom.fill_between(grid, worth / worth.max(), color="#D55E00", alpha=0.5, linewidth=0)
    for ax in (top, bottom):
        ax.axvline(powers[n_seen], color="#D55E00", linewidth=1, label="next candidate of the search")
    bottom.set(xlabel="gamma, power of ten", yticks=[])
axes[0, 0].legend(fontsize=8, loc="lower left")
axes[0, 0].set_ylabel("score")
axes[1, 0].set_ylabel("expected\nimprovement")
plt.show()
