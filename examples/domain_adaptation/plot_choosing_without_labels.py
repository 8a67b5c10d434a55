"""
How is an adapter chosen without target labels?
===============================================

A search that scores on the source finds what is best for the source, which is often no adaptation at all.
Scores that need no target label look at the predictions for the target, or train a copy on them and lead it
back to the source.
"""

# %%
# The target's rows come from another instrument: other units, and an offset.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from sklearn_dl.datasets import make_shifted
from sklearn_dl.domain_adaptation import (
    CORAL,
    DomainKFold,
    DomainStandardScaler,
    SourceOnly,
    SubspaceAlignment,
    circular_validation_score,
    class_ami_score,
    prediction_entropy_score,
)
from sklearn_dl.linear_model import LogisticRegression

X, y, sample_domain = make_shifted(strength=0.2, shift="subspace", random_state=0)
target = sample_domain < 0
X[target] = X[target] * [3.0, 0.4] + [4.0, 1.0]
hidden = np.where(target, -1, y)

# %%
# :class:`~sklearn_dl.domain_adaptation.DomainKFold` keeps the target rows in every training part and tests
# source rows, so that no score reads a target label; ``bind`` gives a score the target rows.

adapters = {
    "none": "passthrough",
    "scaled": DomainStandardScaler(),
    "CORAL": CORAL(),
    "subspace\nalignment": SubspaceAlignment(n_components=2),
}
model = make_pipeline(DomainStandardScaler(), SourceOnly(LogisticRegression()))
scorings = {
    "accuracy on the source": "accuracy",
    "minus prediction entropy": prediction_entropy_score.bind(X[target]),
    "circular validation": circular_validation_score.bind(X[target]),
    "classes and clusters": class_ami_score.bind(X[target]),
}

# %%
# With metadata routing `sample_domain` goes to the steps that ask for it, which "passthrough" does not.

from sklearn import config_context

scores = {}
for name, scoring in scorings.items():
    with config_context(enable_metadata_routing=True):
        grid = {"domainstandardscaler": list(adapters.values())}
        search = GridSearchCV(model, grid, cv=DomainKFold(5), scoring=scoring)
        search.fit(X, hidden, sample_domain=sample_domain)
    scores[name] = search.cv_results_["mean_test_score"]

# %%
# Against the truth, which a user does not have. The source prefers no adaptation. So does the entropy here: a
# model that puts all target rows far on one side is sure of itself. The circle closes with adapters alone.
# Classes agree best with clusters of the target's rows for the best of them, though there are hardly any
# clusters: a score near 0 says so, and is not to be trusted by itself.

truth = []
for adapter in adapters.values():
    mapped = X if adapter == "passthrough" else adapter.fit_transform(X, sample_domain=sample_domain)
    fitted = SourceOnly(LogisticRegression()).fit(mapped, hidden, sample_domain)
    truth.append(fitted.score(mapped[target], y[target]))
scores["accuracy on the target, unknown"] = np.array(truth)

_, axes = plt.subplots(1, 5, figsize=(14, 3), layout="constrained")
for ax, (name, values) in zip(axes, scores.items(), strict=True):
    colours = np.where(np.arange(len(values)) == np.argmax(values), "#D55E00", "#0072B2")
    ax.bar(list(adapters), values, color=colours)
    ax.set_title(name, fontsize="medium")
    ax.tick_params(axis="x", labelsize="small")
plt.show()
