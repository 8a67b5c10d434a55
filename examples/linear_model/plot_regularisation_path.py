"""
Which features does a penalty keep?
===================================

An L1 penalty shrinks coefficients and sets the least useful of them to exactly 0 [1]_; a squared L2 penalty
only shrinks. The elastic net mixes both [2]_. This page follows every coefficient from a strong penalty to
a weak one, for a real target and for two classes.

.. [1] Tibshirani (1996), Regression shrinkage and selection via the lasso, J. R. Statist. Soc. B 58.
.. [2] Zou, Hastie (2005), Regularization and variable selection via the elastic net, J. R. Statist. Soc. B
   67.
"""

# %%
# Ten measurements of 442 patients, and how diabetes progressed in the year after. A penalty treats all
# coefficients alike, so the features get one scale first; the paths have no intercept, so y is centred.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from sklearn_dl.linear_model import LogisticRegression, enet_path, lasso_path

diabetes = load_diabetes()
X = StandardScaler().fit_transform(diabetes.data)
y = diabetes.target - diabetes.target.mean()

# %%
# A path solves for a hundred penalties, each from the solution before; from left to right they get weaker.
# With L1 alone, features enter one after another. With half of the penalty squared they enter together, and
# s1 and s2, two measures of nearly the same thing, no longer grow against each other.

paths = {"L1 alone: lasso_path": lasso_path(X, y), "half of it squared: enet_path": enet_path(X, y)}

fig, axes = plt.subplots(1, 2, figsize=(10, 4.5), sharey=True, layout="constrained")
for ax, (title, (alphas, coefs, _)) in zip(axes, paths.items(), strict=True):
    for name, coef, color in zip(diabetes.feature_names, coefs, plt.cm.tab10.colors, strict=True):
        ax.plot(alphas, coef, color=color, label=name)
    ax.set(title=title, xlabel="alpha", xscale="log")
    ax.invert_xaxis()
axes[0].set_ylabel("coefficient")
axes[1].legend(loc="upper left", ncols=2)
plt.show()

# %%
# The same for classes: thirty measurements of cell nuclei, and whether the tumour is malignant. ``C`` is
# the inverse of the penalty's strength, and ``warm_start`` lets each fit start from the last.

X, y = load_breast_cancer(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0, stratify=y)
scaler = StandardScaler().fit(X_train)
X_train, X_test = scaler.transform(X_train), scaler.transform(X_test)

C = np.logspace(-2, 1.5, 40)
model = LogisticRegression(l1_ratio=1.0, solver="saga", warm_start=True, max_iter=1000)
coefs, cross_entropy = [], []
for c in C:
    model.set_params(C=c).fit(X_train, y_train)
    coefs.append(model.coef_[0].copy())
    cross_entropy.append(log_loss(y_test, model.predict_proba(X_test)))
best = int(np.argmin(cross_entropy))
print(f"least cross-entropy at C={C[best]:.2f}, with {np.count_nonzero(coefs[best])} of 30 features")

# %%
# Unseen rows want a penalty in between, marked by the dotted line: to the left of it useful features are
# missing, to the right large coefficients of opposite sign fit the noise.

fig, (above, below) = plt.subplots(2, 1, figsize=(7, 6), sharex=True, layout="constrained")
above.plot(C, coefs, linewidth=1)
above.set(title="LogisticRegression(l1_ratio=1)", ylabel="coefficient")
below.plot(C, cross_entropy, color="black")
below.set(xlabel="C", xscale="log", ylabel="cross-entropy of test rows")
for ax in (above, below):
    ax.axvline(C[best], color="black", linestyle=":")
plt.show()
