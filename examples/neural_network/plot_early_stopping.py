"""
When should training stop?
==========================

More epochs fit the training rows better, and other rows only up to a point. With ``early_stopping=True`` an
estimator holds out a part of its rows, watches the loss on them, stops when it no longer falls, and keeps the
weights of the best epoch.
"""

# %%
# A small noisy problem, and a network that is large for it.

import matplotlib.pyplot as plt
from sklearn.datasets import make_moons
from sklearn.model_selection import train_test_split

from sklearn_dl.neural_network import MLPClassifier
from sklearn_dl.plotting import TrainingDisplay

X, y = make_moons(n_samples=600, noise=0.4, random_state=0)
X_train, X_test, y_train, y_test = train_test_split(X, y, train_size=300, random_state=0)

# %%
# The same network twice: to the end, and stopped early. The step size is constant in both, since a schedule
# that falls over ``max_epochs`` would not have fallen yet when training stops.

settings = {"max_epochs": 300, "lr": 3e-3, "lr_schedule": "constant", "weight_decay": 0.0, "random_state": 0}
to_the_end = MLPClassifier(**settings).fit(X_train, y_train)
stopped = MLPClassifier(**settings, early_stopping=True, validation_fraction=0.25, patience=30)
stopped.fit(X_train, y_train)

print(f"to the end: {to_the_end.n_iter_} epochs, test accuracy {to_the_end.score(X_test, y_test):.3f}")
print(f"stopped:    {stopped.n_iter_} epochs, best {stopped.best_epoch_}, ", end="")
print(f"test accuracy {stopped.score(X_test, y_test):.3f}")

# %%
# The training loss falls on, the loss on held-out rows turns. The dotted line marks the epoch whose weights
# were kept.

TrainingDisplay.from_estimator(stopped, panels=["loss", "score"])
plt.show()
