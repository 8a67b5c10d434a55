"""
How many folds does a bad candidate need?
=========================================

Two folds often say enough: on the same folds, most candidates are clearly worse than the best one so far.
With ``racing=True`` they stop there, and the fits saved go to others."""

# %%
# The same search without and with racing.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

from sklearn_dl.model_selection import Real, TPESearchCV
from sklearn_dl.svm import SVC

X, y = load_digits(return_X_y=True)
X, y = X[::3], y[::3]
space = {"C": Real(1e-2, 1e4, log=True), "gamma": Real(1e-7, 1e-1, log=True)}
whole = TPESearchCV(SVC(), space, n_iter=40, random_state=0).fit(X, y)
raced = TPESearchCV(SVC(), space, n_iter=40, random_state=0, racing=True).fit(X, y)
n_folds = raced.cv_results_["n_splits_evaluated"]
print(f"without: best {whole.best_score_:.4f} after 200 fits")
print(f"with:    best {raced.best_score_:.4f} after {n_folds.sum()} fits")

# %%
# Folds that each candidate was given. Those that stopped say so in the column ``stopped``, lack the other
# splits and rank behind all that finished. No stop is final: a few were continued at the end, when all
# candidates were known. Their fits count where the candidates stand.

fig, axes = plt.subplots(1, 2, figsize=(11, 3.6), layout="constrained")
finished = raced.cv_results_["stopped"] == ""
axes[0].bar(np.arange(40)[finished], n_folds[finished], color="#0072B2", label="finished")
axes[0].bar(np.arange(40)[~finished], n_folds[~finished], color="#D55E00", label="stopped")
axes[0].set(xlabel="candidate", ylabel="folds")
axes[0].legend(loc="lower right")
for search, color, name in ((whole, "0.4", "without racing"), (raced, "#0072B2", "with racing")):
    scores = search.cv_results_["mean_test_score"].copy()
    counts = search.cv_results_.get("n_splits_evaluated", np.full(40, 5))
    scores[counts < 5] = -np.inf
    axes[1].step(np.cumsum(counts), np.maximum.accumulate(scores), color=color, where="post", label=name)
axes[1].set(xlabel="fits", ylabel="best score so far")
axes[1].legend(loc="lower right")
plt.show()
