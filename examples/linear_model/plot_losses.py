"""
What does the loss change?
==========================

Linear models differ in how they count an error. The squared error is fast and wants the mean, but one gross
error outweighs hundreds of small ones; losses that grow linearly do not follow it. For classes the choice
is between a loss for every row and one that is 0 for rows far enough on their side. This page shows both on
data one can see.
"""

# %%
# A line with noise. The last ten targets have been entered in another unit.

import matplotlib.pyplot as plt
import numpy as np

from sklearn_dl.linear_model import HuberRegressor, LinearRegression, LinearSVC, LinearSVR, LogisticRegression

rng = np.random.default_rng(0)
x = np.sort(rng.uniform(0, 10, 100))
y = 2 * x + 5 + rng.normal(size=100)
y[-10:] /= 10

# %%
# Least squares turns towards them. The Huber loss is squared up to ``epsilon`` times the scale of the
# noise, which it learns with the line, and linear beyond; it says which rows are ``outliers_``. The
# epsilon-insensitive loss is linear from ``epsilon`` on, in units of y.

regressors = {
    "squared error: LinearRegression": LinearRegression(),
    "Huber: HuberRegressor": HuberRegressor(),
    "epsilon-insensitive: LinearSVR": LinearSVR(epsilon=1.0, C=1.0, max_iter=10_000, random_state=0),
}
fig, ax = plt.subplots(figsize=(7, 4.5), layout="constrained")
for name, model in regressors.items():
    model.fit(x[:, None], y)
    print(f"{name}: slope {model.coef_[0]:.2f}")
    ax.plot(x, model.predict(x[:, None]), label=name)
is_outlier = regressors["Huber: HuberRegressor"].outliers_
ax.scatter(x[~is_outlier], y[~is_outlier], s=12, color="gray")
ax.scatter(x[is_outlier], y[is_outlier], s=12, color="red", label="outliers_ of HuberRegressor")
ax.set(xlabel="x", ylabel="y")
ax.legend()
plt.show()

# %%
# Three classes. The multinomial logistic loss fits probabilities of all classes together; the squared hinge
# loss of LinearSVC sets each class against the rest, and leaves out rows beyond the margin. No line parts a
# class that lies between two others from both of them, so one against the rest gives it less than its
# share.

centres = np.array([[-2, -1], [0, 0], [2, 1]])
labels = np.repeat([0, 1, 2], 100)
points = centres[labels] + rng.normal(scale=0.6, size=(300, 2))

first, second = np.meshgrid(np.linspace(-4, 4, 400), np.linspace(-3.5, 3, 300))
grid = np.column_stack([first.ravel(), second.ravel()])

fig, axes = plt.subplots(1, 2, figsize=(10, 4.2), sharey=True, layout="constrained")
for ax, model in zip(axes, [LogisticRegression(), LinearSVC(random_state=0)], strict=True):
    model.fit(points, labels)
    regions = model.predict(grid).reshape(first.shape)
    ax.contourf(
        first, second, regions, levels=[-0.5, 0.5, 1.5, 2.5], colors=plt.cm.tab10.colors[:3], alpha=0.3
    )
    ax.scatter(*points.T, c=plt.cm.tab10(labels), s=10)
    ax.set_title(f"{type(model).__name__}: accuracy {model.score(points, labels):.2f}")
plt.show()
