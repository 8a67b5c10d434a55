"""
What do adapters of domains do to the rows?
===========================================

A classifier that was trained on one domain, the source, meets rows of another, the target, that were
measured in another way. No target row has a label. An adapter moves the rows of both domains into one space,
where a classifier of the source serves the target too.
"""

# %%
# Two classes whose rows are turned and stretched in the target. Dots are source rows, crosses target rows.
# The labels of the target are known here for the colours and for the score; no estimator reads them.

import matplotlib.pyplot as plt

from sklearn_dl.datasets import make_shifted
from sklearn_dl.domain_adaptation import (
    CORAL,
    ClassBalancedSelfTraining,
    DomainStandardScaler,
    JointDistributionAdaptation,
    SourceOnly,
    SubspaceAlignment,
)
from sklearn_dl.plotting import DomainDisplay

X, y, sample_domain = make_shifted(shift="subspace", strength=0.6, n_features=5, random_state=0)
target = sample_domain < 0
baseline = SourceOnly().fit(X, y, sample_domain)
print(f"without adaptation: {baseline.score(X[target], y[target]):.2f}")

# %%
# :class:`~sklearn_dl.domain_adaptation.CORAL` gives the source rows the covariance of the target.

coral = CORAL().fit(X, sample_domain=sample_domain)
DomainDisplay.from_estimator(coral, X, y, sample_domain=sample_domain)
plt.show()

# %%
# :class:`~sklearn_dl.domain_adaptation.JointDistributionAdaptation` brings the means of the domains together,
# and those of the classes; the classes of the target are predicted, in turns.

jda = JointDistributionAdaptation(n_components=2).fit(X, y, sample_domain=sample_domain)
DomainDisplay.from_estimator(jda, X, y, sample_domain=sample_domain)
plt.show()

# %%
# The classifier behind an adapter must not see the target's rows with whatever stands in their `y`. A step of
# a pipeline cannot drop rows, so :class:`~sklearn_dl.domain_adaptation.SourceOnly` does it. Not every adapter
# suits every shift: means that agree already leave those alone that match means.

adapters = {
    "standardised": DomainStandardScaler(),
    "CORAL": coral,
    "subspace alignment": SubspaceAlignment(n_components=2),
    "JDA": jda,
}
scores = {"none": baseline.score(X[target], y[target])}
for name, adapter in adapters.items():
    mapped = adapter.fit_transform(X, y, sample_domain=sample_domain)
    model = SourceOnly().fit(mapped, y, sample_domain)
    scores[name] = model.score(mapped[target], y[target])
self_trained = ClassBalancedSelfTraining().fit(X, y, sample_domain)
scores["self-training"] = self_trained.score(X[target], y[target])

_, ax = plt.subplots(figsize=(6, 2.8), layout="constrained")
ax.barh(list(scores), list(scores.values()), color="#0072B2")
ax.set(xlim=(0.4, 1), xlabel="accuracy on the target")
ax.invert_yaxis()
plt.show()
