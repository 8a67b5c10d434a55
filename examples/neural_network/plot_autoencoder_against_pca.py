"""
What do two numbers keep of an image?
=====================================

PCA lays images on a plane. An autoencoder may bend that plane: one network squeezes each image into two
numbers, another draws it again from them, and both are trained together so that little is lost [1]_. This
page gives the 8 x 8 images of digits to both.

.. [1] Hinton, Salakhutdinov (2006), Reducing the dimensionality of data with neural networks, Science 313.
"""

# %%
# :class:`~sklearn_dl.neural_network.NeuralNetTransformer` trains any module that gives back its input. What
# ``encode`` returns is the result of ``transform``; ``decode`` serves ``inverse_transform``.

import matplotlib.pyplot as plt
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.metrics import r2_score
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier
from torch import nn

from sklearn_dl.neural_network import NeuralNetTransformer
from sklearn_dl.nn import MLP


class Autoencoder(nn.Module):
    """A network to `n_components` values, and its mirror image."""

    def __init__(self, n_features, n_components=2, width=128):
        super().__init__()
        layers = {"hidden_layer_sizes": (width, width), "activation": "gelu", "initialization": "default"}
        self.encode = MLP(n_features, n_components, **layers)
        self.decode = MLP(n_components, n_features, **layers)

    def forward(self, X):
        return self.decode(self.encode(X))


# %%
# Grey values go from 0 to 16 and all have one unit. So they are brought to 0 to 1, but not standardised one
# by one: a pixel counts by its variance, as it does in PCA.

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X / 16, y, random_state=0, stratify=y)

pca = PCA(n_components=2).fit(X_train)
autoencoder = NeuralNetTransformer(Autoencoder, lr=3e-3, max_epochs=100, standardize=False, random_state=0)
autoencoder.fit(X_train)

# %%
# How much of the variance of new images comes back, and how well the neighbours on the plane tell the digit:

methods = {"PCA": pca, "autoencoder": autoencoder}
for name, method in methods.items():
    planes = method.transform(X_train), method.transform(X_test)
    variance = r2_score(X_test, method.inverse_transform(planes[1]), multioutput="variance_weighted")
    accuracy = KNeighborsClassifier(15).fit(planes[0], y_train).score(planes[1], y_test)
    print(f"{name:12} variance kept {variance:.2f}, accuracy of 15 nearest neighbours {accuracy:.2f}")

# %%
# The two planes. Each number is a test image; neither method has seen a label.

fig, axes = plt.subplots(1, 2, figsize=(10, 5), layout="constrained")
for ax, (name, method) in zip(axes, methods.items(), strict=True):
    plane = method.transform(X_test)
    ax.scatter(*plane.T, s=0)  # sets the limits
    for position, digit in zip(plane, y_test, strict=True):
        ax.text(*position, str(digit), color=plt.cm.tab10(digit), fontsize=8, ha="center", va="center")
    ax.set(title=name, xticks=[], yticks=[])
plt.show()

# %%
# What is drawn again from the two numbers:

rows = {"image": X_test, **{name: m.inverse_transform(m.transform(X_test)) for name, m in methods.items()}}
one_of_each = [list(y_test).index(digit) for digit in range(10)]

fig, axes = plt.subplots(3, 10, figsize=(10, 3.2), layout="constrained")
for axes_of_row, (name, images) in zip(axes, rows.items(), strict=True):
    axes_of_row[0].set_ylabel(name)
    for ax, i in zip(axes_of_row, one_of_each, strict=True):
        ax.imshow(images[i].reshape(8, 8), cmap="gray_r", vmin=0, vmax=1)
        ax.set(xticks=[], yticks=[])
plt.show()
