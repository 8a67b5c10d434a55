"""
What does a Parzen estimator compare?
=====================================

A tree-structured Parzen estimator splits the candidates so far into the best ones and the others, and
estimates a density of the parameters for each: *l* of the good ones, *g* of the others. The next
candidate is where the ratio *l / g* is highest [1]_. No matrix is factored, so a suggestion takes
milliseconds however many candidates there are.

.. [1] Bergstra, Bardenet, Bengio, Kegl (2011), Algorithms for hyper-parameter optimization, section 4.
"""

# %%
# A tree on noisy classes, with the strength of its pruning as the only parameter.

import matplotlib.pyplot as plt
import numpy as np
import optuna
from sklearn.datasets import make_classification

from sklearn_dl.model_selection import Real, TPESampler, TPESearchCV
from sklearn_dl.tree import DecisionTreeClassifier

optuna.logging.set_verbosity(optuna.logging.WARNING)
X, y = make_classification(600, 10, n_informative=4, flip_y=0.2, random_state=0)
search = TPESearchCV(
    DecisionTreeClassifier(random_state=0),
    {"ccp_alpha": Real(1e-6, 0.3, log=True)},
    n_iter=40,
    random_state=0,
).fit(X, y)
strengths = search.cv_results_["param_ccp_alpha"]
scores = search.cv_results_["mean_test_score"]
print(search.best_params_, f"{search.best_score_:.4f}")

# %%
# The sampler's densities after 15 and after 40 candidates, from the trials of the search. A mark below stands
# for a candidate.


def study_of(trials):
    study = optuna.create_study(direction="maximize")
    study.add_trials(trials)
    return study


fig, axes = plt.subplots(1, 2, figsize=(11, 3.6), sharey=True, layout="constrained")
for ax, n_seen in zip(axes, (15, 40), strict=True):
    densities = TPESampler(seed=0).densities(study_of(search.study_.trials[:n_seen]))
    values = densities.grid("ccp_alpha")
    good = densities.good({"ccp_alpha": values})
    other = densities.other({"ccp_alpha": values})
    ratio = good / other
    ax.plot(values, good, color="#009E73", label=f"l: density of the {densities.n_good} good ones")
    ax.plot(values, other, color="#D55E00", label=f"g: density of the {densities.n_other} others")
    ax.plot(values, ratio / ratio.max() * good.max(), ":", color="0.3", label="l / g, scaled")
    ax.plot(strengths[:n_seen], np.full(n_seen, -0.01), "|", color="black")
    ax.set(title=f"after {n_seen} candidates", xlabel="ccp_alpha", xscale="log")
    ax.legend(fontsize=8)
plt.show()

# %%
# Candidates gather where trees are good.

fig, ax = plt.subplots(figsize=(7, 3.2), layout="constrained")
points = ax.scatter(strengths, scores, c=np.arange(40), cmap="viridis")
fig.colorbar(points, label="candidate")
ax.set(xlabel="ccp_alpha", xscale="log", ylabel="score")
plt.show()
