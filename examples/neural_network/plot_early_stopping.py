"""
When should training stop?
==========================

More epochs fit the training rows better, and other rows only up to a point. With ``early_stopping=True`` an
estimator holds out a part of its rows, watches the loss on them, stops when it no longer falls, and keeps the
weights of the best epoch.
"""

# %%
# A table in which a fifth of the labels are drawn at random: there is much to learn by heart.

import matplotlib.pyplot as plt
from sklearn.datasets import make_classification
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split

from sklearn_dl.neural_network import MLPClassifier
from sklearn_dl.plotting import TrainingDisplay

X, y = make_classification(n_samples=1000, n_features=20, n_informative=5, flip_y=0.2, random_state=0)
X_train, X_test, y_train, y_test = train_test_split(X, y, train_size=500, random_state=0)

# %%
# The same network twice: to the end, and stopped early. The step size is constant in both, since a schedule
# that falls over ``max_epochs`` would not have fallen yet when training stops.

settings = {"max_epochs": 100, "lr": 1e-3, "lr_schedule": "constant", "weight_decay": 0.0, "random_state": 0}
to_the_end = MLPClassifier(**settings).fit(X_train, y_train)
stopped = MLPClassifier(**settings, early_stopping=True, validation_fraction=0.25).fit(X_train, y_train)

for name, model in [("to the end", to_the_end), ("stopped early", stopped)]:
    accuracy = model.score(X_test, y_test)
    cross_entropy = log_loss(y_test, model.predict_proba(X_test))
    print(f"{name:13} {model.n_iter_:4} epochs, accuracy {accuracy:.3f}, cross-entropy {cross_entropy:.2f}")

# %%
# The probabilities suffer most: a network that has learnt its rows by heart is sure of its errors. The loss
# on training rows falls on, that on held-out rows turns. The dotted line marks the epoch that was kept.

TrainingDisplay.from_estimator(stopped, panels=["loss", "score"])
plt.show()
