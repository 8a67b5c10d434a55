"""
What did a search find, and why?
================================

The best candidate is one line of an answer. How the score depends on the parameters, which of them matter,
and where the search knows little is the rest.
"""

# %%
# Three parameters of a support vector machine, of which one is a choice.

import matplotlib.pyplot as plt
from sklearn.datasets import load_breast_cancer

from sklearn_dl.model_selection import BayesSearchCV, Real
from sklearn_dl.plotting import SearchDisplay
from sklearn_dl.svm import SVC

X, y = load_breast_cancer(return_X_y=True)
X = (X - X.mean(axis=0)) / X.std(axis=0)
space = {
    "C": Real(1e-2, 1e4, log=True),
    "gamma": Real(1e-6, 10, log=True),
    "kernel": ["rbf", "sigmoid"],
}
search = BayesSearchCV(SVC(), space, n_iter=25, racing=True, random_state=0).fit(X, y)
print(search.best_params_, f"{search.best_score_:.4f}")

# %%
# The history, with the candidates that a race stopped, and the same candidates as lines over their
# parameters.

fig, axes = plt.subplots(1, 2, figsize=(12, 4), layout="constrained")
SearchDisplay.from_estimator(search, ax=axes[0])
SearchDisplay.from_estimator(search, kind="parallel", ax=axes[1])
plt.show()

# %%
# How much of the variance of the score each parameter explains, over the whole space.

SearchDisplay.from_estimator(search, kind="importance")
plt.show()

# %%
# A Gaussian process of the score along one parameter, the others being those of the best candidate, with
# the improvement that it expects of another candidate there.

SearchDisplay.from_estimator(search, kind="slice", params=["gamma"])
plt.show()

# %%
# Over two parameters, the mean shows the ridge along which larger ``C`` makes up for smaller ``gamma``, and
# the standard deviation where no candidate was.

SearchDisplay.from_estimator(search, kind="slice", params=["C", "gamma"])
plt.show()
