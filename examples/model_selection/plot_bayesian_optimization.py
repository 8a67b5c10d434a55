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
import optuna
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import cross_val_score
from sklearn.svm import SVC

from sklearn_dl.model_selection import BayesSearchCV, GPSampler, Real

X, y = load_breast_cancer(return_X_y=True)
X = (X - X.mean(axis=0)) / X.std(axis=0)
powers = np.linspace(-5, 1, 61)
truth = [cross_val_score(SVC(gamma=10**power), X, y).mean() for power in powers]

# %%
# The search, with three candidates before the process takes over.

search = BayesSearchCV(
    SVC(),
    {"gamma": Real(1e-5, 10, log=True)},
    n_iter=8,
    sampler=GPSampler(seed=1, n_startup_trials=3),
    random_state=1,
).fit(X, y)
trials = search.study_.trials
print(f"best: gamma = {search.best_params_['gamma']:.2g}, score {search.best_score_:.4f}")

# %%
# What the sampler believed before some of its steps, which ``GPSampler.belief`` tells for any study: above
# the median and the band of 95 %, below the expected improvement, whose maximum is the next candidate. The
# process warps the scores, so that the band need not be as wide above as below.

optuna.logging.set_verbosity(optuna.logging.WARNING)
sampler = GPSampler(seed=1)
fig, axes = plt.subplots(
    2, 3, figsize=(12, 5), sharex=True, height_ratios=[3, 1], layout="constrained", sharey="row"
)
for (top, bottom), n_seen in zip(axes.T, (3, 5, 7), strict=True):
    study = optuna.create_study(direction="maximize")
    study.add_trials(trials[:n_seen])
    belief = sampler.belief(study)
    grid = {"gamma": 10**powers}
    low, middle, high = belief.quantiles(grid)
    worth = np.exp(belief.acquisition(grid))  # the sampler works with its logarithm
    top.plot(powers, truth, ":", color="0.4", label="score, unknown")
    top.fill_between(powers, low, high, color="#0072B2", alpha=0.2, linewidth=0)
    top.plot(powers, middle, color="#0072B2", label="median and band")
    seen = [np.log10(trial.params["gamma"]) for trial in trials[:n_seen]]
    top.plot(seen, [trial.value for trial in trials[:n_seen]], "o", color="black", label="candidates so far")
    top.set(title=f"after {n_seen} candidates", ylim=(0.5, 1.1))
    bottom.fill_between(powers, worth / worth.max(), color="#D55E00", alpha=0.5, linewidth=0)
    for ax in (top, bottom):
        ax.axvline(
            np.log10(trials[n_seen].params["gamma"]),
            color="#D55E00",
            linewidth=1,
            label="next candidate of the search",
        )
    bottom.set(xlabel="gamma, power of ten", yticks=[])
axes[0, 0].legend(fontsize=8, loc="lower left")
axes[0, 0].set_ylabel("score")
axes[1, 0].set_ylabel("expected\nimprovement")
plt.show()
