"""
How large should a tree be?
===========================

A tree without limits explains every row of its training data, its noise too. Cost-complexity pruning [1]_
cuts back the branches that lower the impurity least for the leaves they have: those with less than
``ccp_alpha`` a leaf.

.. [1] Breiman, Friedman, Olshen, Stone (1984), Classification and regression trees, chapter 3.
"""

# %%
# Tumours, described by thirty measurements of the nuclei of their cells.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import validation_curve

from sklearn_dl.tree import DecisionTreeClassifier, plot_tree

data = load_breast_cancer()
tree = DecisionTreeClassifier(random_state=0).fit(data.data, data.target)
print(f"{tree.get_n_leaves()} leaves")

# %%
# The path holds the values of ``ccp_alpha`` at which a branch falls. Cross-validation says how much is noise:
# on the left of the picture the tree knows its training rows by heart, on the right it knows too little.

alphas = np.unique(tree.cost_complexity_pruning_path(data.data, data.target).ccp_alphas)[1:-1]
seen, unseen = validation_curve(
    tree, data.data, data.target, param_name="ccp_alpha", param_range=alphas, cv=10
)

fig, ax = plt.subplots(figsize=(7, 4), layout="constrained")
ax.plot(alphas, seen.mean(axis=1), ".-", color="grey", label="rows of the fit")
ax.plot(alphas, unseen.mean(axis=1), ".-", color="black", label="other rows")
ax.set(xlabel="ccp_alpha", xscale="log", ylabel="accuracy")
ax.legend()
plt.show()

# %%
# The largest ``ccp_alpha`` within one standard error of the best makes a tree that can be read. A node says
# what is asked, how mixed its classes are, how many rows it holds, and which class most of them have.

error = unseen.std(axis=1) / np.sqrt(unseen.shape[1])
best = unseen.mean(axis=1).argmax()
good = unseen.mean(axis=1) >= unseen.mean(axis=1)[best] - error[best]
pruned = DecisionTreeClassifier(ccp_alpha=alphas[good].max(), random_state=0).fit(data.data, data.target)

fig, ax = plt.subplots(figsize=(9, 5), layout="constrained")
plot_tree(
    pruned,
    feature_names=data.feature_names,
    class_names=data.target_names,
    filled=True,
    rounded=True,
    precision=2,
    fontsize=8,
    ax=ax,
)
plt.show()
